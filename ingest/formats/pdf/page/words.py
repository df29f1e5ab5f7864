"""The words of a page with their boxes, as PDFium sees the characters; everything else here builds on them.

PDFium's own order and line breaks are not used, only which characters it takes for one word.
"""

from __future__ import annotations

import ctypes
import math
import re
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from pypdfium2 import raw

from ingest.formats.pdf.page.direction import logical_word, reads_right_to_left

# Shares of a character's height. A gap where PDFium sees a space, and one where it does not.
_SPACE_GAP, _WORD_GAP = 0.09, 0.32
_OVERHANG = 0.25  # of a slanted letter over the space beside it
# A step of the baseline that begins another word; superscripts step further.
_STEP = 0.22
# Cosine above which a run of text counts as upright, about 8 degrees.
_UPRIGHT = 0.99
_BOLD = re.compile(r"bold|black|heavy|semibold|demi|-bd|\bbd\b|(?:cm|sf)bx|medi$|medi[+,-]", re.IGNORECASE)
# Dots that lead from a title to its page.
_LEADER, _LEADER_END = re.compile(r"[.·…_]{4,}"), re.compile(r"(?<=[^.])\.{5,}$")
_FIXED = re.compile(r"courier|mono|consol|menlo|typewriter|cmtt|nimbusmon", re.IGNORECASE)
# PDFium reports a hyphen at the end of a line as one or the other.
_HYPHEN_MARKS = (0x02, 0xFFFE)
_SURROGATES = range(0xD800, 0xE000)
_BLANKS = frozenset(
    {0, 9, 10, 13, 32, 0xA0, 0x1680, *range(0x2000, 0x200C), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000}
)
_UNSTORABLE = frozenset({*range(1, 9), 11, 12, *range(14, 32), 127, 0xFFFF, *range(0x80, 0xA0), *_SURROGATES})
# Ems from the ascent to the descent of most fonts.
_USUAL_HEIGHT = 1.15
# Code points of fonts without a map to Unicode.
_PRIVATE_USE = range(0xE000, 0xF900)

Box = tuple[float, float, float, float]


@dataclass(slots=True)
class Word:
    """A run of characters without a gap. Points from the top left of the page as it is displayed."""

    text: str
    x0: float
    y0: float
    x1: float
    y1: float
    base: float  # y of the line it stands on
    size: float  # height of its font: 1.15 em, as the boxes of most fonts are
    bold: bool = False
    fixed: bool = False  # its font gives all characters the same width
    recognised: bool = False  # by OCR, which says little about sizes
    unmapped: bool = False  # its font has no map to Unicode
    field: bool = False  # it is the value of a form's field
    spaced: bool = False  # a space stands before it, whatever the boxes say
    page: int = 0

    @property
    def width(self) -> float:
        return self.x1 - self.x0


@dataclass(slots=True)
class PageWords:
    """The words of one page, in the order they are drawn."""

    width: float
    height: float
    words: list[Word]
    turned: list[Word] = field(default_factory=list)  # text at an angle: stamps, names of axes
    outside: int = 0  # words that lie beyond the edges of the page
    quarters: int = 0  # how often the text is turned by 90 degrees against the page as displayed


@dataclass(frozen=True, slots=True)
class View:
    """How a page's own coordinates become those of the page as it is displayed."""

    left: float
    bottom: float
    right: float
    top: float
    quarters: int

    @property
    def size(self) -> tuple[float, float]:
        """Width and height as displayed, in points."""
        width, height = self.right - self.left, self.top - self.bottom
        return (height, width) if self.quarters % 2 else (width, height)

    def box(self, left: Any, bottom: Any, right: Any, top: Any) -> tuple[Any, Any, Any, Any]:
        """Return x0, y0, x1, y1 from the top left of the page as displayed; numbers or arrays."""
        if self.quarters == 1:
            return bottom - self.bottom, left - self.left, top - self.bottom, right - self.left
        if self.quarters == 2:
            return self.right - right, bottom - self.bottom, self.right - left, top - self.bottom
        if self.quarters == 3:
            return self.top - top, self.right - right, self.top - bottom, self.right - left
        return left - self.left, self.top - top, right - self.left, self.top - bottom


def view_of(page: Any) -> View:
    """Return how a page is displayed: its crop box within its media box, and its rotation."""
    media = page.get_mediabox() or (0, 0, 612, 792)
    crop = page.get_cropbox() or media
    left, bottom = max(media[0], crop[0]), max(media[1], crop[1])
    right, top = min(media[2], crop[2]), min(media[3], crop[3])
    if right <= left or top <= bottom:
        left, bottom, right, top = media
    return View(left, bottom, right, top, page.get_rotation() // 90 % 4)


def read_words(page: Any, view: View) -> PageWords:
    """Return the words of an open page."""
    text_page = page.get_textpage()
    try:
        return _Characters(text_page.raw, view).words()
    finally:
        text_page.close()


class _Characters:
    """The characters of one page in arrays: code points, boxes as displayed, and where words begin."""

    def __init__(self, text_page: Any, view: View) -> None:
        self._text_page, self._view = text_page, view
        self._fonts: dict[int, tuple[bool, bool, float]] = {}
        self._overhung: set[int] = set()  # characters after a space that a slanted letter overhangs
        count = max(0, raw.FPDFText_CountChars(text_page))
        self._codes = _code_points(text_page, count)
        self._edges = _boxes(text_page, count)

    def words(self) -> PageWords:
        """Group the characters to words; text at other angles than most of the page is `turned`."""
        codes = self._codes
        self._blank = np.isin(codes, list(_BLANKS))
        kept = np.flatnonzero(~self._blank & ~np.isin(codes, list(_UNSTORABLE)))
        turns = self._turns(kept)
        most = int(np.argmax(np.bincount(turns[turns >= 0], minlength=4))) if len(kept) else 0
        frame = replace(self._view, quarters=(self._view.quarters - most) % 4)
        found = PageWords(*frame.size, [], quarters=most)
        for quarters in np.unique(turns).tolist():
            some = kept[turns == quarters]
            if quarters == most:
                found.words, found.outside = self._grouped(some, frame)
            else:
                upright = replace(self._view, quarters=(self._view.quarters - max(quarters, 0)) % 4)
                found.turned += [
                    _turned_word(word, upright, (quarters - most) % 4 if quarters >= 0 else 0)
                    for word in self._grouped(some, upright)[0]
                ]
        return found

    def _turns(self, kept: np.ndarray) -> np.ndarray:
        """Return by how many quarters each kept character is turned as displayed, clockwise; -1 for other angles."""
        self._place(self._view)
        starts = self._starts(kept)
        angle, text_page = raw.FPDFText_GetCharAngle, self._text_page
        angles = np.array([angle(text_page, index) for index in kept[starts].tolist()])
        angles = np.maximum(angles, 0) + self._view.quarters * math.pi / 2
        quarters = np.round(angles / (math.pi / 2)).astype(int) % 4
        straight = np.maximum(abs(np.cos(angles)), abs(np.sin(angles))) >= _UPRIGHT
        return np.repeat(np.where(straight, quarters, -1), np.diff(np.append(starts, len(kept))))

    def _place(self, view: View) -> None:
        self._frame = view
        self._x0, self._y0, self._x1, self._y1 = view.box(*self._edges)

    def _grouped(self, kept: np.ndarray, view: View) -> tuple[list[Word], int]:
        """Return the words of upright characters, and how many lie beyond the edges of the page."""
        self._place(view)
        width, height = view.size
        starts = self._starts(kept)
        ends = np.append(starts[1:], len(kept))
        x0, y0 = np.minimum.reduceat(self._x0[kept], starts), np.minimum.reduceat(self._y0[kept], starts)
        x1, y1 = np.maximum.reduceat(self._x1[kept], starts), np.maximum.reduceat(self._y1[kept], starts)
        text = "".join(map(chr, self._codes[kept].tolist())).replace("\x02", "-").replace("\ufffe", "-")
        words: list[Word] = []
        outside = 0
        spans = zip(
            starts.tolist(), ends.tolist(), x0.tolist(), y0.tolist(), x1.tolist(), y1.tolist(), strict=True
        )
        for start, end, *box in spans:
            if box[2] < 0 or box[3] < 0 or box[0] > width or box[1] > height:
                outside += 1
            elif not _LEADER.fullmatch(text[start:end]):
                words.append(self._word(text[start:end], kept[start:end], box, view))
        return words, outside

    def _starts(self, kept: np.ndarray) -> np.ndarray:
        """Return at which of the kept characters words begin."""
        if not len(kept):
            return np.zeros(0, dtype=int)
        x0, x1, y0, y1 = self._x0[kept], self._x1[kept], self._y0[kept], self._y1[kept]
        high = np.maximum(np.minimum(y1 - y0, 2 * np.roll(y1 - y0, 1)), 1.0)
        gap = np.maximum(x0[1:] - x1[:-1], x0[:-1] - x1[1:])  # either direction
        blanks = np.cumsum(self._blank)
        spaced = np.diff(blanks[kept]) > 0
        step = abs(np.diff(y1))
        # In text from the right, the stream may run to the left; elsewhere that is another line.
        rightwards = x0[1:] >= x0[:-1] - 0.35 * high[1:]
        codes = self._codes[kept].tolist()
        leftwards = np.array([reads_right_to_left(code) for code in codes])
        if leftwards.any():  # brackets and stops among its letters
            leftwards |= np.array([not chr(code).isalnum() for code in codes]) & _beside(leftwards)
        back = ~rightwards & ~(leftwards[1:] & leftwards[:-1])
        breaks = (
            (spaced & (self._opened(kept, spaced, gap, high) > _SPACE_GAP * high[1:]))
            | (spaced & back)
            | (gap > _WORD_GAP * high[1:])
            | (step > _STEP * high[1:])
            | back
        )
        return np.flatnonzero(np.append(True, breaks))

    def _opened(self, kept: np.ndarray, spaced: np.ndarray, gap: np.ndarray, high: np.ndarray) -> np.ndarray:
        """Return the gaps between kept characters, wider where a slanted letter overhangs a space of the file's."""
        narrow = np.flatnonzero(spaced & (gap <= _SPACE_GAP * high[1:]) & (gap > -_OVERHANG * high[1:]))
        opened = gap.copy()
        for at in narrow.tolist():
            space = int(kept[at]) + 1
            if raw.FPDFText_IsGenerated(self._text_page, space) == 0:
                opened[at] = self._origin(int(kept[at + 1])) - self._origin(space)
                if opened[at] > _SPACE_GAP * high[at + 1]:
                    self._overhung.add(int(kept[at + 1]))
        return opened

    def _origin(self, index: int) -> float:
        """Return where on its line a character is drawn from; 0 if PDFium does not say."""
        x, y = ctypes.c_double(), ctypes.c_double()
        raw.FPDFText_GetCharOrigin(self._text_page, index, x, y)
        return float(self._frame.box(x.value, y.value, x.value, y.value)[0])

    def _word(self, text: str, where: np.ndarray, box: list[float], view: View) -> Word:
        if not text.isascii() and any(map(reads_right_to_left, map(ord, text))):
            text = logical_word(text, self._x0[where].tolist(), self._x1[where].tolist())
        x0, y0, x1, y1 = box
        index = int(where[0])
        if leader := _LEADER_END.search(text):
            text = text[: leader.start()]
            x1 = float(self._x1[where[len(text) - 1]])
        size = float(self._y1[index] - self._y0[index])
        bold, fixed, ems = self._font(index)
        size *= _USUAL_HEIGHT / ems
        word = Word(text, x0, y0, x1, y1, self._baseline(index, y1, view), size, bold)
        word.fixed = fixed
        word.spaced = index in self._overhung
        word.unmapped = raw.FPDFText_HasUnicodeMapError(self._text_page, index) == 1 or (
            not text.isascii() and any(ord(its) in _PRIVATE_USE or its == "\ufffd" for its in text)
        )
        return word

    def _baseline(self, index: int, bottom: float, view: View) -> float:
        x, y = ctypes.c_double(), ctypes.c_double()
        if not raw.FPDFText_GetCharOrigin(self._text_page, index, x, y):
            return bottom
        return float(view.box(x.value, y.value, x.value, y.value)[1])

    def _font(self, index: int) -> tuple[bool, bool, float]:
        """Return whether a character's font is bold, and of fixed width, and the height of its box in ems."""
        item = raw.FPDFText_GetTextObject(self._text_page, index)
        font = raw.FPDFTextObj_GetFont(item) if item else None
        if not font:
            return False, False, _USUAL_HEIGHT
        address = ctypes.addressof(font.contents)
        if address not in self._fonts:
            self._fonts[address] = _is_bold(font), _is_fixed(font), _height(font)
        return self._fonts[address]


def _is_bold(font: Any) -> bool:
    name = ctypes.create_string_buffer(128)
    raw.FPDFFont_GetBaseFontName(font, name, 128)
    return bool(_BOLD.search(name.value.decode(errors="replace"))) or raw.FPDFFont_GetWeight(font) >= 600


def _is_fixed(font: Any) -> bool:
    name = ctypes.create_string_buffer(128)
    raw.FPDFFont_GetBaseFontName(font, name, 128)
    return bool(_FIXED.search(name.value.decode(errors="replace")) or raw.FPDFFont_GetFlags(font) & 1)


def _height(font: Any) -> float:
    """Return what a font's ascent and descent add up to, in ems: its boxes are so high, and differ between fonts."""
    ascent, descent = ctypes.c_float(), ctypes.c_float()
    if not raw.FPDFFont_GetAscent(font, 1.0, ascent) or not raw.FPDFFont_GetDescent(font, 1.0, descent):
        return _USUAL_HEIGHT
    height = ascent.value - descent.value
    return height if 0.4 < height < 3 else _USUAL_HEIGHT


def _beside(marked: np.ndarray) -> np.ndarray:
    """Return which places have a marked one before or behind them."""
    beside = np.zeros_like(marked)
    beside[1:] |= marked[:-1]
    beside[:-1] |= marked[1:]
    return beside


def _code_points(text_page: Any, count: int) -> np.ndarray:
    """Return the characters' code points; a pair of surrogates is put together, and counts as two characters."""
    buffer = (ctypes.c_ushort * (count * 2 + 2))()
    if (
        raw.FPDFText_GetText(text_page, 0, count, buffer) == count + 1
    ):  # else some have no Unicode and are left out
        codes = np.frombuffer(memoryview(buffer).cast("B"), dtype=np.uint16)[:count].astype(np.int64)
    else:
        get = raw.FPDFText_GetUnicode
        codes = np.array([get(text_page, index) for index in range(count)], dtype=np.int64)
    high = (codes[:-1] >= 0xD800) & (codes[:-1] < 0xDC00) & (codes[1:] >= 0xDC00) & (codes[1:] < 0xE000)
    for index in np.flatnonzero(high):
        codes[index] = 0x10000 + ((codes[index] - 0xD800) << 10) + (codes[index + 1] - 0xDC00)
        codes[index + 1] = 0
    return codes


def _boxes(text_page: Any, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return left, bottom, right and top of each character, in the page's own points."""
    rectangles = (raw.FS_RECTF * max(1, count))()
    get, size, start = raw.FPDFText_GetLooseCharBox, ctypes.sizeof(raw.FS_RECTF), ctypes.addressof(rectangles)
    for index in range(count):
        get(text_page, index, raw.FS_RECTF.from_address(start + index * size))
    edges = np.frombuffer(rectangles, dtype=np.float32).reshape(-1, 4)[:count].astype(np.float64)
    left, top, right, bottom = edges.T  # FS_RECTF: left, top, right, bottom
    return np.minimum(left, right), np.minimum(bottom, top), np.maximum(left, right), np.maximum(bottom, top)


def _turned_word(word: Word, frame: View, quarters: int) -> Word:
    """Return a word found in a frame of its own where it stands in the frame of the page's other text."""
    width, height = frame.size
    word.x0, word.y0, word.x1, word.y1 = turn_box(
        (word.x0, word.y0, word.x1, word.y1), width, height, quarters
    )
    word.base = word.y1
    return word


def turn_box(box: Box, width: float, height: float, quarters: int) -> Box:
    """Return a box after its page, of the given size, is turned clockwise by so many quarters."""
    x0, y0, x1, y1 = box
    if quarters == 1:
        return height - y1, x0, height - y0, x1
    if quarters == 2:
        return width - x1, height - y1, width - x0, height - y0
    if quarters == 3:
        return y0, width - x1, y1, width - x0
    return box
