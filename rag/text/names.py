"""What a document is called, in words: its name and title, so that a question can name it."""

from __future__ import annotations

import re

from rag.types import Metadata

# A longer title is text.
TITLE_CHARACTERS = 200
_SUFFIX = re.compile(r"\.\w{1,8}$")
_MARKS = re.compile(r"[\W_]+")


def document_label(name: str, metadata: Metadata) -> str:
    """Return a document's name and title in words: `hr/travel-policy_2026.md` becomes "hr travel policy 2026".

    A title that says the same as the name is left out.
    """
    words = _MARKS.sub(" ", _SUFFIX.sub("", name)).strip()
    title = " ".join(str(metadata.get("title") or metadata.get("subject") or "").split())[:TITLE_CHARACTERS]
    new = set(_MARKS.sub(" ", title).casefold().split()) - set(words.casefold().split())
    return f"{words}: {title}" if words and new else words or title
