"""Decode the bytes of a text file, and say what had to be guessed or mended."""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from ingest.formats.encoding.detect import MULTIBYTE, detect, escaped, unmarked_utf16
from ingest.formats.encoding.labels import codec_of, shown
from ingest.formats.encoding.repair import repair
from ingest.formats.file_text import Omission
from rag.errors import UnreadableFile

# UTF-32 before UTF-16: its little-endian mark starts with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CONTROL = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")  # without \t \n \v \f \r and escape
_MAX_CONTROL_SHARE = 0.01
# Undecodable bytes beyond this share, and the file is in another encoding or binary.
_MAX_LOST_SHARE = 0.02
_LINES_NAMED = 5


@dataclass(frozen=True, slots=True)
class DecodedText:
    """A file's text, the codec it was read in, and which of its bytes were mended or lost."""

    text: str
    codec: str
    omissions: tuple[Omission, ...] = ()


def decode(data: bytes, name: str, declared: str | None = None) -> DecodedText:
    """Decode a text file; a byte-order mark is dropped, all else is kept as it is.

    The encoding is, in this order: what a byte-order mark says; UTF-16 without a mark, if its blanks show it; UTF-8;
    `declared`, the label that the file states, as browsers read it; what the bytes most likely are. A file of UTF-8
    with some other bytes stays UTF-8: these are read in the code page that fits, and named.

    Raises:
        UnreadableFile: if the bytes fit no encoding, or the text holds a NUL or more than 1 % control
            characters, as binary files do.
    """
    decoded = _decode(data, name, declared)
    controls = len(_CONTROL.findall(decoded.text))
    if "\0" in decoded.text or controls > _MAX_CONTROL_SHARE * len(decoded.text):
        raise UnreadableFile(
            f"{name} looks binary ({controls} of its {len(decoded.text)} characters are control characters); "
            "expected text. Upload it under the suffix of its real format."
        )
    return decoded


def _decode(data: bytes, name: str, declared: str | None) -> DecodedText:
    for mark, codec in _MARKS:
        if data.startswith(mark):
            data = data[len(mark) :]
            return _marked(data, name, codec)
    utf16 = unmarked_utf16(data)
    if utf16:
        return _marked(data, name, utf16)
    stated = codec_of(declared)
    if _decodes(data, "utf-8"):
        switched = escaped(data) if b"\x1b" in data else None
        plain = "utf-7" if stated == "utf-7" else "utf-8"
        codec = switched if switched and _decodes(data, switched) else plain
        return DecodedText(data.decode(codec, "replace"), codec)
    if b"\0" in data:
        raise UnreadableFile(f"{name} is text in no encoding that Ibid knows, or binary; save it as UTF-8.")
    return _without_mark(data, name, stated)


def _marked(data: bytes, name: str, codec: str) -> DecodedText:
    try:
        return DecodedText(data.decode(codec), codec)
    except UnicodeDecodeError as error:
        if codec == "utf-8":
            return _without_mark(data, name, None)
        raise UnreadableFile(
            f"{name} looks like {codec} but is broken at byte {error.start}; save it again as UTF-8."
        ) from error


def _without_mark(data: bytes, name: str, stated: str | None) -> DecodedText:
    """Decode what is not valid UTF-8."""
    if stated in MULTIBYTE and _decodes(data, stated):
        return DecodedText(data.decode(stated), stated)
    repaired = repair(data)
    if repaired is not None:
        return _named(
            repaired.text, "utf-8", f"byte read as {shown(repaired.codec)} among UTF-8", repaired.lines
        )
    stated = None if stated == "utf-8" else stated
    guess = detect(data)
    for codec in (stated, guess):
        if codec and _decodes(data, codec):
            return DecodedText(data.decode(codec), codec)
    return _with_losses(data, name, stated if stated in MULTIBYTE else guess)


def _with_losses(data: bytes, name: str, codec: str) -> DecodedText:
    text = data.decode(codec, "replace")
    lost = Counter(
        number for number, line in enumerate(text.split("\n"), 1) for _ in range(line.count("\ufffd"))
    )
    if lost.total() > max(1, _MAX_LOST_SHARE * len(text)):
        raise UnreadableFile(f"{name} is text in no encoding that Ibid knows, or binary; save it as UTF-8.")
    return _named(text, codec, f"byte that is no {shown(codec)}", lost)


def _named(text: str, codec: str, kind: str, lines: Mapping[int, int]) -> DecodedText:
    """Return the text with one omission that counts the bytes and names their lines."""
    numbers = [str(number) for number in lines]
    more = f" and {len(numbers) - _LINES_NAMED} more" if len(numbers) > _LINES_NAMED else ""
    place = f"line{'s' if len(numbers) > 1 else ''} {', '.join(numbers[:_LINES_NAMED])}{more}"
    return DecodedText(text, codec, (Omission(kind, place, sum(lines.values())),))


def _decodes(data: bytes, codec: str) -> bool:
    try:
        data.decode(codec)
    except UnicodeDecodeError:
        return False
    return True
