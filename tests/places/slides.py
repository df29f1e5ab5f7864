"""Where a presentation can hold text."""

import io
import zipfile
from collections.abc import Callable
from typing import Any

import pptx
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE

from tests.made_files import saved, with_member
from tests.made_office import Extra, diagram, graphic_frame, shape, sheet_file, slide_file, with_extra
from tests.places import Place

LAYOUT = "ppt/slideLayouts/slideLayout7.xml"


def _slide(template: str, *extras: Extra, attributes: str = "") -> Callable[[str], bytes]:
    def make(word: str) -> bytes:
        filled = [
            Extra(
                one.kind,
                one.target.replace("WORD", word),
                one.content.replace("WORD", word) if isinstance(one.content, str) else one.content,
                one.identity,
            )
            for one in extras
        ]
        return slide_file(template.replace("WORD", word), *filled, attributes=attributes)

    return make


def _deck(fill: Callable[[Any, str], None]) -> Callable[[str], bytes]:
    def make(word: str) -> bytes:
        deck = pptx.Presentation()
        fill(deck, word)
        return saved(deck.save)

    return make


def _title(deck: Any, word: str) -> None:
    deck.slides.add_slide(deck.slide_layouts[1]).shapes.title.text = word


def _body(deck: Any, word: str) -> None:
    deck.slides.add_slide(deck.slide_layouts[1]).placeholders[1].text_frame.text = word


def _notes(deck: Any, word: str) -> None:
    deck.slides.add_slide(deck.slide_layouts[6]).notes_slide.notes_text_frame.text = word


def _table(deck: Any, word: str) -> None:
    table = deck.slides.add_slide(deck.slide_layouts[6]).shapes.add_table(2, 2, 0, 0, 9, 9).table
    table.cell(1, 1).text = word


def _merged(deck: Any, word: str) -> None:
    table = deck.slides.add_slide(deck.slide_layouts[6]).shapes.add_table(2, 3, 0, 0, 9, 9).table
    for at, text in enumerate(["a", "b", "c"]):
        table.cell(0, at).text = text
    table.cell(1, 1).merge(table.cell(1, 2))
    table.cell(1, 0).text, table.cell(1, 1).text = "d", word


def _chart(deck: Any, word: str, title: str = "", series: str = "Adults", category: str = "2029") -> None:
    data: Any = CategoryChartData()  # type: ignore[no-untyped-call]
    data.categories = [category]
    data.add_series(series, (7,))
    frame = deck.slides.add_slide(deck.slide_layouts[6]).shapes.add_chart(XL_CHART_TYPE.PIE, 0, 0, 9, 9, data)
    if title:
        frame.chart.has_title = True
        frame.chart.chart_title.text_frame.text = title


def _property(deck: Any, word: str) -> None:
    _title(deck, "Plan")
    deck.core_properties.keywords = word


def _on_layout(word: str) -> bytes:
    data = slide_file(shape("text"))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        layout = archive.read(LAYOUT).decode()
    return with_member(data, LAYOUT, layout.replace("</p:spTree>", f"{shape(word)}</p:spTree>").encode())


def _comment(word: str) -> bytes:
    authors = '<p:cmAuthorLst><p:cmAuthor id="3" name="Ann"/></p:cmAuthorLst>'
    comment = f'<p:cmLst><p:cm authorId="3"><p:text>{word}</p:text></p:cm></p:cmLst>'
    data = slide_file(shape("text"), Extra("comments", "../comments/c.xml", comment))
    return with_extra(
        data, "ppt/presentation.xml", Extra("commentAuthors", "commentAuthors.xml", authors, "x2")
    )


_GROUP = "<p:grpSp><p:nvGrpSpPr/><p:grpSpPr/>{}</p:grpSp>"
_PICTURE = '<p:pic><p:nvPicPr><p:cNvPr id="4" name="P" descr="{}"/><p:cNvPicPr/><p:nvPr>{}</p:nvPr></p:nvPicPr><p:blipFill/></p:pic>'
_FOOTER = '<p:sp><p:nvSpPr><p:cNvPr id="2" name="F"/><p:cNvSpPr/><p:nvPr><p:ph type="ftr"/></p:nvPr></p:nvSpPr><p:txBody><a:p><a:r><a:t>WORD</a:t></a:r></a:p></p:txBody></p:sp>'
_THREAD = "<p188:cmLst><p188:cm><p188:replyLst><p188:reply><p188:txBody><a:p><a:r><a:t>WORD</a:t></a:r></a:p></p188:txBody></p188:reply></p188:replyLst><p188:txBody><a:p><a:r><a:t>First</a:t></a:r></a:p></p188:txBody></p188:cm></p188:cmLst>"
_LINKED = shape("here").replace("<a:r>", '<a:r><a:rPr><a:hlinkClick r:id="x1"/></a:rPr>')

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)

PLACES = [
    Place("pptx", "a title", _deck(_title)),
    Place("pptx", "a body", _deck(_body)),
    Place("pptx", "a text box", _slide(shape("WORD"))),
    Place("pptx", "a grouped shape", _slide(_GROUP.format(shape("WORD")))),
    Place("pptx", "a group in a group", _slide(_GROUP.format(_GROUP.format(shape("WORD"))))),
    Place("pptx", "a table", _deck(_table)),
    Place("pptx", "merged cells", _deck(_merged), repeats=True),
    Place("pptx", "notes", _deck(_notes)),
    Place("pptx", "the title of a chart", _deck(lambda deck, word: _chart(deck, word, title=word))),
    Place("pptx", "a series of a chart", _deck(lambda deck, word: _chart(deck, word, series=word))),
    Place("pptx", "a category of a chart", _deck(lambda deck, word: _chart(deck, word, category=word))),
    Place(
        "pptx",
        "SmartArt",
        _slide(
            graphic_frame('<dgm:relIds r:dm="x1"/>'),
            Extra("diagramData", "../diagrams/d.xml", diagram("Top", "WORD")),
        ),
    ),
    Place("pptx", "a comment", _comment),
    Place(
        "pptx", "a reply to a comment", _slide(shape("t"), Extra("comments", "../comments/c.xml", _THREAD))
    ),
    Place("pptx", "a hidden slide", _slide(shape("WORD"), attributes=' show="0"')),
    Place("pptx", "alternative text", _slide(_PICTURE.format("WORD", ""))),
    Place("pptx", "a picture", _slide(shape("t") + _PICTURE.format("", "")), "image"),
    Place("pptx", "a video", _slide(shape("t") + _PICTURE.format("", '<a:videoFile r:link="x1"/>')), "video"),
    Place("pptx", "a footer", _slide(_FOOTER)),
    Place("pptx", "the slide's layout", _on_layout),
    Place(
        "pptx",
        "an alternative rendering",
        _slide(
            f"<mc:AlternateContent><mc:Choice>{shape('WORD')}</mc:Choice><mc:Fallback>{shape('WORD')}</mc:Fallback></mc:AlternateContent>"
        ),
    ),
    Place("pptx", "the target of a link", _slide(_LINKED, Extra("hyperlink", "https://WORD.org"))),
    Place(
        "pptx",
        "an embedded workbook",
        lambda word: slide_file(
            graphic_frame('<p:oleObj r:id="x1"/>'),
            Extra("package", "../embeddings/e.xlsx", sheet_file([["a", word], ["b", 2]])),
        ),
    ),
    Place(
        "pptx",
        "an embedded program's data",
        lambda word: slide_file(
            shape("t") + graphic_frame('<p:oleObj r:id="x1"/>'),
            Extra("oleObject", "../embeddings/e.bin", OLE + word.encode()),
        ),
        "embedded file",
    ),
    Place(
        "pptx",
        "a formula",
        _slide(
            shape("X").replace(
                "<a:r><a:t>X</a:t></a:r>", "<a14:m><m:oMath><m:r><m:t>WORD</m:t></m:r></m:oMath></a14:m>"
            )
        ),
    ),
    Place("pptx", "keywords of the document", _deck(_property)),
]
