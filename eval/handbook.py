"""The handbook, end to end: is the right evidence found, is the answer right, and is it refused honestly?"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eval.datasets import HANDBOOK, EvalQuestion, Gold, handbook
from eval.metrics import DocumentSpan, percentile
from eval.reading import short_answers
from eval.trial import CORPUS, file_sources, trial
from rag.types import Answer, Hit

ENOUGH = 0.5  # share of a gold excerpt that must be covered for it to count as found


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of one question."""

    question: EvalQuestion
    answer: Answer
    retrieved: bool  # the context holds the gold evidence
    cited: bool  # an answer was given and a citation rests on the gold evidence
    right: bool  # an answer was given and holds the expected words


def judge_questions(settings: Mapping[str, Any] | None = None) -> list[Judged]:
    """Ask every handbook question over a fresh ingest of its documents."""
    with trial(file_sources([HANDBOOK / "documents"]), settings or {}) as made:
        return [judge(question, made.pipeline.ask(CORPUS, question.question)) for question in handbook()]


def judge(question: EvalQuestion, answer: Answer) -> Judged:
    """Compare an answer with the gold evidence and the expected words (case and spacing ignored)."""
    context = answer.trace.rankings.get("context", ())
    cited = [(c.document, c.start, c.end) for c in answer.citations]
    said = _plain(answer.text)
    expected = [_plain(words) in said for words in question.answers]
    all_needed = {"list", "multi-document"} & set(question.tags)
    right = answer.answerable and bool(expected) and (all(expected) if all_needed else any(expected))
    return Judged(
        question, answer, _holds_gold(context, question.evidence), covers(cited, question.evidence), right
    )


def measure() -> dict[str, Any]:
    """Return the shares at the defaults, and how confidence agrees with truth when nothing is refused."""
    unrefused = judge_questions({"refuse_below": 0.0})
    return {**summarise(judge_questions()), "confidence and share right, by thirds": calibration(unrefused)}


def calibration(judged: Sequence[Judged]) -> list[str]:
    """Return "mean confidence / share right" of each third of the questions, least confident first.

    An answer to an unanswerable question is never right, so a perfect model agrees in every third.
    """
    ranked = sorted(judged, key=lambda one: one.answer.confidence)
    thirds = [ranked[len(ranked) * n // 3 : len(ranked) * (n + 1) // 3] for n in range(3)]
    return [
        f"{statistics.mean(one.answer.confidence for one in third):.2f} / {_share(one.right for one in third):.2f}"
        for third in thirds
        if third
    ]


def covers(spans: Iterable[DocumentSpan], gold: Sequence[Gold]) -> bool:
    """Tell whether spans cover the gold evidence: every excerpt, or one that is marked as an alternative.

    An excerpt is covered when one span holds at least half of it. Without gold there is nothing to cover.
    """
    listed = list(spans)
    needed = [excerpt for excerpt in gold if not excerpt.alternative]
    others = [excerpt for excerpt in gold if excerpt.alternative]
    all_needed = bool(needed) and all(_is_covered(excerpt, listed) for excerpt in needed)
    return all_needed or any(_is_covered(excerpt, listed) for excerpt in others)


def summarise(judged: Sequence[Judged]) -> dict[str, Any]:
    """Return the shares that the README reports."""
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


def _is_covered(excerpt: Gold, spans: Sequence[DocumentSpan]) -> bool:
    enough = ENOUGH * (excerpt.end - excerpt.start)
    return any(
        document == excerpt.document and min(end, excerpt.end) - max(start, excerpt.start) >= enough
        for document, start, end in spans
    )


def _share(outcomes: Iterable[bool]) -> float:
    listed = list(outcomes)
    return round(sum(listed) / len(listed), 3) if listed else 0.0


def _plain(text: str) -> str:
    return " ".join(text.casefold().replace("|", " ").split())
