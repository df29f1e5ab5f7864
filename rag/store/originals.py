"""Uploaded files, kept beside the database under their sha256 as long as a document or a job needs them."""

from __future__ import annotations

import hashlib
import logging
import os
import re
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


class Originals:
    """The uploaded files of a catalogue.

    Raises:
        StorageError: if their folder cannot be made.
    """

    def __init__(self, database: Database) -> None:
        home = database.home
        self._database, self._folder = database, home / "originals"
        # Shared by those who copy, taken to delete.
        self._lock = home / "originals.lock"
        try:
            self._folder.mkdir(exist_ok=True)
        except OSError as error:
            raise StorageError(
                f"The data folder {home} cannot be written ({error}); free its disk."
            ) from error

    def keep(self, data: bytes, sha256: str | None = None) -> str:
        """Store an uploaded file durably under its sha256 and return that; storing it again does nothing.

        Args:
            sha256: that of the data, where it is known.
        """
        name = sha256 or hashlib.sha256(data).hexdigest()
        path = self.path(name)
        if not path.is_file():
            _write_durably(path, data)
        return name

    def path(self, sha256: str) -> Path:
        """Return the path of an original."""
        return self._folder / sha256

    @contextmanager
    def protected(self) -> Iterator[None]:
        """Keep every process from deleting originals in the block; those unused by then are deleted after it."""
        try:
            with locked(self._lock, shared=True, wait=True):
                yield
        finally:
            self.drop_unused()

    def drop_unfinished(self) -> None:
        """Delete half-written originals whose process ended while it stored them."""
        try:
            for path in self._folder.iterdir():
                name = _TEMPORARY.fullmatch(path.name)
                if name and _has_ended(int(name[1]), path):
                    path.unlink(missing_ok=True)
        except OSError as error:  # the next start tries again
            log.warning("Unfinished originals could not be deleted (%s).", error)

    def drop_unused(self, among: Sequence[str] | None = None) -> None:
        """Delete the originals that no document needs, nor any job that is queued or may be retried.

        Args:
            among: sha256 of the candidates; None means all, including those that a kill left behind.
        """
        names = os.listdir(self._folder) if among is None else among  # noqa: PTH208
        present = [name for name in names if _SHA256.fullmatch(name) and self.path(name).is_file()]
        if not present:
            return
        try:
            with (
                self._database.write() as transaction,  # no upload of the same bytes is acknowledged in between
                locked(self._lock, shared=False),
            ):
                for sha256 in present:
                    if not transaction.execute(_IS_USED, (sha256, RETRY_S)).fetchone()[0]:
                        self.path(sha256).unlink(missing_ok=True)
        except BlockingIOError:  # a backup is copying them, and drops them after
            return
        except (OSError, StorageError) as error:  # what was asked for is done; the next start tries again
            log.warning("Originals that nothing needs any more could not be deleted (%s).", error)


def _has_ended(process: int, temporary: Path) -> bool:
    """Return whether the writer of a temporary file is gone; in containers all have the same number."""
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
