"""Pages that hold no text of their own, recognised by OCR where that is installed."""

from __future__ import annotations

import importlib
import importlib.util
from functools import cache
from typing import Any

from ingest.formats.pdf.page.lines import make_lines
from ingest.formats.pdf.page.words import View, Word
from ingest.formats.pdf.pages import Page

_PIXELS_PER_POINT = 2.0  # 144 dpi: small print stays legible, a page takes about a second
_MAX_PIXELS = 20_000_000  # a poster is scaled down rather than filling memory
# A page is a picture if images cover this share of it and it has no more characters: a stamp, a number.
_PICTURE, _FEW_CHARACTERS = 0.55, 200
# From a line's box, which OCR draws tightly around its letters.
_BASE = 0.18
_DRAWN = 12  # curves or shades that may be letters


def is_installed() -> bool:
    """Return whether RapidOCR, an optional extra whose models lie in its package, is installed."""
    return importlib.util.find_spec("rapidocr") is not None


def needs_recognition(page: Page) -> bool:
    """Return whether a page shows text that it does not hold: as an image, as drawings, or in a font without a map."""
    drawings = page.drawings
    if page.is_unreadable:
        return True
    if not page.words:
        return bool(drawings.images) or len(drawings.curves) + len(drawings.shades) >= _DRAWN
    area = max(1.0, page.width * page.height)
    covered = max(((x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in drawings.images), default=0.0)
    return page.characters <= _FEW_CHARACTERS and covered >= _PICTURE * area


def recognise(opened: Any, page: Page, view: View) -> None:
    """Add to a page the words that OCR sees on it, beside those that it has.

    Args:
        opened: the page in PDFium.
        view: how it is displayed.
    """
    width, height = view.size
    scale = min(_PIXELS_PER_POINT, (_MAX_PIXELS / max(1.0, width * height)) ** 0.5)
    image = opened.render(scale=scale).to_numpy()  # (height, width, 3), BGR as RapidOCR expects
    seen = _engine()(image)
    texts = seen.txts or ()
    boxes = getattr(seen, "boxes", None)
    own = list(page.words)
    found: list[Word] = []
    for at, text in enumerate(texts):
        if boxes is None:
            place = (0.0, 20.0 * at, width, 20.0 * at + 14)
        else:
            xs, ys = [float(x) / scale for x, _ in boxes[at]], [float(y) / scale for _, y in boxes[at]]
            place = (min(xs), min(ys), max(xs), max(ys))
        found += [
            word for word in _words(text, *place, page.index) if not any(_overlap(word, its) for its in own)
        ]
    page.words += found
    page.lines += make_lines(found)
    page.recognised = True


def _words(text: str, x0: float, y0: float, x1: float, y1: float, index: int) -> list[Word]:
    """Return the words of a recognised line; each takes its share of the line by its letters."""
    words: list[Word] = []
    step = (x1 - x0) / max(1, len(text))
    at = 0
    for part in text.split():
        at = text.index(part, at)
        start = x0 + at * step
        base = y1 - _BASE * (y1 - y0)
        words.append(
            Word(part, start, y0, start + len(part) * step, y1, base, y1 - y0, recognised=True, page=index)
        )
        at += len(part)
    return words


def _overlap(word: Word, other: Word) -> bool:
    x, y = (word.x0 + word.x1) / 2, (word.y0 + word.y1) / 2
    return other.x0 <= x <= other.x1 and other.y0 <= y <= other.y1


@cache
def _engine() -> Any:
    return importlib.import_module("rapidocr").RapidOCR()
