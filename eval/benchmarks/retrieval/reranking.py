"""How well a cross-encoder ranks, alone and averaged with the bare trunk's scores, and how fast it is."""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from eval.benchmarks.retrieval.nfcorpus import CANDIDATES, DEPTH, FOLDER
from eval.datasets import records
from eval.metrics import ndcg_at_k, paired_test, percentile, reciprocal_rank
from eval.trial import CORPUS, reconfigured, text_sources, trial
from rag.index.scores import min_max
from rag.models.cross_encoder import CrossEncoder
from rag.models.embed import Embedder, maxsim, unit

NQ_CANDIDATES = 20
PAIRS, PAIR_TOKENS, QUESTION_TOKENS = 20, 128, 12  # for measuring speed
# Way of ranking -> the signals that it averages, each stretched to [0, 1].
WAYS: Mapping[str, tuple[str, ...]] = {
    "dense": ("dense",),
    "MaxSim": ("MaxSim",),
    "dense + MaxSim": ("dense", "MaxSim"),
    "cross-encoder": ("cross-encoder",),
    "dense + cross-encoder": ("dense", "cross-encoder"),
    "all three": ("dense", "MaxSim", "cross-encoder"),
}
Signals = Mapping[str, Sequence[float] | np.ndarray]
# Way -> a value for each question
Values = dict[str, list[float]]


def over_passages(
    encoder: CrossEncoder, embedder: Embedder, entries: Sequence[Mapping[str, Any]], passages: Sequence[str]
) -> Values:
    """Return the reciprocal rank of each question's own passage among the first 20 by meaning; 0 beyond."""
    vectors = embedder.encode(passages)  # (n_passages, dim)
    tokens = embedder.encode_tokens(passages)
    values: Values = defaultdict(list)
    for entry in entries:
        dense = vectors @ embedder.encode([entry["question"]])[0]
        top = np.argsort(-dense, kind="stable")[:NQ_CANDIDATES]
        signals: Signals = {
            "dense": dense[top],
            "MaxSim": _maxsims(embedder, entry["question"], [tokens[i].vectors for i in top]),
            "cross-encoder": encoder.score(entry["question"], [passages[i] for i in top]),
        }
        for way, order in rankings(signals).items():
            ranked = [passages[top[place]] for place in order]
            values[way].append(reciprocal_rank(ranked, [entry["context"]]))
    return values


def over_candidates(
    encoder: CrossEncoder, embedder: Embedder, entries: Sequence[Mapping[str, Any]]
) -> Values:
    """Return the reciprocal rank of the first relevant sentence among each question's candidates."""
    values: Values = defaultdict(list)
    for entry in entries:
        question, texts = entry["question"], entry["candidates"]
        read = [one.vectors for one in embedder.encode_tokens(texts)]
        asked, *vectors = embedder.encode([question, *texts])
        signals: Signals = {
            "dense": np.array(vectors) @ asked,
            "MaxSim": _maxsims(embedder, question, read),
            "cross-encoder": encoder.score(question, texts),
        }
        for way, order in rankings(signals).items():
            values[way].append(reciprocal_rank([str(i) for i in order], map(str, entry["relevant"])))
    return values


def over_nfcorpus(encoder: CrossEncoder, embedder: Embedder, limit: int | None = None) -> Values:
    """Return nDCG@10 of each question: the first 50 of the hybrid (`dense`, here) reranked in each way.

    `as shipped` is the hybrid with late interaction under its token budget, as the question path first had it.
    """
    texts = {e["id"]: f"{e['title']}\n\n{e['text']}" for e in records(f"{FOLDER}/corpus.jsonl.gz")}
    questions = {e["id"]: e["question"] for e in records(f"{FOLDER}/questions.jsonl.gz")}
    relevance: dict[str, dict[str, float]] = defaultdict(dict)
    for e in records(f"{FOLDER}/relevance.jsonl.gz"):
        relevance[e["question"]][e["document"]] = e["relevance"]
    values: Values = defaultdict(list)
    with trial(text_sources(texts), {}) as made:
        hybrid = reconfigured(made, {"reranker": "none", "trim": False})
        shipped = reconfigured(made, {"reranker": "late_interaction", "trim": False})
        for identity, question in list(questions.items())[:limit]:
            hits = hybrid.search(CORPUS, question, k=CANDIDATES).hits
            read = [hit.chunk.indexed_text for hit in hits]
            signals: Signals = {
                "dense": np.array([hit.score for hit in hits]),
                "MaxSim": _maxsims(embedder, question, [t.vectors for t in embedder.encode_tokens(read)]),
                "cross-encoder": encoder.score(question, read),
            }
            ranked = {way: [hits[i] for i in order] for way, order in rankings(signals).items()}
            ranked["as shipped"] = list(shipped.search(CORPUS, question, k=CANDIDATES).hits)
            for way, chosen in ranked.items():
                documents = list(dict.fromkeys(h.chunk.document.removesuffix(".txt") for h in chosen))
                values[way].append(ndcg_at_k(documents, relevance[identity], DEPTH))
    return values


def rankings(signals: Signals) -> dict[str, list[int]]:
    """Return the candidates' positions for each of WAYS, best first; ties keep their order."""
    stretched = {name: min_max(scores) for name, scores in signals.items()}
    averaged = {way: np.mean([stretched[name] for name in names], axis=0) for way, names in WAYS.items()}
    return {way: np.argsort(-scores, kind="stable").tolist() for way, scores in averaged.items()}


def summary(values: Values, baseline: str) -> dict[str, float]:
    """Return each way's mean, and the p-values of the cross-encoder's ways against a baseline."""
    means = {way: round(statistics.mean(each), 4) for way, each in values.items()}
    chances = {
        f"p, {way} against {baseline}": round(paired_test(values[way], values[baseline]), 4)
        for way in ("cross-encoder", "dense + cross-encoder", "all three")
    }
    return {"questions": len(values[baseline]), **means, **chances}


def speed(
    encoder: CrossEncoder, embedder: Embedder, passages: Sequence[str], rounds: int = 30
) -> dict[str, float]:
    """Time 20 candidates of 128 tokens, against the encoder on as many texts of the same total length."""
    question = _cut(
        embedder,
        "what is the name of the oldest lighthouse that still stands in the whole north",
        QUESTION_TOKENS,
    )
    long = [text for text in _joined(passages) if len(embedder.token_offsets(text)) >= 2 * PAIR_TOKENS][
        :PAIRS
    ]
    texts = [_cut(embedder, text, PAIR_TOKENS) for text in long]
    alike = [_cut(embedder, text, PAIR_TOKENS + QUESTION_TOKENS + 1) for text in long]
    taken: dict[str, list[float]] = {"encoder": [], "cross-encoder": []}
    for _ in range(rounds):
        began = time.perf_counter()
        embedder.encode(alike)
        middle = time.perf_counter()
        encoder.score(question, texts)
        taken["encoder"].append(1000 * (middle - began))
        taken["cross-encoder"].append(1000 * (time.perf_counter() - middle))
    ours, theirs = (percentile(taken[name], 0.5) for name in ("cross-encoder", "encoder"))
    return {
        "ms, p50": round(ours, 1),
        "encoder ms, p50": round(theirs, 1),
        "share of the encoder's tokens a second": round(theirs / ours, 3),
    }


def _maxsims(embedder: Embedder, question: str, vectors: Sequence[np.ndarray]) -> list[float]:
    asked = unit(embedder.encode_tokens([question])[0].vectors)
    return [maxsim(asked, one) for one in vectors]


def _joined(passages: Sequence[str]) -> list[str]:
    return [" ".join(passages[i : i + 4]) for i in range(0, len(passages), 4)]


def _cut(embedder: Embedder, text: str, tokens: int) -> str:
    return text[: embedder.token_offsets(text)[tokens - 1][1]]
