"""Which elements of OpenDocument hold what, and the text of single ones."""

from __future__ import annotations

from typing import Any

from ingest.formats.office.drawing import alternative_text
from ingest.formats.opendocument.names import qn

PAGE_FIELDS = frozenset({"text:page-number", "text:page-count", "presentation:page-number"})
# Held beside a paragraph's text, or no text at all
_NO_TEXT_TAGS = (
    "text:note office:annotation office:annotation-end text:tracked-changes text:bookmark"
    " text:bookmark-start text:bookmark-end text:sequence-decls text:variable-decls text:user-field-decls"
    " office:forms dc:creator dc:date svg:title svg:desc text:script office:event-listeners"
    " text:list-header text:alphabetical-index-mark text:toc-mark text:user-index-mark"
    " text:index-title-template office:binary-data"
)
NO_TEXT = frozenset(_NO_TEXT_TAGS.split())
_SHAPES_TAGS = (
    "draw:frame draw:custom-shape draw:rect draw:ellipse draw:circle draw:line draw:path draw:polygon"
    " draw:polyline draw:connector draw:g draw:caption draw:measure draw:control draw:regular-polygon"
    " draw:a"
)
SHAPES = frozenset(_SHAPES_TAGS.split())
_CONTAINERS_TAGS = (
    "text:section text:index-body text:index-title text:table-of-content text:illustration-index"
    " text:table-index text:bibliography text:alphabetical-index text:user-index text:object-index"
    " draw:text-box"
)
CONTAINERS = frozenset(_CONTAINERS_TAGS.split())
MOST_SPACES = 1000
MOST_LEVEL = 10


def unbroken(text: str | None) -> str:
    """Return text in which line breaks of the XML are blanks."""
    return text.replace("\n", " ").replace("\t", " ") if text else ""


def description(element: Any) -> str:
    """Return the alternative text of a frame or shape."""
    return alternative_text(element.findtext(qn("svg:title")), element.findtext(qn("svg:desc")))


def formula(root: Any) -> str:
    """Return a formula as its author typed it, or else its symbols in order."""
    for note in root.iter(qn("math:annotation")):
        if note.text and note.text.strip():
            return " ".join(note.text.split())
    return " ".join("".join(root.itertext()).split())
