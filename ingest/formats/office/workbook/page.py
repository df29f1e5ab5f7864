"""A sheet as a page: tables with their captions and comments, then what lies over the cells."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ingest.formats import markdown
from ingest.formats.grid import EMPTY, Cell, write_rows
from ingest.formats.office.drawing import link_target
from ingest.formats.office.page_number import PAGE_MARK, without_page_numbers
from ingest.formats.office.workbook.region import Rows, SheetRegion, has_no_header, regions
from ingest.formats.office.workbook.remark import Remarks
from ingest.formats.office.workbook.sheet import Area, Budget, Sheet, column_letters

_HEAD_CODE = re.compile(r'&(?:"[^"]*"|K[0-9A-F]{6}|K\d\d[+-]\d{3}|\d{1,3}|[A-Za-z&])')
# A name that Excel made, in the languages of most workbooks, says nothing.
_MADE_NAME = re.compile(r"(?:Table|Tabelle|Tableau|Tabla|Tabella|Tabela|Tabel|表|テーブル)_?\d+")
_COMMENTS = "Comments"


@dataclass(slots=True)
class SheetPage:
    """What of a workbook makes a page."""

    title: str
    sheet: Sheet
    remarks: Remarks
    links: dict[tuple[int, int], str] = field(default_factory=dict)  # addresses by row and column
    tables: Sequence[tuple[str, Area, int]] = ()  # name, area, rows of header
    is_hidden: bool = False
    corners: dict[tuple[int, int], Area] = field(init=False)  # of merged areas
    remarked: dict[int, list[int]] = field(init=False)  # columns with comments, by row

    def __post_init__(self) -> None:
        self.corners = {(one.top, one.left): one for one in self.sheet.merged}
        self.remarked = {}
        for row, column in sorted(self.remarks):
            self.remarked.setdefault(row, []).append(column)


def write_page(page: SheetPage, over: Iterable[str], budget: Budget) -> str:
    """Write a sheet under a second-level heading; "" if it holds nothing."""
    sheet = page.sheet
    for (row, column), address in page.links.items():
        text = sheet.rows.get(row, {}).get(column)
        if text is not None:
            sheet.rows[row][column] = f"{text}{link_target(text, address)}"
    used: set[tuple[int, int]] = set()
    tables = [
        _written(region, page, used, budget) for region in regions(sheet.rows, page.tables, sheet.merged)
    ]
    blocks = [*_running(sheet.heads), *tables, *over, *_loose_remarks(page, used), *_prompts(sheet)]
    blocks.extend(_running(sheet.feet))
    if not any(block.strip() for block in blocks):
        return ""
    marks = [_hidden(page)] if page.is_hidden or sheet.hidden_rows or sheet.hidden_columns else []
    return markdown.join_blocks([markdown.heading(page.title, 2), *marks, *blocks])


def _written(region: SheetRegion, page: SheetPage, used: set[tuple[int, int]], budget: Budget) -> str:
    if region.is_prose:
        texts = [_with_remarks(row, page, used) for row in sorted(region.rows.items())]
        return "\n\n".join(texts)
    name = "" if _MADE_NAME.fullmatch(region.name) else region.name.replace("_", " ")
    header_rows = region.header_rows
    if header_rows is None and has_no_header(region.rows):
        header_rows = 0
    grid = _grid(region, page, budget)
    _add_remarks(grid, region, page, used, header_rows)
    table = write_rows([row for _, row in grid], caption=name, header_rows=header_rows)
    return "\n\n".join([table, *region.remarks])


def _with_remarks(row: tuple[int, dict[int, str]], page: SheetPage, used: set[tuple[int, int]]) -> str:
    number, cells = row
    texts = []
    for column, text in cells.items():
        used.add((number, column))
        texts.extend([text, *(f"Comment ({one})" for one in page.remarks.get((number, column), []))])
    return "\n".join(texts)


def _grid(region: SheetRegion, page: SheetPage, budget: Budget) -> list[tuple[int, list[Cell]]]:
    """Return the region's rows with their numbers; merged cells stand at each of their places."""
    first, last = region.area.left, region.area.right
    merged = _merged_cells(region, page.corners, budget) if page.corners else {}
    grid = []
    for number in sorted({*region.rows, *(row for row, _ in merged)}):
        row = region.rows.get(number, {})
        cells = [
            merged.get((number, column)) or (Cell(row[column]) if column in row else EMPTY)
            for column in range(first, last + 1)
        ]
        budget.spend(len(cells), 0)
        grid.append((number, cells))
    return grid


def _merged_cells(
    region: SheetRegion, corners: dict[tuple[int, int], Area], budget: Budget
) -> dict[tuple[int, int], Cell]:
    """Return the cells of merged areas at each of their places inside a region."""
    found: dict[tuple[int, int], Cell] = {}
    for number, texts in region.rows.items():
        for column, text in texts.items():
            one = corners.get((number, column))
            if one is None:
                continue
            bottom, right = min(one.bottom, region.area.bottom), min(one.right, region.area.right)
            height, width = bottom - number + 1, right - column + 1
            budget.spend(height * width, 0)
            cell = Cell(text, height, width)
            for row in range(number, bottom + 1):
                found.update(dict.fromkeys(((row, at) for at in range(column, right + 1)), cell))
    return found


def _add_remarks(
    grid: list[tuple[int, list[Cell]]],
    region: SheetRegion,
    page: SheetPage,
    used: set[tuple[int, int]],
    header_rows: int | None,
) -> None:
    """Add a column with the comments on each row's cells, so that they travel with it; not to its titles."""
    if not page.remarks:
        return
    head = next((number for number, row in region.rows.items() if len(row) > 1), 0)
    by_row: dict[int, list[str]] = {}
    for row in (number for number in region.rows if number >= head):
        for column in page.remarked.get(row, ()):
            if region.area.left <= column <= region.area.right:
                used.add((row, column))
                texts = page.remarks[row, column]
                by_row.setdefault(row, []).extend(f"{column_letters(column)}{row}, {text}" for text in texts)
    if not by_row:
        return
    named = header_rows == 0
    for number, cells in grid:
        several = len({id(cell) for cell in cells if cell.text}) > 1
        texts = by_row.get(number, [])
        if not named and several:
            texts, named = [_COMMENTS, *texts], True
        cells.append(Cell(" ".join(texts)) if texts else EMPTY)


def _loose_remarks(page: SheetPage, used: set[tuple[int, int]]) -> Iterator[str]:
    """Yield the comments on empty cells and titles."""
    for (row, column), texts in sorted(page.remarks.items()):
        if (row, column) not in used:
            yield from (f"Comment on {column_letters(column)}{row} ({text})" for text in texts)


def _prompts(sheet: Sheet) -> Iterator[str]:
    for where, text in sheet.prompts:
        yield f"Input message for {where}: {text}"


def _running(texts: Iterable[str]) -> Iterator[str]:
    """Yield the sheet's headers or footers without their codes, each once."""
    seen = set()
    for text in texts:
        marked = _HEAD_CODE.sub(_code, text)
        for piece in marked.split("\t"):
            shown = without_page_numbers(piece).strip()
            if shown and shown not in seen:
                seen.add(shown)
                yield shown


def _code(match: re.Match[str]) -> str:
    """Return what a code of a running head stands for; a date or file name is nobody's words."""
    code = match[0][1:]
    if code == "&":
        return "&"
    if code in ("L", "C", "R"):
        return "\t"
    return PAGE_MARK if code in ("P", "N") else ""


def _hidden(page: SheetPage) -> str:
    """Return a line that says what of the sheet is hidden; its text is taken."""
    if page.is_hidden:
        return "(Hidden sheet)"
    used = {column for row in page.sheet.rows.values() for column in row}
    columns = [
        column_letters(column)
        for one in page.sheet.hidden_columns
        for column in range(one.left, one.right + 1)
        if column in used
    ]
    rows = [str(number) for number in page.sheet.hidden_rows if number in page.sheet.rows]
    parts = []
    if rows:
        parts.append(f"row{'s' if len(rows) > 1 else ''} {_runs(page.sheet.hidden_rows, page.sheet.rows)}")
    if columns:
        parts.append(f"column{'s' if len(columns) > 1 else ''} {', '.join(columns)}")
    return f"(Hidden: {'; '.join(parts)})" if parts else ""


def _runs(numbers: Iterable[int], rows: Rows) -> str:
    """Write numbers as ranges: "3-5, 9"."""
    runs: list[list[int]] = []
    for number in sorted(number for number in numbers if number in rows):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)
