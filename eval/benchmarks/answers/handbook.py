"""The handbook, end to end: is the right evidence found, is the answer right, and are refusals honest?"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eval.benchmarks.yardstick.outcomes import Certainty, packed
from eval.datasets import HANDBOOK, handbook
from eval.measures import covers, holds_answer
from eval.metrics import percentile
from eval.questions import EvalQuestion, Gold
from eval.reading import leading_text, short_answers
from eval.trial import CORPUS, file_sources, trial
from rag.answer.generator import LABEL
from rag.types import Answer, Hit


@dataclass(frozen=True, slots=True)
class HandbookAnswer:
    """The outcome of one question."""

    question: EvalQuestion
    answer: Answer
    retrieved: bool  # the context contains the gold evidence
    cited: bool  # an answer was given, and a citation is in the gold evidence
    right: bool  # an answer was given, and it contains the expected words
    led: bool  # its short answer, or else its first cited part, contains them


def judge_questions(settings: Mapping[str, Any] | None = None) -> list[HandbookAnswer]:
    """Ask every handbook question over a fresh ingest of its documents."""
    with trial(file_sources([HANDBOOK / "documents"]), settings or {}) as made:
        return [judge(question, made.pipeline.ask(CORPUS, question.question)) for question in handbook()]


def judge(question: EvalQuestion, answer: Answer) -> HandbookAnswer:
    """Compare an answer with the gold evidence and the expected words (case and spacing ignored)."""
    context = answer.trace.rankings.get("context", ())
    cited = [(c.document, c.start, c.end) for c in answer.citations]
    right = answer.answerable and holds_answer(question, LABEL.sub("", answer.text))
    led = answer.answerable and holds_answer(question, leading_text(answer))
    retrieved = _holds_gold(context, question.evidence)
    return HandbookAnswer(question, answer, retrieved, covers(cited, question.evidence), right, led)


def measure() -> dict[str, Any]:
    """Return the shares at the defaults, and how confidence agrees with truth without refusals."""
    unrefused = judge_questions({"refuse_below": 0.0})
    return {
        **summarise(judge_questions()),
        "confidence and share right, by thirds": calibration(unrefused),
        "certainties": {"handbook": packed(Certainty(one.answer.confidence, one.right) for one in unrefused)},
    }


def calibration(judged: Sequence[HandbookAnswer]) -> list[str]:
    """Return "mean confidence / share right" of each third of the questions, least confident first.

    An answer to an unanswerable question is never right, so for a perfect model the two agree in every third.
    """
    ranked = sorted(judged, key=lambda one: one.answer.confidence)
    thirds = [ranked[len(ranked) * n // 3 : len(ranked) * (n + 1) // 3] for n in range(3)]
    return [
        f"{statistics.mean(one.answer.confidence for one in third):.2f} / {_share(one.right for one in third):.2f}"
        for third in thirds
        if third
    ]


def summarise(judged: Sequence[HandbookAnswer]) -> dict[str, Any]:
    """Return the shares that docs/benchmarks.md reports."""
    answerable = [j for j in judged if j.question.answerable]
    unanswerable = [j for j in judged if not j.question.answerable]
    answered = [j for j in answerable if j.answer.answerable]
    times = [j.answer.trace.timings_ms["total"] for j in judged]
    led = short_answers([j.answer for j in judged], [j.question.answers for j in judged])
    return {
        "answerable questions": len(answerable),
        "gold evidence in the context": _share(j.retrieved for j in answerable),
        "answered": _share(j.answer.answerable for j in answerable),
        "answered with the right evidence": _share(j.cited for j in answerable),
        "answered with the right words": _share(j.right for j in answerable),
        "right in the lead": _share(j.led for j in answerable),
        "of the answers given, right evidence": _share(j.cited for j in answered),
        "led by a short answer, and right": [led["given"], led["right"]],
        "unanswerable questions": len(unanswerable),
        "refused rightly": _share(not j.answer.answerable for j in unanswerable),
        "refused wrongly": _share(not j.answer.answerable for j in answerable),
        "p50_ms": round(percentile(times, 0.5), 1),
        "p95_ms": round(percentile(times, 0.95), 1),
    }


def _holds_gold(hits: Iterable[Hit], gold: Sequence[Gold]) -> bool:
    return covers([(hit.chunk.document, hit.start, hit.end) for hit in hits], gold)


def _share(outcomes: Iterable[bool]) -> float:
    listed = list(outcomes)
    return round(sum(listed) / len(listed), 3) if listed else 0.0
