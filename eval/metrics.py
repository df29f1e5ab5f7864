"""Retrieval metrics, per question; means are taken last, by the reports."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rag.text.sentences import Span

DocumentSpan = tuple[str, int, int]
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class SpanScores:
    """Overlap of retrieved spans with the gold excerpts of one question; each value in [0, 1]."""

    recall: float
    precision: float
    iou: float


def span_scores(retrieved: Iterable[DocumentSpan], gold: Iterable[DocumentSpan]) -> SpanScores:
    """Score retrieved spans by Chroma's definitions ("Evaluating Chunking Strategies", 2024).

    recall = |retrieved and gold| / |gold|; precision divides by everything retrieved, repeats
    included; IoU = |retrieved and gold| / (all retrieved + gold that was missed).

    Raises:
        ValueError: if there is no gold span, since recall is then undefined.
    """
    found, wanted = list(retrieved), list(gold)
    if not wanted:
        raise ValueError("A question without gold spans has no recall; leave it out.")
    shared = sum(
        _length(_intersections(_of(found, document), _of(wanted, document)))
        for document in {document for document, _, _ in wanted}
    )
    size = sum(_length(_of(wanted, document)) for document in {document for document, _, _ in wanted})
    total = sum(end - start for _, start, end in found)
    if not total:
        return SpanScores(0.0, 0.0, 0.0)
    return SpanScores(shared / size, shared / total, shared / (total + size - shared))


def ndcg_at_k(ranking: Sequence[str], relevance: Mapping[str, float], k: int) -> float:
    """Return the normalised discounted cumulative gain of the first k, gains linear (as trec_eval's ndcg_cut).

    DCG = sum of relevance / log2(rank + 1), ranks from 1. A question without relevant documents scores 0.
    """
    gains = [relevance.get(document, 0.0) for document in ranking[:k]]
    best = _dcg(sorted(relevance.values(), reverse=True)[:k])
    return _dcg(gains) / best if best else 0.0


def reciprocal_rank(ranking: Sequence[str], relevant: Iterable[str]) -> float:
    """Return 1 / rank of the first relevant document, or 0 if none is ranked."""
    wanted = set(relevant)
    return next((1 / rank for rank, document in enumerate(ranking, 1) if document in wanted), 0.0)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which `share` of the values lie, interpolated linearly (numpy's default)."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def paired_test(
    ours: Sequence[float] | np.ndarray, theirs: Sequence[float] | np.ndarray, *, rounds: int = 10_000
) -> float:
    """Return the two-sided p-value of a paired randomisation test over the same questions.

    In each round every question's two values are swapped at random. p is the share of rounds, including the observed
    one, whose means differ at least as much (Smucker, Allan and Carterette, CIKM 2007).
    Seeded: the same values give the same p.
    """
    differences = np.asarray(ours, np.float64) - np.asarray(theirs, np.float64)  # (n_questions,)
    rng = np.random.default_rng(1)
    swaps = (rng.integers(0, 2, (rounds, len(differences)), np.int8) * 2 - 1) @ differences  # (rounds,)
    as_far = np.abs(swaps) >= abs(differences.sum()) - 1e-9
    return float((as_far.sum() + 1) / (rounds + 1))


def _dcg(gains: Sequence[float]) -> float:
    return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, 1))


def _of(spans: Iterable[DocumentSpan], document: str) -> list[Span]:
    return [(start, end) for name, start, end in spans if name == document]


def _intersections(left: Sequence[Span], right: Sequence[Span]) -> list[Span]:
    pairs = ((max(a, c), min(b, d)) for a, b in left for c, d in right)
    return [(start, end) for start, end in pairs if start < end]


def _length(spans: Iterable[Span]) -> int:
    """Return the number of characters in the union of the spans."""
    total, covered = 0, -1
    for start, end in sorted(spans):
        total += max(0, end - max(start, covered))
        covered = max(covered, end)
    return total


def words_found(premise: str, hypothesis: str) -> float:
    """Return the share of the statement's distinct words that the evidence contains; 0 without words."""
    words = set(_WORD.findall(hypothesis.lower()))
    return len(words & set(_WORD.findall(premise.lower()))) / max(1, len(words))


def balanced_accuracy(truth: np.ndarray, said: np.ndarray) -> float:
    """Return the mean of the accuracies on the true and on the false, both bool (n,)."""
    return float((said[truth].mean() + (~said[~truth]).mean()) / 2)


def best_balanced_accuracy(truth: np.ndarray, scores: np.ndarray) -> float:
    """Return the balanced accuracy at the best threshold for these scores."""
    return max(balanced_accuracy(truth, scores >= threshold) for threshold in np.unique(scores))
