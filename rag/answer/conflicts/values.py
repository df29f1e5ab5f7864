"""Read the values that a sentence states, so that two sentences can be compared: amounts with their unit, and dates.

"Claims within 60 days, above 1,500 EUR"  -> 60 day, 1500 EUR
"90 minutes", "two hours"                 -> 5400 s, 7200 s              one unit for what is interchangeable
"from the fourth calendar day"            -> 4 nth day
"by 31 March", "by June 30"               -> 03-31, 06-30
"In 2025 it was 1,870 EUR"                -> 1870 EUR; 2025 is the period it is about
"see section 4", "Tighten 2 bolts", "12"  -> nothing, 2 bolt, nothing    a number without a unit compares with nothing
"bis zum 15. März, 1.500,50 Euro"         -> 03-15, 1500.50 EUR          German, French and Spanish likewise
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rag.text.languages import function_words, is_continental
from rag.text.numerals import (
    ENGLISH_COUNTS,
    ENGLISH_DIGITS,
    MONTHS,
    OTHER_COUNTS,
    OTHER_DIGITS,
    number_of,
)
from rag.text.words import text_terms

_MONTH = "|".join(sorted(MONTHS, key=len, reverse=True))
_DATE = re.compile(
    r"\b(?:(?P<iso>(?:1[6-9]|20)\d\d-[01]\d(?:-[0-3]\d)?)"
    r"|(?P<dotted>[0-3]?\d\.[01]?\d\.(?:1[6-9]|20)\d\d)"
    rf"|(?:(?P<day>[0-3]?\d)(?:st|nd|rd|th|er|\.)?\ (?:of\ |de\ )?)?(?P<month>{_MONTH})\b"
    r"(?:\ (?P<day_after>[0-3]?\d)(?:st|nd|rd|th)?\b(?!\d))?"
    r"(?:,?\ (?:del?\ )?(?P<year>(?:1[6-9]|20)\d\d))?"
    r"|(?P<alone>(?:1[6-9]|20)\d\d)(?![-/\w%°]|[.,]\d|\ ?(?:EUR|GBP|USD|percent|per\ cent)))(?:\b|(?=T\d))",
    re.VERBOSE,
)
# By the length of the ISO form.
_PRECISIONS = {4: "year", 5: "date", 7: "month of a year", 10: "date"}
_RANKS = (
    *("zeroth", "first", "second", "third", "fourth", "fifth", "sixth"),
    *("seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth"),
)


def _number_pattern(digits: str, counts: Iterable[str]) -> re.Pattern[str]:
    return re.compile(
        rf"(?<![\w.,:/#-])(?:(?P<sign>[€£$])\ ?)?(?:(?P<digits>{digits})(?P<nth>st|nd|rd|th)?"
        rf"|(?P<count>{'|'.join(counts)})|(?P<rank>{'|'.join(_RANKS)}))(?![\w/:]|[.,-]\d)",
        re.VERBOSE | re.IGNORECASE,
    )


_ENGLISH_NUMBER = _number_pattern(ENGLISH_DIGITS, ENGLISH_COUNTS)
_OTHER_NUMBER = _number_pattern(OTHER_DIGITS, OTHER_COUNTS)
_COUNT = "|".join([*ENGLISH_COUNTS, *OTHER_COUNTS])
_RANGE_BEGINS = re.compile(
    rf"\b(?:\d[\d,.]*|{_COUNT})(?: to | or | bis | oder | à | ou | a | o |[-–])$", re.IGNORECASE
)
_NAMES_A_PART = re.compile(  # the number that follows such a word is a name
    r"\b(?:sections?|chapters?|annex|appendix|pages?|figures?|tables?|steps?|items?|parts?|notes?|versions?"
    r"|editions?|revisions?|articles?|lots?|class|level|phase|type|model|no\.|nos\."
    r"|abschnitt|kapitel|seiten?|abbildung|tabelle|schritt|teil|anhang|artikel|absatz|nr\.|chapitre|tableau|étape"
    r"|partie|annexe|sección|capítulo|páginas?|tabla|paso|parte|anexo|artículo|abs\.|art\.|s\.|rn\.|núm\.)\ $|§\ ?$",
    re.IGNORECASE,
)
_SCALES = {
    **dict.fromkeys(("thousand", "tausend", "mille", "mil"), 1e3),
    **dict.fromkeys(("million", "millionen", "mio", "millions", "millón", "millones"), 1e6),
    **dict.fromkeys(("billion", "milliarde", "milliarden", "mrd", "milliard", "milliards"), 1e9),
    "trillion": 1e12,
}
_FILLERS = "calendar working business consecutive full paid unpaid extra additional further unused whole"
# Words allowed between a number and its unit.
_BETWEEN = frozenset(_FILLERS.split())
_UNIT_WORDS = {  # word -> (unit, how many of it)
    **dict.fromkeys(
        ("second", "seconds", "sec", "sekunde", "sekunden", "seconde", "secondes", "segundo", "segundos"),
        ("s", 1.0),
    ),
    **dict.fromkeys(("minute", "minutes", "min", "minuten", "minuto", "minutos"), ("s", 60.0)),
    **dict.fromkeys(
        ("hour", "hours", "stunde", "stunden", "heure", "heures", "hora", "horas"), ("s", 3600.0)
    ),
    **dict.fromkeys(("day", "days", "tag", "tage", "tagen", "jour", "jours", "día", "días"), ("day", 1.0)),
    **dict.fromkeys(
        ("week", "weeks", "woche", "wochen", "semaine", "semaines", "semana", "semanas"), ("day", 7.0)
    ),
    **dict.fromkeys(
        ("month", "months", "monat", "monate", "monaten", "mois", "mes", "meses"), ("month", 1.0)
    ),
    **dict.fromkeys(
        ("year", "years", "jahr", "jahre", "jahren", "ans", "année", "années", "año", "años"), ("month", 12.0)
    ),
    **dict.fromkeys(("%", "percent", "prozent"), ("%", 1.0)),
    **dict.fromkeys(("eur", "euro", "euros", "€"), ("EUR", 1.0)),
    **dict.fromkeys(("gbp", "pound", "pounds", "£"), ("GBP", 1.0)),
    **dict.fromkeys(("pence", "penny"), ("GBP", 0.01)),
    **dict.fromkeys(("usd", "dollar", "dollars", "$"), ("USD", 1.0)),
    **dict.fromkeys(
        ("metre", "metres", "meter", "meters", "m", "metern", "mètre", "mètres", "metro", "metros"),
        ("m", 1.0),
    ),
    **dict.fromkeys(
        ("kilometre", "kilometres", "kilometer", "kilometers", "km", "kilomètres", "kilómetros"),
        ("m", 1000.0),
    ),
}
_FOLLOWING = re.compile(
    r"(?:(?<=[Mm]io)\.|(?<=[Mm]rd)\.)?(?:[ \n\u00a0\u202f]?|-(?=[a-z]{3}))"
    r"(per cent\b|pour cent\b|por ciento\b|%|[€£$]|[^\W\d_][\w°/]*)"  # 5-day, but a 10-Q
)
_FUNCTION_WORDS = (
    "a an and are as at be but by can do does each every for from had has have he in into is it its may more must nor "
    "not of on or out per she shall should so than that the their then there these they this those to was we were "
    "which who will with you"
)
_NO_UNIT = frozenset(
    [
        *_FUNCTION_WORDS.split(),
        *(word for language in ("de", "fr", "es") for word in function_words(language)),
    ]
)
_ASKS_WHEN = re.compile(
    r"\b(when|deadline|(what|which)( \w+)? (date|day|month|year)|since what|by what date"
    r"|wann|frist|welche[mnrs]? (?:datum|tag|monat|jahr)|quand|quelle (?:date|année)|quel (?:jour|mois)"
    r"|cuándo|plazo|qué (?:fecha|día|mes|año))\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Value:
    """A value that a text states at [start, end): an amount in its unit, or a date (ISO, or "mm-dd")."""

    unit: str
    amount: float | str
    start: int
    end: int

    def agrees(self, other: Value) -> bool:
        """Return whether both are the same value, one perhaps less precise: "31 March" and "31 March 2026"."""
        if isinstance(self.amount, str) and isinstance(other.amount, str):
            short, long = sorted((self.amount, other.amount), key=len)
            return long.startswith(short) or long.endswith(short)
        return self.unit == other.unit and self.amount == other.amount


def asks_when(question: str) -> bool:
    """Return whether a date is asked for; if not, a statement's dates say which time it is about."""
    return _ASKS_WHEN.search(question) is not None


def values_of(text: str, *, dates: bool = False) -> list[Value]:
    """Return the values that a text states, in order.

    Args:
        dates: whether years and dates with a year are values; days without a year always are.
    """
    spans = list(_DATE.finditer(text))
    found = [
        Value(_PRECISIONS[len(iso)], iso, *match.span())
        for match in spans
        if _is_value(iso := _iso(match), dates)
    ]
    continental = is_continental(text)
    for match in (_OTHER_NUMBER if continental else _ENGLISH_NUMBER).finditer(text):
        if not any(match.start() < date.end() and date.start() < match.end() for date in spans):
            found += _amount(text, match, continental=continental)
    return sorted(found, key=lambda value: value.start)


def periods_of(text: str) -> list[str]:
    """Return the dates with a year, and the years, that a text names: "2026-03-01", "2026-03" or "2026"."""
    return [iso for match in _DATE.finditer(text) if len(iso := _iso(match)) >= 4 and iso[:4].isdecimal()]


def differing(first: Sequence[Value], second: Sequence[Value]) -> tuple[list[Value], list[Value]]:
    """Return each side's values that the other gives differently, in the same unit; none if they agree.

    A value that only one side states is no difference: for each unit, both sides have one that the other lacks.
    """
    only_first = [one for one in first if not any(one.agrees(other) for other in second)]
    only_second = [one for one in second if not any(one.agrees(other) for other in first)]
    units = {one.unit for one in only_first} & {one.unit for one in only_second}
    return [one for one in only_first if one.unit in units], [one for one in only_second if one.unit in units]


def _is_value(iso: str, dates: bool) -> bool:
    has_year = iso[:4].isdecimal()
    return dates if has_year else "-" in iso  # a month alone is not a date


def _iso(match: re.Match[str]) -> str:
    """Return "2026-03-01", "2026-03", "2026", "03-01", or "mm" for a month alone."""
    if written := match["iso"] or match["alone"]:
        return written
    if match["dotted"]:
        day_, month_, year_ = match["dotted"].split(".")
        return f"{year_}-{int(month_):02}-{int(day_):02}"
    day = match["day"] or match["day_after"]
    month = f"{MONTHS[match['month']]:02}"
    return "-".join(part for part in (match["year"], month, day and f"{int(day):02}") if part)


def _amount(text: str, match: re.Match[str], *, continental: bool) -> Iterator[Value]:
    """Yield the amount that a number begins, if it has a unit."""
    if _NAMES_A_PART.search(text, 0, match.start()):
        return
    word = (match["count"] or match["rank"] or "").lower()
    if match["digits"]:
        number = number_of(match["digits"], continental=continental)
    else:
        counts = OTHER_COUNTS if continental else ENGLISH_COUNTS
        number = float(_RANKS.index(word) if match["rank"] else counts[word])
    words, end = list(_words_after(text, match.end())), match.end()
    lower = _RANGE_BEGINS.search(text, 0, match.start())  # "three to twelve months" counts as twelve
    start = lower.start() if lower else match.start()
    if words and words[0][0] in _SCALES:
        scale, end = words.pop(0)
        number *= _SCALES[scale]
        words = words[1:] if words and words[0][0] == "de" else words
    if match["sign"]:
        yield Value(_UNIT_WORDS[match["sign"]][0], number, start, end)
        return
    while words and words[0][0] in _BETWEEN:
        words.pop(0)
    if not words or words[0][0] in _NO_UNIT:
        return
    unit, end = words[0]
    nth = "nth " if match["nth"] or match["rank"] else ""
    if unit in _UNIT_WORDS:
        known, times = _UNIT_WORDS[unit]
        yield Value(f"{nth}{unit}" if nth else known, number * (1 if nth else times), start, end)
    elif not nth and word not in ("one", "un", "uno") and (terms := text_terms(unit)):
        yield Value(terms[0], number, start, end)


def _words_after(text: str, at: int) -> Iterator[tuple[str, int]]:
    """Yield up to four words that follow without punctuation, lower-cased, each with its end."""
    for _ in range(4):
        match = _FOLLOWING.match(text, at)
        if match is None:
            return
        at = match.end()
        word = match[1].lower()
        yield "%" if word in ("per cent", "pour cent", "por ciento") else word, at
