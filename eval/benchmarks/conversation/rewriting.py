"""Rewriting follow-ups, on CANARD: how close to people's rewrites, and does retrieval find the same?"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from eval.datasets import held_back, records
from eval.reading import answer_f1, normalise_answer
from eval.trial import CORPUS, text_sources, trial
from rag.rewrite import rewrite

FOUND = 5  # hits that are compared
# Least length of an answer: "I don't know." is not one.
LEAST_WORDS = 4
Row = Mapping[str, Any]
WAYS: Mapping[str, Callable[[Row], str]] = {
    "as asked": lambda row: str(row["question"]),
    "with the whole history": lambda row: " ".join([*row["history"], row["question"]]),
    "rewritten": lambda row: rewrite(row["question"], row["history"]),
    "rewritten, without the titles": lambda row: rewrite(row["question"], row["history"][2:]),
}


def measure() -> dict[str, Any]:
    """Return each way's figures on the questions that need rewriting, in the unseen dialogues.

    The rules were written while looking at the other half, on which the model was fitted too. CANARD's history begins
    with the titles of the article and the section; a conversation with Ibid has neither, hence the last way.
    """
    rows = list(records("conversation/canard-dev.jsonl.gz"))
    kept = [row for row in rows if held_back(_dialogue(row))]
    needy = [row for row in kept if normalise_answer(row["question"]) != normalise_answer(row["rewrite"])]
    return {
        "questions": len(kept),
        "of them need rewriting": len(needy),
        "left alone where nothing is needed": _share(
            rewrite(row["question"], row["history"]) == row["question"] for row in kept if row not in needy
        ),
        "ways": _retrieved(rows, needy),
    }


def _retrieved(rows: Sequence[Row], needy: Sequence[Row]) -> dict[str, dict[str, float]]:
    """Return token F1, and the share of the manual rewrite's results that each way also finds.

    The corpus is the answers of all dialogues, each a document.
    """
    with trial(text_sources(_answers(rows)), {"reranker": "none", "trim": False}) as made:

        def found(question: str) -> list[int]:
            hits = made.pipeline.search(CORPUS, question[-4000:], k=FOUND).hits
            return [hit.chunk.id for hit in hits]

        wanted = [found(row["rewrite"]) for row in needy]
        figures = {}
        for name, way in WAYS.items():
            questions = [way(row) for row in needy]
            got = [found(question) for question in questions]
            pairs = list(zip(got, wanted, strict=True))
            figures[name] = {
                "token F1": round(
                    statistics.mean(
                        answer_f1(q, [row["rewrite"]]) for q, row in zip(questions, needy, strict=True)
                    ),
                    4,
                ),
                "same first hit": _share(ours[:1] == theirs[:1] for ours, theirs in pairs),
                "shared of five hits": round(
                    statistics.mean(len({*ours} & {*theirs}) / len(theirs) for ours, theirs in pairs), 4
                ),
            }
    return figures


def _answers(rows: Sequence[Row]) -> dict[str, str]:
    """Return every answer as a document: every other turn after the two titles and the question."""
    answers = dict.fromkeys(text for row in rows for text in row["history"][3::2])
    return {f"{n}.txt": text for n, text in enumerate(answers) if len(text.split()) > LEAST_WORDS}


def _dialogue(row: Row) -> str:
    return " ".join(row["history"][:2])


def _share(outcomes: Any) -> float:
    listed = [bool(one) for one in outcomes]
    return round(sum(listed) / max(1, len(listed)), 4)
