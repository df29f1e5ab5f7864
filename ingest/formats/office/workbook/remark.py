"""Comments on cells: notes, and threads with their replies."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from ingest.formats.office.package import Package, qn, whole_number
from ingest.formats.office.workbook.sheet import area, rich_text

Remarks = dict[tuple[int, int], list[str]]


def remarks(package: Package, sheet: str) -> Remarks:
    """Return the comments on a sheet's cells by row and column: "Ann: really?".

    Excel also writes each thread as a note for older programs; the thread counts.
    """
    found: Remarks = defaultdict(list)
    persons = _persons(package)
    for part in package.related(sheet, "threadedComment"):
        for comment in package.xml(part).iter(qn("tc:threadedComment")):
            author = persons.get(comment.get("personId", ""), "")
            _add(found, comment.get("ref", ""), author, comment.findtext(qn("tc:text")) or "")
    threads = frozenset(found)
    for part in package.related(sheet, "comments"):
        root = package.xml(part)
        authors = ["".join(one.itertext()) for one in root.iter(qn("s:author"))]
        for comment in root.iter(qn("s:comment")):
            place = area(comment.get("ref", ""))
            if place is None or (place.top, place.left) in threads:
                continue
            at = whole_number(comment.get("authorId"), -1)
            author = authors[at] if 0 <= at < len(authors) else ""
            text = comment.find(qn("s:text"))
            _add(found, comment.get("ref", ""), author, "" if text is None else rich_text(text))
    return dict(found)


def _add(found: Remarks, reference: str, author: str, text: str) -> None:
    place = area(reference)
    author, text = " ".join(author.split()), " ".join(text.split())
    # Excel begins a note with its author's name
    text = text.removeprefix(f"{author}:").strip() if author else text
    if place is not None and text:
        found[place.top, place.left].append(f"{author}: {text}" if author else text)


def _persons(package: Package) -> dict[str, str]:
    persons: dict[str, str] = {}
    for part in package.related(package.main, "person"):
        root: Any = package.xml(part)
        persons.update({one.get("id", ""): one.get("displayName", "") for one in root})
    return persons
