"""Collect the lines of a page and make blocks of them: headings, paragraphs, items of lists, quotations."""

from __future__ import annotations

import re

from ingest.formats import markdown
from ingest.formats.web import inline
from ingest.formats.web.numbering import Numbering

# Boxes to tick without a label: switches of the page's own.
_BARE_BOXES = re.compile(r"(?:\[[ x]\] ?)+")
_ENDED = re.compile(r"[.?!:;,…。？！：]$")


class BlockWriter:
    """Holds the line that is being written and the blocks before it.

    Attributes:
        blocks: (kind, text) in order; "item" and "row" follow their like on the next line, others after a blank one.
    """

    def __init__(self, *, in_cell: bool) -> None:
        self.blocks: list[tuple[str, str]] = []
        self._in_cell = in_cell
        self._line: list[str] = []
        self._lists: list[Numbering] = []
        self._marker = ""
        self._terms: list[str] = []
        self._definition = False
        self._quotes = 0
        # Level of the heading that is being written, 0 in other text; that of the last one, and its text.
        self._heading = 0
        self._level = 0
        self._title = ""

    def text(self) -> str:
        """Return the blocks as one text."""
        parts: list[str] = []
        previous = ""
        for kind, block in self.blocks:
            close = kind == previous and kind in ("item", "row", "quote")
            parts += ["\n" if close else "\n\n", block] if parts else [block]
            previous = kind
        return "".join(parts)

    def _text(self, text: str | None) -> None:
        if text:
            self._line.append(inline.one_line(text))

    def _take_line(self) -> str:
        text = "".join(self._line)
        self._line.clear()
        lines = (inline.one_line(line).strip() for line in text.split("\n"))
        return "\n".join(line for line in lines if line and not _BARE_BOXES.fullmatch(line))

    def _flush(self) -> None:
        text = self._take_line()
        if not text:
            return
        if self._heading:
            self._title = text.replace("\n", " ")
            self._add("heading", self._title if self._in_cell else markdown.heading(text, self._heading))
            self._heading = 0
            return
        kind = "text"
        if self._terms:
            term = " / ".join(self._terms)
            text = f"{term}{'' if _ENDED.search(term) else ':'} {text}"
            self._terms, kind = [], "row"
        elif self._definition and self.blocks and self.blocks[-1][0] == "row":
            kind = "row"
        self._add(kind, text)

    def _flush_terms(self) -> None:
        terms, self._terms = self._terms, []
        if terms:
            self._add("row", " / ".join(terms))

    def _add(self, kind: str, text: str) -> None:
        """Add a block under the marker of its list item, and with the marks of the quotation it stands in."""
        if self._lists and not self._in_cell:
            indent = "  " * len(self._lists)
            kind = "item" if self._marker else kind
            first = self._marker or indent
            text = first + text.replace("\n", f"\n{indent}")
        elif self._marker:
            kind, text = "item", "- " + text
        self._marker = ""
        if self._quotes and not self._in_cell:
            kind = "quote"
            text = "\n".join(f"> {line}" for line in text.split("\n"))
        self.blocks.append((kind, text))

    def _end_term(self) -> None:
        term = self._take_line().replace("\n", " ")
        self._terms += [term] if term else []

    def _open_title(self) -> None:
        """Let the coming line be the heading of what it opens, where headings can stand."""
        if not (self._lists or self._in_cell or self._quotes or self._terms):
            self._heading = min(max(self._level, 1) + 1, 6)
