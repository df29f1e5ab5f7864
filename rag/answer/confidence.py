"""The probability that an extractive answer is right, from what is known when it is given.

A logistic regression over five numbers, or four where no reader is set, fitted by `python -m
training.answers` on questions with and without an answer in the corpus.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from rag.answer.relevance import Weighed, answers_pack
from rag.errors import ModelError
from rag.models.embed import Embedder, maxsim, unit
from rag.types import Evidence

FEATURES = ("cosine", "coverage", "spread", "maxsim")
READ_FEATURES = (*FEATURES, "here")
_MOST_SURE = 9.2  # log-odds of one in ten thousand: what a reader says beyond that is no longer measured


def largest_maxsim(question: str, evidence: Sequence[Evidence], embedder: Embedder) -> float:
    """Return the largest MaxSim of the question to a chunk of the evidence, as reranking found it.

    Of all signals it says best whether the documents answer at all. Where reranking read nothing, the best
    piece of evidence is read here.
    """
    known = [one.hit.maxsim for one in evidence if one.hit.maxsim is not None]
    if known:
        return max(known)
    best = max((one.hit for one in evidence), key=lambda hit: hit.score)
    asked, read = embedder.encode_tokens([question, best.text])
    return maxsim(unit(asked.vectors), read.vectors)


def confidence_features(weighed: Sequence[Weighed], nearest: float, here: float | None = None) -> np.ndarray:
    """Return (len(READ_FEATURES),) or, without `here`, (len(FEATURES),) float64.

    Cosine and coverage of the best sentence; the lead of its log-odds over the median sentence's; `nearest`;
    and the log-odds of `here`.

    Args:
        nearest: what `largest_maxsim` returns.
        here: the reader's probability that the best sentence's piece of evidence answers at all.
    """
    ranked = sorted(weighed, key=lambda one: -one.log_odds)
    best, middle = ranked[0], ranked[len(ranked) // 2]
    known = [best.features[0], best.features[1], best.log_odds - middle.log_odds, nearest]
    return np.array(known if here is None else [*known, _log_odds(here)])


def confidence(weighed: Sequence[Weighed], nearest: float, here: float | None = None) -> float:
    """Return the probability, in (0, 1), that an answer from these sentences is right.

    Args:
        nearest, here: as for `confidence_features`.

    Raises:
        ModelError: if the weights were fitted to other features.
    """
    pack = answers_pack().get("confidence" if here is None else "confidence, read", {})
    if tuple(pack.get("features", ())) != (FEATURES if here is None else READ_FEATURES):
        raise ModelError(
            "rag/pack/answers.json was fitted to other features; run `python -m training.answers`."
        )
    features = confidence_features(weighed, nearest, here)
    return 1 / (1 + math.exp(-float(features @ np.array(pack["weights"]) + pack["bias"])))


def _log_odds(probability: float) -> float:
    if not 0 < probability < 1:
        return math.copysign(_MOST_SURE, probability - 0.5)
    return max(-_MOST_SURE, min(_MOST_SURE, math.log(probability / (1 - probability))))
