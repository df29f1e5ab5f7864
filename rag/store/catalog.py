"""The one truth: a SQLite database of corpora, documents, chunks, embeddings, jobs, and the change log.

One transaction makes a document version visible. Every visible change appends to the change log;
indexes follow it (rag/index/follower.py) and can be deleted and rebuilt at any time. Uploaded originals lie
beside the database as files named by their sha256.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rag.store.chunks import Changes, Chunks, Embeddings
from rag.store.corpora import Corpora
from rag.store.database import Database
from rag.store.documents import Documents, remove_documents
from rag.store.generations import Generations, create_corpus
from rag.store.jobs import JobQueue, forget_uploads
from rag.store.originals import Originals
from rag.store.schema import UPGRADES
from rag.store.sessions import Sessions, StatedFacts
from rag.store.synced import SyncedFolders
from rag.types import Recipe, check_corpus_name


class Catalog:
    """The catalogue in a data folder. Safe for several threads and several processes.

    It holds its parts, each of which does what concerns one kind of thing. It makes and deletes corpora itself, for
    that concerns them all.

    Args:
        upgrades: see `Database`.

    Raises:
        StorageError: see `Database`.
    """

    def __init__(self, home: Path, upgrades: Sequence[str] = UPGRADES) -> None:
        self.home = home
        self.database = Database(home, upgrades)
        self.originals = Originals(self.database)
        self.corpora = Corpora(self.database)
        self.generations = Generations(self.database, self.corpora)
        self.documents = Documents(self.database, self.originals, self.corpora, self.generations)
        self.chunks = Chunks(self.database)
        self.embeddings = Embeddings(self.database)
        self.changes = Changes(self.database)
        self.jobs = JobQueue(self.database, self.originals)
        self.synced = SyncedFolders(self.database)
        self.sessions = Sessions(self.database, self.corpora)
        self.facts = StatedFacts(self.database)

    def create_corpus(self, corpus: str, recipe: Recipe) -> None:
        """Create a corpus if it does not exist; an existing one keeps its recipe.

        Raises:
            InvalidName: if a corpus cannot have this name.
        """
        check_corpus_name(corpus)
        with self.database.write() as transaction:
            create_corpus(transaction, corpus, recipe)

    def delete_corpus(self, corpus: str) -> int:
        """Delete a corpus with its documents, conversations, uploads on their way to it, and index snapshots.

        Returns:
            How many documents it held.

        Raises:
            NotFound: if there is no such corpus.
        """
        self.corpora.require(corpus)
        with self.database.write() as transaction:
            removed = remove_documents(transaction, "corpus = ?", corpus)
            transaction.execute(
                "DELETE FROM changes WHERE generation IN (SELECT id FROM generations WHERE corpus = ?)",
                (corpus,),
            )
            transaction.execute("DELETE FROM corpora WHERE name = ?", (corpus,))
            cancelled = forget_uploads(transaction, corpus, None)
        # They hold its words and vectors.
        self.generations.drop_needless_snapshots(corpus)
        self.originals.drop_unused([*removed, *cancelled])
        # Its conversations are gone for good.
        self.database.empty_log()
        return len(removed)

    def close(self) -> None:
        """Close every thread's connection, and leave the data folder."""
        self.database.close()
