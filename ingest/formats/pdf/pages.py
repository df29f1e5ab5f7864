"""The pages of a document: their words, drawings and lines, and the blocks that these make."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ingest.formats.pdf.blocks import Block, make_blocks
from ingest.formats.pdf.columns import reading_order
from ingest.formats.pdf.page.drawings import Drawings, read_drawings
from ingest.formats.pdf.page.figures import take_figures
from ingest.formats.pdf.page.lines import Line, make_line, make_lines, make_rows
from ingest.formats.pdf.page.margins import take_margins
from ingest.formats.pdf.page.words import Word, read_words, turn_box, view_of
from ingest.formats.pdf.tables.aligned import with_tables
from ingest.formats.pdf.tables.grids import PageTable
from ingest.formats.pdf.tables.ruled import ruled_tables


@dataclass(slots=True)
class Page:
    """What stands on one page, in the frame in which most of its text is upright."""

    index: int
    width: float
    height: float
    lines: list[Line]
    turned: list[Word]
    drawings: Drawings
    quarters: int = 0
    outside: int = 0
    unmapped: int = 0  # words whose font has no map to Unicode
    words: list[Word] = field(default_factory=list)

    @property
    def characters(self) -> int:
        """How many characters of text it has."""
        return sum(len(word.text) for word in self.words)


def read_page(page: Any, index: int) -> Page:
    """Return what stands on an open page."""
    view = view_of(page)
    found = read_words(page, view)
    frame = replace(view, quarters=(view.quarters - found.quarters) % 4)
    every = [*found.words, *found.turned]
    for word in every:
        word.page = index
    return Page(
        index,
        *frame.size,
        make_lines(found.words),
        found.turned,
        read_drawings(page, frame),
        found.quarters,
        found.outside,
        sum(word.unmapped for word in every),
        every,
    )


def blocks_of(pages: Sequence[Page]) -> list[Block]:
    """Return the blocks of a document in the order of reading: first what heads and feet say, then page by page."""
    margins = take_margins([page.lines for page in pages], [page.drawings.across for page in pages])
    blocks = [
        Block("margin", [make_line([word for line in row for word in line.words])], page=page)
        for page, row in margins
    ]
    region = 0
    for page in pages:
        for lines in _regions(page):
            region += 1
            for block in make_blocks(with_tables(make_rows(lines), page.drawings)):
                block.page, block.region = page.index, region
                blocks.append(block)
        blocks += [Block("margin", [line], page=page.index) for line in _turned_lines(page.turned)]
    return blocks


def _regions(page: Page) -> list[list[Line]]:
    tables, lines = _without_tables(page)
    lines = take_figures(lines, page.drawings, page.width * page.height)
    lines += [_standing(table) for table in tables]
    return reading_order(lines, page.drawings.across)


def _without_tables(page: Page) -> tuple[list[PageTable], list[Line]]:
    """Return the ruled tables of a page, and its lines outside them."""
    words = [word for line in page.lines for word in line.words]
    tables, rest = ruled_tables(words, page.drawings)
    if not tables:
        return [], page.lines
    outside = set(map(id, rest))
    lines: list[Line] = []
    for line in page.lines:
        kept = [word for word in line.words if id(word) in outside]
        if kept:
            lines.append(line if len(kept) == len(line.words) else make_line(kept))
    return tables, lines


def _standing(table: PageTable) -> Line:
    """Return a table as a line, which takes its place among the others."""
    x0, y0, x1, y1 = table.box
    return Line([], x0, y0, x1, y1, y1, 10.0, table=table)


def _turned_lines(words: Sequence[Word]) -> list[Line]:
    """Return turned words as lines, in the order in which they are drawn, split where they lie apart."""
    lines: list[list[Word]] = []
    for word in words:
        before = lines[-1][-1] if lines else None
        near = before is not None and _distance(before, word) < 1.2 * max(word.size, before.size)
        if near:
            lines[-1].append(word)
        else:
            lines.append([word])
    return [make_line(line) for line in lines]


def _distance(one: Word, other: Word) -> float:
    """Return how far the boxes of two words lie apart."""
    across = max(one.x0 - other.x1, other.x0 - one.x1, 0.0)
    down = max(one.y0 - other.y1, other.y0 - one.y1, 0.0)
    return max(across, down)


def show_as_displayed(pages: Iterable[Page]) -> None:
    """Turn the boxes of words back where a page's text is turned as a whole."""
    for page in pages:
        if page.quarters:
            for word in page.words:
                word.x0, word.y0, word.x1, word.y1 = turn_box(
                    (word.x0, word.y0, word.x1, word.y1), page.width, page.height, page.quarters
                )
