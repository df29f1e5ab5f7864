"""Which columns a name stands over, as the rules below the names of a header show."""

from __future__ import annotations

from collections.abc import Sequence

from ingest.formats.pdf.page.words import Box

Edges = Sequence[tuple[float, float]]
# Points that a column is worth which has a rule, but no name above it.
_UNNAMED = 8.0
# Points that a name may be off the middle of its columns.
_MOST_OFF = 14.0
# Points that standing flush with the right end is worth less than standing in the middle.
_FLUSH = 2.0
_MOST_COLUMNS = 40


def groups_over_rules(names: Edges, rules: Sequence[Box], edges: Edges) -> list[tuple[int, int] | None]:
    """Return the first column and the number of columns of each name, None where no rule shows them.

    A rule may be cut between its columns, so the names share out the ruled columns: each takes neighbouring ones in
    whose middle it stands, or at whose right end.

    Args:
        names: the left and right ends of the names in one row, from the left.
        rules: those just below the names.
        edges: the left and right ends of the columns; the first one holds the rows' labels.
    """
    result: list[tuple[int, int] | None] = [None] * len(names)
    # A rule over the labels too is one of the whole table.
    rules = [rule for rule in rules if rule[0] > (edges[0][0] + edges[0][1]) / 2]
    units = _units(edges, rules)
    if not units or len(units) > _MOST_COLUMNS:
        return result
    ends = [(left, right) for _, _, left, right in units]
    named = [at for at, its in enumerate(names) if ends[0][0] - 2 <= (its[0] + its[1]) / 2 <= ends[-1][1] + 2]
    for at, (first, last) in _shares([names[at] for at in named], ends).items():
        start, end = units[first][0], units[last][1]
        contiguous = sum(its[1] - its[0] for its in units[first : last + 1]) == end - start
        if contiguous and (
            first == last or _off(names[named[at]], ends[first][0], ends[last][1]) <= _MOST_OFF
        ):
            result[named[at]] = (start, end - start)
    return result


def _units(edges: Edges, rules: Sequence[Box]) -> list[tuple[int, int, float, float]]:
    """Return the columns over each rule: the first, the one after the last, and the left and right end."""
    units: list[tuple[int, int, float, float]] = []
    last: Box | None = None
    for column in range(1, len(edges)):
        left, right = edges[column]
        rule = next((its for its in rules if its[0] - 2 <= (left + right) / 2 <= its[2] + 2), None)
        if rule is None:
            last = None
            continue
        if rule is last:
            start, _, its_left, its_right = units[-1]
            units[-1] = (start, column + 1, its_left, max(its_right, right))
        else:
            units.append((column, column + 1, min(rule[0], left), max(rule[2], right)))
        last = rule
    return units


def _off(name: tuple[float, float], left: float, right: float) -> float:
    """Return how far a name is off the middle of its columns, or off their right end."""
    return min(abs(name[0] + name[1] - left - right) / 2, abs(name[1] - right) + _FLUSH)


def _shares(names: Edges, ends: Edges) -> dict[int, tuple[int, int]]:
    """Return the first and last column of each name, so that names stand in the middle and few columns are unnamed."""
    count = len(ends)
    # best[k]: the cost of the first k columns, and the shares of the names so far
    best: list[tuple[float, dict[int, tuple[int, int]]]] = [
        (_UNNAMED * used, {}) for used in range(count + 1)
    ]
    for at, name in enumerate(names):
        row: list[tuple[float, dict[int, tuple[int, int]]]] = [(float("inf"), {})] * (count + 1)
        for used in range(1, count + 1):
            options = [(row[used - 1][0] + _UNNAMED, row[used - 1][1])]
            for first in range(used):
                cost, shares = best[first]
                off = _off(name, ends[first][0], ends[used - 1][1])
                options.append((cost + off, {**shares, at: (first, used - 1)}))
            row[used] = min(options, key=lambda option: option[0])
        best = row
    cost, shares = best[count]
    return shares if cost < float("inf") else {}
