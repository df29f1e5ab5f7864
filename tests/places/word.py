"""Where a Word document can hold text."""

from collections.abc import Callable

import docx

from tests.made_files import saved
from tests.made_office import (
    Extra,
    chart,
    diagram,
    lists,
    numbered,
    paragraph,
    sheet_file,
    word_file,
)
from tests.places import Place

_SECTION = "<w:p/><w:sectPr>{}</w:sectPr>"


def _body(template: str, *extras: Extra) -> Callable[[str], bytes]:
    return lambda word: word_file(template.replace("WORD", word), *(_filled(extra, word) for extra in extras))


def _filled(extra: Extra, word: str) -> Extra:
    content = extra.content.replace("WORD", word) if isinstance(extra.content, str) else extra.content
    return Extra(extra.kind, extra.target.replace("WORD", word), content, extra.identity)


def _run(content: str) -> str:
    return f"<w:p><w:r>{content}</w:r></w:p>"


def _head(kind: str, which: str, content: str) -> Callable[[str], bytes]:
    root = "hdr" if kind == "header" else "ftr"
    reference = f'<w:{kind}Reference w:type="{which}" r:id="x1"/>'
    return _body(
        paragraph("Body.") + _SECTION.format(reference),
        Extra(kind, "part9.xml", f"<w:{root}>{content}</w:{root}>"),
    )


def _cell(content: str, properties: str = "") -> str:
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{content}</w:tc>"


def _table(*rows: str) -> str:
    return f"<w:tbl>{''.join(f'<w:tr>{row}</w:tr>' for row in rows)}</w:tbl>"


def _comments(word: str) -> bytes:
    document = docx.Document()
    run = document.add_paragraph("A clause.").runs[0]
    document.add_comment(run, text=word, author="Ann", initials="A")
    return saved(document.save)


def _property(word: str) -> bytes:
    document = docx.Document()
    document.add_paragraph("Body.")
    document.core_properties.title = word
    return saved(document.save)


def _embedded(word: str) -> bytes:
    inner = sheet_file([["name", "price"], [word, 3]])
    return word_file(
        _run('<w:object><o:OLEObject Type="Embed" ProgID="Excel.Sheet.12" r:id="x1"/></w:object>'),
        Extra("package", "embeddings/prices.xlsx", inner),
    )


def _embedded_twice(word: str) -> bytes:
    inner = word_file(
        _run('<w:object><o:OLEObject r:id="x1"/></w:object>'),
        Extra("package", "embeddings/prices.xlsx", sheet_file([[word]])),
    )
    return word_file(
        _run('<w:object><o:OLEObject r:id="x1"/></w:object>'),
        Extra("package", "embeddings/inner.docx", inner),
    )


_BOX = f"<wps:txbx><w:txbxContent>{paragraph('WORD')}</w:txbxContent></wps:txbx>"
_DRAWING = '<w:drawing><wp:inline><wp:docPr id="1" name="P" descr="{}"/><a:graphic><a:graphicData>{}</a:graphicData></a:graphic></wp:inline></w:drawing>'
_NESTED = _table(
    _cell(paragraph("a")) + _cell(paragraph("b")),
    _cell(paragraph("c")) + _cell(_table(_cell(paragraph("d")) + _cell(paragraph("WORD"))) + "<w:p/>"),
)
_FIELD = '<w:p><w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText>{}</w:instrText></w:r><w:r><w:fldChar w:fldCharType="separate"/></w:r><w:r><w:t>{}</w:t></w:r><w:r><w:fldChar w:fldCharType="end"/></w:r></w:p>'
_FORM = '<w:p><w:r><w:fldChar w:fldCharType="begin"><w:ffData><w:ddList><w:result w:val="1"/><w:listEntry w:val="no"/><w:listEntry w:val="WORD"/></w:ddList></w:ffData></w:fldChar></w:r><w:r><w:fldChar w:fldCharType="end"/></w:r></w:p>'
_NOTE = "<w:{0}s><w:{0} w:id='4'>" + paragraph("WORD") + "</w:{0}></w:{0}s>"

PLACES = [
    Place("docx", "a paragraph", _body(paragraph("WORD"))),
    Place("docx", "a heading", _body(paragraph("WORD", '<w:pStyle w:val="Heading2"/>'))),
    Place("docx", "a list item", _body(numbered("WORD"), lists(("decimal", "%1.")))),
    Place("docx", "the label of a list", _body(numbered("item"), lists(("decimal", "WORD %1")))),
    Place(
        "docx", "a tracked insertion", _body('<w:p><w:ins w:id="1"><w:r><w:t>WORD</w:t></w:r></w:ins></w:p>')
    ),
    Place(
        "docx",
        "a tracked deletion",
        _body(paragraph("Kept.") + "<w:p><w:del><w:r><w:delText>WORD</w:delText></w:r></w:del></w:p>"),
        "deleted passage",
    ),
    Place(
        "docx",
        "a deleted row",
        _body(
            _table(_cell(paragraph("a")) + _cell(paragraph("b"))).replace(
                "</w:tbl>", f"<w:tr><w:trPr><w:del/></w:trPr>{_cell(paragraph('WORD'))}</w:tr></w:tbl>"
            )
        ),
        "deleted row",
    ),
    Place("docx", "moved text", _body("<w:p><w:moveTo><w:r><w:t>WORD</w:t></w:r></w:moveTo></w:p>")),
    Place(
        "docx",
        "hidden passage",
        _body(paragraph("Seen.") + _run("<w:rPr><w:vanish/></w:rPr><w:t>WORD</w:t>")),
        "hidden passage",
    ),
    Place("docx", "a table cell", _body(_table(_cell(paragraph("a")) + _cell(paragraph("WORD"))))),
    Place("docx", "a table in a table", _body(_NESTED)),
    Place(
        "docx",
        "a merged cell",
        _body(
            _table(
                _cell(paragraph("a"), '<w:vMerge w:val="restart"/>') + _cell(paragraph("b")),
                _cell("<w:p/>", "<w:vMerge/>") + _cell(paragraph("WORD")),
            )
        ),
    ),
    Place(
        "docx",
        "a cell in a content control",
        _body(
            f"<w:tbl><w:tr><w:sdt><w:sdtContent>{_cell(paragraph('WORD'))}</w:sdtContent></w:sdt>{_cell(paragraph('b'))}</w:tr></w:tbl>"
        ),
    ),
    Place(
        "docx",
        "the title of a table",
        _body(
            _table(
                _cell(paragraph("a")) + _cell(paragraph("b")), _cell(paragraph("c")) + _cell(paragraph("d"))
            ).replace("<w:tbl>", '<w:tbl><w:tblPr><w:tblCaption w:val="WORD"/></w:tblPr>')
        ),
    ),
    Place(
        "docx",
        "the description of a table",
        _body(
            _table(
                _cell(paragraph("a")) + _cell(paragraph("b")), _cell(paragraph("c")) + _cell(paragraph("d"))
            ).replace("<w:tbl>", '<w:tbl><w:tblPr><w:tblDescription w:val="WORD"/></w:tblPr>')
        ),
    ),
    Place(
        "docx",
        "a text box",
        _body(
            _run(
                f"<mc:AlternateContent><mc:Choice><w:drawing>{_BOX}</w:drawing></mc:Choice></mc:AlternateContent>"
            )
        ),
    ),
    Place(
        "docx",
        "an old text box",
        _body(
            _run(
                f"<w:pict><v:shape><v:textbox><w:txbxContent>{paragraph('WORD')}</w:txbxContent></v:textbox></v:shape></w:pict>"
            )
        ),
    ),
    Place(
        "docx",
        "a table in a text box",
        _body(
            _run(
                f"<w:drawing><wps:txbx><w:txbxContent>{_table(_cell(paragraph('a')) + _cell(paragraph('WORD')))}</w:txbxContent></wps:txbx></w:drawing>"
            )
        ),
    ),
    Place(
        "docx",
        "a text box in a table",
        _body(_table(_cell(paragraph("a")) + _cell(_run(f"<w:drawing>{_BOX}</w:drawing>")))),
    ),
    Place("docx", "WordArt", _body(_run('<w:pict><v:shape><v:textpath string="WORD"/></v:shape></w:pict>'))),
    Place("docx", "a header", _head("header", "default", paragraph("WORD"))),
    Place("docx", "the header of the first page", _head("header", "first", paragraph("WORD"))),
    Place("docx", "the header of even pages", _head("header", "even", paragraph("WORD"))),
    Place(
        "docx",
        "a table in a header",
        _head("header", "default", _table(_cell(paragraph("a")) + _cell(paragraph("WORD")))),
    ),
    Place(
        "docx", "a text box in a header", _head("header", "default", _run(f"<w:drawing>{_BOX}</w:drawing>"))
    ),
    Place("docx", "a footer", _head("footer", "default", paragraph("WORD"))),
    Place("docx", "the footer of the first page", _head("footer", "first", paragraph("WORD"))),
    Place(
        "docx",
        "a footnote",
        _body(
            '<w:p><w:r><w:footnoteReference w:id="4"/></w:r></w:p>',
            Extra("footnotes", "footnotes.xml", _NOTE.format("footnote")),
        ),
    ),
    Place(
        "docx",
        "an endnote",
        _body(
            '<w:p><w:r><w:endnoteReference w:id="4"/></w:r></w:p>',
            Extra("endnotes", "endnotes.xml", _NOTE.format("endnote")),
        ),
    ),
    Place(
        "docx",
        "a footnote in a table",
        _body(
            _table(_cell(paragraph("a")) + _cell('<w:p><w:r><w:footnoteReference w:id="4"/></w:r></w:p>')),
            Extra("footnotes", "footnotes.xml", _NOTE.format("footnote")),
        ),
    ),
    Place("docx", "a comment", _comments),
    Place(
        "docx",
        "a comment that nothing refers to",
        _body(
            paragraph("A."),
            Extra(
                "comments",
                "comments.xml",
                f"<w:comments><w:comment w:id='1'>{paragraph('WORD')}</w:comment></w:comments>",
            ),
        ),
    ),
    Place(
        "docx",
        "the author of a comment",
        _body(
            paragraph("A."),
            Extra(
                "comments",
                "comments.xml",
                f"<w:comments><w:comment w:id='1' w:author='WORD'>{paragraph('x')}</w:comment></w:comments>",
            ),
        ),
    ),
    Place(
        "docx", "a content control", _body(f"<w:sdt><w:sdtContent>{paragraph('WORD')}</w:sdtContent></w:sdt>")
    ),
    Place(
        "docx",
        "a drop-down list",
        _body(
            "<w:p><w:sdt><w:sdtPr><w:dropDownList/></w:sdtPr><w:sdtContent><w:r><w:t>WORD</w:t></w:r></w:sdtContent></w:sdt></w:p>"
        ),
    ),
    Place("docx", "an old form's drop-down list", _body(_FORM)),
    Place("docx", "the result of a field", _body(_FIELD.format("REF a", "WORD"))),
    Place(
        "docx",
        "the result of a simple field",
        _body('<w:p><w:fldSimple w:instr="DATE"><w:r><w:t>WORD</w:t></w:r></w:fldSimple></w:p>'),
    ),
    Place(
        "docx",
        "the target of a link",
        _body(
            '<w:p><w:hyperlink r:id="x1"><w:r><w:t>here</w:t></w:r></w:hyperlink></w:p>',
            Extra("hyperlink", "https://WORD.org"),
        ),
    ),
    Place("docx", "the target of a link field", _body(_FIELD.format('HYPERLINK "https://WORD.org"', "here"))),
    Place(
        "docx",
        "the text of a link",
        _body('<w:p><w:hyperlink w:anchor="a"><w:r><w:t>WORD</w:t></w:r></w:hyperlink></w:p>'),
    ),
    Place(
        "docx",
        "the alternative text of a picture",
        _body(_run(_DRAWING.format("WORD", "<pic:pic><pic:blipFill/></pic:pic>"))),
    ),
    Place(
        "docx",
        "a picture",
        _body(paragraph("Text.") + _run(_DRAWING.format("", "<pic:pic><pic:blipFill/></pic:pic>"))),
        "image",
    ),
    Place(
        "docx",
        "the title of a chart",
        _body(
            _run(_DRAWING.format("", '<c:chart r:id="x1"/>')),
            Extra("chart", "charts/c.xml", chart(title="WORD")),
        ),
    ),
    Place(
        "docx",
        "a series of a chart",
        _body(
            _run(_DRAWING.format("", '<c:chart r:id="x1"/>')),
            Extra("chart", "charts/c.xml", chart(series="WORD")),
        ),
    ),
    Place(
        "docx",
        "a value of a chart",
        _body(
            _run(_DRAWING.format("", '<c:chart r:id="x1"/>')),
            Extra("chart", "charts/c.xml", chart(value="WORD")),
        ),
    ),
    Place(
        "docx",
        "the axis of a chart",
        _body(
            _run(_DRAWING.format("", '<c:chart r:id="x1"/>')),
            Extra("chart", "charts/c.xml", chart(axis="WORD")),
        ),
    ),
    Place(
        "docx",
        "SmartArt",
        _body(
            _run(_DRAWING.format("", '<dgm:relIds r:dm="x1"/>')),
            Extra("diagramData", "diagrams/d.xml", diagram("Top", "WORD")),
        ),
    ),
    Place(
        "docx",
        "a formula",
        _body(
            "<w:p><m:oMath><m:f><m:num><m:r><m:t>WORD</m:t></m:r></m:num><m:den><m:r><m:t>2</m:t></m:r></m:den></m:f></m:oMath></w:p>"
        ),
    ),
    Place(
        "docx",
        "text over text",
        _body(
            _run(
                "<w:ruby><w:rt><w:r><w:t>WORD</w:t></w:r></w:rt><w:rubyBase><w:r><w:t>x</w:t></w:r></w:rubyBase></w:ruby>"
            )
        ),
    ),
    Place("docx", "an embedded workbook", _embedded),
    Place("docx", "an embedded file's embedded file", _embedded_twice),
    Place(
        "docx",
        "an embedded program's data",
        _body(
            paragraph("T.") + _run('<w:object><o:OLEObject r:id="x1"/></w:object>'),
            Extra("oleObject", "embeddings/ole.bin", b"WORD\0"),
        ),
        "embedded file",
    ),
    Place(
        "docx",
        "an imported file",
        lambda word: word_file(
            '<w:altChunk r:id="x1"/>', Extra("aFChunk", "chunk.html", f"<p>{word}</p>".encode())
        ),
    ),
    Place("docx", "the title of the document", _property),
]
