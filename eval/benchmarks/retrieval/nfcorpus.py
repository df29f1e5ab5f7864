"""NFCorpus, dev questions: nDCG@10 of each leg, each fusion, and the reranked list."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from eval.datasets import records
from eval.metrics import ndcg_at_k
from eval.trial import CORPUS, reconfigured, text_sources, trial
from rag.pipeline import Pipeline

DEPTH = 10
CANDIDATES = 50
FOLDER = "ranking/nfcorpus"
WAYS: Mapping[str, Mapping[str, Any]] = {
    "dense": {"dense_weight": 1.0, "document_weight": 0.0, "reranker": "none", "trim": False},
    "BM25": {"dense_weight": 0.0, "document_weight": 0.0, "reranker": "none", "trim": False},
    "average": {"document_weight": 0.0, "reranker": "none", "trim": False},
    "average and document prior": {"reranker": "none", "trim": False},
    "reciprocal rank": {"fusion": "reciprocal_rank", "reranker": "none", "trim": False},
    "average, reranked": {"trim": False},
}


def by_stage() -> dict[str, float]:
    """Return nDCG@10 of each way of ranking; a document counts by its best chunk."""
    texts = {
        entry["id"]: f"{entry['title']}\n\n{entry['text']}" for entry in records(f"{FOLDER}/corpus.jsonl.gz")
    }
    questions = {entry["id"]: entry["question"] for entry in records(f"{FOLDER}/questions.jsonl.gz")}
    relevance: dict[str, dict[str, float]] = defaultdict(dict)
    for entry in records(f"{FOLDER}/relevance.jsonl.gz"):
        relevance[entry["question"]][entry["document"]] = entry["relevance"]
    with trial(text_sources(texts), {}) as made:
        return {name: _mean(reconfigured(made, way), questions, relevance) for name, way in WAYS.items()}


def _mean(
    pipeline: Pipeline, questions: Mapping[str, str], relevance: Mapping[str, Mapping[str, float]]
) -> float:
    scores = []
    for identity, question in questions.items():
        hits = pipeline.search(CORPUS, question, k=CANDIDATES).hits
        ranking = list(dict.fromkeys(hit.chunk.document.removesuffix(".txt") for hit in hits))
        scores.append(ndcg_at_k(ranking, relevance[identity], DEPTH))
    return round(statistics.mean(scores), 4)
