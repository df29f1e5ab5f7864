"""The probability that an extractive answer is right, from what is known when it is given.

A logistic regression over three numbers, fitted by `python -m training.answers` on questions with and
without an answer in the corpus.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from rag.errors import ModelError
from rag.relevance import Weighed, answers_pack

FEATURES = ("cosine", "coverage", "spread")


def confidence_features(weighed: Sequence[Weighed]) -> np.ndarray:
    """Return (len(FEATURES),) float64: cosine and coverage of the best sentence, and its lead.

    The lead is that of its log-odds over the median sentence's.
    """
    ranked = sorted(weighed, key=lambda one: -one.log_odds)
    best, middle = ranked[0], ranked[len(ranked) // 2]
    return np.array([best.features[0], best.features[1], best.log_odds - middle.log_odds])


def confidence(weighed: Sequence[Weighed]) -> float:
    """Return the probability, in (0, 1), that an answer from these sentences is right."""
    pack = answers_pack()["confidence"]
    if tuple(pack["features"]) != FEATURES:
        raise ModelError(
            "rag/pack/answers.json was fitted to other features; run `python -m training.answers`."
        )
    return 1 / (1 + math.exp(-float(confidence_features(weighed) @ np.array(pack["weights"]) + pack["bias"])))
