"""Measure the model pack, job by job: the figures of docs/models.md, each with its baselines.

Every function takes a loaded model, and a limit that shortens the sets when time matters more than figures.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

from eval import reading
from eval.benchmarks.answers import refusal
from eval.benchmarks.models import compression, evidence, judging
from eval.benchmarks.retrieval import reranking
from eval.datasets import held_back, records
from eval.trial import shared_embedder
from rag.models.compress import load_compressor
from rag.models.cross_encoder import CrossEncoder, load_cross_encoder
from rag.models.evidence import EvidenceModel, load_evidence_model
from rag.models.judge import Judge, load_judge
from rag.models.reader import load_reader
from rag.recipe import TRUNK

SEED = 13
# Answers of each reading set to look for in compressed texts.
PER_SET = 200
# Passages on which the reader is timed.
TIMED = 200
READING = (
    "squad-train",
    "squad-dev",
    "squadshifts-wiki",
    "squadshifts-amazon",
    "policyqa-train",
    "doc2dial",
    "nq-train",
    "fairytaleqa-train",
)
Figures = dict[str, Any]


def measure_reranker(encoder: CrossEncoder, limit: int | None = None) -> Figures:
    """Return MRR on nq-train and on the held-out part of selqa-dev, nDCG@10 on NFCorpus, and speed."""
    embedder = shared_embedder(TRUNK)
    passages = list(dict.fromkeys(entry["context"] for entry in records("reading/nq-train.jsonl.gz")))
    nq = reranking.over_passages(encoder, embedder, sampled("reading/nq-train", limit), passages)
    selqa = [e for e in sampled("ranking/selqa-dev") if held_back(e["question"])][:limit]
    nfcorpus = reranking.over_nfcorpus(encoder, embedder, limit)
    return {
        "nq-train, MRR": reranking.summary(nq, "dense + MaxSim"),
        "selqa-dev, held back, MRR": reranking.summary(
            reranking.over_candidates(encoder, embedder, selqa), "MaxSim"
        ),
        "nfcorpus, nDCG@10": reranking.summary(nfcorpus, "dense + MaxSim"),
        "nfcorpus, against as shipped": reranking.summary(nfcorpus, "as shipped"),
        "speed": reranking.speed(encoder, embedder, passages),
    }


def measure_evidence(model: EvidenceModel, encoder: CrossEncoder, limit: int | None = None) -> Figures:
    """Return over five held-out kinds of texts how often the right unit is first, beside the reranker, and speed."""
    return evidence.by_kind(model, encoder, limit)


def measure_reader(reader: reading.SpanReader, limit: int | None = None) -> Figures:
    """Return F1 and EM on squad-dev, with and without no-answer questions, F1 on nq-train, and speed."""
    nq, squad = sampled("reading/nq-train", limit), sampled("reading/squad-dev", limit)
    fitted = reading.fitted_on(sampled("reading/squad-dev"))
    return {
        "squad-dev": reading.with_no_answer(reader, squad),
        "squad-dev, articles not calibrated on": reading.with_no_answer(
            reader, [entry for entry in squad if entry not in fitted]
        ),
        "nq-train": reading.spans_alone(reader, nq),
        "speed": reading.speed(reader, nq[:TIMED]),
    }


def measure_compressor(
    compressor: compression.TextCompressor, reader: reading.SpanReader, limit: int | None = None
) -> Figures:
    """Return the share of answers still present, the reader's F1 on compressed context, and speed."""
    sets = {part: sampled(f"reading/{part}", limit or PER_SET, answerable=True) for part in READING}
    keeping = compression.ways(compressor, [entry for entries in sets.values() for entry in entries])
    read = [
        e for part in ("squad-dev", "nq-train") for e in sampled(f"reading/{part}", limit, answerable=True)
    ]
    return {
        "answers still present": compression.answers_present(keeping, sets),
        "the reader's F1": compression.reader_f1(
            reader, {way: keep for way, keep in keeping.items() if way != "pack"}, read
        ),
        "speed": compression.speed(compressor, sampled("reading/nq-train", 100)),
    }


def measure_judge(judge: Judge, limit: int | None = None) -> Figures:
    """Return accuracies and AUC on attributionbench-dev, wice-dev and the held-out tenth of fever-dev."""
    sets = {
        "attributionbench-dev": judging.attributionbench,
        "wice-dev": judging.wice,
        "fever-dev, held back": judging.fever,
    }
    embedder = shared_embedder(TRUNK)
    return {
        name: judging.judged(judge, embedder, _some(list(pairs()), limit)) for name, pairs in sets.items()
    }


def measure_refusal(settings: Mapping[str, Any] | None = None, limit: int | None = None) -> Figures:
    """Return how well the question path refuses, with half of nq-train's passages absent."""
    return refusal.refusal(sampled("reading/nq-train", limit), settings or {})


def measure() -> dict[str, Figures]:
    """Measure every job."""
    return {part: run() for part, run in PARTS.items()}


def figures(results: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Return the headline figures that pack.json records, for each measured job.

    Args:
        results: the result of `measure`, or part of it.
    """
    found: dict[str, dict[str, float]] = {}
    for job, named in _HEADLINES.items():
        if job in results:
            found[job] = {name: _at(results[job], path) for name, path in named.items()}
    return found


def sampled(part: str, limit: int | None = None, *, answerable: bool = False) -> list[dict[str, Any]]:
    """Return the records of a public set, or always the same `limit` of them."""
    return _some([r for r in records(f"{part}.jsonl.gz") if not answerable or r["answerable"]], limit)


def _some(entries: list[Any], limit: int | None) -> list[Any]:
    if limit is None or limit >= len(entries):
        return entries
    return random.Random(SEED).sample(entries, limit)


PARTS: Mapping[str, Callable[[], Figures]] = {
    "reranker": lambda: measure_reranker(load_cross_encoder()),
    "evidence": lambda: measure_evidence(load_evidence_model(), load_cross_encoder()),
    "reader": lambda: measure_reader(load_reader()),
    "compressor": lambda: measure_compressor(load_compressor(), load_reader()),
    "judge": lambda: measure_judge(load_judge()),
    "refusal": measure_refusal,
    "path": refusal.full_path,
}


def _at(figures: Any, path: tuple[str, ...]) -> float:
    for key in path:
        figures = figures[key]
    return float(figures)


_PRESENT, _F1 = "answers still present", "the reader's F1"
# Job -> name in pack.json -> its path in the results.
_HEADLINES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "reranker": {
        "nq-train MRR": ("nq-train, MRR", "cross-encoder"),
        "nq-train MRR, with dense": ("nq-train, MRR", "dense + cross-encoder"),
        "nq-train MRR, with dense and MaxSim": ("nq-train, MRR", "all three"),
        "selqa-dev held-back MRR": ("selqa-dev, held back, MRR", "cross-encoder"),
        "nfcorpus nDCG@10": ("nfcorpus, nDCG@10", "cross-encoder"),
        "nfcorpus nDCG@10, with hybrid": ("nfcorpus, nDCG@10", "dense + cross-encoder"),
        "nfcorpus nDCG@10, with hybrid and MaxSim": ("nfcorpus, nDCG@10", "all three"),
        "20 candidates, ms": ("speed", "ms, p50"),
    },
    "evidence": {
        "right unit first, mean of five kinds": ("mean", "first"),
        "right unit first, by the reranker": ("mean", "first, reranker"),
        "right unit among the first three": ("mean", "first three"),
        "own text is there, AUC": ("mean", "AUC"),
    },
    "reader": {
        "squad-dev F1": ("squad-dev", "F1"),
        "squad-dev EM": ("squad-dev", "EM"),
        "squad-dev F1 of the span alone": ("squad-dev", "F1 of the span alone"),
        "nq-train F1": ("nq-train", "F1"),
        "passage, ms": ("speed", "ms, p50"),
    },
    "compressor": {
        f"{name} at {rate}": path
        for rate in compression.RATES
        for name, path in {
            "answers present, %": (_PRESENT, rate, "pack", "answers, %"),
            "answers present with the question, %": (_PRESENT, rate, "pack, with the question", "answers, %"),
            "reader F1": (_F1, rate, "pack, with the question"),
        }.items()
    }
    | {"reader F1 at 1x": (_F1, "1x"), "2,000 tokens, ms": ("speed", "ms, p50")},
    "judge": {
        "attributionbench-dev balanced accuracy": ("attributionbench-dev", "balanced accuracy"),
        "wice-dev AUC": ("wice-dev", "AUC"),
        "fever-dev held-back accuracy": ("fever-dev, held back", "accuracy"),
    },
}
