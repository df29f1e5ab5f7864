"""Build document versions from files and put them into the catalogue: load, chunk, embed, commit.

Files are read and chunked one by one and embedded in groups, so that many small files keep every core
busy; each file becomes visible in a transaction of its own, in the generation that serves its corpus. A file
that fails, fails alone, with the stage it failed in; a disk that fails is no fault of a file, and ends the run.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from ingest.formats.file_text import FileLimits, FileText
from ingest.languages import choose_embedder
from ingest.load import too_large
from ingest.names import document_name
from ingest.parse import Bounds, Parser
from ingest.pieces import GROUP_CHUNKS, ChunkedText, PieceMaker, always
from ingest.portable import Portable
from ingest.source import Outcome, Source, failed
from rag.errors import IbidError, Stopped, Swapped
from rag.models.embed import Embedder, embedder_of, in_background
from rag.recipe import AUTO, recipe_of
from rag.settings import Settings
from rag.store.catalog import Catalog
from rag.store.chunks import Pieces
from rag.store.documents import NewVersion
from rag.store.generations import Generation
from rag.types import Document, Metadata, document_id

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _PreparedDocument:
    source: Source
    loaded: FileText
    metadata: Metadata
    sha256: str
    maker: PieceMaker
    cut: ChunkedText
    version: int = 1  # the least number that it may get


class Builder:
    """Turns sources into visible document versions of one catalogue.

    A corpus goes on as its serving generation is made; a new one is made as the settings say.

    Args:
        embedder: that of the settings; `in_background` where nobody waits for the work.
        stop: once set, the work ends with Stopped: while a file is read, at the next text that is embedded. What
            is in stays, and so do the embeddings of a long text, but for the last part.
    """

    def __init__(
        self, catalog: Catalog, embedder: Embedder, settings: Settings, stop: threading.Event | None = None
    ) -> None:
        self._catalog, self._embedder, self._threads = catalog, embedder, settings.service.encoder_threads
        self._stop = stop or threading.Event()
        self._recipe = recipe_of(settings, embedder.fingerprint)
        self._auto = settings.corpus.embedder == AUTO
        self.remarks: list[str] = []  # on what was ingested last: what whoever did it should know
        self._makers: dict[str, PieceMaker] = {}  # by corpus, of the generation that was built last
        self._limits, self._parser = file_limits(settings), make_parser(settings)

    def ingest(self, corpus: str, sources: Iterable[Source], *, create: bool = True) -> Iterator[Outcome]:
        """Add or update each source in a corpus; yield each outcome.

        An unchanged file does nothing. While a changed one is read, its old version answers.

        Args:
            create: make a missing corpus; otherwise a missing one raises NotFound.

        Raises:
            OtherEmbedder: if the corpus's embedding model is unavailable.
            StorageError: if the catalogue cannot be read or written now; what was yielded is in.
        """
        self.remarks = []
        if create:
            self._catalog.create_corpus(corpus, self._recipe)
        self._serving(corpus)
        yield from self._build(corpus, (self._prepare(corpus, source) for source in sources))

    def take(self, corpus: str, documents: Iterable[Portable]) -> Iterator[Outcome]:
        """Add or update documents that are text already, as `ingest` does; yield each outcome.

        A version keeps its number, unless the corpus already has a newer one.
        """
        self.remarks = []
        self._catalog.create_corpus(corpus, self._recipe)
        self._serving(corpus)
        yield from self._build(corpus, (self._prepare_portable(corpus, one) for one in documents))

    def maker(self, generation: Generation) -> PieceMaker:
        """Return what cuts and embeds for a generation.

        Raises:
            OtherEmbedder: if its embedding model is unavailable.
        """
        held = self._makers.get(generation.corpus)
        if held is None or held.generation.id != generation.id:
            embedder = embedder_of(
                generation.corpus, generation.recipe, self._embedder, threads=self._threads
            )
            if embedder is not self._embedder:
                embedder = in_background(embedder, self._stop)
            held = self._makers[generation.corpus] = PieceMaker(
                self._catalog, generation, embedder, self._stop
            )
        return held

    def _serving(self, corpus: str) -> PieceMaker:
        return self.maker(self._catalog.generations.serving(corpus))

    def _build(self, corpus: str, items: Iterable[_PreparedDocument | Outcome]) -> Iterator[Outcome]:
        group: list[_PreparedDocument] = []
        for prepared in items:
            if isinstance(prepared, Outcome):
                yield prepared
                continue
            if group and group[0].maker is not prepared.maker:
                yield from self._commit(corpus, group)
                group = []
            group.append(prepared)
            if sum(len(item.cut.pieces) for item in group) >= GROUP_CHUNKS:
                yield from self._commit(corpus, group)
                group = []
        yield from self._commit(corpus, group)
        self._catalog.embeddings.drop_old_checkpoints()

    def _prepare(self, corpus: str, source: Source) -> _PreparedDocument | Outcome:
        if self._stop.is_set():
            raise Stopped
        stage = "read"
        try:
            name = document_name(source.name)
            if source.size and source.size > self._limits.max_file_bytes:
                raise too_large(name, source.size, self._limits)
            data = source.read()
            sha256 = source.sha256 or hashlib.sha256(data).hexdigest()
            if self._catalog.documents.is_current(corpus, name, sha256, _given(source)):
                return Outcome(name, "unchanged")
            stage = "load"
            loaded = self._parser.parse(data, name, wanted=partial(self._wanted, source))
            stage = "chunk"
            maker = self._serving(corpus)
            cut = maker.cut(loaded.text, source.wanted or always)
            metadata = {**loaded.metadata, **source.metadata}
        except Exception as error:  # a chunker may embed, see `PieceMaker.embed_each`
            return failed(source.name, stage, error)
        return _PreparedDocument(replace(source, name=name), loaded, metadata, sha256, maker, cut)

    def _wanted(self, source: Source) -> bool:
        if self._stop.is_set():
            raise Stopped
        return source.wanted is None or source.wanted()

    def _prepare_portable(self, corpus: str, one: Portable) -> _PreparedDocument | Outcome:
        source = Source(one.name, one.text.encode, one.metadata)
        document = Document(
            document_id(corpus, one.name), one.name, one.version, one.text, one.pages, one.metadata
        )
        try:
            if self._catalog.documents.stands_as(document, one.sha256, one.omissions, one.boxes):
                return Outcome(one.name, "unchanged")
            maker = self._serving(corpus)
            cut = maker.cut(one.text)
        except Exception as error:  # a chunker may embed, see `PieceMaker.embed_each`
            return failed(source.name, "chunk", error)
        loaded = FileText(one.text, one.pages, omissions=one.omissions, boxes=one.boxes)
        return _PreparedDocument(source, loaded, one.metadata, one.sha256, maker, cut, one.version)

    def _commit(self, corpus: str, group: list[_PreparedDocument]) -> Iterator[Outcome]:
        """Embed a group and put each file in; the first group of a corpus may first choose its embedding model."""
        if group and self._auto and not self.remarks and self._chose(corpus, group):
            for item in group:
                yield from self._commit_again(corpus, item)
            return
        made = group[0].maker.embed_each([item.cut for item in group]) if group else []
        for item, pieces in zip(group, made, strict=True):
            if isinstance(pieces, Exception):
                yield failed(item.source.name, "embed", pieces)
                continue
            try:
                yield self._put(corpus, item, pieces)
            except Swapped:
                yield from self._commit_again(corpus, item)

    def _chose(self, corpus: str, group: Sequence[_PreparedDocument]) -> bool:
        """Return whether the model for other languages was chosen, so that the group has to be made again."""
        chosen, remark = choose_embedder(
            self._catalog, group[0].maker.generation, [item.loaded.text for item in group]
        )
        if remark:
            self.remarks.append(remark)
            log.info("%s", remark)
        return chosen

    def _commit_again(self, corpus: str, item: _PreparedDocument) -> Iterator[Outcome]:
        """Make a file again for the generation that came to serve meanwhile, and put it in."""
        try:
            maker = self._serving(corpus)
            cut = maker.cut(item.cut.text, item.cut.wanted)
        except Exception as error:  # a chunker may embed, see `PieceMaker.embed_each`
            yield failed(item.source.name, "chunk", error)
        else:
            yield from self._commit(corpus, [replace(item, maker=maker, cut=cut)])

    def _put(self, corpus: str, item: _PreparedDocument, pieces: Pieces) -> Outcome:
        new = NewVersion(
            text=item.loaded.text,
            pages=item.loaded.pages,
            omissions=item.loaded.omissions,
            boxes=item.loaded.boxes,
            metadata=item.metadata,
            sha256=item.sha256,
            given=_given(item.source),
            pieces=pieces,
            generation=item.maker.generation.id,
            version=item.version,
        )
        stood = self._catalog.documents.current_versions([document_id(corpus, item.source.name)])
        try:
            version = self._catalog.documents.put(corpus, item.source.name, new, wanted=item.source.wanted)
        except Swapped:
            raise
        except IbidError as error:
            return failed(item.source.name, "store", error)
        return Outcome(
            item.source.name,
            "updated" if stood else "added",
            version,
            len(pieces.keys),
            omissions=item.loaded.omissions,
        )


def file_limits(settings: Settings) -> FileLimits:
    """Return what the settings let one file cost."""
    limits = settings.limits
    return FileLimits(
        max_file_bytes=limits.max_file_bytes,
        max_unpacked_bytes=limits.max_unpacked_bytes,
        max_pages=limits.max_pages,
    )


def make_parser(settings: Settings) -> Parser:
    """Return a parser with the bounds of the settings; its process starts with the first file."""
    limits = settings.limits
    return Parser(file_limits(settings), Bounds(limits.parse_memory_mb * 1_000_000, limits.parse_timeout_s))


def _given(source: Source) -> str:
    """Name the metadata that the user gave."""
    return json.dumps(dict(source.metadata), sort_keys=True)
