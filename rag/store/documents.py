"""The documents of a corpus, each in its current version: listed, read, put, renamed and deleted."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from rag.errors import InvalidInput, NotFound, Swapped
from rag.store.chunks import Pieces, insert_chunks
from rag.store.corpora import Corpora
from rag.store.database import Database
from rag.store.filters import Filter, filter_to_sql, is_storable
from rag.store.generations import Generations, document_of
from rag.store.jobs import forget_uploads, omissions_of, omissions_to_json
from rag.store.originals import Originals
from rag.types import READER_VERSION, Chunk, Document, Metadata, Omission, document_id

_SELECT_INFO = (
    "SELECT id, name, version, characters, sha256, created, metadata, omissions, "
    "(SELECT count(*) FROM chunks k WHERE k.document = d.row AND k.generation = "
    "(SELECT g.id FROM generations g WHERE g.corpus = d.corpus AND g.serves)) AS chunks FROM documents d"
)


@dataclass(frozen=True, slots=True)
class DocumentInfo:
    """What a listing says of a document."""

    id: str
    name: str
    version: int
    characters: int
    chunks: int
    sha256: str
    created: float  # seconds since the epoch
    metadata: Metadata
    omissions: tuple[Omission, ...] = ()  # what the file holds and the text does not


@dataclass(frozen=True, slots=True)
class NewVersion:
    """A document version ready to become visible: text, chunks and their embeddings."""

    text: str
    pages: tuple[int, ...]
    metadata: Metadata
    sha256: str  # of the original's bytes
    given: str  # the metadata that came along with it; a different one is a change
    pieces: Pieces
    generation: int | None = None  # whose the pieces are; None for the one that serves
    version: int = 1  # the least number that it may get: an import keeps the one it had
    omissions: tuple[Omission, ...] = ()
    boxes: bytes = b""  # the positions of its words on their pages (rag/text/boxes.py)
    reader: int = READER_VERSION


class Documents:
    """The documents of a catalogue."""

    def __init__(
        self, database: Database, originals: Originals, corpora: Corpora, generations: Generations
    ) -> None:
        self._database, self._originals = database, originals
        self._corpora, self._generations = corpora, generations

    # listed

    def infos(self, corpus: str, *, limit: int | None = None, offset: int = 0) -> list[DocumentInfo]:
        """Return what is known of the documents of a corpus by name, at most `limit` from `offset` on.

        Raises:
            NotFound: if there is no such corpus.
        """
        self._corpora.require(corpus)
        rows = self._database.read().execute(
            f"{_SELECT_INFO} WHERE corpus = ? ORDER BY name LIMIT ? OFFSET ?",
            (corpus, -1 if limit is None else limit, offset),
        )
        return [_info(row) for row in rows]

    def count(self, corpus: str) -> int:
        """Return how many documents a corpus holds, or raise NotFound."""
        self._corpora.require(corpus)
        found = self._database.read().execute("SELECT count(*) FROM documents WHERE corpus = ?", (corpus,))
        return int(found.fetchone()[0])

    def info(self, corpus: str, name: str) -> DocumentInfo:
        """Return what is known of one document, or raise NotFound."""
        return _info(self._row(_SELECT_INFO, corpus, name))

    def matching(self, corpus: str, filter_: Filter) -> np.ndarray:
        """Return the sorted row numbers (int64) of the documents that a filter lets through."""
        condition, values = filter_to_sql(filter_)
        rows = self._database.read().execute(
            f"SELECT row FROM documents WHERE corpus = ? AND {condition}", (corpus, *values)
        )
        return np.sort(np.array([row["row"] for row in rows], np.int64))

    # read

    def get(self, corpus: str, name: str) -> Document:
        """Return the current version of a document, or raise NotFound."""
        return document_of(self._row("SELECT * FROM documents", corpus, name))

    def current_versions(self, documents: Iterable[str]) -> dict[str, int]:
        """Return the current version of each document by id; those that were deleted are absent."""
        rows = self._database.read().execute(
            "SELECT id, version FROM documents WHERE id IN (SELECT value FROM json_each(?))",
            (json.dumps(sorted(set(documents))),),
        )
        return {row["id"]: row["version"] for row in rows}

    def is_here(self, row: int) -> bool:
        """Return whether the document of a row was neither deleted nor replaced."""
        return self._first("SELECT 1 FROM documents WHERE row = ?", row) is not None

    def is_current(self, corpus: str, name: str, sha256: str, given: str) -> bool:
        """Return whether a document's current version is made of these bytes by these readers and was given this
        metadata."""
        query = "SELECT 1 FROM documents WHERE id = ? AND sha256 = ? AND given = ? AND reader = ?"
        return self._first(query, document_id(corpus, name), sha256, given, READER_VERSION) is not None

    def outdated(self, corpus: str) -> list[str]:
        """Return the names of the documents that an older version of the readers made, in order.

        Raises:
            NotFound: if there is no such corpus.
        """
        self._corpora.require(corpus)
        rows = self._database.read().execute(
            "SELECT name FROM documents WHERE corpus = ? AND reader < ? ORDER BY name",
            (corpus, READER_VERSION),
        )
        return [row["name"] for row in rows]

    def given(self, corpus: str, name: str) -> Metadata:
        """Return the metadata that came along with a document, without what its file states; or raise NotFound."""
        given: Metadata = json.loads(self._row("SELECT given FROM documents", corpus, name)["given"])
        return given

    def stands_as(
        self, document: Document, sha256: str, omissions: tuple[Omission, ...] = (), boxes: bytes = b""
    ) -> bool:
        """Return whether the catalogue holds a document with exactly this content, whatever its version.

        Without omissions or boxes, those that it has count as the same.
        """
        query = (
            "SELECT pages, metadata, omissions, boxes FROM documents WHERE id = ? AND sha256 = ? AND text = ?"
        )
        row = self._first(query, document.id, sha256, document.text)
        if row is None:
            return False
        if (omissions and omissions != omissions_of(row["omissions"])) or (boxes and boxes != row["boxes"]):
            return False
        held = tuple(json.loads(row["pages"])), json.loads(row["metadata"])
        return held == (document.pages, document.metadata)

    def pages(self, document_id: str, version: int) -> tuple[int, ...]:
        """Return the offsets at which a document version's pages start; () without pages or when not current."""
        query = "SELECT pages FROM documents WHERE id = ? AND version = ?"
        row = self._first(query, document_id, version)
        return tuple(json.loads(row["pages"])) if row else ()

    def boxes(self, document_id: str, version: int) -> bytes:
        """Return the packed positions of a version's words on their pages (rag/text/boxes.py); b"" if they are unknown
        or the version is no longer current."""
        row = self._first("SELECT boxes FROM documents WHERE id = ? AND version = ?", document_id, version)
        return bytes(row["boxes"]) if row else b""

    def text_between(self, chunk: Chunk, start: int, end: int) -> str:
        """Return text[start:end] of a chunk's document version; "" where that is no longer current."""
        query = "SELECT substr(text, ?, ?) AS text FROM documents WHERE id = ? AND version = ?"
        row = self._first(query, start + 1, end - start, chunk.document_id, chunk.version)
        return str(row["text"]) if row else ""

    # written

    def put(
        self,
        corpus: str,
        name: str,
        new: NewVersion,
        *,
        wanted: Callable[[], bool] | None = None,
        instead_of: str | None = None,
    ) -> int:
        """Make a document version visible in one transaction and return its number, from 1.

        The version before it leaves every index in the same transaction.

        Args:
            wanted: asked in the transaction, in which no deletion can come between.
            instead_of: another document, which leaves the corpus in the same transaction.

        Raises:
            NotFound: if the corpus was deleted, or the version is no longer wanted.
            Swapped: if another generation serves than the one whose pieces these are.
        """
        identity, metadata = document_id(corpus, name), _metadata_json(name, new.metadata)
        with self._database.write() as transaction:
            if not self._corpora.exists(corpus):
                raise NotFound(f"Corpus {corpus!r} was deleted while {name!r} was being read.")
            if wanted is not None and not wanted():
                raise NotFound(f"{name!r} was deleted before it was ingested.")
            generation = self._generations.serving(corpus).id
            if new.generation not in (None, generation):
                raise Swapped(
                    f"Another generation of {corpus!r} came to serve while {name!r} was being read."
                )
            removed = remove_documents(transaction, "id = ?", identity)
            if instead_of is not None:
                removed += _take_out(transaction, corpus, instead_of)
            version = _next_version(transaction, identity, new.version)
            document = transaction.execute(
                "INSERT INTO documents VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (identity, corpus, name, version, new.sha256, new.given, time.time(), len(new.text), metadata,
                 json.dumps(new.pages), new.text, new.reader, omissions_to_json(new.omissions), new.boxes),
            ).lastrowid  # fmt: skip
            shown = Document(identity, name, version, new.text, new.pages, new.metadata)
            insert_chunks(transaction, generation, document or 0, shown, new.pieces)
        self._originals.drop_unused(removed)
        return version

    def rename(self, corpus: str, old: str, new: str) -> None:
        """Give a document another name in one transaction: nothing is parsed or embedded again.

        It leaves under its old name and appears under the new one, at once in every index, as a version of its own.

        Raises:
            NotFound: if there is no such document, it was changed meanwhile, or another came under the new name.
        """
        before, after = document_id(corpus, old), document_id(corpus, new)
        with self._database.snapshot():
            version = self.info(corpus, old).version
            stored = self._stored_version(corpus, before)

        def free_and_unchanged() -> bool:
            return self.current_versions([before, after]) == {before: version}

        try:
            self.put(corpus, new, stored, wanted=free_and_unchanged, instead_of=old)
        except (NotFound, Swapped) as error:
            raise NotFound(
                f"{old!r} was changed, or {new!r} came, while it was being renamed; nothing was changed."
            ) from error

    def delete(self, corpus: str, names: Sequence[str]) -> None:
        """Delete documents, all or none: raise NotFound if any name is unknown.

        Uploads of that name that are still on their way are cancelled, and count as documents; so do those that
        failed and could be retried.
        """
        self._corpora.require(corpus)
        removed = []
        with self._database.write() as transaction:
            for name in dict.fromkeys(names):
                originals = remove_documents(transaction, "id = ?", document_id(corpus, name))
                if is_storable(name):
                    originals += forget_uploads(transaction, corpus, name)
                if not originals:
                    raise NotFound(
                        f"There is no document {name!r} in corpus {corpus!r}; nothing was deleted."
                    )
                removed += originals
        self._originals.drop_unused(removed)

    def delete_if(self, corpus: str, name: str, wanted: Callable[[], bool]) -> list[str] | None:
        """Delete a document that left where it came from; uploads of its name that are on their way go on.

        Args:
            wanted: asked in the transaction.

        Returns:
            sha256 of the originals that it may have been the last to need; None where nothing was deleted.
        """
        with self._database.write() as transaction:
            return _take_out(transaction, corpus, name) if wanted() else None

    def _row(self, select: str, corpus: str, name: str) -> sqlite3.Row:
        row = self._first(f"{select} WHERE id = ?", document_id(corpus, name))
        if row is None:
            self._corpora.require(corpus)
            raise NotFound(
                f"There is no document {name!r} in corpus {corpus!r}; "
                f"`ibid documents --corpus {corpus}` lists the names."
            )
        return row

    def _first(self, query: str, *values: object) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self._database.read().execute(query, values).fetchone()
        return row

    def _stored_version(self, corpus: str, identity: str) -> NewVersion:
        """Return the current version of a document as it can be put once more."""
        connection = self._database.read()
        row = connection.execute("SELECT * FROM documents WHERE id = ?", (identity,)).fetchone()
        generation = self._generations.serving(corpus).id
        chunks = connection.execute(
            'SELECT k.start, k."end", k.context, e.key, e.vector FROM chunks k JOIN embeddings e '
            "ON e.key = k.embedding WHERE k.document = ? AND k.generation = ? ORDER BY k.start",
            (row["row"], generation),
        ).fetchall()
        return NewVersion(
            text=row["text"],
            pages=tuple(json.loads(row["pages"])),
            metadata=json.loads(row["metadata"]),
            sha256=row["sha256"],
            given=row["given"],
            omissions=omissions_of(row["omissions"]),
            boxes=row["boxes"],
            reader=row["reader"],
            pieces=Pieces(
                [(chunk["start"], chunk["end"], chunk["context"]) for chunk in chunks],
                np.stack([np.frombuffer(chunk["vector"], np.float16) for chunk in chunks]),
                [chunk["key"] for chunk in chunks],
            ),
            generation=generation,
        )


def remove_documents(transaction: sqlite3.Connection, where: str, value: str) -> list[str]:
    """Take documents out, their chunks and unshared embeddings included; return their originals' sha256.

    Args:
        where: SQL over a row of `documents`, with one place for the value.
    """
    rows = transaction.execute(f"SELECT row, sha256 FROM documents WHERE {where}", (value,)).fetchall()
    for row in rows:
        transaction.execute(
            "DELETE FROM embeddings WHERE key IN (SELECT embedding FROM chunks k WHERE k.document = ?1 AND NOT "
            "EXISTS (SELECT 1 FROM chunks o WHERE o.embedding = k.embedding AND o.document != ?1))",
            (row["row"],),
        )
        transaction.execute(
            "INSERT INTO changes (generation, document, kind) "
            "SELECT DISTINCT generation, document, 'remove' FROM chunks WHERE document = ?",
            (row["row"],),
        )
        transaction.execute("DELETE FROM documents WHERE row = ?", (row["row"],))
    return [row["sha256"] for row in rows]


def _take_out(transaction: sqlite3.Connection, corpus: str, name: str) -> list[str]:
    """Take a document out, and uploads of its name that failed: retried, they would bring it back."""
    removed = remove_documents(transaction, "id = ?", document_id(corpus, name))
    return removed + forget_uploads(transaction, corpus, name, ("failed", "cancelled"))


def _next_version(transaction: sqlite3.Connection, identity: str, least: int) -> int:
    row = transaction.execute(
        "INSERT INTO last_versions VALUES (?1, ?2) "
        "ON CONFLICT DO UPDATE SET version = max(version + 1, ?2) RETURNING version",
        (identity, least),
    ).fetchone()
    return int(row["version"])


def _metadata_json(name: str, metadata: Metadata) -> str:
    for key, value in metadata.items():
        if not (isinstance(key, str) and is_storable(key) and is_storable(value)):
            raise InvalidInput(
                f"The metadata of {name!r} has {ascii(key)[:80]}: {ascii(value)[:80]}; expected text without NUL, "
                "a finite number of at most 64 bits, true or false."
            )
    return json.dumps(dict(metadata))


def _info(row: sqlite3.Row) -> DocumentInfo:
    fields = ("id", "name", "version", "characters", "chunks", "sha256", "created")
    known = {field: row[field] for field in fields}
    return DocumentInfo(
        **known, metadata=json.loads(row["metadata"]), omissions=omissions_of(row["omissions"])
    )
