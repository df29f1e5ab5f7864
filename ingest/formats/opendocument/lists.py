"""The numbers that an OpenDocument's lists and headings generate, counted in the order of the document."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from ingest.formats.office.numeral import letters, roman
from ingest.formats.opendocument.names import qn, short, stated

_PLACE = re.compile(r"%(\d+)%")
_OUTLINE = "\0outline"
BULLET = "-"


class Lists:
    """The list styles of a file, and how far each list has been counted."""

    def __init__(self, roots: Iterable[Any]) -> None:
        self._levels: dict[tuple[str, int], Any] = {}
        for root in roots:
            for style in root.iter(qn("text:list-style"), qn("text:outline-style")):
                outline = short(style.tag) == "text:outline-style"
                name = _OUTLINE if outline else stated(style, "style:name")
                for level in style:
                    self._levels[name, _number(stated(level, "text:level"))] = level
        self._counts: dict[str, dict[int, int]] = {}
        self._by_style: dict[str, dict[int, int]] = {}

    def open(self, element: Any, style: str) -> dict[int, int]:
        """Return the counts of a text:list that begins: new ones, or those of the list that it continues."""
        counts: dict[int, int] = {}
        continued = stated(element, "text:continue-list")
        if continued in self._counts:
            counts = self._counts[continued]
        elif stated(element, "text:continue-numbering") == "true":
            counts = self._by_style.get(style, counts)
        name = stated(element, "xml:id")
        if name:
            self._counts[name] = counts
        self._by_style[style] = counts
        return counts

    def label(self, style: str, level: int, counts: dict[int, int], start: str = "") -> str:
        """Count an item and return its label: "1.2", "b)"; "-" for a bullet.

        Args:
            style: of the list.
            level: from 1.
            counts: of the list, as `open` gives them.
            start: what the item states to be its number.
        """
        element = self._levels.get((style, level))
        first = _number(stated(element, "text:start-value", "1"), 1)
        counts[level] = _number(start, 1) if start else counts.get(level, first - 1) + 1
        for below in [one for one in counts if one > level]:
            del counts[below]
        if element is None or "bullet" in short(element.tag) or "image" in short(element.tag):
            return BULLET
        return self._written(style, level, element, counts)

    def heading(self, level: int, start: str = "") -> str:
        """Count a heading and return its number; "" if headings of this level have none."""
        counts = self._counts.setdefault(_OUTLINE, {})
        label = self.label(_OUTLINE, level, counts, start)
        return "" if label == BULLET else label

    def _written(self, style: str, level: int, element: Any, counts: dict[int, int]) -> str:
        if not stated(element, "style:num-format"):
            return ""
        pattern = stated(element, "style:num-list-format") or stated(element, "loext:num-list-format")
        if pattern:
            return _PLACE.sub(lambda match: self._shown(style, int(match[1]), counts), pattern).strip()
        shown = _number(stated(element, "text:display-levels", "1"), 1)
        numbers = [self._shown(style, at, counts) for at in range(max(1, level - shown + 1), level + 1)]
        written = ".".join(filter(None, numbers))
        return f"{stated(element, 'style:num-prefix')}{written}{stated(element, 'style:num-suffix')}".strip()

    def _shown(self, style: str, level: int, counts: dict[int, int]) -> str:
        element = self._levels.get((style, level))
        number = counts.get(level, _number(stated(element, "text:start-value", "1"), 1))
        match stated(element, "style:num-format"):
            case "a":
                return letters(number)
            case "A":
                return letters(number).upper()
            case "i":
                return roman(number)
            case "I":
                return roman(number).upper()
            case "":
                return ""
        return str(number)


def _number(text: str, default: int = 0) -> int:
    return int(text) if text.isdecimal() and len(text) < 10 else default
