"""What the readers of a Word document's parts share: its styles and lists, and what the body has referred to."""

from __future__ import annotations

from dataclasses import dataclass, field

from ingest.formats.office.attachment import Attachments
from ingest.formats.office.notice import Notices
from ingest.formats.office.numeral import roman
from ingest.formats.office.package import Package
from ingest.formats.office.word.numbering import WordNumbering
from ingest.formats.office.word.styles import Styles


class NoteMarks:
    """The numbers of foot- or endnotes, in the order in which the text refers to them."""

    def __init__(self, *, roman_numbers: bool) -> None:
        self._numbers: dict[str, int] = {}
        self._roman = roman_numbers

    def mark(self, note: str) -> str:
        """Return the mark of a note by its id: "[^1]", "[^i]"."""
        number = self._numbers.setdefault(note, len(self._numbers) + 1)
        return f"[^{roman(number) if self._roman else number}]"

    def order(self) -> list[str]:
        """Return the ids of the notes that were referred to."""
        return list(self._numbers)


@dataclass(slots=True)
class WordPart:
    """A part of the current document, and what it shares with the others."""

    package: Package
    name: str  # "word/document.xml"
    styles: Styles
    numbering: WordNumbering
    notices: Notices
    attachments: Attachments
    comments: dict[str, str]  # id -> "Comment (Ann): Really?"
    footnotes: NoteMarks = field(default_factory=lambda: NoteMarks(roman_numbers=False))
    endnotes: NoteMarks = field(default_factory=lambda: NoteMarks(roman_numbers=True))
    # Where the reader is, for what it does not take
    place: str = ""

    def of(self, name: str, place: str) -> WordPart:
        """Return the same document's part of another name."""
        return WordPart(
            self.package,
            name,
            self.styles,
            self.numbering,
            self.notices,
            self.attachments,
            self.comments,
            self.footnotes,
            self.endnotes,
            place,
        )

    def note(self, kind: str, count: int = 1) -> None:
        """Note something that is not taken, where the reader is."""
        self.notices.note(kind, self.place, count)

    def target(self, relation: str | None) -> str:
        """Return the part, or the address outside, that an id of this part's XML means."""
        found = self.package.relations(self.name).get(relation or "")
        return "" if found is None else found.target

    def refers(self, relation: str | None) -> bool:
        """Return whether a relationship leads to a part that the file holds."""
        found = self.package.relations(self.name).get(relation or "")
        return found is not None and not found.external and found.target in self.package.archive
