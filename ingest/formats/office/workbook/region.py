"""The tables on a sheet: areas of cells that blank rows and columns part, each with the titles above it."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise

from ingest.formats.office.workbook.sheet import MOST_ROWS, Amount, Area

Rows = dict[int, dict[int, str]]

_MOST_TITLE_ROWS = 6
_TITLE_CHARACTERS = 200
# A row of one text this long below a table is a remark about it.
_REMARK_CHARACTERS = 30
_REMARK = re.compile(r"[*†‡¹²³]|\(\d\)|\d\)")
_DATE = re.compile(r"\d{4}-\d\d(?:-\d\d)?|[^\W\d_]{3,}\W*\d{2,4}|\d{1,2}\W*[^\W\d_]{3,}(?:\W*\d{2,4})?")
_YEAR = re.compile(r"(1[89]|20|21)\d\d")
_MOST_SAMPLES = 20
_MOST_GAPS = 40
# Regions that may stand side by side.
_MOST_BESIDE = 8
_MOST_PAIRS = 40


@dataclass(slots=True)
class SheetRegion:
    """Cells that belong together, by row and column."""

    rows: Rows
    name: str = ""  # of a table that the workbook defines
    header_rows: int | None = None  # None: unknown
    remarks: list[str] = field(default_factory=list)  # below it
    area: Area = field(init=False)  # of its first and last cells
    is_prose: bool = field(init=False)  # no row holds more than one text

    def __post_init__(self) -> None:
        columns = {column for row in self.rows.values() for column in row}
        edges = (min(self.rows, default=0), min(columns, default=0))
        self.area = Area(*edges, max(self.rows, default=0), max(columns, default=0))
        self.is_prose = all(len(row) < 2 for row in self.rows.values())

    def join(self, other: SheetRegion) -> None:
        """Take the cells of another region, which has no row in common."""
        self.rows.update(other.rows)
        ours, theirs = self.area, other.area
        self.area = Area(
            min(ours.top, theirs.top),
            min(ours.left, theirs.left),
            max(ours.bottom, theirs.bottom),
            max(ours.right, theirs.right),
        )
        self.is_prose = self.is_prose and other.is_prose


def regions(rows: Rows, tables: Sequence[tuple[str, Area, int]], merged: Sequence[Area]) -> list[SheetRegion]:
    """Return a sheet's tables from top to bottom, then left to right.

    Args:
        rows: every cell with text, by row and column.
        tables: what the workbook defines: name, area, rows of header.
        merged: areas of merged cells; they hold together what blank rows would part.
    """
    rest = {number: dict(row) for number, row in rows.items()}
    found = [_cut_out(rest, *table) for table in tables]
    whole = {number: row for number, row in sorted(rest.items()) if row}
    found += [SheetRegion(part) for part in _parts(whole, _bridges(whole, merged))]
    found = [region for region in found if region.rows]
    found.sort(key=lambda region: (region.area.top, region.area.left))
    return _with_titles(_joined(found))


def _cut_out(rows: Rows, name: str, area: Area, header_rows: int) -> SheetRegion:
    taken: Rows = {}
    for number in [number for number in rows if area.top <= number <= area.bottom]:
        row = rows[number]
        cells = {column: row.pop(column) for column in list(row) if area.left <= column <= area.right}
        if cells:
            taken[number] = cells
    return SheetRegion(taken, name, header_rows)


def _bridges(rows: Rows, merged: Sequence[Area]) -> list[tuple[int, int]]:
    """Return the runs of rows that merged cells hold together, first and last, in order and apart."""
    runs: list[tuple[int, int]] = []
    for top, bottom in sorted(
        (one.top, one.bottom) for one in merged if one.top in rows and one.bottom > one.top
    ):
        if runs and top <= runs[-1][1]:
            runs[-1] = runs[-1][0], max(runs[-1][1], bottom)
        else:
            runs.append((top, bottom))
    return runs


def _parts(rows: Rows, bridges: list[tuple[int, int]]) -> Iterator[Rows]:
    """Cut at blank rows, then at blank columns between tables that stand side by side, and so on."""
    for block in _blocks(rows, bridges):
        sides = _sides(block)
        if sides is None:
            yield block
        else:
            for side in sides:
                yield from _parts(side, bridges)


def _blocks(rows: Rows, bridges: list[tuple[int, int]]) -> Iterator[Rows]:
    block: Rows = {}
    last = 0
    for number in rows:
        if block and number > last + 1 and not _is_bridged(last + 1, number - 1, bridges):
            yield block
            block = {}
        block[number] = rows[number]
        last = number
    if block:
        yield block


def _is_bridged(first: int, last: int, bridges: list[tuple[int, int]]) -> bool:
    """Return whether one run of merged cells covers the blank rows from first to last."""
    at = bisect_right(bridges, (first, MOST_ROWS)) - 1
    return at >= 0 and bridges[at][1] >= last


def _sides(rows: Rows) -> tuple[Rows, Rows] | None:
    """Return the two tables that a blank column parts; None if the block is one table.

    A blank column inside a table only sets its columns apart. What is on its right is a table of its own if its names
    stand in another row; or if it has row labels, and either ends at another row, or begins with the same name as
    the one on the left.
    """
    used = sorted({column for row in rows.values() for column in row})
    gaps = [(before, after) for before, after in pairwise(used) if after > before + 1]
    for before, after in gaps[:_MOST_GAPS]:
        left, right = _side(rows, used[0], before), _side(rows, after, used[-1])
        if _is_table(left) and _is_table(right) and _are_apart(left, right):
            return left, right
    return None


def _side(rows: Rows, first: int, last: int) -> Rows:
    cut = {
        number: {at: text for at, text in row.items() if first <= at <= last} for number, row in rows.items()
    }
    return {number: row for number, row in cut.items() if row}


def _is_table(rows: Rows) -> bool:
    return len(rows) > 1 and any(len(row) > 1 for row in rows.values())


def _has_labels(rows: Rows) -> bool:
    """Return whether the first column holds names, not amounts."""
    first = min(column for row in rows.values() for column in row)
    texts = [row[first] for row in rows.values() if first in row]
    return sum(isinstance(text, Amount) for text in texts) * 2 <= len(texts)


def _are_apart(left: Rows, right: Rows) -> bool:
    (at_left, names_left), (at_right, names_right) = _first(left), _first(right)
    if at_left != at_right and not any(isinstance(text, Amount) for text in names_right.values()):
        return True
    if not _has_labels(right):
        return False
    if next(iter(names_left.values())) == next(iter(names_right.values())):
        return True
    return max(left) != max(right) and len(right) == max(right) - min(right) + 1


def _first(rows: Rows) -> tuple[int, dict[int, str]]:
    """Return the first row that holds more than one text, and its number."""
    at = next((number for number in sorted(rows) if len(rows[number]) > 1), min(rows))
    return at, dict(sorted(rows[at].items()))


def _joined(found: Iterable[SheetRegion]) -> list[SheetRegion]:
    """Join a block of rows to the table above it where it goes on: the same columns, no header of its own."""
    joined: list[SheetRegion] = []
    for region in found:
        # What stands beside a table may come between in the order
        above = next((one for one in reversed(joined[-_MOST_BESIDE:]) if _share_columns(one, region)), None)
        if above is not None and _goes_on(above, region):
            above.join(region)
        else:
            joined.append(region)
    return joined


def _share_columns(one: SheetRegion, other: SheetRegion) -> bool:
    return one.area.left <= other.area.right and other.area.left <= one.area.right


def _goes_on(above: SheetRegion, region: SheetRegion) -> bool:
    if above.name or region.name or above.is_prose:
        return False
    ours, theirs = above.area, region.area
    if region.is_prose or theirs.left < ours.left or theirs.right > ours.right:
        return False
    if not _is_below(above, region):
        return False
    _, first = _first(region.rows)
    amounts = [at for at, text in first.items() if is_amount(text)]
    if not amounts:
        return False
    if _only_names(above):
        return theirs.left == ours.left
    last = above.rows[ours.bottom]
    return all(isinstance(last.get(at, first[at]), Amount) for at in amounts)


def _only_names(region: SheetRegion) -> bool:
    """Return whether a block is a header alone, which a blank row parts from its table."""
    rows = [row for row in islice(region.rows.values(), _MOST_TITLE_ROWS + 2) if len(row) > 1]
    return len(rows) == 1 and not any(is_amount(text) for text in rows[0].values())


def _is_below(above: SheetRegion, region: SheetRegion) -> bool:
    return region.area.top > above.area.bottom


def is_amount(text: str) -> bool:
    """Return whether a cell holds a number that is not a year, which may name a column."""
    return isinstance(text, Amount) and _YEAR.fullmatch(text) is None


def _with_titles(found: list[SheetRegion]) -> list[SheetRegion]:
    """Give each table the rows of one text that stand right above it, and the remarks right below it."""
    kept: list[SheetRegion] = []
    for at, region in enumerate(found):
        place = _titled(region, found, at)
        above = next((one for one in reversed(kept[-_MOST_BESIDE:]) if _share_columns(one, region)), None)
        if place is not None and _is_title(region, found[place], above):
            following = found[place]
            rows = {**region.rows, **following.rows}
            found[place] = SheetRegion(rows, following.name, following.header_rows)
            continue
        kept.append(region)
    for region in kept:
        _set_remarks_apart(region)
    return kept


def _titled(region: SheetRegion, found: list[SheetRegion], at: int) -> int | None:
    """Return the place of the region right below one that may be its title."""
    if not region.is_prose:
        return None
    below = [
        place
        for place in range(at + 1, min(at + 1 + _MOST_BESIDE, len(found)))
        if _is_below(region, found[place])
    ]
    return next(
        (place for place in below if _share_columns(region, found[place])), below[0] if below else None
    )


def _is_title(region: SheetRegion, following: SheetRegion, above: SheetRegion | None) -> bool:
    if not region.is_prose or following.is_prose or len(region.rows) > _MOST_TITLE_ROWS or region.name:
        return False
    texts = [text for row in region.rows.values() for text in row.values()]
    if any(len(text) > _TITLE_CHARACTERS or isinstance(text, Amount) for text in texts):
        return False
    if not _is_below(region, following):
        return False
    gap_above = region.area.top - above.area.bottom if above is not None else None
    gap_below = following.area.top - region.area.bottom
    return gap_above is None or gap_above <= 0 or gap_below <= gap_above


def _set_remarks_apart(region: SheetRegion) -> None:
    if region.is_prose or region.name or region.area.right - region.area.left < 2:
        return
    while len(region.rows) > 2:
        last = next(reversed(region.rows))
        texts = list(region.rows[last].values())
        if len(texts) > 1 or not (len(texts[0]) > _REMARK_CHARACTERS or _REMARK.match(texts[0])):
            return
        if isinstance(texts[0], Amount):
            return
        region.remarks.insert(0, texts[0])
        del region.rows[last]


def has_no_header(rows: Rows) -> bool:
    """Return whether already the first row with several texts holds values, as the rows below it do.

    Two columns of names and of values of all kinds, as in a form, have no header either.
    """
    numbers = sorted(rows)
    first = next((at for at, number in enumerate(numbers) if len(rows[number]) > 1), None)
    if first is None or first + 1 >= len(numbers):
        return False
    body = [rows[number] for number in numbers[first : first + 1 + _MOST_PAIRS]]
    if _are_pairs(body):
        return True
    for column, text in body[0].items():
        below = [row[column] for row in body[1 : 1 + _MOST_SAMPLES] if column in row]
        if _DATE.fullmatch(text) and not any(map(_DATE.fullmatch, below)):
            continue  # "Jan 2031" over amounts
        if is_amount(text) and below and sum(isinstance(one, Amount) for one in below) * 2 > len(below):
            return True
    return False


def _are_pairs(rows: Sequence[dict[int, str]]) -> bool:
    columns = sorted({column for row in rows for column in row})
    if len(columns) != 2 or len(rows) > _MOST_PAIRS:
        return False
    values = [row[columns[1]] for row in rows if columns[1] in row]
    names = [row[columns[0]] for row in rows if columns[0] in row]
    if any(isinstance(name, Amount) for name in names):
        return False
    colons = sum(name.endswith(":") for name in names)
    if colons * 2 > len(names):
        return True
    # A column of prices may have a gap or a word in it; a form mixes them
    below = values[1:]
    amounts = sum(isinstance(value, Amount) for value in below)
    return len(below) > 2 and 0.1 * len(below) <= amounts <= 0.6 * len(below)
