"""Scores of several engines on one scale."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def min_max(scores: ArrayLike) -> NDArray[np.float64]:
    """Stretch scores (n,) to [0, 1]; if all are equal, they carry no information and become 0.5."""
    values = np.asarray(scores, np.float64)
    if not len(values):
        return values
    low, high = values.min(), values.max()
    return (values - low) / (high - low) if high > low else np.full(len(values), 0.5)
