"""The chunks of documents, their embeddings, and the log of changes that indexes follow.

An embedding is kept once for its text and model, however many chunks share it. Checkpoints are embeddings that wait
for the rest of their document version.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from rag.errors import StorageError
from rag.store.database import Database
from rag.text.names import document_label
from rag.types import Chunk, Document, indexed_text

CHECKPOINT_S = 86_400  # how long embeddings wait for the rest of their version
_SELECT = (
    'SELECT k.id AS chunk, d.id AS document_id, d.name, k.version, k.start, k."end", k.text, k.page, k.context, '
    "k.generation, d.metadata FROM chunks k JOIN documents d ON d.row = k.document"
)
_OF_VERSION = "WHERE d.id = ? AND d.version = ? AND k.generation = ?"


@dataclass(frozen=True, slots=True)
class Pieces:
    """The chunks of a document in one generation, and their embeddings."""

    spans: Sequence[tuple[int, int, str]]  # (start, end, context) of each chunk, in order
    vectors: np.ndarray  # (n_chunks, dim) float32 or float16
    keys: Sequence[bytes]  # embedding key of each chunk


@dataclass(frozen=True, slots=True)
class Change:
    """A document that entered or left a generation; `seq` only grows."""

    seq: int
    document: int  # the document's row number
    added: bool


class Chunks:
    """The chunks of a catalogue, as far as they are visible: a chunk leaves with its document version."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, generation: int, ids: Sequence[int]) -> dict[int, Chunk]:
        """Return the chunks of a generation by id; deleted ones are absent."""
        where = "WHERE k.id IN (SELECT value FROM json_each(?)) AND k.generation = ?"
        rows = self._select(where, json.dumps([int(i) for i in ids]), generation)
        return {row["chunk"]: _chunk(row) for row in rows}

    def of(self, document: Document, generation: int) -> list[Chunk]:
        """Return the chunks of a document version in order; none where it is no longer current."""
        rows = self._select(f"{_OF_VERSION} ORDER BY k.start", document.id, document.version, generation)
        return list(map(_chunk, rows))

    def neighbours(self, chunk: Chunk, count: int) -> list[Chunk]:
        """Return up to `count` chunks before and after a chunk in its document version, in order, without it."""
        around: list[Chunk] = []
        for comparison, order in (("<", "DESC"), (">", "ASC")):
            rows = self._select(
                f"{_OF_VERSION} AND k.start {comparison} ? ORDER BY k.start {order} LIMIT ?",
                chunk.document_id, chunk.version, chunk.generation, chunk.start, count,
            )  # fmt: skip
            around += map(_chunk, rows)
        return sorted(around, key=lambda one: one.start)

    def siblings(self, chunk: Chunk, *, limit: int = -1) -> list[Chunk]:
        """Return the chunks of a chunk's document version in order, itself included; none where it is not current.

        Args:
            limit: most chunks; negative for all.
        """
        rows = self._select(
            f"{_OF_VERSION} ORDER BY k.start LIMIT ?",
            chunk.document_id, chunk.version, chunk.generation, limit,
        )  # fmt: skip
        return list(map(_chunk, rows))

    def indexed(self, generation: int, documents: Sequence[int]) -> Iterator[tuple[int, int, str, bytes]]:
        """Yield (id, document row, text to find it by, float16 vector) of each chunk of the documents still here.

        The text is what the document is called and the chunk's indexed text.
        """
        rows = self._database.read().execute(
            "SELECT k.id, k.document, k.text, k.context, e.vector, d.name, d.metadata FROM chunks k "
            "JOIN embeddings e ON e.key = k.embedding JOIN documents d ON d.row = k.document "
            "WHERE k.generation = ? "
            "AND k.document IN (SELECT value FROM json_each(?)) ORDER BY k.document, k.start",
            (generation, json.dumps(list(documents))),
        )
        labels: dict[int, str] = {}
        for row in rows:
            if row["document"] not in labels:
                labels[row["document"]] = document_label(row["name"], json.loads(row["metadata"]))
            text = f"{labels[row['document']]}\n{indexed_text(row['text'], row['context'])}"
            yield row["id"], row["document"], text, row["vector"]

    def _select(self, where: str, *values: object) -> Iterator[sqlite3.Row]:
        return iter(self._database.read().execute(f"{_SELECT} {where}", values))


class Changes:
    """The change log, for followers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def last(self, generation: int) -> int:
        """Return the sequence number of the newest change of a generation, 0 before the first."""
        query = "SELECT max(seq) AS seq FROM changes WHERE generation = ?"
        return int(self._database.read().execute(query, (generation,)).fetchone()["seq"] or 0)

    def after(self, generation: int, seq: int) -> list[Change]:
        """Return the changes of a generation after `seq`, oldest first."""
        rows = self._database.read().execute(
            "SELECT seq, document, kind FROM changes WHERE generation = ? AND seq > ? ORDER BY seq",
            (generation, seq),
        )
        return [Change(row["seq"], row["document"], row["kind"] == "add") for row in rows]


class Embeddings:
    """The vectors of a catalogue, and the checkpoints of versions that are not yet whole."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def known(self, keys: Sequence[bytes]) -> dict[bytes, np.ndarray]:
        """Return the stored embeddings among `keys`, those of checkpoints too, (dim,) float16 each."""
        known: dict[bytes, np.ndarray] = {}
        for begin in range(0, len(keys), 500):
            part = keys[begin : begin + 500]
            marks = ",".join("?" * len(part))
            rows = self._database.read().execute(
                f"SELECT key, vector FROM embeddings WHERE key IN ({marks}) "
                f"UNION ALL SELECT key, vector FROM checkpoints WHERE key IN ({marks})",
                [*part, *part],
            )
            known.update({row["key"]: np.frombuffer(row["vector"], np.float16) for row in rows})
        return known

    def keep_checkpoint(self, keys: Sequence[bytes], vectors: np.ndarray, wanted: Callable[[], bool]) -> None:
        """Keep embeddings of a version that is not yet whole, for a process that has to begin it again.

        Nothing refers to them: a version brings its own, so that they can be dropped at any time.

        Args:
            vectors: (n_keys, dim) float32 or float16.
            wanted: asked in the transaction, in which no deletion can come between.
        """
        rows = zip(keys, map(np.ndarray.tobytes, vectors.astype(np.float16)), strict=True)
        with self._database.write() as transaction:
            if wanted():
                transaction.executemany("INSERT OR IGNORE INTO checkpoints VALUES (?, ?, unixepoch())", rows)

    def drop_old_checkpoints(self) -> None:
        """Drop the checkpoints of versions that were not resumed for a day."""
        if self._database.read().execute("SELECT 1 FROM checkpoints LIMIT 1").fetchone():
            with self._database.write() as transaction:
                transaction.execute("DELETE FROM checkpoints WHERE made < unixepoch() - ?", (CHECKPOINT_S,))


def embedding_key(fingerprint: str, indexed_text: str) -> bytes:
    """Return the 16 bytes that name the embedding of a text by a model, which reads its compatibility characters as the
    plain ones."""
    read = unicodedata.normalize("NFKC", indexed_text)
    return hashlib.sha256(f"{fingerprint}\0{read}".encode("utf-8", "surrogatepass")).digest()[:16]


def insert_chunks(
    transaction: sqlite3.Connection, generation: int, row: int, document: Document, pieces: Pieces
) -> None:
    """Write the chunks of a document version and their embeddings, and log the change of their generation."""
    transaction.executemany(
        "INSERT OR IGNORE INTO embeddings VALUES (?, ?)",
        zip(pieces.keys, map(np.ndarray.tobytes, pieces.vectors.astype(np.float16)), strict=True),
    )
    transaction.executemany("DELETE FROM checkpoints WHERE key = ?", ((key,) for key in pieces.keys))
    transaction.executemany(
        "INSERT INTO chunks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        _rows(generation, row, document, pieces),
    )
    transaction.execute(
        "INSERT INTO changes (generation, document, kind) VALUES (?, ?, 'add')", (generation, row)
    )


def _rows(generation: int, row: int, document: Document, pieces: Pieces) -> Iterator[tuple[object, ...]]:
    for (start, end, context), key in zip(pieces.spans, pieces.keys, strict=True):
        text = document.text[start:end]
        page = document.page_at(start)
        chunk = Chunk(document.id, document.name, document.version, start, end, text, page, context)
        yield generation, chunk.id, row, document.version, start, end, page, text, context, key


def _chunk(row: sqlite3.Row) -> Chunk:
    *fields, metadata = tuple(row)[1:]
    chunk = replace(Chunk(*fields), label=document_label(row["name"], json.loads(metadata)))
    if chunk.id != row["chunk"]:
        raise StorageError(
            f"Chunk {row['chunk']} of {chunk.document!r} does not carry its own id; restore a backup."
        )
    return chunk
