"""One sync of a corpus at a time: a lock on a file in the data folder, which a dead process cannot hold."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rag.errors import StorageError, SyncRunning
from rag.store.corpora import corpus_stem
from rag.store.durable import lock
from rag.types import check_corpus_name


@contextmanager
def sync_lock(home: Path, corpus: str) -> Iterator[None]:
    """Hold the lock of a corpus until the block ends. It also excludes other threads of this process.

    The file stays: deleting it could let two in, each with a file of its own.

    Raises:
        InvalidName: if a corpus cannot have this name.
        SyncRunning: if another one holds it.
        StorageError: if the data folder cannot be written.
    """
    check_corpus_name(corpus)
    path = home / f"sync-{corpus_stem(corpus)}.lock"
    try:
        opened = lock(path, shared=False)
    except BlockingIOError as error:
        raise SyncRunning(
            f"Another sync of {corpus!r} is running ({_holder(path)}); let it end, then try again."
        ) from error
    except OSError as error:
        raise StorageError(f"{path} cannot be written ({error}); free the disk of {home}.") from error
    try:
        with suppress(OSError):  # it only helps whoever finds the lock taken
            os.ftruncate(opened, 0)
            os.write(
                opened,
                json.dumps({"process": os.getpid(), "since": time.strftime("%Y-%m-%d %H:%M:%S")}).encode(),
            )
        yield
    finally:
        os.close(opened)


def _holder(path: Path) -> str:
    with suppress(OSError, ValueError, KeyError, TypeError):  # it may not have written it yet
        said = json.loads(path.read_bytes())
        return f"process {said['process']}, since {said['since']}"
    return "which process is not known yet"
