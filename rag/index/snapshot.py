"""Checksummed files of arrays, for indexes that follow the catalogue. Never the truth, never pickled.

A file is one line of JSON (format, checksum, and the caller's description of the content), then an npz archive. A file
that is damaged, foreign or in another format reads as absent, and its owner rebuilds the index.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path

import numpy as np

SNAPSHOT_FORMAT = "ibid snapshot 1"


def write_snapshot(path: Path, arrays: Mapping[str, np.ndarray], stated: Mapping[str, str | int]) -> None:
    """Write arrays durably: the file appears whole under its name, or the old one stays.

    Raises:
        OSError: if writing fails, for instance because the disk is full.
    """
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    payload = buffer.getbuffer()
    stated_line = json.dumps(dict(stated), sort_keys=True)
    header = {"format": SNAPSHOT_FORMAT, "sha256": _checksum(stated_line, payload), "stated": stated_line}
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
    """Return (arrays, the caller's description) of a snapshot, or None if no valid one exists."""
    try:
        data = path.read_bytes()
        line = data[: data.find(b"\n")]
        header = json.loads(line)
        payload = memoryview(data)[len(line) + 1 :]
        whole = line == _line(header) and header["sha256"] == _checksum(header["stated"], payload)
        if header["format"] != SNAPSHOT_FORMAT or not whole:
            return None
        with np.load(io.BytesIO(payload), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}, json.loads(header["stated"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):  # absent or not ours
        return None


def _line(header: Mapping[str, str]) -> bytes:
    """Return the only accepted form of a header: even an extra space counts as damage."""
    return json.dumps(header).encode()


def _checksum(stated: str, payload: memoryview) -> str:
    digest = hashlib.sha256(stated.encode())
    digest.update(payload)
    return digest.hexdigest()
