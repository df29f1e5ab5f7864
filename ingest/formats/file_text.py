"""What every format's reader returns, and the limits it keeps."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from rag.errors import UnreadableFile
from rag.types import Omission as Omission

MetadataValue = str | int | float | bool
_NEWLINE = re.compile(r"\r\n?")
_UNSTORABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class FileLimits:
    """What one file may cost: sizes in bytes, text in code points.

    A zip is refused for its ratio (unpacked / packed bytes) only above `ratio_floor_bytes` unpacked,
    since small repetitive files compress that well honestly.
    """

    max_file_bytes: int = 100_000_000
    max_unpacked_bytes: int = 300_000_000
    max_expansion_ratio: int = 200
    ratio_floor_bytes: int = 20_000_000
    max_pages: int = 5_000
    max_characters: int = 20_000_000
    ocr: bool = True  # read scans where OCR is installed; otherwise raise ScannedPdf


# Kinds of omissions that OCR can make good: a page that shows text, but holds none.
UNREAD_PAGE, UNMAPPED_PAGE = "page without text", "page in a font without Unicode"
RECOGNISABLE = frozenset({UNREAD_PAGE, UNMAPPED_PAGE})


class ScannedPdf(UnreadableFile):
    """A PDF without a text layer that OCR could read: it is installed, but the limits forbid it."""


@dataclass(frozen=True, slots=True)
class FileText:
    """A file as text.

    `text` is what citations point into, in code points. `pages` holds the offset at which each page,
    slide or sheet starts, rising and first 0; an empty page shares the offset of the next one, so that
    `bisect_right(pages, offset)` is the page number of an offset. It is () for formats without pages.
    `metadata` is what the file itself states, and "format". `omissions` names what the file holds and the text does
    not. `boxes` says where on its page each word stands, packed (rag/text/boxes.py); b"" for formats without layout.
    """

    text: str
    pages: tuple[int, ...] = ()
    metadata: Mapping[str, MetadataValue] = field(default_factory=dict)
    omissions: tuple[Omission, ...] = ()
    boxes: bytes = b""


def from_text(text: str, metadata: Mapping[str, object], omissions: Sequence[Omission] = ()) -> FileText:
    """Make a document without pages; text and metadata are cleaned."""
    return FileText(clean(text).strip("\n"), (), clean_metadata(metadata), tuple(omissions))


def from_pages(
    pages: Sequence[str], metadata: Mapping[str, object], omissions: Sequence[Omission] = ()
) -> FileText:
    """Join pages by a blank line and note where each starts; empty pages add no text.

    `from_pages(["a", "", "b"], {})` has the text "a\\n\\nb" and the pages (0, 3, 3).
    """
    parts: list[str] = []
    starts: list[int] = []
    length = 0
    for page in (clean(page).strip() for page in pages):
        starts.append(length + 2 if parts and page else length)
        if page:
            length = starts[-1] + len(page)
            parts.append(page)
    for index in range(len(starts) - 2, -1, -1):  # an empty page takes the next one's start
        if not pages[index].strip():
            starts[index] = starts[index + 1]
    return FileText("\n\n".join(parts), tuple(starts), clean_metadata(metadata), tuple(omissions))


def clean(text: str) -> str:
    """Make newlines "\\n", drop control characters, and replace lone surrogates, which UTF-8 cannot hold."""
    return _SURROGATE.sub("\ufffd", _UNSTORABLE.sub("", _NEWLINE.sub("\n", text)))


def clean_metadata(metadata: Mapping[str, object]) -> dict[str, MetadataValue]:
    """Keep what is stated: no None, no blank text; anything but text and numbers becomes text."""
    kept: dict[str, MetadataValue] = {}
    for key, value in metadata.items():
        plain = value if isinstance(value, str | int | float | bool) else str(value or "")
        plain = " ".join(clean(plain).split()) if isinstance(plain, str) else plain
        if plain != "":
            kept[key] = plain
    return kept


def bounded(parts: Iterable[str], name: str, limits: FileLimits) -> Iterator[str]:
    """Pass text parts on until they exceed `limits.max_characters`.

    For formats where a few bytes can stand for much text (shared strings, key paths).

    Raises:
        UnreadableFile: as soon as the sum of the lengths is too large.
    """
    total = 0
    for part in parts:
        total += len(part) + 1
        if total > limits.max_characters:
            raise too_long(name, limits)
        yield part


def too_long(name: str, limits: FileLimits) -> UnreadableFile:
    """Return the error of a file with more text than is accepted."""
    return UnreadableFile(
        f"{name} holds more than {limits.max_characters:,} characters of text; split it and upload the parts."
    )
