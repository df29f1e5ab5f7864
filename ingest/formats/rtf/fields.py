"""The fields of an RTF file that are open: which of them are links, and which number the page."""

from __future__ import annotations

import re

_LINK = re.compile(r'\s*HYPERLINK\s+(?:"([^"]*)"|([^"\s]+))', re.IGNORECASE)
_PAGE = re.compile(r"\s*(?:PAGE|NUMPAGES|SECTIONPAGES)\b", re.IGNORECASE)


class RtfFields:
    """The fields that have begun and not ended, outermost first."""

    def __init__(self) -> None:
        self._instructions: list[str] = []

    def begin(self) -> None:
        """Begin a field."""
        self._instructions.append("")

    def instruct(self, text: str) -> None:
        """Take a piece of the innermost field's instruction."""
        if self._instructions:
            self._instructions[-1] += text

    def end(self) -> str:
        """End the innermost field and return the address that it links to, "" if it is no link."""
        instruction = self._instructions.pop() if self._instructions else ""
        match = _LINK.match(instruction)
        return (match[1] or match[2] or "").replace("\\\\", "\\") if match else ""

    @property
    def numbers_page(self) -> bool:
        """Return whether the innermost field's result is the number of a page."""
        return bool(self._instructions) and _PAGE.match(self._instructions[-1]) is not None
