"""Sources: the files to ingest, where they are found, and the outcome of each."""

from __future__ import annotations

import logging
import os
import sqlite3
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from ingest.formats.signature import supported
from ingest.names import taken_name
from rag.errors import IbidError, ProcessError, StorageError, UnreadableFile
from rag.store.catalog import Catalog
from rag.types import Metadata, Omission

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Source:
    """A file to ingest: its name in the corpus, how to get its bytes, and metadata that the user gives."""

    name: str
    read: Callable[[], bytes]
    metadata: Metadata = field(default_factory=dict)
    size: int | None = None  # bytes, where known before reading; a file too large is then not read at all
    sha256: str | None = None  # of the bytes, where they cannot have changed since they were hashed
    wanted: Callable[[], bool] | None = None  # called in the transaction that would make the version visible


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one source: added, updated, unchanged, skipped or failed (with the reason)."""

    name: str
    state: str
    version: int | None = None
    chunks: int = 0
    error: str | None = None
    omissions: tuple[Omission, ...] = ()  # what of the file is not in


def find_sources(paths: Iterable[Path]) -> tuple[list[Source], list[Outcome]]:
    """List the files under some paths as sources, and those left out with the reason.

    A file's name is its path relative to the folder given, or its own name where a file is given.
    Hidden files are ignored, and a file that is given twice counts once. A format that is not read is skipped, unless
    the file itself is given.
    """
    sources: dict[str, Source] = {}
    taken: dict[str, Path] = {}
    left: list[Outcome] = []
    for path, name, named in _walk(paths, left):
        size = _size(path)
        if isinstance(size, str):
            left.append(Outcome(name, "failed", error=size))
        elif not named and not supported(name):
            left.append(Outcome(name, "skipped", error="Its format is not read."))
        elif name in sources:
            if path.resolve() != taken[name].resolve():
                error = taken_name(name, str(taken[name]), str(path))
                left.append(Outcome(name, "failed", error=str(error)))
        else:
            taken[name] = path
            sources[name] = Source(name, partial(_read_regular, path), size=size)
    return list(sources.values()), left


def outdated_sources(catalog: Catalog, corpus: str) -> tuple[list[Source], list[Outcome]]:
    """List the documents that an older version of the readers made as sources, and those without an original.

    Raises:
        NotFound: if there is no such corpus.
    """
    sources, left = [], []
    for name in catalog.documents.outdated(corpus):
        original = catalog.originals.path(catalog.documents.info(corpus, name).sha256)
        if original.is_file():
            sources.append(Source(name, original.read_bytes, catalog.documents.given(corpus, name)))
        else:
            reason = "Its original is not kept; ingest or sync the folder that it came from once more."
            left.append(Outcome(name, "skipped", error=reason))
    return sources, left


def _walk(paths: Iterable[Path], left: list[Outcome]) -> Iterator[tuple[Path, str, bool]]:
    """Yield each file, its name, and whether it was named itself; folders that cannot be listed go to `left`."""
    for path in paths:
        if not _is_folder(path):
            yield path, path.name, True
            continue
        errors: list[OSError] = []
        for file in sorted(_files_under(path, errors)):
            yield file, file.relative_to(path).as_posix(), False
        for error in errors:
            folder = str(error.filename)
            left.append(Outcome(folder, "failed", error=f"{folder} cannot be listed ({error.strerror})."))


def _files_under(folder: Path, errors: list[OSError]) -> Iterator[Path]:
    for where, folders, files in os.walk(folder, onerror=errors.append):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(where, name) for name in files if not name.startswith("."))


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # such as a name too long, which `_size` reports
        return False


def _size(path: Path) -> int | str:
    """Return a file's size in bytes, or what is wrong with it."""
    try:
        return path.stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        return f"{path} does not exist."
    except OSError as error:
        return f"{path} cannot be read ({error.strerror})."


def _read_regular(path: Path) -> bytes:
    """Return a file's bytes, all of one moment.

    Raises:
        UnreadableFile: if it is gone, no regular file, not readable, or is being written.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # before opening: a pipe would wait for its writer
            raise UnreadableFile(f"{path} is not a regular file; expected a file or folder.")
        with path.open("rb") as file:
            before = os.fstat(file.fileno())
            data = file.read()
            after = os.fstat(file.fileno())
    except FileNotFoundError as error:
        raise UnreadableFile(f"{path} is no longer there.") from error
    except OSError as error:
        raise UnreadableFile(f"{path} cannot be read ({error.strerror}).") from error
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise UnreadableFile(f"{path} was written to while it was being read; try again once it is whole.")
    return data


def failed(name: str, stage: str, error: Exception) -> Outcome:
    """Return the outcome of a file that failed in a stage; raise what is not the file's fault, such as a full disk."""
    of_the_file = isinstance(error.__cause__, sqlite3.DataError | sqlite3.IntegrityError)  # would fail again
    if isinstance(error, ProcessError) or (isinstance(error, StorageError) and not of_the_file):
        raise error
    if isinstance(error, IbidError | OSError):
        return Outcome(name, "failed", error=f"{stage}: {error}")
    log.error("%s could not be ingested", ascii(name), exc_info=error)
    reason = f"{type(error).__name__}: {str(error)[:200]}" if str(error) else type(error).__name__
    return Outcome(name, "failed", error=f"{stage}: {name} could not be ingested ({reason}).")
