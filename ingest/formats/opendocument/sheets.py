"""OpenDocument spreadsheets (ods): a page per sheet; cells hold their text as displayed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ingest.formats.office.workbook.page import SheetPage, write_page
from ingest.formats.office.workbook.remark import Remarks
from ingest.formats.office.workbook.sheet import MOST_COLUMNS, MOST_ROWS, Amount, Area, Budget, Sheet
from ingest.formats.opendocument.content import ContentReader
from ingest.formats.opendocument.names import count, qn, short, stated
from ingest.formats.opendocument.tables import is_hidden, rows_of

_AMOUNTS = frozenset({"float", "currency", "percentage", "date", "time"})


@dataclass(slots=True)
class SheetTable:
    """Reads one table:table of a spreadsheet."""

    reader: ContentReader
    budget: Budget
    sheet: Sheet
    remarks: Remarks
    over: list[str]  # what lies over the cells

    def read(self, table: Any) -> None:
        """Take a table's cells, merged areas, hidden rows, comments and drawings."""
        number = 1
        for row, _ in rows_of(table):
            repeated = count(row, "table:number-rows-repeated")
            cells = self._row(row, number)
            if cells:
                for at in range(number, number + repeated):
                    if at > MOST_ROWS:
                        raise self.budget.too_wide()
                    self.budget.spend(len(cells) + 1, sum(map(len, cells.values())))
                    self.sheet.rows[at] = dict(cells)
                    if is_hidden(row):
                        self.sheet.hidden_rows.append(at)
            number += repeated
        for shapes in table.findall(qn("table:shapes")):
            self.over.extend(self.reader.blocks(shapes))

    def _row(self, row: Any, number: int) -> dict[int, str]:
        cells: dict[int, str] = {}
        column = 1
        for cell in row:
            repeated = count(cell, "table:number-columns-repeated")
            text = self._cell(cell, number, column) if len(cell) or cell.attrib else ""
            if text:
                if column + repeated > MOST_COLUMNS + 1:
                    raise self.budget.too_wide()
                self.budget.spend(repeated, 0)
                cells.update(dict.fromkeys(range(column, column + repeated), text))
            column += repeated
        return cells

    def _cell(self, cell: Any, row: int, column: int) -> str:
        if short(cell.tag) != "table:table-cell":
            return ""
        lines = []
        for child in cell:
            tag = short(child.tag)
            if tag == "office:annotation":
                self._remark(child, row, column)
            elif tag == "text:p":
                lines.append(self.reader.line(child))
                self.over.extend(self.reader.after())
            else:
                self.over.extend(self.reader.blocks([child]))
        text = " ".join(filter(None, lines))
        height, width = count(cell, "table:number-rows-spanned"), count(cell, "table:number-columns-spanned")
        if (height, width) != (1, 1) and text:
            self.sheet.merged.append(Area(row, column, row + height - 1, column + width - 1))
        if not text and stated(cell, "table:formula"):
            return Amount("=" + stated(cell, "table:formula").partition("=")[2])
        return Amount(text) if text and stated(cell, "office:value-type") in _AMOUNTS else text

    def _remark(self, element: Any, row: int, column: int) -> None:
        author = element.findtext(qn("dc:creator")) or ""
        text = self.reader.apart(element)
        if text:
            self.remarks.setdefault((row, column), []).append(f"{author}: {text}" if author else text)


def sheet_pages(body: Any, reader: ContentReader, hidden: frozenset[str], budget: Budget) -> Iterator[str]:
    """Yield a page for each sheet.

    Args:
        body: the office:spreadsheet.
        reader: of the file's text.
        hidden: the table styles of hidden sheets.
        budget: of cells and characters.
    """
    for table in body.findall(qn("table:table")):
        title = stated(table, "table:name")
        reader.place = f"sheet “{title}”"
        found = SheetTable(reader, budget, Sheet(), {}, [])
        found.read(table)
        found.over.extend(_messages(body, title))
        is_hidden_sheet = stated(table, "table:style-name") in hidden
        page = SheetPage(title, found.sheet, found.remarks, is_hidden=is_hidden_sheet)
        yield write_page(page, found.over, budget)


def _messages(body: Any, title: str) -> Iterator[str]:
    """Yield the input messages of a sheet's cells."""
    for validation in body.iter(qn("table:content-validation")):
        message = validation.find(qn("table:help-message"))
        where = stated(validation, "table:base-cell-address")
        if message is not None and where.startswith((f"{title}.", f"'{title}'.", f"${title}.")):
            text = " ".join(" ".join([stated(message, "table:title"), *message.itertext()]).split())
            if text:
                yield f"Input message for {where.rpartition('.')[2]}: {text}"
