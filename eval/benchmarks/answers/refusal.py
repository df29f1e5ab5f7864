"""Does the question path refuse what its documents do not answer? And how long does it take?"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from eval.datasets import chroma, chroma_documents, held_back
from eval.metrics import balanced_accuracy, best_balanced_accuracy, percentile
from eval.reading import gold_answers, short_answers
from eval.trial import CORPUS, file_sources, shared_embedder, text_sources, trial
from rag.models.embed import Embedder, maxsim, unit
from rag.pipeline import Pipeline
from rag.recipe import TRUNK

SEED = 7
EVERY_STAGE = {"reranker": "pack", "reader": "pack", "compressor": "pack", "judge": "pack"}


def halves(entries: Sequence[Mapping[str, Any]]) -> tuple[dict[str, str], list[tuple[str, bool]]]:
    """Return the passages of half of the questions, and every question with whether its passage is among them.

    Questions about one passage stay together, so that none is answered by another's passage.
    """
    passages = sorted({entry["context"] for entry in entries})
    random.Random(SEED).shuffle(passages)
    present = set(passages[: len(passages) // 2])
    texts = {f"{number}.txt": text for number, text in enumerate(sorted(present))}
    return texts, [(entry["question"], entry["context"] in present) for entry in entries]


def refusal(entries: Sequence[Mapping[str, Any]], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the balanced accuracy of answering exactly the answerable questions, through `ask`.

    `held back` are the questions on which the confidence weights were not fitted. The baseline is the largest MaxSim of
    the question to a hit, at its best threshold.
    """
    texts, questions = halves(entries)
    embedder = shared_embedder(TRUNK)
    with trial(text_sources(texts), settings) as made:
        answers = [made.pipeline.ask(CORPUS, question) for question, _ in questions]
        nearest = np.array([_nearest(made.pipeline, embedder, question) for question, _ in questions])
    truth = np.array([present for _, present in questions])
    said = np.array([answer.answerable for answer in answers])
    confidence = np.array([answer.confidence for answer in answers])
    kept = np.array([held_back(question) for question, _ in questions])
    parts = {"all": np.full(len(kept), True), "held back": kept}
    return {
        **{name: _figures(truth[p], said[p], confidence[p], nearest[p]) for name, p in parts.items()},
        "short answers": short_answers(answers, [gold_answers(entry) for entry in entries]),
    }


def _figures(
    truth: np.ndarray, said: np.ndarray, confidence: np.ndarray, nearest: np.ndarray
) -> dict[str, float]:
    figures = {
        "balanced accuracy": balanced_accuracy(truth, said),
        "answered where it can be": float(said[truth].mean()),
        "refused where it cannot": float((~said[~truth]).mean()),
        "confidence at its best threshold": best_balanced_accuracy(truth, confidence),
        "MaxSim at its best threshold": best_balanced_accuracy(truth, nearest),
    }
    return {"questions": len(truth)} | {name: round(value, 4) for name, value in figures.items()}


def full_path(limit: int | None = None) -> dict[str, Any]:
    """Time `ask` over Chroma's documents with every stage on, and each stage's median."""
    with trial(file_sources(chroma_documents()), EVERY_STAGE) as made:
        timings = [made.pipeline.ask(CORPUS, asked.question).trace.timings_ms for asked in chroma()[:limit]]
    stages = {stage: [one[stage] for one in timings if stage in one] for one in timings for stage in one}
    medians = {stage: round(percentile(taken, 0.5), 1) for stage, taken in stages.items()}
    totals = [one["total"] for one in timings]
    return {
        "ms, p50": medians.pop("total"),
        "ms, p95": round(percentile(totals, 0.95), 1),
        "stages, p50": medians,
    }


def _nearest(pipeline: Pipeline, embedder: Embedder, question: str) -> float:
    hits = pipeline.search(CORPUS, question).hits
    asked, *read = embedder.encode_tokens([question, *(hit.chunk.indexed_text for hit in hits)])
    return max((maxsim(unit(asked.vectors), one.vectors) for one in read), default=0.0)
