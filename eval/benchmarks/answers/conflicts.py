"""Conflicts between sources: are the handbook's real ones shown, and what is shown if there are none?

`corpora/handbook/conflicts.jsonl` names the sides of the real conflict for each question that has one. The rules were
written with the handbook in view. The results list every conflict shown, so that people can judge them.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eval.datasets import HANDBOOK, SHARED, chroma, chroma_documents, handbook, records
from eval.metrics import percentile
from eval.questions import EvalQuestion
from eval.trial import CORPUS, file_sources, text_sources, trial
from ingest.source import Source
from rag.types import Answer

TAGS = ("superseded", "region", "date")
EVERY_THIRD = 3  # of SQuAD's 1,504 questions


@dataclass(frozen=True, slots=True)
class AnsweredQuestion:
    """A question with its answer."""

    question: EvalQuestion
    answer: Answer


def measure() -> dict[str, Any]:
    """Return what was shown for each set; for the handbook also without refusals."""
    chroma_set = _ask(file_sources(chroma_documents()), chroma())
    tenq = sorted((SHARED / "endtoend" / "sec-10q" / "documents").iterdir())
    return {
        "handbook": _handbook({}),
        "handbook, nothing refused": _handbook({"refuse_below": 0.0}),
        "Chroma's questions": described(chroma_set),
        "SQuAD, a document for each paragraph": described(_squad()),
        "quarterly reports": described(_ask(file_sources(tenq), _quarterly())),
    }


def real_conflicts() -> dict[str, list[dict[str, str]]]:
    """Return the sides of the handbook's real conflicts by question; a side is a document and a quote from it."""
    lines = (HANDBOOK / "conflicts.jsonl").read_text(encoding="utf-8").splitlines()
    return {one["question"]: one["sides"] for one in map(json.loads, lines)}


def described(asked: Sequence[AnsweredQuestion]) -> dict[str, Any]:
    """Count and list the answers that show a conflict, and report the cost of looking for them."""
    times = [one.answer.trace.timings_ms["compare"] for one in asked]
    shown = [one for one in asked if one.answer.conflicts]
    return {
        "questions": len(asked),
        "answered": sum(one.answer.answerable for one in asked),
        "with a conflict": len(shown),
        "ms mean": round(sum(times) / len(times), 2),
        "ms p95": round(percentile(times, 0.95), 2),
        "shown": [_listed(one) for one in shown],
    }


def against_labels(
    asked: Sequence[AnsweredQuestion], real: Mapping[str, Sequence[Mapping[str, str]]]
) -> dict[str, Any]:
    """Return by tag how many real conflicts have an answer and both sides in the evidence, and how many are shown."""
    rows: dict[str, Any] = {}
    for tag in (*TAGS, "all"):
        labelled = [
            one for one in asked if one.question.id in real and (tag == "all" or tag in one.question.tags)
        ]
        in_evidence = [one for one in labelled if _both_in_evidence(one.answer, real[one.question.id])]
        answered = [one for one in in_evidence if one.answer.answerable]
        rows[tag] = {
            "real": len(labelled),
            "both sides in the evidence": len(in_evidence),
            "and answered": len(answered),
            "shown": sum(_is_shown(one.answer, real[one.question.id]) for one in answered),
        }
    others = [
        one
        for one in asked
        if one.answer.conflicts and not _is_shown(one.answer, real.get(one.question.id, ()))
    ]
    return {"real conflicts": rows, "shown without a label": [_listed(one) for one in others]}


def _handbook(settings: Mapping[str, Any]) -> dict[str, Any]:
    asked = _ask(file_sources([HANDBOOK / "documents"]), handbook(), settings)
    return {**described(asked), **against_labels(asked, real_conflicts())}


def _squad() -> list[AnsweredQuestion]:
    """Ask about paragraphs of one article, each its own document: near neighbours that hardly contradict each other."""
    questions = list(records("reading/squad-dev.jsonl.gz"))
    names: dict[str, str] = {}
    for one in questions:
        names.setdefault(one["context"], f"{one['group'].replace(' ', '_')}-{len(names)}.txt")
    asked = [EvalQuestion(one["id"], one["question"], ()) for one in questions[::EVERY_THIRD]]
    return _ask(text_sources({name: text for text, name in names.items()}), asked)


def _quarterly() -> list[EvalQuestion]:
    with (SHARED / "endtoend" / "sec-10q" / "questions.csv").open(encoding="utf-8-sig") as file:
        return [EvalQuestion(f"s{n}", row["Question"], ()) for n, row in enumerate(csv.DictReader(file))]


def _ask(
    sources: Iterable[Source], questions: Sequence[EvalQuestion], settings: Mapping[str, Any] | None = None
) -> list[AnsweredQuestion]:
    with trial(sources, settings or {}) as made:
        return [AnsweredQuestion(one, made.pipeline.ask(CORPUS, one.question)) for one in questions]


def _both_in_evidence(answer: Answer, sides: Sequence[Mapping[str, str]]) -> bool:
    held = [(hit.chunk.document, hit.text) for hit in answer.trace.rankings.get("context", ())]
    return _sides_held(held, sides) > 1


def _is_shown(answer: Answer, sides: Sequence[Mapping[str, str]]) -> bool:
    return any(
        _sides_held([(one.document, one.quote) for one in conflict.citations], sides) > 1
        for conflict in answer.conflicts
    )


def _sides_held(texts: Sequence[tuple[str, str]], sides: Sequence[Mapping[str, str]]) -> int:
    return sum(
        any(document == side["document"] and side["quote"] in text for document, text in texts)
        for side in sides
    )


def _listed(one: AnsweredQuestion) -> dict[str, Any]:
    conflicts = [
        {
            "kind": conflict.kind,
            "text": conflict.text,
            "quotes": [f"{side.document}: {side.quote}" for side in conflict.citations],
        }
        for conflict in one.answer.conflicts
    ]
    return {"id": one.question.id, "question": one.question.question, "conflicts": conflicts}
