"""Tables whose cells are drawn: horizontal and vertical rules that meet."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import numpy as np

from ingest.formats.pdf.page.drawings import Drawings
from ingest.formats.pdf.page.grids import PageTable, TableCell, cell_of
from ingest.formats.pdf.page.words import Box, Word

# Points: how far rules may miss each other, and two rules may lie apart and be one.
_MEET, _SAME = 3.0, 2.5
_MOST_RULES = 3_000
_MOST_CELLS = 20_000
# Share of cells with words, below which an open lattice is a chart.
_SPARSE = 0.4
# A cell with so many words is a part of the page, not of a table.
_MOST_CELL_WORDS = 200

# A rule: where it lies across its direction, and where it starts and ends along it.
RuleLine = tuple[float, float, float]


def ruled_tables(words: Sequence[Word], drawings: Drawings) -> tuple[list[PageTable], list[Word]]:
    """Return the tables that rules draw on a page, and the words outside them."""
    across = _merged([((y0 + y1) / 2, x0, x1) for x0, y0, x1, y1 in drawings.across])
    down = _merged([((x0 + x1) / 2, y0, y1) for x0, y0, x1, y1 in drawings.down])
    if len(across) < 2 or len(down) < 1 or max(len(across), len(down)) > _MOST_RULES:
        return [], list(words)
    tables: list[PageTable] = []
    rest = list(words)
    for its_across, its_down in _lattices(across, down):
        lattice = _Lattice(its_across, its_down)
        inside = [word for word in rest if lattice.holds(word)]
        table = lattice.table(inside) if inside else None
        if table is not None:
            tables.append(table)
            taken = set(map(id, inside))
            rest = [word for word in rest if id(word) not in taken]
    return tables, rest


def _merged(rules: list[RuleLine]) -> list[RuleLine]:
    """Join the pieces of each rule."""
    merged: list[RuleLine] = []
    lanes: list[list[RuleLine]] = []
    for rule in sorted(rules):
        if lanes and rule[0] - lanes[-1][0][0] <= _SAME:
            lanes[-1].append(rule)
        else:
            lanes.append([rule])
    for lane in lanes:
        lane.sort(key=lambda rule: rule[1])
        for at, start, end in lane:
            if merged and abs(merged[-1][0] - at) <= _SAME and start - merged[-1][2] <= _MEET:
                merged[-1] = (merged[-1][0], merged[-1][1], max(merged[-1][2], end))
            else:
                merged.append((at, start, end))
    return merged


def _lattices(across: list[RuleLine], down: list[RuleLine]) -> list[tuple[list[RuleLine], list[RuleLine]]]:
    """Group rules that meet; only groups that can hold several cells are returned."""
    rows, columns = np.array(across), np.array(down)
    meets = (
        (columns[None, :, 0] >= rows[:, None, 1] - _MEET)
        & (columns[None, :, 0] <= rows[:, None, 2] + _MEET)
        & (rows[:, None, 0] >= columns[None, :, 1] - _MEET)
        & (rows[:, None, 0] <= columns[None, :, 2] + _MEET)
    )
    groups: list[tuple[list[RuleLine], list[RuleLine]]] = []
    unseen = set(range(len(across)))
    while unseen:
        rows_of, columns_of = {unseen.pop()}, set[int]()
        frontier = set(rows_of)
        while frontier:
            new_columns = set(np.flatnonzero(meets[sorted(frontier)].any(axis=0)).tolist()) - columns_of
            columns_of |= new_columns
            frontier = set(np.flatnonzero(meets[:, sorted(new_columns)].any(axis=1)).tolist()) - rows_of
            rows_of |= frontier
        unseen -= rows_of
        if len(rows_of) >= 2 and columns_of:
            groups.append(([across[at] for at in sorted(rows_of)], [down[at] for at in sorted(columns_of)]))
    return groups


class _Lattice:
    """Rules that meet, and the cells between them."""

    def __init__(self, across: list[RuleLine], down: list[RuleLine]) -> None:
        self._across, self._down = across, down
        ends_x = [end for rule in across for end in rule[1:]]
        ends_y = [end for rule in down for end in rule[1:]]
        self._xs = _distinct([rule[0] for rule in down] + [min(ends_x), max(ends_x)])
        self._ys = _distinct([rule[0] for rule in across] + [min(ends_y), max(ends_y)])

    def holds(self, word: Word) -> bool:
        """Return whether a word stands within it."""
        x, y = (word.x0 + word.x1) / 2, (word.y0 + word.y1) / 2
        return self._xs[0] <= x <= self._xs[-1] and self._ys[0] <= y <= self._ys[-1]

    def table(self, words: Sequence[Word]) -> PageTable | None:
        """Return the table that its words make; None if it frames something else."""
        height, width = len(self._ys) - 1, len(self._xs) - 1
        if width < 2 or height < 1 or width * height < 3 or width * height > _MOST_CELLS:
            return None
        held: dict[tuple[int, int], list[Word]] = {}
        owner, rows = self._cells(height, width)
        for word in words:
            column = min(width - 1, max(0, bisect_right(self._xs, (word.x0 + word.x1) / 2) - 1))
            row = min(height - 1, max(0, bisect_right(self._ys, (word.y0 + word.y1) / 2) - 1))
            held.setdefault(owner[row][column], []).append(word)
        if max(map(len, held.values())) > _MOST_CELL_WORDS:
            return None
        if len({row for row, _ in held}) * len({column for _, column in held}) < 2 or len(held) < 3:
            return None
        cells = sum(map(len, rows))
        if len(held) < _SPARSE * cells and not self._is_closed():
            return None
        for (row, column), its_words in held.items():
            rows[row][column].lines = cell_of(its_words).lines
        listed = [[rows[row][column] for column in sorted(rows[row])] for row in range(height)]
        edges = list(zip(self._xs, self._xs[1:], strict=False))
        split = [part for row in listed for part in _split_row(row, width)]
        box: Box = (self._xs[0], self._ys[0], self._xs[-1], self._ys[-1])
        return PageTable(split, edges, box, ruled=True)

    def _is_closed(self) -> bool:
        """Return whether rules run along its top and its right side; a chart's bars end at different heights."""
        top = sum(end - start for at, start, end in self._across if abs(at - self._ys[0]) <= _SAME)
        right = sum(end - start for at, start, end in self._down if abs(at - self._xs[-1]) <= _SAME)
        width, height = self._xs[-1] - self._xs[0], self._ys[-1] - self._ys[0]
        return top > 0.5 * width or right > 0.5 * height

    def _cells(
        self, height: int, width: int
    ) -> tuple[list[list[tuple[int, int]]], list[dict[int, TableCell]]]:
        """Return which cell each place of the grid belongs to, and the cells by row and column."""
        right = [[self._is_ruled_right(row, column) for column in range(width)] for row in range(height)]
        below = [[self._is_ruled_below(row, column) for column in range(width)] for row in range(height)]
        owner: list[list[tuple[int, int]]] = [[(-1, -1)] * width for _ in range(height)]
        rows: list[dict[int, TableCell]] = [{} for _ in range(height)]
        for row in range(height):
            for column in range(width):
                if owner[row][column][0] >= 0:
                    continue
                columns = 1
                while (
                    column + columns < width
                    and not right[row][column + columns - 1]
                    and owner[row][column + columns][0] < 0
                ):
                    columns += 1
                count = 1
                span = range(column, column + columns)
                while row + count < height and not any(below[row + count - 1][at] for at in span):
                    count += 1
                for at in range(row, row + count):
                    owner[at][column : column + columns] = [(row, column)] * columns
                rows[row][column] = TableCell(rows=count, columns=columns)
        return owner, rows

    def _is_ruled_right(self, row: int, column: int) -> bool:
        x, y = self._xs[column + 1], (self._ys[row] + self._ys[row + 1]) / 2
        return any(abs(at - x) <= _SAME and start <= y <= end for at, start, end in self._down)

    def _is_ruled_below(self, row: int, column: int) -> bool:
        x, y = (self._xs[column] + self._xs[column + 1]) / 2, self._ys[row + 1]
        return any(abs(at - y) <= _SAME and start <= x <= end for at, start, end in self._across)


def _distinct(places: Sequence[float]) -> list[float]:
    result: list[float] = []
    for place in sorted(places):
        if not result or place - result[-1] > _SAME:
            result.append(place)
    return result


def _split_row(row: list[TableCell], width: int) -> list[list[TableCell]]:
    """Split a row whose cells hold as many lines on the same baselines: rows without rules between them."""
    filled = [cell for cell in row if cell.lines]
    count = max((len(cell.lines) for cell in filled), default=1)
    aligned = [cell for cell in filled if len(cell.lines) == count]
    if count == 2 and len(aligned) < len(filled):
        return [row]  # more likely wrapped
    if (
        count < 2
        or len(aligned) < 2
        or len(aligned) * 2 <= len(filled)
        or any(cell.rows > 1 for cell in filled)
    ):
        return [row]
    bases = [line[0].base for line in aligned[0].lines]
    size = aligned[0].lines[0][0].size
    agree = all(
        abs(line[0].base - base) < 0.3 * size
        for cell in aligned
        for line, base in zip(cell.lines, bases, strict=True)
    )
    numbers = sum(
        any(character.isdigit() for word in line for character in word.text)
        for cell in aligned[1:]
        for line in cell.lines
    )
    if not agree or numbers * 2 < sum(len(cell.lines) for cell in aligned[1:]):
        return [row]
    parts: list[list[TableCell]] = []
    for base in bases:
        part = []
        for cell in row:
            lines = [line for line in cell.lines if abs(line[0].base - base) < 0.5 * size]
            part.append(TableCell(lines, 1, cell.columns))
        parts.append(part)
    return parts
