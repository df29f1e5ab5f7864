"""Boxes of words one by one, packed and read back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np

from rag.text.boxes import pack_rows, quantised, word_columns


@dataclass(frozen=True, slots=True)
class WordBox:
    """Where `text[start:end]` stands, in points from the top left of its page as displayed. Pages count from 1."""

    start: int
    end: int
    page: int
    x0: float
    y0: float
    x1: float
    y1: float


def pack(words: Sequence[WordBox]) -> bytes:
    """Pack boxes of words, sorted by start."""
    return pack_rows(quantised(np.array([astuple(word) for word in words], np.float64).reshape(-1, 7)))


def unpack(packed: bytes) -> list[WordBox]:
    """Return the boxes that were packed."""
    if not packed:
        return []
    start, end, page, edges = word_columns(packed)
    listed = zip(start.tolist(), end.tolist(), page.tolist(), *edges.T.tolist(), strict=True)
    return [WordBox(*its) for its in listed]
