"""Decide how many of the reranked hits are evidence: a weak tail is dropped."""

from __future__ import annotations

from collections.abc import Sequence

from rag.types import Hit

WEAK = 0.6  # share of the best score below which a hit beyond the least is tail


def keep_evidence(hits: Sequence[Hit], *, least: int, most: int) -> list[Hit]:
    """Keep at least `least` and at most `most` hits, best first; between them, only those near the best.

    Scores must lie in [0, 1], as the reranker's and the fused average do.
    """
    if not hits:
        return []
    threshold = WEAK * hits[0].score
    return [hit for rank, hit in enumerate(hits[:most]) if rank < least or hit.score >= threshold]
