"""The generations of a corpus in the catalogue: ways to cut and embed its documents, of which one serves.

A document's text and version are the same in all of them, its chunks are each one's own. So what is deleted is gone
from every generation at once, and a generation that lacks a document can be told and be brought up to date.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from rag.errors import NotFound, WrongState
from rag.recipe import Recipe
from rag.store.embeddings import Embeddings
from rag.store.snapshot import keep_snapshots
from rag.types import Chunk, Document, check_corpus_name

_TICK_S = 0.001  # between two swaps, at least


@dataclass(frozen=True, slots=True)
class Generation:
    """A generation of a corpus."""

    id: int
    corpus: str
    recipe: Recipe
    created: float  # seconds since the epoch
    served: float | None  # when it began to serve, the last time
    serves: bool


@dataclass(frozen=True, slots=True)
class Extent:
    """How far a generation has come."""

    documents: int  # that it holds
    missing: int  # that its corpus holds and it does not
    chunks: int


@dataclass(frozen=True, slots=True)
class Pieces:
    """The chunks of a document in one generation, and their embeddings."""

    spans: Sequence[tuple[int, int, str]]  # (start, end, context) of each chunk, in order
    vectors: np.ndarray  # (n_chunks, dim) float32 or float16
    keys: Sequence[bytes]  # embedding key of each chunk


_SELECT = (
    "SELECT id, corpus, created, served, serves, embedder, model, chunker, chunk_tokens, chunker_version "
    "FROM generations"
)
_LACKS = (
    "FROM documents d WHERE d.corpus = :corpus AND NOT EXISTS "
    "(SELECT 1 FROM chunks k WHERE k.document = d.row AND k.generation = :id)"
)


class Generations(Embeddings):
    """The part of the catalogue that knows how corpora are cut and embedded.

    Raises:
        StorageError: if the folder cannot be used, or was written by a newer Ibid.
    """

    def create_corpus(self, corpus: str, recipe: Recipe) -> None:
        """Create a corpus where it does not exist; one that does goes on as it is made."""
        check_corpus_name(corpus)
        with self.write() as transaction:
            create_corpus(transaction, corpus, recipe)

    def serving(self, corpus: str) -> Generation:
        """Return the generation that answers, or raise NotFound."""
        row = self.read().execute(f"{_SELECT} WHERE corpus = ? AND serves", (corpus,)).fetchone()
        if row is None:
            self.require_corpus(corpus)
            raise NotFound(f"Corpus {corpus!r} was deleted meanwhile.")
        return _generation(row)

    def generations(self, corpus: str) -> list[Generation]:
        """Return the generations of a corpus, the oldest first."""
        self.require_corpus(corpus)
        rows = self.read().execute(f"{_SELECT} WHERE corpus = ? ORDER BY id", (corpus,))
        return [_generation(row) for row in rows]

    def begin_generation(self, corpus: str, recipe: Recipe) -> Generation:
        """Begin a generation, or return the newest that was begun to the same recipe and does not serve."""
        with self.write() as transaction:
            known = [one for one in self.generations(corpus) if one.recipe == recipe and not one.serves]
            if known:
                return known[-1]
            return _begin(transaction, corpus, recipe, serves=False)

    def stands(self, generation: Generation) -> bool:
        """Tell whether a generation is still there: what a pruned one finds, it finds no chunk of."""
        return self._generation(generation.corpus, generation.id) is not None

    def extent(self, generation: Generation) -> Extent:
        """Return how far a generation has come."""
        given = {"corpus": generation.corpus, "id": generation.id}
        query = (
            f"SELECT (SELECT count(*) FROM documents WHERE corpus = :corpus), (SELECT count(*) {_LACKS}), "
            "(SELECT count(*) FROM chunks WHERE generation = :id)"
        )
        documents, missing, chunks = self.read().execute(query, given).fetchone()
        return Extent(documents - missing, missing, chunks)

    def documents_missing(
        self, generation: Generation, *, after: int, limit: int
    ) -> list[tuple[int, Document]]:
        """Return (row, document) of those that a generation lacks, by row.

        Args:
            after: only rows beyond this one.
            limit: most documents.
        """
        rows = self.read().execute(
            f"SELECT d.* {_LACKS} AND d.row > :after ORDER BY d.row LIMIT :limit",
            {"corpus": generation.corpus, "id": generation.id, "after": after, "limit": limit},
        )
        return [(row["row"], document_of(row)) for row in rows]

    def is_here(self, row: int) -> bool:
        """Tell whether the document of a row was neither deleted nor replaced."""
        return self.read().execute("SELECT 1 FROM documents WHERE row = ?", (row,)).fetchone() is not None

    def put_chunks(self, generation: Generation, row: int, pieces: Pieces) -> bool:
        """Give a generation the chunks of a document, in one transaction.

        Returns:
            Whether it was done: not where the document left meanwhile, or another process was faster.

        Raises:
            NotFound: if the generation was pruned.
        """
        with self.write() as transaction:
            self._require(generation)
            found = transaction.execute("SELECT * FROM documents WHERE row = ?", (row,)).fetchone()
            held = "SELECT 1 FROM chunks WHERE document = ? AND generation = ? LIMIT 1"
            if found is None or transaction.execute(held, (row, generation.id)).fetchone():
                return False
            insert_chunks(transaction, generation.id, row, document_of(found), pieces)
        return True

    def swap(self, generation: Generation) -> bool:
        """Let a generation serve from now on, in one transaction; False where it lacks a document.

        Raises:
            NotFound: if it was pruned.
        """
        with self.write() as transaction:
            self._require(generation)
            if self.extent(generation).missing:
                return False
            latest = max(one.served or 0.0 for one in self.generations(generation.corpus))
            served = max(time.time(), latest + _TICK_S)  # the newest, also where the clock was set back
            transaction.execute("UPDATE generations SET serves = 0 WHERE corpus = ?", (generation.corpus,))
            transaction.execute(
                "UPDATE generations SET serves = 1, served = ? WHERE id = ?", (served, generation.id)
            )
        return True

    def prune_generation(self, generation: Generation) -> None:
        """Delete a generation, the embeddings that only it needs, and its snapshot.

        Raises:
            WrongState: if it serves.
        """
        with self.write() as transaction:
            held = self._generation(generation.corpus, generation.id)
            if held is not None and held.serves:
                raise WrongState(f"Generation {generation.id} of {generation.corpus!r} serves; it stays.")
            transaction.execute(
                "DELETE FROM embeddings WHERE key IN (SELECT embedding FROM chunks k WHERE k.generation = ?1 AND NOT "
                "EXISTS (SELECT 1 FROM chunks o WHERE o.embedding = k.embedding AND o.generation != ?1))",
                (generation.id,),
            )
            transaction.execute("DELETE FROM changes WHERE generation = ?", (generation.id,))
            transaction.execute("DELETE FROM generations WHERE id = ?", (generation.id,))
        self.drop_needless_snapshots(generation.corpus)

    def drop_needless_snapshots(self, corpus: str) -> None:
        """Delete the index snapshots of generations that are no more; of a deleted corpus all."""
        rows = self.read().execute("SELECT id FROM generations WHERE corpus = ?", (corpus,)).fetchall()
        keep_snapshots(self.home, corpus, [row["id"] for row in rows])

    def _require(self, generation: Generation) -> None:
        if not self.stands(generation):
            raise NotFound(f"Generation {generation.id} of {generation.corpus!r} was pruned meanwhile.")

    def _generation(self, corpus: str, identity: int) -> Generation | None:
        query = f"{_SELECT} WHERE corpus = ? AND id = ?"
        row = self.read().execute(query, (corpus, identity)).fetchone()
        return None if row is None else _generation(row)


def document_of(row: sqlite3.Row) -> Document:
    """Return the document that a whole row of its table holds."""
    pages = tuple(json.loads(row["pages"]))
    return Document(row["id"], row["name"], row["version"], row["text"], pages, json.loads(row["metadata"]))


def create_corpus(transaction: sqlite3.Connection, corpus: str, recipe: Recipe) -> None:
    """Create a corpus, whose name was checked, where it does not exist."""
    made = transaction.execute("INSERT OR IGNORE INTO corpora VALUES (?, ?)", (corpus, time.time())).rowcount
    if made:
        _begin(transaction, corpus, recipe, serves=True)


def insert_chunks(
    transaction: sqlite3.Connection, generation: int, row: int, document: Document, pieces: Pieces
) -> None:
    """Write the chunks of a document version and their embeddings, and tell the followers of their generation."""
    transaction.executemany(
        "INSERT OR IGNORE INTO embeddings VALUES (?, ?)",
        zip(pieces.keys, map(np.ndarray.tobytes, pieces.vectors.astype(np.float16)), strict=True),
    )
    transaction.executemany("DELETE FROM checkpoints WHERE key = ?", ((key,) for key in pieces.keys))
    transaction.executemany(
        "INSERT INTO chunks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        _chunk_rows(generation, row, document, pieces),
    )
    transaction.execute(
        "INSERT INTO changes (generation, document, kind) VALUES (?, ?, 'add')", (generation, row)
    )


def _chunk_rows(
    generation: int, row: int, document: Document, pieces: Pieces
) -> Iterator[tuple[object, ...]]:
    for (start, end, context), key in zip(pieces.spans, pieces.keys, strict=True):
        text = document.text[start:end]
        page = document.page_at(start)
        chunk = Chunk(document.id, document.name, document.version, start, end, text, page, context)
        yield generation, chunk.id, row, document.version, start, end, page, text, context, key


def _begin(transaction: sqlite3.Connection, corpus: str, recipe: Recipe, *, serves: bool) -> Generation:
    now = time.time()
    row = transaction.execute(
        "INSERT INTO generations VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING *",
        (corpus, recipe.embedder, recipe.model, recipe.chunker, recipe.chunk_tokens, recipe.chunker_version,
         now, now if serves else None, serves),
    ).fetchone()  # fmt: skip
    return _generation(row)


def _generation(row: sqlite3.Row) -> Generation:
    fields = ("embedder", "model", "chunker", "chunk_tokens", "chunker_version")
    recipe = Recipe(*(row[field] for field in fields))
    return Generation(row["id"], row["corpus"], recipe, row["created"], row["served"], bool(row["serves"]))
