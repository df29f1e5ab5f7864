"""PDF through PDFium: what stands on each page, read by where it stands.

A PDF of 1 MB can unpack to gigabytes inside PDFium, which then ends its process, as it does on some damaged
files; and PDFium is not thread-safe. `ingest/parse.py` therefore reads files in a process of its own.
"""

import importlib
import importlib.util
import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import pypdfium2
from pypdfium2.raw import FPDF_ERR_PASSWORD, FPDF_ERR_SECURITY

from ingest.formats.file_text import (
    FileLimits,
    FileText,
    Omission,
    ScannedPdf,
    clean_metadata,
    from_pages,
    too_long,
)
from ingest.formats.pdf.flow import make_flow
from ingest.formats.pdf.hyphens import HYPHENS, Hyphens
from ingest.formats.pdf.pages import Page, blocks_of, read_page, show_as_displayed
from ingest.formats.pdf.writing import TextWriter, page_starts, word_boxes
from rag.errors import UnreadableFile
from rag.text.boxes import pack

_END_MARK = b"%%EOF"
_END_BYTES = 65_536  # some writers and mail gateways append to a file; this much is let pass
_DATE = re.compile(r"D:(\d{4})(\d\d)(\d\d)(?:(\d\d)(\d\d)(\d\d))?")
_METADATA = {"Title": "title", "Author": "author", "Subject": "subject", "Keywords": "keywords"}
# What programs write where nobody stated anything.
_UNSTATED = frozenset({"untitled", "anonymous", "unspecified", "unknown"})
_PIXELS_PER_POINT = 2.0  # 144 dpi: small print stays legible, a page takes about a second
_MAX_PIXELS = 20_000_000  # a poster is scaled down rather than filling memory


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
        pages = list(_pages(document, name, limits))
        if not any(page.words for page in pages):
            if _ocr_is_installed() and not limits.ocr:
                raise ScannedPdf(f"{name} has no text layer; it is to be read by OCR.")
            return from_pages(list(_recognised(document, name)), _metadata(document.get_metadata_dict()))
        return _written(pages, _metadata(document.get_metadata_dict()), _omissions(pages))
    finally:
        document.close()


def _pages(document: Any, name: str, limits: FileLimits) -> Iterator[Page]:
    characters = 0
    for index in range(len(document)):
        try:
            page = document[index]
        except pypdfium2.PdfiumError as error:
            raise UnreadableFile(
                f"{name} is damaged on page {index + 1}; print it to a new PDF and upload that."
            ) from error
        found = read_page(page, index)
        page.close()
        characters += found.characters
        if characters > limits.max_characters:
            raise too_long(name, limits)
        yield found


def _written(pages: Sequence[Page], metadata: dict[str, object], omissions: Sequence[Omission]) -> FileText:
    flow = make_flow(blocks_of(pages))
    hyphens = Hyphens(
        word.text
        for page in pages
        for line in page.lines
        for word in line.words
        if word.text[-1:] not in HYPHENS
    )
    writer = TextWriter(hyphens)
    for block in flow:
        writer.write(block)
    show_as_displayed(pages)
    text = writer.text
    starts = page_starts(writer.words, len(pages), len(text))
    return FileText(text, starts, clean_metadata(metadata), tuple(omissions), pack(word_boxes(writer.words)))


def _omissions(pages: Sequence[Page]) -> list[Omission]:
    found: list[Omission] = []
    for page in pages:
        place = f"page {page.index + 1}"
        if not page.words:
            found.append(Omission("page without text", place))
        if page.outside:
            found.append(Omission("word beyond the edge of the page", place, page.outside))
    return found


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


def _ocr_is_installed() -> bool:
    """Return whether RapidOCR, an optional extra whose models lie in its package, is installed."""
    return importlib.util.find_spec("rapidocr") is not None


def _recognised(document: Any, name: str) -> Iterator[str]:
    """Yield the recognised text of each page of an open PDF, lines in reading order.

    Raises:
        UnreadableFile: if RapidOCR is not installed.
    """
    if not _ocr_is_installed():
        raise UnreadableFile(
            f"{name} has no text layer (a scan?); install ibid[ocr] and upload it again, or run it through an"
            " OCR program first."
        )
    for page in document:
        width, height = page.get_size()
        scale = min(_PIXELS_PER_POINT, (_MAX_PIXELS / max(1.0, width * height)) ** 0.5)
        image = page.render(scale=scale).to_numpy()  # (height, width, 3), BGR as RapidOCR expects
        yield "\n".join(_ocr_engine()(image).txts or ())


@cache
def _ocr_engine() -> Any:
    return importlib.import_module("rapidocr").RapidOCR()
