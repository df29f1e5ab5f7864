"""The SQLite file under the catalogue: its schema, one connection for each thread, and transactions.

Whatever SQLite reports, in a transaction or out of it, comes as a StorageError that says what to do.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

from rag.errors import StorageError
from rag.store.durable import put_in_place, take_part
from rag.store.schema import UPGRADES, bring_up_to_date, newest_version, read_version

log = logging.getLogger(__name__)
_WAIT_S = 60  # for another writer
_LOG_WAIT_MS = 2_000  # for a reader of the log
CATALOG = "catalog.sqlite3"


class Cursor(sqlite3.Cursor):
    """A cursor whose errors say what to do: the one place where SQLite's become StorageError."""

    connection: Connection

    def execute(self, sql: str, parameters: Any = (), /) -> Self:
        with self._reported():
            return super().execute(sql, parameters)

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> Self:
        with self._reported():
            return super().executemany(sql, parameters)

    def fetchone(self) -> Any:
        with self._reported():
            return super().fetchone()

    def fetchall(self) -> list[Any]:
        with self._reported():
            return super().fetchall()

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        with self._reported():
            yield from iter(super().fetchone, None)

    @contextlib.contextmanager
    def _reported(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.ProgrammingError:  # a bug of ours, not the disk's
            raise
        except sqlite3.DatabaseError as error:
            raise self.connection.reported(error) from error


class Connection(sqlite3.Connection):
    """A connection whose cursors raise no raw SQLite errors."""

    file = Path()
    writing = False

    def execute(self, sql: str, parameters: Any = (), /) -> Cursor:
        return super().cursor(Cursor).execute(sql, parameters)

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> Cursor:
        return super().cursor(Cursor).executemany(sql, parameters)

    def reported(self, error: sqlite3.DatabaseError) -> StorageError:
        """Return SQLite's error as one that says what to do."""
        if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return _damaged(self.file, error)
        done = "written" if self.writing else "read"
        return StorageError(
            f"The catalogue could not be {done} ({error}); nothing was changed. Check the disk of {self.file.parent}."
        )


class Database:
    """A SQLite database in a data folder. Safe for several threads and several processes.

    Readers never wait; writers take turns (WAL mode, one connection for each thread). A folder of an older version is
    brought up to date; a copy of the catalogue as it was stays beside it.

    Args:
        upgrades: what brings older versions up to date, see rag/store/schema.py.

    Raises:
        StorageError: if the folder cannot be used, or was made by a newer Ibid or one that was never released.
    """

    def __init__(self, home: Path, upgrades: Sequence[str] = UPGRADES) -> None:
        self.home = home
        self._local = threading.local()
        self._connections: dict[threading.Thread, Connection] = {}
        self._lock = threading.Lock()
        try:
            home.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(
                f"The data folder {home} cannot be made ({error}); set IBID_HOME elsewhere."
            ) from error
        self._leave = weakref.finalize(self, os.close, take_part(home))
        # Whoever drops a database without closing it leaves no connection open either.
        weakref.finalize(self, _close_all, self._connections).atexit = False
        try:
            self._prepare_schema(upgrades)
        except BaseException:
            self.close()
            raise

    def read(self) -> Connection:
        """Return this thread's connection."""
        connection: Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._connect()
            self._local.connection = connection
            with self._lock:
                for thread in [thread for thread in self._connections if not thread.is_alive()]:
                    self._connections.pop(thread).close()  # servers start and end threads all day
                self._connections[threading.current_thread()] = connection
        return connection

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """Make all reads of this thread in the block see one state, whatever is written meanwhile."""
        connection = self.read()
        if connection.in_transaction:
            yield connection
            return
        connection.execute("BEGIN")
        try:
            yield connection
        finally:
            if connection.in_transaction:  # some errors end it
                connection.execute("ROLLBACK")  # COMMIT would raise a read error once more, and go on

    @contextlib.contextmanager
    def write(self) -> Iterator[Connection]:
        """Run a transaction: everything in it becomes visible at once, or nothing does."""
        connection = self.read()
        connection.writing = True
        try:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        finally:
            connection.writing = False

    def empty_log(self) -> None:
        """Empty the write-ahead log, which still holds what was deleted; if a reader holds it, the next call does."""
        connection = self.read()
        connection.execute(f"PRAGMA busy_timeout = {_LOG_WAIT_MS}")
        try:
            busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        finally:
            connection.execute(f"PRAGMA busy_timeout = {_WAIT_S * 1000}")
        if busy:
            log.warning(
                "A reader holds the log of %s; what was deleted stays in it until the next.", self.home
            )

    def damage(self, *, quick: bool = False) -> str:
        """Return what SQLite finds wrong with the file, "" where nothing.

        Args:
            quick: leave out whether indexes agree with their tables.
        """
        check = "quick_check" if quick else "integrity_check"
        found = str(self.read().execute(f"PRAGMA {check}").fetchone()[0])
        return "" if found == "ok" else found

    def copy_to(self, path: Path) -> None:
        """Write the catalogue as it is now to one file, while others read and write, and check that copy.

        Raises:
            StorageError: if it cannot be written, or is damaged.
        """
        copied = sqlite3.connect(path, isolation_level=None)
        try:
            with contextlib.closing(self._connect()) as source, contextlib.closing(copied):
                source.backup(copied)
                copied.execute("PRAGMA journal_mode = DELETE")  # all of it in this file
                [found] = copied.execute("PRAGMA integrity_check(1)").fetchone()
        except sqlite3.DatabaseError as error:
            raise StorageError(
                f"The catalogue of {self.home} could not be copied to {path} ({error}); "
                "free that disk, and run `ibid doctor`."
            ) from error
        if found != "ok":
            raise StorageError(
                f"The catalogue of {self.home} is damaged ({' '.join(found.split())}); restore a backup."
            )

    def close(self) -> None:
        """Close every thread's connection, and leave the data folder."""
        with self._lock:
            _close_all(self._connections)
        self._local = threading.local()
        self._leave()

    def _connect(self) -> Connection:
        file = self.home / CATALOG
        try:
            connection = sqlite3.connect(
                file, timeout=_WAIT_S, isolation_level=None, check_same_thread=False, factory=Connection
            )
            try:
                _use_wal(connection)
            except BaseException:
                connection.close()
                raise
        except sqlite3.OperationalError as error:
            raise StorageError(
                f"The catalogue in {self.home} does not open ({error}); "
                "make that folder writable for this user, or set IBID_HOME elsewhere."
            ) from error
        except sqlite3.DatabaseError as error:
            raise _damaged(file, error) from error
        connection.file = file
        connection.execute("PRAGMA synchronous = FULL")  # acknowledged means on disk, power cuts included
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA secure_delete = ON")  # what is deleted is overwritten, not only unlisted
        connection.row_factory = sqlite3.Row
        return connection

    def identity(self) -> str:
        """Return the 32 hex digits that identify this catalogue."""
        query = "SELECT id FROM identity"
        return str(self.read().execute(query).fetchone()["id"])

    def _prepare_schema(self, upgrades: Sequence[str]) -> None:
        what, newest = f"The data folder {self.home}", newest_version(upgrades)
        with self.snapshot() as connection:
            if read_version(connection, what, upgrades) == newest:
                return
        with self.write() as transaction:
            # Asked again: another process may have come first.
            version = read_version(transaction, what, upgrades)
            if 0 < version < newest:
                self._keep_copy(version, newest)
            if version < newest:
                bring_up_to_date(transaction, version, upgrades)

    def _keep_copy(self, schema: int, newest: int) -> None:
        """Copy the catalogue before it is brought up to date; the copy stays until the operator deletes it."""
        copy = self.home / f"catalog.schema-{schema}.sqlite3"
        unfinished = copy.with_name(f".{copy.name}.{os.getpid()}.{threading.get_ident()}")
        try:
            self.copy_to(unfinished)
            put_in_place(unfinished, copy)
        except OSError as error:
            raise StorageError(
                f"{copy} could not be written ({error}); nothing was changed. Free its disk."
            ) from error
        finally:
            for suffix in ("", "-journal", "-wal", "-shm"):
                unfinished.with_name(unfinished.name + suffix).unlink(missing_ok=True)
        log.warning(
            "The data folder %s is brought from schema %s to %s. As it was, the catalogue is kept in %s: delete that "
            "once all is well, for it also holds what is deleted later.",
            self.home, schema, newest, copy,
        )  # fmt: skip


def _close_all(connections: dict[threading.Thread, Connection]) -> None:
    for connection in connections.values():
        connection.close()
    connections.clear()


def _damaged(file: Path, error: sqlite3.Error) -> StorageError:
    return StorageError(f"{file} is not a readable catalogue ({error}); restore a backup.")


def _use_wal(connection: Connection) -> None:
    """Switch to WAL mode, which for a new file SQLite refuses at once, without its timeout, while another does."""
    for _ in range(100):
        try:
            connection.cursor().execute("PRAGMA journal_mode = WAL")  # raw, for its error code
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
            time.sleep(0.05)
    raise sqlite3.OperationalError("database is locked")
