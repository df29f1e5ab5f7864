"""The one truth: a SQLite database of corpora, documents, chunks, embeddings, jobs, and the change log.

One transaction makes a document version visible. Every visible change appends to the change log;
indexes follow it (rag/index/follower.py) and can be deleted and rebuilt at any time. Uploaded originals lie
beside the database as files named by their sha256.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from rag.errors import InvalidInput, NotFound, StorageError, Swapped
from rag.store.filters import Filter, filter_to_sql, is_storable
from rag.store.generations import Generations, Pieces, document_of, insert_chunks
from rag.store.originals import forget_uploads
from rag.types import Chunk, Document, Metadata, document_id, indexed_text


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


@dataclass(frozen=True, slots=True)
class Change:
    """A document that entered or left a generation; `seq` only grows."""

    seq: int
    document: int  # the document's row number
    added: bool


class Catalog(Generations):
    """The catalogue in a data folder. Safe for several threads and several processes.

    Raises:
        StorageError: if the folder cannot be used, or was written by a newer Ibid.
    """

    # corpora

    def delete_corpus(self, corpus: str) -> int:
        """Delete a corpus with its documents and the uploads on their way to it, at once, and its snapshots.

        Return how many documents it held.
        """
        self.require_corpus(corpus)
        with self.write() as transaction:
            removed = self._remove(transaction, "corpus = ?", (corpus,))
            transaction.execute(
                "DELETE FROM changes WHERE generation IN (SELECT id FROM generations WHERE corpus = ?)",
                (corpus,),
            )
            transaction.execute("DELETE FROM corpora WHERE name = ?", (corpus,))
            cancelled = forget_uploads(transaction, corpus, None)
        self.drop_needless_snapshots(corpus)  # they hold its words and vectors
        self.drop_unused_originals([*removed, *cancelled])
        self.empty_log()  # its conversations are gone for good
        return len(removed)

    # documents

    def put_version(
        self,
        corpus: str,
        name: str,
        new: NewVersion,
        *,
        wanted: Callable[[], bool] | None = None,
        instead_of: str | None = None,
    ) -> int:
        """Make a document version visible in one transaction and return its number, from 1.

        The version before it leaves both indexes in the same transaction.

        Args:
            wanted: asked in the transaction, in which no deletion can come between.
            instead_of: another document, which leaves the corpus in the same transaction.

        Raises:
            NotFound: if the corpus was deleted, or the version is no longer wanted.
            Swapped: if another generation serves than the one whose pieces these are.
        """
        identity, metadata = document_id(corpus, name), _metadata_json(name, new.metadata)
        with self.write() as transaction:
            if transaction.execute("SELECT 1 FROM corpora WHERE name = ?", (corpus,)).fetchone() is None:
                raise NotFound(f"Corpus {corpus!r} was deleted while {name!r} was being read.")
            if wanted is not None and not wanted():
                raise NotFound(f"{name!r} was deleted before it was ingested.")
            generation = self.serving(corpus).id
            if new.generation not in (None, generation):
                raise Swapped(
                    f"Another generation of {corpus!r} came to serve while {name!r} was being read."
                )
            removed = self._remove(transaction, "id = ?", (identity,))
            if instead_of is not None:
                removed += self._take_out(transaction, corpus, instead_of)
            version = self._next_version(transaction, identity, new.version)
            document = transaction.execute(
                "INSERT INTO documents VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (identity, corpus, name, version, new.sha256, new.given, time.time(), len(new.text),
                 metadata, json.dumps(new.pages), new.text),
            ).lastrowid  # fmt: skip
            shown = Document(identity, name, version, new.text, new.pages, new.metadata)
            insert_chunks(transaction, generation, document or 0, shown, new.pieces)
        self.drop_unused_originals(removed)
        return version

    def delete_documents(self, corpus: str, names: Sequence[str]) -> None:
        """Delete documents, all or none: raise NotFound if any name is unknown.

        Uploads of that name that are still on their way are cancelled, and count as documents; so do those that
        failed and could be retried.
        """
        self.require_corpus(corpus)
        removed = []
        with self.write() as transaction:
            for name in dict.fromkeys(names):
                originals = self._remove(transaction, "id = ?", (document_id(corpus, name),))
                if is_storable(name):
                    originals += forget_uploads(transaction, corpus, name)
                if not originals:
                    raise NotFound(
                        f"There is no document {name!r} in corpus {corpus!r}; nothing was deleted."
                    )
                removed += originals
        self.drop_unused_originals(removed)

    def delete_if(self, corpus: str, name: str, wanted: Callable[[], bool]) -> list[str] | None:
        """Delete a document that left where it came from; uploads of its name that are on their way go on.

        Args:
            wanted: asked in the transaction.

        Returns:
            sha256 of the originals that it may have been the last to need; None where nothing was deleted.
        """
        with self.write() as transaction:
            return self._take_out(transaction, corpus, name) if wanted() else None

    def document(self, corpus: str, name: str) -> Document:
        """Return the current version of a document, or raise NotFound."""
        row = (
            self.read()
            .execute("SELECT * FROM documents WHERE id = ?", (document_id(corpus, name),))
            .fetchone()
        )
        if row is None:
            raise self.no_document(corpus, name)
        return document_of(row)

    def current_versions(self, documents: Iterable[str]) -> dict[str, int]:
        """Return the current version of each document by id; those that were deleted are absent."""
        rows = self.read().execute(
            "SELECT id, version FROM documents WHERE id IN (SELECT value FROM json_each(?))",
            (json.dumps(sorted(set(documents))),),
        )
        return {row["id"]: row["version"] for row in rows}

    def is_current(self, corpus: str, name: str, sha256: str, given: str) -> bool:
        """Tell whether a document stands in the catalogue as made of these bytes and given this metadata."""
        query = "SELECT 1 FROM documents WHERE id = ? AND sha256 = ? AND given = ?"
        found = self.read().execute(query, (document_id(corpus, name), sha256, given))
        return found.fetchone() is not None

    def stands_as(self, document: Document, sha256: str) -> bool:
        """Tell whether a document stands in the catalogue with this very content, its version aside."""
        row = self.read().execute(
            "SELECT pages, metadata FROM documents WHERE id = ? AND sha256 = ? AND text = ?",
            (document.id, sha256, document.text),
        ).fetchone()  # fmt: skip
        return row is not None and (tuple(json.loads(row["pages"])), json.loads(row["metadata"])) == (
            document.pages,
            document.metadata,
        )

    def _next_version(self, transaction: sqlite3.Connection, identity: str, least: int) -> int:
        row = transaction.execute(
            "INSERT INTO last_versions VALUES (?1, ?2) "
            "ON CONFLICT DO UPDATE SET version = max(version + 1, ?2) RETURNING version",
            (identity, least),
        ).fetchone()
        return int(row["version"])

    def _remove(self, transaction: sqlite3.Connection, where: str, values: tuple[object, ...]) -> list[str]:
        """Take documents out, their chunks and unshared embeddings included; return their originals' sha256."""
        rows = transaction.execute(f"SELECT row, sha256 FROM documents WHERE {where}", values).fetchall()
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

    def _take_out(self, transaction: sqlite3.Connection, corpus: str, name: str) -> list[str]:
        """Take a document out, and uploads of its name that failed: retried, they would bring it back."""
        removed = self._remove(transaction, "id = ?", (document_id(corpus, name),))
        return removed + forget_uploads(transaction, corpus, name, ("failed", "cancelled"))

    # chunks and embeddings

    def chunks(self, generation: int, ids: Sequence[int]) -> dict[int, Chunk]:
        """Return the chunks of a generation that are visible now, by id; deleted ones are absent."""
        rows = self.read().execute(
            f"{_SELECT_CHUNKS} WHERE k.id IN (SELECT value FROM json_each(?)) AND k.generation = ?",
            (json.dumps([int(i) for i in ids]), generation),
        )
        return {row["chunk"]: _chunk(row) for row in rows}

    def chunks_of(self, document: Document, generation: int) -> list[Chunk]:
        """Return the chunks of a document version in order; none where it is no longer current."""
        rows = self.read().execute(
            f"{_SELECT_CHUNKS} WHERE d.id = ? AND d.version = ? AND k.generation = ? ORDER BY k.start",
            (document.id, document.version, generation),
        )
        return list(map(_chunk, rows))

    def pages(self, document_id: str, version: int) -> tuple[int, ...]:
        """Return the offsets at which a document version's pages start; () without pages or when not current."""
        row = self.read().execute(
            "SELECT pages FROM documents WHERE id = ? AND version = ?", (document_id, version)
        ).fetchone()  # fmt: skip
        return tuple(json.loads(row["pages"])) if row else ()

    def neighbours(self, chunk: Chunk, count: int) -> list[Chunk]:
        """Return up to `count` chunks before and after a chunk in its document version, in order, without it."""
        around: list[Chunk] = []
        for comparison, order in (("<", "DESC"), (">", "ASC")):
            rows = self.read().execute(
                f"{_SELECT_CHUNKS} WHERE d.id = ? AND d.version = ? AND k.generation = ? "
                f"AND k.start {comparison} ? ORDER BY k.start {order} LIMIT ?",
                (chunk.document_id, chunk.version, chunk.generation, chunk.start, count),
            )
            around += map(_chunk, rows)
        return sorted(around, key=lambda one: one.start)

    def siblings(self, chunk: Chunk, *, limit: int = -1) -> list[Chunk]:
        """Return the chunks of a chunk's document version in order, itself included; none where it is not current.

        Args:
            limit: most chunks; negative for all.
        """
        rows = self.read().execute(
            f"{_SELECT_CHUNKS} WHERE d.id = ? AND d.version = ? AND k.generation = ? ORDER BY k.start LIMIT ?",
            (chunk.document_id, chunk.version, chunk.generation, limit),
        )
        return list(map(_chunk, rows))

    def text_between(self, chunk: Chunk, start: int, end: int) -> str:
        """Return text[start:end] of a chunk's document version; "" where that is no longer current."""
        row = self.read().execute(
            "SELECT substr(text, ?, ?) AS text FROM documents WHERE id = ? AND version = ?",
            (start + 1, end - start, chunk.document_id, chunk.version),
        )
        found = row.fetchone()
        return str(found["text"]) if found else ""

    # the change log, for followers

    def last_change(self, generation: int) -> int:
        """Return the sequence number of the newest change of a generation, 0 before the first."""
        query = "SELECT max(seq) AS seq FROM changes WHERE generation = ?"
        return int(self.read().execute(query, (generation,)).fetchone()["seq"] or 0)

    def changes_after(self, generation: int, seq: int) -> list[Change]:
        """Return the changes of a generation after `seq`, oldest first."""
        rows = self.read().execute(
            "SELECT seq, document, kind FROM changes WHERE generation = ? AND seq > ? ORDER BY seq",
            (generation, seq),
        )
        return [Change(row["seq"], row["document"], row["kind"] == "add") for row in rows]

    def indexed_chunks(
        self, generation: int, documents: Sequence[int]
    ) -> Iterator[tuple[int, int, str, bytes]]:
        """Yield (id, document row, indexed text, float16 vector) of each chunk of the documents still here."""
        rows = self.read().execute(
            "SELECT k.id, k.document, k.text, k.context, e.vector FROM chunks k "
            "JOIN embeddings e ON e.key = k.embedding WHERE k.generation = ? "
            "AND k.document IN (SELECT value FROM json_each(?)) ORDER BY k.document, k.start",
            (generation, json.dumps(list(documents))),
        )
        for row in rows:
            yield row["id"], row["document"], indexed_text(row["text"], row["context"]), row["vector"]

    def matching_documents(self, corpus: str, filter_: Filter) -> np.ndarray:
        """Return the sorted row numbers (int64) of the documents that a filter lets through."""
        condition, values = filter_to_sql(filter_)
        rows = self.read().execute(
            f"SELECT row FROM documents WHERE corpus = ? AND {condition}", (corpus, *values)
        )
        return np.sort(np.array([row["row"] for row in rows], np.int64))


_SELECT_CHUNKS = (
    'SELECT k.id AS chunk, d.id AS document_id, d.name, k.version, k.start, k."end", k.text, k.page, k.context, '
    "k.generation FROM chunks k JOIN documents d ON d.row = k.document"
)


def _chunk(row: sqlite3.Row) -> Chunk:
    chunk = Chunk(*tuple(row)[1:])
    if chunk.id != row["chunk"]:
        raise StorageError(
            f"Chunk {row['chunk']} of {chunk.document!r} does not carry its own id; restore a backup."
        )
    return chunk


def _metadata_json(name: str, metadata: Metadata) -> str:
    for key, value in metadata.items():
        if not (isinstance(key, str) and is_storable(key) and is_storable(value)):
            raise InvalidInput(
                f"The metadata of {name!r} has {ascii(key)[:80]}: {ascii(value)[:80]}; expected text without NUL, "
                "a finite number of at most 64 bits, true or false."
            )
    return json.dumps(dict(metadata))
