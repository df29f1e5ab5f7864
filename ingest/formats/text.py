"""Plain text and markdown, and the encoding of every format that is text."""

import codecs
import re

from charset_normalizer import from_bytes

from ingest.formats.file_text import FileLimits, FileText
from rag.errors import UnreadableFile

# UTF-32 before UTF-16: its little-endian mark starts with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# What people's files are in; rarer code pages win on short texts by chance.
_CODE_PAGES = [
    *("cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "koi8_r"),
    *("shift_jis", "euc_jp", "gb18030", "big5", "euc_kr"),
]
_CONTROL = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")  # without \t \n \v \f \r and escape
_DETECTION_BYTES = 200_000
_MAX_CONTROL_SHARE = 0.01


def read(data: bytes, name: str, limits: FileLimits) -> FileText:
    """Decode the file: its text is the file's own, newlines included, so that an offset here is one in the file."""
    return FileText(decode(data, name))


def decode(data: bytes, name: str, declared: str | None = None) -> str:
    """Decode a text file; a byte-order mark is dropped, all else is kept as it is.

    The encoding is, in this order: what a byte-order mark says; UTF-16 without a mark, if every other
    byte is mostly NUL; UTF-8 if the bytes are valid; `declared`, the encoding that the file states;
    what charset-normalizer detects, Windows-1252 where several fit equally.

    Raises:
        UnreadableFile: if the bytes fit no encoding, or the text holds a NUL or more than 1 % control
            characters, as binary files do.
    """
    text = _decode(data, name, declared)
    controls = len(_CONTROL.findall(text))
    if "\0" in text or controls > _MAX_CONTROL_SHARE * len(text):
        raise UnreadableFile(
            f"{name} looks binary ({controls} of its {len(text)} characters are control characters); "
            "expected text. Upload it under the suffix of its real format."
        )
    return text


def _decode(data: bytes, name: str, declared: str | None) -> str:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _decode_strictly(data[len(mark) :], name, encoding)
    for candidate in (_unmarked_utf16(data), "utf-8", _known(declared)):
        try:
            if candidate:
                return data.decode(candidate)
        except UnicodeDecodeError:
            continue
    detected = _detect(data)
    if detected is None:
        raise UnreadableFile(f"{name} is text in no encoding that Ibid knows, or binary; save it as UTF-8.")
    return _decode_strictly(data, name, detected)


def _decode_strictly(data: bytes, name: str, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise UnreadableFile(
            f"{name} looks like {encoding} but is broken at byte {error.start}; save it again as UTF-8."
        ) from error


def _unmarked_utf16(data: bytes) -> str | None:
    """Guess UTF-16 without a mark: Latin text has NUL in nearly every second byte and nowhere else."""
    sample = data[:4000]
    low, high = sample[0::2].count(0), sample[1::2].count(0)
    if len(data) % 2 or max(low, high) < 0.4 * (len(sample) / 2) or min(low, high) > 0:
        return None
    return "utf-16-le" if high else "utf-16-be"


def _known(encoding: str | None) -> str | None:
    try:
        return codecs.lookup(encoding).name if encoding else None
    except (LookupError, ValueError):
        return None


def _detect(data: bytes) -> str | None:
    """Ask charset-normalizer about the start of the file; None if nothing fits or it holds NULs."""
    if b"\0" in data:
        return None
    candidates = from_bytes(data[:_DETECTION_BYTES], cp_isolation=_CODE_PAGES)
    best = candidates.best()
    if best is None:
        return None
    for candidate in candidates:
        if candidate.chaos <= best.chaos and "cp1252" in candidate.could_be_from_charset:
            return "cp1252"
    return best.encoding
