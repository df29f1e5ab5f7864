"""Build document versions from files and put them into the catalogue: load, chunk, embed, commit.

Files are read and chunked one by one and embedded in groups, so that many small files keep every core
busy; each file becomes visible in a transaction of its own. A file that fails, fails alone, with the stage
it failed in; a disk that fails is no fault of a file, and ends the run. The embeddings of a large file are
kept as they are made, so that a restart goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
import logging
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from ingest.chunk import Chunker, Piece, make_chunker
from ingest.load import Limits, document_name, too_large
from ingest.parse import Bounds, Parser
from ingest.portable import Portable
from ingest.source import Outcome, Source
from rag.catalog import Catalog, NewVersion
from rag.embed import Embedder
from rag.embeddings import embedding_key
from rag.errors import IbidError, NotFound, ProcessError, StorageError
from rag.settings import Settings
from rag.types import Document, Metadata, document_id, indexed_text

log = logging.getLogger(__name__)
# Embed once so many chunks are waiting, and no more at a time: enough to keep every core busy, few enough for the
# question that comes next to index them in passing.
GROUP_CHUNKS = 64


@dataclass(frozen=True, slots=True)
class _Prepared:
    source: Source
    text: str
    pages: tuple[int, ...]
    metadata: Metadata
    sha256: str
    pieces: list[Piece]
    version: int = 1  # the least number that it may get


class Builder:
    """Turns sources into visible document versions of one catalogue.

    Raises:
        ModelError, InvalidSettings: if the embedder or chunker of the settings cannot be had.
    """

    def __init__(self, catalog: Catalog, embedder: Embedder, settings: Settings) -> None:
        self._catalog, self._embedder = catalog, embedder
        self._chunker: Chunker = make_chunker(settings.chunker, embedder, chunk_tokens=settings.chunk_tokens)
        file_bytes, unpacked_bytes, pages = settings.limits()
        self._limits = Limits(max_file_bytes=file_bytes, max_unpacked_bytes=unpacked_bytes, max_pages=pages)
        bounds = Bounds(settings.parse_memory_mb * 1_000_000, settings.parse_timeout_s)
        self._parser = Parser(self._limits, bounds)

    @property
    def making(self) -> str:
        """Name the models that make versions; with the metadata given, it is a version's build."""
        return f"{self._embedder.fingerprint} {self._chunker.fingerprint}"

    def ingest(self, corpus: str, sources: Iterable[Source], *, create: bool = True) -> Iterator[Outcome]:
        """Add or update each source in a corpus; yield each outcome.

        An unchanged file does nothing. While a changed one is read, its old version answers.

        Args:
            create: make the corpus if it is not there; otherwise that is NotFound.

        Raises:
            StorageError: if the catalogue cannot be read or written now; what was yielded is in.
        """
        if create:
            self._catalog.create_corpus(corpus, self._embedder.fingerprint)
        self._catalog.check_embedder(corpus, self._embedder.fingerprint)
        yield from self._build(corpus, (self._prepare(corpus, source) for source in sources))

    def take(self, corpus: str, documents: Iterable[Portable]) -> Iterator[Outcome]:
        """Add or update documents whose text is at hand, as `ingest` does; yield each outcome.

        A version keeps its number where the corpus has not come so far yet.
        """
        self._catalog.create_corpus(corpus, self._embedder.fingerprint)
        yield from self._build(corpus, (self._prepare_portable(corpus, one) for one in documents))

    def _build(self, corpus: str, items: Iterable[_Prepared | Outcome]) -> Iterator[Outcome]:
        group: list[_Prepared] = []
        for prepared in items:
            if isinstance(prepared, Outcome):
                yield prepared
                continue
            group.append(prepared)
            if sum(len(item.pieces) for item in group) >= GROUP_CHUNKS:
                yield from self._commit(corpus, group)
                group = []
        yield from self._commit(corpus, group)
        self._catalog.drop_old_checkpoints()

    def _prepare(self, corpus: str, source: Source) -> _Prepared | Outcome:
        stage = "read"
        try:
            name = document_name(source.name)
            if source.size and source.size > self._limits.max_file_bytes:
                raise too_large(name, source.size, self._limits)
            data = source.read()
            sha256 = hashlib.sha256(data).hexdigest()
            if self._catalog.is_current(corpus, name, sha256, self._build_of(source)):
                return Outcome(name, "unchanged")
            stage = "load"
            loaded = self._parser.parse(data, name, wanted=source.wanted)
            stage = "chunk"
            pieces = self._chunker.split(loaded.text)
            metadata = {**loaded.metadata, **source.metadata}
        except Exception as error:  # a chunker may embed, see `_commit`
            return _failed(source, stage, error)
        return _Prepared(replace(source, name=name), loaded.text, loaded.pages, metadata, sha256, pieces)

    def _prepare_portable(self, corpus: str, one: Portable) -> _Prepared | Outcome:
        source = Source(one.name, one.text.encode, one.metadata)
        document = Document(
            document_id(corpus, one.name), one.name, one.version, one.text, one.pages, one.metadata
        )
        try:
            if self._catalog.stands_as(document, one.sha256, f"{self.making} "):
                return Outcome(one.name, "unchanged")
            pieces = self._chunker.split(one.text)
        except Exception as error:  # a chunker may embed, see `_commit`
            return _failed(source, "chunk", error)
        return _Prepared(source, one.text, one.pages, one.metadata, one.sha256, pieces, one.version)

    def _commit(self, corpus: str, group: list[_Prepared]) -> Iterator[Outcome]:
        """Embed a group and put each file in; where embedding fails, file by file, so that one fails alone."""
        keys = [[self._key(item, piece) for piece in item.pieces] for item in group]
        try:
            vectors = self._vectors(group, keys)
        except Exception as error:  # out of memory, or ONNX Runtime's errors, which share no base class
            if len(group) == 1:
                yield _failed(group[0].source, "embed", error)
            else:
                for item in group:
                    yield from self._commit(corpus, [item])
            return
        for item, its_keys in zip(group, keys, strict=True):
            yield self._put(corpus, item, its_keys, vectors)

    def _put(
        self, corpus: str, item: _Prepared, keys: list[bytes], vectors: Mapping[bytes, np.ndarray]
    ) -> Outcome:
        stacked = np.stack([vectors[key] for key in keys])
        spans = [(piece.start, piece.end, piece.context) for piece in item.pieces]
        new = NewVersion(
            text=item.text,
            pages=item.pages,
            metadata=item.metadata,
            sha256=item.sha256,
            build=self._build_of(item.source),
            pieces=spans,
            vectors=stacked,
            keys=keys,
            version=item.version,
        )
        stood = self._catalog.current_versions([document_id(corpus, item.source.name)])
        try:
            version = self._catalog.put_version(corpus, item.source.name, new, wanted=item.source.wanted)
        except IbidError as error:
            return _failed(item.source, "store", error)
        return Outcome(item.source.name, "updated" if stood else "added", version, len(keys))

    def _build_of(self, source: Source) -> str:
        """Name the models that make a version and the metadata that the user gave it."""
        given = json.dumps(dict(source.metadata), sort_keys=True)
        return f"{self.making} {given}"

    def _key(self, item: _Prepared, piece: Piece) -> bytes:
        return embedding_key(self._embedder.fingerprint, _indexed_text(item.text, piece))

    def _vectors(self, group: list[_Prepared], keys: list[list[bytes]]) -> dict[bytes, np.ndarray]:
        """Return an embedding for every key: the chunker's own, the catalogue's, or a new one."""
        texts = {
            key: (item, piece)
            for item, its_keys in zip(group, keys, strict=True)
            for key, piece in zip(its_keys, item.pieces, strict=True)
        }
        made = {key: piece.vector for key, (_, piece) in texts.items() if piece.vector is not None}
        known = self._catalog.known_vectors([key for key in texts if key not in made])
        missing = {
            key: _indexed_text(item.text, piece)
            for key, (item, piece) in texts.items()
            if key not in made and key not in known
        }
        return {**made, **known, **self._embedded(missing, group)}

    def _embedded(self, texts: Mapping[bytes, str], group: list[_Prepared]) -> dict[bytes, np.ndarray]:
        """Embed texts by key, part by part; what is done is kept, but for the last part, which is put in next.

        Raises:
            NotFound: if none of the group is wanted any more.
        """
        vectors: dict[bytes, np.ndarray] = {}
        keys = list(texts)

        def wanted() -> bool:
            return any(item.source.wanted is None or item.source.wanted() for item in group)

        for begin in range(0, len(keys), GROUP_CHUNKS):
            if not wanted():
                raise NotFound(
                    f"{group[0].source.name!r} was cancelled or deleted while it was being embedded."
                )
            part = keys[begin : begin + GROUP_CHUNKS]
            fresh = self._embedder.encode([texts[key] for key in part])
            vectors.update(zip(part, fresh, strict=True))
            if len(vectors) < len(keys):
                self._catalog.keep_checkpoint(part, fresh, wanted)
        return vectors


def _failed(source: Source, stage: str, error: Exception) -> Outcome:
    """Return how a file failed, and in which stage; raise on what is no fault of the file, such as a full disk."""
    of_the_file = isinstance(error.__cause__, sqlite3.DataError | sqlite3.IntegrityError)  # would come again
    if isinstance(error, ProcessError) or (isinstance(error, StorageError) and not of_the_file):
        raise error
    if isinstance(error, IbidError | OSError):
        return Outcome(source.name, "failed", error=f"{stage}: {error}")
    log.error("%s could not be ingested", ascii(source.name), exc_info=error)
    reason = f"{type(error).__name__}: {str(error)[:200]}" if str(error) else type(error).__name__
    return Outcome(source.name, "failed", error=f"{stage}: {source.name} could not be ingested ({reason}).")


def _indexed_text(text: str, piece: Piece) -> str:
    return indexed_text(text[piece.start : piece.end], piece.context)
