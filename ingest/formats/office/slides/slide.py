"""A slide as a page: its title as a heading, shapes in reading order, notes and comments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ingest.formats import markdown
from ingest.formats.office.attachment import Attachments
from ingest.formats.office.drawing import lines_of, write_lines
from ingest.formats.office.notice import Notices
from ingest.formats.office.package import Package, qn, short
from ingest.formats.office.slides.layout import is_title, placeholder_kind
from ingest.formats.office.slides.shapes import ShapeReader

_TREE = "p:cSld/p:spTree"


@dataclass(slots=True)
class Deck:
    """What the slides of a presentation share."""

    package: Package
    notices: Notices
    attachments: Attachments
    authors: Mapping[str, str]  # of comments, by id
    shown: set[str]  # texts that stand on every slide and were written once
    layers: dict[str, Any] = field(default_factory=dict)

    def layer(self, part: str) -> Any:
        """Return the root of a layout or master, parsed once."""
        if part not in self.layers:
            self.layers[part] = self.package.xml(part)
        return self.layers[part]

    def reader(self, part: str, place: str) -> ShapeReader:
        """Return a reader of a part's shapes."""
        return ShapeReader(self.package, part, place, self.notices, self.attachments)


def write_slide(deck: Deck, part: str, number: int) -> str:
    """Write a slide under a second-level heading, hidden ones marked; "" if it holds no text."""
    root = deck.package.xml(part)
    reader = deck.reader(part, f"slide {number}")
    layouts = [*deck.package.related(part, "slideLayout")][:1]
    masters = [one for layout in layouts for one in deck.package.related(layout, "slideMaster")][:1]
    reader.above = [deck.layer(one) for one in (*layouts, *masters)]
    tree = _find(root, _TREE)
    titles = [shape for shape in tree if is_title(shape)] if tree is not None else []
    heading = " ".join(_title(shape, reader) for shape in titles).strip()
    blocks = list(reader.blocks(tree)) if tree is not None else []
    blocks.extend(_notes(deck, part, reader))
    blocks.extend(_comments(deck, part))
    for layer in (*layouts, *masters):
        reader.furniture.extend(_fixed_texts(deck, layer))
    blocks.extend(_once(reader.furniture, deck.shown))
    body = markdown.join_blocks(blocks)
    if not heading and not body:
        return ""
    hidden = "(Hidden slide)" if root.get("show") in ("0", "false") else ""
    return markdown.join_blocks([markdown.heading(heading or f"Slide {number}", 2), hidden, body])


def _title(shape: Any, reader: ShapeReader) -> str:
    return " ".join(line.text for line in lines_of(shape.find(qn("p:txBody")), reader.link))


def _notes(deck: Deck, part: str, reader: ShapeReader) -> Iterator[str]:
    for target in deck.package.related(part, "notesSlide"):
        tree = _find(deck.package.xml(target), _TREE)
        notes = deck.reader(target, f"the notes of {reader.place}")
        shapes = [shape for shape in tree if short(shape.tag).startswith("p:")] if tree is not None else []
        spoken = [shape for shape in shapes if placeholder_kind(shape) == "body"]
        for shape in spoken:
            text = write_lines(lines_of(shape.find(qn("p:txBody")), notes.link))
            yield f"Notes: {text}" if text else ""
        yield from notes.blocks(shape for shape in shapes if shape not in spoken)
        reader.furniture.extend(notes.furniture)


def _comments(deck: Deck, part: str) -> Iterator[str]:
    for target in deck.package.related(part, "comments"):
        for comment in deck.package.xml(target).iter(qn("p:cm"), qn("p188:cm"), qn("p188:reply")):
            body = comment.find(qn("p188:txBody"))
            lines = [line.text for line in lines_of(body, lambda _: "")] if body is not None else []
            text = " ".join([comment.findtext(qn("p:text")) or "", *lines]).strip()
            author = deck.authors.get(comment.get("authorId", ""), "")
            if text:
                yield f"Comment ({author}): {text}" if author else f"Comment: {text}"


def _fixed_texts(deck: Deck, layer: str) -> Iterator[str]:
    """Yield the texts that a layout or master puts on its slides; its placeholders only prompt."""
    if layer in deck.shown:
        return
    deck.shown.add(layer)
    tree = _find(deck.layer(layer), _TREE)
    shapes = [] if tree is None else [shape for shape in tree if not placeholder_kind(shape)]
    place = "the slide master" if "Master" in layer else "a slide layout"
    yield from deck.reader(layer, place).blocks(shapes)


def _once(texts: list[str], shown: set[str]) -> Iterator[str]:
    for text in texts:
        if text.strip() and text not in shown:
            shown.add(text)
            yield text


def _find(root: Any, path: str) -> Any:
    return None if root is None else root.find("/".join(map(qn, path.split("/"))))
