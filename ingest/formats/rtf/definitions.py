"""What the head of an RTF file defines: its fonts, and which styles are headings."""

from __future__ import annotations

import re

from ingest.formats.rtf import charset

_HEADING = re.compile(r"heading (\d)", re.IGNORECASE)
_BODY_LEVEL = 9


class Fonts:
    """The fonts of a file by number: the codec of each, "" if it is the file's, and its name."""

    def __init__(self) -> None:
        self._codecs: dict[int, str] = {}
        self._names: dict[int, str] = {}

    def set_charset(self, font: int, number: int) -> None:
        """Take the number of a font's character set."""
        self._codecs[font] = charset.of_font(number)

    def add_name(self, font: int, text: str) -> None:
        """Take a piece of a font's name."""
        self._names[font] = f"{self._names.get(font, '')}{text}".removesuffix(";").strip()

    def codec(self, font: int) -> str:
        """Return a font's codec, "" if it has none of its own."""
        return self._codecs.get(font, "")

    def name(self, font: int) -> str:
        """Return a font's name; that of the usual symbol font if it is unknown."""
        return self._names.get(font) or "Symbol"


class StyleSheet:
    """The styles of a file that are headings."""

    def __init__(self) -> None:
        self._levels: dict[int, int] = {}
        self._text = ""
        self._number = 0
        self._level = 0

    def add_text(self, text: str) -> None:
        """Take a piece of the name of the current style."""
        self._text += text.removesuffix(";")

    def take(self, word: str, number: int) -> None:
        """Take what the current style states."""
        if word == "s":
            self._number = number
        elif word == "outlinelevel":
            self._level = outline_level(number)

    def end_style(self) -> None:
        """End the current style."""
        match = _HEADING.match(self._text.strip())
        if match or self._level:
            self._levels[self._number] = int(match[1]) if match else self._level
        self._text, self._number, self._level = "", 0, 0

    def heading_level(self, style: int) -> int:
        """Return 1 to 9 for the style of a heading, else 0."""
        return self._levels.get(style, 0)


def outline_level(number: int) -> int:
    """Return the level of a heading whose outline level is `number`, 0 for the level of body text."""
    return number + 1 if 0 <= number < _BODY_LEVEL else 0
