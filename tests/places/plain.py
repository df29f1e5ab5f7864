"""Where text formats, data and marked-up documents can hold text."""

import json
from collections.abc import Callable

from tests.made_files import make_zip
from tests.places import Place


def _text(template: str) -> Callable[[str], bytes]:
    return lambda word: template.replace("WORD", word).encode()


def _book(chapter: str) -> Callable[[str], bytes]:
    package = (
        '<package xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata><dc:title>t</dc:title></metadata><manifest>'
        '<item id="c" href="c.xhtml" media-type="application/xhtml+xml"/></manifest>'
        '<spine><itemref idref="c"/></spine></package>'
    )
    container = '<container><rootfiles><rootfile full-path="a.opf"/></rootfiles></container>'
    return lambda word: make_zip(
        {
            "META-INF/container.xml": container.encode(),
            "a.opf": package.encode(),
            "c.xhtml": f"<html><body><p>Seen.</p>{chapter}</body></html>".replace("WORD", word).encode(),
        }
    )


def _notebook(cell: object) -> Callable[[str], bytes]:
    source = json.dumps({"nbformat": 4, "cells": [{"cell_type": "markdown", "source": "Seen."}, cell]})
    return lambda word: source.replace("WORD", word).encode()


def _code(output: object) -> object:
    return {"cell_type": "code", "source": "x", "outputs": [output]}


_TEMPLATES = {
    "txt": {"the text": "WORD"},
    "md": {
        "a paragraph": "WORD",
        "code": "```\nWORD\n```",
        "front matter": "---\nowner: WORD\n---\ntext",
        "a footnote": "a[^1]\n\n[^1]: WORD",
        "a table": "|a|b|\n|---|---|\n|1|WORD|",
        "a table of HTML": "<table><tr><td>WORD</td></tr></table>",
        "a comment": "a <!-- WORD -->",
    },
    "csv": {
        "the header": "a,WORD\n1,2\n",
        "a cell": "a,b\n1,WORD\n",
        "a title row": "WORD,,\na,b,c\n1,2,3\n4,5,6\n",
        "a row longer than the header": "a,b\n1,2,3,WORD\n",
        "after an open quote": 'a,b\n1,"2\n3,4\n5,WORD\n',
        "in an open quote": 'a,b\n1,"WORD\n3,4\n',
        "a cell of two lines": 'a,b\n1,"x\nWORD"\n',
        "the last row": "a,b\n1,2\n\nSource: WORD\n",
    },
    "json": {
        "a value": '{"a": "WORD"}',
        "a key": '{"WORD": 1}',
        "a table": '[{"a": 1}, {"a": "WORD"}]',
        "a nested value": '{"a": [{"b": {"c": ["WORD"]}}]}',
        "a row": '{"a": [[1, 2], [3, "WORD"]]}',
    },
    "jsonl": {"a line": '{"a": 1}\n{"a": "WORD"}\n'},
    "py": {"a comment": "# WORD\nx = 1", "code": "WORD = 1"},
    "yaml": {"a value": "a: WORD", "a comment": "# WORD\na: 1"},
    "srt": {"a subtitle": "1\n00:00:01,000 --> 00:00:02,000\n<i>WORD</i>\n"},
    "vtt": {"a voice": "WEBVTT\n\n00:01.000 --> 00:02.000\n<v WORD>x\n"},
    "ics": {
        "a summary": "BEGIN:VEVENT\nSUMMARY:WORD\nEND:VEVENT",
        "a description": "BEGIN:VEVENT\nDESCRIPTION:x\\nWORD\nEND:VEVENT",
        "an attendee": "BEGIN:VEVENT\nATTENDEE;CN=WORD:mailto:a@x.org\nEND:VEVENT",
    },
    "vcf": {"a name": "BEGIN:VCARD\nFN:WORD\nEND:VCARD", "a note": "BEGIN:VCARD\nFN:x\nNOTE:WORD\nEND:VCARD"},
    "xml": {
        "a text": "<a><b>WORD</b></a>",
        "an attribute": '<a b="WORD"/>',
        "a footnote": "<article><para>a<footnote><para>WORD</para></footnote></para></article>",
        "a title": "<article><section><title>WORD</title></section></article>",
        "a caption": "<article><fig><caption><p>WORD</p></caption></fig></article>",
        "a note": "<article><note><para>WORD</para></note></article>",
        "a table": "<article><table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>WORD</td></tr></table></article>",
        "an unknown element": "<article><strange>WORD</strange></article>",
        "an entity": '<!DOCTYPE a [<!ENTITY e "WORD">]><a><b>&e;</b></a>',
        "broken markup": "<a><b>WORD</a>",
    },
    "rss": {
        "a quoted page": "<rss><channel><item><description>&lt;p&gt;WORD</description></item></channel></rss>"
    },
    "rst": {
        "a paragraph": "WORD",
        "a note": ".. note:: WORD",
        "an unknown directive": ".. strange:: WORD",
        "content of an unknown directive": ".. strange::\n\n   WORD",
        "an unknown role": "a :strange:`WORD`",
        "a table": "=== ====\na   b\n=== ====\n1   WORD\n=== ====".replace("====", "=" * 12),
        "a footnote": "a [1]_\n\n.. [1] WORD",
        "a field": ":Author: WORD",
        "a directive with an unknown option": ".. image:: x.png\n   :strange: WORD",
        "alt text": ".. image:: x.png\n   :alt: WORD",
    },
    "adoc": {
        "a paragraph": "WORD",
        "a note": "NOTE: WORD",
        "a table": "|===\n|a |b\n\n|1 |WORD\n|===",
        "a title of a block": ".WORD\n----\nx\n----",
        "an example": "====\nWORD\n====",
        "an attribute's value": ":x: WORD\n\nsee {x}",
    },
    "tex": {
        "a paragraph": "WORD",
        "a footnote": r"a\footnote{WORD}",
        "a caption": r"\begin{figure}\caption{WORD}\end{figure}",
        "a table": r"\begin{tabular}{ll}a & b \\ 1 & WORD \\ \end{tabular}",
        "a formula": "$WORD$",
        "an equation": r"\begin{equation}WORD\end{equation}",
        "an item": r"\begin{itemize}\item WORD\end{itemize}",
        "code": r"\begin{verbatim}WORD\end{verbatim}",
        "an unknown command": r"\strange{WORD}",
        "an unknown environment": r"\begin{strange}WORD\end{strange}",
        "a command of its own": r"\newcommand{\mine}{WORD}\begin{document}a \mine{}\end{document}",
        "the title": r"\title{WORD}\begin{document}a\end{document}",
    },
}

PLACES = [
    *(
        Place(suffix, where, _text(template), repeats=where == "a name")
        for suffix, templates in _TEMPLATES.items()
        for where, template in templates.items()
    ),
    Place("tex", "a comment", _text("a % WORD"), "comment"),
    Place("tex", "an included file", _text(r"a \input{WORD}"), "included file"),
    Place("rst", "an included file", _text("a\n\n.. include:: x.rst"), "included file"),
    Place("epub", "a chapter", _book("<h1>WORD</h1>")),
    Place("epub", "a footnote", _book("<aside hidden id='n'>WORD</aside><a href='#n'>1</a>")),
    Place("epub", "a picture", _book("<img src='WORD.png'/>"), "image without a description"),
    Place("ipynb", "code", _notebook({"cell_type": "code", "source": "WORD"})),
    Place("ipynb", "markdown", _notebook({"cell_type": "markdown", "source": ["WORD"]})),
    Place("ipynb", "printed output", _notebook(_code({"output_type": "stream", "text": "WORD"}))),
    Place(
        "ipynb",
        "a result",
        _notebook(_code({"output_type": "execute_result", "data": {"text/plain": "WORD"}})),
    ),
    Place("ipynb", "an error", _notebook(_code({"output_type": "error", "ename": "E", "evalue": "WORD"}))),
    Place("ipynb", "a plot", _notebook(_code({"data": {"image/png": "WORD"}})), "image"),
]
