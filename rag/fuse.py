"""Fuse the ranking by meaning and the ranking by words into one. It does not know how they were made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from rag.index.scores import min_max
from rag.types import Hit


def average_scores(
    dense: Mapping[int, float], lexical: Mapping[int, float], *, dense_weight: float
) -> list[tuple[int, float]]:
    """Average the two legs' scores, each stretched to [0, 1] over the candidates.

    score(c) = w * min_max(dense)(c) + (1 - w) * min_max(lexical)(c)
    Both legs should score every candidate, including those that only the other leg found: a missing score counts
    as its leg's lowest, which costs 1 to 3 points of recall. Ties keep the order of `dense`.

    Args:
        dense: chunk id -> cosine.
        lexical: chunk id -> BM25 score.
        dense_weight: w, from 0 (words alone) to 1 (meaning alone).

    Returns:
        (chunk id, score in [0, 1]) of every chunk, best first.

    Raises:
        ValueError: if dense_weight is outside [0, 1].
    """
    if not 0 <= dense_weight <= 1:
        raise ValueError(f"dense_weight is {dense_weight}; expected 0 to 1.")
    ids = list(dict.fromkeys([*dense, *lexical]))
    if not ids:
        return []
    averaged = dense_weight * min_max(_complete(dense, ids)) + (1 - dense_weight) * min_max(
        _complete(lexical, ids)
    )
    order = np.argsort(-averaged, kind="stable")
    return [(ids[at], float(averaged[at])) for at in order]


def add_prior(
    ranking: Sequence[tuple[int, float]], prior: Mapping[int, float], *, weight: float
) -> list[tuple[int, float]]:
    """Weigh in how much each chunk's document is meant (rag/index/scope.py).

    score(c) = (fused(c) + weight * prior(c)) / (1 + weight)

    Args:
        ranking: (chunk id, score in [0, 1]), best first.
        prior: chunk id -> (0, 1]; where it is the same for all, the ranking is returned as it is.

    Returns:
        (chunk id, score in [0, 1]) of every chunk, best first; ties keep the order of `ranking`.

    Raises:
        ValueError: if the weight is negative.
    """
    if weight < 0:
        raise ValueError(f"The weight of the document prior is {weight}; expected 0 or more.")
    if not weight or len(set(prior.values())) < 2:
        return list(ranking)
    weighed = [(chunk, (score + weight * prior[chunk]) / (1 + weight)) for chunk, score in ranking]
    return sorted(weighed, key=lambda pair: -pair[1])


def reciprocal_rank_fusion(rankings: Sequence[Sequence[Hit]], *, k: int = 60) -> list[Hit]:
    """Fuse rankings by summed reciprocal rank; the input scores are ignored.

    score(c) = sum over rankings of 1 / (k + rank(c)), ranks counted from 1
    (Cormack, Clarke and Buettcher, SIGIR 2009, whose k is 60).
    Ties keep the order of first appearance.

    Args:
        rankings: each best first; a chunk may be in any number of them.
        k: damping, in ranks; larger flattens the top.

    Returns:
        Every chunk once, best first. Scores lie in (0, len(rankings) / (k + 1)].

    Raises:
        ValueError: if k is negative.
    """
    if k < 0:
        raise ValueError(f"k is {k}; expected 0 or more.")
    hits: dict[int, Hit] = {}
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, hit in enumerate(ranking, 1):
            hits.setdefault(hit.chunk.id, hit)
            scores[hit.chunk.id] = scores.get(hit.chunk.id, 0.0) + 1 / (k + rank)
    fused = [replace(hit, score=scores[chunk], stage="fused") for chunk, hit in hits.items()]
    return sorted(fused, key=lambda hit: -hit.score)


def _complete(scores: Mapping[int, float], ids: Sequence[int]) -> list[float]:
    lowest = min(scores.values(), default=0.0)
    return [scores.get(chunk, lowest) for chunk in ids]
