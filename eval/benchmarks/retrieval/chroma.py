"""Chroma's chunking evaluation: five files in one corpus, 472 questions, 5 hits, recall, precision and IoU."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from eval.datasets import chroma, chroma_documents
from eval.metrics import SpanScores, percentile, span_scores
from eval.questions import EvalQuestion
from eval.trial import CORPUS, file_sources, reconfigured, trial
from ingest.chunking.chunkers import CHUNKERS
from rag.pipeline import Pipeline

HITS = 5
STAGES: Mapping[str, Mapping[str, Any]] = {
    "all stages": {},
    "fusion by reciprocal rank": {"fusion": "reciprocal_rank"},
    "no document prior": {"document_weight": 0.0},
    "by meaning alone": {"dense_weight": 1.0, "document_weight": 0.0},
    "by words alone": {"dense_weight": 0.0, "document_weight": 0.0},
    "no reranking": {"reranker": "none"},
    "no trimming": {"trim": False},
    "neither": {"reranker": "none", "trim": False},
}


def through_the_command_line() -> dict[str, Any]:
    """Measure as a user would: `ibid ingest`, then `ibid search --batch`, in separate processes."""
    questions = chroma()
    with tempfile.TemporaryDirectory() as home:
        batch = Path(home) / "questions.jsonl"
        batch.write_text("".join(json.dumps({"id": q.id, "question": q.question}) + "\n" for q in questions))
        began = time.perf_counter()
        _ibid(home, "ingest", *map(str, chroma_documents()), "--corpus", CORPUS)
        ingest_s = time.perf_counter() - began
        lines = _ibid(
            home, "search", "--corpus", CORPUS, "--k", str(HITS), "--batch", str(batch)
        ).splitlines()
    answers = {answer["id"]: answer for answer in map(json.loads, lines)}
    spans = {
        identity: [(hit["document"], hit["start"], hit["end"]) for hit in answer["hits"]]
        for identity, answer in answers.items()
    }
    totals = [answer["timings_ms"]["total"] for answer in answers.values()]
    return {
        "ingest_process_s": round(ingest_s, 1),
        **_means(span_scores(spans[q.id], _gold(q)) for q in questions),
        **_times(totals),
    }


def by_chunker_and_stage(chunkers: Iterable[str] = CHUNKERS) -> list[dict[str, Any]]:
    """Measure every chunker with all stages, and with each stage changed, in one process."""
    rows = []
    for chunker in chunkers:
        with trial(file_sources(chroma_documents()), {"chunker": chunker}) as made:
            for name, changed in STAGES.items():
                row = measure_question_path(reconfigured(made, {"chunker": chunker, **changed}))
                rows.append(
                    {
                        "chunker": chunker,
                        "stages": name,
                        **row,
                        "chunks": made.chunks,
                        "ingest_s": made.ingest_s,
                    }
                )
    return rows


def measure_question_path(pipeline: Pipeline) -> dict[str, Any]:
    """Search for every question; return mean recall, precision and IoU in per cent, and times."""
    scores, totals = [], []
    for question in chroma():
        found = pipeline.search(CORPUS, question.question, k=HITS)
        scores.append(span_scores([(h.chunk.document, h.start, h.end) for h in found.hits], _gold(question)))
        totals.append(found.trace.timings_ms["total"])
    return {**_means(scores), **_times(totals)}


def _gold(question: EvalQuestion) -> list[tuple[str, int, int]]:
    return [(gold.document, gold.start, gold.end) for gold in question.evidence]


def _means(scores: Iterable[SpanScores]) -> dict[str, float]:
    listed = list(scores)
    return {
        name: round(100 * statistics.mean(getattr(score, name) for score in listed), 2)
        for name in ("recall", "precision", "iou")
    }


def _times(totals: list[float]) -> dict[str, float]:
    return {"p50_ms": round(percentile(totals, 0.5), 1), "p95_ms": round(percentile(totals, 0.95), 1)}


def _ibid(home: str, *arguments: str) -> str:
    """Run the command line in a separate process and return its output."""
    command = [sys.executable, "-m", "api.cli", *arguments]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("IBID_")}
    done = subprocess.run(
        command, env=environment | {"IBID_HOME": home}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[2:4])} exited {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout
