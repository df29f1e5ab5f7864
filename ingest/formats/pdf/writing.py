"""The flow of a document as text, and where each word of it stands."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import numpy as np

from ingest.formats.grid import Cell, lay_out, write_table
from ingest.formats.pdf.blocks import PageBlock
from ingest.formats.pdf.hyphens import HYPHENS, Hyphens
from ingest.formats.pdf.page.direction import is_right_to_left, logical_order, writes_without_spaces
from ingest.formats.pdf.page.grids import PageTable, TableCell
from ingest.formats.pdf.page.lines import Line, is_currency
from ingest.formats.pdf.page.words import Word
from rag.text.boxes import quantised

_HEADING_MARK = "#"
_LINE_MARKS = "|-# "
_FENCE, _MOST_SPACES = "```", 120
# A pipe within a cell, as `ingest/formats/markdown.py` writes it.
_PIPE, _WRITTEN_PIPE = "|", "\\|"
_OPENING = ("$", "€", "£", "¥")
_CLOSING = (")", "%", ")%")


class TextWriter:
    """Collects text, and for each word its offsets and its place."""

    def __init__(self, hyphens: Hyphens) -> None:
        self._hyphens = hyphens
        self._parts: list[str] = []
        self._length = 0
        self._ends_item = False
        self._words: list[tuple[int, int, Word]] = []
        self._apart: set[int] = set()  # starts of words that heads and feet put before their page
        self._rows: list[np.ndarray] = []  # (n_words, 7) each, as `quantised` makes them

    @property
    def text(self) -> str:
        return "".join(self._parts)

    def write(self, block: PageBlock) -> None:
        """Write a block, a blank line before it; items follow each other line by line."""
        is_item = block.kind == "item"
        if block.kind == "table" and block.table is not None:
            written, placed = table_text(block.table, self._hyphens)
        elif block.kind == "code":
            written, placed = _listing(block.lines)
        else:
            written, placed = self._paragraph(block)
        if not written.strip():
            return
        if self._parts:
            self._put("\n" if is_item and self._ends_item else "\n\n")
        self._ends_item = is_item
        if block.kind == "margin":
            self._apart |= {self._length + start for start, _, _ in placed}
        self._words += [(self._length + start, self._length + end, word) for start, end, word in placed]
        self._put(written)

    def settle(self) -> None:
        """Note where the words written so far stand, and let go of them."""
        if self._words:
            rows = [(start, end, w.page + 1, w.x0, w.y0, w.x1, w.y1) for start, end, w in self._words]
            self._rows.append(quantised(np.array(rows)))
        self._words = []

    def places(self) -> np.ndarray:
        """Return where the words stand, sorted by start, as `rag.text.boxes.pack_rows` takes them."""
        self.settle()
        if len(self._rows) != 1:
            rows = np.concatenate(self._rows) if self._rows else np.zeros((0, 7), dtype=np.int32)
            self._rows = [rows]
        rows = self._rows[0]
        self._rows = [rows[np.lexsort((rows[:, 1], rows[:, 0]))]]
        return self._rows[0]

    def page_starts(self, pages: int) -> tuple[int, ...]:
        """Return the offset at which each page begins, rising; an empty page shares the next one's."""
        places, text = self.places(), self.text
        within = ~np.isin(places[:, 0], list(self._apart))
        starts = np.full(pages, self._length, dtype=np.int64)
        np.minimum.at(starts, places[within, 2] - 1, places[within, 0])
        starts[:1] = 0
        starts = np.array([_line_start(text, start) for start in starts.tolist()], dtype=np.int64)
        return tuple(np.minimum.accumulate(starts[::-1])[::-1].tolist())

    def _put(self, text: str) -> None:
        self._parts.append(text)
        self._length += len(text)

    def _paragraph(self, block: PageBlock) -> tuple[str, list[tuple[int, int, Word]]]:
        prefix = ""
        if block.kind == "heading":
            prefix = f"{_HEADING_MARK * max(1, min(6, block.level))} "
        elif block.kind == "item":
            prefix = "  " * min(block.level, 8) + "- "
        elif block.kind == "figure":
            prefix = "Figure text: "
        lines = [line.words for line in block.lines]
        if block.mark_words:
            lines[0] = lines[0][block.mark_words :]
        return join_lines(lines, self._hyphens, prefix, block.breaks if block.kind == "text" else ())


def _line_start(text: str, start: int) -> int:
    """Return where a line begins whose mark, of a row, an item or a heading, stands before its first word."""
    line = text.rfind("\n", 0, start) + 1
    return line if not text[line:start].strip(_LINE_MARKS) else start


def join_lines(
    lines: Iterable[Sequence[Word]], hyphens: Hyphens, prefix: str = "", breaks: Collection[int] = ()
) -> tuple[str, list[tuple[int, int, Word]]]:
    """Join the words of lines to one, those broken at a line's end put together.

    Args:
        breaks: the lines that stay lines.

    Returns:
        The text, and each word with its offsets in it.
    """
    parts, length, placed = [prefix], len(prefix), []
    flat: list[tuple[Word, bool]] = []
    lines = list(lines)
    from_right = is_right_to_left(" ".join(word.text for line in lines for word in line))
    broken: set[int] = set()  # the words after which a line ends
    for number, line in enumerate(lines):
        if number in breaks:
            broken.add(len(flat) - 1)
        flat += [(word, at == len(line) - 1) for at, word in enumerate(_as_read(line, from_right))]
    for index, (word, ends_line) in enumerate(flat):
        following = flat[index + 1][0] if index + 1 < len(flat) else None
        text, gap = word.text, " "
        if following is None:
            gap = ""
        elif index in broken:
            gap = "\n"
        elif ends_line and _is_broken(text) and following.text[:1].isalnum():
            keeps = hyphens.keeps(text, following.text)
            text, gap = (text if keeps else text.rstrip(HYPHENS)), ""
        elif _needs_no_space(text, following.text) if ends_line else _is_glued(word, following):
            gap = ""
        parts += [text, gap]
        placed.append((length, length + len(text), word))
        length += len(text) + len(gap)
    return "".join(parts), placed


def _as_read(line: Sequence[Word], from_right: bool) -> list[Word]:
    order = logical_order([word.text for word in line], from_right=from_right)
    return [line[at] for at in order]


def _needs_no_space(text: str, following: str) -> bool:
    """Return whether a word at a line's end is joined to the next line as it is: after a dash, and in Chinese."""
    if text[-1:] in "—–/":
        return len(text) > 1 and following[:1].isalnum()
    return writes_without_spaces(text[-1]) and writes_without_spaces(following[0])


def _is_broken(text: str) -> bool:
    return len(text) > 1 and text[-1] in HYPHENS and (text[-2].isalnum() or text[-1] == "\u00ad")


def _is_glued(word: Word, following: Word) -> bool:
    """Return whether an amount's sign, set apart in its table, or a raised unit belongs to its neighbour."""
    if is_currency(word.text) and following.text[:1] in "0123456789(.—–-":
        return True
    if following.text in _CLOSING and word.text[-1:].isdigit():
        return True
    same_base = (
        abs(following.base - word.base) < 0.1 * word.size
        and abs(following.size - word.size) < 0.1 * word.size
    )
    if (
        same_base
        and not following.spaced
        and -0.3 * word.size < following.x0 - word.x1 < 0.04 * word.size
        and word.text[-1:].isalnum()
    ):
        return True  # one word in two fonts
    raised = following.size < 0.82 * word.size and following.text.isalnum() and len(following.text) <= 2
    return raised and len(word.text) <= 2 and word.text.isalpha() and following.x0 - word.x1 < 0.1 * word.size


def _listing(lines: Sequence[Line]) -> tuple[str, list[tuple[int, int, Word]]]:
    """Write lines of fixed width as they stand, spaces included, between fences."""
    widths = sorted(word.width / len(word.text) for line in lines for word in line.words)
    step = max(0.5, widths[len(widths) // 2])
    left = min(line.x0 for line in lines)
    parts, length, placed = [f"{_FENCE}\n"], len(_FENCE) + 1, []
    for line in lines:
        end = left
        for at, word in enumerate(line.words):
            spaces = min(_MOST_SPACES, max(1 if at else 0, round((word.x0 - end) / step)))
            parts += [" " * spaces, word.text]
            placed.append((length + spaces, length + spaces + len(word.text), word))
            length += spaces + len(word.text)
            end = word.x1
        parts.append("\n")
        length += 1
    return "".join([*parts, _FENCE]), placed


def table_text(table: PageTable, hyphens: Hyphens) -> tuple[str, list[tuple[int, int, Word]]]:
    """Write a table, and find each of its words in what was written."""
    texts: dict[int, str] = {}
    spans: dict[int, list[tuple[int, int, Word]]] = {}
    rows: list[list[Cell]] = []
    for row in table.rows:
        cells = []
        for cell in row:
            texts[id(cell)], spans[id(cell)] = join_lines(cell.lines, hyphens)
            cells.append(Cell(texts[id(cell)], cell.rows, cell.columns))
        rows.append(cells)
    written = write_table(lay_out(rows), header_rows=table.header_rows)
    return written, _placed(written, table, texts, spans)


def _placed(
    written: str, table: PageTable, texts: dict[int, str], spans: dict[int, list[tuple[int, int, Word]]]
) -> list[tuple[int, int, Word]]:
    """Find the cells of each row, from the last row up, since those of the body are written as they stand."""
    lines: list[tuple[int, int]] = []
    at = 0
    for line in written.split("\n"):
        lines.append((at, at + len(line)))
        at += len(line) + 1
    placed: list[tuple[int, int, Word]] = []
    filled = [row for row in table.rows if any(texts[id(cell)].strip() for cell in row)]
    body = sum(1 for start, end in lines if written.startswith("|", start)) - 2
    head, rest = (filled[: len(filled) - body], filled[len(filled) - body :]) if body >= 0 else (filled, [])
    head_end = lines[-body - 1][1] if 0 < body < len(lines) else len(written)
    for row in head:
        placed += _cells_within(written, 0, head_end, row, texts, spans)
    for row, (start, end) in zip(rest, lines[len(lines) - body :] if body > 0 else [], strict=False):
        placed += _cells_within(written, start, end, row, texts, spans)
    return sorted(placed, key=lambda its: its[0])


def _cells_within(
    written: str,
    start: int,
    end: int,
    row: Sequence[TableCell],
    texts: dict[int, str],
    spans: dict[int, list[tuple[int, int, Word]]],
) -> list[tuple[int, int, Word]]:
    placed: list[tuple[int, int, Word]] = []
    at = start
    for cell in row:
        text = " ".join(texts[id(cell)].split()).replace(_PIPE, _WRITTEN_PIPE)
        found = written.find(text, at, end) if text else -1
        if text and found < 0:
            found = written.find(text, start, end)  # spans and titles are written at another place
        if found < 0:
            continue
        within = texts[id(cell)]
        for first, last, word in spans[id(cell)]:
            before = within[:first].count(_PIPE)
            inner = within[first:last].count(_PIPE)
            placed.append((found + first + before, found + last + before + inner, word))
        at = max(at, found + len(text))
    return placed
