"""The corpora of a catalogue by name. `Catalog` makes and deletes them, for that concerns every other part."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from rag.errors import NotFound
from rag.store.database import Database
from rag.types import is_corpus_name


@dataclass(frozen=True, slots=True)
class CorpusInfo:
    """What a listing says of a corpus."""

    name: str
    documents: int
    chunks: int
    created: float  # seconds since the epoch


class Corpora:
    """The corpora of a catalogue."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def infos(self) -> list[CorpusInfo]:
        """Return what is known of each corpus, by name."""
        rows = self._database.read().execute(
            "SELECT c.name, (SELECT count(*) FROM documents WHERE corpus = c.name), "
            "(SELECT count(*) FROM chunks WHERE generation = g.id), c.created "
            "FROM corpora c JOIN generations g ON g.corpus = c.name AND g.serves ORDER BY c.name"
        )
        return [CorpusInfo(*tuple(row)) for row in rows]

    def require(self, corpus: str) -> None:
        """Raise NotFound unless there is such a corpus."""
        if not is_corpus_name(corpus) or not self.exists(corpus):
            known = ", ".join(info.name for info in self.infos()[:20]) or "none yet"
            raise NotFound(f"There is no corpus {corpus!r}; the corpora are: {known}.")

    def exists(self, corpus: str) -> bool:
        """Return whether there is a corpus of this name."""
        row = self._database.read().execute("SELECT 1 FROM corpora WHERE name = ?", (corpus,)).fetchone()
        return row is not None


def corpus_stem(corpus: str) -> str:
    """Return what files of a corpus are named after: its own name may be too long for a file's."""
    return hashlib.sha256(corpus.encode("utf-8", "surrogatepass")).hexdigest()[:16]
