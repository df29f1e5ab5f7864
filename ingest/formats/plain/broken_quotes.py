"""Read the rows of a CSV file, also where a quote is opened and never closed.

`Hose,"3 inch,14` would swallow every row up to the next quote. Such a quote is found by what follows the one that
seems to close it, or by the end of the file, and becomes a character of its cell.
"""

from __future__ import annotations

import csv
import io
import re
from bisect import bisect_right
from collections import Counter

# Line of the file, from 1, and cells.
CsvRow = tuple[int, list[str]]
_LINE_BREAK = re.compile(r"\r\n?|\n")
_FAULTS_NAMED = 20


def read_rows(text: str, delimiter: str, first_line: int = 1) -> tuple[list[CsvRow], list[tuple[str, int]]]:
    """Return the rows, and the places of quotes that were read as characters, with how many stand there.

    Args:
        first_line: the number of the text's first line in its file.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        return [(reader.line_num + first_line - 1, row) for row in reader], []
    except csv.Error:
        return _Mender(text, delimiter, first_line).rows()


class _Mender:
    """Reads cell by cell, and looks ahead before it believes a quote."""

    def __init__(self, text: str, delimiter: str, first_line: int) -> None:
        self._text = text
        self._delimiter = delimiter
        self._plain_end = re.compile(rf"[{re.escape(delimiter)}\r\n]|\Z")
        self._after_quote = re.compile(rf'"(?=[{re.escape(delimiter)}\r\n]|\Z)')
        self._lines = [0, *(found.end() for found in _LINE_BREAK.finditer(text))]
        self._first_line = first_line
        self._faults: list[tuple[int, int]] = []

    def rows(self) -> tuple[list[CsvRow], list[tuple[str, int]]]:
        rows: list[CsvRow] = []
        at = 0
        while at < len(self._text):
            line = self._line(at)
            row, at = self._row(at, line)
            rows.append((line, row))
        return rows, self._places(rows)

    def _line(self, at: int) -> int:
        return bisect_right(self._lines, at) + self._first_line - 1

    def _row(self, at: int, line: int) -> tuple[list[str], int]:
        """Read one row; return it and where the next one begins."""
        ended = _LINE_BREAK.search(self._text, at)
        stop = ended.start() if ended else len(self._text)
        if self._text.find('"', at, stop) < 0:
            plain = self._text[at:stop]
            return plain.split(self._delimiter) if plain else [], ended.end() if ended else stop
        row: list[str] = []
        while True:
            cell, at = self._cell(at, len(row) + 1)
            row.append(cell)
            if self._text[at : at + 1] != self._delimiter:
                break
            at += 1
        ended = _LINE_BREAK.match(self._text, at)
        return ([] if row == [""] else row), ended.end() if ended else len(self._text)

    def _cell(self, at: int, number: int) -> tuple[str, int]:
        if self._text[at : at + 1] != '"':
            end = self._end_of_plain(at)
            return self._text[at:end], end
        closing = self._closing(at + 1)
        if closing is not None:
            return self._text[at + 1 : closing].replace('""', '"'), closing + 1
        self._faults.append((self._line(at), number))
        # Quotes within a quoted cell that were not doubled: the last one on the line before a delimiter closes it.
        newline = _LINE_BREAK.search(self._text, at)
        closed = self._after_quote.search(self._text, at + 1, newline.end() if newline else len(self._text))
        if closed and closed.start() > at + 1:
            return self._text[at + 1 : closed.start()], closed.end()
        end = self._end_of_plain(at)
        return self._text[at:end], end

    def _closing(self, at: int) -> int | None:
        """Return where a quoted cell's closing quote stands; None if what follows it shows that it is none."""
        while True:
            quote = self._text.find('"', at)
            if quote < 0:
                return None
            if self._text[quote + 1 : quote + 2] == '"':
                at = quote + 2
                continue
            return quote if self._after_quote.match(self._text, quote) else None

    def _end_of_plain(self, at: int) -> int:
        found = self._plain_end.search(self._text, at)
        return found.start() if found else len(self._text)

    def _places(self, rows: list[CsvRow]) -> list[tuple[str, int]]:
        """Name each fault by line and cell, with the column's name where the first row gives it."""
        width = Counter(len(row) for _, row in rows if row).most_common(1)
        names = next((row for _, row in rows if width and len(row) == width[0][0]), [])
        places: list[tuple[str, int]] = []
        for line, number in self._faults[:_FAULTS_NAMED]:
            name = names[number - 1].strip() if number <= len(names) else ""
            places.append((f"line {line}, cell {number}{f' ({name})' if name and len(name) < 60 else ''}", 1))
        more = len(self._faults) - _FAULTS_NAMED
        return [*places, ("further lines", more)] if more > 0 else places
