"""A page as a picture, with the words of a quote marked."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pypdfium2

from rag.errors import NotFound, UnreadableFile
from rag.text.boxes import MarkBox

_MOST_PIXELS = 12_000_000
# The colour of a marker pen, and how much of it lies over white paper. Dark letters stay dark under it.
_MARK = np.array([255, 226, 64], dtype=np.uint16)
_MARGIN = 1.0  # points around a mark
_RED, _GREEN, _BLUE = 2, 1, 0  # PDFium's order is BGR


def render_page(data: bytes, page: int, boxes: Sequence[MarkBox], scale: float) -> bytes:
    """Return a page of a PDF as PNG, words marked.

    PDFium may crash on damaged files: call it in the process that reads files.

    Args:
        page: from 1.
        boxes: what to mark; those of other pages are left out.
        scale: pixels per point; reduced for a page that would have more than 12 million pixels.

    Raises:
        NotFound: if there is no such page.
        UnreadableFile: if the file or the page cannot be opened.
    """
    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        raise UnreadableFile(f"The PDF cannot be opened ({error}); upload it again.") from error
    try:
        if not 1 <= page <= len(document):
            raise NotFound(f"Page {page} does not exist; the document has {len(document)}.")
        document.init_forms()
        try:
            opened = document[page - 1]
        except pypdfium2.PdfiumError as error:
            raise UnreadableFile(f"Page {page} is damaged ({error}).") from error
        return _png(_marked(opened, [box for box in boxes if box.page == page], scale))
    finally:
        document.close()


def _marked(page: Any, boxes: Sequence[MarkBox], scale: float) -> np.ndarray:
    """Return the page's pixels, (height, width, 3) in RGB."""
    width, height = page.get_size()
    scale = min(max(scale, 0.05), (_MOST_PIXELS / max(1.0, width * height)) ** 0.5)
    seen = page.render(scale=scale).to_numpy()[:, :, [_RED, _GREEN, _BLUE]]
    pixels: np.ndarray = np.ascontiguousarray(seen)
    for box in boxes:
        x0, y0 = max(0, round((box.x0 - _MARGIN) * scale)), max(0, round((box.y0 - _MARGIN) * scale))
        x1, y1 = max(0, round((box.x1 + _MARGIN) * scale)), max(0, round((box.y1 + _MARGIN) * scale))
        part = pixels[y0:y1, x0:x1]
        part[:] = (part.astype(np.uint16) * _MARK // 255).astype(np.uint8)
    return pixels


def _png(pixels: np.ndarray) -> bytes:
    """Encode pixels, (height, width, 3), as PNG."""
    height, width, _ = pixels.shape
    lines = np.zeros((height, 1 + 3 * width), dtype=np.uint8)  # each line begins with its filter, none
    lines[:, 1:] = pixels.reshape(height, 3 * width)
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", head),
            _chunk(b"IDAT", zlib.compress(lines.tobytes(), 6)),
            _chunk(b"IEND", b""),
        ]
    )


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
