"""`packed`: whole sentences, as many as fit."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from ingest.chunking.join import ChunkSpan, Range, join_units, sizes
from ingest.chunking.tokens import Ruler
from ingest.chunking.units import make_units
from rag.models.embed import Embedder


def split_packed(text: str, embedder: Embedder, chunk_tokens: int) -> list[ChunkSpan]:
    """Fill each chunk with whole sentences, tables and code blocks, as far as it goes."""
    ruler = Ruler(text, embedder)
    units = make_units(ruler, chunk_tokens)
    tokens, limits = sizes(units)
    return join_units(
        ruler, units, lambda first, last: pack(tokens[first:last], limits[first:last]), chunk_tokens
    )


def pack(tokens: Sequence[int], limits: Sequence[int]) -> list[Range]:
    """Fill each range as far as it goes, in order.

    pack([40, 40, 40], [100, 100, 100]) == [(0, 2), (2, 3)]
    """
    starts: list[int] = []
    filled = 0
    for unit, size in enumerate(tokens):
        if not starts or filled + size > limits[starts[-1]]:
            starts.append(unit)
            filled = 0
        filled += size
    return list(pairwise([*starts, len(tokens)])) if starts else []
