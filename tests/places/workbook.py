"""Where an Excel workbook can hold text."""

from collections.abc import Callable
from typing import Any

import openpyxl
from openpyxl.chart import BarChart, Reference
from openpyxl.comments import Comment
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.table import Table

from tests.made_files import saved
from tests.made_office import Extra, diagram, sheet_file, with_extra
from tests.places import Place

ROWS: list[list[object]] = [["name", "price"], ["pump", 3], ["valve", 4]]


def _book(fill: Callable[[Any, Any, str], None]) -> Callable[[str], bytes]:
    def make(word: str) -> bytes:
        book = openpyxl.Workbook()
        for row in ROWS:
            book.worksheets[0].append(row)
        fill(book, book.worksheets[0], word)
        return saved(book.save)

    return make


def _with(template: str, *extras: Extra) -> Callable[[str], bytes]:
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
        return sheet_file(ROWS, *filled, tail=template.replace("WORD", word))

    return make


def _cell(_: Any, sheet: Any, word: str) -> None:
    sheet["B2"] = word


def _far(_: Any, sheet: Any, word: str) -> None:
    sheet["ZZ9999"] = word


def _merged(_: Any, sheet: Any, word: str) -> None:
    sheet["A5"] = word
    sheet.merge_cells("A5:B5")


def _hidden_sheet(book: Any, _: Any, word: str) -> None:
    other = book.create_sheet("Other")
    other["A1"] = word
    other.sheet_state = "veryHidden"


def _hidden_row(_: Any, sheet: Any, word: str) -> None:
    sheet["A3"] = word
    sheet.row_dimensions[3].hidden = True


def _hidden_column(_: Any, sheet: Any, word: str) -> None:
    sheet["C2"] = word
    sheet.column_dimensions["C"].hidden = True


def _comment(_: Any, sheet: Any, word: str) -> None:
    sheet["B3"].comment = Comment(word, "Ann")


def _comment_on_nothing(_: Any, sheet: Any, word: str) -> None:
    sheet["F9"].comment = Comment(word, "Ann")


def _head(_: Any, sheet: Any, word: str) -> None:
    sheet.oddHeader.center.text = f"&12{word} &P"


def _first_foot(_: Any, sheet: Any, word: str) -> None:
    sheet.HeaderFooter.differentFirst = True
    sheet.firstFooter.left.text = word


def _name_of_sheet(book: Any, sheet: Any, word: str) -> None:
    sheet.title = word


def _name_of_table(_: Any, sheet: Any, word: str) -> None:
    sheet.add_table(Table(displayName=word, ref="A1:B3"))


def _chart(_: Any, sheet: Any, word: str) -> None:
    chart = BarChart()
    chart.title = word
    chart.add_data(Reference(sheet, 2, 1, 2, 3), titles_from_data=True)
    sheet.add_chart(chart, "D9")


def _chart_sheet(book: Any, sheet: Any, word: str) -> None:
    chart = BarChart()
    chart.title = word
    chart.add_data(Reference(sheet, 2, 1, 2, 3), titles_from_data=True)
    book.create_chartsheet("Chart").add_chart(chart)


def _link(_: Any, sheet: Any, word: str) -> None:
    sheet["A2"].hyperlink = f"https://{word}.org"
    sheet["A2"].value = "pump"


def _prompt(_: Any, sheet: Any, word: str) -> None:
    validation = DataValidation(type="whole", promptTitle="Price", prompt=word, showInputMessage=True)
    validation.add("B2")
    sheet.add_data_validation(validation)


def _text_format(_: Any, sheet: Any, word: str) -> None:
    sheet["B2"].number_format = f'0 "{word}"'


def _unseen(_: Any, sheet: Any, word: str) -> None:
    sheet["B2"].number_format = ";;;"


def _property(book: Any, _: Any, word: str) -> None:
    book.properties.title = word


_DRAWING = '<drawing r:id="x1"/>'
_SHAPE = "<xdr:wsDr><xdr:twoCellAnchor>{}</xdr:twoCellAnchor></xdr:wsDr>"
_BOX = "<xdr:sp><xdr:txBody><a:p><a:r><a:t>WORD</a:t></a:r></a:p></xdr:txBody></xdr:sp>"
_PICTURE = (
    '<xdr:pic><xdr:nvPicPr><xdr:cNvPr id="1" name="P" descr="{}"/></xdr:nvPicPr><xdr:blipFill/></xdr:pic>'
)
_THREAD = '<tc:ThreadedComments><tc:threadedComment ref="A2"><tc:text>WORD</tc:text></tc:threadedComment></tc:ThreadedComments>'
_CONTROL = '<xml><v:shape><v:textbox><div>WORD</div></v:textbox><x:ClientData ObjectType="Checkbox"/></v:shape></xml>'


def _smart_art(word: str) -> bytes:
    frame = _SHAPE.format(
        '<xdr:graphicFrame><a:graphic><a:graphicData><dgm:relIds r:dm="x2"/></a:graphicData></a:graphic></xdr:graphicFrame>'
    )
    data = sheet_file(ROWS, Extra("drawing", "../drawings/d.xml", frame), tail=_DRAWING)
    return with_extra(
        data, "xl/drawings/d.xml", Extra("diagramData", "../diagrams/d.xml", diagram("Top", word), "x2")
    )


PLACES = [
    Place("xlsx", "a cell", _book(_cell)),
    Place("xlsx", "a cell far away", _book(_far)),
    Place("xlsx", "merged cells", _book(_merged), repeats=True),
    Place("xlsx", "a hidden sheet", _book(_hidden_sheet)),
    Place("xlsx", "a hidden row", _book(_hidden_row)),
    Place("xlsx", "a hidden column", _book(_hidden_column)),
    Place("xlsx", "a comment", _book(_comment)),
    Place("xlsx", "a comment on an empty cell", _book(_comment_on_nothing)),
    Place(
        "xlsx",
        "a threaded comment",
        _with("", Extra("threadedComment", "../threadedComments/t.xml", _THREAD)),
    ),
    Place("xlsx", "a header", _book(_head)),
    Place("xlsx", "the footer of the first page", _book(_first_foot)),
    Place("xlsx", "the name of a sheet", _book(_name_of_sheet)),
    Place("xlsx", "the name of a table", _book(_name_of_table)),
    Place("xlsx", "the title of a chart", _book(_chart)),
    Place("xlsx", "the title of a sheet that is a chart", _book(_chart_sheet)),
    Place("xlsx", "the target of a link", _book(_link)),
    Place("xlsx", "an input message", _book(_prompt)),
    Place("xlsx", "the text of a number format", _book(_text_format)),
    Place("xlsx", "a value that its format hides", _book(_unseen), "hidden value"),
    Place("xlsx", "a text box", _with(_DRAWING, Extra("drawing", "../drawings/d.xml", _SHAPE.format(_BOX)))),
    Place(
        "xlsx",
        "a grouped text box",
        _with(
            _DRAWING, Extra("drawing", "../drawings/d.xml", _SHAPE.format(f"<xdr:grpSp>{_BOX}</xdr:grpSp>"))
        ),
    ),
    Place(
        "xlsx",
        "alternative text",
        _with(_DRAWING, Extra("drawing", "../drawings/d.xml", _SHAPE.format(_PICTURE.format("WORD")))),
    ),
    Place(
        "xlsx",
        "a picture",
        _with(_DRAWING, Extra("drawing", "../drawings/d.xml", _SHAPE.format(_PICTURE.format("")))),
        "image",
    ),
    Place("xlsx", "SmartArt", _smart_art),
    Place(
        "xlsx",
        "a label of a check box",
        _with('<legacyDrawing r:id="x1"/>', Extra("vmlDrawing", "../drawings/v.vml", _CONTROL)),
    ),
    Place(
        "xlsx",
        "an embedded workbook",
        lambda word: sheet_file(
            ROWS,
            Extra("package", "../embeddings/e.xlsx", sheet_file([["a", word], ["b", 2]])),
            tail='<oleObjects><oleObject r:id="x1"/></oleObjects>',
        ),
    ),
    Place("xlsx", "the title of the document", _book(_property)),
]
