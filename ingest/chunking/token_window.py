"""`token`: windows of tokens, blind to sentences, tables and code."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

from ingest.chunking.blocks import markdown_blocks
from ingest.chunking.join import ChunkSpan, fit_chunks
from ingest.chunking.tokens import Ruler
from ingest.chunking.units import Contexts, Unit
from rag.models.embed import Embedder


def split_token_windows(
    text: str, embedder: Embedder, chunk_tokens: int, *, overlap_tokens: int = 0
) -> list[ChunkSpan]:
    """Cut the text every `chunk_tokens` tokens; only the headings above a chunk become its context.

    Args:
        overlap_tokens: of the end of a chunk that the next one repeats.
    """
    ruler = Ruler(text, embedder)
    return fit_chunks(ruler, _windows(ruler, chunk_tokens, overlap_tokens), chunk_tokens)


def _windows(ruler: Ruler, chunk_tokens: int, overlap_tokens: int) -> Iterator[Unit]:
    contexts = Contexts(ruler.embedder, chunk_tokens)
    blocks = markdown_blocks(ruler.text)
    starts = [block.start for block in blocks]
    start, length = 0, len(ruler.text)
    while start < length:
        context, limit = contexts.make(blocks[bisect_right(starts, start) - 1].headings)
        end = ruler.cut(start, limit)
        yield Unit(start, end, ruler.count(start, end), limit, context)
        start = end if end == length else ruler.cut(start, max(1, limit - overlap_tokens))
