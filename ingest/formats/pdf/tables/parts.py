"""The parts of a row: neighbouring words that no wide gap splits, amounts put together with their signs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from ingest.formats.grid import is_number
from ingest.formats.pdf.page.lines import LineRow, is_currency
from ingest.formats.pdf.page.words import Word

# A list's mark is no cell of its own.
_MARK = re.compile(
    r"[•●▪■◦‣–—*·o-]|[\[(]?(?:\d{1,2}|[a-zA-Z]|[ivxIVX]{1,6})[.):\]]{1,2}|\d{1,2}(?:\.\d{1,2}){1,4}\.?|[●\uf0b7\uf0a7]"
)
_OPENS_AMOUNT = re.compile(r"[\d(.—–-]")
_DAY_AND_YEAR = re.compile(r"\d{1,2},? (?:19|20)\d\d")
_CLOSES_AMOUNT = re.compile(r"\)?%?\)?\*{0,3}|\(?\d{1,2}\)")
# A row with more words that fills more of its width is prose.
_MOST_WORDS, _PROSE_COVER = 11, 0.85


@dataclass(frozen=True, slots=True)
class RowPart:
    """A part of a row: neighbouring words that no wide gap splits."""

    words: list[Word]

    @property
    def x0(self) -> float:
        return self.words[0].x0

    @property
    def x1(self) -> float:
        return max(word.x1 for word in self.words)

    @property
    def core_x0(self) -> float:
        """Where it begins, the sign before an amount left out: that stands where the column begins."""
        signed = len(self.words) > 1 and is_currency(self.words[0].text)
        return self.words[1].x0 if signed else self.words[0].x0

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)


@dataclass(slots=True)
class PartedRow:
    """A row of a region and its parts."""

    row: LineRow
    parts: list[RowPart]
    base: float
    size: float
    stands_alone: bool = False  # a table or a figure
    is_tabular: bool = False  # several parts, a list's mark not counted, and no prose with a wide space
    has_values: bool = False  # an amount beyond the first part


def is_amount(text: str) -> bool:
    """Return whether a part is an amount; the rest of a date, "31, 2025", is none."""
    return is_number(text) and _DAY_AND_YEAR.fullmatch(text) is None


def _is_filled_in(parts: Sequence[RowPart]) -> bool:
    """Return whether a row holds fields of a form, each behind its label."""
    fields = [[word.field for word in part.words] for part in parts]
    if not any(map(any, fields)) or fields[0][0]:
        return False
    return not any(before[-1] and its[0] for before, its in pairwise(fields))


def parted(row: LineRow) -> PartedRow:
    """Return a row with its parts."""
    parts: list[RowPart] = []
    for line in row:
        if line.table is not None or line.figure:
            words = line.words or [Word("", *line.box, line.base, line.size)]
            return PartedRow(row, [RowPart(words)], line.base, line.size, stands_alone=True)
        parts.append(RowPart(line.words))
    glued: list[RowPart] = []
    for part in parts:
        before = glued[-1] if glued else None
        opens = before is not None and is_currency(before.words[-1].text) and _OPENS_AMOUNT.match(part.text)
        closes = before is not None and _CLOSES_AMOUNT.fullmatch(part.text) and before.text[-1:].isdigit()
        if before is not None and (opens or (closes and part.x0 - before.x1 < 2 * part.words[0].size)):
            glued[-1] = RowPart([*before.words, *part.words])
        else:
            glued.append(part)
    if len(glued) == 2 and glued[0].text.endswith(":") and not is_amount(glued[1].text):
        glued = [RowPart([*glued[0].words, *glued[1].words])]  # a label and its value
    result = PartedRow(row, glued, row[0].base, median(line.size for line in row))
    result.is_tabular = (
        _is_tabular(glued) and not _is_filled_in(glued) and not all(line.fixed for line in row)
    )
    result.has_values = any(is_amount(part.text) for part in glued[1:])
    return result


def _is_tabular(parts: list[RowPart]) -> bool:
    if len(parts) <= (2 if _MARK.fullmatch(parts[0].text) else 1):
        return False
    if is_number(parts[0].text) and len(parts) > 1:
        return True  # an amount and what it is
    words = sum(len(word.text) > 1 and word.text[1].isalpha() for part in parts for word in part.words)
    covered = sum(part.x1 - part.x0 for part in parts)
    return words <= _MOST_WORDS or covered < _PROSE_COVER * (parts[-1].x1 - parts[0].x0)
