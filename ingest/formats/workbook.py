"""Excel workbooks: a page per sheet, each a pipe table of the values as displayed."""

import datetime
import io
import re
from collections.abc import Iterator, Sequence
from typing import Any

import openpyxl

from ingest.formats import markdown
from ingest.formats.archive import clean_archive
from ingest.formats.file_text import FileLimits, FileText, from_pages, too_long
from rag.errors import UnreadableFile

_MAX_CELLS = 5_000_000  # in all sheets; a few bytes can place one cell a million rows away
_ROW_COST = 4  # cells; an empty row costs time too
_FORMULA = re.compile(rb"<f[ />]")
_MIDNIGHT = datetime.time()


def read(data: bytes, name: str, limits: FileLimits) -> FileText:
    """Write each sheet as a heading and a table: cached values of formulas, the formula where none is.

    Raises:
        UnreadableFile: if there are more sheets, cells or characters than the bounds allow.
    """
    source = clean_archive(data, name, limits)
    has_formulas = _FORMULA.search(source.getvalue()) is not None
    values = openpyxl.load_workbook(source, read_only=True, data_only=True)
    sheets = values.worksheets
    if len(sheets) > limits.max_pages:
        raise UnreadableFile(
            f"{name} has {len(sheets):,} sheets; expected at most {limits.max_pages:,}. Split it."
        )
    formulas: list[Any] = [None] * len(sheets)
    if has_formulas:  # openpyxl gives either values or formulas, so the file is read twice
        formulas = openpyxl.load_workbook(io.BytesIO(source.getvalue()), read_only=True).worksheets
    budget = _Budget(name, limits)
    pages = [_sheet(*pair, budget) for pair in zip(sheets, formulas, strict=True)]
    stated = values.properties
    metadata = {"title": stated.title, "author": stated.creator, "subject": stated.subject}
    return from_pages(pages, {**metadata, "created": stated.created and stated.created.isoformat()})


class _Budget:
    """What a workbook may still cost, over all its sheets."""

    def __init__(self, name: str, limits: FileLimits) -> None:
        self.name = name
        self.limits = limits
        self.cells = _MAX_CELLS
        self.characters = limits.max_characters

    def spend(self, row: list[str]) -> None:
        self.cells -= len(row) + _ROW_COST
        self.characters -= sum(map(len, row))
        if self.cells < 0:
            raise UnreadableFile(
                f"{self.name} spreads over more than {_MAX_CELLS:,} cells;"
                " remove the empty area and save it again."
            )
        if self.characters < 0:
            raise too_long(self.name, self.limits)


def _sheet(values: Any, formulas: Any, budget: _Budget) -> str:
    rows = [row for row in _rows(values, formulas, budget) if any(row)]
    used = sorted({column for row in rows for column, cell in enumerate(row) if cell})
    if not rows:
        return ""
    lines = [markdown.table_row([row[column] for column in used if column < len(row)]) for row in rows]
    lines.insert(1, markdown.separator_row(len(used)))
    return f"{markdown.heading(values.title, 2)}\n\n" + "\n".join(lines)


def _rows(values: Any, formulas: Any, budget: _Budget) -> Iterator[list[str]]:
    """Yield each row as displayed, in strings, counted against the budget."""
    for row, formula_row in _row_pairs(values, formulas):
        shown = [_displayed(cell) for cell in row]
        for column, cell in enumerate(formula_row):
            if cell.data_type == "f" and column < len(shown) and not shown[column]:
                shown[column] = str(getattr(cell.value, "text", cell.value))
        budget.spend(shown)
        yield shown


def _row_pairs(values: Any, formulas: Any) -> Iterator[tuple[Sequence[Any], Sequence[Any]]]:
    values.reset_dimensions()  # the stated size may be a lie of 17 thousand million cells
    if formulas is None:
        yield from ((row, ()) for row in values.iter_rows())
        return
    formulas.reset_dimensions()
    yield from zip(values.iter_rows(), formulas.iter_rows(), strict=True)


def _displayed(cell: Any) -> str:
    """Write a value as a reader of the sheet sees it: ISO dates, 12 for 12.0, 25% where so formatted."""
    value = cell.value
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float):
        percent = cell.number_format.endswith("%")
        return f"{value * 100:.10g}%" if percent else f"{value:.15g}"
    if isinstance(value, datetime.datetime):
        return (value.date() if value.time() == _MIDNIGHT else value.replace(microsecond=0)).isoformat()
    return str(value)
