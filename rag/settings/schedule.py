"""Which folders the service syncs, and when: the tables `[schedule.NAME]` of `ibid.toml`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any

from rag.errors import InvalidName, InvalidSettings
from rag.types import check_corpus_name

_EVERY = re.compile(r"([1-9][0-9]{0,3})([mhd])")
_AT = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True, slots=True)
class Schedule:
    """A folder that a corpus follows, synced at an interval from the service's start or at a time of day."""

    corpus: str
    folder: Path
    every: timedelta | None = None  # from the start of one run to the start of the next
    at: time | None = None  # in the machine's local time; exactly one of the two is given
    delete_missing: bool = False

    def first(self, now: datetime) -> datetime:
        """Return when a service that starts now runs first: at once, or at the time of day."""
        return now if self.every else self.next(now)

    def next(self, now: datetime) -> datetime:
        """Return when to run after a run that begins now."""
        if self.at is None:
            return now + (self.every or timedelta(days=1))
        today = datetime.combine(now.date(), self.at)
        return today if today > now else today + timedelta(days=1)


def read_schedules(tables: Any) -> tuple[Schedule, ...]:
    """Read `[schedule.NAME]`, where NAME is the corpus, from parsed TOML.

    Raises:
        InvalidSettings: naming key, value and remedy.
    """
    if not isinstance(tables, dict):
        raise _invalid("schedule", tables, "tables such as [schedule.handbook]")
    return tuple(_read(corpus, table) for corpus, table in tables.items())


def _read(corpus: str, table: Any) -> Schedule:
    key = f"schedule.{corpus}"
    try:
        check_corpus_name(corpus)
    except InvalidName as error:
        raise InvalidSettings(f"{key} in ibid.toml: {error}") from error
    if not isinstance(table, dict):
        raise _invalid(key, table, 'a table such as {folder = "/srv/handbook", every = "6h"}')
    if unknown := table.keys() - {"folder", "every", "at", "delete_missing"}:
        raise _invalid(key, sorted(unknown), "the keys folder, every or at, and delete_missing")
    if ("every" in table) == ("at" in table):
        raise _invalid(key, sorted(table), "one of the two: every or at")
    folder, delete_missing = table.get("folder"), table.get("delete_missing", False)
    if not isinstance(folder, str) or not Path(folder).is_absolute():
        raise _invalid(f"{key}.folder", folder, "an absolute path")
    if not isinstance(delete_missing, bool):
        raise _invalid(f"{key}.delete_missing", delete_missing, "true or false")
    every = _every(key, table["every"]) if "every" in table else None
    at = _at(key, table["at"]) if "at" in table else None
    return Schedule(corpus, Path(folder), every, at, delete_missing)


def _every(key: str, value: Any) -> timedelta:
    found = _EVERY.fullmatch(str(value))
    if not found:
        raise _invalid(f"{key}.every", value, "a whole number of minutes, hours or days: 30m, 6h or 1d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _at(key: str, value: Any) -> time:
    found = _AT.fullmatch(str(value))
    if not found:
        raise _invalid(f"{key}.at", value, "a time of day such as 02:30")
    return time(int(found[1]), int(found[2]))


def _invalid(key: str, value: Any, expected: str) -> InvalidSettings:
    return InvalidSettings(f"{key} in ibid.toml is {value!r}; expected {expected}.")
