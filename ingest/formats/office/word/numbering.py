"""The numbers that Word generates for paragraphs: "1.2", "(a)", "IV.", counted in the order of the document."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from ingest.formats.office.numeral import numeral
from ingest.formats.office.package import attribute, is_on, qn, whole_number
from ingest.formats.office.word.styles import Styles

_LEVELS = 9
_PLACE = re.compile(r"%(\d)")
_BULLET = "-"


@dataclass(frozen=True, slots=True)
class ListLevel:
    """How one level of a list is numbered."""

    start: int
    style: str  # "decimal", "lowerRoman", "bullet"
    text: str  # "%1.%2"
    restarts_after: int | None  # the level whose next number begins it anew; None: any above it
    legal: bool  # every level in digits


@dataclass(frozen=True, slots=True)
class ListLabel:
    """What stands before a paragraph of a list."""

    text: str  # "-" for a bullet, "" for a level without a number
    depth: int


class WordNumbering:
    """The lists of numbering.xml, and how far each has been counted."""

    def __init__(self, root: Any, styles: Styles) -> None:
        self._styles = styles
        self._abstract: dict[str, Any] = {}
        self._lists: dict[str, Any] = {}
        if root is not None:
            self._abstract = {
                one.get(qn("w:abstractNumId"), ""): one for one in root.findall(qn("w:abstractNum"))
            }
            self._lists = {one.get(qn("w:numId"), ""): one for one in root.findall(qn("w:num"))}
        self._counts: dict[str, dict[int, int]] = defaultdict(dict)
        self._begun: set[str] = set()
        self._levels: dict[tuple[str, int], ListLevel | None] = {}

    def label(self, properties: Any, style: str) -> ListLabel | None:
        """Count a paragraph in its list; None if it is in none.

        Args:
            properties: its w:pPr or None.
            style: the id of its style.
        """
        number = attribute(properties, "w:numPr/w:numId", "w:val")
        depth = attribute(properties, "w:numPr/w:ilvl", "w:val")
        if not number:
            facts = self._styles.facts(style)
            number = facts.number
            depth = depth or facts.level or self._level_of_style(number, style)
        at = min(max(whole_number(depth), 0), _LEVELS - 1)
        level = self._level(number, at)
        if level is None:
            return None
        return ListLabel(self._counted(number, at, level), at)

    def _counted(self, number: str, at: int, level: ListLevel) -> str:
        abstract, _ = self._definition(number)
        counts = self._counts[abstract]
        if number not in self._begun:
            self._begun.add(number)
            for depth in range(_LEVELS):
                override = self._start_override(number, depth)
                if override is not None:
                    counts[depth] = override - 1
        counts[at] = counts.get(at, level.start - 1) + 1
        for depth in [below for below in counts if below > at]:
            below = self._level(number, depth)
            if below is None or below.restarts_after is None or at < below.restarts_after:
                del counts[depth]
        if level.style == "bullet":
            # Courier's "o" is a bullet, too
            return level.text if sum(map(str.isalnum, level.text)) > 1 else _BULLET
        return _PLACE.sub(lambda match: self._shown(number, int(match[1]) - 1, level), level.text).strip()

    def _shown(self, number: str, depth: int, level: ListLevel) -> str:
        of_depth = self._level(number, depth)
        if of_depth is None:
            return ""
        counts = self._counts[self._definition(number)[0]]
        # A level that has not been used counts as begun
        count = counts.setdefault(depth, of_depth.start)
        return numeral(count, "decimal" if level.legal and of_depth.style != "bullet" else of_depth.style)

    def _definition(self, number: str) -> tuple[str, Any]:
        """Return the abstract list that a list uses, directly or by a list style."""
        abstract = attribute(self._lists.get(number), "w:abstractNumId", "w:val")
        link = attribute(self._abstract.get(abstract), "w:numStyleLink", "w:val")
        linked = self._styles.linked_list(link) if link else ""
        if linked and linked != number:
            abstract = attribute(self._lists.get(linked), "w:abstractNumId", "w:val")
        return abstract, self._abstract.get(abstract)

    def _level(self, number: str, at: int) -> ListLevel | None:
        if (number, at) not in self._levels:
            found = None
            override = self._override(number, at)
            if override is not None:
                found = override.find(qn("w:lvl"))
            if found is None:
                found = self._find(self._definition(number)[1], "w:lvl", at)
            self._levels[number, at] = None if found is None else _level(found)
        return self._levels[number, at]

    def _override(self, number: str, at: int) -> Any:
        return self._find(self._lists.get(number), "w:lvlOverride", at)

    def _start_override(self, number: str, at: int) -> int | None:
        stated = attribute(self._override(number, at), "w:startOverride", "w:val")
        return whole_number(stated) if stated else None

    def _level_of_style(self, number: str, style: str) -> str:
        """Return the level of a list whose numbers belong to a paragraph style, as for headings."""
        _, definition = self._definition(number)
        for level in [] if definition is None else definition.findall(qn("w:lvl")):
            if attribute(level, "w:pStyle", "w:val") == style:
                return str(level.get(qn("w:ilvl"), "0"))
        return ""

    @staticmethod
    def _find(parent: Any, tag: str, at: int) -> Any:
        elements = [] if parent is None else parent.findall(qn(tag))
        return next((one for one in elements if one.get(qn("w:ilvl")) == str(at)), None)


def _level(element: Any) -> ListLevel:
    restart = attribute(element, "w:lvlRestart", "w:val")
    return ListLevel(
        whole_number(attribute(element, "w:start", "w:val"), 0),
        attribute(element, "w:numFmt", "w:val", "decimal"),
        attribute(element, "w:lvlText", "w:val"),
        whole_number(restart) if restart else None,
        is_on(element.find(qn("w:isLgl"))),
    )
