"""What a shape on a slide holds: text, a table, a chart, SmartArt, an embedded file, a picture, other shapes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ingest.formats.office.attachment import Attachments
from ingest.formats.office.chart import write_chart
from ingest.formats.office.diagram import write_diagram
from ingest.formats.office.drawing import alternative_text, lines_of, link_target, table_of, write_lines
from ingest.formats.office.notice import Notices
from ingest.formats.office.package import Package, attribute, qn, short
from ingest.formats.office.slides.layout import inherited, is_title, place_of, placeholder_kind
from ingest.formats.office.slides.order import reading_order

_SHAPES = frozenset(
    {"p:sp", "p:pic", "p:graphicFrame", "p:grpSp", "p:cxnSp", "p:contentPart", "mc:AlternateContent"}
)
# What stands on every slide: shown once
FURNITURE = frozenset({"dt", "ftr", "hdr"})
_NO_TEXT = frozenset({"sldNum", "sldImg"})
_BULLETED = frozenset({"body", "obj"})
_MEDIA = {
    "a:videoFile": "video",
    "a:audioFile": "sound",
    "a:wavAudioFile": "sound",
    "a:quickTimeFile": "video",
}


@dataclass(slots=True)
class ShapeReader:
    """Reads the shapes of one part of a presentation."""

    package: Package
    part: str  # "ppt/slides/slide1.xml"
    place: str  # "slide 1"
    notices: Notices
    attachments: Attachments
    above: Sequence[Any] = ()  # the roots of layout and master
    furniture: list[str] = field(default_factory=list)  # texts of dates and footers

    def blocks(self, shapes: Iterable[Any]) -> Iterator[str]:
        """Yield what shapes hold, in reading order, without the slide's title and number."""
        members = [shape for shape in shapes if short(shape.tag) in _SHAPES and not is_title(shape)]
        boxes = [place_of(self._rendered(shape), self.above) for shape in members]
        for at in reading_order(boxes):
            yield from self._shape(members[at])

    def link(self, relation: str) -> str:
        """Return the address of a link to something outside the file; "" for others."""
        found = self.package.relations(self.part).get(relation)
        return found.target if found is not None and found.external else ""

    def _rendered(self, shape: Any) -> Any:
        """Return the first shape of several renderings of the same."""
        if short(shape.tag) == "mc:AlternateContent":
            inner = [one for alternative in shape for one in alternative if short(one.tag) in _SHAPES]
            return inner[0] if inner else shape
        return shape

    def _shape(self, shape: Any) -> Iterator[str]:
        match short(shape.tag):
            case "p:grpSp":
                yield from self.blocks(shape)
            case "p:graphicFrame":
                yield from self._frame(shape)
            case "p:pic":
                yield from self._picture(shape)
            case "p:contentPart":
                self.notices.note("drawing in ink", self.place)
            case "mc:AlternateContent":
                yield from self._alternatives(shape)
            case _:
                yield from self._text(shape)

    def _alternatives(self, element: Any) -> Iterator[str]:
        for alternative in element:
            blocks = [text for text in self.blocks(alternative) if text.strip()]
            if blocks:
                yield from blocks
                return

    def _text(self, shape: Any) -> Iterator[str]:
        kind = placeholder_kind(shape)
        if kind in _NO_TEXT:
            return
        text = write_lines(
            lines_of(shape.find(qn("p:txBody")), self.link, bulleted=self._has_bullets(shape, kind))
        )
        if kind in FURNITURE:
            self.furniture.append(text)
            return
        address = link_target(text, self.link(attribute(shape, "p:nvSpPr/p:cNvPr/a:hlinkClick", "r:id")))
        yield f"{text}{address}" if text else _description(shape)

    def _has_bullets(self, shape: Any, kind: str) -> bool:
        """Return whether a placeholder's paragraphs have bullets, as its layout says."""
        if kind not in _BULLETED:
            return False
        styles = [
            one.find(f"{qn('p:txBody')}/{qn('a:lstStyle')}/{qn('a:lvl1pPr')}") for one in self._parents(shape)
        ]
        stated = next((style for style in styles if style is not None), None)
        return stated is None or stated.find(qn("a:buNone")) is None

    def _parents(self, shape: Any) -> Iterator[Any]:
        yield shape
        for root in self.above:
            yield from inherited(shape, root)[:1]

    def _frame(self, shape: Any) -> Iterator[str]:
        data = shape.find(f"{qn('a:graphic')}/{qn('a:graphicData')}")
        for content in [] if data is None else data.iter():
            match short(content.tag):
                case "a:tbl":
                    yield table_of(content, self.link)
                case "c:chart" | "cx:chart":
                    yield self._related(content.get(qn("r:id")), "chart")
                case "dgm:relIds":
                    yield self._related(content.get(qn("r:dm")), "diagram")
                case "p:oleObj":
                    self._object(content.get(qn("r:id"), ""))
        yield _description(shape)

    def _related(self, relation: str | None, kind: str) -> str:
        found = self.package.relations(self.part).get(relation or "")
        if found is None or found.external or found.target not in self.package.archive:
            self.notices.note(kind, self.place)
            return ""
        if not self.package.first_time(found.target):
            return ""
        root = self.package.xml(found.target)
        return write_chart(root) if kind == "chart" else write_diagram(root)

    def _object(self, relation: str) -> None:
        found = self.package.relations(self.part).get(relation)
        if found is None or found.external:
            self.notices.note("linked file", self.place)
        else:
            self.attachments.add(found.target, self.place)

    def _picture(self, shape: Any) -> Iterator[str]:
        kinds = [_MEDIA[short(one.tag)] for one in shape.iter() if short(one.tag) in _MEDIA]
        self.notices.note(kinds[0] if kinds else "image", self.place)
        yield _description(shape)


def _description(shape: Any) -> str:
    """Return the alternative text of a shape."""
    for child in shape:
        if short(child.tag).startswith("p:nv"):
            properties = child.find(qn("p:cNvPr"))
            return (
                ""
                if properties is None
                else alternative_text(properties.get("title"), properties.get("descr"))
            )
    return ""
