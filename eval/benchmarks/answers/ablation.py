"""The full ablation of the question path, over the handbook and over Chroma's set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eval.ablate import ablate, ablation_json, by_order, by_position
from eval.datasets import HANDBOOK, available, chroma, chroma_documents, handbook
from eval.questions import EvalQuestion
from eval.report.markdown import ABLATION_MEASURES
from eval.trial import CORPUS, Subject, file_sources, trial
from rag.settings import Settings


def measure() -> dict[str, Any]:
    """Ablate over both sets; Chroma's is skipped if it is not here."""
    sets = {"handbook": ([HANDBOOK / "documents"], handbook())}
    if available("endtoend/chroma"):
        sets["chroma"] = (chroma_documents(), chroma())
    return {name: _measure(paths, questions) for name, (paths, questions) in sets.items()}


def _measure(paths: Sequence[Path], questions: Sequence[EvalQuestion]) -> dict[str, Any]:
    with trial(file_sources(paths), {}) as made:
        subject = Subject(made.pipeline, made.catalog, Settings(), CORPUS)
        rows = ablation_json(ablate(subject, questions))
        return {
            "questions": len(questions),
            "variants": [_shown(row) for row in rows],
            "orders": by_order(subject, questions),
            "positions": by_position(subject, questions),
        }


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    """Leave out measures that no table shows: people read results too."""
    kept = {
        part: {name: row[part][name] for name in ABLATION_MEASURES if name in row[part]}
        for part in ("means", "differences")
    }
    return row | kept
