"""Uploaded files, kept beside the database under their sha256 as long as a document or a job needs them."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rag.errors import StorageError
from rag.store.database import Database
from rag.store.durable import locked, put_in_place

log = logging.getLogger(__name__)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_TEMPORARY = re.compile(r"\.[0-9a-f]{64}\.(\d+)\.\d+")  # as `_write_durably` names them
_STARTED = time.time()
RETRY_S = 7 * 86_400  # how long the files of a job that failed or were cancelled are kept for another try
_IS_USED = (
    "SELECT EXISTS (SELECT 1 FROM documents WHERE sha256 = ?1) OR EXISTS (SELECT 1 FROM job_files f "
    "JOIN jobs j ON j.id = f.job WHERE f.sha256 = ?1 AND (f.state IN ('queued', 'running') OR "
    "(f.state IN ('failed', 'cancelled') AND coalesce(j.finished, unixepoch()) > unixepoch() - ?2)))"
)


class Originals(Database):
    """The part of the catalogue that holds files.

    Raises:
        StorageError: if the folder cannot be used, or was written by a newer Ibid.
    """

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self._originals_lock = home / "originals.lock"  # shared by those who copy, taken to delete
        try:
            (home / "originals").mkdir(exist_ok=True)
        except OSError as error:
            raise StorageError(
                f"The data folder {home} cannot be written ({error}); free its disk."
            ) from error

    def keep_original(self, data: bytes) -> str:
        """Store an uploaded file durably under its sha256 and return that; storing it again does nothing."""
        name = hashlib.sha256(data).hexdigest()
        path = self.original(name)
        if not path.is_file():
            _write_durably(path, data)
        return name

    def original(self, sha256: str) -> Path:
        """Return where an original lies."""
        return self.home / "originals" / sha256

    @contextmanager
    def keeping_originals(self) -> Iterator[None]:
        """Let no process delete an original in the block; what nobody needs by then is deleted after it."""
        try:
            with locked(self._originals_lock, shared=True, wait=True):
                yield
        finally:
            self.drop_unused_originals()

    def drop_unfinished_originals(self) -> None:
        """Delete what is left of originals whose process ended while it stored them."""
        try:
            for path in (self.home / "originals").iterdir():
                name = _TEMPORARY.fullmatch(path.name)
                if name and _has_ended(int(name[1]), path):
                    path.unlink(missing_ok=True)
        except OSError as error:  # the next start tries again
            log.warning("Unfinished originals could not be deleted (%s).", error)

    def drop_unused_originals(self, among: Sequence[str] | None = None) -> None:
        """Delete those originals that neither a document nor a job that may still be (re)tried needs any more.

        Args:
            among: sha256 of the candidates; None means all, such as those that a kill left behind.
        """
        names = os.listdir(self.home / "originals") if among is None else among  # noqa: PTH208
        present = [name for name in names if _SHA256.fullmatch(name) and self.original(name).is_file()]
        if not present:
            return
        try:
            with (
                self.write() as transaction,  # no upload of the same bytes is acknowledged in between
                locked(self._originals_lock, shared=False),
            ):
                for sha256 in present:
                    if not transaction.execute(_IS_USED, (sha256, RETRY_S)).fetchone()[0]:
                        self.original(sha256).unlink(missing_ok=True)
        except BlockingIOError:  # a backup is copying them, and drops them after
            return
        except (OSError, StorageError) as error:  # what was asked for is done; the next start tries again
            log.warning("Originals that nothing needs any more could not be deleted (%s).", error)


def forget_uploads(
    transaction: sqlite3.Connection,
    corpus: str,
    name: str | None,
    states: Sequence[str] = ("queued", "running", "failed", "cancelled"),
) -> list[str]:
    """Cancel uploads of a name, or of the whole corpus, as far as they are in some states, and let none be retried.

    Return the sha256 of their originals. The embeddings of versions that are not yet whole go in any case: of whose
    text they are, they do not tell.
    """
    where = (
        "state IN (SELECT value FROM json_each(?3)) AND sha256 != '' "
        "AND job IN (SELECT id FROM jobs WHERE corpus = ?1) AND (?2 IS NULL OR name = ?2)"
    )
    values = (corpus, name, json.dumps(list(states)))
    rows = transaction.execute(f"SELECT sha256 FROM job_files WHERE {where}", values).fetchall()
    if rows:
        transaction.execute(
            "UPDATE job_files SET error = 'It was deleted before it was ingested.', state = 'cancelled' "
            f"WHERE {where} AND state IN ('queued', 'running')",
            values,
        )
        transaction.execute(f"UPDATE job_files SET sha256 = '' WHERE {where}", values)
    transaction.execute("DELETE FROM checkpoints")
    return [row["sha256"] for row in rows]


def _has_ended(process: int, temporary: Path) -> bool:
    """Tell whether the writer of a temporary file is gone; in containers all have the same number."""
    if process == os.getpid():
        return temporary.stat().st_mtime < _STARTED
    try:
        os.kill(process, 0)  # only asks
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:  # another user's
        return False
    return False


def _write_durably(path: Path, data: bytes) -> None:
    """Write a file so that it is on disk, whole, under its name when this returns."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        temporary.write_bytes(data)
        put_in_place(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise StorageError(f"{path.parent} could not be written ({error}); nothing was accepted.") from error
