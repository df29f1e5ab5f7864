"""Multi-turn questions, on MTRAG-UN: is the evidence found turn by turn, and are unanswerable questions refused?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eval.datasets import records
from eval.metrics import balanced_accuracy, best_balanced_accuracy
from eval.trial import CORPUS, text_sources, trial
from rag.memory.tiers import Exchange, what_was_said
from rag.types import Memory

PARTS = ("first", "second and third", "later")  # turns
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _TaskOutcome:
    """The outcome of one task."""

    part: str
    answerable: bool | None  # None for an underspecified question, which is neither
    confidence: float
    answered: bool
    recall: float | None  # share of its own contexts with a part in the prompt; None without contexts


def measure() -> dict[str, Any]:
    """Ask the last question of every task, given its conversation, over the contexts of all tasks.

    Each is asked as it is, and rewritten. A task's contexts are those found by its authors' retriever, evidence or not,
    so recall is agreement with that retriever. Unanswerable tasks have none, so the corpus lacks their evidence.
    """
    rows = list(records("conversation/mtrag-un-dev.jsonl.gz"))
    texts = {_name(one): one["text"] for row in rows for one in row["contexts"]}
    figures = {}
    with trial(text_sources(texts), {}) as made:
        for name, told in (("as asked", False), ("rewritten", True)):
            asked = []
            for row in rows:
                known = Memory(tuple(what_was_said(_held(row)) if told else ()))
                answer = made.pipeline.ask(CORPUS, row["input"][-1]["text"], memory=known)
                found = {hit.chunk.document for hit in answer.trace.rankings.get("context", ())}
                wanted = {_name(one) for one in row["contexts"]}
                recall = len(found & wanted) / len(wanted) if wanted else None
                asked.append(
                    _TaskOutcome(_part(row), _answerable(row), answer.confidence, answer.answerable, recall)
                )
            figures[name] = _by_part(asked)
    return {"tasks": len(rows), "documents": len(texts), **figures}


def _by_part(asked: Sequence[_TaskOutcome]) -> dict[str, dict[str, float]]:
    parts: dict[str, list[_TaskOutcome]] = defaultdict(list)
    for one in asked:
        parts["all"].append(one)
        parts[one.part].append(one)
    return {name: _figures(parts[name]) for name in ("all", *PARTS) if parts[name]}


def _figures(asked: Sequence[_TaskOutcome]) -> dict[str, float]:
    told = [one for one in asked if one.answerable is not None]
    truth = np.array([one.answerable for one in told], bool)
    recalls = [one.recall for one in asked if one.recall is not None]
    figures = {"tasks": len(asked), "evidence recall": round(float(np.mean(recalls)), 4) if recalls else 0.0}
    if truth.any() and not truth.all():
        answered = np.array([one.answered for one in told])
        confidence = np.array([one.confidence for one in told])
        figures |= {
            "answerable or not, balanced accuracy": round(balanced_accuracy(truth, answered), 4),
            "at its best threshold": round(best_balanced_accuracy(truth, confidence), 4),
        }
    return figures


def _answerable(row: Row) -> bool | None:
    label = str(row["answerability"]).upper()
    if "UNDERSPECIFIED" in label:
        return None
    return "UNANSWERABLE" not in label


def _part(row: Row) -> str:
    turn = int(row["turn"])
    return PARTS[0] if turn == 1 else PARTS[1] if turn <= 3 else PARTS[2]


def _held(row: Row) -> list[Exchange]:
    said = [one["text"].strip() for one in row["input"][:-1]]
    pairs = zip(said[::2], said[1::2], strict=False)
    return [Exchange(number, question, question, answer) for number, (question, answer) in enumerate(pairs)]


def _name(context: Row) -> str:
    return f"{context['document_id']}.txt"
