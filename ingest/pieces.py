"""Make of texts what a generation holds of them: chunks, and their embeddings.

Embeddings are made in parts, and each part but the last is kept as it is made, so that a restart goes on where it was.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ingest.chunking.chunkers import make_chunker
from ingest.chunking.join import ChunkSpan
from rag.errors import NotFound, Stopped
from rag.models.embed import Embedder
from rag.store.catalog import Catalog
from rag.store.chunks import Pieces, embedding_key
from rag.store.generations import Generation
from rag.types import indexed_text

# Embed once so many chunks are waiting, and no more at a time: enough to keep every core busy, few enough for the
# question that comes next to index them in passing.
GROUP_CHUNKS = 64


def always() -> bool:
    """Want it."""
    return True


@dataclass(frozen=True, slots=True)
class ChunkedText:
    """A text and its chunks."""

    text: str
    pieces: Sequence[ChunkSpan]
    wanted: Callable[[], bool] = always  # asked before embedding, and in the transaction that keeps some

    def indexed(self, piece: ChunkSpan) -> str:
        """Return what the indexes see of a piece."""
        return indexed_text(self.text[piece.start : piece.end], piece.context)


class PieceMaker:
    """Cuts and embeds for one generation.

    Args:
        stop: once set, embedding ends with Stopped before the next part.

    Raises:
        InvalidSettings: if its chunker is not known.
    """

    def __init__(
        self,
        catalog: Catalog,
        generation: Generation,
        embedder: Embedder,
        stop: threading.Event | None = None,
    ) -> None:
        self.generation = generation
        self._catalog, self._embedder, self._stop = catalog, embedder, stop or threading.Event()
        recipe = generation.recipe
        self._chunker = make_chunker(recipe.chunker, embedder, chunk_tokens=recipe.chunk_tokens)

    def cut(self, text: str, wanted: Callable[[], bool] = always) -> ChunkedText:
        """Cut a text; a chunker may embed, and raise what that raises."""
        return ChunkedText(text, self._chunker(text), wanted)

    def embed_each(self, cuts: Sequence[ChunkedText]) -> list[Pieces | Exception]:
        """Return what `embed` does, or raises, for each text: where it fails, one by one, so that one fails alone."""
        try:
            return [*self.embed(cuts)]
        except Exception as error:  # out of memory, or ONNX Runtime's errors, which share no base class
            return [error] if len(cuts) == 1 else [self.embed_each([cut])[0] for cut in cuts]

    def embed(self, cuts: Sequence[ChunkedText]) -> list[Pieces]:
        """Return the chunks of each text with an embedding: the catalogue's, or a new one.

        Raises:
            NotFound: if none of the texts is wanted any more.
        """
        keys = [[self._key(cut, piece) for piece in cut.pieces] for cut in cuts]
        vectors = self._vectors(cuts, keys)
        return [
            Pieces(
                [(piece.start, piece.end, piece.context) for piece in cut.pieces],
                np.stack([vectors[key] for key in its_keys]),
                its_keys,
            )
            for cut, its_keys in zip(cuts, keys, strict=True)
        ]

    def _key(self, cut: ChunkedText, piece: ChunkSpan) -> bytes:
        return embedding_key(self._embedder.fingerprint, cut.indexed(piece))

    def _vectors(
        self, cuts: Sequence[ChunkedText], keys: Sequence[Sequence[bytes]]
    ) -> dict[bytes, np.ndarray]:
        pieces = {
            key: (cut, piece)
            for cut, its_keys in zip(cuts, keys, strict=True)
            for key, piece in zip(its_keys, cut.pieces, strict=True)
        }
        known = self._catalog.embeddings.known(list(pieces))
        missing = {key: cut.indexed(piece) for key, (cut, piece) in pieces.items() if key not in known}
        return {**known, **self._embedded(missing, cuts)}

    def _embedded(self, texts: Mapping[bytes, str], cuts: Sequence[ChunkedText]) -> dict[bytes, np.ndarray]:
        """Embed texts by key, part by part; what is done is kept, but for the last part, which is put in next.

        Of whose text a part is, it does not tell: it is kept only where all are wanted.
        """
        vectors: dict[bytes, np.ndarray] = {}
        keys = list(texts)
        for begin in range(0, len(keys), GROUP_CHUNKS):
            if self._stop.is_set():
                raise Stopped
            if not any(cut.wanted() for cut in cuts):
                raise NotFound("It was cancelled or deleted while it was being embedded.")
            part = keys[begin : begin + GROUP_CHUNKS]
            fresh = self._embedder.encode([texts[key] for key in part])
            vectors.update(zip(part, fresh, strict=True))
            if len(vectors) < len(keys):
                self._catalog.embeddings.keep_checkpoint(
                    part, fresh, lambda: all(cut.wanted() for cut in cuts)
                )
        return vectors
