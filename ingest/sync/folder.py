"""What a folder holds: the sha256 of every readable file, and why the others cannot be read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ingest.formats.file_text import FileLimits
from ingest.load import too_large
from ingest.names import document_name, taken_name
from ingest.source import Outcome, Source, find_sources
from rag.errors import IbidError, InvalidInput, InvalidName


@dataclass(frozen=True, slots=True)
class FolderScan:
    """The files of a folder here, or of a client's as it describes them."""

    hashes: Mapping[str, str]  # document name -> sha256 of the file
    failed: Mapping[str, str] = field(default_factory=dict)  # name -> reason; the file exists all the same
    unlisted: tuple[str, ...] = ()  # folders within it that could not be listed; their files are unknown
    sources: Mapping[str, Source] = field(default_factory=dict)  # of a folder here, by document name

    def lacks(self, name: str) -> bool:
        """Return whether a document's file is certainly absent."""
        hidden = any(name.startswith(f"{folder}/") for folder in self.unlisted)
        return name not in self.hashes and name not in self.failed and not hidden


def scan_folder(folder: Path, limits: FileLimits) -> FolderScan:
    """Read and hash every file under a folder whose format is read; hidden ones are passed over.

    Links to files are read, links to folders within it are not followed.

    Args:
        folder: an absolute path.

    Raises:
        InvalidInput: if it is no folder, or cannot be listed.
    """
    if not folder.is_dir():
        raise InvalidInput(f"{folder} is not a folder; is its disk mounted? Nothing was changed.")
    sources, left = find_sources([folder])
    outcomes = [outcome for outcome in left if outcome.state == "failed"]
    failed = {_as_document(outcome.name): str(outcome.error) for outcome in outcomes}
    if str(folder) in failed:
        raise InvalidInput(f"{failed[str(folder)]} Nothing was changed.")
    hashes: dict[str, str] = {}
    readable: dict[str, Source] = {}
    for source in sources:
        name = _as_document(source.name)
        if name in readable or name in failed:  # neither is taken: which one is meant is not known
            hashes.pop(name, None)
            failed[name] = str(taken_name(name))
            continue
        try:
            readable[name] = replace(source, name=document_name(source.name))
            hashes[name] = _sha256(source, limits)
        except IbidError as error:
            failed[name] = str(error)
    return FolderScan(hashes, failed, _unlisted(folder, outcomes), readable)


def _as_document(name: str) -> str:
    """Return a file's name as a document bears it; one that no document can bear, as it is."""
    try:
        return document_name(name)
    except InvalidName:
        return name


def _sha256(source: Source, limits: FileLimits) -> str:
    if source.size and source.size > limits.max_file_bytes:
        raise too_large(source.name, source.size, limits)
    return hashlib.sha256(source.read()).hexdigest()


def _unlisted(root: Path, failed: list[Outcome]) -> tuple[str, ...]:
    """Return the folders among what failed, which are named by their paths, relative to the root."""
    folders = [Path(outcome.name) for outcome in failed if Path(outcome.name).is_absolute()]
    return tuple(_as_document(folder.relative_to(root).as_posix()) for folder in folders)
