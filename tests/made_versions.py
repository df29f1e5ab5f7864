"""Document versions for the tests of the catalogue: a chunk a line, embedded by the real trunk."""

import hashlib
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np

from rag.index.follower import CorpusIndex
from rag.models.embed import Embedder
from rag.store.catalog import Catalog
from rag.store.chunks import Pieces, embedding_key
from rag.store.documents import NewVersion
from rag.types import Chunk, Recipe, Scalar

CORPUS = "library"
SEA = "The lamp of the lighthouse burns whale oil. Ada Quill lights the lamp at dusk. The tower is 41 metres high."
MILL = "The mill grinds rye on Tuesdays. Its miller is called Bo Marsh."
LAMP_QUESTION = "What does the lamp of the lighthouse burn?"  # which SEA answers
QUILL = (
    "Ada Quill was the keeper of the lighthouse. Ada Quill was born in Lund in 1822.\n\n"
    "Ada Quill wrote three books about fog signals. Bo Marsh was the miller, and was born in Kiel in 1830."
)


def line_pieces(text: str, context: str = "") -> list[tuple[int, int, str]]:
    """Return (start, end, context) of each line with text."""
    pieces, start = [], 0
    for line in text.split("\n"):
        if line.strip():
            pieces.append((start, start + len(line), context))
        start += len(line) + 1
    return pieces


def make_version(
    text: str,
    vectors: np.ndarray,
    *,
    fingerprint: str = "random",
    metadata: Mapping[str, Scalar] | None = None,
    sha256: str | None = None,
    given: str = "{}",
    pages: tuple[int, ...] = (),
    context: str = "",
) -> NewVersion:
    pieces = line_pieces(text, context)
    head = f"{context}\n" if context else ""
    keys = [embedding_key(fingerprint, head + text[start:end]) for start, end, _ in pieces]
    digest = sha256 or hashlib.sha256(text.encode()).hexdigest()
    return NewVersion(text, pages, metadata or {}, digest, given, Pieces(pieces, vectors, keys))


def random_vectors(count: int, seed: int, dimension: int = 384) -> np.ndarray:
    rows = np.random.default_rng(seed).standard_normal((count, dimension)).astype(np.float32)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def damage_inside(home: Path, *tables: str, last: bool = False) -> None:
    """Overwrite the first (or the last) page of tables or indexes, and leave those of the schema."""
    with sqlite3.connect(home / "catalog.sqlite3") as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        [size] = database.execute("PRAGMA page_size").fetchone()
        query = "SELECT rootpage FROM sqlite_schema WHERE name = ?"
        roots = [database.execute(query, (table,)).fetchone()[0] for table in tables]
    database.close()
    with (home / "catalog.sqlite3").open("r+b") as file:
        for page in roots:
            if last:
                file.seek((page - 1) * size + 8)  # where an inner page names its right-most child
                page = int.from_bytes(file.read(4), "big")
            file.seek((page - 1) * size)
            file.write(b"\xff" * size)


# An upgrade, as a later release may bring one.
NEXT = (
    "ALTER TABLE corpora ADD COLUMN note TEXT NOT NULL DEFAULT 'none';\nCREATE INDEX notes ON corpora (note)",
)


def make_unreleased(home: Path, schema: int) -> None:
    """Make a closed data folder look as if an unreleased version of Ibid had left it."""
    with closing(sqlite3.connect(home / "catalog.sqlite3", isolation_level=None)) as database:
        database.execute("PRAGMA application_id = 0")
        database.execute(f"PRAGMA user_version = {schema}")


class Library:
    """Puts documents into corpora of a catalogue, each line embedded once by the real embedder."""

    def __init__(self, catalog: Catalog, embedder: Embedder, known: dict[str, np.ndarray]) -> None:
        self.catalog, self.embedder, self._known = catalog, embedder, known

    def vectors(self, texts: Sequence[str]) -> np.ndarray:
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        self._known.update(zip(new, self.embedder.encode(new), strict=True))
        return np.array([self._known[text] for text in texts], np.float32).reshape(len(texts), -1)

    def put(
        self,
        name: str,
        text: str,
        *,
        corpus: str = CORPUS,
        metadata: Mapping[str, Scalar] | None = None,
        sha256: str | None = None,
        pages: tuple[int, ...] = (),
        context: str = "",
    ) -> int:
        self.catalog.create_corpus(corpus, Recipe(self.embedder.fingerprint))
        head = f"{context}\n" if context else ""
        texts = [head + text[start:end] for start, end, _ in line_pieces(text)]
        new = make_version(
            text,
            self.vectors(texts),
            fingerprint=self.embedder.fingerprint,
            metadata=metadata,
            sha256=sha256,
            pages=pages,
            context=context,
        )
        return self.catalog.documents.put(corpus, name, new)


def fill(catalog: Catalog, name: str, text: str, *, corpus: str = CORPUS, **fields: object) -> int:
    """Put a version with random vectors, for tests that search nothing."""
    catalog.create_corpus(corpus, Recipe("random"))
    lines = sum(bool(line.strip()) for line in text.split("\n"))
    new = make_version(text, random_vectors(lines, seed=len(text)))
    return catalog.documents.put(corpus, name, replace(new, **fields))  # type: ignore[arg-type]


def all_chunks(catalog: Catalog) -> dict[int, Chunk]:
    rows = catalog.database.read().execute("SELECT generation, id FROM chunks").fetchall()
    found: dict[int, Chunk] = {}
    for generation in {row["generation"] for row in rows}:
        found |= catalog.chunks.get(
            generation, [row["id"] for row in rows if row["generation"] == generation]
        )
    return found


def serving(catalog: Catalog, corpus: str = CORPUS) -> int:
    """Return the number of the generation that serves a corpus."""
    return catalog.generations.serving(corpus).id


def follower(
    catalog: Catalog, *, corpus: str = CORPUS, lexical: str = "bm25", dimension: int = 384
) -> CorpusIndex:
    """Return a new follower of the generation that serves a corpus."""
    return CorpusIndex(catalog, catalog.generations.serving(corpus), dimension, lexical)


def count(catalog: Catalog, table: str) -> int:
    return int(catalog.database.read().execute(f"SELECT count(*) FROM {table}").fetchone()[0])
