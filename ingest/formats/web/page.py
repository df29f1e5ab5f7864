"""Write a web page as light markdown, in the order of the page."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import Any

from lxml import etree

from ingest.formats.file_text import Omission
from ingest.formats.markdown import fenced
from ingest.formats.web import embedded, inline, tables
from ingest.formats.web.blocks import BlockWriter
from ingest.formats.web.numbering import Numbering
from ingest.formats.web.tree import parse
from ingest.formats.web.visibility import Visibility

# Text deeper than this is no document; libxml2 itself stops at twice the depth.
_MOST_LEVELS = 1_000
_NEVER_SHOWN = frozenset(
    (
        *("script", "style", "head", "title", "meta", "link", "base", "param", "source", "track"),
        *("colgroup", "col", "area", "defs", "noframes", "rp"),
    )
)
_BLOCKS = frozenset(
    (
        *(
            "address",
            "article",
            "aside",
            "blockquote",
            "body",
            "caption",
            "center",
            "dd",
            "details",
            "dialog",
        ),
        *("dir", "div", "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "header", "hgroup"),
        *("hr", "html", "legend", "li", "main", "menu", "ol", "optgroup", "option", "p", "pre", "search"),
        *("section", "summary", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul"),
    )
)
_HEADING = re.compile(r"h([1-6])")
_WORD = re.compile(r"\w")
_CHOICES = 60
_MEDIA = {"video": "video", "audio": "audio", "canvas": "drawing by script", "applet": "embedded object"}
_BUTTONS = frozenset(("submit", "button", "reset", "image"))
_UNSEEN_INPUTS = frozenset(("hidden", "file", "password", "color", "range"))
_LINK_BLOCKS = frozenset(("li", "p", "dd", "td", "div", "center", "body"))
_ANCHOR = re.compile(r"[#¶§🔗\s]*")


class PageWriter(BlockWriter):
    """Writes an element as blocks, and counts in `omissions` what of it is not taken."""

    def __init__(
        self, visibility: Visibility, omissions: Counter[tuple[str, str]], *, in_cell: bool = False
    ) -> None:
        super().__init__(in_cell=in_cell)
        self._visibility = visibility
        self._omissions = omissions
        self._openers: set[Any] = set()
        self._marks: dict[Any, tuple[int, int]] = {}

    def write(self, root: Any) -> None:
        """Walk through an element, without recursion but for tables."""
        walker = etree.iterwalk(root, events=("start", "end"))
        skipped, depth = None, 0
        for event, element in walker:
            if event == "start":
                depth += 1
                if depth > _MOST_LEVELS:
                    raise RecursionError
                if self._start(element):
                    skipped = element
                    walker.skip_subtree()
                else:
                    self._text(element.text)
                continue
            depth -= 1
            if element is not skipped:
                self._end(element)
            skipped = None
            if element is not root:
                self._text(element.tail)
        self._flush()
        self._flush_terms()

    def omit(self, kind: str, place: str | None = None) -> None:
        """Count something that is seen and not taken; by default under the last heading."""
        where = f"under “{self._title}”" if self._title else ""
        self._omissions[kind, where if place is None else place] += 1

    # Elements

    def _start(self, element: Any) -> bool:
        """Begin an element; return whether all in it is done with."""
        tag = element.tag
        if not isinstance(tag, str) or tag in _NEVER_SHOWN:
            return True
        kind = self._visibility.omitted(element)
        if kind is not None:
            self._leave_out(element, kind)
            return True
        if self._visibility.labels_panel(element):
            return True
        label = self._visibility.label(element)
        if label:
            self._flush()
            self._open_title()
            self._line.append(label)
            self._flush()
        special = _SPECIAL.get(tag)
        if special is not None:
            return special(self, element)
        heading = _heading_level(element)
        if heading:
            self._flush()
            self._heading = self._level = heading
        elif tag in _BLOCKS:
            self._start_block(element)
        elif tag == "br":
            self._line.append("\n")
        else:
            self._marks[element] = (len(self.blocks), len(self._line))
            self._line.append("~~" if inline.is_struck(element) else {"label": " ", "q": "“"}.get(tag, ""))
        return False

    def _start_block(self, element: Any) -> None:
        tag = element.tag
        if tag == "dt" and element.getparent() is not None and element.getparent().tag == "dt":
            # The parser nests a term in the one before it where that is not closed.
            self._end_term()
        self._flush()
        if tag in ("ul", "ol", "menu", "dir"):
            self._lists.append(Numbering(element))
        elif tag == "li":
            depth = len(self._lists)
            self._marker = "  " * max(0, depth - 1) + (self._lists[-1].marker(element) if depth else "- ")
        elif tag == "blockquote":
            self._quotes += 1
        elif tag == "dt":
            before = element.getprevious()
            if before is not None and before.tag != "dt":
                self._flush_terms()
        elif tag == "dd":
            self._definition = True
        elif tag == "summary":
            self._open_title()

    def _end(self, element: Any) -> None:
        tag = element.tag
        if tag == "dt":
            self._end_term()
        elif tag in _BLOCKS or element in self._openers or _heading_level(element):
            self._flush()
            if tag in ("ul", "ol", "menu", "dir"):
                self._lists.pop()
                self._marker = ""
            elif tag == "li":
                self._marker = ""
            elif tag == "blockquote":
                self._quotes -= 1
            elif tag == "dd":
                self._definition = False
            elif tag == "dl":
                self._flush_terms()
            self._heading = 0
        elif element in self._marks:
            self._end_inline(element)

    def _end_inline(self, element: Any) -> None:
        blocks, start = self._marks.pop(element)
        tag = element.tag
        if blocks != len(self.blocks):
            return
        text = "".join(self._line[start:])
        if inline.is_struck(element):
            text = f"{text.rstrip()}~~ " if text.strip() != "~~" else ""
        elif tag == "q":
            text += "”"
        elif tag == "label":
            text += " "
        elif tag == "sup":
            text = inline.raised(text, is_note=element.find(".//a[@href]") is not None or _in_link(element))
        elif tag == "sub":
            text = inline.lowered(text)
        elif tag == "a":
            text = self._link(element, text)
        elif tag in ("abbr", "dfn") and element.get("title") and element.get("title") not in text:
            text = f"{text} ({element.get('title')})"
        elif tag == "time" and not text.strip():
            text = element.get("datetime") or ""
        self._line[start:] = [text]

    def _link(self, element: Any, text: str) -> str:
        if _ANCHOR.fullmatch(text):
            return "" if text.strip() else text
        alone = not self._in_cell and _is_all_of_its_block(element)
        return inline.linked(text, element.get("href") or "", alone=alone)

    def _leave_out(self, element: Any, kind: str) -> None:
        if kind != "icon" and _WORD.search(element.text_content()):
            self.omit(kind, "" if kind in ("navigation", "cookie banner") else None)

    # Elements that are written as a whole

    def _within(self, element: Any) -> list[str]:
        """Return the blocks of an element, such as a cell, by themselves."""
        writer = PageWriter(self._visibility, self._omissions, in_cell=True)
        writer._title = self._title
        writer.write(element)
        return [text for _, text in writer.blocks]

    def _table(self, element: Any) -> bool:
        self._flush()
        if tables.is_layout(element):
            return False
        if self._in_cell:
            self._line.append(tables.nested(element, self._within))
            self._flush()
        else:
            text = tables.write(element, self._within)
            if text:
                self._marker = ""
                self.blocks.append(("table", text))
        return True

    def _pre(self, element: Any) -> bool:
        self._flush()
        language, text = embedded.code_of(element)
        if self._in_cell:
            self._line.append(text)
            self._flush()
        elif text.strip():
            self._add("code", fenced(text, language))
        return True

    def _image(self, element: Any) -> bool:
        text = element.get("alt")
        if text is None and not (element.get("src") or "").startswith("cid:"):
            self.omit("image without a description")
        elif text and text.strip():
            self._line.append(f" {inline.one_line(text).strip()} ")
        return True

    def _input(self, element: Any) -> bool:
        kind = (element.get("type") or "text").lower()
        value = inline.one_line(element.get("value") or "").strip()
        if kind in ("checkbox", "radio"):
            self._line.append(f" [{'x' if element.get('checked') is not None else ' '}] ")
        elif kind in _BUTTONS:
            self._omit_button(value or element.get("alt") or "")
        elif kind not in _UNSEEN_INPUTS and value:
            self._line.append(f" {value} ")
        elif kind not in _UNSEEN_INPUTS and (element.get("placeholder") or "").strip():
            self.omit("example in an empty field")
        return True

    def _button(self, element: Any) -> bool:
        if any(_heading_level(above) or above.tag in ("summary", "dt") for above in element.iterancestors()):
            return False
        if self._visibility.controls(element):
            if not _WORD.search(element.text_content()):
                return True
            self._flush()
            self._open_title()
            self._openers.add(element)
            return False
        self._omit_button(element.text_content())
        return True

    def _omit_button(self, text: str) -> None:
        if _WORD.search(text):
            self.omit("button", "")

    def _choices(self, element: Any) -> bool:
        shown = embedded.options_of(element)
        if len(shown) > _CHOICES:
            self.omit("long list of choices")
        elif shown:
            self._line.append(f" {', '.join(shown)} ")
        return True

    def _graphic(self, element: Any) -> bool:
        self._line.append(f" {embedded.drawing_text(element)} ")
        return True

    def _frame(self, element: Any) -> bool:
        source = element.get("srcdoc")
        if source and not self._in_cell:
            self._flush()
            inner = PageWriter(self._visibility, self._omissions)
            inner._title = self._title
            # Once: what a frame in a frame holds is named.
            page = parse(source)
            for frame in list(page.iter("iframe")):
                frame.attrib.pop("srcdoc", None)
            inner.write(page)
            self.blocks += inner.blocks
        elif element.get("src") or source:
            self.omit("embedded page", (element.get("src") or "")[:200])
        return True

    def _media(self, element: Any) -> bool:
        self.omit(_MEDIA[element.tag], (element.get("src") or element.get("title") or "")[:200])
        return True

    def _object(self, element: Any) -> bool:
        self.omit("embedded object", (element.get("data") or element.get("src") or "")[:200])
        return False

    def _template(self, element: Any) -> bool:
        if element.get("shadowrootmode") or element.get("shadowroot"):
            return False
        if _WORD.search(element.text_content()):
            self.omit("template", "")
        return True

    def _noscript(self, element: Any) -> bool:
        text = inline.one_line(element.text_content()).strip()
        if not _WORD.search(text):
            return True
        sentences = re.split(r"(?<=[.!?])\s+", text)
        notes = [its for its in sentences if "javascript" in its.lower() or "enable scripts" in its.lower()]
        if notes and not any(
            character.isdigit() for its in sentences if its not in notes for character in its
        ):
            self.omit("note to browsers without scripts", "")
            return True
        # A page repeats here what its scripts show, such as the description of a picture that loads later.
        return self._visibility.stands_twice(text)

    def _formula(self, element: Any) -> bool:
        self._line.append(f" {inline.formula(element)} ")
        return True

    def _ruby(self, element: Any) -> bool:
        self._line.append(inline.ruby(element))
        return True


_SPECIAL: dict[str, Callable[[PageWriter, Any], bool]] = {
    "table": PageWriter._table,
    "pre": PageWriter._pre,
    "listing": PageWriter._pre,
    "img": PageWriter._image,
    "input": PageWriter._input,
    "button": PageWriter._button,
    "select": PageWriter._choices,
    "datalist": PageWriter._choices,
    "svg": PageWriter._graphic,
    "iframe": PageWriter._frame,
    "frame": PageWriter._frame,
    "object": PageWriter._object,
    "embed": PageWriter._object,
    "template": PageWriter._template,
    "noscript": PageWriter._noscript,
    "math": PageWriter._formula,
    "ruby": PageWriter._ruby,
    **dict.fromkeys(_MEDIA, PageWriter._media),
}


def omissions_of(counts: Counter[tuple[str, str]]) -> list[Omission]:
    """Return what was counted, in the order of the page."""
    return [Omission(kind, place, count) for (kind, place), count in counts.items()]


def _heading_level(element: Any) -> int:
    found = _HEADING.fullmatch(element.tag)
    if found:
        return int(found[1])
    if element.get("role") == "heading":
        level = element.get("aria-level") or "2"
        return int(level) if level in "123456" and level else 2
    return 0


def _is_all_of_its_block(element: Any) -> bool:
    parent = element.getparent()
    if parent is None or parent.tag not in _LINK_BLOCKS:
        return False
    # Not `len`, which counts the children one by one.
    if element.getprevious() is not None or element.getnext() is not None:
        return False
    return not (parent.text or "").strip() and not (element.tail or "").strip()


def _in_link(element: Any) -> bool:
    parent = element.getparent()
    return parent is not None and parent.tag == "a" and (parent.get("href") or "").startswith("#")
