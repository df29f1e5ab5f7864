"""Prepare the packaged networks once, and find the prepared files.

At set-up, trunk and adapters are merged, exported once to ONNX and quantised to int8 (`export.py`). The results are
stored with the installation, in a folder named by the hash of the weights, so new weights mean a new export.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from rag.models import pack
from rag.models.trunk import models_folder, trunk_fingerprint, trunk_sha256

# Raise it when the export changes the output of the pack's networks.
PACK_EXPORT_VERSION = 2


def prepared_trunk() -> Path:
    """Return the int8 ONNX trunk; export it first if set-up has not (about 15 s, once)."""
    path = models_folder() / trunk_fingerprint() / "trunk.int8.onnx"
    if not path.is_file():
        from rag.models.export import export_trunk  # imported here: torch takes two seconds

        export_trunk(path)
    return path


def prepared(job: str) -> Path:
    """Return the int8 ONNX network of a job; merge and export it first if set-up has not.

    Raises:
        ModelError: if the pack's weights are damaged, missing or were made for another trunk.
    """
    path = prepared_path(job)
    if not path.is_file():
        from rag.models.export import export_adapted  # imported here, as above

        export_adapted(job, pack.PACK_FOLDER / f"{job}.safetensors", path)
    return path


def prepared_path(job: str) -> Path:
    """Return the path of a job's int8 ONNX network, which may not exist yet.

    Raises:
        ModelError: if the pack's weights are damaged, missing or were made for another trunk.
    """
    weights = pack.verify_adapter(job)
    named = hashlib.sha256(f"export {PACK_EXPORT_VERSION} {trunk_sha256()} {weights}".encode()).hexdigest()[
        :16
    ]
    return models_folder() / named / f"{job}.int8.onnx"
