"""What of an aligned table names its columns, and which lines of its body are one row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from ingest.formats.pdf.page.drawings import Drawings
from ingest.formats.pdf.page.grids import TableCell
from ingest.formats.pdf.page.words import Box
from ingest.formats.pdf.tables.parts import PartedRow, RowPart, is_amount
from ingest.formats.pdf.tables.spans import groups_over_rules

Edges = Sequence[tuple[float, float]]
# column -> (its part, how many columns it spans)
Placed = dict[int, tuple[RowPart, int]]
_MOST_HEADER_ROWS = 6
# Points between the pieces of one rule, along it and across.
_PIECES, _SAME_RULE = 3.6, 1.5
_LEVEL = 0.6  # of the font's height
_FLUSH = 2.5  # points
_RULE_BELOW = 0.9  # of the font's height, below the baseline


@dataclass(slots=True)
class _Name:
    """A name above columns: its lines, from the top, and which columns it stands over."""

    parts: list[RowPart]
    last_row: int
    column: int = 0
    span: int = 1

    @property
    def ends(self) -> tuple[float, float]:
        """Its left and right end."""
        return min(part.x0 for part in self.parts), max(part.x1 for part in self.parts)

    @property
    def centre(self) -> float:
        return sum(self.ends) / 2


def header_levels(
    rows: Sequence[PartedRow], edges: Edges, drawings: Drawings
) -> tuple[list[list[TableCell]], Sequence[PartedRow]]:
    """Return the rows of cells that name the columns, and the rows of the body.

    A name over several columns stands in each of them.
    """
    rows = _levelled(rows)
    count = _header_count(rows, edges)
    rules = _joined_rules(drawings.across, rows)
    lines = rows[:count]
    names = _stacked_names(lines, rules)
    for index, line in enumerate(lines):
        ending = sorted((name for name in names if name.last_row == index), key=lambda name: name.centre)
        # Those that end in one row bound each other.
        for name, (column, span) in zip(ending, _reaches(ending, line, edges, rules), strict=True):
            name.column, name.span = column, span
    stands: list[list[_Name]] = [[] for _ in edges]
    for name in names:
        for column in range(name.column, min(len(edges), name.column + name.span)):
            stands[column].append(name)
    depth = max(map(len, stands), default=0)
    levels = [[TableCell() for _ in edges] for _ in range(depth)]
    for column, over in enumerate(stands):
        for level, name in enumerate(over, depth - len(over)):
            levels[level][column] = TableCell([part.words for part in name.parts])
    return levels, rows[count:]


def _levelled(rows: Sequence[PartedRow]) -> list[PartedRow]:
    """Put rows together that are hardly apart: names of so many lines that they cannot all stand level."""
    result: list[PartedRow] = []
    for row in rows:
        last = result[-1] if result else None
        near = last is not None and row.base - last.base < _LEVEL * row.size
        if (
            last is not None
            and near
            and not any(_overlap(one, other) for one in last.parts for other in row.parts)
        ):
            parts = sorted([*last.parts, *row.parts], key=lambda part: part.x0)
            result[-1] = PartedRow([*last.row, *row.row], parts, row.base, row.size)
        else:
            result.append(row)
    return result


def _overlap(one: RowPart, other: RowPart) -> bool:
    return min(one.x1, other.x1) > max(one.x0, other.x0)


def _stacked_names(rows: Sequence[PartedRow], rules: Sequence[Box]) -> list[_Name]:
    """Put together the lines of each name: below each other, alike in place, and no rule between."""
    names: list[_Name] = []
    for index, row in enumerate(rows):
        for part in row.parts:
            above = [name for name in names if name.last_row < index and _stacks(name, part, row, rules)]
            if above:
                above[0].parts.append(part)
                above[0].last_row = index
            else:
                names.append(_Name([part], index))
    return names


def _stacks(name: _Name, part: RowPart, row: PartedRow, rules: Sequence[Box]) -> bool:
    """Return whether a part is the next line of a name: just below, alike in place, and no rule between."""
    last = name.parts[-1]
    base = last.words[0].base
    if row.base - base > 1.7 * row.size:
        return False
    centre = (part.x0 + part.x1) / 2
    offsets = (centre - name.centre, part.x0 - last.x0, part.x1 - last.x1)
    if min(map(abs, offsets)) > 0.6 * row.size or not _overlap(part, last):
        return False
    low, high = base - 0.1 * row.size, row.base - 0.4 * row.size
    return not any(x0 <= centre <= x1 and low <= y0 <= high for x0, y0, x1, _ in rules)


def _reaches(
    names: Sequence[_Name], row: PartedRow, edges: Edges, rules: Sequence[Box]
) -> list[tuple[int, int]]:
    """Return the first column and the number of columns of names that end in one row."""
    first = 0 if len(names) == len(edges) else 1
    if len(names) == len(edges) - first and all(name.parts[0].x0 > edges[0][1] for name in names[:first]):
        return [(column, 1) for column in range(first, len(edges))]  # one each
    places = [_place(RowPart([word for part in name.parts for word in part.words]), edges) for name in names]
    ruled = groups_over_rules([name.ends for name in names], _rules_below(row, rules), edges)
    grouped = _in_groups([column for column, span in places if column > 0 and span == 1], len(edges) - 1)
    result = []
    for at, (name, (column, span)) in enumerate(zip(names, places, strict=True)):
        reach = ruled[at]
        if reach is None and column in grouped:
            reach = grouped[column]
        elif reach is None and span == 1 and column > 0 and len(names) < len(edges) - 1:
            low = (names[at - 1].centre + name.centre) / 2 if at > 0 else 0.0
            high = (names[at + 1].centre + name.centre) / 2 if at + 1 < len(names) else edges[-1][1] + 1
            width = max(part.x1 - part.x0 for part in name.parts)
            reach = _centred_over(name.centre, width, edges, max(low, edges[1][0] - 1), high)
        result.append(reach or (column, span))
    return result


def _in_groups(columns: Sequence[int], width: int) -> dict[int, tuple[int, int]]:
    """Return the group of columns of each name, where every name stands over the last, or the first, of as many.

    `_in_groups([3, 6], 6) == {3: (1, 3), 6: (4, 3)}`
    """
    if len(columns) < 2 or width % len(columns) or width == len(columns):
        return {}
    size = width // len(columns)
    firsts = [1 + size * at for at in range(len(columns))]
    if list(columns) in (firsts, [first + size - 1 for first in firsts]):
        return {column: (first, size) for column, first in zip(columns, firsts, strict=True)}
    return {}


def body_rows(rows: Sequence[PartedRow], edges: Edges, drawings: Drawings) -> list[list[TableCell]]:
    """Return the rows of the body, each label put together that goes on in the next line."""
    placed = [_placed(row, edges) for row in rows]
    pitches = [other.base - one.base for one, other in pairwise(rows)]
    pitch = median(pitches) if pitches else 0.0
    limit = max((part.x1 for its in placed for column, (part, _) in its.items() if column == 0), default=0.0)
    result: list[dict[int, TableCell]] = []
    for index, its in enumerate(placed):
        joins = False
        if index > 0:
            joins = _goes_on(
                rows[index - 1 : index + 1], placed[index - 1 : index + 1], pitch, limit, drawings.shades
            )
        if joins:
            _stack(result[-1], its)
        else:
            result.append({column: TableCell([part.words], 1, span) for column, (part, span) in its.items()})
    return [_filled(row, len(edges)) for row in result]


def _header_count(rows: Sequence[PartedRow], edges: Edges) -> int:
    """Return how many of the first rows hold no amounts and name columns."""
    count = 0
    while count < min(len(rows) - 1, _MOST_HEADER_ROWS):
        row = rows[count]
        placed = _placed(row, edges)
        if any(is_amount(part.text) for column, (part, _) in placed.items() if column > 0):
            break
        if set(placed) == {0} and (count > 0 or row.parts[0].x0 < edges[0][0] + 3 * row.size):
            break
        count += 1
    values = any(
        is_amount(part.text)
        for row in rows[count:]
        for column, (part, _) in _placed(row, edges).items()
        if column > 0
    )
    if values:
        return count
    return 0 if is_amount(rows[0].parts[0].text) else 1  # a table of words: its first row


def _placed(row: PartedRow, edges: Edges) -> Placed:
    """Return which columns each part of a row stands in."""
    if len(row.parts) == len(edges):
        return {column: (part, 1) for column, part in enumerate(row.parts)}
    placed: Placed = {}
    for part in row.parts:
        first, span = _place(part, edges)
        if first in placed:
            before, its_span = placed[first]
            placed[first] = (RowPart([*before.words, *part.words]), max(span, its_span))
        else:
            placed[first] = (part, span)
    return placed


def _place(part: RowPart, edges: Edges) -> tuple[int, int]:
    """Return the first column that a part stands in, and how many it covers."""
    reached = [
        column
        for column, (left, right) in enumerate(edges)
        if min(part.x1, right) - max(part.core_x0, left) > 0.3 * min(part.x1 - part.core_x0, right - left)
    ]
    centre = (part.core_x0 + part.x1) / 2
    first = reached[0] if reached else min(range(len(edges)), key=lambda at: _distance(centre, edges[at]))
    return first, len(reached) or 1


def _rules_below(row: PartedRow, rules: Sequence[Box]) -> list[Box]:
    """Return the rules just below a row."""
    return [rule for rule in rules if row.base - 1 <= rule[1] <= row.base + _RULE_BELOW * row.size]


def _centred_over(
    centre: float, width: float, edges: Edges, low: float, high: float
) -> tuple[int, int] | None:
    """Return the run of columns between two places whose middle is nearest to a name's."""
    centres = [(left + right) / 2 for left, right in edges]
    within = [column for column in range(1, len(edges)) if low <= centres[column] <= high]
    if not within:
        return None
    nearest = min(within, key=lambda column: abs(centres[column] - centre))
    left, right = edges[nearest]
    off_centre = abs(centres[nearest] - centre)
    flush = min(off_centre, abs(right - centre - width / 2)) <= _FLUSH
    if flush or (off_centre <= 0.25 * (right - left) + 2 and width <= 1.2 * (right - left) + 2):
        return nearest, 1  # it fits its column
    runs = [(first, last) for first in within for last in within if first <= nearest <= last]
    # A name that does not fit a column more likely spans several.
    off = {
        (first, last): abs((centres[first] + centres[last]) / 2 - centre)
        - 0.15 * min(width, 60) * (last > first)
        for first, last in runs
    }
    first, last = min(runs, key=lambda run: (round(off[run], 1), run[0] - run[1]))
    return first, last - first + 1


def _goes_on(
    rows: Sequence[PartedRow], placed: Sequence[Placed], pitch: float, limit: float, shades: Sequence[Box]
) -> bool:
    """Return whether the second of two rows belongs to the first: the rest of its label, or of its cells."""
    (above, row), (before, its) = rows, placed
    step = row.base - above.base
    tight = step < 0.9 * pitch or (step <= 1.3 * row.size and _in_one_shade(above, row, shades))
    text = row.parts[0].text
    if set(before) == {0}:  # a label alone, then a row
        label = before[0][0]
        if 0 not in its or label.text.endswith(":") or abs(above.size - row.size) > 0.1 * row.size:
            return False
        full = label.x1 + row.parts[0].words[0].width + 0.3 * row.size > limit - 2 * row.size
        lower = text[:1].islower() or text[:1] in "(&/"
        return step < 1.6 * row.size and ((tight and full) or (lower and (tight or full)))
    if set(its) == {0}:  # a row, then the rest of its label
        lower = text[:1].islower()
        label_right = before[0][0].x1 if 0 in before else 0.0
        full = label_right + row.parts[0].words[0].width > limit - 3 * row.size
        return (
            step < 1.6 * row.size
            and 0 in before
            and not text.endswith(":")
            and ((tight and full) or (lower and (tight or full)))
        )
    if 0 not in its:  # the rest of other cells
        if not set(its) <= set(before) or step > 1.45 * row.size:
            return False
        return all(_is_below(before[column][0], part) for column, (part, _) in its.items())
    return False


def _is_below(part: RowPart, following: RowPart) -> bool:
    """Return whether a text without numbers goes on below another: alike, and flush with it on some side."""
    if is_amount(following.text) or following.words[0].bold != part.words[-1].bold:
        return False
    near = 0.7 * following.words[0].size
    offsets = (
        following.x0 - part.x0,
        following.x1 - part.x1,
        following.x0 + following.x1 - part.x0 - part.x1,
    )
    return min(map(abs, offsets)) < near


def _in_one_shade(above: PartedRow, row: PartedRow, shades: Sequence[Box]) -> bool:
    middle = (row.row[0].x0 + row.row[0].x1) / 2
    return any(
        y0 <= above.base - 0.5 * above.size
        and row.base - 1 <= y1
        and x0 <= middle <= x1
        and y1 - y0 < 5 * row.size
        for x0, y0, x1, y1 in shades
    )


def _stack(cells: dict[int, TableCell], placed: Placed) -> None:
    """Put the parts of a row below those of the cells above."""
    for column, (part, span) in placed.items():
        if column in cells:
            cells[column].lines.append(part.words)
        else:
            cells[column] = TableCell([part.words], 1, span)


def _filled(cells: dict[int, TableCell], width: int) -> list[TableCell]:
    """Return the cells of a row from left to right, empty ones where nothing stands."""
    row: list[TableCell] = []
    column = 0
    while column < width:
        cell = cells.get(column)
        if cell is None:
            row.append(TableCell())
            column += 1
            continue
        following = [other for other in cells if other > column]
        cell.columns = min(cell.columns, (min(following) if following else width) - column)
        row.append(cell)
        column += cell.columns
    return row


def _joined_rules(across: Sequence[Box], rows: Sequence[PartedRow]) -> list[Box]:
    """Join the pieces of rules near the first rows of a table."""
    top, bottom = rows[0].base - 20, rows[min(len(rows) - 1, _MOST_HEADER_ROWS)].base + 10
    lanes: list[list[Box]] = []
    for box in sorted((box for box in across if top <= box[1] <= bottom), key=lambda box: box[1]):
        if lanes and box[1] - lanes[-1][0][1] < _SAME_RULE:
            lanes[-1].append(box)
        else:
            lanes.append([box])
    joined: list[Box] = []
    for lane in lanes:
        last: Box | None = None
        for box in sorted(lane):
            if last is not None and box[0] - last[2] < _PIECES:
                last = (last[0], last[1], max(last[2], box[2]), last[3])
                joined[-1] = last
            else:
                last = box
                joined.append(box)
    return joined


def _distance(centre: float, edges: tuple[float, float]) -> float:
    return max(edges[0] - centre, centre - edges[1], 0.0)
