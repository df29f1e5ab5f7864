"""The probability that an extractive answer is right, from what is known when it is given.

A logistic regression over five numbers, or three where no reader is set, fitted by `python -m
training.answers` on questions with and without an answer in the corpus.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from rag.errors import ModelError
from rag.relevance import READ_FEATURES as SENTENCE_READ_FEATURES
from rag.relevance import Weighed, answers_pack

FEATURES = ("cosine", "coverage", "spread")
READ_FEATURES = (*FEATURES, "span", "here")


def confidence_features(weighed: Sequence[Weighed]) -> np.ndarray:
    """Return (len(READ_FEATURES),) or, unread, (len(FEATURES),) float64, of the best sentence.

    Its cosine and coverage; the lead of its log-odds over the median sentence's; and what the reader made
    of it and of the piece of evidence that it stands in.
    """
    ranked = sorted(weighed, key=lambda one: -one.log_odds)
    best, middle = ranked[0], ranked[len(ranked) // 2]
    known = [best.features[0], best.features[1], best.log_odds - middle.log_odds]
    return np.array([*known, *best.features[-2:]] if is_read(best) else known)


def is_read(weighed: Weighed) -> bool:
    """Tell whether a reader has read the sentence."""
    return len(weighed.features) == len(SENTENCE_READ_FEATURES)


def confidence(weighed: Sequence[Weighed]) -> float:
    """Return the probability, in (0, 1), that an answer from these sentences is right."""
    read = is_read(weighed[0])
    pack = answers_pack(read=read)["confidence"]
    if tuple(pack["features"]) != (READ_FEATURES if read else FEATURES):
        raise ModelError(
            "rag/pack/answers.json was fitted to other features; run `python -m training.answers`."
        )
    return 1 / (1 + math.exp(-float(confidence_features(weighed) @ np.array(pack["weights"]) + pack["bias"])))
