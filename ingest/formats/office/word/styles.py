"""What a document's styles say of a paragraph or run: heading level, list, caption, hidden."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ingest.formats.office.package import attribute, is_on, qn

_HEADING = re.compile(r"heading (\d)", re.IGNORECASE)
_OUTLINE_LEVELS = frozenset("01234567")  # 9 is body text
_BODY_LEVEL = "9"
_MOST_ANCESTORS = 20


class Styles:
    """The styles of styles.xml by id; what a style does not say, the one that it is based on says."""

    def __init__(self, root: Any) -> None:
        elements = [] if root is None else root.findall(qn("w:style"))
        self._styles = {element.get(qn("w:styleId"), ""): element for element in elements}
        self.paragraph_default = next(
            (
                name
                for name, element in self._styles.items()
                if element.get(qn("w:type")) == "paragraph" and element.get(qn("w:default")) in ("1", "true")
            ),
            "",
        )

    def heading_level(self, style: str) -> int:
        """Return 1 to 9 for the style of a heading, by its English base name or outline level; else 0."""
        for element in self._line(style):
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

    def is_caption(self, style: str) -> bool:
        """Return whether the style is Word's for captions, or based on it."""
        return any(attribute(one, "w:name", "w:val").lower() == "caption" for one in self._line(style))

    def is_list(self, style: str) -> bool:
        """Return whether the style is one of Word's lists, such as "List Bullet 2"."""
        return any(attribute(one, "w:name", "w:val").lower().startswith("list") for one in self._line(style))

    def numbering(self, style: str) -> tuple[str, str]:
        """Return the list and level that the style gives its paragraphs, "" where it says nothing."""
        number = level = ""
        for element in self._line(style):
            number = number or attribute(element, "w:pPr/w:numPr/w:numId", "w:val")
            level = level or attribute(element, "w:pPr/w:numPr/w:ilvl", "w:val")
            if number:
                break
        return number, level

    def linked_list(self, style: str) -> str:
        """Return the list that a list style stands for."""
        return attribute(self._styles.get(style), "w:pPr/w:numPr/w:numId", "w:val")

    def is_hidden(self, style: str) -> bool:
        """Return whether text of this style is hidden."""
        for element in self._line(style):
            found = element.find(f"{qn('w:rPr')}/{qn('w:vanish')}")
            if found is not None:
                return is_on(found)
        return False

    def _line(self, style: str) -> Iterator[Any]:
        """Yield a style and those that it is based on."""
        for _ in range(_MOST_ANCESTORS):
            element = self._styles.get(style)
            if element is None:
                return
            yield element
            style = attribute(element, "w:basedOn", "w:val")
