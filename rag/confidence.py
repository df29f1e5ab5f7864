"""The probability that an extractive answer is right, from what is known when it is given.

A logistic regression over four numbers; `python -m training.confidence` fits it on questions with and
without an answer in the corpus, and writes `rag/pack/confidence.json`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rag.types import Context

if TYPE_CHECKING:
    from rag.generate import Sentence

FEATURES = ("hit score", "best cosine", "best coverage", "margin")
_PACK = Path(__file__).parent / "pack" / "confidence.json"


def features(context: Context, best: Sentence, scored: Sequence[Sentence]) -> np.ndarray:
    """Return the numbers that confidence rests on, (len(FEATURES),) float64, each within about [-1, 1.2].

    In order: the best hit's score; cosine and coverage of the answer's first sentence; how far the best
    sentence stands above the median one.
    """
    scores = sorted(sentence.score for sentence in scored)
    top = max(item.hit.score for item in context.evidence)
    return np.array([top, best.cosine, best.coverage, scores[-1] - scores[len(scores) // 2]])


def confidence(context: Context, best: Sentence, scored: Sequence[Sentence]) -> float:
    """Return the probability, in (0, 1), that the answer beginning with `best` is right."""
    weights, bias = _weights()
    return 1 / (1 + math.exp(-(float(features(context, best, scored) @ weights) + bias)))


@cache
def _weights() -> tuple[np.ndarray, float]:
    pack = json.loads(_PACK.read_text(encoding="utf-8"))
    if pack["features"] != list(FEATURES):
        raise ValueError(f"{_PACK} was fitted to other features; run `python -m training.confidence`.")
    return np.array(pack["weights"], np.float64), float(pack["bias"])
