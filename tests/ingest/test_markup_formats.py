"""XML, e-books, reStructuredText, AsciiDoc and LaTeX as they read."""

import pytest

from ingest.formats.file_text import Omission
from ingest.load import load
from rag.errors import UnreadableFile
from tests.made_files import make_zip


def read(source: str, name: str) -> str:
    return load(source.encode(), name).text


DOCBOOK = """<?xml version="1.0"?><!DOCTYPE article [<!ENTITY prod "Pump X">]>
<article xmlns="http://docbook.org/ns/docbook"><info><title>Guide to &prod;</title></info>
<section><title>Start</title><para>Press <emphasis>start</emphasis><footnote><para>Once.</para></footnote>.</para>
<section><title>Parts</title><orderedlist><listitem><para>one</para></listitem></orderedlist>
<table><title>Prices</title><tgroup cols="3"><colspec colname="a"/><colspec colname="b"/><colspec colname="c"/>
<thead><row><entry>Item</entry><entry namest="b" nameend="c">Cost</entry></row></thead>
<tbody><row><entry morerows="1">A</entry><entry>1</entry><entry>2</entry></row>
<row><entry>3</entry><entry>4</entry></row></tbody></tgroup></table></section></section></article>"""


def test_docbook() -> None:
    assert read(DOCBOOK, "a.xml") == (
        "# Guide to Pump X\n\n## Start\n\nPress start (Once.).\n\n### Parts\n\n1. one\n\nPrices\n\n"
        "| Item | Cost | Cost |\n| --- | --- | --- |\n| A | 1 | 2 |\n| A | 3 | 4 |"
    )


def test_article_of_jats() -> None:
    source = (
        "<article><front><article-meta><title-group><article-title>On Wells</article-title></title-group>"
        "<abstract><p>We measure.</p></abstract></article-meta></front><body><sec><title>Methods</title>"
        "<p>It was 3 m<sup>2</sup>.</p><table-wrap><label>Table 1</label><caption><p>Depths</p></caption>"
        "<table><tr><th>Well</th><th>Depth</th></tr><tr><td>W1</td><td>3</td></tr></table></table-wrap></sec></body>"
        "<back><ref-list><title>References</title><ref><label>1</label><mixed-citation>Lee A. <source>Wells"
        "</source>.</mixed-citation></ref></ref-list></back></article>"
    )
    assert read(source, "a.xml") == (
        "# On Wells\n\n# Abstract\n\nWe measure.\n\n## Methods\n\nIt was 3 m².\n\nTable 1 Depths\n\n"
        "| Well | Depth |\n| --- | --- |\n| W1 | 3 |\n\n## References\n\n- 1 Lee A. Wells."
    )


def test_feed() -> None:
    source = (
        "<rss><channel><title>News</title><item><title>Bridge opens</title><pubDate>3 Feb 2031</pubDate>"
        "<description>&lt;p&gt;It &lt;b&gt;opens&lt;/b&gt; at 9.&lt;/p&gt;</description></item></channel></rss>"
    )
    assert read(source, "a.rss") == "# News\n\n## Bridge opens\n\nPublished: 3 Feb 2031\n\nIt opens at 9."


def test_data_in_xml() -> None:
    source = (
        '<inventory site="North"><well id="W1"><depth unit="m">3</depth></well>'
        '<well id="W2"><depth unit="m">5</depth></well><note>Checked</note></inventory>'
    )
    assert read(source, "a.xml") == (
        "site: North\nnote: Checked\n\n## well\n\n| id | depth | depth unit |\n| --- | --- | --- |\n"
        "| W1 | 3 | m |\n| W2 | 5 | m |"
    )


def test_xml_that_is_broken_or_hostile() -> None:
    loaded = load(b"<a><b>kept</b><c></a>", "a.xml")
    assert "<b>kept</b>" in loaded.text
    assert loaded.omissions == (Omission("markup that is not well-formed", "line 1"),)
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    bomb = f'<!DOCTYPE a [<!ENTITY l0 "ha">{laughs}]><a>&l9;</a>'
    with pytest.raises(UnreadableFile, match="declares XML entities that multiply"):
        load(bomb.encode(), "a.xml")
    outside = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><a>one &x; two</a>'
    assert "&x;" in read(outside, "a.xml")


def test_xml_in_an_encoding_of_browsers() -> None:
    source = '<?xml version="1.0" encoding="iso-8859-1"?>\n<a><b>Größe: 5 €</b><c>x</c></a>'
    assert load(source.encode("cp1252"), "a.xml").text == "b: Größe: 5 €\nc: x"
    mixed = f"{source[:-4]}Übermaß</a>".replace("iso-8859-1", "utf-8").encode() + b"<!-- \xfc -->"
    assert load(mixed, "a.xml").omissions[0].kind == "byte read as Windows-1252 among UTF-8"


def make_epub(*chapters: str, **more: bytes) -> bytes:
    items = "".join(
        f'<item id="c{n}" href="c%20{n}.xhtml" media-type="application/xhtml+xml"/>'
        for n in range(len(chapters))
    )
    spine = "".join(f'<itemref idref="c{n}"/>' for n in reversed(range(len(chapters))))
    package = (
        '<package xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata><dc:title>Book</dc:title></metadata>'
        f"<manifest>{items}</manifest><spine>{spine}</spine></package>"
    )
    container = '<container><rootfiles><rootfile full-path="O/a.opf"/></rootfiles></container>'
    members = {"META-INF/container.xml": container.encode(), "O/a.opf": package.encode(), **more}
    return make_zip(members | {f"O/c {n}.xhtml": text.encode() for n, text in enumerate(chapters)})


def test_book_is_read_in_the_order_of_its_spine() -> None:
    chapter = '<?xml version="1.0"?><!DOCTYPE html><html><body><h1>{}</h1><p>Käpitel {}.<img src="x"/></body></html>'
    loaded = load(make_epub(chapter.format("B", 2), chapter.format("A", 1)), "b.epub")
    assert loaded.text == "# A\n\nKäpitel 1.\n\n# B\n\nKäpitel 2."
    assert loaded.pages == (0, 17)
    assert loaded.metadata["title"] == "Book"
    assert loaded.omissions[0] == Omission("image without a description", "chapter 1, under “A”")


def test_book_that_is_protected() -> None:
    rights = b'<encryption><EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#aes128-cbc"/></encryption>'
    with pytest.raises(UnreadableFile, match="copy-protected"):
        load(make_epub("<p>x", **{"META-INF/encryption.xml": rights}), "b.epub")


RST = """
Pump
====

See :ref:`the drain <drain>` of *H*\\ :sub:`2`\\ O.

Parts
-----

.. note:: Careful.

.. versionadded:: 3.2

.. code-block:: python
   :linenos:

   # no heading

+------+-------+
| Item | Price |
+======+=======+
| Cup  | 4     |
+------+-------+

.. sphinxthing:: Shown

   Content.

.. include:: other.rst

.. math:: e
   :label: x
"""


def test_restructured_text() -> None:
    loaded = load(RST.encode(), "a.rst")
    assert loaded.text == (
        "# Pump\n\nSee the drain of H₂O.\n\n## Parts\n\nNote\n\nCareful.\n\nNew in version 3.2\n\n"
        "```\n# no heading\n```\n\n| Item | Price |\n| --- | --- |\n| Cup | 4 |\n\nShown\n\nContent.\n\n"
        "```\n.. include:: other.rst\n```\n\n```\n.. math:: e\n   :label: x\n```"
    )
    assert Omission("included file", "line 29: other.rst") in loaded.omissions
    assert [omission.kind for omission in loaded.omissions].count("block that is not understood") == 2
    assert loaded.metadata["title"] == "Pump"


ASCIIDOC = """= Pump guide
Ann Lee
:prod: Pump X

Intro to {prod} with *bold* and <<sec,the section>>.

== Section

// comment
[source,bash]
----
# no heading
----

. one
. two
* three

Term:: meaning

.Prices
[cols="1,1",options="header"]
|===
|Item |Cost

|Cup
|4
2+|Both 9
|===

image::map.png[A map]
include::other.adoc[]
"""


def test_asciidoc() -> None:
    loaded = load(ASCIIDOC.encode(), "a.adoc")
    assert loaded.text == (
        "# Pump guide\n\nAnn Lee\n\nIntro to Pump X with bold and the section.\n\n## Section\n\n"
        "```bash\n# no heading\n```\n\n1. one\n2. two\n- three\n\nTerm: meaning\n\nPrices\n\n"
        "| Item | Cost |\n| --- | --- |\n| Cup | 4 |\n| Both 9 |  |\n\nA map"
    )
    assert loaded.omissions == (Omission("included file", "line 32: other.adoc"),)


LATEX = r"""\documentclass{article}\newcommand{\prod}{Pump X}
\title{The \prod{} Guide}
\begin{document}\maketitle % hidden
\section{Start}\label{s}
G\"unther: 95\,\% at $p=3$~bar\footnote{In 2031.}, see \cite{lee} and \href{https://y.org/a_b}{the site}.

\begin{enumerate}\item one \item two \begin{itemize}\item x\end{itemize}\end{enumerate}
\begin{table}[ht]
\begin{tabular}{l|rr}\hline
\multirow{2}{*}{Site} & \multicolumn{2}{c}{Depth} \\
 & 2030 & 2031 \\ \hline
A \& B & 1 & 2 \\
\end{tabular}
\caption{Depths}\end{table}
\begin{lstlisting}[language=Python]
# 5% of $x
\end{lstlisting}
\includegraphics{map.png}\input{chapter2}
\end{document}"""


def test_latex() -> None:
    loaded = load(LATEX.encode(), "a.tex")
    assert loaded.text == (
        "# The Pump X Guide\n\n## Start\n\nGünther: 95 % at $p=3$ bar (In 2031.), see [lee] and the site"
        " (https://y.org/a_b).\n\n1. one\n2. two\n  - x\n\nDepths\n\n"
        "| Site | Depth › 2030 | Depth › 2031 |\n| --- | --- | --- |\n| A & B | 1 | 2 |\n\n```\n# 5% of $x\n```"
    )
    assert [omission.kind for omission in loaded.omissions] == ["image", "included file", "comment"]
    assert loaded.metadata["title"] == "The Pump X Guide"
