"""A table as it stands on pages: cells of words, in rows and columns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ingest.formats.pdf.page.words import Box, Word


@dataclass(slots=True)
class TableCell:
    """The words of a cell, line by line, and how many rows and columns it spans."""

    lines: list[list[Word]] = field(default_factory=list)
    rows: int = 1
    columns: int = 1

    @property
    def text(self) -> str:
        return " ".join(word.text for line in self.lines for word in line)

    @property
    def bold(self) -> bool:
        words = [word for line in self.lines for word in line]
        return bool(words) and all(word.bold for word in words)


@dataclass(slots=True)
class PageTable:
    """A table: each row lists its cells from left to right, without those that others reach into.

    `edges` are the left and right ends of its columns, `header_rows` how many rows name the columns, if that is known.
    """

    rows: list[list[TableCell]]
    edges: list[tuple[float, float]]
    box: Box
    header_rows: int | None = None
    ruled: bool = False

    @property
    def width(self) -> int:
        """The number of columns."""
        return len(self.edges)


def cell_of(words: Iterable[Word]) -> TableCell:
    """Make a cell of its words in any order: lines by baseline, each from left to right."""
    cell = TableCell()
    base, size = -1e9, 0.0
    for word in sorted(words, key=lambda word: word.base):
        if word.base - base <= 0.3 * min(size, word.size):
            cell.lines[-1].append(word)
        else:
            cell.lines.append([word])
            base, size = word.base, word.size
    for line in cell.lines:
        line.sort(key=lambda word: word.x0)
    return cell
