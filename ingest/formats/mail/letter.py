"""A message of any format, and how it is written: headers, body, then each attachment under its own heading."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from ingest.formats import markdown
from ingest.formats.file_text import FileLimits, Omission
from ingest.formats.inside import INSIDE, MOST_DEPTH, load_inside
from rag.errors import UnreadableFile

MOST_ATTACHMENTS = 200
_HEADING = re.compile(r"(#{1,6})( .*)")
_FENCE = re.compile(r"[ ]{0,3}(`{3,}|~{3,})")
# Formats whose text is the file's own: nothing in it is changed.
_VERBATIM = frozenset(("txt", "md", "code", "eml", "msg", "mbox"))
_REASON = re.compile(r"[;:.](?:\s|$)")
_REASON_CHARACTERS = 160
_OUTLOOK_WRAPPER = re.compile(r"winmail.*\.dat", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file or a message inside a message."""

    name: str
    data: bytes = b""
    letter: Letter | None = None
    media_type: str = ""


@dataclass(frozen=True, slots=True)
class Letter:
    """A message: its headers as shown, its body as light markdown, and what is attached."""

    headers: Sequence[tuple[str, str]]
    body: str
    attached: Sequence[Attachment] = ()
    omissions: Sequence[Omission] = field(default=())

    def header(self, name: str) -> str:
        """Return the value of a header; "" if there is none."""
        return next((value for key, value in self.headers if key == name), "")


def write_letter(letter: Letter, path: str, limits: FileLimits) -> tuple[str, list[Omission]]:
    """Write a message and all that is attached to it.

    Args:
        path: the message's name, after those of the files around it.

    Returns:
        The text, in which "## mail.eml › minutes.docx" heads an attachment, and what was not taken.
    """
    writer = _Writer(limits)
    writer.write(letter, path)
    return "\n\n".join(filter(None, writer.blocks)), writer.omissions


class _Writer:
    def __init__(self, limits: FileLimits) -> None:
        self.blocks: list[str] = []
        self.omissions: list[Omission] = []
        self._limits = limits
        self._count = 0

    def write(self, letter: Letter, path: str) -> None:
        lines = [f"{name}: {value}" for name, value in letter.headers if value]
        names = [inner.name or "unnamed" for inner in letter.attached]
        if names:
            lines.append(f"Attachments: {', '.join(names)}")
        self.blocks += ["\n".join(lines), letter.body]
        self.omissions += letter.omissions
        for inner in letter.attached:
            self._count += 1
            place = f"{path}{INSIDE}{inner.name}"
            if self._count > MOST_ATTACHMENTS:
                self.omissions.append(
                    Omission("attachment", f"{inner.name}, after {MOST_ATTACHMENTS} others")
                )
            elif inner.letter is not None and place.count(INSIDE) <= MOST_DEPTH:
                self.blocks.append(markdown.heading(place, 2))
                self.write(inner.letter, place)
            elif inner.letter is not None:
                self.omissions.append(Omission("message", f"{place} lies too deep"))
            else:
                self._file(inner, place)

    def _file(self, inner: Attachment, place: str) -> None:
        if _OUTLOOK_WRAPPER.fullmatch(inner.name) or inner.media_type == "application/ms-tnef":
            self.omissions.append(Omission("attachment", f"{inner.name} is wrapped in Outlook's own format"))
            return
        try:
            read = load_inside(inner.data, place, self._limits)
        except UnreadableFile as error:
            kind = "image" if inner.media_type.startswith("image/") else "attachment"
            self.omissions.append(Omission(kind, f"{inner.name}{_reason(str(error), place)}"))
            return
        text = read.text if read.metadata.get("format") in _VERBATIM else demoted(read.text, 2)
        self.blocks += [markdown.heading(place, 2), text]
        for omission in read.omissions:
            where = f"{inner.name}, {omission.place}" if omission.place else inner.name
            self.omissions.append(Omission(omission.kind, where, omission.count))


def demoted(text: str, levels: int) -> str:
    """Put a text's headings some levels down, so that they stand below the heading of the whole text."""
    lines, fence = text.split("\n"), ""
    for at, line in enumerate(lines):
        marks = _FENCE.match(line)
        if fence:
            fence = "" if marks and marks[1].startswith(fence) else fence
        elif marks:
            fence = marks[1]
        else:
            heading = _HEADING.fullmatch(line)
            if heading:
                lines[at] = f"{'#' * min(6, len(heading[1]) + levels)}{heading[2]}"
    return "\n".join(lines)


def named(name: str, media_type: str, number: int) -> str:
    """Return an attachment's name, made up from its type and number where it has none."""
    suffixes = {"text/plain": ".txt", "text/html": ".html", "text/csv": ".csv", "application/pdf": ".pdf"}
    plain = PurePosixPath(name.replace("\\", "/")).name.strip()
    printable = "".join(char for char in plain if char.isprintable())
    return printable or f"attachment {number}{suffixes.get(media_type, '')}"


def _reason(message: str, place: str) -> str:
    """Return why a file was not read: the first clause of its error, without the path."""
    clause = _REASON.split(message.removeprefix(place), maxsplit=1)[0]
    return clause[:_REASON_CHARACTERS].rstrip()
