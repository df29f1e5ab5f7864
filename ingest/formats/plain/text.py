"""Plain text and markdown."""

from __future__ import annotations

import re

from ingest.formats.encoding.decode import decode
from ingest.formats.file_text import FileLimits, FileText, clean_metadata

_FRONT_MATTER = re.compile(r"(---|\+\+\+)[ \t]*\r?\n((?:[^\n]*\n){1,200}?)\1[ \t]*(?:\r?\n|\Z)")
_FIELD = re.compile(r"^([A-Za-z][\w-]*)[ \t]*[:=][ \t]*(\S[^\r\n]*?)[ \t]*\r?$", re.MULTILINE)
# What a field is called in other formats' metadata.
_KEYS = {
    "lang": "language",
    "summary": "description",
    "authors": "author",
    "date": "created",
    "tags": "keywords",
}
_MOST_CHARACTERS = 500


def read(data: bytes, name: str, limits: FileLimits) -> FileText:
    """Decode the file: its text is the file's own, newlines included, so that an offset here is one in the file."""
    decoded = decode(data, name)
    return FileText(decoded.text, metadata=front_matter(decoded.text), omissions=decoded.omissions)


def front_matter(text: str) -> dict[str, str | int | float | bool]:
    """Return the plain fields between lines of "---" at the start of a text, such as its title and author."""
    found = _FRONT_MATTER.match(text)
    fields: dict[str, object] = {}
    for key, value in _FIELD.findall(found[2]) if found else ():
        plain = value.strip("\"'[]")[:_MOST_CHARACTERS]
        fields.setdefault(_KEYS.get(key.lower(), key.lower()), plain)
    fields.pop("format", None)
    return clean_metadata(fields)
