"""What a document is called, in words, and under which heading a hit stands: what models read before its text."""

from __future__ import annotations

import re

from rag.text.periods import periods_in
from rag.text.tables import is_row
from rag.text.words import question_terms, text_terms
from rag.types import Hit, Metadata

# A longer title is text.
TITLE_CHARACTERS = 200
_SUFFIX = re.compile(r"\.\w{1,8}$")
# The dot of a version is part of it.
_MARKS = re.compile(r"(?:(?!(?<=\d)\.(?=\d))[\W_])+")
_WORD = re.compile(r"[^\W\d_]{3}")
# Most words of a line that may be a title.
_TITLE_WORDS = 12
_ENDS = ".!?:;"
_PIECE = re.compile(r"\S+")
# A line with a line of "=" or "-" under it, unless it is a field such as "date: 3 May".
UNDERLINED = r"(?![a-z_-]+:\s)\S[^\n]{0,118}\n(?:={3,}|-{3,})\s*"
_HEADING = re.compile(rf"^#{{1,6}}[ \t]+(\S.*)$|^(?={UNDERLINED}$)(.+)$", re.MULTILINE)


def document_label(name: str, metadata: Metadata) -> str:
    """Return a document's name and title in words: `hr/travel-policy_2026.md` becomes "hr travel policy 2026".

    A title that says the same as the name is left out.
    """
    words = _MARKS.sub(" ", _SUFFIX.sub("", name)).strip()
    title = " ".join(str(metadata.get("title") or metadata.get("subject") or "").split())[:TITLE_CHARACTERS]
    if not _WORD.search(title):  # a number of some register
        title = ""
    new = set(_MARKS.sub(" ", title).casefold().split()) - set(words.casefold().split())
    return f"{words}: {title}" if words and new else words or title


def names_in(text: str) -> str:
    """Return the words of a text that are written like names, and its periods in one spelling, for an index.

    "The report of Oskel (OSKL) for the quarter ended June 30, 2023" becomes "Oskel (OSKL) June 30, 2023 06-30 2023":
    words with a digit, and words with a capital that does not merely open a sentence.
    """
    names = [name for line in text.splitlines() for name in _names_of_line(line.strip(" \t#*|-"))]
    return " ".join([*names, *(period.name for period in periods_in(text))])


def _names_of_line(line: str) -> list[str]:
    pieces = list(_PIECE.finditer(line))
    title = len(pieces) <= _TITLE_WORDS and line[-1:] not in _ENDS
    names: list[str] = []
    for piece in pieces:
        opens = not title and (not piece.start() or line[: piece.start()].rstrip()[-1] in _ENDS)
        if any(map(str.isdigit, piece[0])) or (not opens and any(map(str.isupper, piece[0]))):
            names.append(piece[0])
    return names


def heading_above(hit: Hit) -> str:
    """Return the heading that a hit stands under, as far as its chunk knows; "" if none."""
    headings = [marked or underlined for marked, underlined in _HEADING.findall(hit.above)]
    if headings:
        return " ".join(headings[-1].split())
    first, *_ = hit.chunk.context.split("\n", 1)
    return "" if is_row(first) else " ".join(first.split())


def place_before(question: str, text: str, place: str) -> str:
    """Return what the reader reads before a text: its place, if the question has words of that which the text lacks."""
    missing = set(question_terms(question)) - set(text_terms(text))
    return f"{place}. " if missing & set(text_terms(place)) else ""


def place_of(hit: Hit) -> str:
    """Return what the hit's document is called and its heading, as far as known: "travel policy 2026 > Hotels"."""
    return " > ".join(filter(None, [hit.chunk.label, heading_above(hit)]))
