"""Questions asked over a trial's documents: answers as a user gets them, and what would be said without refusals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from eval.measures import held_answers
from eval.metrics import percentile
from eval.reading import leading_text
from eval.trial import CORPUS, Trial, reconfigured
from rag.answer.generator import LABEL
from rag.types import Answer

UNREFUSED = {"refuse_below": 0.0}


@dataclass(frozen=True, slots=True)
class Attempt:
    """A question's answer, and the one that it would get if nothing were refused for low confidence."""

    question: str
    answer: Answer
    unrefused: Answer  # the same as `answer` if that was given


@dataclass(frozen=True, slots=True)
class Certainty:
    """How sure an answer was, and whether it is right. The right answer to an unanswerable question does not exist."""

    confidence: float
    right: bool


def attempt(made: Trial, questions: Sequence[str]) -> list[Attempt]:
    """Ask the questions one after the other; those refused are asked again without a limit of confidence."""
    unrefused = reconfigured(made, UNREFUSED)
    # Models that load on first use do not count toward a question's time.
    made.pipeline.ask(CORPUS, "warm up")
    tried = []
    for question in questions:
        answer = made.pipeline.ask(CORPUS, question)
        forced = answer if answer.answerable else unrefused.ask(CORPUS, question)
        tried.append(Attempt(question, answer, forced))
    return tried


def holds(answer: Answer, golds: Iterable[str]) -> bool:
    """Return whether an answer was given and contains one of the expected answers, its labels aside."""
    return answer.answerable and any(held_answers(golds, LABEL.sub("", answer.text)))


def leads(answer: Answer, golds: Iterable[str]) -> bool:
    """Return whether an answer was given and its lead contains one of the expected answers."""
    return answer.answerable and any(held_answers(golds, leading_text(answer)))


def cites(answer: Answer, document: str) -> bool:
    """Return whether an answer quotes a document."""
    return any(one.document == document for one in answer.citations)


def share(outcomes: Iterable[bool]) -> float:
    """Return the share of true outcomes, to three places; 0 for none."""
    listed = list(outcomes)
    return round(sum(listed) / len(listed), 3) if listed else 0.0


def p50_ms(attempts: Sequence[Attempt]) -> float:
    """Return the median time of an answer."""
    return round(percentile([one.answer.trace.timings_ms["total"] for one in attempts], 0.5), 1)


def balanced(answerable: Sequence[bool], attempts: Sequence[Attempt]) -> dict[str, float]:
    """Return how well exactly the answerable questions are answered: balanced accuracy and its two parts."""
    said = [one.answer.answerable for one in attempts]
    answered = np.mean([s for s, can in zip(said, answerable, strict=True) if can])
    refused = np.mean([not s for s, can in zip(said, answerable, strict=True) if not can])
    figures = {
        "balanced accuracy": (answered + refused) / 2,
        "answered where it can be": answered,
        "refused where it cannot": refused,
    }
    return {name: round(float(value), 3) for name, value in figures.items()}


def certainties(attempts: Sequence[Attempt], right: Iterable[bool]) -> list[Certainty]:
    """Pair the confidence of what would be said without refusals with whether it is right.

    Args:
        right: of each attempt, whether its unrefused answer is right.
    """
    return [
        Certainty(one.unrefused.confidence, bool(is_right and one.unrefused.answerable))
        for one, is_right in zip(attempts, right, strict=True)
    ]


def packed(found: Iterable[Certainty]) -> str:
    """Write certainties on one line, as results keep them: "0.913+ 0.204-"."""
    return " ".join(f"{one.confidence:.3f}{'+' if one.right else '-'}" for one in found)


def unpacked(line: str) -> list[Certainty]:
    """Read what `packed` wrote."""
    return [Certainty(float(word[:-1]), word.endswith("+")) for word in line.split()]
