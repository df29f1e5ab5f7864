"""Word documents: body in order, headings, lists, tables, footnotes, running heads."""

import re
from collections.abc import Iterator
from typing import Any

from docx import Document
from docx.document import Document as WordDocument
from docx.oxml.ns import qn
from docx.oxml.parser import parse_xml

from ingest.formats import markdown
from ingest.formats.archive import clean_archive
from ingest.formats.file_text import FileLimits, FileText, from_text

# The tree is walked directly: python-docx's paragraphs leave out insertions, content controls, text boxes.
_PARAGRAPH, _TABLE, _ROW, _CELL = qn("w:p"), qn("w:tbl"), qn("w:tr"), qn("w:tc")
_TEXT = frozenset({qn("w:t"), qn("m:t")})  # m: formulas
_TAB, _HYPHEN, _FOOTNOTE = qn("w:tab"), qn("w:noBreakHyphen"), qn("w:footnoteReference")
_BREAKS = frozenset({qn("w:br"), qn("w:cr")})
_CONTAINERS = frozenset({qn("w:sdt"), qn("w:sdtContent"), qn("w:customXml"), qn("w:ins"), qn("w:smartTag")})
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_SKIPPED = frozenset({_FALLBACK, qn("w:pPr"), qn("w:rPr"), qn("w:del"), qn("w:moveFrom"), qn("w:instrText")})
_VALUE = qn("w:val")
_HEADING = re.compile(r"heading (\d)", re.IGNORECASE)
_OUTLINE_LEVELS = frozenset("01234567")  # 9 is body text
_MAX_SPAN = 64  # columns; a declared span is the file's claim, not to be believed without a bound


def read(data: bytes, name: str, limits: FileLimits) -> FileText:
    """Convert to markdown; Word files have no fixed pages."""
    document = Document(clean_archive(data, name, limits))
    levels = _heading_levels(document)
    blocks = [
        *_running_heads(document, "header"),
        *_blocks(document.element.body, levels),
        *_footnotes(document),
        *_running_heads(document, "footer"),
    ]
    stated = document.core_properties
    metadata = {"title": stated.title, "author": stated.author, "subject": stated.subject}
    created = stated.created.isoformat() if stated.created else None
    return from_text(markdown.join_blocks(blocks), {**metadata, "created": created})


def _heading_levels(document: WordDocument) -> dict[str, int]:
    """Map style ids to heading levels, by a style's English base name or its outline level."""
    levels = {}
    for style in document.styles:
        match = _HEADING.match(style.name or "")
        outline = style.element.find(f"{qn('w:pPr')}/{qn('w:outlineLvl')}")
        if match:
            levels[style.style_id] = int(match[1])
        elif outline is not None and outline.get(_VALUE) in _OUTLINE_LEVELS:
            levels[style.style_id] = int(outline.get(_VALUE)) + 1
        elif style.name == "Title":
            levels[style.style_id] = 1
    return levels


def _blocks(parent: Any, levels: dict[str, int]) -> Iterator[str]:
    for element in parent:
        if element.tag == _PARAGRAPH:
            yield _paragraph(element, levels)
        elif element.tag == _TABLE:
            yield from _table(element, levels)
        elif element.tag in _CONTAINERS:
            yield from _blocks(element, levels)


def _paragraph(element: Any, levels: dict[str, int]) -> str:
    text = "".join(_pieces(element)).strip()
    properties = element.find(qn("w:pPr"))
    if properties is None or not text:
        return text
    style = properties.find(qn("w:pStyle"))
    style_id = "" if style is None else style.get(_VALUE, "")
    if style_id in levels:
        return markdown.heading(text, levels[style_id])
    numbering = properties.find(qn("w:numPr"))
    if numbering is None and not style_id.startswith("List"):
        return text
    depth = None if numbering is None else numbering.find(qn("w:ilvl"))
    return markdown.list_item(text, 0 if depth is None else int(depth.get(_VALUE, "0")))


def _pieces(element: Any) -> Iterator[str]:
    """Yield the text in a paragraph, text boxes included, deleted text not."""
    for child in element:
        tag = child.tag
        if tag in _TEXT:
            yield child.text or ""
        elif tag == _TAB:
            yield "\t"
        elif tag == _HYPHEN:
            yield "-"
        elif tag in _BREAKS:
            yield "\n"
        elif tag == _FOOTNOTE:
            yield f"[^{child.get(qn('w:id'))}]"
        elif tag not in _SKIPPED:
            yield from _pieces(child)
            if tag == _PARAGRAPH:  # one inside another is a text box
                yield "\n"


def _table(element: Any, levels: dict[str, int]) -> Iterator[str]:
    rows = [_row(row) for row in element.iter(_ROW) if _owner(row) is element]
    if len(rows) == 1 and len(rows[0]) == 1:  # a frame around text, not a table
        for cell in element.iter(_CELL):
            yield from _blocks(cell, levels)
            return
    yield markdown.table([row for row in rows if any(row)])


def _owner(row: Any) -> Any:
    return next(row.iterancestors(_TABLE))


def _row(row: Any) -> list[str]:
    cells: list[str] = []
    for cell in row.iter(_CELL):
        if next(cell.iterancestors(_ROW)) is not row:
            continue
        paragraphs = (
            part for part in cell.iter(_PARAGRAPH) if next(part.iterancestors(_PARAGRAPH), None) is None
        )
        cells.append(" ".join("".join(_pieces(part)).strip() for part in paragraphs).strip())
        span = cell.find(f"{qn('w:tcPr')}/{qn('w:gridSpan')}")
        if span is not None:
            cells.extend([""] * (min(int(span.get(_VALUE, "1")), _MAX_SPAN) - 1))
    return cells


def _footnotes(document: WordDocument) -> Iterator[str]:
    for relation in document.part.rels.values():
        if relation.reltype.endswith("/footnotes") and not relation.is_external:
            for note in parse_xml(relation.target_part.blob):
                text = " ".join("".join(_pieces(note)).split())
                if text:
                    yield f"[^{note.get(qn('w:id'))}]: {text}"


def _running_heads(document: WordDocument, kind: str) -> Iterator[str]:
    """Yield the sections' headers or footers, each distinct text once."""
    seen = set()
    for section in document.sections:
        running = section.header if kind == "header" else section.footer
        if running.is_linked_to_previous:
            continue
        text = "\n".join(filter(None, ("".join(_pieces(p._p)).strip() for p in running.paragraphs)))
        if text and text not in seen:
            seen.add(text)
            yield text
