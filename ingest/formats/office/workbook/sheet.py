"""A sheet's cells as displayed, and what else its part says: merged areas, hidden rows, links, running heads."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from lxml import etree

from ingest.formats.file_text import FileLimits, too_long
from ingest.formats.office.number_format import GENERAL, displayed, displayed_text
from ingest.formats.office.package import qn, short, transitional, whole_number
from rag.errors import UnreadableFile

MOST_CELLS = 5_000_000  # in all sheets
MOST_ROWS, MOST_COLUMNS = 1_048_576, 16_384
_AREA = re.compile(r"\$?([A-Z]{1,3})\$?(\d{1,7})(?::\$?([A-Z]{1,3})\$?(\d{1,7}))?")
_LETTERS = 26
_SHEET_TAGS = (
    *("s:row", "s:mergeCell", "s:col", "s:hyperlink", "s:dataValidation", "s:tablePart"),
    *("s:oddHeader", "s:evenHeader", "s:firstHeader", "s:oddFooter", "s:evenFooter", "s:firstFooter"),
    *("s:oleObject",),
)


class Amount(str):
    """A number, date or time as displayed; other cells hold plain text."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Area:
    """A rectangle of cells; rows and columns count from 1, the last ones included."""

    top: int
    left: int
    bottom: int
    right: int


@dataclass(slots=True)
class Sheet:
    """What a worksheet's part holds."""

    rows: dict[int, dict[int, str]] = field(default_factory=dict)
    merged: list[Area] = field(default_factory=list)
    hidden_rows: list[int] = field(default_factory=list)
    hidden_columns: list[Area] = field(default_factory=list)
    links: dict[tuple[int, int], str] = field(default_factory=dict)  # relationship ids
    prompts: list[tuple[str, str]] = field(default_factory=list)  # area, text
    heads: list[str] = field(default_factory=list)
    feet: list[str] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)  # relationship ids
    objects: list[str] = field(default_factory=list)  # relationship ids
    unseen: int = 0  # values that their number format hides
    unknown: int = 0  # formulas whose value nobody stored


class Budget:
    """What a workbook may still cost, over all its sheets."""

    def __init__(self, name: str, limits: FileLimits) -> None:
        self._name = name
        self._limits = limits
        self._cells = MOST_CELLS
        self._characters = limits.max_characters

    def spend(self, cells: int, characters: int) -> None:
        """Count cells and their text.

        Raises:
            UnreadableFile: if the workbook holds more than is accepted.
        """
        self._cells -= cells
        self._characters -= characters
        if self._cells < 0:
            raise self.too_wide()
        if self._characters < 0:
            raise too_long(self._name, self._limits)

    def too_wide(self) -> UnreadableFile:
        """Return the error of a workbook with too many cells, or one beyond a sheet's end."""
        return UnreadableFile(
            f"{self._name} spreads over more than {MOST_CELLS:,} cells; remove the empty area and save it again."
        )


@dataclass(slots=True)
class SheetReader:
    """Reads worksheets of one workbook."""

    texts: Sequence[str]  # shared strings
    formats: Sequence[str]  # number formats by cell style
    from_1904: bool
    budget: Budget

    def read(self, content: bytes) -> Sheet:
        """Parse a worksheet's part, row by row."""
        sheet = Sheet()
        tags = [qn(tag) for tag in _SHEET_TAGS]
        source = io.BytesIO(transitional(content))
        number = 0
        for _, element in etree.iterparse(source, tag=tags, resolve_entities=False, no_network=True):
            if short(element.tag) == "s:row":
                number = self._row(element, number + 1, sheet)
            else:
                _take(element, short(element.tag), sheet)
            element.clear()
            while element.getprevious() is not None:
                del element.getparent()[0]
        return sheet

    def _row(self, element: Any, expected: int, sheet: Sheet) -> int:
        """Take a row's cells; return its number."""
        number = whole_number(element.get("r"), expected)
        if not 0 < number <= MOST_ROWS:
            raise self.budget.too_wide()
        if element.get("hidden") in ("1", "true"):
            sheet.hidden_rows.append(number)
        cells: dict[int, str] = {}
        column = 0
        for cell in element:
            reference = cell.get("r")
            column = column_number(reference.rstrip("0123456789")) if reference else column + 1
            if not 0 < column <= MOST_COLUMNS:
                raise self.budget.too_wide()
            text = self._cell(cell, sheet)
            if text:
                cells[column] = text
        if cells:
            self.budget.spend(len(cells) + 1, sum(map(len, cells.values())))
            sheet.rows.setdefault(number, {}).update(cells)
        return number

    def _cell(self, cell: Any, sheet: Sheet) -> str:
        """Return a cell as displayed; a formula that has no stored value is shown itself."""
        kind = cell.get("t", "n")
        if kind == "inlineStr":
            found = cell.find(qn("s:is"))
            return displayed_text(rich_text(found).strip(), self._format(cell)) if found is not None else ""
        value = cell.findtext(qn("s:v"))
        if not value:
            formula = cell.findtext(qn("s:f"))
            # Nobody calculated it: the sheet would show a number
            sheet.unknown += bool(formula)
            return Amount(f"={formula}") if formula else ""
        if kind == "s":
            at = whole_number(value, -1)
            text = self.texts[at] if 0 <= at < len(self.texts) else ""
            return displayed_text(text, self._format(cell))
        if kind == "b":
            return "TRUE" if value == "1" else "FALSE"
        if kind != "n":
            return displayed_text(value, self._format(cell))
        shown = self._number(value, self._format(cell))
        sheet.unseen += not shown
        return Amount(shown) if shown else ""

    def _number(self, value: str, code: str) -> str:
        if code == GENERAL and value.isdigit():
            return value
        try:
            return displayed(float(value), code, from_1904=self.from_1904)
        except (ValueError, OverflowError):
            return value

    def _format(self, cell: Any) -> str:
        style = whole_number(cell.get("s"))
        return self.formats[style] if 0 <= style < len(self.formats) else GENERAL


def column_number(letters: str) -> int:
    """Return a column's number: 1 for A, 28 for AB; 0 for what names none."""
    number = 0
    for letter in letters:
        number = number * _LETTERS + ord(letter) - ord("A") + 1
        if not "A" <= letter <= "Z" or number > MOST_COLUMNS:
            return 0 if number <= MOST_COLUMNS else number
    return number


def column_letters(number: int) -> str:
    """Return a column's name: A for 1, AB for 28."""
    letters = ""
    while number > 0:
        number, rest = divmod(number - 1, _LETTERS)
        letters = chr(ord("A") + rest) + letters
    return letters


def area(reference: str) -> Area | None:
    """Return the cells that a reference such as "B2:C9" or "$A$1" names; None for other references."""
    match = _AREA.fullmatch(reference.strip())
    if match is None:
        return None
    left, top, right, bottom = match.groups()
    columns = column_number(left), column_number(right or left)
    rows = int(top), int(bottom or top)
    found = Area(min(rows), min(columns), max(rows), max(columns))
    inside = found.top > 0 and found.left > 0 and found.bottom <= MOST_ROWS and found.right <= MOST_COLUMNS
    return found if inside else None


def rich_text(element: Any) -> str:
    """Return the text of a string item: its runs, without the reading aid over Japanese."""
    texts = (run.text or "" for run in _runs(element))
    return "".join(texts)


def _runs(element: Any) -> Iterator[Any]:
    for child in element:
        tag = short(child.tag)
        if tag == "s:t":
            yield child
        elif tag == "s:r":
            yield from child.findall(qn("s:t"))


def _take(element: Any, tag: str, sheet: Sheet) -> None:
    takers: dict[str, Callable[[Any, Sheet], None]] = {
        "s:mergeCell": _take_merged,
        "s:col": _take_column,
        "s:hyperlink": _take_link,
        "s:dataValidation": _take_prompt,
        "s:tablePart": lambda one, into: into.tables.append(one.get(qn("r:id"), "")),
        "s:oleObject": lambda one, into: into.objects.append(one.get(qn("r:id"), "")),
    }
    if tag in takers:
        takers[tag](element, sheet)
    elif element.text:
        (sheet.heads if tag.endswith("Header") else sheet.feet).append(element.text)


def _take_merged(element: Any, sheet: Sheet) -> None:
    found = area(element.get("ref", ""))
    if found is not None:
        sheet.merged.append(found)


def _take_column(element: Any, sheet: Sheet) -> None:
    if element.get("hidden") in ("1", "true"):
        first, last = whole_number(element.get("min"), 1), whole_number(element.get("max"), 1)
        sheet.hidden_columns.append(Area(1, max(1, first), 1, min(last, MOST_COLUMNS)))


def _take_link(element: Any, sheet: Sheet) -> None:
    found = area(element.get("ref", ""))
    if found is not None and element.get(qn("r:id")):
        sheet.links[found.top, found.left] = element.get(qn("r:id"))


def _take_prompt(element: Any, sheet: Sheet) -> None:
    text = ". ".join(filter(None, (element.get("promptTitle"), element.get("prompt"))))
    if text:
        sheet.prompts.append((element.get("sqref", ""), " ".join(text.split())))
