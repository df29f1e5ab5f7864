"""What of an aligned table names its columns, and which lines of its body are one row."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

from ingest.formats.grid import is_number
from ingest.formats.pdf.drawings import Drawings
from ingest.formats.pdf.grids import TableCell
from ingest.formats.pdf.words import Box

if TYPE_CHECKING:
    from ingest.formats.pdf.aligned import Part, PartedRow

Edges = Sequence[tuple[float, float]]
# column -> (its part, how many columns it spans)
Placed = dict[int, tuple["Part", int]]
_MOST_HEADER_ROWS = 6
_RULE_BELOW = 0.9  # of the font's height, below the baseline


def header_levels(
    rows: Sequence[PartedRow], edges: Edges, drawings: Drawings
) -> tuple[list[list[TableCell]], Sequence[PartedRow]]:
    """Return the rows of cells that name the columns, and the rows of the body."""
    count = _header_count(rows, edges)
    rules = _joined_rules(drawings.across, rows)
    result: list[dict[int, TableCell]] = []
    keys: list[dict[int, int]] = []
    for index, row in enumerate(rows[:count]):
        placed = _placed_header(row, edges, rules)
        its_keys = {column: span for column, (_, span) in placed.items()}
        single = all(span == 1 for span in its_keys.values())
        tight = index > 0 and row.base - rows[index - 1].base < 1.6 * row.size
        stacks = bool(keys) and tight and (its_keys == keys[-1] or (single and all(span == 1 for span in keys[-1].values())))
        if stacks:
            _stack(result[-1], placed)
            keys[-1] |= its_keys
        else:
            result.append({column: TableCell([part.words], 1, span) for column, (part, span) in placed.items()})
            keys.append(its_keys)
    return [_filled(level, len(edges)) for level in result], rows[count:]


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
            joins = _goes_on(rows[index - 1 : index + 1], placed[index - 1 : index + 1], pitch, limit, drawings.shades)
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
        if any(is_number(part.text) for column, (part, _) in placed.items() if column > 0):
            break
        if set(placed) == {0} and (count > 0 or row.parts[0].x0 < edges[0][0] + 3 * row.size):
            break
        count += 1
    values = any(
        is_number(part.text) for row in rows[count:] for column, (part, _) in _placed(row, edges).items() if column > 0
    )
    if values:
        return count
    return 1  # a table of words: its first row


def _placed(row: PartedRow, edges: Edges) -> Placed:
    """Return which columns each part of a row stands in."""
    placed: Placed = {}
    for part in row.parts:
        reached = [
            column
            for column, (left, right) in enumerate(edges)
            if min(part.x1, right) - max(part.core_x0, left) > 0.3 * min(part.x1 - part.core_x0, right - left)
        ]
        centre = (part.core_x0 + part.x1) / 2
        first = reached[0] if reached else min(range(len(edges)), key=lambda at: _distance(centre, edges[at]))
        span = len(reached) or 1
        if first in placed:
            before, its_span = placed[first]
            placed[first] = (type(part)([*before.words, *part.words]), max(span, its_span))
        else:
            placed[first] = (part, span)
    return placed


def _placed_header(row: PartedRow, edges: Edges, rules: Sequence[Box]) -> Placed:
    """Return which columns each name stands over: those above the same rule, else those it is centred over."""
    placed = _placed(row, edges)
    result: Placed = {}
    centres = [(left + right) / 2 for left, right in edges]
    columns = sorted(placed)
    for at, column in enumerate(columns):
        part, span = placed[column]
        reach = _below_rule(part, row, rules, centres)
        if reach is None and span == 1 and column > 0:
            low = _middle(placed[columns[at - 1]][0], part) if at > 0 and columns[at - 1] > 0 else edges[1][0] - 1
            high = _middle(part, placed[columns[at + 1]][0]) if at + 1 < len(columns) else edges[-1][1] + 1
            reach = _centred_over(part, centres, low, high, len(columns) < len(edges) - 1)
        first, count = reach if reach is not None else (column, span)
        if first not in result:
            result[first] = (part, count)
        else:
            result[column] = (part, span)
    return result


def _below_rule(
    part: Part, row: PartedRow, rules: Sequence[Box], centres: Sequence[float]
) -> tuple[int, int] | None:
    centre = (part.x0 + part.x1) / 2
    for x0, y0, x1, _ in rules:
        if row.base - 1 <= y0 <= row.base + _RULE_BELOW * row.size and x0 <= centre <= x1:
            over = [column for column, its in enumerate(centres) if x0 - 2 <= its <= x1 + 2]
            if over and (over[0] > 0 or len(over) < len(centres)) and len(over) <= len(centres):
                return over[0], len(over)
    return None


def _centred_over(
    part: Part, centres: Sequence[float], low: float, high: float, may_span: bool
) -> tuple[int, int] | None:
    """Return the run of columns whose middle is nearest to a name's; the names beside it bound the run."""
    centre, width = (part.x0 + part.x1) / 2, part.x1 - part.x0
    within = [column for column in range(1, len(centres)) if low <= centres[column] <= high]
    if not within or not may_span:
        return None
    best: tuple[float, int, int] | None = None
    for first in within:
        for last in within:
            if last < first:
                continue
            off = abs((centres[first] + centres[last]) / 2 - centre)
            # A name wider than its column, or alone in its row, more likely spans several.
            score = off - 0.15 * min(width, 60) * (last > first)
            if best is None or score < best[0] - 1e-6:
                best = (score, first, last)
    assert best is not None
    return best[1], best[2] - best[1] + 1


def _middle(left: Part, right: Part) -> float:
    return (left.x1 + right.x0) / 2


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
        return step < 1.6 * row.size and 0 in before and (tight or lower) and (full or tight)
    if 0 not in its:  # the rest of other cells
        if not set(its) <= set(before) or step > 1.45 * row.size:
            return False
        return all(_is_below(before[column][0], part) for column, (part, _) in its.items())
    return False


def _is_below(part: Part, following: Part) -> bool:
    """Return whether a text without numbers goes on below another: alike, and flush with it on some side."""
    if is_number(following.text) or following.words[0].bold != part.words[-1].bold:
        return False
    near = 0.7 * following.words[0].size
    offsets = (following.x0 - part.x0, following.x1 - part.x1, following.x0 + following.x1 - part.x0 - part.x1)
    return min(map(abs, offsets)) < near


def _in_one_shade(above: PartedRow, row: PartedRow, shades: Sequence[Box]) -> bool:
    middle = (row.row[0].x0 + row.row[0].x1) / 2
    return any(
        y0 <= above.base - 0.5 * above.size and row.base - 1 <= y1 and x0 <= middle <= x1 and y1 - y0 < 5 * row.size
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
    joined: list[Box] = []
    for box in sorted((box for box in across if top <= box[1] <= bottom), key=lambda box: (round(box[1]), box[0])):
        last = joined[-1] if joined else None
        if last is not None and abs(last[1] - box[1]) < 1.5 and box[0] - last[2] < 1.5:
            joined[-1] = (last[0], last[1], max(last[2], box[2]), last[3])
        else:
            joined.append(box)
    return joined


def _distance(centre: float, edges: tuple[float, float]) -> float:
    return max(edges[0] - centre, centre - edges[1], 0.0)
