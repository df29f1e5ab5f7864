"""Recognise the text of scanned pages with RapidOCR, an optional extra whose models lie in its package."""

import importlib
import importlib.util
from collections.abc import Iterator
from functools import cache
from typing import Any

from rag.errors import UnreadableFile

_PIXELS_PER_POINT = 2.0  # 144 dpi: small print stays legible, a page takes about a second
_MAX_PIXELS = 20_000_000  # a poster is scaled down rather than filling memory


def is_installed() -> bool:
    """Tell whether RapidOCR is there."""
    return importlib.util.find_spec("rapidocr") is not None


def read_pages(document: Any, name: str) -> Iterator[str]:
    """Yield the recognised text of each page of an open PDF, lines in reading order.

    Raises:
        UnreadableFile: if RapidOCR is not installed.
    """
    if not is_installed():
        raise UnreadableFile(
            f"{name} has no text layer (a scan?); install ibid[ocr] and upload it again, or run it through an"
            " OCR program first."
        )
    for page in document:
        width, height = page.get_size()
        scale = min(_PIXELS_PER_POINT, (_MAX_PIXELS / max(1.0, width * height)) ** 0.5)
        image = page.render(scale=scale).to_numpy()  # (height, width, 3), BGR as RapidOCR expects
        yield "\n".join(_engine()(image).txts or ())


@cache
def _engine() -> Any:
    return importlib.import_module("rapidocr").RapidOCR()
