"""When a model begins to write: the parts of a question's time, a real server process, and a real small model."""

import pytest

from eval.benchmarks.answers.first_token import Written, parted, prefix_times, timed
from eval.benchmarks.answers.talker import first_sentence, talking
from eval.benchmarks.answers.tiny_causal import tiny_causal
from eval.trial import text_sources, trial
from rag.answer.causal import CausalModel
from rag.answer.generator import ignored
from rag.answer.openai_client import OpenAIClient
from rag.answer.prompts import SYSTEM
from rag.types import Context, Ledger

SEA = "The lamp of the lighthouse burns whale oil. Ada Quill lights the lamp at dusk."
LAMP = "What does the lamp of the lighthouse burn?"
FENCED = '<evidence label="2" document="a.txt" page="">\n{text}\n</evidence>\n'


def context(text: str = SEA) -> Context:
    prompt = f"{SYSTEM}\n{FENCED.format(text=text)}\nQuestion: {LAMP}\n"
    return Context(LAMP, (), Ledger(0, 0, 0, 0, 0, 0), (), prompt)


def test_the_parts_of_a_question_s_time_with_the_arithmetic() -> None:
    parts = parted(10.0, 10.5, Written(context(), began=10.1, first=10.15, last=10.35, ended=10.45))

    assert parts == pytest.approx(
        {
            "ours before the model, ms": 100,
            "first token since the question, ms": 150,
            "the model's first token, ms": 50,
            "its writing, ms": 200,
            "ours after, ms": 150,
            "total, ms": 500,
        }
    )
    silent = parted(10.0, 10.5, Written(context(), began=10.1, first=None, last=None, ended=10.45))
    assert silent == pytest.approx(
        {"ours before the model, ms": 100, "the answer and its check, ms": 400, "total, ms": 500}
    )


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        (context().prompt, "The lamp of the lighthouse burns whale oil. [2]"),
        (context("Oil &lt; gas\nburns.").prompt, "Oil < gas burns. [2]"),
        (f"Question: {LAMP}", "The evidence does not answer the question."),
    ],
)
def test_the_talker_says_the_first_sentence(prompt: str, said: str) -> None:
    assert first_sentence(prompt) == said


def test_a_server_process_is_timed_part_by_part() -> None:
    with trial(text_sources({"sea": SEA}), {}) as made, talking() as url:
        assert (
            OpenAIClient(url, "talker")
            .complete(SYSTEM, context().prompt, ignored)
            .strip()
            .endswith("oil. [2]")
        )
        settings = {"generator": "openai", "generator_url": url, "generator_model": "talker"}
        times, contexts = timed(made, settings, [LAMP])
        plain, _ = timed(made, {}, [LAMP])

    parts = ("ours before the model, ms", "the model's first token, ms", "its writing, ms", "ours after, ms")
    assert sum(times[part] for part in parts) == pytest.approx(times["total, ms"], abs=0.1)
    assert times["first token since the question, ms"] < times["total, ms"]
    assert [one.question for one in contexts] == [LAMP]
    assert set(plain) == {"ours before the model, ms", "the answer and its check, ms", "total, ms"}


def test_a_system_message_that_was_seen_is_not_computed_again(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    model = CausalModel(
        str(tiny_causal(tmp_path_factory.mktemp("m"), f"{SYSTEM} {SEA} {LAMP}")), most_tokens=1
    )
    passes: list[int] = []
    model._model.register_forward_pre_hook(lambda *_: passes.append(1))
    times = prefix_times(model, [context(), context("Ada Quill lights the lamp.")])

    assert len(passes) == 6  # two for a new message, one for a repeated one
    assert all(taken > 0 for taken in times.values())
