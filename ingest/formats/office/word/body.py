"""The blocks of a Word document: headings, paragraphs, list items, tables, text boxes, comments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ingest.formats import markdown
from ingest.formats.grid import write_inline, write_rows
from ingest.formats.inside import INSIDE, load_inside
from ingest.formats.office.package import attribute, qn, short
from ingest.formats.office.word import table
from ingest.formats.office.word.numbering import ListLabel
from ingest.formats.office.word.paragraph import ParagraphReader, WordParagraph
from ingest.formats.office.word.part import WordPart
from rag.errors import UnreadableFile

_CONTAINERS = frozenset({"w:sdt", "w:sdtContent", "w:customXml", "w:ins", "w:smartTag", "w:moveTo"})
# What a caption counts, in the languages whose word for a table begins so.
_TABLE_WORD = re.compile(r"tab|表|табл|πίν", re.IGNORECASE)
_OUTLINE = frozenset("012345678")
_LONG_CELL = 200
_LONG_PAGE = 600
_PAGE_SHARE = 0.7
_MOST_LAYOUT_ROWS = 6


class Body:
    """Reads a part's blocks in order."""

    def __init__(self, part: WordPart) -> None:
        self._part = part
        self._paragraphs = ParagraphReader(part)
        # The text of a paragraph whose end a tracked change deletes: it begins the next one
        self._carried = ""
        self._comments: list[str] = []

    def blocks(self, parent: Any) -> list[str]:
        """Return the blocks of a body, cell, note or text box."""
        elements = list(_block_elements(parent))
        written: list[str] = []
        after_caption = False
        skipped: Any = None
        for at, element in enumerate(elements):
            if element is skipped:
                continue
            tag = short(element.tag)
            if tag == "w:tbl":
                caption = ""
                following = elements[at + 1] if at + 1 < len(elements) else None
                if not after_caption and self._captions_table(following):
                    caption, skipped = self._paragraphs.read(following).text.strip(), following
                written.extend(self._table(element, caption))
                after_caption = False
            elif tag == "w:p":
                written.extend(self._paragraph(element))
                after_caption = self._captions_table(element)
            elif tag == "w:altChunk":
                written.append(self._imported(element))
        return written

    def _paragraph(self, element: Any) -> Iterator[str]:
        properties = element.find(qn("w:pPr"))
        read = self._paragraphs.read(element)
        text = f"{self._carried}{read.text}"
        self._carried = ""
        if _end_is_deleted(properties):
            self._carried = text
        else:
            style = attribute(properties, "w:pStyle", "w:val") or self._part.styles.paragraph_default
            if text.strip() and self._part.styles.facts(style).is_hidden:
                self._part.note("hidden passage")
                text = ""
            yield self._written(text, properties, style)
        yield from self._after(read)

    def _written(self, text: str, properties: Any, style: str) -> str:
        label = self._part.numbering.label(properties, style)
        text = text.strip()
        if not text:
            return ""
        level = self._heading_level(properties, style)
        if level:
            numbered = f"{label.text} {text}" if label and label.text != "-" else text
            self._part.place = f"under “{' '.join(numbered.split())[:80]}”"
            return markdown.heading(numbered, level)
        depth = self._part.styles.facts(style).list_depth
        if label is None and depth >= 0:
            label = ListLabel("-", 0)
        if label is None or not label.text:
            return text
        return markdown.list_item(text, max(label.depth, depth), label.text)

    def _heading_level(self, properties: Any, style: str) -> int:
        stated = attribute(properties, "w:outlineLvl", "w:val")
        return int(stated) + 1 if stated in _OUTLINE else self._part.styles.facts(style).heading_level

    def _after(self, read: WordParagraph) -> Iterator[str]:
        """Yield what a paragraph's drawings and marks add: text boxes, charts, comments."""
        for box in read.graphics.boxes:
            yield from self.blocks(box)
        yield from read.graphics.blocks
        for comment in read.comments:
            yield self._part.comments.pop(comment, "")

    def _captions_table(self, element: Any) -> bool:
        """Return whether a paragraph is the caption of a table, not of a figure."""
        if element is None or short(element.tag) != "w:p":
            return False
        style = attribute(element.find(qn("w:pPr")), "w:pStyle", "w:val")
        if not self._part.styles.facts(style).is_caption:
            return False
        instructions = [one.text or "" for one in element.iter(qn("w:instrText"))]
        instructions += [one.get(qn("w:instr"), "") for one in element.iter(qn("w:fldSimple"))]
        words = "".join(instructions).split()
        counted = words[words.index("SEQ") + 1 :][:1] if "SEQ" in words else []
        shown = counted or ["".join(one.text or "" for one in element.iter(qn("w:t")))]
        return _TABLE_WORD.match(shown[0].strip()) is not None

    def _table(self, element: Any, caption: str) -> Iterator[str]:
        rows = table.table_rows(element)
        deleted = sum(map(table.is_deleted, element.findall(qn("w:tr"))))
        if deleted:
            self._part.note("deleted row", deleted)
        cells = [table.row_cells(row) for row in rows]
        if _is_layout(cells):
            yield caption
            for row in cells:
                for cell in row:
                    yield from self.blocks(cell)
            return
        stated = attribute(element, "w:tblPr/w:tblCaption", "w:val")
        outer, self._comments = self._comments, []
        grid = table.lay_out_rows(rows, self._cell)
        yield write_rows(grid, caption=caption or stated)
        yield attribute(element, "w:tblPr/w:tblDescription", "w:val")
        yield from self._comments
        self._comments = outer

    def _cell(self, cell: Any) -> str:
        """Write a cell on one line; comments wait until the table is whole."""
        parts: list[str] = []
        for element in _block_elements(cell):
            if short(element.tag) == "w:tbl":
                rows = table.table_rows(element)
                parts.append(write_inline(table.lay_out_rows(rows, self._cell)))
            elif short(element.tag) == "w:p":
                parts.extend(self._cell_paragraph(element))
        return " ".join(" ".join(filter(None, parts)).split())

    def _cell_paragraph(self, element: Any) -> Iterator[str]:
        properties = element.find(qn("w:pPr"))
        style = attribute(properties, "w:pStyle", "w:val") or self._part.styles.paragraph_default
        read = self._paragraphs.read(element)
        label = self._part.numbering.label(properties, style)
        if read.text.strip() and label and label.text:
            yield "•" if label.text == "-" else label.text
        yield read.text.strip()
        self._comments.extend(self._part.comments.pop(one, "") for one in read.comments)
        yield from self._after(replace(read, comments=[]))

    def _imported(self, element: Any) -> str:
        """Read a file that the document takes in whole at this place."""
        target = self._part.target(element.get(qn("r:id")))
        archive = self._part.package.archive
        try:
            name = f"{archive.name}{INSIDE}{target.rpartition('/')[2]}"
            return load_inside(archive.read(target), name, archive.limits).text
        except UnreadableFile:
            self._part.note("imported file")
            return ""


def _block_elements(parent: Any) -> Iterator[Any]:
    """Yield the paragraphs and tables of a body, through content controls and the like."""
    for element in parent:
        tag = short(element.tag)
        if tag in _CONTAINERS:
            yield from _block_elements(element)
        elif tag == "mc:AlternateContent":
            yield from _block_elements(element[0] if len(element) else element)
        elif tag in ("w:p", "w:tbl", "w:altChunk"):
            yield element


def _end_is_deleted(properties: Any) -> bool:
    if properties is None:
        return False
    mark = properties.find(qn("w:rPr"))
    return mark is not None and any(mark.find(qn(tag)) is not None for tag in ("w:del", "w:moveFrom"))


def _is_layout(rows: list[list[Any]]) -> bool:
    """Return whether a table only places text: one cell, one column of prose, or few rows of nearly nothing else."""
    if all(len(row) < 2 for row in rows):
        return len(rows) == 1 or any(_holds_prose(cell) for row in rows for cell in row)
    if len(rows) > _MOST_LAYOUT_ROWS:
        return False
    lengths = [(_length(cell), _holds_page(cell)) for row in rows for cell in row]
    return sum(length for length, page in lengths if page) > _PAGE_SHARE * sum(
        length for length, _ in lengths
    )


def _holds_page(cell: Any) -> bool:
    """Return whether a cell holds a page of text: many paragraphs, or tables and more."""
    parts = sum(_length(one) > 0 for one in cell.findall(qn("w:p"))) + 3 * len(cell.findall(qn("w:tbl")))
    return parts > 2 and _length(cell) > _LONG_PAGE


def _length(element: Any) -> int:
    return sum(len(one.text or "") for one in element.iter(qn("w:t")))


def _holds_prose(cell: Any) -> bool:
    """Return whether a cell holds more than a name or value: long text, a list, several paragraphs, a table."""
    paragraphs = [one for one in cell.findall(qn("w:p")) if one.find(f".//{qn('w:t')}") is not None]
    length = _length(cell)
    is_list = any(one.find(f"{qn('w:pPr')}/{qn('w:numPr')}") is not None for one in paragraphs)
    return length > _LONG_CELL or len(paragraphs) > 1 or is_list or cell.find(qn("w:tbl")) is not None
