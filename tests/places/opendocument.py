"""Where OpenDocument files can hold text."""

from collections.abc import Callable

from tests.made_opendocument import box, open_document, rows, slide
from tests.places import Place


def _text(body: str, automatic: str = "", masters: str = "", **more: str) -> Callable[[str], bytes]:
    def make(word: str) -> bytes:
        filled = {
            name.replace("_", " ", 1) + "/content.xml": xml.replace("WORD", word)
            for name, xml in more.items()
        }
        first, second, third = (part.replace("WORD", word) for part in (body, automatic, masters))
        return open_document("text", first, second, third, filled)

    return make


def _sheet(table: str, masters: str = "", before: str = "") -> Callable[[str], bytes]:
    return lambda word: open_document(
        "spreadsheet", (before + table).replace("WORD", word), _HIDDEN_SHEET, masters.replace("WORD", word)
    )


def _slide(
    shapes: str, masters: str = "", before: str = "", automatic: str = "", page: str = ""
) -> Callable[[str], bytes]:
    def make(word: str) -> bytes:
        written = slide(shapes).replace("<draw:page ", f"<draw:page {page} ", 1)
        return open_document(
            "presentation", (before + written).replace("WORD", word), automatic, masters.replace("WORD", word)
        )

    return make


def _meta(word: str) -> bytes:
    xml = (
        f"<office:document-meta><office:meta><dc:title>{word}</dc:title></office:meta></office:document-meta>"
    )
    return open_document("text", "<text:p>Body</text:p>", more={"meta.xml": xml})


_P = "<text:p>{}</text:p>"
_ITEM = "<text:list><text:list-item><text:p>WORD</text:p></text:list-item></text:list>"
_NOTE = '<text:p>x<text:note text:note-class="{}"><text:note-body><text:p>WORD</text:p></text:note-body></text:note></text:p>'
_COMMENT = "<office:annotation><dc:creator>Ann</dc:creator><text:p>WORD</text:p></office:annotation>"
_OBJECT = '<text:p><draw:frame><draw:object xlink:href="./Object 1"/></draw:frame></text:p>'
_CHART = (
    "<office:document-content><office:body><office:chart><chart:chart><chart:title><text:p>{}</text:p></chart:title>{}"
    "</chart:chart></office:chart></office:body></office:document-content>"
)
_HIDDEN = '<style:style style:name="H"><style:text-properties text:display="none"/></style:style>'
_HIDDEN_SHEET = '<style:style style:name="H"><style:table-properties table:display="false"/></style:style>'
_MASTER = '<style:master-page style:name="M">{}</style:master-page>'
_DELETED = "<text:tracked-changes><text:changed-region><text:deletion><text:p>WORD</text:p></text:deletion></text:changed-region></text:tracked-changes><text:p>x</text:p>"
_FRAME = "<draw:frame>{}</draw:frame>"
_GRID = rows(["name", "price"], ["pump", "3"])
_CELL = "<text:p>pump</text:p>"

PLACES = [
    Place("odt", "a paragraph", _text(_P.format("WORD"))),
    Place("odt", "a heading", _text('<text:h text:outline-level="2">WORD</text:h>')),
    Place("odt", "a list", _text(_ITEM)),
    Place("odt", "a section", _text(f"<text:section>{_P.format('WORD')}</text:section>")),
    Place(
        "odt",
        "a hidden section",
        _text(f'{_P.format("x")}<text:section text:display="none">{_P.format("WORD")}</text:section>'),
        "hidden section",
    ),
    Place(
        "odt",
        "an index",
        _text(
            f"<text:table-of-content><text:index-body>{_P.format('WORD')}</text:index-body></text:table-of-content>"
        ),
    ),
    Place("odt", "a table", _text(rows(["a", "b"], ["c", "WORD"]))),
    Place(
        "odt",
        "a table in a table",
        _text(rows(["a", "b"], ["c", "d"]).replace("<text:p>d</text:p>", rows(["e", "WORD"]))),
    ),
    Place(
        "odt",
        "a text box",
        _text(f"<text:p>x{_FRAME.format('<draw:text-box><text:p>WORD</text:p></draw:text-box>')}</text:p>"),
    ),
    Place(
        "odt",
        "a drawn shape",
        _text(f"<text:p>x<draw:custom-shape>{_P.format('WORD')}</draw:custom-shape></text:p>"),
    ),
    Place(
        "odt",
        "grouped shapes",
        _text(f"<text:p>x<draw:g><draw:rect>{_P.format('WORD')}</draw:rect></draw:g></text:p>"),
    ),
    Place("odt", "a footnote", _text(_NOTE.format("footnote"))),
    Place("odt", "an endnote", _text(_NOTE.format("endnote"))),
    Place("odt", "a comment", _text(f"<text:p>x{_COMMENT}</text:p>")),
    Place(
        "odt",
        "a header",
        _text(_P.format("x"), masters=_MASTER.format(f"<style:header>{_P.format('WORD')}</style:header>")),
    ),
    Place(
        "odt",
        "the header of the first page",
        _text(
            _P.format("x"),
            masters=_MASTER.format(f"<style:header-first>{_P.format('WORD')}</style:header-first>"),
        ),
    ),
    Place(
        "odt",
        "a footer of left pages",
        _text(
            _P.format("x"),
            masters=_MASTER.format(f"<style:footer-left>{_P.format('WORD')}</style:footer-left>"),
        ),
    ),
    Place("odt", "a deletion", _text(_DELETED), "deleted passage"),
    Place(
        "odt",
        "hidden text",
        _text('<text:p>x<text:span text:style-name="H">WORD</text:span></text:p>', _HIDDEN),
        "hidden passage",
    ),
    Place(
        "odt",
        "the target of a link",
        _text('<text:p><text:a xlink:href="https://WORD.org">here</text:a></text:p>'),
    ),
    Place(
        "odt",
        "alternative text",
        _text(f"<text:p>{_FRAME.format('<draw:image/><svg:title>WORD</svg:title>')}</text:p>"),
    ),
    Place("odt", "a picture", _text(f"<text:p>x{_FRAME.format('<draw:image/>')}</text:p>"), "image"),
    Place("odt", "the title of a chart", _text(_OBJECT, Object_1=_CHART.format("WORD", ""))),
    Place(
        "odt",
        "a value of a chart",
        _text(_OBJECT, Object_1=_CHART.format("T", rows(["", "a"], ["b", "WORD"]))),
    ),
    Place("odt", "a formula", _text(_OBJECT, Object_1="<math:math><math:mi>WORD</math:mi></math:math>")),
    Place("odt", "a missing object", _text(_P.format("x") + _OBJECT), "embedded file"),
    Place("odt", "a field", _text("<text:p><text:date>WORD</text:date></text:p>")),
    Place(
        "odt",
        "text over text",
        _text(
            "<text:p><text:ruby><text:ruby-base>x</text:ruby-base><text:ruby-text>WORD</text:ruby-text></text:ruby></text:p>"
        ),
    ),
    Place("odt", "the title of the document", _meta),
    Place("ods", "a cell", _sheet(rows(["a", "b"], ["c", "WORD"]))),
    Place("ods", "the name of a sheet", _sheet(rows(["a", "b"], name="WORD"))),
    Place(
        "ods",
        "a hidden sheet",
        _sheet(rows(["a", "WORD"]).replace("<table:table ", '<table:table table:style-name="H" ')),
    ),
    Place("ods", "a comment", _sheet(_GRID.replace(_CELL, _COMMENT + _CELL))),
    Place(
        "ods",
        "a text box",
        _sheet(
            _GRID.replace(
                "<table:table-row>",
                f"<table:shapes><draw:rect>{_P.format('WORD')}</draw:rect></table:shapes><table:table-row>",
                1,
            )
        ),
    ),
    Place(
        "ods", "a header", _sheet(_GRID, _MASTER.format(f"<style:header>{_P.format('WORD')}</style:header>"))
    ),
    Place(
        "ods",
        "an input message",
        _sheet(
            _GRID,
            before='<table:content-validations><table:content-validation table:base-cell-address="Sheet1.B2"><table:help-message><text:p>WORD</text:p></table:help-message></table:content-validation></table:content-validations>',
        ),
    ),
    Place("odp", "a title", _slide(box("WORD", kind="title"))),
    Place("odp", "a text box", _slide(box("WORD"))),
    Place("odp", "a group", _slide(f"<draw:g>{box('WORD')}</draw:g>")),
    Place("odp", "a table", _slide(_FRAME.format(rows(["a", "b"], ["c", "WORD"])))),
    Place(
        "odp",
        "notes",
        _slide(box("x") + f"<presentation:notes>{box('WORD', kind='notes')}</presentation:notes>"),
    ),
    Place("odp", "a comment", _slide(box("x") + _COMMENT)),
    Place(
        "odp",
        "a footer",
        _slide(
            box("x"),
            before='<presentation:footer-decl presentation:name="f">WORD</presentation:footer-decl>',
            page='presentation:use-footer-name="f"',
        ),
    ),
    Place("odp", "the master", _slide(box("x"), _MASTER.format(box("WORD")))),
    Place(
        "odp",
        "a hidden slide",
        _slide(
            box("WORD"),
            automatic='<style:style style:name="H"><style:drawing-page-properties presentation:visibility="hidden"/></style:style>',
            page='draw:style-name="H"',
        ),
    ),
    Place(
        "odp",
        "a video",
        _slide(box("x") + _FRAME.format('<draw:plugin xlink:href="v.mp4"/>')),
        "media file",
    ),
]
