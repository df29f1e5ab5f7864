"""Tables of a web page: grids of data as pipe tables, and tables that only place things as prose."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from ingest.formats.grid import Cell, header_row_count, lay_out, write_rows, write_table
from ingest.formats.web.inline import one_line

_BLOCKS = ("h1", "h2", "h3", "h4", "hr", "form", "table", "blockquote", "article", "section")
# Attributes that may hide a cell.
_JUDGED = ("hidden", "style", "aria-hidden", "role", "class", "id")
_PROSE_CHARACTERS = 400
_ITEM = re.compile(r"(?:-|\w{1,4}\.) ")
# What a cell's text is made of: the element, to the blocks of text in it.
CellWriter = Callable[[Any], list[str]]


def is_layout(table: Any) -> bool:
    """Return whether a table only places things side by side, so that its cells read as prose."""
    if table.get("role") in ("presentation", "none"):
        return True
    rows = list(_rows(table))
    widths = [len(cells) for _, cells in rows]
    if max(widths, default=0) < 2:
        return True
    if any(cell.tag == "th" for _, cells in rows for cell in cells):
        return False
    if any(child.tag in ("caption", "thead") for child in table):
        return False
    cells = [cell for _, row in rows for cell in row]
    placing = sum(map(_is_a_place, cells))
    return placing > 0 and (placing * 4 >= len(cells) or len(rows) == 1)


def _is_a_place(cell: Any) -> bool:
    """Return whether a cell holds a part of a page rather than a value."""
    if len(cell) and any(cell.find(f".//{tag}") is not None for tag in _BLOCKS):
        return True
    return len(cell.text_content()) > _PROSE_CHARACTERS


def write(table: Any, cell_text: CellWriter) -> str:
    """Write a table of data; what stands in a cell becomes one line."""
    caption = next((" ".join(cell_text(child)) for child in table if child.tag == "caption"), "")
    heads: list[list[Cell]] = []
    body: list[list[Cell]] = []
    feet: list[list[Cell]] = []
    for part, cells in _rows(table):
        row = [_cell(cell, part, cell_text) for cell in cells]
        (heads if part == "thead" else feet if part == "tfoot" else body).append(row)
    if not heads and body and _names_columns(body[0]):
        # A header row that the file marks by its cells alone.
        return write_table(lay_out([*body, *feet]), caption=caption)
    if not heads and all(_has_label(cells) for _, cells in _rows(table)):
        # Each row has a name, the columns have none.
        return write_table(lay_out([*body, *feet]), caption=caption, header_rows=0)
    count = len(lay_out(heads)) if heads and any(cell.text for row in heads for cell in row) else None
    grid = lay_out([*heads, *body, *feet])
    if not heads and len(grid) == 1:
        return write_rows(grid, caption=caption)
    if count is not None and not body:
        count = None
    return write_table(grid, caption=caption, header_rows=count if _plain_head(grid, count) else None)


def nested(table: Any, cell_text: CellWriter) -> str:
    """Write a table inside a cell as a line: "Size: 3, Price: 4; Size: 5, Price: 6"."""
    grid = lay_out([[_cell(cell, part, cell_text) for cell in cells] for part, cells in _rows(table)])
    grid = [row for row in grid if any(cell.text for cell in row)]
    count = header_row_count(grid) if grid and any(cell.heads for cell in grid[0]) else 0
    names = [cell.text for cell in grid[0]] if count and len(grid) > 1 else []
    lines = []
    for row in grid[count if names else 0 :]:
        if names:
            named = (
                f"{name}: {cell.text}" if name else cell.text for name, cell in zip(names, row, strict=False)
            )
            lines.append(", ".join(named))
        else:
            texts = [cell.text for cell in row if cell.text]
            lines.append(f"{texts[0]}: {', '.join(texts[1:])}" if len(texts) > 1 else texts[0])
    return "; ".join(lines)


def _rows(table: Any) -> Iterator[tuple[str, list[Any]]]:
    """Yield the part and the cells of each row of this table, not of those within it."""
    for child in table:
        if child.tag == "tr":
            yield "tbody", _cells(child)
        elif child.tag in ("thead", "tbody", "tfoot"):
            for row in child:
                if row.tag == "tr":
                    yield child.tag, _cells(row)


def _cells(row: Any) -> list[Any]:
    return [cell for cell in row if cell.tag in ("td", "th")]


def _cell(cell: Any, part: str, cell_text: CellWriter) -> Cell:
    heads = part == "thead" or (cell.tag == "th" and cell.get("scope") not in ("row", "rowgroup"))
    # Most cells hold but text.
    is_plain = len(cell) == 0 and not any(name in cell.attrib for name in _JUDGED)
    text = one_line(cell.text or "").strip() if is_plain else _line(cell_text(cell))
    return Cell(text, _span(cell, "rowspan"), _span(cell, "colspan"), heads)


def _line(blocks: list[str]) -> str:
    """Join what a cell holds; items of a list are parted by semicolons."""
    line, follows_item = "", False
    for block in blocks:
        text = " ".join(block.split())
        is_item = _ITEM.match(text) is not None
        line += f"{'; ' if is_item and follows_item else ' ' if line else ''}{text.removeprefix('- ')}"
        follows_item = is_item
    return line


def _span(cell: Any, name: str) -> int:
    stated = (cell.get(name) or "1").strip()
    return int(stated) if stated.isascii() and stated.isdigit() and len(stated) < 6 and int(stated) else 1


def _has_label(cells: list[Any]) -> bool:
    """Return whether a row begins with a header cell and goes on with values."""
    return len(cells) > 1 and cells[0].tag == "th" and all(cell.tag == "td" for cell in cells[1:])


def _names_columns(row: list[Cell]) -> bool:
    held = [cell for cell in row if cell.text]
    return bool(held) and all(cell.heads for cell in held)


def _plain_head(grid: list[list[Cell]], count: int | None) -> bool:
    """Return whether the marked rows are all header: a title over the whole width is a caption's matter."""
    return count is not None and len({id(cell) for cell in grid[0] if cell.text}) > 1
