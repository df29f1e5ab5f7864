"""`sentence_window`: single sentences to search by. Hits grow into their neighbours (`Recipe.window`)."""

from __future__ import annotations

from ingest.chunking.join import ChunkSpan, join_units
from ingest.chunking.tokens import Ruler
from ingest.chunking.units import gather, make_units
from rag.models.embed import Embedder

SENTENCE_TOKENS = 20


def split_sentences_apart(
    text: str, embedder: Embedder, chunk_tokens: int, *, sentence_tokens: int = SENTENCE_TOKENS
) -> list[ChunkSpan]:
    """Make each sentence a chunk.

    Args:
        sentence_tokens: shorter sentences are joined to their neighbours.
    """
    ruler = Ruler(text, embedder)
    units = gather(make_units(ruler, chunk_tokens), min(sentence_tokens, chunk_tokens))
    return join_units(
        ruler, units, lambda first, last: [(at, at + 1) for at in range(last - first)], chunk_tokens
    )
