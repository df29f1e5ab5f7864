"""The blocks of a document as one flow: paragraphs and tables go on over columns and pages, headings stand out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from ingest.formats.pdf.blocks import BESIDE_SIZE, PageBlock, ends_sentence
from ingest.formats.pdf.page.grids import PageTable, TableCell

# Than the text: a heading; and one that OCR saw.
_LARGER, _LARGER_RECOGNISED = 1.12, 1.6
_HEADING_CHARACTERS, _HEADING_LINES = 220, 4
# The number of a section; the share of its title that is bold, names of programs aside.
_SECTION, _MOSTLY = re.compile(r"(?:\d{1,2}\.)*\d{1,2}\.?"), 0.6
_MOST_LEVELS = 4
_FLOATS_BETWEEN = 8  # blocks that may stand between the parts of a paragraph
_SAME_SIZE = 0.09
_SAME_EDGE = 12.0  # points between the columns of a table and of its continuation
_CONTINUED = re.compile(
    r"\W*(?:table\s+\w+\W*)?\(?\s*(?:cont(?:inued|['’]?d)?\.?|fortsetzung|suite)\s*\)?\W*", re.IGNORECASE
)


class DocumentFlow:
    """Puts the blocks of a document together, some pages at a time."""

    def __init__(self) -> None:
        self._open: list[PageBlock] = []
        self._sizes: Counter[float] = Counter()  # characters of each font's height
        self._heading_sizes: list[float] = []
        self._characters = self._bold = 0

    def add(self, blocks: Sequence[PageBlock]) -> list[PageBlock]:
        """Take the blocks of the next pages, and return those that no later one continues, headings marked."""
        self._count(blocks)
        flow = self._open
        for block in self._with_headings(blocks):
            if block.kind == "table" and (before := _table_before(flow, block)) is not None:
                _append_table(before, block)
            elif block.kind in ("text", "item") and (at := _open_part(flow, block)) is not None:
                _append_part(flow, at, block)
            else:
                flow.append(block)
        ready = max(0, len(flow) - _FLOATS_BETWEEN - 1)
        done, self._open = flow[:ready], flow[ready:]
        return done

    def finish(self) -> list[PageBlock]:
        """Return the last blocks."""
        done, self._open = self._open, []
        return done

    def _count(self, blocks: Sequence[PageBlock]) -> None:
        for block in blocks:
            if block.kind in ("text", "item"):
                for line in block.lines:
                    if line.size > BESIDE_SIZE:
                        self._sizes[round(line.size * 2) / 2] += len(line.text)
            if block.kind == "text":
                self._characters += len(block.text)
                self._bold += len(block.text) if block.bold else 0

    def _with_headings(self, blocks: Sequence[PageBlock]) -> list[PageBlock]:
        """Mark headings: larger than most of the text, or bold where that is not; levels by size."""
        body = self._sizes.most_common(1)[0][0] if self._sizes else 10.0
        bold_counts = self._bold * 2 < self._characters
        found = [
            (index, size)
            for index, block in enumerate(blocks)
            if (size := _heading_size(block, body, bold_counts)) >= 0
        ]
        self._heading_sizes += [size for _, size in found]
        levels = _levels(self._heading_sizes)
        result = list(blocks)
        for index, size in found:
            result[index] = replace(result[index], kind="heading", level=levels[size], mark_words=0)
        return result


def _heading_size(block: PageBlock, body: float, bold_counts: bool) -> float:
    """Return the size of a heading, 0 for one that is only bold, and -1 for what is none."""
    text = block.text
    if block.kind not in ("text", "item") or not text or len(text) > _HEADING_CHARACTERS:
        return -1
    if len(block.lines) > _HEADING_LINES or not any(map(str.isalpha, text)):
        return -1
    size = block.size
    larger = _LARGER_RECOGNISED if block.lines[0].words[0].recognised else _LARGER
    if block.kind == "text" and size >= larger * body and len(text) > 1:
        return size
    if bold_counts and _is_bold(block) and size >= 0.9 * body and not text.endswith((".", ",", ";")):
        return -1 if block.kind == "item" and block.mark_words else 0
    return -1


def _is_bold(block: PageBlock) -> bool:
    """Return whether a block is bold, or a numbered title of which most is."""
    if block.bold:
        return True
    words = [word for line in block.lines for word in line.words]
    letters = sum(len(word.text) for word in words)
    numbered = len(words) > 1 and _SECTION.fullmatch(words[0].text) is not None and words[0].bold
    return numbered and sum(len(word.text) for word in words if word.bold) > _MOSTLY * letters


def _levels(sizes: Sequence[float]) -> dict[float, int]:
    """Return a level from 1 for each size, larger ones first; those within a tenth share one.

    Where there are too many, sizes that head little share the level of the next larger one.
    """
    groups: list[list[float]] = []
    for size in sorted(sizes, reverse=True):
        if groups and size >= 0.93 * groups[-1][0]:
            groups[-1].append(size)
        else:
            groups.append([size])
    kept = sorted(range(len(groups)), key=lambda at: (-len(groups[at]), at))[:_MOST_LEVELS]
    levels: dict[float, int] = {}
    level = 0
    for at, group in enumerate(groups):
        level += at in kept
        levels |= {size: max(1, level) for size in group}
    return levels


def _table_before(flow: Sequence[PageBlock], block: PageBlock) -> PageBlock | None:
    """Return the table that one at the top of the next page, or of the next column, continues."""
    if not flow:
        return None
    at = len(flow) - 1
    while at > 0 and flow[at].page == block.page and _CONTINUED.fullmatch(flow[at].text or "x"):
        at -= 1
    before = flow[at]
    if before.kind != "table" or before.table is None or block.table is None or before.region == block.region:
        return None
    one, other = before.table, block.table
    if one.width != other.width or not 0 <= block.page - _last_page(one, before) <= 1:
        return None
    shift = one.edges[0][0] - other.edges[0][0]
    close = sum(
        abs(left - its_left - shift) <= _SAME_EDGE or abs(right - its_right - shift) <= _SAME_EDGE
        for (left, right), (its_left, its_right) in zip(one.edges, other.edges, strict=True)
    )
    return before if close >= 0.7 * one.width and close >= 2 and not _own_header(one, other) else None


def _last_page(table: PageTable, block: PageBlock) -> int:
    pages = [word.page for row in table.rows[-2:] for cell in row for line in cell.lines for word in line]
    return max(pages, default=block.page)


def _own_header(one: PageTable, other: PageTable) -> bool:
    """Return whether the second table names its columns, and otherwise than the first."""
    count = other.header_rows or 0
    return count > 0 and _names(one.rows[:count]) != _names(other.rows[:count])


def _append_table(before: PageBlock, block: PageBlock) -> None:
    one, other = before.table, block.table
    if one is None or other is None:
        return
    repeated = 0
    while repeated < min(len(one.rows), len(other.rows), 6) and _names(
        one.rows[repeated : repeated + 1]
    ) == _names(other.rows[repeated : repeated + 1]):
        repeated += 1
    one.rows += other.rows[repeated:]


def _names(rows: Sequence[Sequence[TableCell]]) -> list[str]:
    return [" ".join(cell.text.split()).casefold() for row in rows for cell in row]


def _open_part(flow: Sequence[PageBlock], block: PageBlock) -> int | None:
    """Return the index of the paragraph that a block at the start of a column or page continues."""
    first = (
        block.lines[0].words[block.mark_words].text if len(block.lines[0].words) > block.mark_words else ""
    )
    if block.kind == "item" and not first[:1].islower():
        return None
    for back in range(1, min(_FLOATS_BETWEEN, len(flow)) + 1):
        before = flow[-back]
        if before.kind == "heading":
            return None
        if before.kind in ("table", "figure", "margin", "code"):
            continue
        if before.lines[-1].words[-1].page < block.page - 1 or before.region == block.region:
            return None
        if abs(before.size - block.size) > _SAME_SIZE * block.size:
            continue  # a footnote
        return len(flow) - back if _continues(before, block, first) else None
    return None


def _continues(before: PageBlock, block: PageBlock, first: str) -> bool:
    text = before.text
    if block.kind == "item":
        return False
    if text.endswith(("-", "\u2010", "\u00ad")) and first[:1].isalnum():
        return True
    if ends_sentence(text):
        return False
    if before.bold != block.bold:
        return False
    if first[:1].islower():
        return True
    return before.ends_full and not block.indented and (first[:1].isalnum() or first[:1] in "(\"“'‘$€£")


def _append_part(flow: list[PageBlock], at: int, block: PageBlock) -> None:
    """Put a paragraph's next part to it; what stood between comes before it, if on its page."""
    paragraph = flow.pop(at)
    page = paragraph.lines[-1].words[-1].page
    paragraph.breaks |= {len(paragraph.lines) + at for at in block.breaks}
    paragraph.lines += block.lines
    paragraph.region, paragraph.ends_full = block.region, block.ends_full
    later = at
    while later < len(flow) and flow[later].page <= page:
        later += 1
    flow.insert(later, paragraph)
