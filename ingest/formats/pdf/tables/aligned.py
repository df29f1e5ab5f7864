"""Tables without drawn cells: rows whose parts stand below each other in columns."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

import numpy as np

from ingest.formats.pdf.page.drawings import Drawings
from ingest.formats.pdf.page.grids import PageTable
from ingest.formats.pdf.page.lines import LineRow
from ingest.formats.pdf.tables.header import body_rows, header_levels
from ingest.formats.pdf.tables.parts import PartedRow, parted

# Shares of the font's height.
_SEPARATION = 0.3  # between two columns
_ROW_GAP, _HEADER_GAP = 3.2, 2.2  # from one baseline to the next
_SET_OFF, _TEXT_PITCH = 2.2, 1.12
_MOST_BRIDGES = 4  # rows of one part between others, such as titles of sections
_BRIDGE_WORDS, _LABEL_WORDS = 32, 7
_NOISE = 0.06  # of the rows may reach into the stripe between two columns
_TITLE_SIZE = 1.3  # of the row below: a title of the page, no name of a column
_MOST_TITLES, _MOST_NAME_LINES = 9, 6
_LONGEST_CELL = 9  # words on average, of a table without numbers


def with_tables(rows: Sequence[LineRow], drawings: Drawings) -> list[LineRow | PageTable]:
    """Return the rows of a region, those that make a table replaced by it."""
    parted_rows = [parted(row) for row in rows]
    result: list[LineRow | PageTable] = []
    done = 0
    for start, end in _groups(parted_rows):
        start = _after_titles(parted_rows, _with_header(parted_rows, start, end, done), end)
        if columns := _side_by_side(parted_rows[start:end], drawings):
            result += [its.row for its in parted_rows[done:start]]
            result += columns
            done = end
            continue
        table = _table(parted_rows[start:end], drawings)
        if table is not None:
            result += [its.row for its in parted_rows[done:start]]
            result.append(table)
            done = end
    return [*result, *(its.row for its in parted_rows[done:])]


def _side_by_side(rows: Sequence[PartedRow], drawings: Drawings) -> list[LineRow]:
    """Return the lines of blocks of text side by side, such as two addresses, one block after the other.

    They are words only, as close below each other as lines of text, and nothing is drawn around them.
    """
    tabular = [row for row in rows if row.is_tabular]
    if len(tabular) < 2 or len(tabular) != len(rows) or any(row.has_values for row in rows):
        return []
    top, bottom = rows[0].base - rows[0].size, rows[-1].base + 0.5 * rows[-1].size
    if any(top < y0 < bottom for boxes in (drawings.across, drawings.shades) for _, y0, _, _ in boxes):
        return []
    pitch = max(other.base - one.base for one, other in pairwise(rows))
    bold = [all(word.bold for part in row.parts for word in part.words) for row in rows]
    edges = column_edges(rows)
    if pitch > _TEXT_PITCH * rows[0].size or bold[0] != bold[-1] or len(edges) != 2:
        return []
    gutter = (edges[0][1] + edges[1][0]) / 2
    lines = [line for row in rows for line in row.row]
    return [
        *([line] for line in lines if line.x0 < gutter),
        *([line] for line in lines if line.x0 >= gutter),
    ]


def _groups(rows: Sequence[PartedRow]) -> list[tuple[int, int]]:
    """Return runs of rows that begin and end with several parts, and of which few have one."""
    groups: list[tuple[int, int]] = []
    start, last, has_values = -1, -1, False
    for index, row in enumerate(rows):
        if row.stands_alone:
            if start >= 0:
                groups.append((start, last + 1))
            start = -1
        elif row.is_tabular:
            begins = _begins_another if has_values else _is_set_off
            ends = start >= 0 and (begins(rows, last, index) or not _bridges(rows, last, index))
            if ends:
                groups.append((start, last + 1))
            if ends or start < 0:
                start, has_values = index, False
            last, has_values = index, has_values or row.has_values
    if start >= 0:
        groups.append((start, last + 1))
    return [(start, _with_tail(rows, start, end)) for start, end in groups]


def _bridges(rows: Sequence[PartedRow], last: int, index: int) -> bool:
    """Return whether the rows of one part between two others may be titles of sections, or labels that go on."""
    between = rows[last + 1 : index]
    if len(between) > _MOST_BRIDGES:
        return False
    values_left = min(rows[at].parts[1].core_x0 for at in (last, index))
    for row in between:
        part = row.parts[0]
        if len(part.words) > _BRIDGE_WORDS or (
            len(part.words) > _LABEL_WORDS and part.x1 > values_left + row.size
        ):
            return False
    return all(
        other.base - one.base <= _ROW_GAP * max(one.size, other.size)
        for one, other in pairwise(rows[last : index + 1])
    )


def _begins_another(rows: Sequence[PartedRow], last: int, index: int) -> bool:
    """Return whether a row after values names columns again: that of another table below its title."""
    row = rows[index]
    if row.has_values or not any(its.has_values for its in rows[index + 1 : index + _MOST_NAME_LINES + 3]):
        return False
    apart = row.base - rows[last].base > 1.8 * row.size
    bold = all(word.bold for part in row.parts for word in part.words)
    return apart and (index > last + 1 or bold)


def _is_set_off(rows: Sequence[PartedRow], last: int, index: int) -> bool:
    """Return whether much more space stands between two rows than below the second: addresses above a table."""
    if last < 0 or index + 1 >= len(rows):
        return False
    row = rows[index]
    gap, following = row.base - rows[index - 1].base, rows[index + 1].base - row.base
    return gap > _SET_OFF * row.size and gap > 1.6 * following


def _with_tail(rows: Sequence[PartedRow], start: int, end: int) -> int:
    """Return the end of a group with the rest of its last label, if that goes on in the next line."""
    if end >= len(rows) or end - start < 2:
        return end
    last, following = rows[end - 1], rows[end]
    if following.stands_alone or following.is_tabular:
        return end
    pitch = median(other.base - one.base for one, other in pairwise(rows[start:end]))
    tight = following.base - last.base < 0.95 * pitch or (
        following.base - last.base <= 1.3 * last.size and following.parts[0].text[:1].islower()
    )
    column = min(part.x1 for part in last.parts)
    within = (
        following.parts[0].x1 < min(part.x0 for part in last.parts[1:]) and following.parts[0].x0 < column
    )
    return end + 1 if tight and within and abs(following.size - last.size) < 0.1 * last.size else end


def _with_header(rows: Sequence[PartedRow], start: int, end: int, done: int) -> int:
    """Return the start of a group with the lines above it that stand over its columns only."""
    lefts = [row.parts[1].x0 for row in rows[start:end] if len(row.parts) > 1]
    value_left = float(np.percentile(lefts, 25)) if lefts else 1e9
    label_left = min(row.parts[0].x0 for row in rows[start:end])
    first = start
    while first - 1 >= done and start - first < _MOST_NAME_LINES:
        row, below = rows[first - 1], rows[first]
        if row.stands_alone or below.base - row.base > _HEADER_GAP * below.size:
            break
        if row.size > _TITLE_SIZE * below.size:
            break
        size = row.size
        if (
            row.parts[0].x0 < max(value_left - 4 * size, label_left + 6 * size)
            or len(row.parts[0].words) > 12
        ):
            break
        first -= 1
    return first


def _after_titles(rows: Sequence[PartedRow], start: int, end: int) -> int:
    """Return the start of a group without the titles at its top: lines of one part that stand over its labels too."""
    several = [row for row in rows[start:end] if len(row.parts) > 1]
    lefts = [row.parts[1].core_x0 for row in several if row.has_values] or [
        row.parts[1].core_x0 for row in several
    ]
    if not lefts:
        return start
    value_left = float(np.percentile(lefts, 10))
    left = min(row.parts[0].x0 for row in rows[start:end])
    right = max(row.parts[-1].x1 for row in rows[start:end])
    result = start
    for index in range(start, min(end - 2, start + _MOST_TITLES)):
        row, part = rows[index], rows[index].parts[0]
        if row.has_values or (row.is_tabular and part.x0 > value_left - 4 * row.size):
            break  # names of columns
        centre = (part.x0 + part.x1) / 2
        if row.is_tabular:
            over_labels, over_all = row.parts[-1].x1 < value_left, False
        else:
            over_labels = part.x0 <= left + 2 * row.size or centre < value_left
            over_all = (
                abs(centre - (left + right) / 2) < 0.02 * (right - left) and part.x0 < value_left - row.size
            )
        if not (over_labels or over_all) or part.text.endswith(":"):
            continue
        if rows[index + 1].is_tabular and not rows[index + 1].has_values:
            result = index + 1
    return result


def _table(rows: Sequence[PartedRow], drawings: Drawings) -> PageTable | None:
    """Return the table that a group of rows makes; None if its parts do not stand in columns."""
    tabular = [row for row in rows if row.is_tabular]
    values = [row for row in tabular if row.has_values]
    if len(tabular) < 2 or (len(tabular) < 3 and not values):
        return None
    edges = column_edges(values if len(values) * 3 >= len(tabular) else tabular)
    edges = _without_halves(rows, edges)
    if len(edges) < 2 or not _is_plausible(tabular, values, edges):
        return None
    if _is_form(tabular, edges):
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


def _without_halves(rows: Sequence[PartedRow], edges: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Put two columns together that no row fills both of, while there are more columns than names.

    Words that begin at the left of a column and amounts that end at its right look like two.
    """
    head: list[PartedRow] = []
    for row in rows:
        if row.has_values:
            break
        head.append(row)
    names = max(head, key=lambda row: len(row.parts), default=None)
    if names is None or len(names.parts) < 2:
        return edges
    wanted = len(names.parts) + (names.parts[0].x0 > edges[0][1])
    body = [row for row in rows[len(head) :] if row.is_tabular]
    while len(edges) > wanted:
        halves = [
            at for at in range(1, len(edges) - 1) if not any(_fills_both(row, edges, at) for row in body)
        ]
        if not halves:
            break
        at = min(halves, key=lambda at: edges[at + 1][0] - edges[at][1])
        edges = [*edges[:at], (edges[at][0], edges[at + 1][1]), *edges[at + 2 :]]
    return edges


def _fills_both(row: PartedRow, edges: Sequence[tuple[float, float]], at: int) -> bool:
    def fills(column: int) -> bool:
        left, right = edges[column]
        return any(min(part.x1, right) > max(part.core_x0, left) for part in row.parts)

    return fills(at) and fills(at + 1)


def _is_form(tabular: Sequence[PartedRow], edges: Sequence[tuple[float, float]]) -> bool:
    """Return whether rows pair a label with its value, as in "Item: camera": lines, not a table with a header."""
    labels = sum(row.parts[0].text.endswith(":") for row in tabular)
    return len(edges) == 2 and labels * 2 > len(tabular)


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
            centre = (part.core_x0 + part.x1) / 2
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
