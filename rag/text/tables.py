"""Rows of pipe tables: where each stands, what its columns are called, and how it reads away from its table.

A row is a unit: what it says, it says with the names of its columns. The text itself stays as it is:

    | Well | Depth m |
    | --- | --- |
    | W-0777 | 193 |

has one row, of which a model reads "Well W-0777: Depth m 193" and a person "W-0777 · Depth m: 193".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from rag.text.sentences import Span, split_sentences
from rag.types import Hit

# Between the cells of a row as a person reads it.
BETWEEN = " · "
_LINE = re.compile(r"[^\n]*\n?")
# As `ingest.formats.markdown.table_row` writes a bar within a cell, whatever stands before it.
_CELL = re.compile(r"(?:\\\||[^|])*")
_RULE = frozenset(" \t:|-")
_HEADING = re.compile(r"[ ]{0,3}#{1,6}[ \t]+(\S.*)")
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class NamedCell:
    """A cell with text: its span, its text, and the name of its column, "" if it has none."""

    start: int
    end: int
    text: str
    column: str


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table: its span without the outer bars, and its cells with text, from the left.

    `section` is the text of the row above it that heads a group, `caption` the line above the table.
    """

    start: int
    end: int
    values: tuple[NamedCell, ...]
    section: str = ""
    caption: str = ""

    @property
    def spelled(self) -> str:
        """The row as models read it: "Products, Item Phones: 2019 12; 2018 10"."""
        return "".join(piece for piece, _ in self.pieces())

    def pieces(self) -> Iterator[tuple[str, int | None]]:
        """Yield the parts of `spelled`, those that are text of the document with their offset."""
        if self.section:
            yield f"{self.section.rstrip(':')}, ", None
        for number, value in enumerate(self.values):
            if number:
                yield ": " if number == 1 else "; ", None
            if value.column:
                yield f"{value.column} ", None
            yield value.text, value.start

    def shown(self, wanted: Sequence[NamedCell] | None = None) -> str:
        """Return the row as a person reads it, its label first: "Phones · 2019: 12 · 2018: 10".

        Args:
            wanted: the cells to show, of `values`; None for all. The label is always shown.
        """
        values = (
            self.values if wanted is None else tuple(v for v in self.values if v in wanted or v is self.label)
        )
        parts = [_named(value, bare=value is self.label) for value in values]
        return BETWEEN.join(parts)

    def moved(self, by: int) -> Row:
        """Return the row with all its offsets raised."""
        values = tuple(replace(v, start=v.start + by, end=v.end + by) for v in self.values)
        return replace(self, start=self.start + by, end=self.end + by, values=values)

    @property
    def label(self) -> NamedCell | None:
        """The cell that says what the row is about: the first, unless it is all that the row has."""
        return self.values[0] if len(self.values) > 1 else None


def find_rows(text: str, above: str = "", *, start: int = 0) -> list[Row]:
    """Return the rows of the tables in a text, headers and rules left out.

    Args:
        above: what stands over the text, as a chunk's context or the text before it: if it ends within a table, the
            text's first rows belong to that table. There, a row without a table above it is a header.
        start: offset of the text, from which spans count.
    """
    table = _Table()
    for _ in table.rows(above, 0, is_context=True):
        pass
    return list(table.rows(text, start, is_context=False))


def split_units(text: str) -> list[Span]:
    """Return consecutive spans that together are the text: a table's rows line by line, and sentences between them.

    White space belongs to the unit before it, as in `split_sentences`.
    """
    if "|" not in text:
        return split_sentences(text)
    spans: list[Span] = []
    prose = 0
    for match in _LINE.finditer(text):
        if not is_row(match.group()):
            continue
        if prose < match.start():
            spans += [
                (prose + begin, prose + end) for begin, end in split_sentences(text[prose : match.start()])
            ]
        spans.append(match.span())
        prose = match.end()
    if prose < len(text):
        spans += [(prose + begin, prose + end) for begin, end in split_sentences(text[prose:])]
    return spans


def row_at(text: str, start: int, end: int) -> Row | None:
    """Return what a span of a document holds of a table's row, None if it does not lie within one.

    A cell that the span cuts is cut. The row's section and caption are not looked for.
    """
    line_start = text.rfind("\n", 0, start) + 1
    line_end = text.find("\n", start)
    line = text[line_start : line_end if line_end >= 0 else len(text)]
    if end > line_start + len(line):
        return None
    row = next(iter(find_rows(line, _head_above(text, line_start), start=line_start)), None)
    values = tuple(_clipped(value, text, start, end) for value in row.values) if row else ()
    values = tuple(value for value in values if value.start < value.end)
    return Row(start, end, values) if values else None


def _clipped(value: NamedCell, text: str, start: int, end: int) -> NamedCell:
    start, end = max(start, value.start), min(end, value.end)
    return NamedCell(start, end, unescaped(text[start:end]), value.column)


def _head_above(text: str, line_start: int) -> str:
    """Return the header and the rule of the row that begins at an offset; "" if it has none."""
    top, rule = line_start, ""
    while top:
        above = text.rfind("\n", 0, top - 1) + 1
        line = text[above:top]
        if not is_row(line):
            break
        if rule and not is_rule(line):
            return line + rule
        rule = line if is_full_rule(line) else ""
        top = above
    header = ""
    for match in _LINE.finditer(text, top, line_start):
        if is_rule(match.group()):
            return header + match.group()
        header = match.group()
    return ""


def is_shown(row: Row, text: str) -> bool:
    """Return whether a text shows a row as `Row.shown` does: some of its cells in order, each with its column's name or
    bare."""
    reached = {0}  # where the next cell may begin
    for value in row.values:
        for at in tuple(reached):
            for form in (_named(value, bare=False), value.text):
                if text.startswith(form, at):
                    if at + len(form) == len(text):
                        return True
                    if text.startswith(BETWEEN, at + len(form)):
                        reached.add(at + len(form) + len(BETWEEN))
    return False


def cells_of(line: str, start: int = 0) -> list[tuple[int, int, str]]:
    """Return (start, end, text) of each cell of a row, blank ones included; `\\|` is a bar within a cell."""
    first = len(line) - len(line.lstrip())
    stripped = line.rstrip()
    position = first + 1 if stripped[first : first + 1] == "|" else first
    last = len(stripped) - 1 if stripped.endswith("|") and not stripped.endswith("\\|") else len(stripped)
    cells = []
    while position <= last:
        found = _CELL.match(stripped, position, last)
        end = found.end() if found else last
        raw = stripped[position:end]
        begin = position + len(raw) - len(raw.lstrip())
        cells.append((start + begin, start + max(begin, position + len(raw.rstrip())), raw.strip()))
        position = end + 1
    return cells


def is_row(line: str) -> bool:
    """Return whether a line belongs to a pipe table."""
    stripped = line.strip()
    return stripped.startswith("|") and len(stripped) > 1


def is_section(line: str) -> bool:
    """Return whether a row of a table with several columns heads a group of rows: only its first cell has text."""
    if not is_row(line) or is_rule(line):
        return False
    first, *others = [text for _, _, text in cells_of(line)]
    return bool(first) and not any(others)


def is_rule(line: str) -> bool:
    """Return whether a line is the rule under a table's header."""
    stripped = line.strip()
    return "|" in stripped and "-" in stripped and _RULE.issuperset(stripped)


def is_full_rule(line: str) -> bool:
    """Return whether a line is a rule that stands under a header also within a table: single hyphens may be cells."""
    return "---" in line and is_rule(line)


class _Table:
    """The state of the current table while its lines are read."""

    def __init__(self) -> None:
        self._columns: list[str] | None = None  # None outside of a table
        self._section = self._caption = ""

    def rows(self, text: str, offset: int, *, is_context: bool) -> Iterator[Row]:
        """Yield the rows among the lines of a text."""
        lines = [match.span() for match in _LINE.finditer(text) if match.group()]
        for number, (begin, end) in enumerate(lines):
            line = text[begin:end].rstrip("\n")
            if not is_row(line):
                self._leave(line)
            elif is_rule(line):
                self._columns = self._columns or []
            elif self._is_header(text, lines, number, is_context=is_context):
                self._columns = [unescaped(cell) for _, _, cell in cells_of(line)]
                self._section = ""
            elif row := self._row(line, offset + begin):
                yield row

    def _is_header(self, text: str, lines: Sequence[Span], number: int, *, is_context: bool) -> bool:
        following = text[slice(*lines[number + 1])] if number + 1 < len(lines) else ""
        if self._columns is not None:
            return is_full_rule(following)
        if is_context or not is_rule(following):
            return is_context
        # The text may begin within its first row
        return number > 0 or len(cells_of(text[slice(*lines[0])])) == len(cells_of(following))

    def _leave(self, line: str) -> None:
        self._columns, self._section = None, ""
        if line.strip():
            heading = _HEADING.match(line)
            self._caption = "" if heading else line.strip()

    def _row(self, line: str, start: int) -> Row | None:
        columns = self._columns or []
        cells = cells_of(line, start)
        values = tuple(
            NamedCell(begin, end, unescaped(cell), columns[at] if at < len(columns) else "")
            for at, (begin, end, cell) in enumerate(cells)
            if cell
        )
        if not values:
            return None
        if len(values) == 1 and len(columns) > 1 and values[0].start == cells[0][0]:
            self._section = values[0].text
            return Row(values[0].start, values[-1].end, values, "", self._caption)
        return Row(values[0].start, values[-1].end, values, self._section, self._caption)


def rows_of(hit: Hit) -> list[Row]:
    """Return the rows within a hit, spans in the document; its chunk says what their columns are called."""
    if "|" not in hit.text:
        return []
    chunk = hit.chunk
    # A hit may begin before its chunk, where the chunk's context does not hold, and end after it
    before = hit.text[: max(0, chunk.start - hit.start)]
    after = hit.text[max(0, chunk.end - hit.start) :] if hit.end > chunk.end else ""
    own = chunk.text + after
    has_header = any(map(is_row, chunk.context.split("\n")))
    if before and not (has_header and before.endswith("\n")):
        found = find_rows(before + own, start=hit.start)
    else:
        found = find_rows(before, start=hit.start) + find_rows(own, chunk.context, start=chunk.start)
    return [row for row in found if hit.start <= row.start and row.end <= hit.end]


def spelled_hit(hit: Hit) -> tuple[str, list[tuple[int, int, int]]]:
    """Return a hit's text as models read it; see `spelled_out`."""
    rows = [row.moved(-hit.start) for row in rows_of(hit)]
    return spelled_out(hit.text, rows)


def spelled_out(text: str, rows: Sequence[Row]) -> tuple[str, list[tuple[int, int, int]]]:
    """Return a text with its rows spelled out, and where its parts come from.

    Headers and rules of tables are left out: each row names its columns.

    Args:
        rows: the rows of the text, as `find_rows` returns them.

    Returns:
        The text, and (start, end, origin) of each part that is verbatim, in order: `made[start:end]` is
        `text[origin : origin + end - start]`.
    """
    if not rows:
        return text, [(0, len(text), 0)]
    waiting = list(rows)
    made: list[str] = []
    origins: list[tuple[int, int, int]] = []
    length = 0

    def add(piece: str, origin: int | None) -> None:
        nonlocal length
        if piece:
            if origin is not None:
                origins.append((length, length + len(piece), origin))
            made.append(piece)
            length += len(piece)

    for match in _LINE.finditer(text):
        line = match.group()
        if not line:
            continue
        if not is_row(line):
            add(line, match.start())
            continue
        if waiting and waiting[0].start < match.end():
            row = waiting.pop(0)
            for piece, origin in row.pieces():
                verbatim = origin is not None and text.startswith(piece, origin)
                add(piece, origin if verbatim else None)
            add("\n" if line.endswith("\n") else "", None)
    return "".join(made), origins


def spelled_row(row: Row) -> tuple[str, list[tuple[int, int, int]]]:
    """Return a row spelled out, and (start, end, origin) of each cell in it, as `spelled_out` does."""
    origins, length = [], 0
    for piece, origin in row.pieces():
        if origin is not None:
            origins.append((length, length + len(piece), origin))
        length += len(piece)
    return row.spelled, origins


def original_span(origins: Sequence[tuple[int, int, int]], start: int, end: int) -> Span | None:
    """Return where a span of a text that `spelled_out` made stands in the original; None if no part of it does.

    A span over several cells stands from the first to the last of them.
    """
    first = next(((begin, origin) for begin, stop, origin in origins if stop > start and begin < end), None)
    last = next(
        ((begin, stop, origin) for begin, stop, origin in reversed(origins) if begin < end and stop > start),
        None,
    )
    if first is None or last is None:
        return None
    return first[1] + max(0, start - first[0]), last[2] + min(end, last[1]) - last[0]


def unescaped(cell: str) -> str:
    """Return a cell as it reads."""
    return _SPACE.sub(" ", cell.replace("\\|", "|"))


def _named(value: NamedCell, *, bare: bool) -> str:
    return value.text if bare or not value.column else f"{value.column}: {value.text}"
