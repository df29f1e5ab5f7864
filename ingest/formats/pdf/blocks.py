"""The rows of a region to blocks: paragraphs, items of lists, tables."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from statistics import median
from typing import Literal

from ingest.formats.pdf.page.direction import is_right_to_left, writes_without_spaces
from ingest.formats.pdf.page.grids import PageTable
from ingest.formats.pdf.page.lines import Line, LineRow, make_line
from ingest.formats.pdf.page.words import Box

BlockKind = Literal["text", "heading", "item", "table", "figure", "margin", "code"]
# The font's height of text that is not in a page's own lines: small, so that it heads nothing.
BESIDE_SIZE = 1.0
_BULLETS = frozenset("•●▪■◦‣⁃∙·*–—-o❖➢➤✓✔►▶◆\uf0b7\uf0a7\uf0d8\uf076\uf02d")
_NUMBERED = re.compile(r"[\[(]?(?:\d{1,2}|[a-zA-Z]|[ivx]{1,5}|[IVX]{1,5})[.)\]]")
_SENTENCE_END = re.compile(r"[.!?:;…。！？؟۔]['\"”’»)\]]*$")
# Shares of the font's height.
_PARAGRAPH_GAP = 1.22  # of the usual distance between lines
_WIDEST_LEADING = 2.4
_FEWEST_STEPS = 4  # that show how far apart lines usually are
_INDENT = 0.7
_SIZE_STEP = 0.12


@dataclass(slots=True)
class PageBlock:
    """A paragraph, an item of a list, a heading or a table, in the order of reading."""

    kind: BlockKind
    lines: list[Line] = field(default_factory=list)
    table: PageTable | None = None
    page: int = 0
    region: int = 0  # counted through the document; a paragraph may go on in the next one
    level: int = 0  # of a heading, from 1; of an item, from 0
    breaks: set[int] = field(default_factory=set)  # lines that begin as such, as in an address
    mark_words: int = 0  # of an item: how many words its bullet takes; they are not text
    ends_full: bool = False  # its last line fills the column, so that the paragraph may go on elsewhere
    indented: bool = False  # its first line begins further in than the others

    @property
    def size(self) -> float:
        return median(line.size for line in self.lines) if self.lines else 0.0

    @property
    def bold(self) -> bool:
        return bool(self.lines) and all(word.bold for line in self.lines for word in line.words)

    @property
    def text(self) -> str:
        return " ".join(line.text for line in self.lines)

    @property
    def box(self) -> Box:
        if self.table is not None:
            return self.table.box
        return (
            min(line.x0 for line in self.lines),
            min(line.y0 for line in self.lines),
            max(line.x1 for line in self.lines),
            max(line.y1 for line in self.lines),
        )


def ends_sentence(text: str) -> bool:
    """Return whether a text ends with the end of a sentence, or before a list."""
    return _SENTENCE_END.search(text) is not None


def make_blocks(items: Sequence[LineRow | PageTable]) -> list[PageBlock]:
    """Return the blocks of a region, given its rows and tables from the top."""
    blocks: list[PageBlock] = []
    run: list[Line] = []
    for item in items:
        single = item[0] if isinstance(item, list) and len(item) == 1 else None
        table = item if isinstance(item, PageTable) else (single.table if single is not None else None)
        if table is None and not (single is not None and single.figure):
            assert isinstance(item, list)
            run.append(
                item[0] if len(item) == 1 else make_line([word for line in item for word in line.words])
            )
            continue
        blocks += _paragraphs(run)
        run = []
        if table is not None:
            blocks.append(PageBlock("table", table=table))
        elif single is not None:
            blocks.append(PageBlock("figure", [single]))
    return [*blocks, *_paragraphs(run)]


def _paragraphs(lines: Sequence[Line]) -> list[PageBlock]:
    blocks: list[PageBlock] = []
    for fixed, run in groupby(lines, key=lambda line: line.fixed):
        its = list(run)
        blocks += [PageBlock("code", its)] if fixed and len(its) > 1 else _prose(its)
    return blocks


def _prose(lines: Sequence[Line]) -> list[PageBlock]:
    column = _Column(lines)
    blocks: list[PageBlock] = []
    firsts = {line.words[0].text for line in lines}
    for line in lines:
        marks = 0 if _is_initial(line.words[0].text, firsts) else _mark_words(line)
        if (
            blocks
            and not (marks and column.may_be_item(blocks[-1], line))
            and column.goes_on(blocks[-1], line)
        ):
            blocks[-1].lines.append(line)
        elif blocks and not marks and column.breaks(blocks[-1], line):
            blocks[-1].breaks.add(len(blocks[-1].lines))
            blocks[-1].lines.append(line)
        else:
            blocks.append(
                PageBlock("item" if marks else "text", [line], mark_words=_bullet_words(line) if marks else 0)
            )
    for block in blocks:
        block.ends_full = column.is_full(block.lines[-1], None)
        block.indented = column.is_indented(block)
    _set_depths(blocks)
    return blocks


def _is_initial(text: str, firsts: set[str]) -> bool:
    """Return whether a capital and a full stop begin a name: no line begins with the letter before or after it."""
    if len(text) != 2 or text[1] != "." or not "A" <= text[0] <= "Z":
        return False
    return not firsts & {f"{chr(ord(text[0]) - 1)}.", f"{chr(ord(text[0]) + 1)}."}


def _mark_words(line: Line) -> int:
    """Return 1 if a line begins with the mark of an item."""
    if len(line.words) < 2:
        return 0
    first, second = line.words[0], line.words[1]
    if first.text in _BULLETS:
        return int(first.text != "o" or second.x0 - first.x1 > 0.5 * first.size)
    return int(_NUMBERED.fullmatch(first.text) is not None)


def _bullet_words(line: Line) -> int:
    return int(line.words[0].text in _BULLETS)


def _share_size(line: Line, following: Line) -> bool:
    """Return whether two lines are of one size, or a word of one is of the other's: small capitals begin many lines."""
    step = _SIZE_STEP * max(line.size, following.size)
    if abs(line.size - following.size) <= step:
        return True
    return any(abs(word.size - following.size) < step / 2 for word in line.words) or any(
        abs(word.size - line.size) < step / 2 for word in following.words
    )


class _Column:
    """The lines of a region, and how far they reach."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self._from_right = is_right_to_left(" ".join(line.text for line in lines[:50]))
        self._end = max(self._ends(line) for line in lines)
        steps: dict[int, list[float]] = defaultdict(list)
        for one, other in pairwise(lines):
            step = other.base - one.base
            if (
                abs(one.size - other.size) < _SIZE_STEP * one.size
                and 0.8 * one.size < step < _WIDEST_LEADING * one.size
            ):
                steps[round(other.size)].append(step)
        self._leading = {round(line.size): 1.25 * line.size for line in lines}
        for size, its in steps.items():
            # Paragraphs of one line must not make their distance the usual one.
            usual = sorted(its)[len(its) // 3]
            self._leading[size] = min(usual, 1.4 * size) if len(its) < _FEWEST_STEPS else usual
        self._reach = self._local_ends(lines)

    def _begins(self, line: Line) -> float:
        return -line.x1 if self._from_right else line.x0

    def _ends(self, line: Line) -> float:
        return -line.x0 if self._from_right else line.x1

    def _local_ends(self, lines: Sequence[Line]) -> dict[int, float]:
        """Return how far each line could reach: as far as those around it without a gap, if they are several."""
        reach: dict[int, float] = {}
        run: list[Line] = []
        for line in [*lines, None]:
            if run and (line is None or not self._is_near(run[-1], line)):
                end = max(self._ends(its) for its in run) if len(run) > 2 else self._end
                reach |= {id(its): end for its in run}
                run = []
            if line is not None:
                run.append(line)
        return reach

    def _is_near(self, line: Line, following: Line) -> bool:
        usual = max(self._leading.get(round(its.size), 1.25 * its.size) for its in (line, following))
        step = following.base - line.base
        return (
            0 < step <= max(_PARAGRAPH_GAP * usual, usual + 1.5)
            and step <= _WIDEST_LEADING * max(line.size, following.size)
            and _share_size(line, following)
        )

    def is_full(self, line: Line, following: Line | None) -> bool:
        """Return whether the first word of the next line had no room at the end of a line."""
        first = following.words[-1 if self._from_right else 0] if following else None
        width = first.width if first else 2.5 * line.size
        if first and writes_without_spaces(first.text[0]):
            width = first.width / len(first.text)
        return self._ends(line) + 0.25 * line.size + width > self._reach[id(line)] - 0.3 * line.size

    def is_indented(self, block: PageBlock) -> bool:
        """Return whether a paragraph's first line begins further in than its others."""
        if len(block.lines) < 2:
            return False
        return (
            self._begins(block.lines[0])
            > min(map(self._begins, block.lines[1:])) + _INDENT * block.lines[0].size
        )

    def may_be_item(self, block: PageBlock, line: Line) -> bool:
        """Return whether a line that begins like an item is one, and not a number within a sentence."""
        if line.words[0].text in _BULLETS and line.words[0].text not in "-–—*o":
            return True
        last = block.lines[-1]
        aligned = (
            block.kind == "item" and self._begins(line) <= self._begins(block.lines[0]) + 0.5 * line.size
        )
        return (
            aligned
            or ends_sentence(last.text)
            or not self.is_full(last, line)
            or not self._is_near(last, line)
        )

    def goes_on(self, block: PageBlock, line: Line) -> bool:
        """Return whether a line continues a paragraph."""
        last = block.lines[-1]
        if not self._is_near(last, line):
            return False
        was_bold = all(word.bold for its in block.lines for word in its.words)
        if was_bold and not any(word.bold for word in line.words) and not last.text.endswith(("-", ",")):
            return block.kind == "item" or (self.is_full(last, line) and line.text[:1].islower())
        if (
            not was_bold
            and all(word.bold for word in line.words)
            and len(line.words) > 1
            and ends_sentence(last.text)
        ):
            return False
        begin = self._begins(line)
        usual = (
            min(self._begins(its) for its in block.lines[1:]) if len(block.lines) > 1 else self._begins(last)
        )
        further_in = begin > usual + _INDENT * line.size
        if block.kind == "item" and len(block.lines) == 1:
            further_in = False
        outdented = block.kind == "item" and begin < self._begins(block.lines[0]) - 0.3 * line.size
        if outdented and (ends_sentence(last.text) or not self.is_full(last, line)):
            return False
        if self.is_full(last, line):
            return not (further_in and ends_sentence(last.text))
        return line.text[:1].islower() and not ends_sentence(last.text)

    def breaks(self, block: PageBlock, line: Line) -> bool:
        """Return whether a line begins anew within a block, as those of an address or a poem do."""
        last = block.lines[-1]
        bold = all(word.bold for its in block.lines for word in its.words)
        alike = (
            bold == all(word.bold for word in line.words) and abs(last.size - line.size) < 0.05 * line.size
        )
        begin, usual = self._begins(line), self._begins(last)
        aligned = (
            abs(begin - usual) < 0.5 * line.size
            or abs(begin + self._ends(line) - usual - self._ends(last)) < line.size
        )
        return (
            block.kind == "text"
            and alike
            and aligned
            and self._is_near(last, line)
            and not ends_sentence(last.text)
        )


def _set_depths(blocks: Sequence[PageBlock]) -> None:
    """Set the level of each item by how far in it begins."""
    starts: list[float] = []
    for block in blocks:
        if block.kind != "item":
            starts = []
            continue
        line = block.lines[0]
        while starts and line.x0 < starts[-1] - 0.6 * line.size:
            starts.pop()
        if not starts or line.x0 > starts[-1] + 0.6 * line.size:
            starts.append(line.x0)
        block.level = len(starts) - 1
