"""Each bad file gives its own clear error, at little cost."""

import io
import time
import tracemalloc
import zipfile
import zlib
from dataclasses import replace

import pytest
from reportlab.lib.pdfencrypt import StandardEncryption

from ingest.formats.file_text import FileLimits
from ingest.load import load
from rag.errors import UnreadableFile
from tests.made_files import make_docx, make_pdf, make_pptx, make_xlsx, make_zip, with_member


def refusal(data: bytes, name: str, limits: FileLimits | None = None) -> str:
    with pytest.raises(UnreadableFile) as caught:
        load(data, name, limits=limits or FileLimits())
    assert str(caught.value).startswith(name)
    return str(caught.value)


PDF = make_pdf(["One page."])
DOCX = make_docx()
PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)


@pytest.mark.parametrize(
    ("data", "name", "message"),
    [
        (b"", "a.txt", "is empty (0 bytes)"),
        (b" \n\t", "a.md", "has no text"),
        (PNG, "a.txt", "is a PNG image; Ibid reads txt,"),
        (PNG, "a.png", "is a PNG image; Ibid reads txt,"),
        (PDF, "a.docx", "is a PDF, not a Word document as its suffix says; rename it to end in .pdf"),
        (PDF, "a.txt", "is a PDF, not text"),
        (DOCX, "a.xlsx", "is a Word document, not an Excel workbook"),
        (b"plain", "a.pdf", "is not a PDF"),
        (b"plain", "a.docx", "is not a Word document"),
        (b"ab\0cd", "a.txt", "looks binary"),
        (b"x" * 500 + b"\0", "a.txt", "looks binary"),
        (bytes(range(256)) * 4, "a.bin", "binary"),
        (b"\xff\xfea", "a.txt", "looks like utf-16-le but is broken"),
        (OLE, "a.doc", "save it as .docx"),
        (OLE + "EncryptedPackage".encode("utf-16-le"), "a.xlsx", "is encrypted; remove the password"),
        (DOCX[:-200], "a.docx", "damaged or truncated"),
        (DOCX[:40] + DOCX[300:], "a.docx", "damaged"),
        (PDF[: len(PDF) // 2], "a.pdf", "is truncated"),
        (b"%PDF-1.7 nothing %%EOF", "a.pdf", "is damaged: no page can be read"),
        (make_pdf([]), "a.pdf", "has no text layer (a scan?); install ibid[ocr]"),
        (make_zip({"a.txt": b"x"}), "a.zip", "is a zip archive; Ibid reads"),
        (make_zip({"word/document.xml": b"<broken"}), "a.docx", "is damaged"),
        (
            make_zip({"xl/workbook.bin": b"x"}),
            "a.xlsb",
            "is a binary Excel workbook (.xlsb); save it as .xlsx",
        ),
        (make_zip({"Index.zip": b"x"}), "a.pages", "is an Apple Pages document; export it as .docx or PDF"),
        (make_zip({"Index/Document.iwa": b"x"}), "a", "is an Apple iWork document; export it as"),
        (b'{"a": 1', "a.json", "is not valid JSON: Expecting ',' delimiter at line 1, column 8"),
        (b"[" * 100_000, "a.json", "is nested too deeply"),
        (b"<div>" * 3000, "a.html", "is nested too deeply"),
        (b'a,b\n"' + b"x" * 200_000, "a.csv", "is not valid CSV near line"),
        (b"hello", "a.eml", "has no From and no Subject line"),
    ],
)
def test_bad_files(data: bytes, name: str, message: str) -> None:
    assert message in refusal(data, name)


@pytest.mark.parametrize("strength", [40, 128])
def test_encrypted_pdf(strength: int) -> None:
    locked = make_pdf(["Secret."], encrypt=StandardEncryption("user", "owner", strength=strength))
    assert refusal(locked, "a.pdf") == "a.pdf is encrypted; remove the password and upload it again."
    open_to_read = make_pdf(["Public."], encrypt=StandardEncryption("", "owner", strength=strength))
    assert load(open_to_read, "a.pdf").text == "Public."


def test_limits() -> None:
    assert "expected at most 3" in refusal(b"four", "a.txt", FileLimits(max_file_bytes=3))
    assert "more than 3 characters" in refusal(b"four", "a.txt", FileLimits(max_characters=3))
    assert "expected at most 1,000 bytes" in refusal(DOCX, "a.docx", FileLimits(max_unpacked_bytes=1000))
    pdf, deck = make_pdf(["1"], ["2"]), make_pptx()
    assert "has 2 pages; expected at most 1" in refusal(pdf, "a.pdf", FileLimits(max_pages=1))
    assert "has 3 slides; expected at most 2" in refusal(deck, "a.pptx", FileLimits(max_pages=2))
    assert "has 3 sheets; expected at most 2" in refusal(make_xlsx(), "a.xlsx", FileLimits(max_pages=2))
    assert "more than 50 characters" in refusal(make_xlsx(), "a.xlsx", FileLimits(max_characters=50))


def zip_bomb() -> bytes:
    """Make a docx of 1.1 MB that declares 1.1 GB."""
    stream = io.BytesIO()
    with (
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("word/document.xml", "w") as part,
    ):
        for _ in range(110):
            part.write(bytes(10_000_000))
    return stream.getvalue()


def lie_about_size(data: bytes, name: str, true_bytes: int, stated_bytes: int) -> bytes:
    """Make both headers of a member state a smaller size, and the checksum of the shortened content."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive, archive.open(name) as part:
        wrong = zlib.crc32(part.read(stated_bytes)).to_bytes(4, "little")
        right = archive.getinfo(name).CRC.to_bytes(4, "little")
    shorter = data.replace(true_bytes.to_bytes(4, "little"), stated_bytes.to_bytes(4, "little"))
    return shorter.replace(right, wrong)


def test_zip_bombs_cost_neither_time_nor_memory() -> None:
    bomb = zip_bomb()
    honest = refusal_within(bomb, seconds=20, megabytes=20)
    assert "would unpack to 1,100,000,000 bytes" in honest
    lying = lie_about_size(bomb, "word/document.xml", 1_100_000_000, 1000)
    assert "is damaged" in refusal_within(lying, seconds=20, megabytes=20)


def refusal_within(data: bytes, *, seconds: float, megabytes: float) -> str:
    refusal(DOCX[:-200], "a.docx")  # triggers the imports of the first use
    tracemalloc.start()
    started = time.thread_time()
    message = refusal(data, "a.docx")
    elapsed, peak = time.thread_time() - started, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert elapsed < seconds
    assert peak < megabytes * 1e6
    return message


def test_dense_zip_below_the_absolute_bound() -> None:
    dense = with_member(DOCX, "word/media/x.bin", bytes(30_000_000))
    assert "times its size" in refusal(dense, "a.docx")
    roomy = replace(FileLimits(), max_expansion_ratio=10_000)
    assert load(dense, "a.docx", limits=roomy).text.startswith("Confidential")


@pytest.mark.parametrize("part", ["docx", "pptx", "xlsx"])
def test_xml_entities_are_refused(part: str) -> None:
    data, member = {
        "docx": (DOCX, "word/document.xml"),
        "pptx": (make_pptx(), "ppt/presentation.xml"),
        "xlsx": (make_xlsx(), "xl/workbook.xml"),
    }[part]
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    for encoding in ("utf-8", "utf-16"):
        xml = (
            f'<?xml version="1.0" encoding="{encoding}"?><!DOCTYPE a [<!ENTITY l0 "ha">{laughs}]><a>&l9;</a>'
        )
        assert "declares XML entities" in refusal(
            with_member(data, member, xml.encode(encoding)), f"a.{part}"
        )


def test_one_cell_far_away() -> None:
    far = make_xlsx()
    with zipfile.ZipFile(io.BytesIO(far)) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml")
    moved = sheet.replace(b'<row r="7"', b'<row r="99999999999"').replace(b'r="E7"', b'r="E99999999"')
    message = refusal(with_member(far, "xl/worksheets/sheet1.xml", moved), "a.xlsx")
    assert "more than 5,000,000 cells" in message


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("a.html", '<a href="https://x.org/a">b</a> ' * 10_000),
        ("a.html", "<p>t</p><noscript>abc def</noscript>" * 3_000),
        ("a.html", "<p>q?</p><div hidden>words</div>" * 5_000),
        ("a.html", f"<table>{'<tr><td>a<td>b' * 10_000}</table>"),
        ("a.xml", f"<article>{'<para>a <emphasis>b</emphasis></para>' * 5_000}</article>"),
        ("a.tex", "x \\begin{verbatim}" * 500 + "\\newcommand{\\b}{\\c\\c}\\newcommand{\\c}{\\b\\b} y"),
        ("a.csv", "a,b\n" + '"x,y\n' * 20_000),
        ("a.srt", "00:00:01,000 --> 00:00:02,000\nx\n" * 10_000),
        ("a.eml", "From: a\nSubject: s\nContent-Type: text/plain; format=flowed\n\n" + "a \n" * 50_000),
        ("a.adoc", "*a" * 20_000),
    ],
)
def test_repetitive_files_take_linear_time(name: str, source: str) -> None:
    load(b"x", "b.txt")
    started = time.thread_time()
    load(source.encode(), name)
    # Ten times the usual; what takes quadratic time takes minutes.
    assert time.thread_time() - started < 15
