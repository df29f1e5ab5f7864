"""The process in which a PDF is opened: PDF comes in, JSON goes out, and the system keeps the bounds."""

import json
import signal
import sys
from collections.abc import Iterator
from typing import Any

import pypdfium2
from pypdfium2.raw import FPDF_ERR_PASSWORD, FPDF_ERR_SECURITY

from ingest.formats import ocr
from ingest.formats.loaded import Limits, bounded
from rag.errors import UnreadableFile

_MEMORY_BYTES = 1_000_000_000  # ten times the largest file: ample for honest ones
_CPU_SECONDS = 120  # 5,000 dense pages take about 15
_WALL_SECONDS = 180
_OCR_MEMORY_BYTES = 4_000_000_000  # the models of recognition take hundreds of MB
_OCR_WALL_SECONDS = 1800  # a page takes about a second


def main() -> None:
    """Read `sys.argv[2:]` (name, limits as JSON) and the file; write the pages or the error."""
    name, limits = sys.argv[2], Limits(**json.loads(sys.argv[3]))
    _limit_resources(_MEMORY_BYTES, _CPU_SECONDS, _WALL_SECONDS)
    try:
        extracted = extract(sys.stdin.buffer.read(), name, limits)
    except UnreadableFile as error:
        extracted = {"error": str(error)}
    print("\n" + json.dumps(extracted))


def extract(data: bytes, name: str, limits: Limits) -> dict[str, Any]:
    """Return the raw text of each page and the metadata as PDFium gives them.

    Raises:
        UnreadableFile: as `ingest.formats.pdf.read` says.
    """
    document = _open(data, name, limits)
    pages = list(bounded(_pages(document, name), name, limits))
    if not any(page.strip() for page in pages):
        _limit_resources(_OCR_MEMORY_BYTES, None, _OCR_WALL_SECONDS)
        pages = list(ocr.read_pages(document, name))
    return {"pages": pages, "metadata": document.get_metadata_dict()}


def _limit_resources(memory_bytes: int, cpu_seconds: int | None, wall_seconds: int) -> None:
    """Set soft limits, None for as much as the system lets; Windows has no such limits."""
    if hasattr(signal, "alarm"):
        signal.alarm(wall_seconds)  # unhandled, it ends the process even inside PDFium
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # PDFium aborts when memory ends; no dump of it
    for kind, wanted in ((resource.RLIMIT_AS, memory_bytes), (resource.RLIMIT_CPU, cpu_seconds)):
        hard = resource.getrlimit(kind)[1]
        allowed = hard if wanted is None or 0 <= hard < wanted else wanted
        resource.setrlimit(kind, (allowed, hard))


def _open(data: bytes, name: str, limits: Limits) -> Any:
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


def _pages(document: Any, name: str) -> Iterator[str]:
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
