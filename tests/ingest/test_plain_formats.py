"""Notebooks, source code, subtitles, and the fields at the start of markdown."""

import json

import pytest

from ingest.formats.file_text import Omission
from ingest.load import load
from rag.errors import UnreadableFile


def test_notebook() -> None:
    table = "<table><tr><th>a<th>b<tr><td>1<td>2</table>"
    outputs = [
        {"output_type": "stream", "text": ["1\n"]},
        {"output_type": "execute_result", "data": {"text/plain": "a", "text/html": table}},
        {"output_type": "display_data", "data": {"image/png": "x", "text/plain": "<Figure>"}},
        {"output_type": "error", "ename": "ValueError", "evalue": "\x1b[31mbad\x1b[0m"},
    ]  # fmt: skip
    cells = [
        {"cell_type": "markdown", "source": ["# Wells\n", "Text."]},
        {"cell_type": "code", "source": "# no heading\nprint(1)", "outputs": outputs},
    ]
    loaded = load(json.dumps({"nbformat": 4, "cells": cells}).encode(), "a.ipynb")
    assert loaded.text == (
        "# Wells\nText.\n\n```python\n# no heading\nprint(1)\n```\n\n```\n1\n```\n\n"
        "| a | b |\n| --- | --- |\n| 1 | 2 |\n\n```\nValueError: bad\n```"
    )
    assert loaded.omissions == (Omission("image", "output of cell 2"),)
    with pytest.raises(UnreadableFile, match="has no cells"):
        load(b"{}", "a.ipynb")
    with pytest.raises(UnreadableFile, match=r"not valid JSON: .* line 2, column 1"):
        load(b'{"cells": [\n', "a.ipynb")


def test_comments_in_code_are_no_headings() -> None:
    assert load(b"# note\nx = '```'\n", "a/b.py").text == "````python\n# note\nx = '```'\n````"
    assert load(b"# note\nkey: 3\n", "a.yml").text == "```yaml\n# note\nkey: 3\n```"


def test_subtitles() -> None:
    srt = (
        b"1\r\n00:00:01,000 --> 00:00:03,000\r\nHello <i>there</i>,\r\n\r\n2\r\n00:00:03,000 --> 00:00:05,500\r\n"
        b"how are you?\r\n\r\n3\r\n01:00:20,000 --> 01:00:22,000\r\nNext.\r\n"
    )
    assert load(srt, "a.srt").text == "[00:00:01] Hello there, how are you?\n\n[01:00:20] Next."
    vtt = b"WEBVTT\n\nNOTE x\n\n00:01.000 --> 00:03.000 align:start\n<v Ann>Salt &amp; pepper\n"
    assert load(vtt, "a.vtt").text == "[00:00:01] Ann: Salt & pepper"
    with pytest.raises(UnreadableFile, match="holds no subtitle"):
        load(b"WEBVTT\n", "a.vtt")


def test_front_matter_is_metadata_and_stays_text() -> None:
    source = '---\ntitle: "Pump manual"\nauthor: Ann\ndate: 2031-02-03\ntags: [a, b]\nnested:\n  x: 1\n---\n# Head\n'
    loaded = load(source.encode(), "a.md")
    assert loaded.text == source
    assert loaded.metadata == {
        "format": "md",
        "title": "Pump manual",
        "author": "Ann",
        "created": "2031-02-03",
        "keywords": "a, b",
    }
    assert load(b"---\ntext\n---\n", "a.md").metadata == {"format": "md"}
