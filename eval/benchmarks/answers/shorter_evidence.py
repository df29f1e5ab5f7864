"""What shorter evidence loses and saves: compressed to a half or a third, or fewer pieces instead.

An extractive answer quotes the stored text, compressed or not, so by itself it shows little. The prompt shows what a
model would lose: does it still contain the answer, the words of the gold excerpts, and enough of them for the judge to
accept a sentence based on them?
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from eval.ablate import Variant, ablation_json
from eval.datasets import HANDBOOK, available, chroma, chroma_documents, handbook
from eval.measures import Values, answer_values
from eval.metrics import percentile, words_found
from eval.questions import EvalQuestion
from eval.report.tables import SHORTER_SHOWN
from eval.run import ask
from eval.trial import CORPUS, Subject, Trial, file_sources, reconfigured, trial
from rag.answer.writer import stands
from rag.models.judge import Judge, load_judge
from rag.settings import Settings
from rag.text.sentences import split_sentences
from rag.types import Answer

WAYS: Mapping[str, Mapping[str, Any]] = {
    "as it is": {},
    "compressed 2x": {"compression": 2.0},
    "compressed 3x": {"compression": 3.0},
    "three pieces": {"evidence_most": 3},
    "two pieces": {"evidence_most": 2},
}
COSTS = ("evidence tokens", "prompt tokens", "assemble ms")


def measure() -> dict[str, Any]:
    """Compare the ways over both sets, trimmed and untrimmed; Chroma's is skipped if it is not here."""
    sets = {"handbook": ([HANDBOOK / "documents"], handbook())}
    if available("endtoend/chroma"):
        sets["chroma"] = (chroma_documents(), chroma())
    judge = load_judge()
    return {name: _measure(paths, questions, judge) for name, (paths, questions) in sets.items()}


def compared(
    made: Trial, questions: Sequence[EvalQuestion], judge: Judge, settings: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return a row for each way: means, changes from the first with intervals, and median times.

    Args:
        settings: settings common to all ways.
    """
    found = []
    for name, changes in WAYS.items():
        changed = {**settings, **changes}
        subject = Subject(reconfigured(made, changed), made.catalog, Settings(**changed), CORPUS)
        answers = ask(subject, questions)
        values = tuple(
            prompt_values(question, answer, judge)
            for question, answer in zip(questions, answers, strict=True)
        )
        found.append(Variant(name, changes, values, tuple(a.trace.timings_ms["total"] for a in answers)))
    rows = ablation_json(found)
    return [
        row | {"assemble ms p50": percentile([values["assemble ms"] for values in variant.values], 0.5)}
        for row, variant in zip(rows, found, strict=True)
    ]


def prompt_values(question: EvalQuestion, answer: Answer, judge: Judge) -> Values:
    """Return what remains of an answer's evidence in the prompt, how the answer fares, and the costs."""
    values = answer_values(question, answer)
    shown = answer.trace.shown
    if question.evidence:
        quotes = "\n".join(gold.quote for gold in question.evidence)
        values["gold words in prompt"] = words_found("\n".join(shown), quotes)
        values["gold stands"] = gold_stands(question, answer, judge)
    costs = (answer.ledger.evidence, answer.ledger.used, answer.trace.timings_ms["assemble"])
    kept = {name: values[name] for name in SHORTER_SHOWN if name in values}
    return kept | {name: float(cost) for name, cost in zip(COSTS, costs, strict=True)}


def gold_stands(question: EvalQuestion, answer: Answer, judge: Judge) -> float:
    """Return the share of the gold excerpts' sentences that a model could write and the judge would accept.

    Each is judged as in `rag.answer.writer`, against what the prompt shows of the pieces that overlap its excerpt.
    """
    placed = list(zip(answer.trace.rankings.get("context", ()), answer.trace.shown, strict=True))
    said, pairs = 0, list[tuple[int, str, str]]()
    for gold in question.evidence:
        held = [
            shown
            for hit, shown in placed
            if hit.chunk.document == gold.document and hit.start < gold.end and gold.start < hit.end
        ]
        for start, end in split_sentences(gold.quote):
            pairs += [(said, shown, gold.quote[start:end]) for shown in held]
            said += 1
    chances = judge.support([(shown, sentence) for _, shown, sentence in pairs]) if pairs else np.zeros(0)
    standing = {
        number
        for (number, shown, sentence), chance in zip(pairs, chances, strict=True)
        if stands(float(chance), sentence, shown)
    }
    return len(standing) / max(1, said)


def _measure(paths: Sequence[Path], questions: Sequence[EvalQuestion], judge: Judge) -> dict[str, Any]:
    with trial(file_sources(paths), {}) as made:
        return {
            "questions": len(questions),
            "trimmed": compared(made, questions, judge, {}),
            "untrimmed": compared(made, questions, judge, {"trim": False}),
        }
