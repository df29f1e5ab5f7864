"""Years, numbers, names and places in a text, each with its kind: one may stand where another of its kind stood."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

# fmt: off
_PEOPLES = (
    "African", "American", "Arab", "Australian", "Austrian", "Belgian", "Brazilian", "British", "Canadian",
    "Chinese", "Danish", "Dutch", "Egyptian", "English", "European", "Filipino", "Finnish", "French", "Gaelic",
    "German", "Greek", "Hungarian", "Indian", "Iranian", "Iraqi", "Irish", "Israeli", "Italian", "Japanese",
    "Korean", "Latin", "Malay", "Mexican", "Norwegian", "Polish", "Portuguese", "Roman", "Russian", "Saudi",
    "Scottish", "Soviet", "Spanish", "Swedish", "Swiss", "Tamil", "Turkish", "Welsh",
)
_FAITHS = (
    "Anglican", "Baptist", "Buddhist", "Catholic", "Christian", "Hindu", "Islamic", "Jewish", "Lutheran",
    "Methodist", "Muslim", "Orthodox", "Presbyterian", "Protestant", "Sikh",
)
_PLACES = (
    "Afghanistan", "Africa", "Asia", "Australia", "Austria", "Belgium", "Boston", "Brazil", "California",
    "Canada", "Chile", "China", "Cuba", "Czechoslovakia", "Denmark", "Edinburgh", "Egypt", "England", "Estonia",
    "Europe", "Finland", "France", "Georgia", "Germany", "Glasgow", "Greece", "Hungary", "India", "Iran", "Iraq",
    "Ireland", "Israel", "Italy", "Japan", "Jordan", "Kuwait", "Latvia", "Lebanon", "Libya", "Lithuania",
    "London", "Malaysia", "Massachusetts", "Mexico", "Nepal", "Netherlands", "New York", "New Zealand", "Nigeria",
    "North America", "Northern Ireland", "Norway", "Pakistan", "Palestine", "Paris", "Poland", "Portugal",
    "Romania", "Russia", "Saudi Arabia", "Scotland", "Singapore", "South Africa", "South America", "Spain",
    "Sweden", "Switzerland", "Syria", "Texas", "Turkey", "Ukraine", "Venezuela", "Vermont", "Vietnam", "Wales",
    "Washington",
)
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
    "November", "December",
)
_FIRST_NAMES = (
    "Abraham|Adam|Albert|Alex|Alexander|Alice|Alison|Andrew|Anne?|Anthony|Benjamin|Bernard|Catherine|Charles|"
    "Christopher|Claudia|Daniel|David|Donald|Edward|Elaine|Elizabeth|Emma|Frank|Franklin|Frederick|George|"
    "Gerald|Gordon|Harold|Harry|Harvey|Helen|Henry|Hugh|Iain|Jack|James|Jane|Jean|Jimmy|Johann|John|Johnson|"
    "Joseph|Julia|Karl|Kenneth|Lewis|Linda|Louis|Mahatma|Margaret|Mark|Martin|Mary|Matthew|Michael|Milton|"
    "Nicholas|Nicola|Otto|Patrick|Paul|Percy|Peter|Philip|Ralph|Richard|Robert|Ronald|Rosa|Ruth|Samuel|Sarah|"
    "Simon|Stephen|Steven|Susan|Theodore|Thomas|Tony|Tricia|Vincent|Walter|William|Yamani"
)
_HEADS = (
    "Academy", "Act", "Agreement", "Authority", "Bank", "Bill", "Church", "Club", "College", "Commission",
    "Committee", "Conference", "Convention", "Council", "Court", "Crisis", "Debate", "Doctrine", "Government",
    "Hall", "House", "Institute", "Museum", "Office", "Parliament", "Party", "Revolution", "River",
    "School", "Schools", "Sea", "Society", "Treaty", "Union", "University", "War",
)
# fmt: on
_NAME = r"(?:(?!The )[A-Z][\w'’-]+ ){1,3}?"
# "New England" and "South African" are other places.
_PART = re.compile(r"\b(?:New|North|South|East|West|Great|United|Northern|Southern) $")
NUMBER = "number"
_LISTED = {"people": _PEOPLES, "faith": _FAITHS, "place": _PLACES, "month": _MONTHS}
_PATTERNS: dict[str, re.Pattern[str]] = {
    "year": re.compile(r"\b(?:1[0-9]|20)\d\d\b"),
    NUMBER: re.compile(
        r"(?<![\w.,$£€+-])(?!(?:1[0-9]|20)\d\d\b)\d[\d,.]*\d\b|(?<![\w.,$£€+-])\d\b(?![.,]\d)"
    ),
    **{kind: re.compile(rf"\b(?:{'|'.join(words)})\b(?! [A-Z])") for kind, words in _LISTED.items()},
    "person": re.compile(rf"\b(?:{_FIRST_NAMES}) (?:[A-Z]\. )?[A-Z][a-z]{{2,}}\b(?! [A-Z])"),
    **{head: re.compile(rf"(?<![.!?] )(?<!^)\b{_NAME}{head}\b(?! (?:of|for) )(?! [A-Z])") for head in _HEADS},
}


@dataclass(frozen=True, slots=True)
class NamedSpan:
    """A year, number, name or place in a text."""

    kind: str
    words: str
    start: int
    end: int


def find_named(text: str) -> Iterator[NamedSpan]:
    """Yield what a text names, kind by kind; numbers of one form, such as 00.0, are a kind."""
    for kind, pattern in _PATTERNS.items():
        for match in pattern.finditer(text):
            words = match.group()
            if not _PART.search(text[: match.start()]):
                exact = re.sub(r"\d", "0", words) if kind == NUMBER else kind
                yield NamedSpan(exact, words, match.start(), match.end())


def surnames(texts: Iterable[str]) -> set[str]:
    """Return the last names of the people that some texts name in full."""
    named = {match.group().split()[-1] for text in texts for match in _PATTERNS["person"].finditer(text)}
    return named - set(_HEADS)


def find_surnames(text: str, known: Iterable[str]) -> Iterator[NamedSpan]:
    """Yield the known surnames in a text that stand alone, without a first name."""
    for name in sorted(known):
        for match in re.finditer(rf"(?<!-)\b{re.escape(name)}\b(?! [A-Z])", text):
            if not re.search(r"[A-Z][\w.]* $", text[: match.start()]):
                yield NamedSpan("surname", name, match.start(), match.end())
