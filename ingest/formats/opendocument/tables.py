"""The cells of an OpenDocument table in their places."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ingest.formats.grid import EMPTY, MOST_SPANNED, Cell, lay_out
from ingest.formats.opendocument.names import count, qn, short, stated

# Cells that a file repeats without writing them.
_MOST_REPEATED = 100_000
_GROUPS = frozenset({"table:table-rows", "table:table-row-group", "table:table-header-rows"})


def rows_of(table: Any, *, heads: bool = False) -> Iterator[tuple[Any, bool]]:
    """Yield a table's rows, and whether the file marks each as a header."""
    for child in table:
        tag = short(child.tag)
        if tag == "table:table-row":
            yield child, heads
        elif tag in _GROUPS:
            yield from rows_of(child, heads=heads or tag == "table:table-header-rows")


def grid_of(table: Any, text_of: Callable[[Any], str]) -> list[list[Cell]]:
    """Return the cell at each place of a table; one that spans several stands at each of them."""
    laid: list[list[Cell]] = []
    left = _MOST_REPEATED
    for row, heads in rows_of(table):
        cells: list[Cell] = []
        for cell in row:
            tag = short(cell.tag)
            repeated = min(count(cell, "table:number-columns-repeated"), MOST_SPANNED, max(1, left))
            left -= repeated - 1
            if tag == "table:table-cell":
                spans = count(cell, "table:number-rows-spanned"), count(cell, "table:number-columns-spanned")
                text = text_of(cell)
                shown = Cell(text, *spans, heads) if text else EMPTY
                cells.extend([shown] * (1 if spans != (1, 1) else repeated))
        repeated = min(count(row, "table:number-rows-repeated"), MOST_SPANNED, max(1, left))
        left -= (repeated - 1) * len(cells)
        laid.extend([cells] * (repeated if any(cell.text for cell in cells) else 1))
    return lay_out(laid)


def is_layout(table: Any) -> bool:
    """Return whether a table only frames text: it has a single cell."""
    cells = [cell for row, _ in rows_of(table) for cell in row if short(cell.tag) == "table:table-cell"]
    return len(cells) == 1 and count(cells[0], "table:number-columns-repeated") == 1


def cells_of(table: Any) -> Iterator[Any]:
    """Yield a table's cells."""
    for row, _ in rows_of(table):
        yield from row.findall(qn("table:table-cell"))


def header_rows(table: Any) -> int | None:
    """Return how many rows the file marks as header, None if it marks none."""
    marked = sum(heads for _, heads in rows_of(table))
    return marked or None


def is_hidden(row: Any) -> bool:
    """Return whether a row is hidden or filtered out."""
    return stated(row, "table:visibility", "visible") != "visible"
