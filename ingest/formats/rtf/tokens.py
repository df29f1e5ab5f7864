"""Cut RTF into braces, control words and text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    rb"""\\([a-zA-Z]{1,32})(-?\d{1,10})?[ ]?   # a control word, its number, the blank that ends it
       | \\'([0-9a-fA-F]{2})                    # a byte
       | \\([^a-zA-Z'])                         # a control symbol
       | ([{}])
       | ([^\\{}\r\n]+)""",
    re.VERBOSE | re.DOTALL,
)
_BINARY = b"bin"


@dataclass(frozen=True, slots=True)
class RtfToken:
    """A brace, a control word with its number, a control symbol, or bytes of text."""

    kind: str  # "{", "}", "word", "symbol", "bytes"
    word: str = ""
    number: int | None = None
    raw: bytes = b""


_OPEN, _CLOSE = RtfToken("{"), RtfToken("}")


def tokens(data: bytes) -> Iterator[RtfToken]:
    """Yield the tokens of a file; what `\\bin` announces is skipped."""
    at = 0
    while True:
        match = _TOKEN.search(data, at)
        if match is None:
            return
        at = match.end()
        word, number, byte, symbol, brace, text = match.groups()
        if word is not None:
            value = int(number) if number else None
            if word == _BINARY:
                at += max(0, value or 0)
            yield RtfToken("word", word.decode("ascii"), value)
        elif brace is not None:
            yield _OPEN if brace == b"{" else _CLOSE
        elif byte is not None:
            yield RtfToken("bytes", raw=bytes([int(byte, 16)]))
        elif text is not None:
            yield RtfToken("bytes", raw=text)
        else:
            yield RtfToken("symbol", symbol.decode("latin-1"))
