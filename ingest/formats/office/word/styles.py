"""What a document's styles say of a paragraph or run: heading level, list, caption, hidden."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ingest.formats.office.package import attribute, is_on, qn

_HEADING = re.compile(r"heading (\d)", re.IGNORECASE)
_LIST = re.compile(r"list(?: bullet| number)?(?: ([2-9]))?$")
_OUTLINE_LEVELS = frozenset("01234567")  # 9 is body text
_BODY_LEVEL = "9"
_MOST_ANCESTORS = 20


@dataclass(frozen=True, slots=True)
class StyleFacts:
    """What a style, or one that it is based on, says of its text."""

    heading_level: int  # 1 to 9; 0: no heading
    is_caption: bool
    list_depth: int  # 0 for "List Bullet", 1 for "List Bullet 2"; -1: no style of a list
    number: str  # the list that it belongs to, "" for none
    level: str  # of that list, "" if the list says
    is_hidden: bool


class Styles:
    """The styles of styles.xml by id; what a style does not say, the one that it is based on says."""

    def __init__(self, root: Any) -> None:
        elements = [] if root is None else root.findall(qn("w:style"))
        self._styles = {element.get(qn("w:styleId"), ""): element for element in elements}
        self._facts: dict[str, StyleFacts] = {}
        self.paragraph_default = next(
            (
                name
                for name, element in self._styles.items()
                if element.get(qn("w:type")) == "paragraph" and element.get(qn("w:default")) in ("1", "true")
            ),
            "",
        )

    def facts(self, style: str) -> StyleFacts:
        """Return what a style says; of an unknown one, nothing."""
        if style not in self._facts:
            line = list(self._line(style))
            names = [attribute(one, "w:name", "w:val").lower() for one in line]
            self._facts[style] = StyleFacts(
                _heading_level(line),
                "caption" in names,
                _list_depth(names),
                *_numbering(line),
                _is_hidden(line),
            )
        return self._facts[style]

    def linked_list(self, style: str) -> str:
        """Return the list that a list style stands for."""
        return attribute(self._styles.get(style), "w:pPr/w:numPr/w:numId", "w:val")

    def _line(self, style: str) -> Iterator[Any]:
        """Yield a style and those that it is based on."""
        for _ in range(_MOST_ANCESTORS):
            element = self._styles.get(style)
            if element is None:
                return
            yield element
            style = attribute(element, "w:basedOn", "w:val")


def _heading_level(line: list[Any]) -> int:
    """Return a heading's level by the English base name of its style, or its outline level."""
    for element in line:
        name = attribute(element, "w:name", "w:val")
        match = _HEADING.match(name)
        if match:
            return int(match[1])
        outline = attribute(element, "w:pPr/w:outlineLvl", "w:val")
        if outline == _BODY_LEVEL:
            return 0
        if outline in _OUTLINE_LEVELS:
            return int(outline) + 1
        if name == "Title":
            return 1
    return 0


def _list_depth(names: list[str]) -> int:
    """Return how deep a list lies whose level the name of its style tells; -1 for other styles."""
    for name in names:
        match = _LIST.match(name)
        if match:
            return int(match[1] or 1) - 1
    return -1


def _numbering(line: list[Any]) -> tuple[str, str]:
    number = level = ""
    for element in line:
        number = number or attribute(element, "w:pPr/w:numPr/w:numId", "w:val")
        level = level or attribute(element, "w:pPr/w:numPr/w:ilvl", "w:val")
        if number:
            break
    return number, level


def _is_hidden(line: list[Any]) -> bool:
    for element in line:
        found = element.find(f"{qn('w:rPr')}/{qn('w:vanish')}")
        if found is not None:
            return is_on(found)
    return False
