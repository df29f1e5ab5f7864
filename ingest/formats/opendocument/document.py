"""OpenDocument files: odt, ods, odp, their templates and drawings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from ingest.formats import markdown
from ingest.formats.archive import Archive
from ingest.formats.file_text import FileLimits, FileText, from_pages, from_text
from ingest.formats.office.notice import Notices
from ingest.formats.office.workbook.sheet import Budget
from ingest.formats.opendocument.content import ContentReader
from ingest.formats.opendocument.lists import Lists
from ingest.formats.opendocument.names import parse, qn, short, stated
from ingest.formats.opendocument.sheets import sheet_pages
from ingest.formats.opendocument.slides import slide_pages
from rag.errors import UnreadableFile

_HEADS = ("style:header-first", "style:header", "style:header-left")
_FEET = ("style:footer-first", "style:footer", "style:footer-left")
# What a spreadsheet's running heads generate.
_FIELDS = ("text:sheet-name", "text:title", "text:file-name", "text:date", "text:time")
_DATES = ("created", "modified")
_FRACTION = re.compile(r"(?:\.\d+)?Z?$")
_PROPERTIES = {
    "title": "dc:title",
    "author": "meta:initial-creator",
    "subject": "dc:subject",
    "created": "meta:creation-date",
    "modified": "dc:date",
}


def read(data: bytes, name: str, limits: FileLimits) -> FileText:
    """Convert to markdown: a text without pages, a page for each sheet or slide.

    Raises:
        UnreadableFile: if the file is encrypted, or has more sheets or slides than `limits` allow.
    """
    archive = Archive(data, name, limits)
    if b"encryption-data" in archive.read("META-INF/manifest.xml"):
        raise UnreadableFile(f"{name} is encrypted; remove the password and upload it again.")
    content = parse(archive.xml("content.xml"))
    stored = archive.xml("styles.xml")
    styles = parse(stored) if stored else None
    roots = [root for root in (styles, content) if root is not None]
    notices = Notices()
    hidden = _styles(roots, "text:display", "none")
    reader = ContentReader(archive, Lists(roots), notices, hidden, _title_styles(roots))
    body = content.find(qn("office:body"))
    kinds = [] if body is None else [one for one in body if isinstance(one.tag, str)]
    if not kinds:
        raise UnreadableFile(
            f"{name} is damaged: it has no body. Open it in its own program and save it again."
        )
    metadata = _properties(archive)
    if any(member.startswith("Basic/") and member.endswith(".xml") for member in archive.names):
        notices.note("macro", "")
    if short(kinds[0].tag) == "office:text":
        return from_text(markdown.join_blocks(_text(kinds[0], styles, reader)), metadata, notices.omissions())
    pages = _pages(kinds[0], styles, reader, roots)
    return from_pages(_bounded(pages, name, limits), metadata, notices.omissions())


def _text(body: Any, styles: Any, reader: ContentReader) -> list[str]:
    heads = list(_running(styles, reader, _HEADS))
    reader.place = ""
    blocks = [*heads, *reader.blocks(body), *reader.footnotes, *reader.endnotes]
    return [*blocks, *_running(styles, reader, _FEET), *reader.attachments]


def _pages(body: Any, styles: Any, reader: ContentReader, roots: Iterable[Any]) -> Iterator[str]:
    if short(body.tag) == "office:spreadsheet":
        budget = Budget(reader.archive.name, reader.archive.limits)
        yield from sheet_pages(body, reader, _styles(roots, "table:display", "false"), budget)
    else:
        yield from slide_pages(body, reader, styles, _styles(roots, "presentation:visibility", "hidden"))
    ends = [
        *_running(styles, reader, (*_HEADS, *_FEET)),
        *reader.footnotes,
        *reader.endnotes,
        *reader.attachments,
    ]
    yield markdown.join_blocks(ends)


def _bounded(pages: Iterable[str], name: str, limits: FileLimits) -> list[str]:
    """Return the pages; what belongs to no page, the last one, is joined to the one before."""
    kept: list[str] = []
    for page in pages:
        if len(kept) > limits.max_pages:
            raise UnreadableFile(f"{name} has more than {limits.max_pages:,} pages. Split it.")
        kept.append(page)
    *pages_proper, rest = kept
    if pages_proper and rest:
        pages_proper[-1] = "\n\n".join(filter(None, [pages_proper[-1], rest]))
    return pages_proper or [rest]


def _running(styles: Any, reader: ContentReader, tags: Iterable[str]) -> Iterator[str]:
    """Yield the headers or footers of all pages, each distinct text once; not the sample text of spreadsheets."""
    seen = set()
    for master in [] if styles is None else styles.iter(qn("style:master-page")):
        for tag in tags:
            for element in master.findall(qn(tag)):
                if stated(element, "style:display") == "false":
                    continue
                reader.place = f"the {tag.partition(':')[2].partition('-')[0]}"
                text = markdown.join_blocks(_areas(element, reader))
                if any(map(str.isalnum, text)) and text not in seen:
                    seen.add(text)
                    yield text


def _areas(element: Any, reader: ContentReader) -> Iterator[str]:
    """Yield a running head's blocks; in a spreadsheet it has three areas, where names of sheets are only fields."""
    yield from reader.blocks(element)
    for area in element:
        if short(area.tag).startswith("style:region"):
            for field in area.iter(*map(qn, _FIELDS)):
                field.text = ""
            yield from reader.blocks(area)


def _styles(roots: Iterable[Any], name: str, value: str) -> frozenset[str]:
    """Return the names of the styles whose properties set `name` to `value`."""
    return frozenset(
        stated(style, "style:name")
        for root in roots
        for style in root.iter(qn("style:style"))
        if any(stated(properties, name) == value for properties in style)
    )


def _title_styles(roots: Iterable[Any]) -> frozenset[str]:
    """Return the style of titles, and those that are based on it."""
    styles = [style for root in roots for style in root.iter(qn("style:style"))]
    return frozenset(
        {
            "Title",
            *(
                stated(one, "style:name")
                for one in styles
                if stated(one, "style:parent-style-name") == "Title"
            ),
        }
    )


def _properties(archive: Archive) -> dict[str, str]:
    content = archive.xml("meta.xml")
    if not content:
        return {}
    root = parse(content)
    found = {key: _first(root, tag) for key, tag in _PROPERTIES.items()}
    found.update({key: _FRACTION.sub("", found[key]) for key in _DATES})
    keywords = ", ".join(one.text or "" for one in root.iter(qn("meta:keyword")))
    return {**found, "author": found["author"] or _first(root, "dc:creator"), "keywords": keywords}


def _first(root: Any, tag: str) -> str:
    return next((one.text or "" for one in root.iter(qn(tag))), "")
