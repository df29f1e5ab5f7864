"""OpenDocument texts, spreadsheets and presentations as a person reads them."""

import pytest

from ingest.formats.file_text import FileText, Omission
from ingest.load import load
from rag.errors import UnreadableFile
from tests.made_files import with_member
from tests.made_opendocument import box, open_document, rows, slide


def text(body: str, automatic: str = "", masters: str = "") -> FileText:
    return load(open_document("text", body, automatic, masters), "a.odt")


LIST = (
    '<text:list-style style:name="L"><text:list-level-style-number text:level="1" style:num-format="1"'
    ' style:num-suffix="."/><text:list-level-style-number text:level="2" style:num-format="a" style:num-suffix=")"/>'
    '<text:list-level-style-number text:level="3" style:num-format="1" text:display-levels="3"/></text:list-style>'
)


def items(*texts: str, attributes: str = "", inner: str = "") -> str:
    listed = "".join(f"<text:list-item><text:p>{one}</text:p></text:list-item>" for one in texts)
    inner = f"<text:list-item>{inner}</text:list-item>" if inner else ""
    return f'<text:list text:style-name="L"{attributes}>{listed}{inner}</text:list>'


def test_headings_paragraphs_and_numbered_lists() -> None:
    deepest = items("deep")
    nested = f"<text:list><text:list-item><text:p>b</text:p>{deepest}</text:list-item></text:list>"
    body = (
        '<text:p text:style-name="Title">Manual</text:p><text:h text:outline-level="2">The pump</text:h>'
        '<text:p>It<text:s text:c="2"/>pumps<text:line-break/>water.<text:tab/>Always.</text:p>'
        f"{items('one', 'two', inner=nested)}<text:p>Between.</text:p>"
        f"{items('three', attributes=' text:continue-numbering=' + chr(34) + 'true' + chr(34))}"
    )
    assert text(body, LIST).text == (
        "# Manual\n\n## The pump\n\nIt  pumps\nwater.\tAlways.\n\n1. one\n2. two\n  a) b\n\n    2.a.1 deep\n\n"
        "Between.\n\n3. three"
    )


def test_notes_comments_links_and_changes() -> None:
    note = (
        '<text:note text:note-class="footnote"><text:note-citation>1</text:note-citation>'
        "<text:note-body><text:p>Source</text:p></text:note-body></text:note>"
    )
    comment = "<office:annotation><dc:creator>Ann</dc:creator><text:p>Really?</text:p></office:annotation>"
    link = '<text:a xlink:href="https://x.org/form">the form</text:a>'
    change = (
        "<text:tracked-changes><text:changed-region><text:deletion><text:p>gone</text:p></text:deletion>"
        "</text:changed-region></text:tracked-changes>"
    )
    loaded = text(f"{change}<text:p>See {link}{note}{comment}.</text:p><text:p>Next.</text:p>")
    assert loaded.text == (
        "See the form (https://x.org/form)[^1].\n\nComment (Ann): Really?\n\nNext.\n\n[^1]: Source"
    )
    assert loaded.omissions == (Omission("deleted passage", ""),)


def test_tables_keep_header_rows_spans_and_captions() -> None:
    head = (
        "<table:table-header-rows><table:table-row>"
        '<table:table-cell table:number-rows-spanned="2"><text:p>Site</text:p>'
        '</table:table-cell><table:table-cell table:number-columns-spanned="2"><text:p>2018</text:p></table:table-cell>'
        "<table:covered-table-cell/></table:table-row><table:table-row><table:covered-table-cell/><table:table-cell>"
        "<text:p>Water</text:p></table:table-cell><table:table-cell><text:p>Power</text:p></table:table-cell>"
        "</table:table-row></table:table-header-rows>"
    )
    grid = rows(["Elm", "3", "4"]).replace('"Sheet1">', f'"T">{head}')
    caption = '<text:p>Table <text:sequence text:name="Table">1</text:sequence>: Use</text:p>'
    expected = "Table 1: Use\n\n| Site | 2018 › Water | 2018 › Power |\n| --- | --- | --- |\n| Elm | 3 | 4 |"
    assert text(caption + grid).text == expected
    assert text(grid + caption).text == expected


def test_running_heads_hidden_text_and_pictures() -> None:
    masters = (
        '<style:master-page style:name="S"><style:header><text:p>Draft</text:p></style:header><style:footer><text:p>'
        "Page <text:page-number>3</text:page-number></text:p></style:footer></style:master-page>"
    )
    hidden = '<style:style style:name="H"><style:text-properties text:display="none"/></style:style>'
    frame = "<draw:frame><draw:image/><svg:desc>A red valve</svg:desc></draw:frame>"
    loaded = text(
        f'<text:p>Seen<text:span text:style-name="H">unseen</text:span>{frame}</text:p>',
        hidden,
        masters=masters,
    )
    assert loaded.text == "Draft\n\nSeen\n\nPicture: A red valve"
    assert {one.kind for one in loaded.omissions} == {"hidden passage", "image"}


def test_charts_and_formulas() -> None:
    values = rows(["", "Adults"], ["2029", "7"])
    chart = (
        "<office:document-content><office:body><office:chart><chart:chart><chart:title><text:p>Sales</text:p>"
        f"</chart:title>{values}</chart:chart></office:chart></office:body></office:document-content>"
    )
    formula = (
        "<math:math><math:semantics><math:annotation>E = m c^2</math:annotation></math:semantics></math:math>"
    )
    frame = '<draw:frame><draw:object xlink:href="./Object {0}"/></draw:frame>'
    body = f"<text:p>{frame.format(1)}</text:p><text:p>{frame.format(2)}</text:p>"
    more = {"Object 1/content.xml": chart, "Object 2/content.xml": formula}
    assert load(open_document("text", body, more=more), "a.odt").text == (
        "Sales\n\n|  | Adults |\n| --- | --- |\n| 2029 | 7 |\n\nE = m c^2"
    )


def test_sheets_are_pages_with_displayed_values() -> None:
    sheet = rows(["Register"], [], ["Well", "Depth"], ["K-1", "00090"], name="Wells")
    sheet = sheet.replace(
        "<table:table-row></table:table-row>", '<table:table-row table:number-rows-repeated="3"/>'
    )
    comment = "<office:annotation><dc:creator>Ann</dc:creator><text:p>dry</text:p></office:annotation>"
    sheet = sheet.replace("<text:p>K-1</text:p>", f"{comment}<text:p>K-1</text:p>")
    empty = '<table:table table:name="Empty"><table:table-row table:number-rows-repeated="1048576"/></table:table>'
    loaded = load(open_document("spreadsheet", sheet + empty), "a.ods")
    assert loaded.text == (
        "## Wells\n\nRegister\n\n| Well | Depth | Comments |\n| --- | --- | --- |\n| K-1 | 00090 | A6, Ann: dry |"
    )
    assert len(loaded.pages) == 2


@pytest.mark.parametrize("repeated", ["table:number-columns-repeated", "table:number-rows-repeated"])
def test_cells_repeated_without_end_are_refused(repeated: str) -> None:
    tag = "table:table-cell" if "columns" in repeated else "table:table-row"
    sheet = rows(["x"]).replace(f"<{tag}", f'<{tag} {repeated}="99999999"', 1)
    with pytest.raises(UnreadableFile, match="more than 5,000,000 cells"):
        load(open_document("spreadsheet", sheet), "a.ods")


def test_slides_in_reading_order() -> None:
    notes = f"<presentation:notes>{box('Speak slowly.', kind='notes')}</presentation:notes>"
    shapes = box("Right", 5, 3) + box("Left", 0, 3) + box("Plan", 0, 0, "title") + notes
    fixed = box("Avocet museum") + box("Click", 0, 0, "title")
    masters = f'<style:master-page style:name="M">{fixed}</style:master-page>'
    deck = open_document("presentation", slide(shapes) + slide("", "page2"), masters=masters)
    loaded = load(deck, "a.odp")
    assert loaded.text == "## Plan\n\nLeft\n\nRight\n\nNotes: Speak slowly.\n\nAvocet museum"
    assert len(loaded.pages) == 2


def test_encrypted_and_broken_files() -> None:
    data = open_document("text", "<text:p>Secret</text:p>")
    locked = with_member(data, "META-INF/manifest.xml", b"<m><encryption-data/></m>")
    with pytest.raises(UnreadableFile, match=r"a.odt is encrypted; remove the password"):
        load(locked, "a.odt")
    with pytest.raises(UnreadableFile, match="is damaged"):
        load(with_member(data, "content.xml", b"<broken"), "a.odt")
    with pytest.raises(UnreadableFile, match="is an OpenDocument text, not an OpenDocument spreadsheet"):
        load(data, "a.ods")


def test_deep_lists_lose_nothing() -> None:
    deep = "<text:list><text:list-item>" * 60 + "<text:p>deep</text:p>" + "</text:list-item></text:list>" * 60
    assert "deep" in text(deep).text
