"""Quarters, halves, years and days, however they are written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_ORDINALS = ("first", "second", "third", "fourth")
_MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_MONTH = "|".join(rf"{name[:3]}(?:{name[3:]}|t?\.?)" if name[3:] else name for name in _MONTHS)
_DAY = r"(\d{1,2})(?:st|nd|rd|th)?"
_QUARTER = re.compile(
    rf"\bQ([1-4])(?!\d)|\b([1-4])Q|\b(?:({'|'.join(_ORDINALS)})|([1-4])(?:st|nd|rd|th))[ -](?:fiscal )?quarter\b",
    re.IGNORECASE,
)
# Beside a year only: H2 is hydrogen too, and 2h two hours.
_HALF = re.compile(
    r"\bH([12])(?=(?:[ -]?(?:FY ?)?|,? of )'?\d\d)|(?<=\b(?:19|20)\d\d[ -])H([12])\b|\b([12])H(?=[ -]?'?\d\d)"
    r"|\b(?:(first|second)|(1st|2nd))[ -]half\b",
    re.IGNORECASE,
)
# 2023; FY23 and FY2023; 3Q23 and Q3'23; 1H23 and H1'23.
_YEAR = re.compile(
    r"(?:\bFY ?'?|\b[1-4][QH]|\b)((?:19|20)\d\d)(?!\d)"
    r"|(?:\bFY ?'?|(?<=\b[1-4][QH])'?|(?<=\b[QH][1-4])'|(?<=\b[QH][1-4] )')(\d\d)\b",
    re.IGNORECASE,
)
# With spaces for the hyphens of a file's name.
_DATE = re.compile(
    rf"\b({_MONTH}) {_DAY}\b|\b{_DAY} ({_MONTH})\b|\b(?:19|20)\d\d[- ](\d\d)[- ](\d\d)\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Period:
    """A quarter, a half, a year or a day at a place in a text.

    `name` is the same however it is written: Q3, H1, 2023, 09-30.
    """

    start: int
    end: int
    name: str


def periods_in(text: str) -> list[Period]:
    """Return the periods that a text names, by kind.

    "Q3 2023", "third quarter of 2023", "3Q23" and "FY23 Q3" name Q3 and 2023; "September 30, 2023" and "2023-09-30"
    name 09-30 and 2023; "1H23" names H1 and 2023.
    """
    return [*_days(text), *_quarters(text), *_halves(text), *_years(text)]


def _days(text: str) -> Iterator[Period]:
    for found in _DATE.finditer(text):
        after, day, before, named, month, of_month = found.groups()
        if name := after or named:
            month = next(at for at, full in enumerate(_MONTHS, 1) if full.startswith(name[:3].lower()))
        yield Period(*found.span(), f"{int(month):02d}-{int(day or before or of_month):02d}")


def _quarters(text: str) -> Iterator[Period]:
    for found in _QUARTER.finditer(text):
        number = next(filter(None, found.groups())).lower()
        if number in _ORDINALS:
            number = str(_ORDINALS.index(number) + 1)
        yield Period(*found.span(), f"Q{number}")


def _halves(text: str) -> Iterator[Period]:
    for found in _HALF.finditer(text):
        number = next(filter(None, found.groups())).lower()
        yield Period(*found.span(), "H1" if number in ("1", "first", "1st") else "H2")


def _years(text: str) -> Iterator[Period]:
    for found in _YEAR.finditer(text):
        yield Period(*found.span(), found[1] or f"20{found[2]}")
