"""The tables on a sheet: areas of cells that blank rows and columns part, each with the titles above it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from ingest.formats.office.workbook.sheet import Amount, Area

Rows = dict[int, dict[int, str]]

_MOST_TITLE_ROWS = 6
_TITLE_CHARACTERS = 200
# A row of one text this long below a table is a remark about it.
_REMARK_CHARACTERS = 30
_REMARK = re.compile(r"[*†‡¹²³]|\(\d\)|\d\)")
_YEAR = re.compile(r"(1[89]|20|21)\d\d")
_MOST_SAMPLES = 20


@dataclass(slots=True)
class SheetRegion:
    """Cells that belong together, by row and column."""

    rows: Rows
    name: str = ""  # of a table that the workbook defines
    header_rows: int | None = None  # None: unknown
    remarks: list[str] = field(default_factory=list)  # below it

    @property
    def columns(self) -> list[int]:
        return sorted({column for row in self.rows.values() for column in row})

    @property
    def is_prose(self) -> bool:
        """Return whether no row holds more than one text."""
        return all(len(row) < 2 for row in self.rows.values())


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
    bridged = {
        row
        for one in merged
        if one.top in whole
        for row in range(one.top, min(one.bottom, one.top + 999) + 1)
    }
    found += [SheetRegion(part) for part in _parts(whole, bridged)]
    found = [region for region in found if region.rows]
    found.sort(key=lambda region: (min(region.rows), region.columns[0]))
    return _with_titles(_joined(found))


def _cut_out(rows: Rows, name: str, area: Area, header_rows: int) -> SheetRegion:
    taken: Rows = {}
    for number in [number for number in rows if area.top <= number <= area.bottom]:
        row = rows[number]
        cells = {column: row.pop(column) for column in list(row) if area.left <= column <= area.right}
        if cells:
            taken[number] = cells
    return SheetRegion(taken, name, header_rows)


def _parts(rows: Rows, bridged: set[int]) -> Iterator[Rows]:
    """Cut at blank rows, then at blank columns between tables that stand side by side, and so on."""
    for block in _blocks(rows, bridged):
        sides = _sides(block)
        if sides is None:
            yield block
        else:
            for side in sides:
                yield from _parts(side, bridged)


def _blocks(rows: Rows, bridged: set[int]) -> Iterator[Rows]:
    block: Rows = {}
    last = 0
    for number in rows:
        if block and number > last + 1 and not all(blank in bridged for blank in range(last + 1, number)):
            yield block
            block = {}
        block[number] = rows[number]
        last = number
    if block:
        yield block


def _sides(rows: Rows) -> tuple[Rows, Rows] | None:
    """Return the two tables that a blank column parts; None if the block is one table.

    A blank column inside a table only sets its columns apart. What is on its right is a table of its own if its names
    stand in another row; or if it has row labels, and either ends at another row, or begins with the same name as
    the one on the left.
    """
    used = sorted({column for row in rows.values() for column in row})
    for before, after in pairwise(used):
        if after == before + 1:
            continue
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
        above = joined[-1] if joined else None
        if above is not None and _goes_on(above, region):
            above.rows.update(region.rows)
        else:
            joined.append(region)
    return joined


def _goes_on(above: SheetRegion, region: SheetRegion) -> bool:
    if above.name or region.name or above.is_prose:
        return False
    columns = above.columns
    if region.is_prose or region.columns[0] != columns[0] or region.columns[-1] > columns[-1]:
        return False
    if not _is_below(above, region):
        return False
    _, first = _first(region.rows)
    amounts = [at for at, text in first.items() if is_amount(text)]
    if not amounts:
        return False
    if _only_names(above):
        return all(at in columns for at in first)
    last = above.rows[max(above.rows)]
    return all(isinstance(last.get(at, first[at]), Amount) for at in amounts)


def _only_names(region: SheetRegion) -> bool:
    """Return whether a block is a header alone, which a blank row parts from its table."""
    rows = [row for row in region.rows.values() if len(row) > 1]
    return len(rows) == 1 and not any(is_amount(text) for text in rows[0].values())


def _is_below(above: SheetRegion, region: SheetRegion) -> bool:
    return min(region.rows) > max(above.rows)


def is_amount(text: str) -> bool:
    """Return whether a cell holds a number that is not a year, which may name a column."""
    return isinstance(text, Amount) and _YEAR.fullmatch(text) is None


def _with_titles(found: list[SheetRegion]) -> list[SheetRegion]:
    """Give each table the rows of one text that stand right above it, and the remarks right below it."""
    kept: list[SheetRegion] = []
    for at, region in enumerate(found):
        following = found[at + 1] if at + 1 < len(found) else None
        if following is not None and _is_title(region, following, kept[-1] if kept else None):
            following.rows = {**region.rows, **following.rows}
            continue
        kept.append(region)
    for region in kept:
        _set_remarks_apart(region)
    return kept


def _is_title(region: SheetRegion, following: SheetRegion, above: SheetRegion | None) -> bool:
    texts = [text for row in region.rows.values() for text in row.values()]
    if not region.is_prose or following.is_prose or len(texts) > _MOST_TITLE_ROWS or region.name:
        return False
    if any(len(text) > _TITLE_CHARACTERS or isinstance(text, Amount) for text in texts):
        return False
    if not _is_below(region, following):
        return False
    gap_above = min(region.rows) - max(above.rows) if above is not None else None
    gap_below = min(following.rows) - max(region.rows)
    return gap_above is None or gap_above <= 0 or gap_below <= gap_above


def _set_remarks_apart(region: SheetRegion) -> None:
    if region.is_prose or region.name or len(region.columns) < 3:
        return
    while len(region.rows) > 2:
        last = max(region.rows)
        texts = list(region.rows[last].values())
        if len(texts) > 1 or not (len(texts[0]) > _REMARK_CHARACTERS or _REMARK.match(texts[0])):
            return
        if isinstance(texts[0], Amount):
            return
        region.remarks.insert(0, texts[0])
        del region.rows[last]


def has_no_header(rows: Rows) -> bool:
    """Return whether the first row with several texts already holds values, as the rows below it do."""
    numbers = sorted(rows)
    first = next((at for at, number in enumerate(numbers) if len(rows[number]) > 1), None)
    if first is None or first + 1 >= len(numbers):
        return False
    samples = [rows[number] for number in numbers[first + 1 : first + 1 + _MOST_SAMPLES]]
    for column, text in rows[numbers[first]].items():
        below = [row[column] for row in samples if column in row]
        if is_amount(text) and below and sum(isinstance(one, Amount) for one in below) * 2 > len(below):
            return True
    return False
