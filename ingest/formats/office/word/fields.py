"""Fields: what Word computes. Their results are text, their instructions are not; page numbers are neither."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ingest.formats.office.package import attribute, is_on, qn, whole_number
from ingest.formats.office.page_number import PAGE_MARK

_PAGE_FIELDS = frozenset({"PAGE", "NUMPAGES", "SECTIONPAGES"})
_ADDRESS = re.compile(r'HYPERLINK\s+"([^"]+)"')
_CHECKED, _UNCHECKED = "☒", "☐"


@dataclass(slots=True)
class WordField:
    """A field that has begun."""

    instruction: str = ""
    shows: bool = False  # its result has begun

    @property
    def kind(self) -> str:
        return (self.instruction.split() or [""])[0].upper()

    @property
    def address(self) -> str:
        match = _ADDRESS.match(self.instruction.strip())
        return match[1] if match else ""


class Fields:
    """The fields that are open, outermost first; one may run over several paragraphs."""

    def __init__(self, *, are_balanced: bool) -> None:
        # Where an end is missing, nothing is hidden: better an instruction too many than a document too short
        self._balanced = are_balanced
        self._open: list[WordField] = []
        self.sequences: list[str] = []  # what was counted since the last look: "Table"

    def mark(self, element: Any) -> str:
        """Take a w:fldChar; return the text that it stands for."""
        match element.get(qn("w:fldCharType")):
            case "begin":
                self._open.append(WordField())
                return _form_field(element.find(qn("w:ffData")))
            case "separate" if self._open:
                self._open[-1].shows = True
                if self._open[-1].kind in _PAGE_FIELDS:
                    return PAGE_MARK
            case "end" if self._open:
                return self._end(self._open.pop())
        return ""

    def simple(self, instruction: str) -> str:
        """Take a w:fldSimple's instruction; return its kind."""
        self._count(WordField(instruction))
        return WordField(instruction).kind

    def instruct(self, text: str) -> None:
        """Take a piece of the innermost field's instruction."""
        if self._open:
            self._open[-1].instruction += text

    @property
    def hides(self) -> bool:
        """Return whether text at this place is an instruction or a page number."""
        return self._balanced and any(not field.shows or field.kind in _PAGE_FIELDS for field in self._open)

    def _end(self, field: WordField) -> str:
        self._count(field)
        return f" ({field.address})" if field.shows and field.address else ""

    def _count(self, field: WordField) -> None:
        words = field.instruction.split()
        if field.kind == "SEQ" and len(words) > 1:
            self.sequences.append(words[1])


def is_page_field(kind: str) -> bool:
    """Return whether a field's result differs from page to page."""
    return kind in _PAGE_FIELDS


def _form_field(data: Any) -> str:
    """Return the state of a check box or drop-down list of the old forms; their text fields have a result."""
    if data is None:
        return ""
    box = data.find(qn("w:checkBox"))
    if box is not None:
        state = box.find(qn("w:checked"))
        return _CHECKED if is_on(state if state is not None else box.find(qn("w:default"))) else _UNCHECKED
    choices = data.find(qn("w:ddList"))
    if choices is not None:
        entries = [one.get(qn("w:val"), "") for one in choices.findall(qn("w:listEntry"))]
        chosen = attribute(choices, "w:result", "w:val") or attribute(choices, "w:default", "w:val")
        return entries[whole_number(chosen)] if 0 <= whole_number(chosen) < len(entries) else ""
    return ""
