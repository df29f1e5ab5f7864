"""Names for made documents: people, companies, products, cities, and the titles of encyclopaedia articles."""

from __future__ import annotations

import calendar
import json
import random
from functools import cache
from pathlib import Path
from typing import Any

from eval.datasets import records

FORMS: dict[str, Any] = json.loads((Path(__file__).parent / "forms.json").read_text(encoding="utf-8"))
_FIRST, _LAST, _WORDS, _THINGS = (
    FORMS["names"][kind].split() for kind in ("first", "last", "words", "things")
)
_COMPANY_KINDS = (
    "Ltd",
    "Inc",
    "GmbH",
    "Holdings",
    "WindowGroup",
    "Foods",
    "Energy",
    "Logistics",
    "Bank",
    "Software",
)
CITIES = tuple(FORMS["names"]["cities"].split())
COUNTRIES = tuple(FORMS["names"]["countries"])
MONTHS = tuple(calendar.month_name[1:])
PEOPLE = tuple(f"{first} {last}" for n, first in enumerate(_FIRST) for last in _LAST[n % 5 :: 5])
COMPANIES = tuple(f"{word} {kind}" for n, word in enumerate(_WORDS) for kind in _COMPANY_KINDS[n % 5 :: 3])
PRODUCTS = tuple(
    f"{word} {thing}" if n % 3 else f"{word} {thing} {n % 9 + 1}00"
    for n, word in enumerate(_WORDS)
    for thing in _THINGS[n % 7 :: 7]
)


def name_of(rng: random.Random) -> str:
    """Return the title of an article."""
    return rng.choice(_titles())


@cache
def _titles() -> tuple[str, ...]:
    entries = records("documents/wikipedia-490.jsonl.gz")
    return tuple(sorted(entry["title"].replace("_", " ") for entry in entries))
