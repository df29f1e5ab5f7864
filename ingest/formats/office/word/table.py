"""The cells of a Word table in their places, merged ones at each of theirs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from ingest.formats.grid import EMPTY, MOST_SPANNED, Cell
from ingest.formats.office.package import attribute, is_on, qn, short, whole_number

_WRAPPERS = frozenset({"w:sdt", "w:sdtContent", "w:customXml", "w:ins", "w:smartTag", "w:moveTo"})


def table_rows(table: Any) -> list[Any]:
    """Return a table's rows, without those that a tracked change deletes."""
    return [row for row in _within(table, "w:tr") if not is_deleted(row)]


def is_deleted(row: Any) -> bool:
    """Return whether a tracked change deletes a row."""
    return row.find(f"{qn('w:trPr')}/{qn('w:del')}") is not None


def row_cells(row: Any) -> list[Any]:
    """Return the cells of a row, those in content controls included."""
    return list(_within(row, "w:tc"))


def lay_out_rows(rows: list[Any], text_of: Callable[[Any], str]) -> list[list[Cell]]:
    """Return the cell at each place of the grid; merged cells stand at each of their places.

    Args:
        rows: as `table_rows` gives them.
        text_of: a cell's text; it is asked once for each cell, in the order of the document.
    """
    cells: list[Cell] = [EMPTY]
    grid: list[list[int]] = []  # places in `cells`
    heads_go_on = True
    for row in rows:
        heads_go_on = heads_go_on and is_on(row.find(f"{qn('w:trPr')}/{qn('w:tblHeader')}"))
        line = [0] * _columns(row, "w:trPr/w:gridBefore", 0)
        for element in row_cells(row):
            columns = _columns(element, "w:tcPr/w:gridSpan", 1)
            text = text_of(element)
            above = grid[-1][len(line)] if grid and len(line) < len(grid[-1]) else 0
            merged = element.find(f"{qn('w:tcPr')}/{qn('w:vMerge')}")
            goes_on = merged is not None and merged.get(qn("w:val"), "continue") == "continue"
            if goes_on and above and not text:
                cells[above] = replace(cells[above], rows=cells[above].rows + 1)
            else:
                above = len(cells)
                cells.append(Cell(text, 1, columns, heads_go_on))
            line.extend([above] * columns)
        grid.append(line)
    return [[cells[at] for at in line] for line in grid]


def _columns(element: Any, path: str, default: int) -> int:
    stated = whole_number(attribute(element, path, "w:val"), default)
    return max(default, min(stated, MOST_SPANNED))


def _within(parent: Any, tag: str) -> Iterator[Any]:
    for child in parent:
        name = short(child.tag)
        if name == tag:
            yield child
        elif name in _WRAPPERS:
            yield from _within(child, tag)
