"""A causal model on this machine: it writes, keeps its prefix, stops when told, and reports what it cannot do."""

from pathlib import Path

import pytest

from eval.benchmarks.answers.tiny_causal import tiny_causal
from rag.answer.causal import CausalModel
from rag.answer.generator import ignored
from rag.answer.prompts import SYSTEM
from rag.errors import ModelError
from rag.models.embed import Embedder
from rag.pipeline import Pipeline
from rag.settings import Settings
from rag.stages import ModelSet
from tests.made_models import tiny_bert
from tests.made_versions import CORPUS, LAMP_QUESTION, MILL, SEA, Library


@pytest.fixture(scope="module")
def causal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_causal(tmp_path_factory.mktemp("causal"), f"{SYSTEM} {SEA} {MILL} {LAMP_QUESTION}")


def test_a_local_model_writes_the_same_with_its_prefix_kept(causal: Path) -> None:
    said: list[str] = []
    kept = CausalModel(str(causal), most_tokens=12)
    first = kept.complete(SYSTEM, SEA, said.append)
    again = [kept.complete(SYSTEM, prompt, ignored) for prompt in (SEA, MILL, SEA)]
    fresh = [
        CausalModel(str(causal), most_tokens=12).complete(SYSTEM, prompt, ignored) for prompt in (SEA, MILL)
    ]

    assert first == "".join(said)
    assert again == [first, fresh[1], first]
    assert fresh[0] == first
    assert kept.count_tokens("The lamp burns") == 3


def test_the_system_message_is_computed_once(causal: Path) -> None:
    model = CausalModel(str(causal), most_tokens=1)
    lengths: list[int] = []
    model._model.register_forward_pre_hook(
        lambda _, arguments, named: lengths.append(
            named.get("input_ids", next(iter(arguments), None)).shape[1]
        ),
        with_kwargs=True,
    )
    for prompt in (SEA, MILL):
        model.complete(SYSTEM, prompt, ignored)
    system, first, second = lengths

    assert system > 50
    assert first < len(SEA.split()) * 2 < system + first
    assert second < len(MILL.split()) * 2


def test_a_template_may_know_no_system_message(tmp_path: Path) -> None:
    folder = tiny_causal(tmp_path / "m", f"{SYSTEM} {SEA}")
    template = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}" + (
        "{% for m in messages %}{{ m['role'] }} : {{ m['content'] }}{% endfor %}"
    )
    (folder / "chat_template.jinja").write_text(template)
    model = CausalModel(str(folder), most_tokens=4)

    assert model.complete(SYSTEM, SEA, ignored) == model.complete(SYSTEM, SEA, ignored)


def test_a_local_model_without_a_template_writes_too(tmp_path: Path) -> None:
    plain = tiny_causal(tmp_path / "plain", f"{SYSTEM} {SEA}", template=False)
    model = CausalModel(str(plain), most_tokens=5)

    assert model.complete(SYSTEM, SEA, ignored) == model.complete(SYSTEM, SEA, ignored)


def test_what_is_raised_ends_the_local_writing(causal: Path) -> None:
    class Gone(Exception):
        pass

    def leave(part: str) -> None:
        raise Gone

    with pytest.raises(Gone):
        CausalModel(str(causal)).complete(SYSTEM, SEA, leave)


def test_a_prompt_beyond_the_window_is_said(tmp_path: Path, filled: Library) -> None:
    small = tiny_causal(tmp_path / "small", f"{SYSTEM} {SEA}", window=64)
    with pytest.raises(ModelError, match="lower IBID_BUDGET_TOKENS"):
        CausalModel(str(small), most_tokens=60).complete(SYSTEM, SEA, ignored)


def test_a_local_model_in_the_question_path(filled: Library, causal: Path, embedder: Embedder) -> None:
    settings = Settings(home=Path("unused"), generator=str(causal), generator_tokens=16)
    answer = Pipeline(settings, filled.catalog, ModelSet(settings, embedder)).ask(CORPUS, LAMP_QUESTION)

    assert "whale oil" in answer.text  # random weights write nonsense: the extractive answer replaces it
    assert any("stands in" in note for note in answer.trace.remarks)


def test_a_model_of_another_kind_is_refused(tmp_path: Path) -> None:
    wrong = tiny_bert(tmp_path / "bert", "BertForTokenClassification", SEA, seed=1)
    with pytest.raises(ModelError, match="ForCausalLM"):
        CausalModel(str(wrong))
    with pytest.raises(ModelError, match="generator"):
        CausalModel(str(tmp_path / "none"))
