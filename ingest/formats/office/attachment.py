"""Files inside an Office file: read by their own readers, or named as not taken."""

from __future__ import annotations

import posixpath

from ingest.formats import markdown
from ingest.formats.archive import Archive
from ingest.formats.file_text import Omission
from ingest.formats.inside import INSIDE, load_inside
from ingest.formats.office import ole
from ingest.formats.office.notice import Notices
from rag.errors import UnreadableFile

_MOST_FILES = 50


class Attachments:
    """The files embedded in one, in the order in which the document shows them."""

    def __init__(self, archive: Archive, notices: Notices) -> None:
        self._archive = archive
        self._notices = notices
        self._seen: set[str] = set()
        self._texts: list[str] = []

    def add(self, member: str, place: str) -> None:
        """Read an embedded file once; one that cannot be read is noted under its name."""
        if member in self._seen or member not in self._archive:
            return
        self._seen.add(member)
        name, content = posixpath.basename(member), self._archive.read(member)
        if content.startswith(ole.MAGIC):
            inner = ole.unwrapped(content)
            name, content = (inner[0] or name, inner[1]) if inner else (name, content)
        try:
            if len(self._seen) > _MOST_FILES:
                raise UnreadableFile(f"{self._archive.name} holds more than {_MOST_FILES} files.")
            found = load_inside(content, f"{self._archive.name}{INSIDE}{name}", self._archive.limits)
        except UnreadableFile:
            self._notices.note("embedded file", f"{name}, {place}" if place else name)
            return
        self._texts.append(f"{markdown.heading(f'Embedded file: {name}', 1)}\n\n{found.text}")
        for omission in found.omissions:
            self._note(omission, name)

    def texts(self) -> list[str]:
        """Return the text of each file that was read, under a heading with its name."""
        return self._texts

    def _note(self, omission: Omission, name: str) -> None:
        place = f"{name}{INSIDE}{omission.place}" if omission.place else name
        self._notices.note(omission.kind, place, omission.count)
