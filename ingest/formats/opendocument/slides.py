"""OpenDocument presentations (odp) and drawings: a page per slide, in reading order."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ingest.formats import markdown
from ingest.formats.office.slides.order import Frame, reading_order
from ingest.formats.opendocument.content import ContentReader
from ingest.formats.opendocument.names import qn, short, stated

_LENGTH = re.compile(r"(-?\d{1,6}(?:\.\d{1,9})?)(cm|mm|in|pt|pc|px)?")
_POINTS = {"cm": 28.35, "mm": 2.835, "in": 72.0, "pt": 1.0, "pc": 12.0, "px": 0.75}
_DECLARATIONS = {
    "presentation:use-footer-name": "presentation:footer-decl",
    "presentation:use-header-name": "presentation:header-decl",
    "presentation:use-date-time-name": "presentation:date-time-decl",
}
_NOT_SHAPES = frozenset({"presentation:notes", "office:forms", "anim:par", "draw:layer-set"})
_FURNITURE = frozenset({"footer", "header", "date-time", "page-number"})


def slide_pages(body: Any, reader: ContentReader, styles: Any, hidden: frozenset[str]) -> Iterator[str]:
    """Yield each slide under a second-level heading, hidden ones marked; what stands on every slide, once.

    Args:
        body: the office:presentation or office:drawing.
        reader: of the file's text.
        styles: the root of styles.xml, which holds the masters; or None.
        hidden: the page styles of hidden slides.
    """
    masters = (
        {}
        if styles is None
        else {stated(one, "style:name"): one for one in styles.iter(qn("style:master-page"))}
    )
    shown: set[str] = set()
    for number, page in enumerate(body.findall(qn("draw:page")), start=1):
        reader.place = f"slide {number}"
        title, blocks = _slide(page, reader)
        fixed = [*_declared(body, page), *_fixed(masters.get(stated(page, "draw:master-page-name")), reader)]
        for text in fixed:
            if text.strip() and text not in shown:
                shown.add(text)
                blocks.append(text)
        text = markdown.join_blocks(blocks)
        if not title and not text:
            yield ""
            continue
        mark = "(Hidden slide)" if stated(page, "draw:style-name") in hidden else ""
        yield markdown.join_blocks([markdown.heading(title or f"Slide {number}", 2), mark, text])


def _slide(page: Any, reader: ContentReader) -> tuple[str, list[str]]:
    titles: list[Any] = []
    shapes: list[Any] = []
    for shape in page:
        if not isinstance(shape.tag, str) or short(shape.tag) in _NOT_SHAPES:
            continue
        is_title = stated(shape, "presentation:class") == "title"
        if stated(shape, "presentation:class") not in _FURNITURE:
            (titles if is_title else shapes).append(shape)
    title = " ".join(" ".join(line.lstrip("# ") for one in titles for line in reader.shape(one)).split())
    blocks = [
        text for at in reading_order([_frame(one) for one in shapes]) for text in reader.blocks([shapes[at]])
    ]
    for notes in page.findall(qn("presentation:notes")):
        for shape in notes:
            if stated(shape, "presentation:class") not in (*_FURNITURE, "page"):
                text = markdown.join_blocks(reader.blocks([shape]))
                blocks.append(f"Notes: {text}" if text else "")
    return title, blocks


def _declared(body: Any, page: Any) -> Iterator[str]:
    for use, declaration in _DECLARATIONS.items():
        for one in body.findall(qn(declaration)):
            if stated(one, "presentation:name") == stated(page, use, "\0"):
                yield " ".join("".join(one.itertext()).split())


def _fixed(master: Any, reader: ContentReader) -> Iterator[str]:
    """Yield the texts that a master puts on its slides; its placeholders only prompt."""
    for shape in [] if master is None else master:
        is_fixed = isinstance(shape.tag, str) and stated(shape, "presentation:class") in ("", "footer")
        if is_fixed and short(shape.tag) != "presentation:notes":
            yield from reader.blocks([shape])


def _frame(shape: Any) -> Frame:
    left, top, width, height = (
        _length(stated(shape, f"svg:{name}")) for name in ("x", "y", "width", "height")
    )
    if short(shape.tag) == "draw:g":
        members = [_frame(one) for one in shape if isinstance(one.tag, str) and stated(one, "svg:width")]
        if members:
            left, top = min(one.left for one in members), min(one.top for one in members)
            width = max(one.left + one.width for one in members) - left
            height = max(one.top + one.height for one in members) - top
    return Frame(left, top, width, height)


def _length(text: str) -> float:
    """Return a length in points."""
    match = _LENGTH.fullmatch(text)
    return float(match[1]) * _POINTS.get(match[2] or "pt", 1.0) if match else 0.0
