"""The pages of a document: their words, drawings and lines, and the blocks that these make."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ingest.formats.file_text import clean
from ingest.formats.pdf.annotations import Annotations, read_annotations
from ingest.formats.pdf.blocks import BESIDE_SIZE, PageBlock, make_blocks
from ingest.formats.pdf.columns import reading_order
from ingest.formats.pdf.page.drawings import Drawings, read_drawings
from ingest.formats.pdf.page.figures import take_figures
from ingest.formats.pdf.page.grids import PageTable
from ingest.formats.pdf.page.lines import Line, make_line, make_lines, make_rows, without_line_numbers
from ingest.formats.pdf.page.margins import take_margins
from ingest.formats.pdf.page.words import Box, Word, read_words, turn_box, view_of
from ingest.formats.pdf.tables.aligned import with_tables
from ingest.formats.pdf.tables.ruled import ruled_tables


@dataclass(slots=True)
class Page:
    """What stands on one page, in the frame in which most of its text is upright."""

    index: int
    width: float
    height: float
    words: list[Word]
    lines: list[Line]
    turned: list[Word]
    drawings: Drawings
    annotations: Annotations
    quarters: int = 0
    outside: int = 0
    unmapped: int = 0  # words whose font has no map to Unicode
    recognised: bool = False

    @property
    def characters(self) -> int:
        """How many characters of text it has."""
        return sum(len(word.text) for word in self.words)

    @property
    def is_unreadable(self) -> bool:
        """Whether most of its words are in fonts without a map to Unicode, and so are none."""
        return self.unmapped > 2 and self.unmapped * 2 > len(self.words)

    @property
    def place(self) -> str:
        """The page as messages name it."""
        return f"page {self.index + 1}"


def read_page(page: Any, index: int, form: Any = None) -> Page:
    """Return what stands on an open page.

    Args:
        form: the document's form in PDFium; None if it has none.
    """
    view = view_of(page)
    found = read_words(page, view)
    frame = replace(view, quarters=(view.quarters - found.quarters) % 4)
    lines = make_lines(found.words)
    annotations = read_annotations(page, frame, form, lines, index)
    if annotations.values:
        lines = make_lines([*found.words, *annotations.values])
    every = [*found.words, *annotations.values, *found.turned]
    for word in every:
        word.page = index
    return Page(
        index,
        *frame.size,
        every,
        lines,
        found.turned,
        read_drawings(page, frame),
        annotations,
        found.quarters,
        found.outside,
        sum(word.unmapped for word in every),
    )


class PageLayout:
    """Makes blocks of a document's pages, some pages at a time."""

    def __init__(self) -> None:
        self._region = 0
        self._margins: set[str] = set()
        self._stamps: set[str] = set()
        self._links: set[str] = set()

    def blocks(self, pages: Sequence[Page]) -> list[PageBlock]:
        """Return the blocks of the next pages in the order of reading.

        What their heads and feet say comes first, once in a document.
        """
        _keep_fixed_for_listings(pages)
        rules = [page.drawings.across for page in pages]
        margins = take_margins([page.lines for page in pages], rules, self._margins)
        blocks = [
            PageBlock(
                "margin", [make_line([word for line in row for word in line.words])], page=pages[at].index
            )
            for at, row in margins
        ]
        for page in pages:
            blocks += self._page_blocks(page)
        return blocks

    def _page_blocks(self, page: Page) -> list[PageBlock]:
        blocks: list[PageBlock] = []
        for lines in _regions(page):
            self._region += 1
            blocks += [
                replace(block, page=page.index, region=self._region)
                for block in make_blocks(with_tables(make_rows(lines), page.drawings))
            ]
        self._region += 1
        for line in _turned_lines(page.turned):
            if line.text not in self._stamps:
                self._stamps.add(line.text)
                blocks.append(PageBlock("margin", [line], page=page.index))
        laid = [replace(block, page=page.index, region=self._region) for block in _laid_on(page, self._links)]
        return blocks + laid


def _keep_fixed_for_listings(pages: Sequence[Page]) -> None:
    """Treat letters of fixed width as any others where most of a document is typed in them."""
    words = [word for page in pages for word in page.words]
    if sum(word.fixed for word in words) * 2 > len(words):
        for word in words:
            word.fixed = False


def _laid_on(page: Page, links: set[str]) -> list[PageBlock]:
    """Return text boxes, notes and links as blocks; `links` holds those that have been written."""
    blocks = []
    for text, box in page.annotations.texts:
        rows = [row for row in text.splitlines() if row.strip()]
        lines = [make_line(_spread(row, box, page)) for row in rows]
        blocks.append(PageBlock("text", lines, breaks=set(range(1, len(lines)))))
    squeezed = "".join(word.text for word in page.words) if page.annotations.links else ""
    for address, box in page.annotations.links:
        linked = " ".join(word.text for word in page.words if _within(word, box))
        stated = address.removeprefix("mailto:").removesuffix("/").split("://")[-1]
        if address not in links and stated not in squeezed:
            links.add(address)
            blocks.append(PageBlock("text", [make_line(_spread(f"Link: {linked} <{address}>", box, page))]))
    return blocks


def _spread(text: str, box: Box, page: Page) -> list[Word]:
    """Return the words of a text that stands somewhere in a box."""
    words = [Word(clean(part), *box, box[3], BESIDE_SIZE, page=page.index) for part in text.split()]
    page.words += words
    return words


def _within(word: Word, box: Box) -> bool:
    x, y = (word.x0 + word.x1) / 2, (word.y0 + word.y1) / 2
    return box[0] <= x <= box[2] and box[1] <= y <= box[3]


def _regions(page: Page) -> list[list[Line]]:
    tables, lines = _without_tables(page)
    if not tables:
        lines = without_line_numbers(lines)
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
