"""Which folder each document of a corpus was last seen in: a sync moves and deletes its own documents alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rag.store.database import Database
from rag.types import READER_VERSION, document_id


@dataclass(frozen=True, slots=True)
class SyncedDocument:
    """A document as the catalogue holds it, and where a sync saw it."""

    name: str
    sha256: str  # of the file that it was made of
    folder: str | None  # where a sync saw this version; None where none did, such as an upload
    reader: int = READER_VERSION  # which version of the readers made its text


class SyncedFolders:
    """The folders of a catalogue's documents. A version that comes in by another way has none."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def documents(self, corpus: str) -> dict[str, SyncedDocument]:
        """Return the documents of a corpus by name, in one query; none where there is no such corpus."""
        rows = self._database.read().execute(
            "SELECT d.name, d.sha256, s.folder, d.reader FROM documents d "
            "LEFT JOIN synced s ON s.document = d.row WHERE d.corpus = ? ORDER BY d.name",
            (corpus,),
        )
        return {row["name"]: SyncedDocument(*tuple(row)) for row in rows}

    def is_of(self, corpus: str, name: str, folder: str) -> bool:
        """Return whether a document was last seen in a folder."""
        query = (
            "SELECT 1 FROM synced s JOIN documents d ON d.row = s.document WHERE d.id = ? AND s.folder = ?"
        )
        found = self._database.read().execute(query, (document_id(corpus, name), folder))
        return found.fetchone() is not None

    def mark(self, corpus: str, seen: Mapping[str, str], *, folder: str) -> None:
        """Note that files were seen in a folder, where the catalogue holds them as they were seen.

        Args:
            seen: sha256 by name.
        """
        with self._database.write() as transaction:
            transaction.executemany(
                "INSERT OR REPLACE INTO synced SELECT row, ? FROM documents WHERE id = ? AND sha256 = ?",
                [(folder, document_id(corpus, name), sha256) for name, sha256 in seen.items()],
            )
