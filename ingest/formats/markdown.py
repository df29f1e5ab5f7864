"""Light markdown, the one shape that the chunker reads: headings, lists, pipe tables, paragraphs."""

import re
from collections.abc import Iterable, Sequence

_SPACE = re.compile(r"\s+")
_MAX_HEADING = 6
_FENCE = re.compile(r"`{3,}")
# What opens the line of a list item: "- ", "1. ", "b) ", "(iv) "; not "Fig. ".
_ITEM = re.compile(r"[ ]*(?:-|\(?(?:\d{1,3}|[A-Za-z]|[ivxlcIVXLC]{2,5})[.)])[ ]")


def heading(text: str, level: int) -> str:
    """Write a heading on one line: `heading("A\\nb", 2) == "## A b"`; levels lie in 1..6."""
    return f"{'#' * max(1, min(level, _MAX_HEADING))} {_SPACE.sub(' ', text).strip()}"


def list_item(text: str, depth: int = 0, label: str = "-") -> str:
    """Write a list item, two spaces in for each level of depth: "- valve", "1. valve", "  b) seal"."""
    return f"{'  ' * min(depth, 8)}{label} {_SPACE.sub(' ', text).strip()}"


def table_row(cells: Iterable[str]) -> str:
    """Write one row of a pipe table; newlines in a cell become spaces, `|` becomes `\\|`."""
    return "| " + " | ".join(_SPACE.sub(" ", cell).strip().replace("|", "\\|") for cell in cells) + " |"


def table(rows: Sequence[Sequence[str]]) -> str:
    """Write rows as a pipe table, the first as its header; no rows give "".

    Short rows are not padded: one long row must not make every other as long.
    """
    if not rows:
        return ""
    lines = [table_row(rows[0]), separator_row(max(1, len(rows[0])))]
    lines.extend(table_row(row) for row in rows[1:])
    return "\n".join(lines)


def separator_row(columns: int) -> str:
    """Write the row under a table's header."""
    return "| " + " | ".join(["---"] * columns) + " |"


def join_blocks(blocks: Iterable[str]) -> str:
    """Join blocks by a blank line, list items by a newline; blank blocks are dropped."""
    parts: list[str] = []
    previous_is_item = False
    for block in blocks:
        if not block.strip():
            continue
        is_item = _ITEM.match(block) is not None
        if parts:
            parts.append("\n" if is_item and previous_is_item else "\n\n")
        parts.append(block)
        previous_is_item = is_item
    return "".join(parts)


def fenced(source: str, language: str) -> str:
    """Put code between fences longer than any in it."""
    fence = max([*_FENCE.findall(source), "``"], key=len) + "`"
    return f"{fence}{language}\n{source.strip(chr(10) + chr(13))}\n{fence}"
