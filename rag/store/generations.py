"""The generations of a corpus in the catalogue: ways to cut and embed its documents, of which one serves.

All generations share a document's text and version; each has chunks of its own. So what is deleted leaves every
generation at once, and a generation that lacks documents is recognised and can be brought up to date.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from rag.errors import NotFound, WrongState
from rag.store.chunks import Pieces, insert_chunks
from rag.store.corpora import Corpora, corpus_stem
from rag.store.database import Database
from rag.types import Document, Recipe

log = logging.getLogger(__name__)
_TICK_S = 0.001  # between two swaps, at least


@dataclass(frozen=True, slots=True)
class Generation:
    """A generation of a corpus."""

    id: int
    corpus: str
    recipe: Recipe
    created: float  # seconds since the epoch
    served: float | None  # when it last began to serve, in seconds since the epoch
    serves: bool


@dataclass(frozen=True, slots=True)
class Extent:
    """How far a generation has come."""

    documents: int  # that it holds
    missing: int  # that its corpus holds and it does not
    chunks: int


_SELECT = (
    "SELECT id, corpus, created, served, serves, embedder, model, chunker, chunk_tokens, chunker_version "
    "FROM generations"
)
_LACKS = (
    "FROM documents d WHERE d.corpus = :corpus AND NOT EXISTS "
    "(SELECT 1 FROM chunks k WHERE k.document = d.row AND k.generation = :id)"
)


class Generations:
    """The generations of a catalogue's corpora."""

    def __init__(self, database: Database, corpora: Corpora) -> None:
        self._database, self._corpora = database, corpora

    def serving(self, corpus: str) -> Generation:
        """Return the generation that answers, or raise NotFound."""
        row = self._database.read().execute(f"{_SELECT} WHERE corpus = ? AND serves", (corpus,)).fetchone()
        if row is None:
            self._corpora.require(corpus)
            raise NotFound(f"Corpus {corpus!r} was deleted meanwhile.")
        return _generation(row)

    def of(self, corpus: str) -> list[Generation]:
        """Return the generations of a corpus, the oldest first."""
        self._corpora.require(corpus)
        rows = self._database.read().execute(f"{_SELECT} WHERE corpus = ? ORDER BY id", (corpus,))
        return [_generation(row) for row in rows]

    def begin(self, corpus: str, recipe: Recipe) -> Generation:
        """Begin a generation, or return the newest of the same recipe that does not serve."""
        with self._database.write() as transaction:
            known = [one for one in self.of(corpus) if one.recipe == recipe and not one.serves]
            if known:
                return known[-1]
            return _begin(transaction, corpus, recipe, serves=False)

    def begun(self) -> int:
        """Return how many generations were ever begun, pruned ones included."""
        row = (
            self._database.read()
            .execute("SELECT seq FROM sqlite_sequence WHERE name = 'generations'")
            .fetchone()
        )
        return int(row["seq"]) if row else 0

    def exists(self, generation: Generation) -> bool:
        """Return whether a generation is still there: of what a pruned one finds, no chunk is left."""
        return self._generation(generation.corpus, generation.id) is not None

    def extent(self, generation: Generation) -> Extent:
        """Return how far a generation has come."""
        given = {"corpus": generation.corpus, "id": generation.id}
        query = (
            f"SELECT (SELECT count(*) FROM documents WHERE corpus = :corpus), (SELECT count(*) {_LACKS}), "
            "(SELECT count(*) FROM chunks WHERE generation = :id)"
        )
        documents, missing, chunks = self._database.read().execute(query, given).fetchone()
        return Extent(documents - missing, missing, chunks)

    def missing(self, generation: Generation, *, after: int, limit: int) -> list[tuple[int, Document]]:
        """Return (row, document) of those that a generation lacks, by row.

        Args:
            after: only rows beyond this one.
            limit: most documents.
        """
        rows = self._database.read().execute(
            f"SELECT d.* {_LACKS} AND d.row > :after ORDER BY d.row LIMIT :limit",
            {"corpus": generation.corpus, "id": generation.id, "after": after, "limit": limit},
        )
        return [(row["row"], document_of(row)) for row in rows]

    def put(self, generation: Generation, row: int, pieces: Pieces) -> bool:
        """Give a generation the chunks of a document, in one transaction.

        Returns:
            Whether it was done: not where the document left meanwhile, or another process was faster.

        Raises:
            NotFound: if the generation was pruned.
        """
        with self._database.write() as transaction:
            self._require(generation)
            found = transaction.execute("SELECT * FROM documents WHERE row = ?", (row,)).fetchone()
            held = "SELECT 1 FROM chunks WHERE document = ? AND generation = ? LIMIT 1"
            if found is None or transaction.execute(held, (row, generation.id)).fetchone():
                return False
            insert_chunks(transaction, generation.id, row, document_of(found), pieces)
        return True

    def swap(self, generation: Generation) -> bool:
        """Let a generation serve from now on, in one transaction; return False where it lacks a document.

        Raises:
            NotFound: if it was pruned.
        """
        with self._database.write() as transaction:
            self._require(generation)
            if self.extent(generation).missing:
                return False
            latest = max(one.served or 0.0 for one in self.of(generation.corpus))
            served = max(time.time(), latest + _TICK_S)  # the newest, also where the clock was set back
            transaction.execute("UPDATE generations SET serves = 0 WHERE corpus = ?", (generation.corpus,))
            transaction.execute(
                "UPDATE generations SET serves = 1, served = ? WHERE id = ?", (served, generation.id)
            )
        return True

    def prune(self, generation: Generation) -> None:
        """Delete a generation, the embeddings that only it needs, and its snapshot.

        Raises:
            WrongState: if it serves.
        """
        with self._database.write() as transaction:
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
        """Delete the index snapshots of generations that no longer exist; for a deleted corpus, all of them."""
        rows = (
            self._database.read().execute("SELECT id FROM generations WHERE corpus = ?", (corpus,)).fetchall()
        )
        keep_snapshots(self._database.home, corpus, [row["id"] for row in rows])

    def _require(self, generation: Generation) -> None:
        if not self.exists(generation):
            raise NotFound(f"Generation {generation.id} of {generation.corpus!r} was pruned meanwhile.")

    def _generation(self, corpus: str, identity: int) -> Generation | None:
        query = f"{_SELECT} WHERE corpus = ? AND id = ?"
        row = self._database.read().execute(query, (corpus, identity)).fetchone()
        return None if row is None else _generation(row)


def snapshot_path(home: Path, corpus: str, generation: int, engine: str) -> Path:
    """Return the path of the snapshot of a generation's indexes; `engine` is the lexical one."""
    return home / "indexes" / f"{corpus_stem(corpus)}-{generation}-{engine}.snapshot"


def keep_snapshots(home: Path, corpus: str, generations: Collection[int]) -> None:
    """Delete the snapshots of a corpus, half-written ones included, except those of some generations."""
    kept = tuple(f"{corpus_stem(corpus)}-{generation}-" for generation in generations)
    for path in (home / "indexes").glob(f"*{corpus_stem(corpus)}-*"):
        try:
            if not path.name.lstrip(".").startswith(kept):
                path.unlink(missing_ok=True)
        except OSError as error:
            log.warning("The index snapshot %s is needed no more, and stays (%s); delete it.", path, error)


def document_of(row: sqlite3.Row) -> Document:
    """Return the document that a whole row of its table holds."""
    pages = tuple(json.loads(row["pages"]))
    return Document(row["id"], row["name"], row["version"], row["text"], pages, json.loads(row["metadata"]))


def create_corpus(transaction: sqlite3.Connection, corpus: str, recipe: Recipe) -> None:
    """Create a corpus, whose name was checked, where it does not exist."""
    made = transaction.execute("INSERT OR IGNORE INTO corpora VALUES (?, ?)", (corpus, time.time())).rowcount
    if made:
        _begin(transaction, corpus, recipe, serves=True)


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
