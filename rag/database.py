"""The SQLite file under the catalogue: its schema, one connection for each thread, and transactions."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from rag.errors import StorageError

SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE corpora (
    name TEXT PRIMARY KEY, embedder TEXT NOT NULL, created REAL NOT NULL) STRICT;
CREATE TABLE documents (
    row INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
    corpus TEXT NOT NULL REFERENCES corpora(name), name TEXT NOT NULL, version INTEGER NOT NULL,
    sha256 TEXT NOT NULL, build TEXT NOT NULL, created REAL NOT NULL, characters INTEGER NOT NULL,
    metadata TEXT NOT NULL, pages TEXT NOT NULL, text TEXT NOT NULL, UNIQUE (corpus, name)) STRICT;
CREATE INDEX documents_by_sha256 ON documents (sha256);
CREATE TABLE last_versions (  -- a deleted name never reuses a version
    document_id TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT;
CREATE TABLE chunks (
    id INTEGER PRIMARY KEY, document INTEGER NOT NULL REFERENCES documents(row) ON DELETE CASCADE,
    version INTEGER NOT NULL, start INTEGER NOT NULL, "end" INTEGER NOT NULL, page INTEGER,
    text TEXT NOT NULL, context TEXT NOT NULL, embedding BLOB NOT NULL) STRICT;
CREATE INDEX chunks_in_order ON chunks (document, start);
CREATE INDEX chunks_by_embedding ON chunks (embedding);
CREATE TABLE embeddings (  -- float16
    key BLOB PRIMARY KEY, vector BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE changes (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, corpus TEXT NOT NULL, document INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('add', 'remove'))) STRICT;
CREATE INDEX changes_of_corpus ON changes (corpus, seq);
CREATE TABLE jobs (
    id TEXT PRIMARY KEY, corpus TEXT NOT NULL, state TEXT NOT NULL, created REAL NOT NULL,
    finished REAL, error TEXT) STRICT;
CREATE TABLE job_files (
    job TEXT NOT NULL REFERENCES jobs(id) ON DELETE CASCADE, name TEXT NOT NULL, sha256 TEXT NOT NULL,
    metadata TEXT NOT NULL, state TEXT NOT NULL, error TEXT, PRIMARY KEY (job, name)) STRICT;
CREATE INDEX job_files_by_sha256 ON job_files (sha256);
"""


class Database:
    """A SQLite database in a data folder. Safe for several threads and several processes.

    Readers never wait; writers take turns (WAL mode, one connection for each thread).

    Raises:
        StorageError: if the folder cannot be used, or was written by a newer Ibid.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self._local = threading.local()
        self._connections: dict[threading.Thread, sqlite3.Connection] = {}
        self._lock = threading.Lock()
        try:
            home.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(
                f"The data folder {home} cannot be made ({error}); set IBID_HOME elsewhere."
            ) from error
        self._prepare_schema()

    def read(self) -> sqlite3.Connection:
        """Return this thread's connection."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._connect()
            self._local.connection = connection
            with self._lock:
                for thread in [thread for thread in self._connections if not thread.is_alive()]:
                    self._connections.pop(thread).close()  # servers start and end threads all day
                self._connections[threading.current_thread()] = connection
        return connection

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """Make all reads of this thread in the block see one state, whatever is written meanwhile."""
        connection = self.read()
        if connection.in_transaction:
            yield connection
            return
        connection.execute("BEGIN")
        try:
            yield connection
        finally:
            connection.execute("COMMIT")

    @contextlib.contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Run a transaction: everything in it becomes visible at once, or nothing does."""
        connection = self.read()
        try:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")
        except BaseException as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise StorageError(
                    f"The catalogue could not be written ({error}); nothing was changed. Check the disk of {self.home}."
                ) from error
            raise

    def close(self) -> None:
        """Close every thread's connection."""
        with self._lock:
            for connection in self._connections.values():
                connection.close()
            self._connections.clear()
        self._local = threading.local()

    def _connect(self) -> sqlite3.Connection:
        try:
            connection = sqlite3.connect(
                self.home / "catalog.sqlite3", timeout=60, isolation_level=None, check_same_thread=False
            )
            _use_wal(connection)
            connection.execute("PRAGMA synchronous = FULL")  # acknowledged means on disk, power cuts included
            connection.execute("PRAGMA foreign_keys = ON")
        except sqlite3.OperationalError as error:
            raise StorageError(f"The catalogue in {self.home} does not open ({error}).") from error
        except sqlite3.DatabaseError as error:
            raise self._damaged(error) from error
        connection.row_factory = sqlite3.Row
        return connection

    def _prepare_schema(self) -> None:
        try:
            connection = self.read()
            found = connection.execute("PRAGMA user_version").fetchone()[0]
            if found == 0:
                with self.write() as transaction:
                    if transaction.execute("PRAGMA user_version").fetchone()[0] == 0:
                        for statement in _SCHEMA.split(";\n"):
                            transaction.execute(statement)
                        transaction.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        except sqlite3.DatabaseError as error:
            raise self._damaged(error) from error
        if found > SCHEMA_VERSION:
            raise StorageError(
                f"The data folder {self.home} has schema {found}, newer than this Ibid's {SCHEMA_VERSION}; "
                "upgrade Ibid."
            )

    def _damaged(self, error: sqlite3.Error) -> StorageError:
        return StorageError(
            f"{self.home / 'catalog.sqlite3'} is not a readable catalogue ({error}); restore a backup."
        )


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch to WAL mode, which for a new file SQLite refuses at once, without its timeout, while another does."""
    for _ in range(100):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
            time.sleep(0.05)
    raise sqlite3.OperationalError("database is locked")
