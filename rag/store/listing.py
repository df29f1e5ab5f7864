"""What the catalogue holds: listings of corpora and of their documents."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass

from rag.errors import NotFound
from rag.store.originals import Originals
from rag.types import Metadata, document_id, is_corpus_name

_SELECT = (
    "SELECT id, name, version, characters, sha256, created, metadata, "
    "(SELECT count(*) FROM chunks k WHERE k.document = d.row AND k.generation = "
    "(SELECT g.id FROM generations g WHERE g.corpus = d.corpus AND g.serves)) AS chunks FROM documents d"
)


@dataclass(frozen=True, slots=True)
class CorpusInfo:
    """What a listing says of a corpus."""

    name: str
    documents: int
    chunks: int
    created: float  # seconds since the epoch


@dataclass(frozen=True, slots=True)
class DocumentInfo:
    """What a listing says of a document."""

    id: str
    name: str
    version: int
    characters: int
    chunks: int
    sha256: str
    created: float
    metadata: Metadata


class Listings(Originals):
    """The part of the catalogue that lists.

    Raises:
        StorageError: if the folder cannot be used, or was written by a newer Ibid.
    """

    def corpora(self) -> list[CorpusInfo]:
        """Return what is known of each corpus, by name."""
        rows = self.read().execute(
            "SELECT c.name, (SELECT count(*) FROM documents WHERE corpus = c.name), "
            "(SELECT count(*) FROM chunks WHERE generation = g.id), c.created "
            "FROM corpora c JOIN generations g ON g.corpus = c.name AND g.serves ORDER BY c.name"
        )
        return [CorpusInfo(*tuple(row)) for row in rows]

    def require_corpus(self, corpus: str) -> None:
        """Raise NotFound unless there is such a corpus."""
        possible = is_corpus_name(corpus)
        query = "SELECT 1 FROM corpora WHERE name = ?"
        if not possible or self.read().execute(query, (corpus,)).fetchone() is None:
            known = ", ".join(known.name for known in self.corpora()[:20]) or "none yet"
            raise NotFound(f"There is no corpus {corpus!r}; the corpora are: {known}.")

    def documents(self, corpus: str, *, limit: int | None = None, offset: int = 0) -> list[DocumentInfo]:
        """Return what is known of the documents of a corpus by name, at most `limit` from `offset` on."""
        self.require_corpus(corpus)
        rows = self.read().execute(
            f"{_SELECT} WHERE corpus = ? ORDER BY name LIMIT ? OFFSET ?",
            (corpus, -1 if limit is None else limit, offset),
        )
        return [_info(row) for row in rows]

    def count_documents(self, corpus: str) -> int:
        """Return how many documents a corpus holds."""
        self.require_corpus(corpus)
        found = self.read().execute("SELECT count(*) FROM documents WHERE corpus = ?", (corpus,))
        return int(found.fetchone()[0])

    def document_info(self, corpus: str, name: str) -> DocumentInfo:
        """Return what is known of one document, or raise NotFound."""
        row = self.read().execute(f"{_SELECT} WHERE id = ?", (document_id(corpus, name),)).fetchone()
        if row is None:
            raise self.no_document(corpus, name)
        return _info(row)

    def no_document(self, corpus: str, name: str) -> NotFound:
        """Return the error that says which of the two is not there."""
        self.require_corpus(corpus)
        return NotFound(
            f"There is no document {name!r} in corpus {corpus!r}; "
            f"`ibid documents --corpus {corpus}` lists the names."
        )


def _info(row: sqlite3.Row) -> DocumentInfo:
    fields = ("id", "name", "version", "characters", "chunks", "sha256", "created")
    return DocumentInfo(**{field: row[field] for field in fields}, metadata=json.loads(row["metadata"]))
