"""PDF through PDFium: what stands on each page, read by where it stands.

A PDF of 1 MB can unpack to gigabytes inside PDFium, which then ends its process, as it does on some damaged
files; and PDFium is not thread-safe. `ingest/parse.py` therefore reads files in a process of its own.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import pypdfium2
from pypdfium2 import raw
from pypdfium2.raw import FPDF_ERR_PASSWORD, FPDF_ERR_SECURITY

from ingest.formats import markdown
from ingest.formats.file_text import (
    UNMAPPED_PAGE,
    UNREAD_PAGE,
    FileLimits,
    FileText,
    Omission,
    ScannedPdf,
    clean,
    clean_metadata,
    too_long,
)
from ingest.formats.pdf.embedded import embedded_files, outline_titles
from ingest.formats.pdf.flow import DocumentFlow
from ingest.formats.pdf.hyphens import HYPHENS, Hyphens
from ingest.formats.pdf.page.words import view_of
from ingest.formats.pdf.pages import Page, PageLayout, read_page, show_as_displayed
from ingest.formats.pdf.recognition import is_installed, needs_recognition, recognise
from ingest.formats.pdf.writing import TextWriter
from rag.errors import UnreadableFile
from rag.text.boxes import pack_rows

# Pages are laid out so many at a time: enough to see what they repeat, few enough for little memory.
_PAGES_AT_ONCE = 80
_END_MARK = b"%%EOF"
_END_BYTES = 65_536  # some writers and mail gateways append to a file; this much is let pass
_DATE = re.compile(r"D:(\d{4})(\d\d)(\d\d)(?:(\d\d)(\d\d)(\d\d))?")
_METADATA = {"Title": "title", "Author": "author", "Subject": "subject", "Keywords": "keywords"}
# What programs write where nobody stated anything.
_UNSTATED = frozenset({"untitled", "anonymous", "unspecified", "unknown"})
# Smaller images are logos, lines and ornaments. Share of the page; points.
_SMALLEST_IMAGE, _NARROWEST_IMAGE = 0.03, 40.0


def read(data: bytes, name: str, limits: FileLimits) -> FileText:
    """Read every page; pages without text are recognised by OCR where that is installed.

    Raises:
        UnreadableFile: if the file is encrypted, damaged or truncated, has too many pages, or has no text and
            OCR is not installed.
        ScannedPdf: if it has no text, OCR is installed, and `limits` forbid it.
    """
    if data.rfind(_END_MARK, max(0, len(data) - _END_BYTES)) < 0:
        raise UnreadableFile(f"{name} is truncated: the end mark of a PDF is missing. Upload it again.")
    document = _open(data, name, limits)
    try:
        return _read(document, name, limits)
    finally:
        document.close()


def _read(document: Any, name: str, limits: FileLimits) -> FileText:
    metadata, titles = _metadata(document.get_metadata_dict()), outline_titles(document)
    omissions: list[Omission] = []
    writer = _written(document, name, limits, omissions)
    text = writer.text
    if not text:
        _refuse_scan(name, limits)
    if document.get_formtype() in (raw.FORMTYPE_XFA_FULL, raw.FORMTYPE_XFA_FOREGROUND):
        omissions.append(Omission("XFA form", name))
    files = list(embedded_files(document, name, limits))
    omissions += [its for its in files if isinstance(its, Omission)]
    read = FileText(
        text + _unseen_titles(text, titles),
        writer.page_starts(len(document)),
        clean_metadata(metadata),
        tuple(omissions),
        pack_rows(writer.places()),
    )
    return _with_files(read, [its for its in files if not isinstance(its, Omission)])


def _refuse_scan(name: str, limits: FileLimits) -> None:
    """Raise if OCR would find more in a file without text."""
    if not is_installed():
        raise UnreadableFile(
            f"{name} has no text layer (a scan?); install ibid[ocr] and upload it again, or run it through an"
            " OCR program first."
        )
    if not limits.ocr:
        raise ScannedPdf(f"{name} has no text layer; it is to be read by OCR.")


def _written(document: Any, name: str, limits: FileLimits, omissions: list[Omission]) -> TextWriter:
    """Write a document's pages, some at a time, and add to `omissions` what was not taken."""
    layout, flow, hyphens = PageLayout(), DocumentFlow(), Hyphens()
    writer = TextWriter(hyphens)
    every = _pages(document, name, limits)
    parts = -(-len(document) // _PAGES_AT_ONCE)
    for part in range(parts):
        # As many pages in each part: the last must not be too few to show what they repeat.
        pages = list(islice(every, len(document) * (part + 1) // parts - len(document) * part // parts))
        for page in pages:
            if needs_recognition(page):
                omissions += _recognised(document, page, limits)
            omissions += _omissions(page)
        blocks = layout.blocks(pages)
        show_as_displayed(pages)
        hyphens.learn(word.text for page in pages for word in page.words if word.text[-1:] not in HYPHENS)
        for block in flow.add(blocks):
            writer.write(block)
        writer.settle()
    for block in flow.finish():
        writer.write(block)
    return writer


def _pages(document: Any, name: str, limits: FileLimits) -> Iterator[Page]:
    document.init_forms()
    form = document.formenv.raw if document.formenv else None
    characters = 0
    for index in range(len(document)):
        try:
            page = document[index]
        except pypdfium2.PdfiumError as error:
            raise UnreadableFile(
                f"{name} is damaged on page {index + 1}; print it to a new PDF and upload that."
            ) from error
        found = read_page(page, index, form)
        page.close()
        characters += found.characters
        if characters > limits.max_characters:
            raise too_long(name, limits)
        yield found


def _recognised(document: Any, page: Page, limits: FileLimits) -> list[Omission]:
    """Recognise a page, or say that it was not."""
    unmapped = page.is_unreadable
    if unmapped:
        page.words, page.lines, page.turned = [], [], []
    if limits.ocr and is_installed() and not page.quarters:
        opened = document[page.index]
        recognise(opened, page, view_of(opened))
        opened.close()
    if page.words:
        return []
    return [Omission(UNMAPPED_PAGE if unmapped else UNREAD_PAGE, page.place)]


def _omissions(page: Page) -> list[Omission]:
    found = list(page.annotations.omissions)
    if page.outside:
        found.append(Omission("word beyond the edge of the page", page.place, page.outside))
    area = page.width * page.height
    images = sum(
        (x1 - x0) * (y1 - y0) >= _SMALLEST_IMAGE * area and min(x1 - x0, y1 - y0) >= _NARROWEST_IMAGE
        for x0, y0, x1, y1 in page.drawings.images
    )
    if images and page.words and not page.recognised:
        found.append(Omission("image", page.place, images))
    return found


def _unseen_titles(text: str, titles: Sequence[str]) -> str:
    """Return the titles of the outline that no page states, as a list."""
    squeezed = "".join(text.split()).casefold()
    unseen = [title for title in dict.fromkeys(titles) if "".join(title.split()).casefold() not in squeezed]
    return (
        "\n\nOutline:\n\n" + "\n".join(markdown.list_item(clean(title)) for title in unseen) if unseen else ""
    )


def _with_files(text: FileText, files: Sequence[tuple[str, FileText]]) -> FileText:
    """Put the texts of embedded files behind a document's own."""
    parts, omissions = [text.text], list(text.omissions)
    for path, its in files:
        parts.append(f"{markdown.heading(path, 1)}\n\n{its.text}")
        omissions += [
            Omission(one.kind, f"{path}, {one.place}".rstrip(", "), one.count) for one in its.omissions
        ]
    return replace(text, text="\n\n".join(parts), omissions=tuple(omissions))


def _open(data: bytes, name: str, limits: FileLimits) -> Any:
    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if error.err_code in (FPDF_ERR_PASSWORD, FPDF_ERR_SECURITY):
            message = f"{name} is encrypted; remove the password and upload it again."
        else:
            message = f"{name} is damaged: no page can be read ({error}). Print it to a new PDF, upload that."
        raise UnreadableFile(message) from error
    if len(document) > limits.max_pages:
        raise UnreadableFile(
            f"{name} has {len(document):,} pages; expected at most {limits.max_pages:,}. Split it."
        )
    return document


def _metadata(stated: dict[str, str]) -> dict[str, object]:
    metadata: dict[str, object] = {
        key: text
        for field, key in _METADATA.items()
        if (text := stated.get(field, "")).strip("() ").casefold() not in _UNSTATED
    }
    date = _DATE.match(stated.get("CreationDate", ""))
    if date:
        year, month, day, *clock = date.groups()
        metadata["created"] = f"{year}-{month}-{day}" + (f"T{':'.join(clock)}" if clock[0] else "")
    return metadata
