"""Cut documents into chunks: five chunkers with one interface, each a llama-index `NodeParser`.

Every chunk is a span of the text, `text[start:end]`, and with its context never longer than the embedder
reads, so that nothing is cut silently.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from pydantic import PrivateAttr

from ingest.chunking import segment
from ingest.chunking.blocks import find_blocks
from ingest.chunking.chunker import Chunker, Cutter, Piece
from ingest.chunking.ruler import Ruler
from ingest.chunking.topics import TopicVectors
from ingest.chunking.units import Contexts, Unit, gather, make_units
from rag.errors import InvalidSettings
from rag.models.embed import Embedder

__all__ = ["CHUNKERS", "Chunker", "Piece", "make_chunker"]

MIN_CHUNK_TOKENS = 16
_ATOM_TOKENS = 16  # shorter sentences say too little to be compared


class PackedChunker(Chunker):
    """Whole sentences, as many as fit."""

    name = "packed"

    def _cutter(self, ruler: Ruler, units: Sequence[Unit]) -> Cutter:
        tokens, limits = _sizes(units)
        return lambda first, last: segment.pack(tokens[first:last], limits[first:last])


class SentenceWindowChunker(Chunker):
    """Single sentences to search by; when asked, spans also grow into their neighbours (`Recipe.window`)."""

    name = "sentence_window"
    sentence_tokens: int = 20  # shorter sentences are joined

    def _units(self, ruler: Ruler, contexts: Contexts) -> list[Unit]:
        return gather(make_units(ruler, contexts), min(self.sentence_tokens, self.chunk_tokens))

    def _cutter(self, ruler: Ruler, units: Sequence[Unit]) -> Cutter:
        return lambda first, last: [(at, at + 1) for at in range(last - first)]


class SemanticChunker(Chunker):
    """What the semantic chunkers share: sentences long enough to compare, and their vectors."""

    _topics: TopicVectors = PrivateAttr()

    def __init__(self, embedder: Embedder, **settings: Any) -> None:
        super().__init__(embedder, **settings)
        self._topics = TopicVectors(embedder)

    def _units(self, ruler: Ruler, contexts: Contexts) -> list[Unit]:
        return gather(make_units(ruler, contexts), min(_ATOM_TOKENS, self.chunk_tokens))

    def _vectors(self, ruler: Ruler, units: Sequence[Unit]) -> np.ndarray:
        return self._topics.vectors(ruler, [(unit.start, unit.end) for unit in units])


class MaxMinChunker(SemanticChunker):
    """Sentences join the chunk while they are similar enough to it."""

    name = "max_min"
    threshold: float = 0.2  # the paper's 0.6 is for encoded sentences; these vectors lack the document's mean

    def _cutter(self, ruler: Ruler, units: Sequence[Unit]) -> Cutter:
        vectors, (tokens, limits) = self._vectors(ruler, units), _sizes(units)
        return lambda first, last: segment.max_min(
            vectors[first:last], tokens[first:last], limits[first:last], threshold=self.threshold
        )


class ClusterChunker(SemanticChunker):
    """The chunks whose sentences are together the most alike."""

    name = "cluster"

    def _cutter(self, ruler: Ruler, units: Sequence[Unit]) -> Cutter:
        vectors, (tokens, limits) = self._vectors(ruler, units), _sizes(units)
        average = segment.mean_similarity(vectors)
        return lambda first, last: segment.cluster(
            vectors[first:last], tokens[first:last], limits[first:last], average=average
        )


class TokenChunker(Chunker):
    """Windows of tokens, blind to sentences, tables and code; only the headings travel along."""

    name = "token"
    overlap_tokens: int = 0

    def _chunks(self, ruler: Ruler, contexts: Contexts) -> Iterator[Unit]:
        blocks = find_blocks(ruler.text)
        starts = [block.start for block in blocks]
        start, length = 0, len(ruler.text)
        while start < length:
            context, limit = contexts.make(blocks[bisect_right(starts, start) - 1].headings)
            end = ruler.cut(start, limit)
            yield Unit(start, end, ruler.count(start, end), limit, context)
            start = end if end == length else ruler.cut(start, max(1, limit - self.overlap_tokens))


CHUNKERS: dict[str, type[Chunker]] = {
    kind.name: kind
    for kind in (PackedChunker, MaxMinChunker, ClusterChunker, SentenceWindowChunker, TokenChunker)
}


def make_chunker(name: str, embedder: Embedder, *, chunk_tokens: int) -> Chunker:
    """Make a chunker by name, its other settings at their defaults.

    Raises:
        InvalidSettings: if there is no such chunker or `chunk_tokens` is too small.
    """
    if name not in CHUNKERS:
        raise InvalidSettings(f"IBID_CHUNKER is {name!r}; expected one of {', '.join(CHUNKERS)}.")
    if chunk_tokens < MIN_CHUNK_TOKENS:
        raise InvalidSettings(f"IBID_CHUNK_TOKENS is {chunk_tokens}; expected at least {MIN_CHUNK_TOKENS}.")
    return CHUNKERS[name](embedder, chunk_tokens=chunk_tokens)


def _sizes(units: Sequence[Unit]) -> tuple[list[int], list[int]]:
    return [unit.tokens for unit in units], [unit.limit for unit in units]
