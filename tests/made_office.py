"""Office files with parts that the libraries do not write: SmartArt, text boxes, tracked changes, threads."""

import io
import posixpath
import zipfile
from dataclasses import dataclass

import docx
import openpyxl
import pptx

from tests.made_files import saved, with_member

OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006"
_NAMESPACES = {
    "w": "http://schemas.openxmlformats.org/wordprocessingml/2006/main",
    "p": "http://schemas.openxmlformats.org/presentationml/2006/main",
    "": "http://schemas.openxmlformats.org/spreadsheetml/2006/main",
    "a": "http://schemas.openxmlformats.org/drawingml/2006/main",
    "c": "http://schemas.openxmlformats.org/drawingml/2006/chart",
    "cx": "http://schemas.microsoft.com/office/drawing/2014/chartex",
    "dgm": "http://schemas.openxmlformats.org/drawingml/2006/diagram",
    "wp": "http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing",
    "xdr": "http://schemas.openxmlformats.org/drawingml/2006/spreadsheetDrawing",
    "pic": "http://schemas.openxmlformats.org/drawingml/2006/picture",
    "r": f"{OFFICE}/relationships",
    "m": f"{OFFICE}/math",
    "mc": "http://schemas.openxmlformats.org/markup-compatibility/2006",
    "v": "urn:schemas-microsoft-com:vml",
    "o": "urn:schemas-microsoft-com:office:office",
    "x": "urn:schemas-microsoft-com:office:excel",
    "w14": "http://schemas.microsoft.com/office/word/2010/wordml",
    "wps": "http://schemas.microsoft.com/office/word/2010/wordprocessingShape",
    "a14": "http://schemas.microsoft.com/office/drawing/2010/main",
    "p188": "http://schemas.microsoft.com/office/powerpoint/2018/8/main",
    "tc": "http://schemas.microsoft.com/office/spreadsheetml/2018/threadedcomments",
}
SPACES = " ".join(f'xmlns{prefix and f":{prefix}"}="{uri}"' for prefix, uri in _NAMESPACES.items())
DOCUMENT, SLIDE, SHEET = "word/document.xml", "ppt/slides/slide1.xml", "xl/worksheets/sheet1.xml"


@dataclass(frozen=True)
class Extra:
    """A part to add to a file, and how another part refers to it."""

    kind: str  # the last word of the relationship's type
    target: str  # relative to the part that refers to it, or an address
    content: str | bytes | None = None  # XML without its namespaces, or bytes; None: outside the file
    identity: str = "x1"


def with_extra(data: bytes, owner: str, *extras: Extra) -> bytes:
    """Add parts to a package, and relationships to them from the part `owner`."""
    folder, _, base = owner.rpartition("/")
    relations = posixpath.join(folder, "_rels", f"{base}.rels")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        empty = '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"></Relationships>'
        stated = archive.read(relations).decode() if relations in archive.namelist() else empty
    stated = stated.replace("/></Relationships>", "/>\n</Relationships>")
    for extra in extras:
        mode = ' TargetMode="External"' if extra.content is None else ""
        entry = f'<Relationship Id="{extra.identity}" Type="{OFFICE}/relationships/{extra.kind}" Target="{extra.target}"{mode}/>'
        stated = stated.replace("</Relationships>", f"{entry}</Relationships>")
        if extra.content is not None:
            member = posixpath.normpath(posixpath.join(folder, extra.target))
            content = extra.content if isinstance(extra.content, bytes) else xml(extra.content)
            data = with_member(data, member, content)
    return with_member(data, relations, stated.encode())


def xml(text: str) -> bytes:
    """Declare the namespaces of Office on the first element."""
    tag = text[1:].split(">")[0].split("/")[0].split(" ")[0]
    return text.replace(f"<{tag}", f"<{tag} {SPACES}", 1).encode()


def word_file(body: str, *extras: Extra, owner: str = DOCUMENT) -> bytes:
    """Make a docx whose body is WordprocessingML."""
    data = with_member(
        saved(docx.Document().save), DOCUMENT, xml(f"<w:document><w:body>{body}</w:body></w:document>")
    )
    return with_extra(data, owner, *extras) if extras else data


def paragraph(text: str, properties: str = "") -> str:
    """Write a w:p with one run."""
    return f'<w:p>{properties and f"<w:pPr>{properties}</w:pPr>"}<w:r><w:t xml:space="preserve">{text}</w:t></w:r></w:p>'


def numbered(text: str, level: int = 0, number: int = 1) -> str:
    """Write a paragraph of a list."""
    return paragraph(text, f'<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{number}"/></w:numPr>')


def lists(*levels: tuple[str, str], more: str = "") -> Extra:
    """Make numbering.xml with one list, number 1: each level's number format and text."""
    written = "".join(
        f'<w:lvl w:ilvl="{at}"><w:start w:val="1"/><w:numFmt w:val="{style}"/><w:lvlText w:val="{text}"/></w:lvl>'
        for at, (style, text) in enumerate(levels)
    )
    content = (
        f'<w:numbering><w:abstractNum w:abstractNumId="1">{written}</w:abstractNum>'
        f'<w:num w:numId="1"><w:abstractNumId w:val="1"/></w:num>{more}</w:numbering>'
    )
    # python-docx's template has a numbering part already: the same name takes its place
    return Extra("numbering", "numbering.xml", content, "x9")


def slide_file(shapes: str, *extras: Extra, attributes: str = "") -> bytes:
    """Make a pptx with one slide whose shapes are PresentationML."""
    deck = pptx.Presentation()
    deck.slides.add_slide(deck.slide_layouts[6])
    content = f"<p:sld{attributes}><p:cSld><p:spTree>{shapes}</p:spTree></p:cSld></p:sld>"
    data = with_member(saved(deck.save), SLIDE, xml(content))
    return with_extra(data, SLIDE, *extras) if extras else data


def shape(text: str, left: int = 0, top: int = 0, width: int = 1_000_000, height: int = 300_000) -> str:
    """Write a text box of a slide."""
    return (
        f'<p:sp><p:nvSpPr><p:cNvPr id="9" name="Box"/><p:cNvSpPr/><p:nvPr/></p:nvSpPr><p:spPr><a:xfrm><a:off x="{left}"'
        f' y="{top}"/><a:ext cx="{width}" cy="{height}"/></a:xfrm></p:spPr><p:txBody><a:p><a:r><a:t>{text}</a:t></a:r>'
        "</a:p></p:txBody></p:sp>"
    )


def graphic_frame(content: str, uri: str = "") -> str:
    """Write a graphic frame of a slide."""
    return (
        '<p:graphicFrame><p:nvGraphicFramePr><p:cNvPr id="7" name="Frame"/><p:cNvGraphicFramePr/><p:nvPr/>'
        f'</p:nvGraphicFramePr><p:xfrm><a:off x="0" y="0"/><a:ext cx="9" cy="9"/></p:xfrm><a:graphic><a:graphicData uri="{uri}">'
        f"{content}</a:graphicData></a:graphic></p:graphicFrame>"
    )


def sheet_file(rows: list[list[object]], *extras: Extra, tail: str = "") -> bytes:
    """Make an xlsx with one sheet; `tail` is SpreadsheetML after its cells."""
    book = openpyxl.Workbook()
    for row in rows:
        book.worksheets[0].append(row)
    data = saved(book.save)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        sheet = archive.read(SHEET).decode()
    sheet = sheet.replace("<worksheet ", f"<worksheet {SPACES} ", 1).replace(
        'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"', "", 1
    )
    data = with_member(data, SHEET, sheet.replace("</sheetData>", f"</sheetData>{tail}").encode())
    return with_extra(data, SHEET, *extras) if extras else data


def chart(
    title: str = "Sales", series: str = "Adults", category: str = "2029", value: str = "7", axis: str = "Year"
) -> str:
    """Write a chart part with one series of one point."""
    return (
        f"<c:chartSpace><c:chart><c:title><c:tx><c:rich><a:p><a:r><a:t>{title}</a:t></a:r></a:p></c:rich></c:tx></c:title>"
        f"<c:plotArea><c:barChart><c:ser><c:tx><c:strRef><c:strCache><c:pt idx='0'><c:v>{series}</c:v></c:pt></c:strCache>"
        f"</c:strRef></c:tx><c:cat><c:strRef><c:strCache><c:pt idx='0'><c:v>{category}</c:v></c:pt></c:strCache></c:strRef>"
        f"</c:cat><c:val><c:numRef><c:numCache><c:formatCode>General</c:formatCode><c:pt idx='0'><c:v>{value}</c:v></c:pt>"
        "</c:numCache></c:numRef></c:val></c:ser></c:barChart><c:catAx><c:title><c:tx><c:rich><a:p><a:r>"
        f"<a:t>{axis}</a:t></a:r></a:p></c:rich></c:tx></c:title></c:catAx></c:plotArea></c:chart></c:chartSpace>"
    )


def diagram(top: str, below: str) -> str:
    """Write the data of SmartArt with a node and one below it."""

    def point(identity: int, text: str, kind: str = "node") -> str:
        return f'<dgm:pt modelId="{identity}" type="{kind}"><dgm:t><a:p><a:r><a:t>{text}</a:t></a:r></a:p></dgm:t></dgm:pt>'

    links = '<dgm:cxn srcId="1" destId="2" srcOrd="0"/><dgm:cxn srcId="2" destId="3" srcOrd="0"/>'
    points = point(1, "", "doc") + point(2, top) + point(3, below) + point(4, "", "pres")
    return f"<dgm:dataModel><dgm:ptLst>{points}</dgm:ptLst><dgm:cxnLst>{links}</dgm:cxnLst></dgm:dataModel>"
