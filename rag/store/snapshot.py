"""Checksummed files of arrays, for indexes that follow the catalogue. Never the truth, never pickled.

A file is one line of JSON (format, checksum, and what the caller states about the content), then an
npz archive. One that is damaged, foreign or of another format reads as absent: its owner rebuilds.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
import threading
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np

FORMAT = "ibid snapshot 1"
log = logging.getLogger(__name__)


def snapshot_path(home: Path, corpus: str, generation: int, engine: str) -> Path:
    """Return where the snapshot of a generation's indexes lies; `engine` is the lexical one."""
    return home / "indexes" / f"{corpus_stem(corpus)}-{generation}-{engine}.snapshot"


def keep_snapshots(home: Path, corpus: str, generations: Collection[int]) -> None:
    """Delete the snapshots of a corpus, half-written ones included, but for those of some generations."""
    kept = tuple(f"{corpus_stem(corpus)}-{generation}-" for generation in generations)
    for path in (home / "indexes").glob(f"*{corpus_stem(corpus)}-*"):
        try:
            if not path.name.lstrip(".").startswith(kept):
                path.unlink(missing_ok=True)
        except OSError as error:
            log.warning("The index snapshot %s is needed no more, and stays (%s); delete it.", path, error)


def write_snapshot(path: Path, arrays: Mapping[str, np.ndarray], stated: Mapping[str, str | int]) -> None:
    """Write arrays durably: the file appears whole under its name, or the old one stays.

    Raises:
        OSError: if the disk refuses, such as when it is full.
    """
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    payload = buffer.getbuffer()
    stated_line = json.dumps(dict(stated), sort_keys=True)
    header = {"format": FORMAT, "sha256": _checksum(stated_line, payload), "stated": stated_line}
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        with temporary.open("wb") as file:
            file.write(_line(header) + b"\n")
            file.write(payload)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def read_snapshot(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str | int]] | None:
    """Return (arrays, what was stated) of a snapshot, or None where there is none to trust."""
    try:
        data = path.read_bytes()
        line, _, _ = data.partition(b"\n")
        header = json.loads(line)
        payload = memoryview(data)[len(line) + 1 :]
        whole = line == _line(header) and header["sha256"] == _checksum(header["stated"], payload)
        if header["format"] != FORMAT or not whole:
            return None
        with np.load(io.BytesIO(payload), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}, json.loads(header["stated"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):  # absent or not ours
        return None


def corpus_stem(corpus: str) -> str:
    """Return what files of a corpus are named after: its own name may be too long for a file's."""
    return hashlib.sha256(corpus.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _line(header: Mapping[str, str]) -> bytes:
    """Return the one way to write a header: with another space in it, it is damaged."""
    return json.dumps(header).encode()


def _checksum(stated: str, payload: memoryview) -> str:
    digest = hashlib.sha256(stated.encode())
    digest.update(payload)
    return digest.hexdigest()
