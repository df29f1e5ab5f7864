"""Codes and versions of a question, such as W-0777 and firmware 2.7.2: what is said of W-0776 or of 2.7.1 does not
answer, however alike they look to a model.

Periods such as 2Q23 are none: documents write them in many ways, and may state theirs on the first page alone. Amounts
such as 100km and 500-page are none either: "Is it more than 100km away?" is answered by any distance.
"""

from __future__ import annotations

import re

from rag.text.periods import periods_in
from rag.types import Context

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
