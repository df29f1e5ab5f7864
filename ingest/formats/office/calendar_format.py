"""Write a spreadsheet's day number as a date, a time or a duration, by the tokens of a number format."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass

_SECONDS_A_DAY = 86_400
_LAST_DAY = 2_958_466  # 10000-01-01
# Lotus took 1900 for a leap year, and every spreadsheet since does: day 60 is 29 February 1900.
_DAY_THAT_NEVER_WAS = 60
_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
_ABBREVIATED, _FULL, _INITIAL = 3, 4, 5
_NOON = 12

Token = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Moment:
    """A day number taken apart."""

    year: int
    month: int
    day: int
    weekday: int  # 0 is Monday
    seconds: int  # since midnight
    fraction: float  # of a second
    total_seconds: int  # since day 0


def written(value: float, tokens: Sequence[Token], *, from_1904: bool) -> str | None:
    """Write a day number; None for one outside the calendar, which a spreadsheet shows as ####."""
    if not 0 <= value < _LAST_DAY and not any(kind == "elapsed" for kind, _ in tokens):
        return None
    code = "".join(text if kind in ("other", "digit") else " " for kind, text in tokens)
    decimals = len(match[1]) if (match := re.search(r"\.(0+)", code)) else 0
    moment = _moment(abs(value), decimals, from_1904=from_1904)
    if moment is None:
        return None
    half_day = any(kind == "half" for kind, _ in tokens)
    sign = "-" if value < 0 else ""
    parts = [
        _part(moment, tokens, at, half_day=half_day)
        for at in range(len(tokens))
        if not _in_fraction(tokens, at)
    ]
    return sign + "".join(parts)


def _moment(value: float, decimals: int, *, from_1904: bool) -> Moment | None:
    scale = 10**decimals
    ticks = round(value * _SECONDS_A_DAY * scale)
    total_seconds, rest = divmod(ticks, scale)
    day_number, seconds = divmod(total_seconds, _SECONDS_A_DAY)
    if from_1904:
        date = datetime.date(1904, 1, 1)
    elif day_number < _DAY_THAT_NEVER_WAS:
        date = datetime.date(1899, 12, 31)
    else:
        date = datetime.date(1899, 12, 30)
    try:
        date += datetime.timedelta(days=day_number)
    except OverflowError:
        date = datetime.date.max
    year, month, day = date.year, date.month, date.day
    if not from_1904 and day_number in (0, _DAY_THAT_NEVER_WAS):
        year, month, day = (1900, 1, 0) if day_number == 0 else (1900, 2, 29)
    return Moment(year, month, day, date.weekday(), seconds, rest / scale, total_seconds)


def _in_fraction(tokens: Sequence[Token], at: int) -> bool:
    """Return whether a placeholder is one of a second's decimals, which its point writes."""
    while at > 0 and tokens[at][0] == "digit":
        at -= 1
        if tokens[at] == ("other", "."):
            return True
    return False


def _part(moment: Moment, tokens: Sequence[Token], at: int, *, half_day: bool) -> str:
    kind, text = tokens[at]
    if kind == "elapsed":
        unit = {"h": 3600, "m": 60, "s": 1}[text[0]]
        return f"{moment.total_seconds // unit:0{len(text)}d}"
    if kind == "half":
        afternoon = moment.seconds // 3600 >= _NOON
        return ("PM" if afternoon else "AM")[: 2 if len(text) > _ABBREVIATED else 1]
    if kind == "date":
        return _unit(moment, text.lower(), is_minute=_is_minute(tokens, at), half_day=half_day)
    if (kind, text) == ("other", ".") and at + 1 < len(tokens) and tokens[at + 1][0] == "digit":
        count = next((n for n, (k, _) in enumerate(tokens[at + 1 :]) if k != "digit"), len(tokens) - at - 1)
        return f".{round(moment.fraction * 10**count):0{count}d}"
    return "" if (kind, text) == ("other", "@") else text


def _unit(moment: Moment, code: str, *, is_minute: bool, half_day: bool) -> str:
    count = len(code)
    match code[0]:
        case "y" | "e":
            return f"{moment.year % 100:02d}" if code[0] == "y" and count <= 2 else f"{moment.year:04d}"
        case "m" if is_minute:
            return f"{moment.seconds // 60 % 60:0{min(count, 2)}d}"
        case "m":
            return _named(moment.month, _MONTHS[moment.month - 1], count)
        case "d":
            return _named(moment.day, _DAYS[moment.weekday], count)
        case "h":
            hour = moment.seconds // 3600
            hour = (hour % _NOON or _NOON) if half_day else hour
            return f"{hour:0{min(count, 2)}d}"
        case "s":
            return f"{moment.seconds % 60:0{min(count, 2)}d}"
        case "b":
            return str(moment.year + 543)
    return ""


def _named(number: int, name: str, count: int) -> str:
    if count < _ABBREVIATED:
        return f"{number:0{count}d}"
    return name[:3] if count == _ABBREVIATED else name[:1] if count == _INITIAL else name


def _is_minute(tokens: Sequence[Token], at: int) -> bool:
    """Return whether an m is a minute: hours stand before it, or seconds after it."""
    if len(tokens[at][1]) >= _ABBREVIATED:
        return False
    units = [
        (index, text[0].lower()) for index, (kind, text) in enumerate(tokens) if kind in ("date", "elapsed")
    ]
    order = [index for index, _ in units].index(at)
    before = units[order - 1][1] if order else ""
    after = units[order + 1][1] if order + 1 < len(units) else ""
    return before == "h" or after == "s"
