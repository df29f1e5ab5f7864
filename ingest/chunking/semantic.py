"""`max_min` and `cluster`: sentences that are alike stay together, by cheap vectors (`topics.py`)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from ingest.chunking.join import ChunkSpan, Range, join_units, sizes
from ingest.chunking.tokens import Ruler
from ingest.chunking.topics import TopicVectors
from ingest.chunking.units import Unit, gather, make_units
from rag.models.embed import Embedder

LEAST_SENTENCE_TOKENS = 16  # shorter sentences say too little to be compared, and are joined
# The paper's 0.6 is for encoded sentences; these vectors lack the document's mean.
THRESHOLD = 0.2


def split_max_min(
    text: str,
    embedder: Embedder,
    chunk_tokens: int,
    *,
    threshold: float = THRESHOLD,
    topics: TopicVectors | None = None,
) -> list[ChunkSpan]:
    """Let sentences join the chunk while they are similar enough to it.

    Args:
        threshold: see `max_min`.
        topics: the embedder's, where they are shared among texts.
    """
    ruler = Ruler(text, embedder)
    units = _sentences(ruler, chunk_tokens)
    vectors, (tokens, limits) = _vectors(ruler, units, topics), sizes(units)

    def segment(first: int, last: int) -> list[Range]:
        return max_min(vectors[first:last], tokens[first:last], limits[first:last], threshold=threshold)

    return join_units(ruler, units, segment, chunk_tokens)


def split_cluster(
    text: str, embedder: Embedder, chunk_tokens: int, *, topics: TopicVectors | None = None
) -> list[ChunkSpan]:
    """Choose the chunks whose sentences are together the most alike.

    Args:
        topics: the embedder's, where they are shared among texts.
    """
    ruler = Ruler(text, embedder)
    units = _sentences(ruler, chunk_tokens)
    vectors, (tokens, limits) = _vectors(ruler, units, topics), sizes(units)
    average = mean_similarity(vectors)

    def segment(first: int, last: int) -> list[Range]:
        return cluster(vectors[first:last], tokens[first:last], limits[first:last], average=average)

    return join_units(ruler, units, segment, chunk_tokens)


def max_min(
    vectors: np.ndarray,
    tokens: Sequence[int],
    limits: Sequence[int],
    *,
    threshold: float,
    damping: float = 0.9,
    first_factor: float = 1.5,
) -> list[Range]:
    """Let a unit join the chunk while it is as close to it as the chunk's own members are to each other.

    The unit joins when its greatest similarity to a member exceeds both `threshold` and
    damping x sigmoid(members - 1) x (least similarity between members); against a single member, when
    first_factor x similarity exceeds `threshold` (Kiss, Nagy and Szilagyi, "Max-Min semantic chunking
    of documents for RAG application", 2025, whose constants are 0.6, 0.9 and 1.5).

    Args:
        vectors: (n_units, dim), unit length.
    """
    starts, least = [0], np.inf
    filled = tokens[0] if tokens else 0
    for unit in range(1, len(tokens)):
        members = unit - starts[-1]
        similarities = vectors[starts[-1] : unit] @ vectors[unit]
        if members == 1:
            joins = first_factor * float(similarities[0]) > threshold
        else:
            needed = damping * least / (1 + np.exp(1.0 - members))
            joins = float(similarities.max()) > max(needed, threshold)
        if joins and filled + tokens[unit] <= limits[starts[-1]]:
            least = min(least, float(similarities.min()))
            filled += tokens[unit]
        else:
            starts.append(unit)
            least, filled = np.inf, tokens[unit]
    return list(pairwise([*starts, len(tokens)])) if tokens else []


def cluster(
    vectors: np.ndarray, tokens: Sequence[int], limits: Sequence[int], *, average: float
) -> list[Range]:
    """Choose the chunks whose pairs of units are together the most similar, by dynamic programming.

    A chunk's reward is the sum over its pairs of (similarity - `average`): with the document's mean
    similarity as `average`, pairs more alike than usual ask to stay together and others to part
    (Chroma's ClusterSemanticChunker, Smith and Troynikov 2024). Ties prefer the longer last chunk.

    Args:
        vectors: (n_units, dim), unit length.

    Time is n_units times the most units that fit one chunk.
    """
    ends = _furthest_ends(tokens, limits)
    best = np.zeros(len(tokens) + 1)  # best[i]: reward of the units from i on
    chosen = np.zeros(len(tokens), np.int64)
    widest = max((end - start for start, end in enumerate(ends)), default=0)
    rewards = np.zeros(widest)  # rewards[k]: of the units start to start + k, kept from start + 1
    for start in range(len(tokens) - 1, -1, -1):
        width = ends[start] - start
        gains = vectors[start + 1 : start + widest] @ vectors[start] - average
        rewards[1:] = rewards[:-1]  # rewards[0], of a unit alone, stays 0
        rewards[1 : len(gains) + 1] += np.cumsum(gains)
        totals = rewards[:width] + best[start + 1 : start + width + 1]
        last = width - 1 - int(np.argmax(totals[::-1]))
        best[start], chosen[start] = totals[last], start + last + 1
    ranges, start = [], 0
    while start < len(tokens):
        ranges.append((start, int(chosen[start])))
        start = ranges[-1][1]
    return ranges


def mean_similarity(vectors: np.ndarray) -> float:
    """Return the mean similarity of two different vectors: (|sum|^2 - n) / (n (n - 1)) for unit vectors."""
    count = len(vectors)
    if count < 2:
        return 0.0
    total = vectors.sum(axis=0)
    return float((total @ total - np.sum(vectors * vectors)) / (count * (count - 1)))


def _sentences(ruler: Ruler, chunk_tokens: int) -> list[Unit]:
    return gather(make_units(ruler, chunk_tokens), min(LEAST_SENTENCE_TOKENS, chunk_tokens))


def _vectors(ruler: Ruler, units: Sequence[Unit], topics: TopicVectors | None) -> np.ndarray:
    topics = topics or TopicVectors(ruler.embedder)
    return topics.vectors(ruler, [(unit.start, unit.end) for unit in units])


def _furthest_ends(tokens: Sequence[int], limits: Sequence[int]) -> list[int]:
    """Return for each unit the end of the longest chunk that begins there; at least the unit itself."""
    total = np.concatenate([[0], np.cumsum(np.asarray(tokens, np.int64))])
    reach = np.searchsorted(total, total[:-1] + np.asarray(limits, np.int64), side="right") - 1
    ends: list[int] = np.maximum(reach, np.arange(1, len(tokens) + 1)).tolist()
    return ends
