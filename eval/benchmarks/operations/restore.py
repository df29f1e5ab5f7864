"""Backup and restore: is every question answered the same before and in the restored folder?"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from eval.datasets import HANDBOOK, available, chroma, chroma_documents, handbook
from eval.trial import CORPUS, file_sources, question_path, trial
from rag.pipeline import Pipeline
from rag.store.backup import restore_backup, write_backup
from rag.store.catalog import Catalog


def measure() -> dict[str, Any]:
    """Return how many answers are identical, for the handbook and, if it is here, for Chroma's set."""
    figures = {"handbook": _compared([HANDBOOK / "documents"], [q.question for q in handbook()])}
    if available("endtoend/chroma"):
        figures["Chroma's set"] = _compared(chroma_documents(), [q.question for q in chroma()])
    return figures


def _compared(paths: Sequence[Path], questions: Sequence[str]) -> dict[str, Any]:
    with trial(file_sources(paths), {}) as made, tempfile.TemporaryDirectory() as folder:
        before = [_answered(made.pipeline, question) for question in questions]
        archive, fresh = Path(folder) / "ibid.tar", Path(folder) / "restored"
        began = time.perf_counter()
        written = write_backup(made.catalog, archive)
        backed_up = time.perf_counter()
        restore_backup(archive, fresh)
        restored = time.perf_counter()
        catalog = Catalog(fresh)
        pipeline = question_path(catalog, {})
        after = [_answered(pipeline, question) for question in questions]
        catalog.close()
    return {
        "questions": len(questions),
        "identical": sum(one == other for one, other in zip(before, after, strict=True)),
        "answered": sum(json.loads(one)["answerable"] for one in before),
        "backup_s": round(backed_up - began, 2),
        "restore_s": round(restored - backed_up, 2),
        "archive_mb": round(written.bytes / 1e6, 1),
    }


def _answered(pipeline: Pipeline, question: str) -> str:
    """Return an answer as JSON: text, citations, confidence, nearest hits and tokens; everything but the times."""
    answer = asdict(pipeline.ask(CORPUS, question))
    del answer["trace"]
    return json.dumps(answer, sort_keys=True)
