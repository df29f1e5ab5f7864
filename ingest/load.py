"""Read an uploaded file into normalised text, or say why it cannot be read."""

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module

from ingest.formats.file_text import FileLimits, FileText, too_long
from ingest.formats.signature import format_of
from ingest.omissions import omissions_text
from rag.errors import IbidError, UnreadableFile

DEFAULT_LIMITS = FileLimits()
FormatReader = Callable[
    [bytes, str, FileLimits], FileText
]  # what each module in `ingest/formats` offers as `read`

# Modules by name, imported at first use: together their libraries take longer to import than the
# server may take to start, and the command line rarely needs more than one.
_READERS = {
    "txt": "plain.text",
    "md": "plain.text",
    "html": "web.html",
    "pdf": "pdf.reader",
    "docx": "office.word.document",
    "pptx": "office.slides.presentation",
    "xlsx": "office.workbook.book",
    "odt": "opendocument.document",
    "ods": "opendocument.document",
    "odp": "opendocument.document",
    "rtf": "rtf.document",
    "csv": "plain.delimited",
    "json": "plain.records",
    "ics": "plain.calendar",
    "code": "plain.source_code",
    "ipynb": "plain.notebook",
    "srt": "plain.subtitles",
    "xml": "markup.xml_document",
    "rst": "markup.rst",
    "adoc": "markup.asciidoc",
    "tex": "markup.latex",
    "epub": "markup.book",
    "eml": "mail.message",
    "mbox": "mail.mailbox",
    "msg": "mail.outlook",
}


def load(data: bytes, name: str, *, limits: FileLimits = DEFAULT_LIMITS) -> FileText:
    """Turn a file's bytes into text, page offsets and the metadata it states.

    The text of .txt and .md files is their own, decoded, without a byte-order mark and otherwise
    unchanged; other formats become light markdown with "\\n" newlines. The suffix of the name decides the
    format and must agree with the content; where the suffix says nothing, the content decides.

    Args:
        data: the whole file.
        name: as the user knows it; only its suffix matters, and messages quote it.
        limits: bounds on size, pages and text.

    Raises:
        UnreadableFile: if the file is empty, too large, encrypted, truncated, damaged, mislabelled,
            would unpack beyond the limits, has no text, or is of a format that is not read.
        MemoryError: if this process has too little memory for it.
    """
    shown = printable(name)
    if not data:
        raise UnreadableFile(f"{shown} is empty (0 bytes); upload a file with text.")
    if len(data) > limits.max_file_bytes:
        raise too_large(shown, len(data), limits)
    file_format = format_of(data, shown)
    loaded = _read(file_format, data, shown, limits)
    if len(loaded.text) > limits.max_characters:
        raise too_long(shown, limits)
    if not loaded.text.strip():
        held = omissions_text(loaded.omissions).removeprefix("read in part: ") or "blanks or pictures"
        raise UnreadableFile(f"{shown} has no text, only {held}; upload a file with text.")
    return replace(loaded, metadata={"format": file_format, **loaded.metadata})


def printable(name: str) -> str:
    """Return a name as messages show it; one that could forge a line of a log is escaped."""
    return name if name.isprintable() else ascii(name)


def too_large(name: str, size: int, limits: FileLimits) -> UnreadableFile:
    """Return the error of a file of more bytes than are accepted."""
    return UnreadableFile(
        f"{name} has {size:,} bytes; expected at most {limits.max_file_bytes:,}. Split it and upload the parts."
    )


def _read(file_format: str, data: bytes, name: str, limits: FileLimits) -> FileText:
    reader: FormatReader = import_module(f"ingest.formats.{_READERS[file_format]}").read
    try:
        return reader(data, name, limits)
    except (IbidError, MemoryError):  # memory is the process's to give, see `ingest/parse_process.py`
        raise
    except RecursionError as error:
        raise UnreadableFile(
            f"{name} is nested too deeply to be read; flatten it and upload it again."
        ) from error
    except Exception as error:  # on damaged files the libraries raise KeyError, XMLSyntaxError, anything
        reason = f"{type(error).__name__}: {str(error)[:200]}"
        raise UnreadableFile(
            f"{name} is damaged: reading it as {file_format} failed ({reason});"
            " expected a whole file. Open it in its own program, save it again and upload that."
        ) from error
