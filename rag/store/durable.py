"""Files that are on disk before anything rests on them, and locks that say who has a data folder open.

Locks are flock's: they belong to an open file, and a process that ends, however it ends, leaves none behind.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rag.errors import StorageError

IN_USE = "in-use.lock"  # in a data folder: shared by all who have it open


def put_in_place(temporary: Path, path: Path) -> None:
    """Give a written file its final name durably; until then the old file of that name stays."""
    sync(temporary)
    temporary.replace(path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on disk."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def lock(path: Path, *, shared: bool, wait: bool = False) -> int:
    """Lock a file, which is created if need be; closing the returned descriptor unlocks it.

    Raises:
        BlockingIOError: if another holds it, unless `wait` is set.
    """
    opened = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(opened, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
    except BaseException:
        os.close(opened)
        raise
    return opened


@contextmanager
def locked(path: Path, *, shared: bool, wait: bool = False) -> Iterator[None]:
    """Hold a lock for the block; raises as `lock` does."""
    opened = lock(path, shared=shared, wait=wait)
    try:
        yield
    finally:
        os.close(opened)


def take_part(home: Path) -> int:
    """Note that a data folder is open, until the returned descriptor is closed.

    Raises:
        StorageError: if it is being restored, or cannot be written.
    """
    try:
        return lock(home / IN_USE, shared=True)
    except BlockingIOError as error:
        raise StorageError(
            f"The data folder {home} is being restored; try again when that is done."
        ) from error
    except OSError as error:
        raise StorageError(
            f"The data folder {home} cannot be written ({error}); free its disk, make it writable for this user, "
            "or set IBID_HOME elsewhere."
        ) from error


@contextmanager
def alone(home: Path) -> Iterator[None]:
    """Keep all other processes out of a data folder for the block.

    Raises:
        StorageError: if another process has it open.
    """
    try:
        opened = lock(home / IN_USE, shared=False)
    except BlockingIOError as error:
        raise StorageError(
            f"Another process has the data folder {home} open, such as a server; stop it first. Nothing was changed."
        ) from error
    try:
        yield
    finally:
        os.close(opened)
