"""Read which edition of its subject a document is: its date, version and region, from name, metadata and first lines.

"travel-policy-2026.md", "Valid from: 1 March 2026"      -> 2026-03-01
"manual-v3.pdf", "Version 3.1"                            -> version 3.1
"leave-policy-uk.html", "# Leave Policy: United Kingdom"  -> United Kingdom
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rag.answer.conflicts.regions import region_of_word, regions_of
from rag.answer.conflicts.values import periods_of
from rag.types import Document, Scalar

# Characters at the beginning of a document, where it says what it is.
HEAD = 600
_DATE_KEYS = ("valid_from", "effective", "date", "published", "updated", "year")  # not "created": of the file
_DATE_CUE = re.compile(
    r"\b(?:valid|effective|applies|in force|published|issued|updated|edited|revised|dated?|ended|as of|stand"
    r"|(?:version|revision|edition) [\w.]{1,8})\b[\s:*,]*(?:(?:from|on|of|as of|since)\b[\s:*]*)?",
    re.IGNORECASE,
)
# Characters, as in "September 30th, 2026".
_LONGEST_DATE = 20
_VERSION = re.compile(r"\b(?:versions?|revision|edition|rev\.?|v)[ _-]?(\d+(?:\.\d+)*)\b", re.IGNORECASE)
_REPLACES = re.compile(r"\b(?:supersedes|replaces)\b[\s:*]*(?:the )?([\w.-]*\d[\w.-]*\w)", re.IGNORECASE)
_REPLACED_BY = re.compile(
    r"\b(?:superseded|replaced) by\b[\s:*]*(?:the )?([\w.-]*\d[\w.-]*\w)", re.IGNORECASE
)
_TOKEN = re.compile(r"[A-Za-z]+\d+(?:\.\d+)*|\d+(?:\.\d+)*|[^\W\d_]+")
# A part of a year: a report of one says nothing of another.
_PERIOD = re.compile(r"q[1-4]|[1-4]q|h[12]|week|w\d\d", re.IGNORECASE)
_OF_AN_EDITION = re.compile(  # a part of a name that says which edition it is, or nothing
    r"\d.*|v\d.*|q[1-4]|fy\d+|h[12]|version|rev|revision|edition|old|new|draft|final|current|previous|updated"
    r"|archived?|legacy|latest|copy|.",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Edition:
    """Which edition of its subject a document is; "" and () if it does not say."""

    name: str
    date: str = ""  # ISO, as precise as is known: 2026, 2026-03 or 2026-03-01
    version: tuple[int, ...] = ()
    regions: frozenset[str] = frozenset()
    replaced: tuple[str, ...] = ()  # identifiers of the documents that it says it replaces
    replaced_by: tuple[str, ...] = ()
    head: str = ""  # its first characters, without the identifiers of those documents

    @property
    def base_name(self) -> str:
        """The document's name without folders."""
        return _base(self.name)

    def replaces(self, other: Edition) -> bool:
        """Return whether either of the two says that this one replaces the other."""
        return any(name in f"{other.name}\n{other.head}" for name in self.replaced) or any(
            name in f"{self.name}\n{self.head}" for name in other.replaced_by
        )


def edition_of(document: Document) -> Edition:
    """Read a document's edition; metadata takes precedence over the first lines, and those over the name."""
    head = document.text[:HEAD]
    title = f"{document.metadata.get('title', '')}\n{head.lstrip().split(chr(10), 1)[0]}"
    named = {region for token in _name_tokens(document.name) if (region := region_of_word(token))}
    return Edition(
        name=document.name,
        date=_date_of(document.name, document.metadata, head),
        version=_version_of(document.name, document.metadata, head),
        regions=frozenset(named) or _stated_regions(document.metadata) or regions_of(title),
        replaced=tuple(_REPLACES.findall(head)),
        replaced_by=tuple(_REPLACED_BY.findall(head)),
        head=_REPLACED_BY.sub("", _REPLACES.sub("", head)),
    )


def is_before(first: str, second: str) -> bool:
    """Return whether a date is certainly before another, each as precise as is known; False if one is unknown."""
    return bool(first) and first < second and not second.startswith(first)


def other_subject(first: str, second: str) -> bool:
    """Return whether the names of two documents say that they are about different things of one kind.

    "s2-guide.pdf" and "s3-manual.pdf" are, and so are "kitchen-manual.md" and "garden-manual.md", and reports of two
    quarters. Names that differ only in date, version or region are not, nor are names with nothing in common.
    """
    periods = [
        {token.lower() for token in _name_tokens(name) if _PERIOD.fullmatch(token)}
        for name in (first, second)
    ]
    if all(periods) and periods[0] != periods[1]:
        return True
    parts = [_subject_tokens(name) for name in (first, second)]
    shared = {*map(str.lower, _name_tokens(first))} & {*map(str.lower, _name_tokens(second))}
    only = [
        [token for token in own if token.lower() not in {*map(str.lower, others)}]
        for own, others in (parts, parts[::-1])
    ]
    if not shared or not all(only):
        return False
    codes = all(any(token.isupper() or token[-1].isdigit() for token in own) for own in only)
    return codes or (len(parts[0]) == len(parts[1]) and [len(own) for own in only] == [1, 1])


def same_series(first: str, second: str) -> bool:
    """Return whether two names differ only in date, version or region."""
    return [*map(str.lower, _subject_tokens(first))] == [*map(str.lower, _subject_tokens(second))]


def _name_tokens(name: str) -> Sequence[str]:
    """Return the words and numbers of a document's name, without folders and suffix."""
    base = _base(name)
    return _TOKEN.findall(base.rsplit(".", 1)[0] if "." in base[1:] else base)


def _base(name: str) -> str:
    return name.replace("\\", "/").rsplit("/", 1)[-1]


def _subject_tokens(name: str) -> list[str]:
    return [
        token
        for token in _name_tokens(name)
        if not _OF_AN_EDITION.fullmatch(token) and not region_of_word(token)
    ]


def _date_of(name: str, metadata: Mapping[str, Scalar], head: str) -> str:
    stated = [str(metadata[key]) for key in _DATE_KEYS if key in metadata]
    after_cues = [head[cue.end() : cue.end() + _LONGEST_DATE] for cue in _DATE_CUE.finditer(head)]
    spaced = re.sub(r"[_T]", " ", name)  # makes a date a separate word
    for text, first in ((" ".join(stated), False), *((text, True) for text in after_cues), (spaced, False)):
        dates = [date for date in periods_of(text) if not first or _begins_with_date(text, date)]
        if dates:
            return dates[0]
    return ""


def _begins_with_date(text: str, date: str) -> bool:
    """Return whether a text begins with a date, not with words before one."""
    return bool(re.match(r"(?:\d|[A-Z][a-z]+ \d)", text)) and date[:4] in text


def _version_of(name: str, metadata: Mapping[str, Scalar], head: str) -> tuple[int, ...]:
    stated = f"version {metadata['version']}" if "version" in metadata else ""
    first_lines = "\n".join(head.splitlines()[:8])
    for text in (stated, name.replace("_", "-"), first_lines):
        if match := _VERSION.search(text):
            return tuple(int(part) for part in match[1].split("."))
    return ()


def _stated_regions(metadata: Mapping[str, Scalar]) -> frozenset[str]:
    stated = [str(metadata[key]) for key in ("region", "country") if key in metadata]
    return frozenset(region_of_word(text) or text for text in stated)
