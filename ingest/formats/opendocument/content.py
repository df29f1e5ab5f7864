"""What OpenDocument texts, cells and shapes hold: paragraphs, lists, tables, notes, comments, frames."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from ingest.formats import markdown
from ingest.formats.archive import Archive
from ingest.formats.grid import write_inline, write_rows
from ingest.formats.inside import INSIDE, load_inside
from ingest.formats.office.drawing import link_target
from ingest.formats.office.notice import Notices
from ingest.formats.office.numeral import roman
from ingest.formats.office.page_number import PAGE_MARK, without_page_numbers
from ingest.formats.opendocument import tables
from ingest.formats.opendocument.elements import (
    CONTAINERS,
    MOST_LEVEL,
    MOST_SPACES,
    NO_TEXT,
    PAGE_FIELDS,
    SHAPES,
    description,
    formula,
    unbroken,
)
from ingest.formats.opendocument.lists import Lists
from ingest.formats.opendocument.names import count, parse, qn, short, stated
from rag.errors import UnreadableFile


@dataclass(slots=True)
class ContentReader:
    """Reads text of one OpenDocument file, in its order."""

    archive: Archive
    lists: Lists
    notices: Notices
    hidden_styles: frozenset[str]
    title_styles: frozenset[str] = frozenset()
    folder: str = ""  # of an object inside the file: "Object 1/"
    place: str = ""
    footnotes: list[str] = field(default_factory=list)
    endnotes: list[str] = field(default_factory=list)
    attachments: list[str] = field(default_factory=list)
    # What the current line adds after it
    _after: list[str] = field(default_factory=list)
    _shapes: list[Any] = field(default_factory=list)

    def blocks(self, parent: Iterable[Any]) -> Iterator[str]:
        """Yield the blocks of a body, section, cell, note or text box."""
        caption = ""
        for element, following in pairwise([*parent, None]):
            tag = short(element.tag)
            if caption and tag == "text:p":
                # Already written above its table
                caption = ""
            elif tag in ("text:p", "text:h"):
                yield from self._paragraph(element, tag)
            elif tag == "text:list":
                yield from self._list(element, 1, stated(element, "text:style-name"), None)
            elif tag == "text:numbered-paragraph":
                yield from self.blocks(element)
            elif tag == "table:table":
                caption = self._caption(following)
                yield from self.table(element, caption)
            elif tag == "text:tracked-changes":
                self._note_deletions(element)
            elif tag in SHAPES:
                yield from self.shape(element)
            elif tag == "office:annotation":
                yield self.comment(element)
            elif tag in CONTAINERS:
                if stated(element, "text:display") == "none":
                    self.notices.note("hidden section", self.place)
                else:
                    yield from self.blocks(element)

    def line(self, element: Any) -> str:
        """Return a paragraph's text; what is anchored in it waits for `after`."""
        pieces: list[str] = []
        self._take(element, pieces)
        return without_page_numbers("".join(pieces)).strip()

    def after(self) -> Iterator[str]:
        """Yield what the lines read since the last call add: text boxes, pictures' descriptions, comments."""
        shapes, self._shapes = self._shapes, []
        texts, self._after = self._after, []
        for shape in shapes:
            yield from self.shape(shape)
        yield from texts

    def shape(self, element: Any) -> Iterator[str]:
        """Yield what a frame or drawn shape holds."""
        tag = short(element.tag)
        if tag in ("draw:g", "draw:a"):
            for member in element:
                if short(member.tag) in SHAPES:
                    yield from self.shape(member)
        else:
            yield from self._held(element)
        yield description(element)

    def table(self, element: Any, caption: str = "") -> Iterator[str]:
        """Yield a table and the comments in it; a single cell is its blocks."""
        if tables.is_layout(element):
            yield caption
            for cell in tables.cells_of(element):
                yield from self.blocks(cell)
            return
        grid = tables.grid_of(element, self.cell)
        comments = self._after
        self._after = []
        yield write_rows(grid, caption=caption, header_rows=tables.header_rows(element))
        yield from comments

    def cell(self, element: Any) -> str:
        """Write a cell on one line."""
        parts = []
        for child in element:
            tag = short(child.tag)
            if tag == "table:table":
                parts.append(write_inline(tables.grid_of(child, self.cell)))
            elif tag == "office:annotation":
                comment = self.comment(child)
                self._after.append(comment)
            elif tag in ("text:p", "text:h"):
                comments, self._after = self._after, []
                parts.append(self.line(child))
                shapes, self._shapes = self._shapes, []
                parts.extend(text for shape in shapes for text in self.shape(shape))
                self._after = [*comments, *self._after]
            elif tag == "text:list":
                items = [
                    item.strip() for item in self._list(child, 1, stated(child, "text:style-name"), None)
                ]
                # LibreOffice puts each paragraph of a slide's table into a list of its own
                bullet = "• " if len(items) > 1 else ""
                parts.extend(
                    item.replace("- ", bullet, 1) if item.startswith("- ") else item for item in items
                )
            else:
                parts.extend(self.blocks([child]))
        return " ".join(" ".join(filter(None, parts)).split())

    def comment(self, element: Any) -> str:
        """Write a comment: "Comment (Ann): Really?"."""
        author = element.findtext(qn("dc:creator")) or ""
        text = self.apart(element)
        return (f"Comment ({author}): {text}" if author else f"Comment: {text}") if text else ""

    def _paragraph(self, element: Any, tag: str) -> Iterator[str]:
        if stated(element, "text:style-name") in self.hidden_styles:
            self.notices.note("hidden passage", self.place)
            return
        text = self.line(element)
        if text and stated(element, "text:style-name") in self.title_styles:
            yield markdown.heading(text, 1)
        elif tag == "text:h" and text:
            level = count(element, "text:outline-level")
            listed = next(element.iterancestors(qn("text:list")), None) is not None
            if not listed and stated(element, "text:is-list-header") != "true":
                text = f"{self.lists.heading(level, stated(element, 'text:start-value'))} {text}".strip()
            self.place = f"under “{' '.join(text.split())[:80]}”"
            yield markdown.heading(text, level)
        else:
            yield text
        yield from self.after()

    def _caption(self, element: Any) -> str:
        """Return the text of a paragraph below a table that counts tables."""
        if element is None or short(element.tag) != "text:p":
            return ""
        counted = (stated(one, "text:name").lower() for one in element.iter(qn("text:sequence")))
        return self.line(element) if any(name.startswith("tab") for name in counted) else ""

    def _list(self, element: Any, level: int, style: str, counts: dict[int, int] | None) -> Iterator[str]:
        style = stated(element, "text:style-name") or style
        counts = self.lists.open(element, style) if counts is None else counts
        for item in element:
            tag = short(item.tag)
            if tag in ("text:list-item", "text:list-header"):
                yield from self._item(item, min(level, MOST_LEVEL), style, counts)

    def _item(self, item: Any, level: int, style: str, counts: dict[int, int]) -> Iterator[str]:
        """Yield an item's first paragraph with its label, and the rest of it."""
        labelled = short(item.tag) == "text:list-header"
        for child in item:
            tag = short(child.tag)
            if tag == "text:list":
                yield from self._list(child, level + 1, style, counts)
            elif tag in ("text:p", "text:h") and not labelled:
                labelled = True
                label = self.lists.label(style, level, counts, stated(item, "text:start-value"))
                text = self.line(child)
                if text and tag == "text:h":
                    shown = "" if label == "-" else f"{label} "
                    yield markdown.heading(shown + text, count(child, "text:outline-level"))
                elif text:
                    yield markdown.list_item(text, level - 1, label) if label else text
                yield from self.after()
            else:
                yield from self.blocks([child])

    def _take(self, element: Any, pieces: list[str]) -> None:
        pieces.append(unbroken(element.text))
        for child in element:
            self._piece(child, short(child.tag), pieces)
            pieces.append(unbroken(child.tail))

    def _piece(self, child: Any, tag: str, pieces: list[str]) -> None:
        match tag:
            case "text:s":
                pieces.append(" " * min(count(child, "text:c"), MOST_SPACES))
            case "text:tab":
                pieces.append("\t")
            case "text:line-break":
                pieces.append("\n")
            case "text:note":
                pieces.append(self._note(child))
            case "office:annotation":
                comment = self.comment(child)
                self._after.append(comment)
            case "text:a":
                before = len(pieces)
                self._take(child, pieces)
                target = stated(child, "xlink:href")
                pieces.append(link_target("".join(pieces[before:]), "" if target.startswith("#") else target))
            case "text:ruby":
                base, above = child.find(qn("text:ruby-base")), child.find(qn("text:ruby-text"))
                self._take(base if base is not None else child, pieces)
                pieces.append(f" ({''.join(above.itertext())})" if above is not None else "")
            case "text:hidden-text" | "text:hidden-paragraph":
                self.notices.note("hidden passage", self.place)
            case _ if tag in PAGE_FIELDS:
                pieces.append(PAGE_MARK)
            case _ if tag in SHAPES:
                self._shapes.append(child)
            case _ if stated(child, "text:style-name") in self.hidden_styles:
                self.notices.note("hidden passage", self.place)
            case _ if tag not in NO_TEXT:
                self._take(child, pieces)

    def _note(self, element: Any) -> str:
        """Take a foot- or endnote; return its mark."""
        ends = stated(element, "text:note-class") == "endnote"
        notes = self.endnotes if ends else self.footnotes
        mark = f"[^{roman(len(notes) + 1) if ends else len(notes) + 1}]"
        notes.append("")
        at = len(notes) - 1
        body = element.find(qn("text:note-body"))
        notes[at] = f"{mark}: {self.apart(body)}" if body is not None else mark
        return mark

    def apart(self, element: Any) -> str:
        """Return the text of a note or comment on one line; the current line goes on after it."""
        kept = self._after, self._shapes
        self._after, self._shapes = [], []
        text = " ".join(" ".join(self.blocks(element)).split())
        self._after, self._shapes = kept
        return text

    def _held(self, element: Any) -> Iterator[str]:
        for child in element:
            match short(child.tag):
                case "draw:text-box":
                    yield from self.blocks(child)
                case "draw:image":
                    # Beside an object, it is the object's picture
                    if (
                        element.find(qn("draw:object")) is None
                        and element.find(qn("draw:object-ole")) is None
                    ):
                        self.notices.note("image", self.place)
                        yield from self.blocks(child)
                case "draw:object":
                    yield from self._object(stated(child, "xlink:href"))
                case "draw:object-ole":
                    self._attach(stated(child, "xlink:href"))
                case "draw:plugin" | "draw:applet":
                    self.notices.note("media file", self.place)
                case "table:table":
                    yield from self.table(child)
                case "text:p" | "text:list" | "text:h":
                    yield from self.blocks([child])

    def _object(self, target: str) -> Iterator[str]:
        """Yield a chart as its table, a formula as a line, another document as its blocks."""
        folder = self.folder + target.removeprefix("./") + "/"
        content = self.archive.xml(f"{folder}content.xml")
        if not content:
            self.notices.note("embedded file", self.place)
            return
        root = parse(content)
        if short(root.tag) == "math:math":
            yield formula(root)
            return
        inner = ContentReader(
            self.archive, Lists([root]), self.notices, frozenset(), folder=folder, place=self.place
        )
        if folder.count("/") > 4:
            self.notices.note("embedded file", self.place)
            return
        charts = list(root.iter(qn("chart:chart")))
        for chart in charts:
            yield from inner.chart(chart)
        if not charts:
            yield from inner.blocks(
                one for body in root.iter(qn("office:body")) for kind in body for one in kind
            )

    def chart(self, element: Any) -> Iterator[str]:
        """Yield a chart's title and the table of its values."""
        titles = [" ".join("".join(one.itertext()).split()) for one in element.iter(qn("chart:title"))]
        main = element.find(qn("chart:title"))
        title = titles.pop(0) if main is not None and titles else ""
        caption = f"{title} ({'; '.join(titles)})" if title and titles else title or "; ".join(titles)
        values = element.find(qn("table:table"))
        grid = [] if values is None else tables.grid_of(values, self.cell)
        grid[:1] = [[replace(cell, heads=True) for cell in row] for row in grid[:1]]
        yield write_rows(grid, caption=caption, header_rows=1) if grid else caption

    def _attach(self, target: str) -> None:
        name = target.removeprefix("./")
        path = f"{self.archive.name}{INSIDE}{name.rpartition('/')[2]}"
        try:
            found = load_inside(self.archive.read(self.folder + name), path, self.archive.limits)
        except UnreadableFile:
            self.notices.note("embedded file", self.place)
            return
        self.attachments.append(f"{markdown.heading(f'Embedded file: {name}', 1)}\n\n{found.text}")

    def _note_deletions(self, element: Any) -> None:
        deleted = [one for one in element.iter(qn("text:deletion")) if "".join(one.itertext()).strip()]
        self.notices.note("deleted passage", self.place, len(deleted))
