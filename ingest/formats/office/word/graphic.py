"""What a drawing in a paragraph holds: text boxes, pictures and their descriptions, charts, SmartArt, objects."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ingest.formats.office.chart import write_chart
from ingest.formats.office.diagram import write_diagram
from ingest.formats.office.drawing import alternative_text
from ingest.formats.office.package import qn, short
from ingest.formats.office.word.part import WordPart

_RELATION, _EMBED = qn("r:id"), qn("r:embed")


@dataclass(slots=True)
class Graphics:
    """What the drawings of a paragraph add after it."""

    boxes: list[Any] = field(default_factory=list)  # w:txbxContent, to be read as a body
    blocks: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.boxes) + sum(block != "" for block in self.blocks)


def read_graphic(element: Any, part: WordPart, graphics: Graphics) -> None:
    """Take what a w:drawing, w:pict or w:object holds; pictures are noted, their descriptions are text."""
    for child in element:
        match short(child.tag):
            case "w:txbxContent":
                graphics.boxes.append(child)
            case "mc:AlternateContent":
                read_alternatives(child, part, graphics)
            case "wp:docPr" | "pic:cNvPr":
                _describe(child, graphics)
            case "pic:blipFill":
                part.note("image")
            case "c:chart" | "cx:chart":
                _add(graphics, child, part, write_chart)
            case "dgm:relIds":
                _add(graphics, child, part, write_diagram)
            case "a:t":
                graphics.blocks.append(child.text or "")
            case tag if tag.startswith(("v:", "o:")):
                _read_old_graphic(child, tag, part, graphics)
            case _:
                read_graphic(child, part, graphics)


def read_alternatives(element: Any, part: WordPart, graphics: Graphics) -> None:
    """Take the first of several renderings of a drawing that holds anything: they show the same."""
    for alternative in element:
        before = len(graphics)
        read_graphic(alternative, part, graphics)
        if len(graphics) > before or alternative.find(f".//{qn('pic:pic')}") is not None:
            return


def _add(graphics: Graphics, element: Any, part: WordPart, write: Any) -> None:
    relation = element.get(_RELATION) or element.get(qn("r:dm"))
    if not part.refers(relation):
        part.note("chart" if write is write_chart else "diagram")
    elif part.package.first_time(part.target(relation)):
        graphics.blocks.append(write(part.package.xml(part.target(relation))))


def _describe(element: Any, graphics: Graphics) -> None:
    """Take the alternative text of a picture, once: Word writes it at two places."""
    text = alternative_text(element.get("title"), element.get("descr"))
    if text and text not in graphics.blocks:
        graphics.blocks.append(text)


def _read_old_graphic(element: Any, tag: str, part: WordPart, graphics: Graphics) -> None:
    """Take what VML holds, the drawing language before Word 2010."""
    graphics.blocks.append(alternative_text(element.get("alt")))
    match tag:
        case "v:imagedata":
            # An embedded object's picture shows what the object holds
            if next(element.iterancestors(qn("w:object")), None) is None:
                part.note("image")
        case "v:textpath":
            graphics.blocks.append(element.get("string", ""))
        case "o:OLEObject":
            target = part.target(element.get(_RELATION))
            part.attachments.add(target, part.place)
            if element.get("Type") == "Link":
                part.note("linked file")
    read_graphic(element, part, graphics)
