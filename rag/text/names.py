"""What a document is called, in words, and under which heading a hit stands: what models read before its text."""

from __future__ import annotations

import re

from rag.text.tables import is_row
from rag.types import Hit, Metadata

# A longer title is text.
TITLE_CHARACTERS = 200
_SUFFIX = re.compile(r"\.\w{1,8}$")
_MARKS = re.compile(r"[\W_]+")
_WORD = re.compile(r"[^\W\d_]{3}")
_HEADING = re.compile(r"^#{1,6}[ \t]+(\S.*)$", re.MULTILINE)


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


def heading_above(hit: Hit) -> str:
    """Return the heading that a hit stands under, as far as its chunk knows; "" if none."""
    headings = _HEADING.findall(hit.above)
    if headings:
        return " ".join(headings[-1].split())
    first, *_ = hit.chunk.context.split("\n", 1)
    return "" if is_row(first) else " ".join(first.split())


def place_of(hit: Hit) -> str:
    """Return what the hit's document is called and its heading, as far as known: "travel policy 2026 > Hotels"."""
    return " > ".join(filter(None, [hit.chunk.label, heading_above(hit)]))
