"""Tables without drawn cells: rows whose parts stand below each other in columns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

import numpy as np

from ingest.formats.grid import is_number
from ingest.formats.pdf.drawings import Drawings
from ingest.formats.pdf.grids import PageTable
from ingest.formats.pdf.header import body_rows, header_levels
from ingest.formats.pdf.lines import Line, Row, is_currency
from ingest.formats.pdf.words import Word

# A list's mark is no cell of its own.
_MARK = re.compile(r"[•●▪■◦‣–—*·o-]|[\[(]?(?:\d{1,3}|[a-zA-Z]|[ivxIVX]{1,6})[.):\]]{1,2}|\d{1,2}(?:\.\d{1,2}){1,4}\.?|[●\uf0b7\uf0a7]")
_OPENS_AMOUNT = re.compile(r"[\d(.—–-]")
_CLOSES_AMOUNT = re.compile(r"\)?%?\)?\*{0,3}|\(?\d{1,2}\)")
# Shares of the font's height.
_SEPARATION = 0.3  # between two columns
_ROW_GAP, _HEADER_GAP = 3.2, 2.2  # from one baseline to the next
_MOST_BRIDGES = 4  # rows of one part between others, such as titles of sections
_BRIDGE_WORDS = 18
# A row with more words that fills more of its width is prose.
_MOST_WORDS, _PROSE_COVER = 11, 0.85
_NOISE = 0.06  # of the rows may reach into the stripe between two columns
_MOST_TITLES = 9
_LONGEST_CELL = 9  # words on average, of a table without numbers


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a row: neighbouring words that no wide gap splits."""

    words: list[Word]

    @property
    def x0(self) -> float:
        return self.words[0].x0

    @property
    def x1(self) -> float:
        return max(word.x1 for word in self.words)

    @property
    def core_x0(self) -> float:
        """Where it begins, the sign before an amount left out: that stands where the column begins."""
        signed = len(self.words) > 1 and is_currency(self.words[0].text)
        return self.words[1].x0 if signed else self.words[0].x0

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)


@dataclass(frozen=True, slots=True)
class PartedRow:
    """A row of a region and its parts, amounts put together with their signs."""

    row: Row
    parts: list[Part]
    base: float
    size: float

    @property
    def is_tabular(self) -> bool:
        """Whether it has several parts, a list's mark not counted, and is not prose with a wide space."""
        if len(self.parts) <= (2 if _MARK.fullmatch(self.parts[0].text) else 1):
            return False
        words = sum(len(word.text) > 1 and word.text[1].isalpha() for part in self.parts for word in part.words)
        covered = sum(part.x1 - part.x0 for part in self.parts)
        return words <= _MOST_WORDS or covered < _PROSE_COVER * (self.parts[-1].x1 - self.parts[0].x0)


def with_tables(rows: Sequence[Row], drawings: Drawings) -> list[Row | PageTable]:
    """Return the rows of a region, those that make a table replaced by it."""
    parted = [_parted(row) for row in rows]
    result: list[Row | PageTable] = []
    done = 0
    for start, end in _groups(parted):
        start = _after_titles(parted, _with_header(parted, start, end, done), end)
        table = _table(parted[start:end], drawings)
        if table is not None:
            result += [its.row for its in parted[done:start]]
            result.append(table)
            done = end
    return [*result, *(its.row for its in parted[done:])]


def _parted(row: Row) -> PartedRow:
    parts: list[Part] = []
    for line in row:
        if line.table is not None or line.figure:
            return PartedRow(row, [Part(line.words or [Word("", *line.box, line.base, line.size)])], line.base, line.size)
        parts.append(Part(line.words))
    glued: list[Part] = []
    for part in parts:
        before = glued[-1] if glued else None
        opens = before is not None and is_currency(before.words[-1].text) and _OPENS_AMOUNT.match(part.text)
        closes = before is not None and _CLOSES_AMOUNT.fullmatch(part.text) and before.text[-1:].isdigit()
        if before is not None and (opens or (closes and part.x0 - before.x1 < 2 * part.words[0].size)):
            glued[-1] = Part([*before.words, *part.words])
        else:
            glued.append(part)
    return PartedRow(row, glued, row[0].base, median(line.size for line in row))


def _groups(rows: Sequence[PartedRow]) -> list[tuple[int, int]]:
    """Return runs of rows that begin and end with several parts, and of which few have one."""
    groups: list[tuple[int, int]] = []
    start, last = -1, -1
    for index, row in enumerate(rows):
        if row.row[0].table is not None or row.row[0].figure:
            if start >= 0:
                groups.append((start, last + 1))
            start = -1
        elif row.is_tabular:
            if start >= 0 and not _bridges(rows, last, index):
                groups.append((start, last + 1))
                start = -1
            start, last = (index if start < 0 else start), index
    if start >= 0:
        groups.append((start, last + 1))
    return [(start, _with_tail(rows, start, end)) for start, end in groups]


def _bridges(rows: Sequence[PartedRow], last: int, index: int) -> bool:
    between = rows[last + 1 : index]
    if len(between) > _MOST_BRIDGES:
        return False
    if any(len(row.parts[0].words) > _BRIDGE_WORDS for row in between):
        return False
    return all(
        other.base - one.base <= _ROW_GAP * max(one.size, other.size) for one, other in pairwise(rows[last : index + 1])
    )


def _with_tail(rows: Sequence[PartedRow], start: int, end: int) -> int:
    """Return the end of a group with the rest of its last label, if that goes on in the next line."""
    if end >= len(rows) or end - start < 2:
        return end
    last, following = rows[end - 1], rows[end]
    if following.row[0].table is not None or following.row[0].figure or following.is_tabular:
        return end
    pitch = median(other.base - one.base for one, other in pairwise(rows[start:end]))
    tight = following.base - last.base < 0.95 * pitch or (
        following.base - last.base <= 1.3 * last.size and following.parts[0].text[:1].islower()
    )
    column = min(part.x1 for part in last.parts)
    within = following.parts[0].x1 < min(part.x0 for part in last.parts[1:]) and following.parts[0].x0 < column
    return end + 1 if tight and within and abs(following.size - last.size) < 0.1 * last.size else end


def _with_header(rows: Sequence[PartedRow], start: int, end: int, done: int) -> int:
    """Return the start of a group with the lines above it that stand over its columns only."""
    lefts = [row.parts[1].x0 for row in rows[start:end] if len(row.parts) > 1]
    value_left = float(np.percentile(lefts, 25)) if lefts else 1e9
    label_left = min(row.parts[0].x0 for row in rows[start:end])
    first = start
    while first - 1 >= done and start - first < 3:
        row, below = rows[first - 1], rows[first]
        if row.row[0].table is not None or row.row[0].figure or below.base - row.base > _HEADER_GAP * below.size:
            break
        size = row.size
        if row.parts[0].x0 < max(value_left - 4 * size, label_left + 6 * size) or len(row.parts[0].words) > 12:
            break
        first -= 1
    return first


def _after_titles(rows: Sequence[PartedRow], start: int, end: int) -> int:
    """Return the start of a group without the titles at its top: lines of one part that stand over its labels too."""
    lefts = [row.parts[1].core_x0 for row in rows[start:end] if len(row.parts) > 1]
    if not lefts:
        return start
    value_left = float(np.percentile(lefts, 10))
    result = start
    for index in range(start, min(end - 2, start + _MOST_TITLES)):
        row = rows[index]
        if any(is_number(part.text) for part in row.parts[1:]):
            break
        if len(row.parts) == 1 and row.parts[0].x0 < value_left - row.size and rows[index + 1].is_tabular:
            named = any(not any(is_number(part.text) for part in its.parts[1:]) for its in rows[index + 1 : index + 2])
            if named and index > start - 1 and not row.parts[0].text.endswith(":"):
                result = index + 1
    return result


def _table(rows: Sequence[PartedRow], drawings: Drawings) -> PageTable | None:
    """Return the table that a group of rows makes; None if its parts do not stand in columns."""
    tabular = [row for row in rows if row.is_tabular]
    values = [row for row in tabular if any(is_number(part.text) for part in row.parts[1:])]
    if len(tabular) < 2 or (len(tabular) < 3 and not values):
        return None
    edges = column_edges(values if len(values) * 3 >= len(tabular) else tabular)
    if len(edges) < 2 or not _is_plausible(tabular, values, edges):
        return None
    header, body = header_levels(rows, edges, drawings)
    body_cells = body_rows(body, edges, drawings)
    cells = [*header, *body_cells]
    lines = [line for row in rows for line in row.row]
    box = (
        min(line.x0 for line in lines),
        min(line.y0 for line in lines),
        max(line.x1 for line in lines),
        max(line.y1 for line in lines),
    )
    return PageTable(cells, edges, box, len(header))


def column_edges(rows: Sequence[PartedRow]) -> list[tuple[float, float]]:
    """Return the left and right end of each column: stripes that parts of the rows cover, between empty ones."""
    left = min(part.core_x0 for row in rows for part in row.parts)
    right = max(part.x1 for row in rows for part in row.parts)
    steps = np.zeros(int(right - left) * 2 + 4)
    for row in rows:
        for part in row.parts:
            steps[max(0, int((part.core_x0 - left) * 2 + 0.5))] += 1
            steps[max(0, int((part.x1 - left) * 2 + 0.5))] -= 1
    covered = np.cumsum(steps)
    allowed = int(_NOISE * len(rows)) if len(rows) >= 8 else 0
    full = np.concatenate([[False], covered > allowed, [False]])
    starts, ends = np.flatnonzero(full[1:] & ~full[:-1]), np.flatnonzero(~full[1:] & full[:-1])
    separation = _SEPARATION * median(row.size for row in rows)
    edges: list[tuple[float, float]] = []
    for start, end in zip((starts / 2 + left).tolist(), (ends / 2 + left).tolist(), strict=True):
        if edges and start - edges[-1][1] < separation:
            edges[-1] = (edges[-1][0], end)
        else:
            edges.append((start, end))
    return edges


def _is_plausible(
    tabular: Sequence[PartedRow], values: Sequence[PartedRow], edges: Sequence[tuple[float, float]]
) -> bool:
    """Return whether parts fill the columns as cells do, and prose with wide spaces does not."""
    filled = [0] * len(edges)
    for row in tabular:
        for part in row.parts:
            centre = (part.x0 + part.x1) / 2
            for column, (left, right) in enumerate(edges):
                if left - 1 <= centre <= right + 1:
                    filled[column] += 1
                    break
    if sum(count >= 2 for count in filled) < 2:
        return False
    parts = [part for row in tabular for part in row.parts]
    words = sum(len(part.words) for part in parts) / len(parts)
    if len(values) * 3 >= len(tabular):
        return words <= 2 * _LONGEST_CELL
    return len(tabular) >= 3 and words <= _LONGEST_CELL


def line_of(row: Row) -> Line:
    """Return the first line of a row, which says where it stands."""
    return row[0]
