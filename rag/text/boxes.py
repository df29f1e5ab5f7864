"""The positions of a text's words on their pages, packed into a few bytes each, and unpacked for a quoted span."""

from __future__ import annotations

import struct
import zlib

import numpy as np

from rag.types import MarkBox as MarkBox

# Quarters of a point: finer than a page shows.
_SCALE = 4
_VERSION = 1
_HEAD = struct.Struct("<BI")
_COLUMNS = 7
# Points from the top left that a page may reach; differences that two bytes hold.
_MOST_POINTS, _NARROW = 100_000_000, 32_000
# Bytes of unpacked boxes; more comes from no text that is accepted.
_MOST_BYTES = 800_000_000
# Words on one line overlap by this share of the lower one's height.
_SAME_LINE = 0.5
# Points between words on one line that are marked as one.
_ONE_MARK = 14.0


def quantised(rows: np.ndarray) -> np.ndarray:
    """Return rows of start, end, page, x0, y0, x1, y1, (n_words, 7), as whole numbers, places in quarters of points."""
    scaled = rows.copy()
    scaled[:, 3:] = np.clip(scaled[:, 3:], -_MOST_POINTS, _MOST_POINTS) * _SCALE
    rounded: np.ndarray = np.round(scaled).astype(np.int32)
    return rounded


def pack_rows(rows: np.ndarray) -> bytes:
    """Pack rows of `quantised`, sorted by start.

    Each is stored as its difference from the one before it, column by column, which compresses well.
    """
    if not len(rows):
        return b""
    start, end, page, x0, y0, x1, y1 = rows.T
    gap = np.diff(start, prepend=np.int32(0))
    gap[1:] -= (end - start)[:-1] + 1
    gap[0] -= 1
    step = x0.copy()
    step[1:] -= x1[:-1]
    columns = [gap, end - start, np.diff(page, prepend=np.int32(0)), step, x1 - x0]
    columns += [np.diff(y0, prepend=np.int32(0)), np.diff(y1 - y0, prepend=np.int32(0))]
    narrow = all(column.min() > -_NARROW and column.max() < _NARROW for column in columns)
    kind = "<i2" if narrow else "<i4"
    content = b"".join(column.astype(kind).tobytes() for column in columns)
    return _HEAD.pack(_VERSION if narrow else _VERSION + 1, len(rows)) + zlib.compress(content, 6)


def are_boxes_of(packed: bytes, text_length: int) -> bool:
    """Return whether bytes are packed boxes of words that lie within a text. Costs no more than such boxes may."""
    try:
        if len(packed) >= _HEAD.size and _HEAD.unpack_from(packed)[1] > text_length:
            return False
        if not packed:
            return True
        starts, ends, pages, _ = word_columns(packed)
    except ValueError:
        return False
    return bool(
        (starts >= 0).all() and (starts <= ends).all() and (ends <= text_length).all() and (pages > 0).all()
    )


def boxes_between(packed: bytes, start: int, end: int) -> list[MarkBox]:
    """Return where `text[start:end]` stands: one box for each line that it takes, in the order of the text.

    A word that the span cuts is marked whole.
    """
    if not packed or end <= start:
        return []
    starts, ends, pages, edges = word_columns(packed)
    held = np.flatnonzero((starts < end) & (ends > start))
    marks: list[MarkBox] = []
    for page, (x0, y0, x1, y1) in zip(pages[held].tolist(), edges[held].tolist(), strict=True):
        last = marks[-1] if marks else None
        if last is not None and last.page == page and _on_one_line(last, x0, y0, x1, y1):
            marks[-1] = MarkBox(page, min(last.x0, x0), min(last.y0, y0), max(last.x1, x1), max(last.y1, y1))
        else:
            marks.append(MarkBox(page, x0, y0, x1, y1))
    return marks


def _on_one_line(last: MarkBox, x0: float, y0: float, x1: float, y1: float) -> bool:
    overlap = min(last.y1, y1) - max(last.y0, y0)
    apart = max(x0 - last.x1, last.x0 - x1)
    return overlap >= _SAME_LINE * min(last.y1 - last.y0, y1 - y0) and apart <= _ONE_MARK


def word_columns(packed: bytes) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return starts, ends and pages, each (n_words,), and edges in points, (n_words, 4)."""
    if len(packed) < _HEAD.size:
        raise ValueError("too short to be packed boxes")
    version, count = _HEAD.unpack_from(packed)
    if version not in (_VERSION, _VERSION + 1):
        raise ValueError(f"packed boxes of version {version}; expected {_VERSION}")
    kind = np.dtype("<i2" if version == _VERSION else "<i4")
    size = count * _COLUMNS * kind.itemsize
    if size > _MOST_BYTES:
        raise ValueError(f"packed boxes of {count:,} words")
    try:
        raw = zlib.decompressobj().decompress(packed[_HEAD.size :], size)
        table = np.frombuffer(raw, dtype=kind).reshape(_COLUMNS, count).astype(np.int64)
    except (zlib.error, ValueError) as error:
        raise ValueError(f"damaged boxes ({error})") from error
    lengths = table[1]
    starts = np.cumsum(table[0] + np.concatenate([[1], lengths[:-1] + 1]))
    # x0[i] = x1[i - 1] + gap[i], and x1[i] = x0[i] + width[i]
    x1 = np.cumsum(table[3] + table[4])
    x0 = x1 - table[4]
    y0 = np.cumsum(table[5])
    y1 = y0 + np.cumsum(table[6])
    edges = np.stack([x0, y0, x1, y1], axis=1) / _SCALE
    return starts, starts + lengths, np.cumsum(table[2]), edges
