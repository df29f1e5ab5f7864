"""PDF through PDFium: the text of each page, its lines unwrapped.

A PDF of 1 MB can unpack to gigabytes inside PDFium, which then ends its process, as it does on some damaged
files; and PDFium is not thread-safe. `ingest/parse.py` therefore reads files in a process of its own.
"""

import importlib
import importlib.util
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pypdfium2
from pypdfium2.raw import FPDF_ERR_PASSWORD, FPDF_ERR_SECURITY

from ingest.formats.file_text import FileLimits, FileText, ScannedPdf, bounded, from_pages
from rag.errors import UnreadableFile

_END_MARK = b"%%EOF"
_END_BYTES = 65_536  # some writers and mail gateways append to a file; this much is let pass
_HYPHEN_BREAK = re.compile(r"(\w)(?:\x02|-\n|\xad\n?)(?=(\w))")  # PDFium's own mark for a broken word is \x02
_SENTENCE_END = (".", "!", "?", ":", ";", "…", "。", "！", "？")
_DATE = re.compile(r"D:(\d{4})(\d\d)(\d\d)(?:(\d\d)(\d\d)(\d\d))?")
_METADATA = {"Title": "title", "Author": "author", "Subject": "subject", "Keywords": "keywords"}
_PIXELS_PER_POINT = 2.0  # 144 dpi: small print stays legible, a page takes about a second
_MAX_PIXELS = 20_000_000  # a poster is scaled down rather than filling memory


def read(data: bytes, name: str, limits: FileLimits) -> FileText:
    """Extract every page; a PDF without any text is recognised by OCR where that is installed.

    Raises:
        UnreadableFile: if the file is encrypted, damaged or truncated, has too many pages, or has no text and
            OCR is not installed.
        ScannedPdf: if it has no text, OCR is installed, and `limits` forbid it.
    """
    if data.rfind(_END_MARK, max(0, len(data) - _END_BYTES)) < 0:
        raise UnreadableFile(f"{name} is truncated: the end mark of a PDF is missing. Upload it again.")
    document = _open(data, name, limits)
    try:
        pages = list(bounded(_texts(document, name), name, limits))
        if not any(page.strip() for page in pages):
            if _ocr_is_installed() and not limits.ocr:
                raise ScannedPdf(f"{name} has no text layer; it is to be read by OCR.")
            pages = list(_recognised(document, name))
        return from_pages([unwrap(page) for page in pages], _metadata(document.get_metadata_dict()))
    finally:
        document.close()


def unwrap(page: str) -> str:
    """Join words broken at a line's end, and lines that plainly go on.

    A line goes on if it ends no sentence and the next starts in lower case:
    "a remark-\\nable\\nanimal. It\\nsleeps" becomes "a remarkable animal. It sleeps".
    """
    text = _HYPHEN_BREAK.sub(_join_word, page.replace("\r\n", "\n").replace("\r", "\n"))
    parts: list[str] = []
    previous = ""
    for line in (line.strip() for line in text.split("\n")):
        goes_on = previous and line[:1].islower() and not previous.endswith(_SENTENCE_END)
        parts.append(" " if goes_on else "\n")
        parts.append(line)
        previous = line
    return "".join(parts[1:])


def _join_word(match: re.Match[str]) -> str:
    """Drop the hyphen between lower-case letters; elsewhere, as in "Smith-Jones", it is the author's."""
    return match[1] if match[1].islower() and match[2].islower() else f"{match[1]}-"


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


def _texts(document: Any, name: str) -> Iterator[str]:
    for index in range(len(document)):
        try:
            page = document[index]
        except pypdfium2.PdfiumError as error:
            raise UnreadableFile(
                f"{name} is damaged on page {index + 1}; print it to a new PDF and upload that."
            ) from error
        text_page = page.get_textpage()
        yield text_page.get_text_bounded()  # not get_text_range: it is limited to 16-bit characters
        text_page.close()
        page.close()


def _metadata(stated: dict[str, str]) -> dict[str, object]:
    metadata: dict[str, object] = {key: stated.get(field, "") for field, key in _METADATA.items()}
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
