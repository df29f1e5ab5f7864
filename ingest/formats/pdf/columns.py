"""The order in which the lines of a page are read: columns of prose from left to right, each from its top."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from ingest.formats.pdf.page.lines import Line, LineRow, make_rows
from ingest.formats.pdf.page.words import Box

# A gutter has at least this many lines on each side, and this share of them fills its column.
_FEWEST_LINES = 4
_FULL_LINES, _FULL_WIDTH = 0.45, 0.75
_FEWEST_WORDS = 2.5
_NARROWEST = 7.0  # a column of prose, in font heights
_NEAR_GUTTER = 5.0  # font heights
_MOST_DIGITS = 0.3
_RUNNING_ON = 0.4  # of the lines beside a gutter wider than that
_APART = 1.9  # font heights from one line to the next
# A text with a box at its side has as many lines, and words in a line.
_FEWEST_TEXT_LINES, _TEXT_WORDS = 5, 5.0
_LEVEL = 0.12  # font heights between lines that stand level
_MOST_DEPTH = 6
_MOST_CANDIDATES = 24


@dataclass(frozen=True, slots=True)
class _Gutter:
    """An empty stripe at x between the rows start and end."""

    start: int
    end: int
    x: float


def reading_order(lines: Sequence[Line], rules: Sequence[Box], depth: int = 0) -> list[list[Line]]:
    """Return the regions of a page in the order of reading, each without columns of prose within it.

    Args:
        rules: horizontal rules; prose on both sides of a gutter that they cross is a table.
    """
    rows = make_rows(lines)
    gutter = _gutter(rows, rules) if depth < _MOST_DEPTH else None
    if gutter is None:
        return [list(lines)] if lines else []
    within = [line for row in rows[gutter.start : gutter.end] for line in row]
    above = [line for row in rows[: gutter.start] for line in row]
    below = [line for row in rows[gutter.end :] for line in row]
    parts = (
        above,
        [line for line in within if line.x0 < gutter.x],
        [line for line in within if line.x0 >= gutter.x],
        below,
    )
    return [region for part in parts for region in reading_order(part, rules, depth + 1)]


def _gutter(rows: list[LineRow], rules: Sequence[Box]) -> _Gutter | None:
    """Return the gutter along most rows, if there is any."""
    best: tuple[int, _Gutter] | None = None
    for x in _candidates(rows):
        for start, end in (piece for run in _uncrossed(rows, x) for piece in _pieces(rows, *run)):
            if best is not None and end - start <= best[0]:
                continue
            gutter = _trimmed(rows, _Gutter(start, end, x))
            if gutter is not None and _parts_prose(rows, gutter, rules):
                best = (gutter.end - gutter.start, gutter)
    return best[1] if best else None


def _candidates(rows: list[LineRow]) -> list[float]:
    """Return where several lines begin: just left of it a gutter may end."""
    lines = [line for row in rows for line in row]
    if len(lines) < 2 * _FEWEST_LINES:
        return []
    left = min(line.x0 for line in lines)
    buckets: dict[int, list[float]] = {}
    for line in lines:
        if line.x0 > left + _NARROWEST * line.size:
            buckets.setdefault(round(line.x0 / 3), []).append(line.x0)
    counts = Counter({bucket: len(edges) for bucket, edges in buckets.items()})
    common = [bucket for bucket, count in counts.most_common(_MOST_CANDIDATES) if count >= _FEWEST_LINES - 1]
    return [min(buckets[bucket]) - 1.0 for bucket in common]


def _uncrossed(rows: list[LineRow], x: float) -> list[tuple[int, int]]:
    """Return the runs of rows in which nothing stands across x."""
    runs: list[tuple[int, int]] = []
    start = -1
    for index, row in enumerate(rows):
        if any(line.x0 < x < line.x1 for line in row):
            if start >= 0:
                runs.append((start, index))
            start = -1
        elif start < 0:
            start = index
    if start >= 0:
        runs.append((start, len(rows)))
    return [(start, end) for start, end in runs if end - start >= _FEWEST_LINES]


def _pieces(rows: list[LineRow], start: int, end: int) -> list[tuple[int, int]]:
    """Return a run of rows, and the parts of it that space sets apart: a table may stand below columns of prose."""
    cuts = [start]
    for index in range(start + 1, end):
        above = rows[max(start, index - 2) : index]
        step = rows[index][0].base - max(line.base for row in above for line in row)
        if step > _APART * max(line.size for line in rows[index]):
            cuts.append(index)
    pieces = list(pairwise([*cuts, end]))
    return [
        (start, end),
        *(piece for piece in pieces if len(pieces) > 1 and piece[1] - piece[0] >= _FEWEST_LINES),
    ]


def _trimmed(rows: list[LineRow], gutter: _Gutter) -> _Gutter | None:
    """Leave out rows on one side only that stand apart at the top, such as a title or a date."""
    start, end = gutter.start, gutter.end
    while start < end - _FEWEST_LINES and _is_apart(rows[start], rows[start + 1], gutter.x):
        start += 1
    while start < end - _FEWEST_LINES and _is_apart(rows[end - 1], rows[end - 2], gutter.x):
        end -= 1
    return _Gutter(start, end, gutter.x) if end - start >= _FEWEST_LINES else None


def _is_apart(row: LineRow, neighbour: LineRow, x: float) -> bool:
    """Return whether a row on one side is set off from the next by space and by size."""
    one_sided = all(line.x0 > x for line in row) or all(line.x1 < x for line in row)
    space = abs(neighbour[0].base - row[0].base)
    size = max(row[0].size, neighbour[0].size)
    other_size = abs(row[0].size - neighbour[0].size) > 0.08 * size
    return one_sided and (space > 2.6 * size or (space > 1.5 * size and other_size))


def _parts_prose(rows: list[LineRow], gutter: _Gutter, rules: Sequence[Box]) -> bool:
    left: list[Line] = []
    right: list[Line] = []
    for row in rows[gutter.start : gutter.end]:
        left += [line for line in row if line.x1 <= gutter.x][-1:]
        right += [line for line in row if line.x0 >= gutter.x][:1]
    edge = max((line.x1 for line in left), default=gutter.x)
    wide = bool(left) and gutter.x - edge > _NEAR_GUTTER * left[0].size
    left, right = _column_left(left, edge if wide else gutter.x), _column_right(right, gutter.x)
    if min(len(left), len(right)) < _FEWEST_LINES or (wide and not (_runs_on(left) and _runs_on(right))):
        return False
    top, bottom = max(left[0].y0, right[0].y0), min(left[-1].y1, right[-1].y1)
    if bottom - top < 2 * left[0].size:  # one below the other
        return False
    crossing = sum(
        1 for x0, y0, x1, _ in rules if x0 < gutter.x - 12 and x1 > gutter.x + 12 and top < y0 < bottom
    )
    if crossing >= 2:
        return False
    if _is_prose(left):
        return _is_prose(right) or _stands_by_itself(right, left)
    return _is_prose(right) and _stands_by_itself(left, right)


def _runs_on(lines: Sequence[Line]) -> bool:
    """Return whether many lines go on in the middle of a sentence, as those of a table's columns seldom do."""
    starts = [line.words[0].text[:1] for line in lines[1:] if line.words]
    return sum(start.islower() for start in starts) >= _RUNNING_ON * len(starts)


def _stands_by_itself(lines: Sequence[Line], others: Sequence[Line]) -> bool:
    """Return whether few lines stand level with those beside them, as in a box at the side of a text."""
    if len(others) < _FEWEST_TEXT_LINES or sum(len(other.words) for other in others) < _TEXT_WORDS * len(
        others
    ):
        return False  # names of columns
    level = sum(any(abs(line.base - other.base) < _LEVEL * line.size for other in others) for line in lines)
    characters = "".join(word.text for line in lines for word in line.words)
    digits = sum(character.isdigit() for character in characters)
    return level * 2 <= len(lines) and digits <= _MOST_DIGITS * len(characters)


def _column_left(lines: Sequence[Line], x: float) -> list[Line]:
    """Return the lines of the column left of a gutter, without those of columns further to the left."""
    near = [line for line in lines if line.x1 >= x - _NEAR_GUTTER * line.size]
    if not near:
        return []
    left = median(line.x0 for line in near)
    return [line for line in lines if line.x1 > left + line.size]


def _column_right(lines: Sequence[Line], x: float) -> list[Line]:
    """Return the lines of the column right of a gutter, without those of columns further to the right."""
    near = [line for line in lines if line.x0 <= x + _NEAR_GUTTER * line.size]
    if not near:
        return []
    right = max(line.x1 for line in near)
    return [line for line in lines if line.x0 < right]


def _is_prose(lines: Sequence[Line]) -> bool:
    """Return whether lines of a column hold running text that fills it."""
    texts = [line for line in lines if line.table is None and not line.figure]
    if len(texts) < _FEWEST_LINES:
        return len(texts) < len(lines)  # a column of tables or figures
    width = max(line.x1 for line in texts) - min(line.x0 for line in texts)
    if width < _NARROWEST * median(line.size for line in texts):
        return False
    running = [line for line in texts if not line.bold] or texts  # headings are short
    full = sum(line.x1 - line.x0 >= _FULL_WIDTH * width for line in running)
    words = sum(len(line.words) for line in texts) / len(texts)
    characters = "".join(word.text for line in texts for word in line.words)
    digits = sum(character.isdigit() for character in characters)
    return (
        full >= _FULL_LINES * len(running)
        and words >= _FEWEST_WORDS
        and digits <= _MOST_DIGITS * len(characters)
    )
