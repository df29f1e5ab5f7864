"""Presentations (pptx): a page per slide, in the order of the show."""

from __future__ import annotations

from collections.abc import Iterator

from ingest.formats.archive import Archive
from ingest.formats.file_text import FileLimits, FileText, from_pages
from ingest.formats.office.attachment import Attachments
from ingest.formats.office.notice import Notices
from ingest.formats.office.package import Package, qn
from ingest.formats.office.slides.slide import Deck, write_slide
from rag.errors import UnreadableFile


def read(data: bytes, name: str, limits: FileLimits) -> FileText:
    """Convert each slide to markdown under a second-level heading; a slide without text is empty.

    What stands on every slide, such as a footer, is written on the first one that shows it.

    Raises:
        UnreadableFile: if there are more slides than `limits` allow.
    """
    package = Package(Archive(data, name, limits))
    main = package.main
    slides = list(_slides(package, main))
    if len(slides) > limits.max_pages:
        raise UnreadableFile(
            f"{name} has {len(slides):,} slides; expected at most {limits.max_pages:,}. Split it."
        )
    notices = Notices()
    deck = Deck(package, notices, Attachments(package.archive, notices), dict(_authors(package, main)), set())
    pages = [write_slide(deck, part, number) for number, part in enumerate(slides, start=1)]
    if deck.attachments.texts() and pages:
        pages[-1] = "\n\n".join(filter(None, [pages[-1], *deck.attachments.texts()]))
    if any(member.endswith("vbaProject.bin") for member in package.archive.names):
        notices.note("macro", "")
    return from_pages(pages, package.properties(), notices.omissions())


def _slides(package: Package, main: str) -> Iterator[str]:
    relations = package.relations(main)
    for entry in package.xml(main).iter(qn("p:sldId")):
        found = relations.get(entry.get(qn("r:id"), ""))
        if found is not None and found.target in package.archive:
            yield found.target


def _authors(package: Package, main: str) -> Iterator[tuple[str, str]]:
    for kind in ("commentAuthors", "authors"):
        for part in package.related(main, kind):
            for author in package.xml(part):
                yield author.get("id", ""), " ".join(author.get("name", "").split())
