"""Files made with the real libraries, and the exact text that each must yield."""

import io
import json
import subprocess
import sys
import time
import zipfile
from bisect import bisect_right
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.formats.file_text import Omission, from_pages
from ingest.formats.plain.delimited import delimiter_of
from ingest.formats.signature import supported
from ingest.load import load
from ingest.names import document_name
from rag.errors import InvalidName, UnreadableFile
from tests.made_files import make_docx, make_pdf, make_pptx, make_xlsx, with_member

ORDINARY = st.characters(exclude_categories=("Cc", "Cs"), include_characters="\t\n\r")


# Text


@given(st.text(ORDINARY, min_size=1).filter(lambda text: text.strip() and text[0] != "\ufeff"))
def test_txt_and_md_are_the_files_own_text(text: str) -> None:
    for name in ("a.txt", "a.md"):
        assert load(text.encode(), name).text == text
    assert load(b"\xef\xbb\xbf" + text.encode(), "a.txt").text == text
    assert load(b"\xff\xfe" + text.encode("utf-16-le"), "a.txt").text == text


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Grüße\r\n aus  Zürich \r\n", "utf-8"),
        ("Grüße", "utf-8-sig"),
        ("Grüße 😀", "utf-16"),
        ("Grüße 😀", "utf-32"),
        ("plain without a mark", "utf-16-le"),
        ("plain without a mark", "utf-16-be"),
        ("naïve", "latin-1"),
        ("5 € für Café", "cp1252"),
        ("Привет, как дела сегодня", "cp1251"),
        ("日本語のテキストです。これは試験です", "shift_jis"),
    ],
)
def test_encodings(text: str, encoding: str) -> None:
    loaded = load(text.encode(encoding), "a.txt")
    assert (loaded.text, loaded.pages, loaded.metadata) == (text, (), {"format": "txt"})


@pytest.mark.parametrize("name", ["a.log", "README", "a.unknown", "A.TXT"])
def test_other_text_is_read_as_txt(name: str) -> None:
    assert load(b"x = 1\r\n", name).metadata["format"] == "txt"
    assert load(b"x = 1\r\n", name).text == "x = 1\r\n"


# Formats


def test_pdf() -> None:
    hyphenated = ["A remark-", "able pump that", "pumps. It", "Stops when Smith-", "Jones says so."]
    loaded = load(make_pdf(hyphenated, [], ["Page three."]), "a.pdf")
    first = "A remarkable pump that pumps. It\nStops when Smith-Jones says so."
    assert loaded.text == f"{first}\n\nPage three."
    assert loaded.pages == (0, len(first) + 2, len(first) + 2)
    created = loaded.metadata["created"]
    assert isinstance(created, str)
    assert len(created) == len("2024-01-02T03:04:05")
    assert {key: loaded.metadata[key] for key in ("format", "title", "author")} == {
        "format": "pdf",
        "title": "Annual report",
        "author": "A. Author",
    }


def test_pdf_of_300_pages_takes_seconds() -> None:
    data = make_pdf(*[[f"Line {line} of page {page}." for line in range(45)] for page in range(300)])
    started = time.thread_time()
    loaded = load(data, "a.pdf")
    assert time.thread_time() - started < 10  # ten times the usual
    assert loaded.text[loaded.pages[299] :].startswith("Line 0 of page 299.")


def test_docx() -> None:
    loaded = load(make_docx(), "a.docx")
    assert loaded.text == (
        "Confidential\n\n# The pump\n\nIt pumps\nwater.\n\n## Parts\n\n- valve\n1. seal\n\n"
        "| part | price\\|€ |\n| --- | --- |\n| valve | 12 |\n\nThe end."
    )
    assert loaded.pages == ()
    assert (loaded.metadata["title"], loaded.metadata["author"]) == ("Manual", "Ann")


def test_docx_footnotes_insertions_and_controls() -> None:
    space = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    body = (
        "<w:sdt><w:sdtContent><w:p><w:r><w:t>In a control</w:t></w:r></w:p></w:sdtContent></w:sdt>"
        "<w:p><w:ins><w:r><w:t>new</w:t></w:r></w:ins><w:del><w:r><w:delText>old</w:delText></w:r></w:del>"
        '<w:r><w:footnoteReference w:id="2"/></w:r></w:p>'
    )
    notes = f'<w:footnotes {space}><w:footnote w:id="2"><w:p><w:r><w:t>Source</w:t></w:r></w:p></w:footnote>'
    relations = "word/_rels/document.xml.rels"
    data = with_member(
        make_docx(), "word/document.xml", f"<w:document {space}><w:body>{body}</w:body></w:document>".encode()
    )
    data = with_member(data, "word/footnotes.xml", f"{notes}</w:footnotes>".encode())
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/footnotes"
        link = f'<Relationship Id="n1" Type="{office}" Target="footnotes.xml"/></Relationships>'
        linked = archive.read(relations).replace(b"</Relationships>", link.encode())
    assert load(with_member(data, relations, linked), "a.docx").text == (
        "In a control\n\nnew[^1]\n\n[^1]: Source"
    )


def test_docx_text_boxes_and_spans() -> None:
    spaces = (
        'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
        ' xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
    )
    box = "<w:txbxContent><w:p><w:r><w:t>boxed</w:t></w:r></w:p></w:txbxContent>"
    cell = '<w:tc><w:tcPr><w:gridSpan w:val="{}"/></w:tcPr><w:p><w:r><w:t>x</w:t></w:r></w:p></w:tc>'
    body = (
        f"<w:p><w:r><mc:AlternateContent><mc:Choice>{box}</mc:Choice><mc:Fallback>{box}</mc:Fallback>"
        f"</mc:AlternateContent></w:r></w:p><w:tbl><w:tr>{cell.format(2)}</w:tr></w:tbl>"
        f"<w:tbl><w:tr>{cell.format(999999999)}{cell.format(1)}</w:tr></w:tbl>"
    )
    xml = f"<w:document {spaces}><w:body>{body}</w:body></w:document>"
    text = load(with_member(make_docx(), "word/document.xml", xml.encode()), "a.docx").text
    assert text.split("\n\n") == ["boxed", "x", "x: x"]


def test_pptx() -> None:
    loaded = load(make_pptx(), "a.pptx")
    first = "## Plan\n\n- buy\n  - sell\n\nNotes: Speak slowly."
    third = "## Slide 3\n\nabove\n\n| a | b |\n| --- | --- |\n| 1 | 2 |"
    assert loaded.text == f"{first}\n\n{third}"
    assert loaded.pages == (0, len(first) + 2, len(first) + 2)
    assert loaded.metadata["title"] == "Deck"


def test_xlsx() -> None:
    loaded = load(make_xlsx(), "a.xlsx")
    first = (
        "## 2024\n\n| item | when | cost |\n| --- | --- | --- |\n| pump | 2024-01-02 | 12 |\n"
        "| sum |  | =SUM(E4:E4) |\n|  |  | 25% |"
    )
    last = "## notes\n\na|b"
    assert loaded.text == f"{first}\n\n{last}"
    assert loaded.pages == (0, len(first) + 2, len(first) + 2)
    assert loaded.metadata["title"] == "Budget"


HTML = """<!doctype html><html lang=de><head><title>T &amp; x</title><meta name=author content=Me>
<style>p{}</style></head><body><nav>menu</nav><main><h1>Head</h1><p>A <b>bold</b> <a href=x>link</a>,<br>
a_b *x*.</p><ul><li>one<ul><li>sub</li></ul></li><li>two</li></ul><pre>x = 1
  y</pre><table><tr><th>a<th>b|c</tr><tr><td>1<td>2<br>3</tr></table><p hidden>unseen</p>
<script>alert(1)</script><!-- note --></main><footer>imprint</footer></body></html>"""


def test_html() -> None:
    loaded = load(HTML.encode(), "a.html")
    assert loaded.text == (
        "# Head\n\nA bold link,\na_b *x*.\n\n- one\n  - sub\n- two\n\n```\nx = 1\n  y\n```\n\n"
        "| a | b\\|c |\n| --- | --- |\n| 1 | 2 3 |\n\nimprint"
    )
    assert [omission.kind for omission in loaded.omissions] == ["navigation", "hidden text"]
    assert loaded.metadata == {"format": "html", "title": "T & x", "language": "de", "author": "Me"}
    assert load(HTML.encode(), "page").metadata["format"] == "html"
    cyrillic = '<meta charset="koi8-r"><p>да'.encode("koi8-r")
    assert load(cyrillic, "a.htm").text == "да"


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv(delimiter: str) -> None:
    rows = [["name", "note"], ["Ann", '"two\nlines | bar"'], [], ["Bob", "1.5"]]
    data = "\r\n".join(delimiter.join(row) for row in rows).encode()
    expected = "| name | note |\n| --- | --- |\n| Ann | two lines \\| bar |\n| Bob | 1.5 |"
    assert load(data, "a.csv").text == expected
    assert (
        delimiter_of(f'a{delimiter}b\n"x,y;z",{delimiter}2\n' if delimiter != "," else "a,b\n1,2")
        == delimiter
    )


def test_json() -> None:
    record = {"name": "Ann", "n": 1.10, "ok": True, "address": {"city": "Bonn"}, "tags": ["a", "b"]}
    lines = "name: Ann\nn: 1.1\nok: true\n\naddress.city: Bonn\n\ntags: a, b"
    assert load(json.dumps(record).encode(), "a.json").text == lines
    flat = [{"id": 1, "x": None}, {"id": 2, "y": "a|b"}]
    table = "| id | x | y |\n| --- | --- | --- |\n| 1 |\n| 2 |  | a\\|b |"
    assert load(json.dumps(flat).encode(), "a.json").text == table
    assert load("\n".join(map(json.dumps, flat)).encode(), "a.jsonl").text == table
    split = '{"a": "one\u2028two"}\r\n{"a": "three"}'  # legal JSON, and no end of a line
    assert "three" in load(split.encode(), "a.jsonl").text
    assert load(json.dumps({"rows": flat}).encode(), "a.json").text == f"## rows\n\n{table}"
    assert load(b'[{"a": {"b": 1.10}}, {"a": [{"z": 1}]}]', "a.json").text == "a.b: 1.10\n\na[0].z: 1"
    assert load(b'"half a pair: \\ud800"', "a.json").text == "half a pair: \ufffd"


def test_eml() -> None:
    message = EmailMessage()
    headers = {"From": "Ann <ann@x.org>", "To": "bob@y.org", "Subject": "Grüße"}
    for header, value in {**headers, "Date": "Mon, 02 Jan 2023 03:04:05 +0100"}.items():
        message[header] = value
    message.set_content("Hello,\nBob.\n")
    message.add_alternative("<p>Hello,<br>Bob.</p>", subtype="html")
    message.add_attachment(b"%PDF-", maintype="application", subtype="pdf", filename="a b.pdf")
    loaded = load(message.as_bytes(), "a.eml")
    assert loaded.text == (
        "From: Ann <ann@x.org>\nTo: bob@y.org\nDate: Mon, 02 Jan 2023 03:04:05 +0100\nSubject: Grüße\n"
        "Attachments: a b.pdf\n\nHello,\nBob."
    )
    assert loaded.metadata == {
        "format": "eml",
        "title": "Grüße",
        "subject": "Grüße",
        "from": "Ann <ann@x.org>",
        "date": "2023-01-02T03:04:05+01:00",
    }
    assert loaded.omissions == (Omission("attachment", "a b.pdf is truncated"),)
    only_html = b"Subject: s\nContent-Type: text/html; charset=latin-1\n\n<h1>caf\xe9</h1>"
    assert load(only_html, "a.eml").text == "Subject: s\n\n# café"


@given(st.lists(st.text("ab \n\r", max_size=6), min_size=1))
def test_page_offsets(pages: list[str]) -> None:
    loaded = from_pages(pages, {})
    assert loaded.pages[0] == 0
    assert list(loaded.pages) == sorted(loaded.pages)
    for number, page in enumerate(pages, start=1):
        content = page.replace("\r\n", "\n").replace("\r", "\n").strip()
        start = loaded.pages[number - 1]
        assert loaded.text[start : start + len(content)] == content
        assert not content or bisect_right(loaded.pages, start) == number


# Names


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("report.pdf", "report.pdf"),
        ("reports\\./2024//a b.pdf", "reports/2024/a b.pdf"),
        ("Zu\u0308rich 東京 😀.txt", "Z\u00fcrich 東京 😀.txt"),
        ("..a..b.txt", "..a..b.txt"),
    ],
)
def test_document_name(name: str, expected: str) -> None:
    assert document_name(name) == expected


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "names no file"),
        (" ", "names no file"),
        ("./.", "names no file"),
        ("folder/", "names no file"),
        ("../a.txt", "holds '..'"),
        ("a/..\\..\\b", "holds '..'"),
        ("/etc/passwd", "is absolute"),
        ("\\\\server\\a", "is absolute"),
        ("C:\\a.txt", "is absolute"),
        ("a\0.txt", "U+0000"),
        ("a\nb", "U+000A"),
        ("a\udcff", "U+DCFF"),
        ("a\u202etxt.exe", "U+202E"),
        ("x" * 513, "has 513 characters; expected at most 512"),
    ],
)
def test_bad_names(name: str, message: str) -> None:
    with pytest.raises(InvalidName) as caught:
        document_name(name)
    assert message in str(caught.value)


@given(st.text())
def test_a_document_name_is_its_own(name: str) -> None:
    try:
        once = document_name(name)
    except InvalidName:
        return
    assert document_name(once) == once
    assert not Path(once).is_absolute()
    assert ".." not in Path(once).parts


def test_names_in_messages_cannot_forge_log_lines() -> None:
    with pytest.raises(UnreadableFile, match=r"'a\\nERROR b.txt' is empty"):
        load(b"", "a\nERROR b.txt")


def test_supported() -> None:
    assert supported("a/B.PDF")
    assert not supported("a.exe")
    assert supported("mail.msg")


def test_format_libraries_are_imported_at_first_use() -> None:
    heavy = {"docx", "pptx", "openpyxl", "pypdfium2", "lxml"}
    code = f"import ingest.load, sys; print(sorted({heavy} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
