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
_FENCE = re.compile(r"[ ]{0,3}(`{3,}|~{3,})")
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

    A heading is a block of its own; blank lines belong to prose. An unclosed fence runs to the end of
    the text. Three or more lines with the same number of tabs, or of commas or semicolons
    without a space after them, are a table like one drawn with pipes.
    """
    blocks: list[Block] = []
    path: list[tuple[int, str]] = []
    for kind, start, end in _merged(_runs(text)):
        heading = _HEADING.match(text, start) if kind == "heading" else None
        if heading is None:
            blocks.append(Block(start, end, kind, tuple(title for _, title in path)))
            continue
        level = len(heading.group(1))
        path = [(above, title) for above, title in path if above < level]
        blocks.append(Block(start, end, kind, tuple(title for _, title in path), level))
        path.append((level, heading.group(2).rstrip().rstrip("#").strip(" *_")))
    return blocks


def line_spans(text: str, start: int, end: int) -> list[Span]:
    """Return the lines between two offsets, each with its line break."""
    return [match.span() for match in _LINE.finditer(text, start, end)]


def _runs(text: str) -> Iterator[tuple[Kind, int, int]]:
    """Yield (kind, start, end) of neighbouring lines of one nature."""
    for nature, lines in groupby(_natures(text), key=lambda line: line[0]):
        spans = [span for _, span in lines]
        if nature.startswith("heading"):
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
    """Yield each line with its nature: heading, table, prose, `code N` (Nth fence) or `rows` with its delimiter."""
    fence, fences = "", 0
    for match in _LINE.finditer(text):
        line = match.group()
        opening = _FENCE.match(line)
        if fence:
            yield f"code {fences}", match.span()
            if opening and opening.group(1).startswith(fence) and not line[opening.end() :].strip():
                fence = ""
        elif opening:
            fence, fences = opening.group(1), fences + 1
            yield f"code {fences}", match.span()
        else:
            yield _nature(line), match.span()


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
