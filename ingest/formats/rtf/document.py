"""Rich Text Format (rtf): running heads, the body in order, notes."""

from __future__ import annotations

import re

from ingest.formats import markdown
from ingest.formats.file_text import FileLimits, FileText, from_text
from ingest.formats.rtf.reader import RtfReader
from ingest.formats.rtf.tokens import tokens

_TIME = re.compile(r"(yr|mo|dy|hr|min)(\d+)")


def read(data: bytes, name: str, limits: FileLimits) -> FileText:
    """Convert to markdown; RTF has no fixed pages.

    Raises:
        UnreadableFile: if it nests too deeply or holds too much text.
    """
    reader = RtfReader(name, limits)
    reader.read(tokens(data))
    blocks = [*reader.heads, *reader.body.blocks(), *reader.notes, *reader.feet]
    metadata = {key: reader.info.get(key, "") for key in ("title", "author", "subject", "keywords")}
    stated = {
        "created": _time(reader.info.get("creatim", "")),
        "modified": _time(reader.info.get("revtim", "")),
    }
    return from_text(markdown.join_blocks(blocks), {**metadata, **stated}, reader.notices.omissions())


def _time(text: str) -> str:
    """Return a time of the file's information as ISO 8601; "" if it states none."""
    parts = {word: int(number) for word, number in _TIME.findall(text)}
    if not parts.get("yr"):
        return ""
    date = f"{parts['yr']:04}-{parts.get('mo', 1):02}-{parts.get('dy', 1):02}"
    return f"{date}T{parts.get('hr', 0):02}:{parts.get('min', 0):02}:00"
