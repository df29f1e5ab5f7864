"""Codes and versions of a question, such as W-0777 and firmware 2.7.2: what is said of W-0776 or of 2.7.1 does not
answer, however alike they look to a model.

Periods such as 2Q23 are none: documents write them in many ways, and may state theirs on the first page alone.
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
_DAY = re.compile(r"\d{1,2}\.\d{1,2}\.(?:\d\d){1,2}")
_MARKS = re.compile(r"[\W_]+")


def codes_of(question: str) -> list[str]:
    """Return the codes and versions that a question names."""
    versions = [found[1] or found[2] for found in _VERSION.finditer(question)]
    codes = [name for name in _NAME.findall(question) if _is_code(name)]
    return list(dict.fromkeys([*(one for one in versions if not _DAY.fullmatch(one)), *codes]))


def absent_codes(context: Context) -> list[str]:
    """Return the codes of the question that neither the evidence nor what stands over it mentions.

    Case and marks within a code do not count.
    """
    codes = codes_of(context.question)
    if not codes:
        return []
    read = " ".join(f"{one.hit.chunk.label}\n{one.hit.above}\n{one.hit.text}" for one in context.evidence)
    known = _plain(read)
    return [code for code in codes if _plain(code) not in known]


def _plain(text: str) -> str:
    return _MARKS.sub("", text).casefold()


def _is_code(name: str) -> bool:
    if any(period.start == 0 for period in periods_in(name)):
        return False
    return any(map(str.isalpha, name)) and sum(map(str.isdigit, name)) >= CODE_DIGITS
