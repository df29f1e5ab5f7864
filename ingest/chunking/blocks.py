"""Find the structure of markdown-like text: headings, fenced code, tables and the prose between them.

Readers (`ingest/formats`) turn every format into such text. Plain text is one long block of prose.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from rag.text.sentences import Span

Kind = Literal["heading", "prose", "table", "code"]

_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_HEADING = re.compile(r"[ ]{0,3}(#{1,6})[ \t]+(\S[^\n]*)")
# Deeper than markdown allows: fences in lists of lists are written so.
_FENCE = re.compile(r"[ ]{0,12}(`{3,}|~{3,})")
# A heading is underlined (setext) if it is a line by itself, and the line under it is not a rule.
_UNDERLINE = re.compile(r"[ ]{0,3}(={3,}|-{3,})[ \t]*\r?\n?")
_MOST_TITLE_CHARACTERS = 200
# Lists, quotations and tables: a line under them is a rule.
_NO_TITLE = re.compile(r"\s*(?:[-*+>|]\s|\d{1,4}[.)]\s|[|<]|$)")
_FRONT_MATTER = re.compile(r"(---|\+\+\+)[ \t]*\r?\n(?:[^\n]*\n){0,200}?\1[ \t]*(?:\r?\n|\Z)")
_FIELD = re.compile(r"[\w. -]{1,40}[:=]", re.MULTILINE)
_RULE_ROW = re.compile(r"[ ]{0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*(?:\|[ \t]*)?\r?\n?")
_HTML_TABLE = re.compile(r"[ ]{0,12}<table[\s>]", re.IGNORECASE)
_HTML_TABLE_END = re.compile(r"</table\s*>", re.IGNORECASE)
_DELIMITERS = {"\t": re.compile(r"\t"), ",": re.compile(r",(?=\S)"), ";": re.compile(r";(?=\S)")}
_SENTENCE_END = (".", "!", "?", ":")
_MIN_ROWS = 3  # fewer lines with the same number of commas are prose by chance
_MIN_COMMAS = 2


@dataclass(frozen=True, slots=True)
class Block:
    """A run of whole lines of one kind. The blocks of a text are consecutive and cover it."""

    start: int
    end: int
    kind: Kind
    headings: tuple[str, ...] = ()  # the titles above it, outermost first, without a heading's own
    level: int = 0  # 1 to 6 for a heading


def markdown_blocks(text: str) -> list[Block]:
    """Return the text's blocks in order; joined, they give the text back.

    A heading is a block of its own, one that is underlined with its line; blank lines belong to prose. An unclosed
    fence runs to the end of the text. Fields at the very start between lines of "---" (front matter) are prose; a
    table written in HTML is kept together like code. Three or more lines with the same number of tabs, or of commas
    or semicolons without a space after them, are a table like one drawn with pipes.
    """
    blocks: list[Block] = []
    path: list[tuple[int, str]] = []
    for kind, start, end in _merged(_runs(text)):
        if kind != "heading":
            blocks.append(Block(start, end, kind, tuple(title for _, title in path)))
            continue
        level, title = _heading_at(text, start, end)
        path = [(above, title) for above, title in path if above < level]
        blocks.append(Block(start, end, kind, tuple(title for _, title in path), level))
        path.append((level, title.strip(" *_")))
    return blocks


def _heading_at(text: str, start: int, end: int) -> tuple[int, str]:
    """Return a heading's level and title."""
    marked = _HEADING.match(text, start)
    if marked is not None:
        return len(marked.group(1)), marked.group(2).rstrip().rstrip("#")
    title, underline = text[start:end].strip().split("\n", 1)
    return (1 if underline.lstrip().startswith("=") else 2), title.strip()


def line_spans(text: str, start: int, end: int) -> list[Span]:
    """Return the lines between two offsets, each with its line break."""
    return [match.span() for match in _LINE.finditer(text, start, end)]


def _runs(text: str) -> Iterator[tuple[Kind, int, int]]:
    """Yield (kind, start, end) of neighbouring lines of one nature."""
    for nature, lines in groupby(_natures(text), key=lambda line: line[0]):
        spans = [span for _, span in lines]
        if nature.startswith("title"):
            yield "heading", spans[0][0], spans[-1][1]
        elif nature.startswith("heading"):
            yield from (("heading", start, end) for start, end in spans)
        elif nature.startswith("rows"):
            yield "table" if len(spans) >= _MIN_ROWS else "prose", spans[0][0], spans[-1][1]
        else:
            kind: Kind = "code" if nature.startswith("code") else "table" if nature == "table" else "prose"
            yield kind, spans[0][0], spans[-1][1]


def _merged(runs: Iterator[tuple[Kind, int, int]]) -> Iterator[tuple[Kind, int, int]]:
    """Join neighbouring runs of prose, which too short tables leave behind."""
    for is_prose, group in groupby(runs, key=lambda run: run[0] == "prose"):
        members = list(group)
        if is_prose:
            yield "prose", members[0][1], members[-1][2]
        else:
            yield from members


def _natures(text: str) -> Iterator[tuple[str, Span]]:
    """Yield each line with its nature.

    That is heading, table, prose, `code N` (Nth fence), `title N` (Nth underlined heading, both lines) or `rows` with
    its delimiter.
    """
    front = _FRONT_MATTER.match(text)
    reached = front.end() if front and _FIELD.search(front.group()) else 0
    for start, end in line_spans(text, 0, reached):
        yield "prose", (start, end)
    lines = [(*match.span(), match.group()) for match in _LINE.finditer(text, reached)]
    fence, count, in_table, is_closed = "", 0, False, False
    for at, (start, end, line) in enumerate(lines):
        following = lines[at + 1][2] if at + 1 < len(lines) else ""
        opening = _FENCE.match(line)
        if fence:
            yield f"code {count}", (start, end)
            is_closed = fence == "<" and _HTML_TABLE_END.search(line) is not None
            if opening and opening.group(1).startswith(fence) and not line[opening.end() :].strip():
                is_closed = True
            fence = "" if is_closed else fence
        elif opening or _HTML_TABLE.match(line):
            count += 1
            yield f"code {count}", (start, end)
            fence = opening.group(1) if opening else "" if _HTML_TABLE_END.search(line) else "<"
        elif in_table and "|" in line:
            yield "table", (start, end)
        elif _begins_table(line, following):
            in_table = True
            yield "table", (start, end)
            continue
        elif at and _is_underlined(lines, at - 1):
            yield f"title {at}", (start, end)
        elif _is_underlined(lines, at):
            yield f"title {at + 1}", (start, end)
        else:
            yield _nature(line), (start, end)
        in_table = in_table and "|" in line


def _begins_table(line: str, following: str) -> bool:
    """Return whether a row is followed by the rule of a table; the outer bars may be missing."""
    return (
        "|" in line and "|" in following and "-" in following and _RULE_ROW.fullmatch(following) is not None
    )


def _is_underlined(lines: list[tuple[int, int, str]], at: int) -> bool:
    """Return whether a line is a title: alone above a line of "=" or "-"."""
    if at + 1 >= len(lines) or not _UNDERLINE.fullmatch(lines[at + 1][2]):
        return False
    line = lines[at][2]
    if len(line) > _MOST_TITLE_CHARACTERS or _NO_TITLE.match(line) or _HEADING.match(line):
        return False
    if _UNDERLINE.fullmatch(line):
        return False
    return at == 0 or not lines[at - 1][2].strip() or _HEADING.match(lines[at - 1][2]) is not None


def _nature(line: str) -> str:
    stripped = line.strip()
    if stripped.startswith("|") and len(stripped) > 1:
        return "table"
    if "#" in line[:4] and _HEADING.match(line):
        return "heading"
    if not stripped.endswith(_SENTENCE_END):
        for mark, pattern in _DELIMITERS.items():
            found = len(pattern.findall(stripped)) if mark in stripped else 0
            if found >= (1 if mark == "\t" else _MIN_COMMAS):
                return f"rows {mark} {found}"
    return "prose"
