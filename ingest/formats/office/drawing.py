"""The text of DrawingML, which slides, sheets and charts share: paragraphs with their levels and numbers, tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ingest.formats import markdown
from ingest.formats.grid import Cell, lay_out, write_rows
from ingest.formats.office.equation import linear
from ingest.formats.office.numeral import letters, roman
from ingest.formats.office.package import attribute, qn, short, whole_number

# Returns the address of a link by the id of its relationship; "" for links within the file.
Links = Callable[[str], str]
_FILE_NAME = re.compile(
    r"(?:[A-Za-z]:\\|\\\\|/|https?://).*|[\w .()%+-]+\.(?:png|jpe?g|gif|bmp|tiff?|emf|wmf|svg|webp)",
    re.IGNORECASE,
)
_MOST_LEVEL = 8
_FURNITURE_FIELDS = frozenset({"slidenum"})


@dataclass(frozen=True, slots=True)
class TextLine:
    """A paragraph of a text body."""

    text: str
    level: int
    label: str  # "-" for a bullet, "2." for a number, "" for neither


def lines_of(body: Any, links: Links, *, bulleted: bool = False) -> list[TextLine]:
    """Return the paragraphs of a text body that hold text.

    Args:
        body: a p:txBody, a:txBody or xdr:txBody.
        links: addresses of links.
        bulleted: paragraphs that say nothing of bullets have one.
    """
    lines: list[TextLine] = []
    counts: dict[int, int] = {}
    for paragraph in [] if body is None else body.findall(qn("a:p")):
        text = paragraph_text(paragraph, links).strip()
        if not text:
            continue
        properties = paragraph.find(qn("a:pPr"))
        level = min(whole_number(None if properties is None else properties.get("lvl")), _MOST_LEVEL)
        counts = {at: count for at, count in counts.items() if at <= level}
        lines.append(TextLine(text, level, _label(properties, level, counts, bulleted=bulleted)))
    return lines


def write_lines(lines: list[TextLine]) -> str:
    """Write paragraphs as light markdown; those with a bullet, number or deeper level as list items."""
    return markdown.join_blocks(
        markdown.list_item(line.text, line.level, line.label or "-")
        if line.label or line.level
        else line.text
        for line in lines
    )


def paragraph_text(paragraph: Any, links: Links) -> str:
    """Return a paragraph's text with breaks, formulas and the targets of its links; not the number of the slide."""
    return "".join(_pieces(paragraph, links))


def table_of(element: Any, links: Links) -> str:
    """Write an a:tbl as a pipe table, merged cells at each of their places."""
    rows = []
    marked = element.find(qn("a:tblPr")) is not None and attribute(element, "a:tblPr", "firstRow") in (
        "1",
        "true",
    )
    for number, row in enumerate(element.findall(qn("a:tr"))):
        cells = [cell for cell in row.findall(qn("a:tc")) if not {"hMerge", "vMerge"} & set(cell.attrib)]
        spans = any(cell.get("gridSpan") or cell.get("rowSpan") for cell in cells)
        rows.append([_cell(cell, links, heads=marked and number == 0 and not spans) for cell in cells])
    return write_rows(lay_out(rows))


def _cell(cell: Any, links: Links, *, heads: bool) -> Cell:
    lines = lines_of(cell.find(qn("a:txBody")), links)
    text = " ".join(f"{'•' if line.label == '-' else line.label} {line.text}".strip() for line in lines)
    columns, rows = whole_number(cell.get("gridSpan"), 1), whole_number(cell.get("rowSpan"), 1)
    return Cell(text, rows, columns, heads)


def _pieces(parent: Any, links: Links) -> Iterator[str]:
    for child in parent:
        match short(child.tag):
            case "a:r":
                yield _run(child, links)
            case "a:br":
                yield "\n"
            case "a:fld" if child.get("type") not in _FURNITURE_FIELDS:
                yield child.findtext(qn("a:t")) or ""
            case "m:oMath" | "m:oMathPara":
                yield linear(child)
            case "mc:AlternateContent":
                yield from _pieces(child[0], links) if len(child) else ()
            case "":
                # a14:m, which wraps a formula, and others of their kind
                yield from _pieces(child, links)


def _run(run: Any, links: Links) -> str:
    text = run.findtext(qn("a:t")) or ""
    target = links(attribute(run, "a:rPr/a:hlinkClick", "r:id"))
    return f"{text}{link_target(text, target)}" if text.strip() else text


def alternative_text(*stated: str | None) -> str:
    """Return a picture's title and description as a block: "Picture: A red valve"; "" without any.

    A program's own name for the picture's file describes nothing.
    """
    texts = (" ".join((text or "").split()) for text in stated)
    told = ". ".join(dict.fromkeys(text for text in texts if text and not _FILE_NAME.fullmatch(text)))
    return f"Picture: {told}" if told else ""


def link_target(shown: str, target: str) -> str:
    """Return what to write after a link's text: " (https://x.org)"; "" if the text says it."""
    plain = target.removeprefix("mailto:").removeprefix("tel:").rstrip("/")
    bare = plain.removeprefix("https://").removeprefix("http://").removeprefix("www.")
    return "" if not bare or bare.lower() in shown.lower() else f" ({plain})"


def _label(properties: Any, level: int, counts: dict[int, int], *, bulleted: bool) -> str:
    numbered = None if properties is None else properties.find(qn("a:buAutoNum"))
    if numbered is None:
        counts.pop(level, None)
        if properties is not None and properties.find(qn("a:buNone")) is not None:
            return ""
        has_bullet = properties is not None and any(
            properties.find(qn(tag)) is not None for tag in ("a:buChar", "a:buBlip")
        )
        return "-" if bulleted or has_bullet else ""
    counts[level] = counts.get(level, whole_number(numbered.get("startAt"), 1) - 1) + 1
    return _number(counts[level], numbered.get("type", ""))


def _number(number: int, style: str) -> str:
    """Write a number in one of DrawingML's styles, such as "alphaLcParenR": "c)"."""
    written = str(number)
    if style.startswith("alpha"):
        written = letters(number)
    elif style.startswith("roman"):
        written = roman(number)
    written = written.upper() if "Uc" in style else written
    if style.endswith("ParenBoth"):
        return f"({written})"
    if style.endswith("ParenR"):
        return f"{written})"
    return written if style.endswith("Plain") else f"{written}."
