"""Mailboxes (mbox): many e-mails in one file, each of them a page."""

from __future__ import annotations

import re
from email import message_from_bytes, policy

from ingest.formats import markdown
from ingest.formats.file_text import FileLimits, FileText, Omission, bounded, from_pages
from ingest.formats.mail.letter import write_letter
from ingest.formats.mail.message import letter_of
from rag.errors import UnreadableFile

# "From ann@x.org Mon Jan  2 03:04:05 2023" after a blank line; ">From " is such a line of a body.
_START = re.compile(rb"(?:\A|\n\r?\n)(From [^\r\n]*\d\d[^\r\n]*\r?\n)(?=[A-Za-z-]+:)")
_QUOTED_START = re.compile(rb"^>(>*From )", re.MULTILINE)


def read(data: bytes, name: str, limits: FileLimits) -> FileText:
    """Write each message under its subject; one that cannot be read is named.

    Raises:
        UnreadableFile: if no message begins as in a mailbox, or there are more than `limits.max_pages`.
    """
    starts = [(found.start(1), found.end(1)) for found in _START.finditer(data)]
    if not starts:
        raise UnreadableFile(
            f"{name} holds no message; expected lines such as From ann@x.org Mon Jan 2 03:04:05 2023."
        )
    if len(starts) > limits.max_pages:
        raise UnreadableFile(
            f"{name} has {len(starts):,} messages; expected at most {limits.max_pages:,}."
            " Split it and upload the parts."
        )
    pages: list[str] = []
    omissions: list[Omission] = []
    ends = [start for start, _ in starts[1:]] + [len(data)]
    for number, ((_, begin), end) in enumerate(zip(starts, ends, strict=True), 1):
        raw = _QUOTED_START.sub(rb"\1", data[begin:end])
        text, missed = _written(raw, f"{name.rsplit('/', 1)[-1]}, message {number}", limits)
        pages.append(text)
        omissions += (
            Omission(it.kind, f"message {number}{', ' if it.place else ''}{it.place}", it.count)
            for it in missed
        )
    return from_pages(list(bounded(pages, name, limits)), {}, omissions)


def _written(raw: bytes, path: str, limits: FileLimits) -> tuple[str, list[Omission]]:
    try:
        letter = letter_of(message_from_bytes(raw, policy=policy.default), path)
    except UnreadableFile as error:
        return "", [Omission("message", str(error).removeprefix(path).split(";")[0].strip())]
    text, omissions = write_letter(letter, path, limits)
    subject = letter.header("Subject")
    return (f"{markdown.heading(subject, 1)}\n\n{text}" if subject else text), omissions
