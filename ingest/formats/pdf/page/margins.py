"""Heads and feet: what stands at the same place of many pages, and the numbers of pages."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from ingest.formats.pdf.page.lines import Line, LineRow, make_rows
from ingest.formats.pdf.page.words import Box

_MOST_ROWS = 4  # of a head or a foot
_SAME_PLACE = 4.0  # points
# Pages that show a head, in a longer document; in a short one two.
_FEWEST_PAGES, _SHORT_DOCUMENT = 3, 6
_FEWEST_PAGES_ELSEWHERE = 3  # that show a text, where not at the same place
_SET_OFF = 1.35  # of the font's height: the step from a head to the text
_NUMBERS = re.compile(r"\d+|\b[ivxlc]{1,6}\b", re.IGNORECASE)
_DIGITS = re.compile(r"\d+")
_PAGE_NUMBER = re.compile(
    r"(?:page|seite|p\.?|pagina|página)?\W*\d+\W*(?:(?:of|/|von|de)\W*\d+)?\W*", re.IGNORECASE
)


@dataclass(slots=True)
class _Edge:
    """A row at the top or the foot of a page."""

    page: int
    row: LineRow
    text: str
    key: str  # the text with its numbers left out
    y: float
    outermost: bool


def take_margins(
    pages: Sequence[list[Line]], rules: Sequence[Sequence[Box]], seen: set[str]
) -> list[tuple[int, list[Line]]]:
    """Take heads and feet out of the lines of pages, and return each different one once, with its page.

    Args:
        pages: the lines of each page, in any order; heads and feet are removed from them.
        rules: the horizontal rules of each page; one of them may set a head off.
        seen: what earlier pages of the document have kept; added to.
    """
    kept: list[tuple[int, list[Line]]] = []
    rows = [make_rows(lines) for lines in pages]
    for from_top in (True, False):
        edges = [_edges(page, its, from_top) for page, its in enumerate(rows)]
        repeated = _repeated(edges)
        for page, its in enumerate(edges):
            taken = _taken(its, rows[page], repeated, rules[page], from_top)
            gone = {id(line) for edge in taken for line in edge.row}
            if gone:
                pages[page][:] = [line for line in pages[page] if id(line) not in gone]
            for edge in taken if from_top else reversed(taken):
                text = edge.text
                if edge.key not in seen and not _PAGE_NUMBER.fullmatch(text) and any(map(str.isalpha, text)):
                    seen.add(edge.key)
                    kept.append((page, edge.row))
    return kept


def _edges(page: int, rows: Sequence[LineRow], from_top: bool) -> list[_Edge]:
    """Return the outer rows of a page from its edge inwards."""
    outer = rows[:_MOST_ROWS] if from_top else rows[: -_MOST_ROWS - 1 : -1]
    edges: list[_Edge] = []
    for row in outer:
        if row[0].table is not None:
            break
        text = " ".join(line.text for line in row)
        edges.append(_Edge(page, row, text, _NUMBERS.sub("#", text.casefold()), row[0].base, not edges))
    return edges


def _repeated(edges: Sequence[Sequence[_Edge]]) -> set[tuple[int, str]]:
    """Return which texts are heads or feet, by page and key."""
    by_key: dict[str, list[_Edge]] = defaultdict(list)
    for its in edges:
        for edge in its:
            by_key[edge.key].append(edge)
    found: set[tuple[int, str]] = set()
    for key, its in by_key.items():
        pages = {edge.page for edge in its}
        if not any(map(str.isalnum, key.replace("#", ""))):
            found |= {(edge.page, key) for edge in its if _counts(edge, its)} if "#" in key else set()
            continue
        anywhere = len(pages) >= _FEWEST_PAGES_ELSEWHERE
        fewest = 2 if len(edges) <= _SHORT_DOCUMENT else _FEWEST_PAGES
        for edge in its:
            same = {
                other.page
                for other in its
                if abs(other.y - edge.y) <= _SAME_PLACE and _say_the_same(edge, other)
            }
            if len(same) >= fewest or (anywhere and len(key) > 3 and edge.outermost and "#" not in key):
                found.add((edge.page, key))
    return found | _numbered(edges) | _facing(edges)


def _say_the_same(edge: _Edge, other: _Edge) -> bool:
    """Return whether two rows differ at most by numbers that grow as the pages do."""
    if edge.text == other.text:
        return True
    step = other.page - edge.page
    numbers = zip(_DIGITS.findall(edge.text), _DIGITS.findall(other.text), strict=False)
    grown = [int(after[:9]) - int(before[:9]) for before, after in numbers if before != after]
    return bool(grown) and all(its == step for its in grown)


def _numbered(edges: Sequence[Sequence[_Edge]]) -> set[tuple[int, str]]:
    """Return the rows that begin or end with the number of their page, at one place of several pages."""
    groups: dict[tuple[int, int, bool], list[_Edge]] = defaultdict(list)
    for its in edges:
        for edge in its:
            words = [word.text for line in edge.row for word in line.words]
            for at_end in (True, False):
                number = words[-1 if at_end else 0]
                if len(words) > 1 and number.isdecimal() and len(number) < 5:
                    place = 0 if edge.outermost else round(edge.y / _SAME_PLACE)
                    groups[place, int(number) - edge.page, at_end].append(edge)
    return {
        (edge.page, edge.key)
        for its in groups.values()
        if len({edge.page for edge in its}) > 2
        for edge in its
    }


def _facing(edges: Sequence[Sequence[_Edge]]) -> set[tuple[int, str]]:
    """Return the outermost rows of facing pages: at one height, the number of the page at the other end of each."""
    found: set[tuple[int, str]] = set()
    outer = {its[0].page: its[0] for its in edges if its}
    for page, edge in outer.items():
        facing = outer.get(page + 1)
        if facing is None or abs(facing.y - edge.y) > _SAME_PLACE:
            continue
        ends = [[its.row[0].words[0].text, its.row[-1].words[-1].text] for its in (edge, facing)]
        for side in (0, 1):
            one, other = ends[0][side], ends[1][1 - side]
            if one.isdecimal() and other.isdecimal() and int(other[:9]) == int(one[:9]) + 1:
                found |= {(page, edge.key), (page + 1, facing.key)}
    return found


def _counts(edge: _Edge, edges: Sequence[_Edge]) -> bool:
    """Return whether the number in a row grows with the pages, as another page shows."""

    def number(its: _Edge) -> int | None:
        digits = re.search(r"\d+", " ".join(line.text for line in its.row))
        return int(digits[0][:9]) if digits else None

    own = number(edge)
    if own is None:
        return len(edges) > 2
    near = [other for other in edges if 0 < abs(other.page - edge.page) <= 3]
    return any(number(other) == own + other.page - edge.page for other in near)


def _taken(
    edges: Sequence[_Edge],
    rows: Sequence[LineRow],
    repeated: set[tuple[int, str]],
    rules: Sequence[Box],
    from_top: bool,
) -> list[_Edge]:
    """Return the rows of a page's head or foot: repeated ones from the edge on, set off from the text."""
    count = 0
    while count < len(edges) and (edges[count].page, edges[count].key) in repeated:
        count += 1
    count = min(count, len(rows) - 1)
    while count > 0:
        last = edges[count - 1]
        inner = rows[count] if from_top else rows[-count - 1]
        if _is_set_off(last, inner, rules):
            return list(edges[:count])
        count -= 1
    return []


def _is_set_off(edge: _Edge, inner: LineRow, rules: Sequence[Box]) -> bool:
    """Return whether space, a rule or another size stands between a head and the text."""
    line, other = edge.row[0], inner[0]
    if len(edge.row) > 1 and len(edge.row) == len(inner) and abs(line.size - other.size) < 0.05 * line.size:
        return False  # the names of a table's columns, repeated above each part
    low, high = sorted((line.base, other.base))
    step = high - low
    if other.table is not None or step > _SET_OFF * 1.15 * max(line.size, other.size):
        return True
    ruled = any(low - 1 <= y0 <= high - 0.5 * other.size for _, y0, _, _ in rules)
    return ruled or abs(line.size - other.size) > 0.1 * max(line.size, other.size)
