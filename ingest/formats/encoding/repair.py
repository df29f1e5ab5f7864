"""Mend a file that is UTF-8 but for some bytes, as when a line from an older program was pasted into it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ingest.formats.encoding.detect import MULTIBYTE, detect
from ingest.formats.encoding.letters import likeliest_page

_SEQUENCE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_HIGH = re.compile(rb"[\x80-\xff]")
# Code pages by the letters that speak for them.
_SCRIPTS = (
    (re.compile("[\u0400-\u045f]"), "cp1251"),
    (re.compile("[\u0386-\u03ce]"), "cp1253"),
    (re.compile("[\u05d0-\u05ea]"), "cp1255"),
    (re.compile("[\u0621-\u064a]"), "cp1256"),
    (re.compile("[\u0e01-\u0e5b]"), "cp874"),
)
# Sequences per bad byte below which a file is rather in the older encoding, and its sequences are chance.
_LEAST_SHARE = 1 / 20
# From here on, detection has enough to go by.
_ENOUGH_BYTES = 24
_CHANCE = re.compile("[\u0080-\u009f\u0250-\u036f\u0460-\u058f\u0700-\u0dff\ue000-\uf8ff]")


@dataclass(frozen=True, slots=True)
class ByteLine:
    """A line of a file: its bytes, how many UTF-8 sequences and how many other bytes above 0x7F it has."""

    data: bytes
    sequences: int
    strays: int

    @property
    def is_utf8(self) -> bool:
        """Whether its sequences are no chance."""
        return self.sequences > 0 and self.sequences >= self.strays


@dataclass(frozen=True, slots=True)
class RepairedText:
    """A text, the codec that its odd bytes were read in, and how many there were on which lines (from 1)."""

    text: str
    codec: str
    lines: dict[int, int]


def repair(data: bytes) -> RepairedText | None:
    """Decode a file line by line: as UTF-8 where it is, and what is none in the code page that fits.

    Returns:
        None if the file shows no sign of UTF-8, so that it is all in an older encoding.
    """
    lines = [_line(line) for line in data.split(b"\n")]
    sequences = sum(line.sequences for line in lines if line.is_utf8)
    strays = sum(line.strays for line in lines)
    if not sequences:
        return None
    odd = b"\n".join(line.data for line in lines if not line.is_utf8 and line.strays)
    whole = detect(data) if strays > sequences else ""
    if whole in MULTIBYTE and _decodes(data, whole):
        return None
    if sequences < _LEAST_SHARE * strays and not whole.startswith(("cp1252", "cp1250", "cp1254", "iso8859")):
        return None
    codec = _codec_of_strays(lines, odd)
    decoded = [_decode(line, codec) for line in lines]
    marked = {number: line.strays for number, line in enumerate(lines, 1) if line.strays}
    return RepairedText("\n".join(decoded), codec, marked)


def _line(data: bytes) -> ByteLine:
    high = len(_HIGH.findall(data))
    if not high:
        return ByteLine(data, 0, 0)
    found = [match.group() for match in _SEQUENCE.finditer(data)]
    plain = [sequence for sequence in found if _is_plausible(sequence)]
    return ByteLine(data, len(plain), high - sum(map(len, plain)))


def _is_plausible(sequence: bytes) -> bool:
    """Return whether a sequence is a character that people write; two signs of a code page rarely make one."""
    try:
        char = sequence.decode()
    except UnicodeDecodeError:
        return False
    return _CHANCE.match(char) is None


def _codec_of_strays(lines: list[ByteLine], odd: bytes) -> str:
    if len(_HIGH.findall(odd)) >= _ENOUGH_BYTES:
        return detect(odd)
    known = "\n".join(line.data.decode("utf-8", "ignore") for line in lines if line.is_utf8)
    counts = {codec: len(letters.findall(known)) for letters, codec in _SCRIPTS}
    codec = max(counts, key=lambda codec: counts[codec])
    strays = b" ".join(_SEQUENCE.sub(b"", line.data) for line in lines if line.strays)
    if counts[codec] * 2 > sum(char > "\x7f" for char in known) and _decodes(strays, codec):
        return codec
    return likeliest_page(strays, known) or "cp1252"


def _decodes(data: bytes, codec: str) -> bool:
    try:
        data.decode(codec)
    except UnicodeDecodeError:
        return False
    return True


def _decode(line: ByteLine, codec: str) -> str:
    if not line.strays:
        return line.data.decode("utf-8", "replace")
    if not line.is_utf8:
        return line.data.decode(codec, "replace")
    parts, reached = [], 0
    for match in _SEQUENCE.finditer(line.data):
        if _is_plausible(match.group()):
            parts += [line.data[reached : match.start()].decode(codec, "replace"), match.group().decode()]
            reached = match.end()
    return "".join([*parts, line.data[reached:].decode(codec, "replace")])
