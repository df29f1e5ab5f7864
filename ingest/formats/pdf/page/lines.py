"""Words to lines: runs of words on one baseline without a wide gap, and rows of such lines."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

from ingest.formats.pdf.page.words import Box, Word

if TYPE_CHECKING:
    from ingest.formats.pdf.page.grids import PageTable

# Lines of a page that are numbered, at least.
_FEWEST_NUMBERED = 10
# Shares of the font's height, which is about 1.15 em.
_WIDE_GAP = 0.8  # between lines side by side; the widest spaces of justified text come near it
_WIDER_GAP, _TIMES_USUAL = 0.5, 1.8  # the same where it is so much wider than the spaces beside it
_NUMBER_GAP = 0.45  # between two numbers: cells of a table
_FEWEST_DOTS = 4
_FEWEST_GAPS = 4
_SAME_BASE = 0.2
_SCRIPT_SIZE = 0.82  # of its host's: a superscript or subscript
_NUMERIC = re.compile(r"[$€£¥(+\-−–—]*[\d.,]*\d[\d.,]*[)%*]*|[-–—−]+|\)|%|\)%")
_CURRENCY = re.compile(r"(?:US|C|A|HK|NZ)?[$€£¥]|\([$€£¥]|US\$\(?|[$€£¥]\(")


@dataclass(slots=True)
class Line:
    """Words on one baseline from left to right, or a table that stands as one in the order of reading."""

    words: list[Word]
    x0: float
    y0: float
    x1: float
    y1: float
    base: float
    size: float
    bold: bool = False
    table: PageTable | None = None
    figure: bool = False  # its words are labels of a figure

    @property
    def box(self) -> Box:
        return self.x0, self.y0, self.x1, self.y1

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)

    @property
    def fixed(self) -> bool:
        """Whether all its letters are as wide: a line of a program, or of a listing."""
        return bool(self.words) and all(word.fixed for word in self.words)


LineRow = list[Line]  # from left to right


def is_numeric(text: str) -> bool:
    """Return whether a word is an amount, or a part of one that a table sets apart: "(1,250", ")", "—"."""
    return _NUMERIC.fullmatch(text) is not None


def is_currency(text: str) -> bool:
    """Return whether a word is the sign before an amount."""
    return _CURRENCY.fullmatch(text) is not None


def make_line(words: Sequence[Word]) -> Line:
    """Make a line of words on one baseline, given from left to right."""
    tallest = max(words, key=lambda word: len(word.text))
    bold = sum(len(word.text) if word.bold else -len(word.text) for word in words) > 0
    return Line(
        list(words),
        min(word.x0 for word in words),
        min(word.y0 for word in words),
        max(word.x1 for word in words),
        max(word.y1 for word in words),
        tallest.base,
        tallest.size,
        bold,
    )


def make_lines(words: Iterable[Word]) -> list[Line]:
    """Return the lines of a page, each without a wide gap, in no order of reading."""
    lines = [line for group in _same_baseline(words) for line in _split(group)]
    return _with_scripts(lines)


def make_rows(lines: Iterable[Line]) -> list[LineRow]:
    """Group lines side by side to rows, from the top."""
    rows: list[LineRow] = []
    for line in sorted(lines, key=lambda line: (line.base, line.x0)):
        if rows and _beside(rows[-1][0], line):
            rows[-1].append(line)
        else:
            rows.append([line])
    for row in rows:
        row.sort(key=lambda line: line.x0)
    return rows


def _beside(first: Line, line: Line) -> bool:
    if first.table is not None or line.table is not None or first.figure or line.figure:
        return False
    return line.base - first.base <= _SAME_BASE * min(first.size, line.size) + 0.01


def _same_baseline(words: Iterable[Word]) -> list[list[Word]]:
    groups: list[list[Word]] = []
    base, size = -1e9, 0.0
    for word in sorted(words, key=lambda word: word.base):
        if word.base - base <= _SAME_BASE * min(size, word.size):
            groups[-1].append(word)
        else:
            groups.append([word])
            base, size = word.base, word.size
    return groups


def _split(group: list[Word]) -> list[Line]:
    """Split the words of one baseline where a gap is wide, and drop the second of a word drawn twice."""
    group.sort(key=lambda word: word.x0)
    if sum(word.text == "." for word in group) >= _FEWEST_DOTS:
        group = _without_leaders(group)
    lines: list[Line] = []
    run: list[Word] = []
    gaps = [word.x0 - before.x1 for before, word in pairwise(group) if word.x0 > before.x1]
    usual = median(gaps) if len(gaps) >= _FEWEST_GAPS else 1e9
    for at, word in enumerate(group):
        before = run[-1] if run else None
        if before is not None:
            if word.text == before.text and word.x0 - before.x0 < 0.25 * before.width:
                continue  # bold by drawing twice
            gap = word.x0 - before.x1
            if gap > _gap_allowed(before, word, usual) or (gap > 0 and _opens_cell(group, at)):
                lines.append(make_line(run))
                run = []
        run.append(word)
    if run:
        lines.append(make_line(run))
    return lines


def _opens_cell(group: Sequence[Word], at: int) -> bool:
    """Return whether a word is the sign of an amount that stands apart from it: it opens a table's cell."""
    if at + 1 >= len(group) or not is_currency(group[at].text):
        return False
    return group[at + 1].x0 - group[at].x1 > _WIDER_GAP * group[at].size


def _without_leaders(group: Sequence[Word]) -> list[Word]:
    """Return the words of a line without the dots, each set apart, that lead from a title to its page."""
    dots = [word.text == "." for word in group]
    return [
        word
        for at, word in enumerate(group)
        if not (dots[at] and ((at > 0 and dots[at - 1]) or (at + 1 < len(group) and dots[at + 1])))
    ]


def _gap_allowed(before: Word, word: Word, usual: float) -> float:
    size = min(before.size, word.size)
    widest = min(_WIDE_GAP * size, max(_WIDER_GAP * size, _TIMES_USUAL * usual))
    first, second = is_numeric(before.text), is_numeric(word.text) or is_currency(word.text)
    return min(_NUMBER_GAP * size, widest) if first and second else widest


def _with_scripts(lines: list[Line]) -> list[Line]:
    """Put superscripts and subscripts into the lines that they belong to."""
    hosts = sorted(lines, key=lambda line: line.base)
    taken: set[int] = set()
    for at, line in enumerate(hosts):
        if line.x1 - line.x0 > 6 * line.size:
            continue
        for step in (-1, 1, -2, 2, -3, 3):
            near = at + step
            if 0 <= near < len(hosts) and near not in taken and _is_script(line, hosts[near]):
                host = hosts[near]
                host.words = sorted([*host.words, *line.words], key=lambda word: word.x0)
                host.x0, host.x1 = min(host.x0, line.x0), max(host.x1, line.x1)
                taken.add(at)
                break
    if not taken:
        return lines
    return _closed([line for at, line in enumerate(hosts) if at not in taken])


def _closed(lines: list[Line]) -> list[Line]:
    """Put lines together whose gap a superscript has filled."""
    result: list[Line] = []
    for row in make_rows(lines):
        run = row[:1]
        for line in row[1:]:
            before = run[-1]
            if line.x0 - before.x1 <= 0.3 * line.size and line.x0 >= before.x1 - line.size:
                run[-1] = make_line([*before.words, *line.words])
            else:
                run.append(line)
        result += run
    return result


def _is_script(line: Line, host: Line) -> bool:
    if line.size > _SCRIPT_SIZE * host.size or abs(line.base - host.base) > 0.6 * host.size:
        return False
    overlap = min(line.y1, host.y1) - max(line.y0, host.y0)
    if overlap < 0.3 * line.size:
        return False
    touch = 0.3 * host.size
    return any(
        -touch < line.x0 - word.x1 < touch or -touch < word.x0 - line.x1 < touch for word in host.words
    )


def without_line_numbers(lines: list[Line]) -> list[Line]:
    """Return lines without the numbers that count them at the side of a page, as in transcripts and bills."""
    first = sorted((line for line in lines if line.words[0].text.isdecimal()), key=lambda line: line.base)
    numbers = [(line, int(line.words[0].text[:6])) for line in first]
    lefts, rights = [line.x0 for line in first], [line.words[0].x1 for line in first]
    sides = [Counter(round(end / 4) for end in ends) for ends in (lefts, rights)]
    side = max((0, 1), key=lambda at: max(sides[at].values(), default=0))
    place, count = sides[side].most_common(1)[0] if numbers else (0, 0)
    if count < _FEWEST_NUMBERED:
        return lines
    counted = [
        (line, number)
        for line, number in numbers
        if abs((line.words[0].x1 if side else line.x0) / 4 - place) <= 1
    ]
    growing = sum(after[1] == before[1] + 1 for before, after in pairwise(counted))
    leftmost = min(line.x0 for line in lines)
    if (
        growing < 0.9 * (len(counted) - 1)
        or counted[0][0].x0 > leftmost + 20
        or len(counted) < 0.5 * len(make_rows(lines))
    ):
        return lines
    gone = {id(line) for line, _ in counted}
    kept = [line for line in lines if id(line) not in gone]
    return kept + [make_line(line.words[1:]) for line, _ in counted if len(line.words) > 1]
