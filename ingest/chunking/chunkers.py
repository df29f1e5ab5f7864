"""The chunkers by the names that the setting `chunker` gives them.

Every chunk is a span of the text, `text[start:end]`, and with its context never longer than the embedder
reads, so that nothing is cut silently. Every character that is not white space lies in a chunk.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial

from ingest.chunking.join import ChunkSpan
from ingest.chunking.packed import split_packed
from ingest.chunking.semantic import split_cluster, split_max_min
from ingest.chunking.sentence_window import split_sentences_apart
from ingest.chunking.token_window import split_token_windows
from ingest.chunking.topics import TopicVectors
from rag.errors import InvalidSettings
from rag.models.embed import Embedder

Chunker = Callable[[str], list[ChunkSpan]]  # a text's chunks in order

MIN_CHUNK_TOKENS = 16

CHUNKERS: Mapping[str, Callable[..., list[ChunkSpan]]] = {
    "packed": split_packed,
    "max_min": split_max_min,
    "cluster": split_cluster,
    "sentence_window": split_sentences_apart,
    "token": split_token_windows,
}
_SEMANTIC = ("max_min", "cluster")


def make_chunker(name: str, embedder: Embedder, *, chunk_tokens: int, **options: int | float) -> Chunker:
    """Return the chunker of a name. Safe for several threads.

    Args:
        chunk_tokens: most tokens of a chunk.
        options: other keywords of its function; without them its defaults hold.

    Raises:
        InvalidSettings: if there is no such chunker or option, or `chunk_tokens` is too small.
    """
    if name not in CHUNKERS:
        raise InvalidSettings(f"IBID_CHUNKER is {name!r}; expected one of {', '.join(CHUNKERS)}.")
    if chunk_tokens < MIN_CHUNK_TOKENS:
        raise InvalidSettings(f"IBID_CHUNK_TOKENS is {chunk_tokens}; expected at least {MIN_CHUNK_TOKENS}.")
    known = set(inspect.signature(CHUNKERS[name]).parameters) - {"text", "embedder", "chunk_tokens", "topics"}
    if unknown := options.keys() - known:
        raise InvalidSettings(
            f"The chunker {name!r} has no option {', '.join(sorted(unknown))}; expected of "
            f"{', '.join(sorted(known)) or 'none'}."
        )
    shared = {"topics": TopicVectors(embedder)} if name in _SEMANTIC else {}
    return partial(CHUNKERS[name], embedder=embedder, chunk_tokens=chunk_tokens, **shared, **options)
