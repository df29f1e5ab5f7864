"""Rich Text Format as a person reads it."""

import time

import pytest

from ingest.formats.file_text import FileLimits, FileText, Omission
from ingest.load import load
from rag.errors import UnreadableFile


def rtf(body: str, head: str = "") -> FileText:
    fonts = r"{\f0\fcharset0 Times;}{\f1\fcharset204 Arial Cyr;}{\f2\fcharset128 MS Mincho;}{\f3\fcharset2 Symbol;}"
    return load(
        (rf"{{\rtf1\ansi\ansicpg1252{{\fonttbl{fonts}}}{head}" + body + "}").encode("latin-1"), "a.rtf"
    )


def test_characters_of_many_code_pages() -> None:
    body = r"caf\'e9 \f1 \'cf\'f0\'e8\f0  \f2 \'83\'65\'83\'58\f0  \u8364?5 \u-10179?\u-8704? a\~b\emdash c\f3\'b7"
    assert rtf(body).text == "café При テス €5 😀 a\u00a0b—c•"


def test_headings_lists_and_paragraphs() -> None:
    styles = r"{\stylesheet{\s1\outlinelevel0 heading 1;}{\s5 berschrift;}{\s2 heading 2;}}"
    body = (
        r"\pard\s1 The pump\par\pard\s2 Parts\par\pard{\listtext\pard\plain 1.\tab}\ls1 one\par"
        r"{\listtext 2.\tab}two\par{\listtext\f3 \'b7\tab}\ilvl1 dot\par\pard It pumps\line water.\par"
    )
    assert rtf(body, styles).text == "# The pump\n\n## Parts\n\n1. one\n2. two\n  - dot\n\nIt pumps\nwater."


def test_tables_with_merged_and_nested_cells() -> None:
    head = r"\trowd\trhdr\cellx1000\clmgf\cellx2000\clmrg\cellx3000\pard\intbl Site\cell 2018\cell\cell\row"
    second = r"\trowd\clvmgf\cellx1000\cellx2000\cellx3000\intbl Elm\cell 3\cell 4\cell\row"
    inner = r"{\itap2 a\nestcell b\nestcell\nestrow}"
    third = rf"\trowd\clvmrg\cellx1000\cellx2000\cellx3000\intbl\cell 5\cell {inner}\intbl\itap1\cell\row"
    assert rtf(rf"{head}{second}{third}\pard After.\par").text == (
        "| Site | 2018 | 2018 |\n| --- | --- | --- |\n| Elm | 3 | 4 |\n| Elm | 5 | a: b |\n\nAfter."
    )


def test_notes_comments_links_and_heads() -> None:
    link = r'{\field{\*\fldinst{HYPERLINK "https://x.org/form"}}{\fldrslt{the form}}}'
    page = r"{\field{\*\fldinst PAGE}{\fldrslt 3}}"
    body = (
        rf"{{\header Draft\par}}{{\footer Page {page}\par}}See {link}{{\footnote\pard\plain Source.}}"
        r"{\footnote\ftnalt End.}{\*\atnid A}{\*\atnauthor Ann}\chatn{\*\annotation Really?}.\par Next.\par"
    )
    assert rtf(body).text == (
        "Draft\n\nSee the form (https://x.org/form)[^1][^i].\n\nComment (Ann): Really?\n\nNext.\n\n"
        "[^1]: Source.\n\n[^i]: End."
    )


def test_what_is_not_on_the_page_is_named() -> None:
    body = (
        r"Seen{\v unseen}{\deleted gone}{\*\unknown nothing}{\pict\wmetafile8 0102}"
        r"{\shp{\*\shpinst{\sp{\sn wzDescription}{\sv A valve}}{\shptxt Boxed\par}}{\shprslt Boxed}}.\par"
    )
    loaded = rtf(body)
    assert loaded.text == "Seen.\n\nPicture: A valve\n\nBoxed"
    assert loaded.omissions == (
        *(Omission(kind, "") for kind in ("hidden passage", "deleted passage", "image")),
    )


def test_metadata() -> None:
    info = r"{\info{\title{\upr{?}{\*\ud\u1058?}}}{\author Ann}{\creatim\yr2031\mo5\dy2\hr7\min4}}"
    loaded = rtf("text", info)
    assert loaded.metadata == {
        "format": "rtf",
        "title": "Т",
        "author": "Ann",
        "created": "2031-05-02T07:04:00",
    }


def test_hostile_files_are_bounded() -> None:
    started = time.thread_time()
    with pytest.raises(UnreadableFile, match="nested too deeply"):
        load(b"{\\rtf1 " + b"{" * 100_000, "a.rtf")
    with pytest.raises(UnreadableFile, match="more than 1,000 characters"):
        load(b"{\\rtf1 " + b"\\emdash " * 10_000 + b"}", "a.rtf", limits=FileLimits(max_characters=1000))
    assert load(b"{\\rtf1 " + b"}" * 1000 + b"kept", "a.rtf").text == "kept"
    assert load(b"{\\rtf1 a\\bin9999999999 b", "a.rtf").text == "a"
    assert "x" in load(b"{\\rtf1 " + b"\\trowd\\cellx1\\intbl x\\cell\\row" * 5000 + b"}", "a.rtf").text
    assert time.thread_time() - started < 10


def test_a_doc_that_is_rtf_is_read() -> None:
    assert load(b"{\\rtf1 old\\par}", "a.doc").text == "old"
