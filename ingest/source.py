"""What is to be ingested, where it is found, and what became of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from ingest.load import supported
from rag.errors import UnreadableFile
from rag.types import Metadata


@dataclass(frozen=True, slots=True)
class Source:
    """A file to ingest: its name in the corpus, how to get its bytes, and metadata that the user gives."""

    name: str
    read: Callable[[], bytes]
    metadata: Metadata = field(default_factory=dict)
    size: int | None = None  # bytes, where known before reading; a file too large is then not read at all
    wanted: Callable[[], bool] | None = None  # asked in the transaction that would make the version visible


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one source: added, updated, unchanged, skipped or failed (with the reason)."""

    name: str
    state: str
    version: int | None = None
    chunks: int = 0
    error: str | None = None


def find_sources(paths: Iterable[Path]) -> tuple[list[Source], list[Outcome]]:
    """List the files under some paths as sources, and those left out with the reason.

    A file's name is its path relative to the folder given, or its own name where a file is given.
    Hidden files are passed over; formats that are not read are skipped, unless named as a file.
    """
    sources: dict[str, Source] = {}
    left: list[Outcome] = []
    for path, name, named in _walk(paths):
        if not path.exists():
            left.append(Outcome(name, "failed", error=f"{path} does not exist."))
        elif not named and not supported(name):
            left.append(Outcome(name, "skipped", error="Its format is not read."))
        elif name in sources:
            left.append(
                Outcome(
                    name,
                    "failed",
                    error=f"Two of the given paths hold a {name!r}; ingest them into two corpora.",
                )
            )
        else:
            sources[name] = Source(name, partial(_read_regular, path), size=path.stat().st_size)
    return list(sources.values()), left


def _walk(paths: Iterable[Path]) -> Iterator[tuple[Path, str, bool]]:
    for path in paths:
        if path.is_dir():
            for file in sorted(path.rglob("*")):
                relative = file.relative_to(path)
                if not any(part.startswith(".") for part in relative.parts) and not file.is_dir():
                    yield file, relative.as_posix(), False
        else:
            yield path, path.name, True


def _read_regular(path: Path) -> bytes:
    if not path.is_file():
        raise UnreadableFile(f"{path} is not a regular file; expected a file or folder.")
    return path.read_bytes()
