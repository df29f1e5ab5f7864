"""What shorter evidence loses and saves: real question paths over a small corpus, and a judge by shared words."""

from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from eval.benchmarks.answers.shorter_evidence import WAYS, compared, gold_stands
from eval.metrics import words_found
from eval.questions import EvalQuestion, Gold
from eval.report.tables import shorter_evidence_rows
from eval.trial import CORPUS, Trial, text_sources, trial

FACTS = (
    "The lamp of the lighthouse burns whale oil. Ada Quill, who was born on the island, lights it at dusk. "
    "The old boat is moored beside the slipway, and volunteers repair its sails in winter. "
)
TEXT = FACTS + " ".join(
    f"The harbour master of pier {n} walks slowly along the quay every morning and counts the boats."
    for n in range(30)
)
QUOTE = "The lamp of the lighthouse burns whale oil."
QUESTION = EvalQuestion(
    "q1",
    "What does the lamp of the lighthouse burn?",
    (Gold("sea.txt", 0, len(QUOTE), QUOTE),),
    ("whale oil",),
)
UNANSWERABLE = EvalQuestion("q2", "Who was the last king of Atlantis?", (), (), answerable=False)


class SharedWords:
    """A judge by the share of words."""

    def support(self, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
        return np.array([words_found(*pair) for pair in pairs])


@pytest.fixture(scope="module")
def made() -> Iterator[Trial]:
    with trial(text_sources({"sea": TEXT}), {}) as made:
        yield made


def test_every_way_is_compared_with_the_evidence_as_it_is(made: Trial) -> None:
    rows = {
        row["question path"]: row
        for row in compared(made, [QUESTION, UNANSWERABLE], SharedWords(), {"trim": False})
    }

    assert list(rows) == list(WAYS)
    tokens = [rows[way]["means"]["evidence tokens"] for way in WAYS]
    assert tokens[0] > tokens[1] > tokens[2]
    assert tokens[0] > tokens[4]
    base = rows["as it is"]["means"]
    assert (base["answer in prompt"], base["gold words in prompt"], base["gold stands"]) == (1.0, 1.0, 1.0)
    assert rows["compressed 3x"]["differences"]["evidence tokens"]["high"] < 0
    assert rows["compressed 3x"]["means"]["right"] == base["right"]  # it quotes the stored text
    assert base["prompt tokens"] > base["evidence tokens"]


def test_a_gold_sentence_stands_on_what_is_shown_of_its_piece(made: Trial) -> None:
    answer = made.pipeline.ask(CORPUS, QUESTION.question)
    false = "The lamp of the lighthouse burns 40 barrels of petrol."
    start = TEXT.index("Ada Quill")
    other = Gold("elsewhere.txt", start, start + 9, "Ada Quill")
    half = EvalQuestion("q3", "?", (*QUESTION.evidence, Gold("sea.txt", 0, len(false), false)), ("oil",))

    assert gold_stands(QUESTION, answer, SharedWords()) == 1.0
    assert gold_stands(half, answer, SharedWords()) == 0.5  # its number is nowhere
    assert gold_stands(EvalQuestion("q4", "?", (other,), ("x",)), answer, SharedWords()) == 0.0


def test_the_table_has_a_row_for_each_way(made: Trial) -> None:
    rows = compared(made, [QUESTION], SharedWords(), {})
    [first, *others] = shorter_evidence_rows("sea", rows)

    assert first[:2] == ("sea", "as it is")
    assert len(others) == len(WAYS) - 1
    assert others[0][2] == f"{rows[1]['means']['evidence tokens']:.0f}"
