"""One sync of a corpus at a time: a lock on a file in the data folder, which a dead process cannot hold."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO

from rag.errors import StorageError, SyncRunning
from rag.snapshot import corpus_stem


@contextmanager
def sync_lock(home: Path, corpus: str) -> Iterator[None]:
    """Hold the lock of a corpus until the block ends. It also excludes other threads of this process.

    The file stays: whoever deleted it could let two in, each with a file of its own.

    Raises:
        SyncRunning: if another one holds it.
        StorageError: if the data folder cannot be written.
    """
    path = home / f"sync-{corpus_stem(corpus)}.lock"
    with ExitStack() as stack:
        try:
            file = stack.enter_context(path.open("a+b", buffering=0))
            _take(file, corpus)
        except OSError as error:
            raise StorageError(f"{path} cannot be written ({error}); free the disk of {home}.") from error
        yield


def _take(file: IO[bytes], corpus: str) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise SyncRunning(
            f"Another sync of {corpus!r} is running ({_holder(file)}); let it end, then try again."
        ) from error
    file.truncate(0)
    file.write(json.dumps({"process": os.getpid(), "since": time.strftime("%Y-%m-%d %H:%M:%S")}).encode())


def _holder(file: IO[bytes]) -> str:
    file.seek(0)
    with suppress(ValueError, KeyError, TypeError):  # it may not have written it yet
        said = json.loads(file.read())
        return f"process {said['process']}, since {said['since']}"
    return "which process is not known yet"
