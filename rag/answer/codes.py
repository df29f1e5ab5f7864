"""What of a question nothing found mentions: codes, versions and names.

What is said of W-0776 or of firmware 2.7.1 does not answer for W-0777 or 2.7.2, however alike they look to a model. A
name or a year may stand for what the evidence calls otherwise - Munich is in Germany - so its absence only makes an
answer less likely (rag/answer/relevance.py).

Periods such as 2Q23 are none: documents write them in many ways, and may state theirs on the first page alone. Amounts
such as 100km and 500-page are none either: "Is it more than 100km away?" is answered by any distance.
"""

from __future__ import annotations

import re
from collections.abc import Sequence, Set

from rag.text.languages import language_of
from rag.text.periods import periods_in
from rag.text.sentences import split_sentences
from rag.text.words import content_words, plain_characters, text_terms
from rag.types import Context, Evidence

# Digits of a code, at least: "Q3" and "A4" stand for much else.
CODE_DIGITS = 3
_NAME = re.compile(r"[^\W_]+(?:[-_./][^\W_]+)*")
# One dot is a version only beside a word that says so, for 2.5 may be any number.
_VERSION = re.compile(
    r"\b(?:(?:version|release|firmware) v?|v)(\d+(?:\.\d+)+)\b|(?<![\w.])(\d+(?:\.\d+){2,})\b", re.IGNORECASE
)
# 30.09.2023; and 1.234.567, which is a number in much of Europe.
_NO_VERSION = re.compile(r"\d{1,2}\.\d{1,2}\.(?:\d\d){1,2}|\d{1,3}(?:\.\d{3})+")
_UNITS = (
    "km|m|cm|mm|ft|kg|g|mg|t|lb|oz|l|ml|cl|h|min|s|ms|k?Wh?|[kMG]?Hz|[kKMGT]i?B|px|dpi|rpm|k|EUR|GBP|USD|CHF"
)
# Hyphenated to a word in small letters, or with a unit: 500-page, 250ml, 1500USD.
_AMOUNT = re.compile(rf"\d+(?:[.,]\d+)*(?:-[a-z]{{3,}}|-?(?:{_UNITS}))")
_NEAR_A_YEAR = re.compile(r"(?:mid|pre|post|early|late)-(?:1[6-9]|20)\d\d", re.IGNORECASE)
_MARKS = re.compile(r"[\W_]+")
# Letters that a name and what derives from it have in common: Germany, German.
_STEM = 5
# Share of a question's words with capitals from which on capitals say nothing.
_TITLE_CASE = 0.75
_CALENDAR = re.compile(
    r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)days?|January|February|March|April|May|June|July|August|September|October"
    r"|November|December"
)
_YEAR = re.compile(r"(?:1[5-9]|20)\d\d")
_WORD_BEFORE = re.compile(r"(\w+) $")
_QUOTES = " \"'“‘("


def codes_of(question: str) -> list[str]:
    """Return the codes and versions that a question names."""
    versions = [found[1] or found[2] for found in _VERSION.finditer(question)]
    codes = [name for name in _NAME.findall(question) if _is_code(name)]
    return list(dict.fromkeys([*(one for one in versions if not _NO_VERSION.fullmatch(one)), *codes]))


def absent_codes(context: Context) -> list[str]:
    """Return the codes of the question that neither the evidence nor what stands over it mentions.

    Case and marks within a code do not count, but the numbers of a version stay apart: 2.7.2 is not in 12720.
    """
    codes = codes_of(context.question)
    if not codes:
        return []
    read = " ".join(f"{one.hit.chunk.label}\n{one.hit.above}\n{one.hit.text}" for one in context.evidence)
    known = _plain(read)
    return [
        code for code in codes if not (_mentions(read, code) if _is_version(code) else _plain(code) in known)
    ]


def absent_names(question: str, pieces: Sequence[Evidence]) -> list[str]:
    """Return the names, years and other numbers of a question that neither the evidence nor its chunks mention."""
    names = names_of(question)
    if not names:
        return []
    chunks = {one.hit.chunk.id: one.hit.chunk for one in pieces}.values()
    if language_of("\n".join(chunk.text for chunk in chunks)) not in ("", "en"):
        return []
    known = {term for chunk in chunks for term in text_terms(f"{chunk.read_text} {chunk.document}")}
    stems = {term[:_STEM] for term in known if len(term) >= _STEM and term.isalpha()}
    return [name for name, term in names.items() if term not in known and term[:_STEM] not in stems]


def names_of(question: str) -> dict[str, str]:
    """Return the words of a question that are written like names, and its numbers, each with its term.

    A capital that opens a sentence makes no name, nor do capitals where nearly all words have them. Of periods and
    the calendar, which documents write in many ways, only the years count; of numbers with one or two digits, those
    that end a name: "iPhone 15", not "top 5". Amounts with a unit do not count.
    """
    question = plain_characters(question)
    if language_of(question) not in ("", "en"):  # German writes all nouns with capitals
        return {}
    written = re.findall(r"[^\W\d_]+", question)
    if sum(word[0].isupper() for word in written) > _TITLE_CASE * max(len(written), 2):
        return {}
    periods = [one for one in periods_in(question) if not one.name.isdecimal()]
    opening = {start for start, _ in split_sentences(question)}
    return {
        question[start:end]: term
        for start, end, term in content_words(question)
        if _is_name(question, start, end, opening)
        and not _CALENDAR.fullmatch(question[start:end])
        and not any(one.start <= start < one.end for one in periods if not _YEAR.fullmatch(term))
    }


def _is_name(question: str, start: int, end: int, opening: Set[int]) -> bool:
    word = question[start:end]
    if _AMOUNT.fullmatch(word):
        return False
    if word.isdecimal() and len(word) < CODE_DIGITS:
        before = _WORD_BEFORE.search(question, 0, start)
        return before is not None and _is_name(question, *before.span(1), opening)
    if any(map(str.isdigit, word)) or any(map(str.isupper, word[1:])):
        return True
    return word[0].isupper() and not _opens(question, start, opening)


def _opens(question: str, start: int, opening: Set[int]) -> bool:
    """Return whether a word opens a sentence or follows a colon, quotation marks aside."""
    if question[:start].rstrip(_QUOTES).endswith(":"):
        return True
    return any(begin <= start and not question[begin:start].strip(_QUOTES) for begin in opening)


def _mentions(read: str, version: str) -> bool:
    numbers = r"[\W_]".join(version.split("."))
    return re.search(rf"(?<!\d)(?<!\d\.){numbers}(?!\d)", read) is not None


def _is_version(code: str) -> bool:
    return code.replace(".", "").isdecimal()


def _plain(text: str) -> str:
    return _MARKS.sub("", text).casefold()


def _is_code(name: str) -> bool:
    if any(period.start == 0 for period in periods_in(name)) or _NEAR_A_YEAR.match(name):
        return False
    if _AMOUNT.fullmatch(name):
        return False
    return any(map(str.isalpha, name)) and sum(map(str.isdigit, name)) >= CODE_DIGITS
