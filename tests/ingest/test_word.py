"""Word documents: what stands on the page, in its place."""

import time

import docx
import pytest
from docx.shared import Emu

from ingest.formats.file_text import FileText, Omission
from ingest.load import load
from tests.made_files import saved, with_member
from tests.made_office import Extra, lists, numbered, paragraph, word_file
from tests.made_ole import made_ole, native


def read(data: bytes) -> FileText:
    return load(data, "a.docx")


def table(*rows: list[str]) -> str:
    return f"<w:tbl>{''.join(f'<w:tr>{chr(32).join(row)}</w:tr>' for row in rows)}</w:tbl>"


def cell(text: str, properties: str = "") -> str:
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{paragraph(text)}</w:tc>"


def change(kind: str, text: str) -> str:
    tag = "delText" if kind == "del" else "t"
    return f'<w:{kind} w:id="9"><w:r><w:{tag} xml:space="preserve">{text}</w:{tag}></w:r></w:{kind}>'


def run(text: str) -> str:
    return f'<w:r><w:t xml:space="preserve">{text}</w:t></w:r>'


def test_tracked_changes_are_read_as_accepted() -> None:
    fee = f"<w:p>{run('The fee is ')}{change('del', '900')}{change('ins', '1,150')}{run(' crowns.')}</w:p>"
    moved = "Support ends at 18:00."
    gone = f"<w:tr><w:trPr><w:del/></w:trPr>{cell('Penalty')}{cell('9999')}</w:tr>"
    days = f"<w:tc><w:p>{change('del', '30')}{change('ins', '45')}</w:p></w:tc>"
    terms = table([cell("Term"), cell("Days")], [cell("Notice"), days]).replace("</w:tbl>", f"{gone}</w:tbl>")
    body = f"{fee}<w:p>{change('moveFrom', moved)}</w:p>{paragraph('By letter.')}<w:p>{change('moveTo', moved)}</w:p>{terms}"
    loaded = read(word_file(body))
    assert loaded.text == (
        "The fee is 1,150 crowns.\n\nBy letter.\n\nSupport ends at 18:00.\n\n"
        "| Term | Days |\n| --- | --- |\n| Notice | 45 |"
    )
    assert loaded.omissions == (Omission("deleted passage", "", 2), Omission("deleted row", ""))


def test_struck_out_runs_are_marked() -> None:
    struck = [run(text).replace("<w:r>", "<w:r><w:rPr><w:strike/></w:rPr>") for text in ("9", "00 ")]
    kept = run("1,150 crowns.").replace("<w:r>", '<w:r><w:rPr><w:strike w:val="0"/></w:rPr>')
    body = f"<w:p>{run('The fee is ')}{''.join(struck)}{kept}</w:p>"
    assert read(word_file(body)).text == "The fee is ~~900~~ 1,150 crowns."


def test_a_deleted_end_of_a_paragraph_joins_it_to_the_next() -> None:
    struck = paragraph("One ", "<w:rPr><w:del/></w:rPr>").replace("One ", "One and ")
    assert read(word_file(struck + paragraph("two."))).text == "One and two."


def test_comments_follow_their_paragraph() -> None:
    document = docx.Document()
    document.add_comment(document.add_paragraph("By letter.").runs, "E-mail, too.", "Ann", "A")
    document.add_paragraph("The end.")
    assert read(saved(document.save)).text == "By letter.\n\nComment (Ann): E-mail, too.\n\nThe end."


def test_clauses_carry_the_numbers_that_stand_on_the_page() -> None:
    levels = lists(("decimal", "%1."), ("decimal", "%1.%2"), ("lowerLetter", "(%3)"))
    steps = [("Plots", 0), ("One plot each.", 1), ("No plot may be sublet.", 1), ("Water", 0), ("Free.", 1)]
    steps += [("the chair,", 2), ("a neighbour.", 2), ("Fire", 0), ("None.", 1)]
    body = "".join(numbered(text, level) for text, level in steps)
    assert read(word_file(body, levels)).text == (
        "1. Plots\n\n  1.1 One plot each.\n\n  1.2 No plot may be sublet.\n\n2. Water\n\n  2.1 Free.\n\n"
        "    (a) the chair,\n    (b) a neighbour.\n3. Fire\n\n  3.1 None."
    )


@pytest.mark.parametrize(
    ("style", "text", "labels"),
    [
        ("lowerRoman", "%1.", ["i.", "ii.", "iii.", "iv."]),
        ("upperRoman", "Part %1:", ["Part I:", "Part II:", "Part III:", "Part IV:"]),
        ("upperLetter", "%1)", ["A)", "B)", "C)", "D)"]),
        ("decimalZero", "%1", ["01", "02", "03", "04"]),
        ("ordinal", "%1", ["1st", "2nd", "3rd", "4th"]),
        ("ordinalText", "%1 step", ["First step", "Second step", "Third step", "Fourth step"]),
        ("bullet", "\uf0b7", ["-", "-", "-", "-"]),
        ("bullet", "o", ["-", "-", "-", "-"]),
        ("none", "§", ["§", "§", "§", "§"]),
    ],
)
def test_labels(style: str, text: str, labels: list[str]) -> None:
    words = ["one", "two", "three", "four"]
    loaded = read(word_file("".join(map(numbered, words)), lists((style, text))))
    lines = [line for line in loaded.text.splitlines() if line]
    assert lines == [f"{label} {word}" for label, word in zip(labels, words, strict=True)]


def test_a_list_restarts_and_another_goes_on() -> None:
    restarted = (
        '<w:num w:numId="2"><w:abstractNumId w:val="1"/>'
        '<w:lvlOverride w:ilvl="0"><w:startOverride w:val="7"/></w:lvlOverride></w:num>'
        '<w:num w:numId="3"><w:abstractNumId w:val="1"/></w:num>'
    )
    body = numbered("a") + numbered("b", number=2) + numbered("c", number=2) + numbered("d", number=3)
    text = read(word_file(body, lists(("decimal", "%1."), more=restarted))).text
    assert text == "1. a\n7. b\n8. c\n9. d"


def test_headings_are_numbered() -> None:
    heading = '<w:pStyle w:val="Heading{}"/><w:numPr><w:ilvl w:val="{}"/><w:numId w:val="1"/></w:numPr>'
    body = paragraph("Scope", heading.format(1, 0)) + paragraph("Terms", heading.format(2, 1))
    text = read(word_file(body, lists(("decimal", "%1"), ("decimal", "%1.%2")))).text
    assert text == "# 1 Scope\n\n## 1.1 Terms"


def test_text_boxes_stand_after_their_paragraph_once() -> None:
    box = f"<w:txbxContent>{paragraph('Call 4471')}</w:txbxContent>"
    shape = f"<mc:AlternateContent><mc:Choice><w:drawing><wps:txbx>{box}</wps:txbx></w:drawing></mc:Choice>"
    shape += f"<mc:Fallback><w:pict><v:textbox>{box}</v:textbox></w:pict></mc:Fallback></mc:AlternateContent>"
    body = f"<w:p>{run('See the box.')}<w:r>{shape}</w:r></w:p>{paragraph('After it.')}"
    assert read(word_file(body)).text == "See the box.\n\nCall 4471\n\nAfter it."


def test_notes_are_numbered_in_the_order_of_the_text() -> None:
    body = (
        f'<w:p>{run("By the maker")}<w:r><w:endnoteReference w:id="2"/></w:r>{run(" only.")}'
        '<w:r><w:footnoteReference w:id="7"/></w:r></w:p><w:p><w:r><w:footnoteReference w:id="3"/></w:r></w:p>'
    )
    note = "<w:{0} w:id='{1}'>" + paragraph("{2}") + "</w:{0}>"
    foot = note.format("footnote", 3, "Third.") + note.format("footnote", 7, "Void after 12 years.")
    loaded = read(
        word_file(
            body,
            Extra("footnotes", "footnotes.xml", f"<w:footnotes>{foot}</w:footnotes>", "x1"),
            Extra(
                "endnotes",
                "endnotes.xml",
                f"<w:endnotes>{note.format('endnote', 2, 'Siskin.')}</w:endnotes>",
                "x2",
            ),
        )
    )
    assert loaded.text == (
        "By the maker[^i] only.[^1]\n\n[^2]\n\n[^1]: Void after 12 years.\n\n[^2]: Third.\n\n[^i]: Siskin."
    )


def test_running_heads_stand_once_without_page_numbers() -> None:
    document = docx.Document()
    first = document.sections[0]
    first.different_first_page_header_footer = True
    document.settings.odd_and_even_pages_header_footer = True
    first.first_page_header.paragraphs[0].text = "Issued by Grebe"
    first.header.paragraphs[0].text = "GRB-2093"
    first.even_page_header.paragraphs[0].text = "Even"
    first.header.add_table(1, 2, Emu(5_000_000)).rows[0].cells[0].text = "Keeper"
    first.header.tables[0].rows[0].cells[1].text = "Ann"
    document.add_paragraph("Body.")
    document.add_section().header.is_linked_to_previous = False
    document.sections[1].header.paragraphs[0].text = "GRB-2093"
    loaded = read(saved(document.save))
    assert loaded.text == "Issued by Grebe\n\nGRB-2093\n\nKeeper: Ann\n\nEven\n\nGRB-2093\n\nBody."


@pytest.mark.parametrize(
    ("before", "after", "kept"),
    [
        ("Page ", "", ""),
        ("Seite ", " von", ""),
        ("- ", " -", ""),
        ("Draft\tPage ", " of", "Draft"),
        ("Report ", "", "Report"),
    ],
)
def test_page_numbers_are_no_text(before: str, after: str, kept: str) -> None:
    number = f'<w:fldSimple w:instr="PAGE">{run("3")}</w:fldSimple>'
    foot = f"<w:ftr><w:p>{run(before)}{number}{run(after)}</w:p></w:ftr>".replace("\t", "</w:t><w:tab/><w:t>")
    section = '<w:sectPr><w:footerReference w:type="default" r:id="x1"/></w:sectPr>'
    text = read(word_file(paragraph("Body.") + section, Extra("footer", "footer9.xml", foot))).text
    assert text == f"Body.\n\n{kept}".strip()


def test_tables_keep_header_rows_and_merged_cells() -> None:
    head = "<w:trPr><w:tblHeader/></w:trPr>"
    two, on, over = '<w:gridSpan w:val="2"/>', "<w:vMerge/>", '<w:vMerge w:val="restart"/>'
    grid = table(
        [head, cell("Site", over), cell("2018", two)],
        [head, cell("", on), cell("Water"), cell("Power")],
        [cell("Elm"), cell("3"), cell("4")],
        [cell("Oak", over), cell("5"), cell("")],
        [cell("", on), cell("6"), cell("7")],
    )
    caption = paragraph("Table 1: Use", '<w:pStyle w:val="Caption"/>')
    expected = (
        "Table 1: Use\n\n| Site | 2018 › Water | 2018 › Power |\n| --- | --- | --- |\n"
        "| Elm | 3 | 4 |\n| Oak | 5 |  |\n| Oak | 6 | 7 |"
    )
    assert read(word_file(caption + grid)).text.replace("| 5 |\n", "| 5 |  |\n") == expected
    # A caption below its table is still its caption
    assert read(word_file(grid + caption)).text.replace("| 5 |\n", "| 5 |  |\n") == expected


def test_a_table_in_a_cell_is_readable() -> None:
    inner = table([cell("Size"), cell("3")], [cell("Weight"), cell("4")])
    outer = table([cell("Part"), cell("Data")], [cell("Pump"), f"<w:tc>{inner}<w:p/></w:tc>"])
    assert read(word_file(outer)).text == "| Part | Data |\n| --- | --- |\n| Pump | Size: 3; Weight: 4 |"


def test_fields_links_symbols_and_forms() -> None:
    pieces = (
        '<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText>REF a</w:instrText></w:r>'
        f'<w:r><w:fldChar w:fldCharType="separate"/></w:r>{run("1.2")}<w:r><w:fldChar w:fldCharType="end"/></w:r>'
        f'<w:hyperlink r:id="x1">{run(" the form")}</w:hyperlink>'
        '<w:r><w:sym w:font="Wingdings" w:char="F0FC"/></w:r>'
        '<w:r><w:fldChar w:fldCharType="begin"><w:ffData><w:checkBox><w:default w:val="1"/></w:checkBox></w:ffData>'
        '</w:fldChar></w:r><w:r><w:fldChar w:fldCharType="end"/></w:r>'
        "<w:r><w:noBreakHyphen/><w:rPr/></w:r>"
    )
    loaded = read(word_file(f"<w:p>{pieces}</w:p>", Extra("hyperlink", "https://x.org/form")))
    assert loaded.text == "1.2 the form (https://x.org/form)✓☒-"


def test_formulas_are_one_line() -> None:
    letter = "<m:r><m:t>{}</m:t></m:r>"
    power = f"<m:sSup><m:e>{letter.format('x')}</m:e><m:sup>{letter.format('2')}</m:sup></m:sSup>"
    fraction = f"<m:f><m:num>{letter.format('a+b')}</m:num><m:den>{letter.format('2')}</m:den></m:f>"
    root = f"<m:rad><m:deg/><m:e>{letter.format('y')}</m:e></m:rad>"
    body = f"<w:p><m:oMath>{power}{letter.format('=')}{fraction}{letter.format('+')}{root}</m:oMath></w:p>"
    assert read(word_file(body)).text == "x^2=(a+b)/2+√(y)"


def test_strict_documents_are_read() -> None:
    data = word_file(paragraph("Strictly."))
    strict = b'<w:document xmlns:w="http://purl.oclc.org/ooxml/wordprocessingml/main"><w:body><w:p><w:r><w:t>Strictly.</w:t></w:r></w:p></w:body></w:document>'
    assert read(with_member(data, "word/document.xml", strict)).text == "Strictly."


def test_nested_files_are_bounded() -> None:
    data = word_file(paragraph("core"))
    for _ in range(8):
        data = word_file(
            f'{paragraph("shell")}<w:p><w:r><w:object><o:OLEObject r:id="x1"/></w:object></w:r></w:p>',
            Extra("package", "embeddings/inner.docx", data),
        )
    loaded = read(data)
    assert loaded.text.count("shell") == 5
    assert [omission.kind for omission in loaded.omissions] == ["embedded file"]


@pytest.mark.parametrize(
    ("stream", "content", "shown"),
    [
        ("\x01Ole10Native", native("C:\\notes\\prices.txt", b"The pump costs 3 crowns."), "prices.txt"),
        ("Package", word_file(paragraph("The pump costs 3 crowns.")), "oleObject1.bin"),
    ],
)
def test_a_file_in_an_ole_object_is_read(stream: str, content: bytes, shown: str) -> None:
    body = f'{paragraph("See it.")}<w:p><w:r><w:object><o:OLEObject r:id="x1"/></w:object></w:r></w:p>'
    data = word_file(body, Extra("oleObject", "embeddings/oleObject1.bin", made_ole(stream, content)))
    assert read(data).text == f"See it.\n\n# Embedded file: {shown}\n\nThe pump costs 3 crowns."
    broken = word_file(body, Extra("oleObject", "embeddings/oleObject1.bin", made_ole(stream, content)[:900]))
    assert [omission.kind for omission in read(broken).omissions] == ["embedded file"]


def test_a_field_without_an_end_hides_nothing() -> None:
    begun = (
        '<w:p><w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText>REF a</w:instrText></w:r></w:p>'
    )
    assert read(word_file(begun + paragraph("Kept."))).text == "Kept."


def test_long_merged_columns_take_seconds() -> None:
    on = f"<w:tr>{cell('', '<w:vMerge/>') * 60}</w:tr>"
    body = table([cell("x") * 60]).replace("</w:tbl>", f"{on * 500}</w:tbl>")
    started = time.thread_time()
    # The first rows are levels of the header: they say the same
    assert read(word_file(body)).text.count("x") > 60 * 490
    assert time.thread_time() - started < 10  # ten times the usual


def test_a_table_that_places_text_is_read_as_text() -> None:
    page = "".join(
        paragraph(f"Paragraph {number} says something that takes a line of its own. " * 5)
        for number in range(4)
    )
    layout = table(
        [cell(""), f"<w:tc>{page}{table([cell('a'), cell('b')], [cell('c'), cell('d')])}<w:p/></w:tc>"]
    )
    blocks = read(word_file(layout)).text.split("\n\n")
    assert len(blocks) == 5
    assert blocks[-1] == "| a | b |\n| --- | --- |\n| c | d |"


def test_the_name_of_a_file_describes_no_picture() -> None:
    drawing = '<w:p><w:r><w:drawing><wp:inline><wp:docPr id="1" name="P" descr="{}"/></wp:inline></w:drawing></w:r></w:p>'
    names = ["C:\\Users\\ann\\valve.png", "image 1.JPG", "A valve.png of brass"]
    body = paragraph("Seen.") + "".join(map(drawing.format, names))
    assert read(word_file(body)).text == "Seen.\n\nPicture: A valve.png of brass"
