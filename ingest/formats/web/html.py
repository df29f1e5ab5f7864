"""HTML: what a reader of the page sees, as markdown."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

from ingest.formats import markdown
from ingest.formats.encoding.decode import decode
from ingest.formats.file_text import FileLimits, FileText, Omission, from_text
from ingest.formats.web.page import PageWriter, omissions_of
from ingest.formats.web.tree import parse
from ingest.formats.web.visibility import Visibility

_CHARSET = re.compile(
    rb"""<(?:meta[^>]*charset|\?xml[^>]*encoding)\s*=\s*["']?\s*([\w.:-]+)""", re.IGNORECASE
)
# Names under which pages state the same thing, the plainest first.
_METADATA = {
    "author": ("author", "article:author", "dc.creator", "dcterms.creator", "citation_author"),
    "description": ("description", "og:description", "dc.description"),
    "created": (
        "date",
        "article:published_time",
        "dc.date",
        "dcterms.created",
        "dcterms.date",
        "citation_date",
    ),
    "modified": ("article:modified_time", "dcterms.modified", "last-modified"),
    "keywords": ("keywords",),
}


@dataclass(frozen=True, slots=True)
class WebPage:
    """A page as light markdown, what it states about itself, and what of it was not taken."""

    text: str
    metadata: dict[str, object]
    omissions: list[Omission]


def read(data: bytes, name: str, limits: FileLimits) -> FileText:
    """Convert the page in its own order, under its title where it has no heading of the first level."""
    decoded = decode(data, name, declared_charset(data))
    page = convert(decoded.text)
    return from_text(page.text, page.metadata, (*decoded.omissions, *page.omissions))


def declared_charset(data: bytes) -> str | None:
    """Return the encoding that a page states in its first bytes, None if it states none."""
    charset = _CHARSET.search(data[:4096])
    return charset[1].decode() if charset else None


def convert(source: str, *, titled: bool = True) -> WebPage:
    """Convert HTML to light markdown.

    Args:
        titled: put the page's title first where no heading is of the first level.

    Raises:
        RecursionError: if elements are nested more than 1,000 deep.
    """
    root = parse(source)
    omissions: Counter[tuple[str, str]] = Counter()
    writer = PageWriter(Visibility(root), omissions)
    writer.write(root)
    text, metadata = writer.text(), _metadata(root)
    title = " ".join(str(metadata.get("title") or "").split())
    if titled and title and not any(block.startswith("# ") for _, block in writer.blocks):
        text = f"{markdown.heading(title, 1)}\n\n{text}" if text else title
    return WebPage(text, metadata, omissions_of(omissions))


def _metadata(root: Any) -> dict[str, object]:
    metadata: dict[str, object] = {}
    title = root.find(".//head/title")
    if title is not None:
        metadata["title"] = title.text_content()
    metadata["language"] = root.get("lang") or root.get("{http://www.w3.org/XML/1998/namespace}lang")
    stated: dict[str, str | None] = {}
    for element in root.iter("meta"):
        key = (element.get("name") or element.get("property") or element.get("http-equiv") or "").lower()
        stated.setdefault(key, element.get("content"))
    for key, names in _METADATA.items():
        metadata[key] = next((stated[name] for name in names if stated.get(name)), None)
    return metadata
