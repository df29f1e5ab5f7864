"""Messages that Outlook saved (msg): properties in an OLE file ([MS-OXMSG])."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import olefile

from ingest.formats.encoding.decode import decode
from ingest.formats.file_text import FileLimits, FileText, Omission, from_text
from ingest.formats.inside import INSIDE, load_inside
from ingest.formats.mail.body import chosen
from ingest.formats.mail.letter import Attachment, Letter, named, write_letter
from ingest.formats.mail.message import iso_date
from ingest.formats.mail.rtf_body import unpacked
from ingest.formats.web.html import convert
from rag.errors import UnreadableFile

_SUBJECT, _CLASS, _BODY, _RTF, _HTML = "0037", "001A", "1000", "1009", "1013"
_SENDER, _SENDER_ADDRESS, _SENDER_SMTP = "0C1A", "0C1F", "5D01"
_SHOWN_TO, _SHOWN_CC, _SHOWN_BCC = "0E04", "0E03", "0E02"
_NAME, _SMTP, _ADDRESS = "3001", "39FE", "3003"
_LONG_FILENAME, _FILENAME, _DATA, _MEDIA_TYPE = "3707", "3704", "3701", "370E"
_SENT, _DELIVERED, _RECIPIENT_TYPE, _CODE_PAGES = 0x0039, 0x0E06, 0x0C15, (0x3FDE, 0x3FFD)
_ROLES = {1: "To", 2: "Cc", 3: "Bcc"}
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_MOST_DEPTH = 4
Path = tuple[str, ...]


def read(data: bytes, name: str, limits: FileLimits) -> FileText:
    """Write a message as one in an eml file is written, with its attachments and the messages in it.

    Raises:
        UnreadableFile: if its text is encrypted.
    """
    with olefile.OleFileIO(io.BytesIO(data)) as file:
        letter = _Reader(file, name, limits).letter(())
    if not letter.body.strip() and letter.header("Class").upper().startswith("IPM.NOTE.SMIME"):
        raise UnreadableFile(
            f"{name} is encrypted (S/MIME); open it in your mail program and save it without encryption."
        )
    shown = Letter(
        [header for header in letter.headers if header[0] != "Class"],
        letter.body,
        letter.attached,
        letter.omissions,
    )
    text, omissions = write_letter(shown, name.rsplit("/", 1)[-1], limits)
    subject = shown.header("Subject")
    metadata = {"title": subject, "subject": subject, "from": shown.header("From")}
    return from_text(text, {**metadata, "date": iso_date(shown.header("Date"))}, omissions)


class _Reader:
    """Reads the messages of one OLE file; a message's properties are streams in its storage."""

    def __init__(self, file: Any, name: str, limits: FileLimits) -> None:
        self._file = file
        self._name = name
        self._limits = limits
        self._entries: list[Path] = [tuple(entry) for entry in file.listdir(streams=True, storages=True)]

    def letter(self, at: Path) -> Letter:
        """Read the message in a storage; the root's is `()`."""
        fixed = self._fixed(at, 24 if at else 32)
        page = next((fixed[tag] & 0xFFFF for tag in _CODE_PAGES if tag in fixed), 0)
        sent = next((fixed[tag] for tag in (_SENT, _DELIVERED) if fixed.get(tag)), 0)
        headers = [
            ("From", self._person(at, page, _SENDER, (_SENDER_SMTP, _SENDER_ADDRESS))),
            *self._recipients(at, page),
            ("Date", _date(sent)),
            ("Subject", self._text(at, _SUBJECT, page)),
            ("Class", "" if at else self._text(at, _CLASS, page)),
        ]
        omissions: list[Omission] = []
        body = self._body(at, page, omissions)
        return Letter(headers, body, self._attached(at, page, omissions), omissions)

    def _body(self, at: Path, page: int, omissions: list[Omission]) -> str:
        plain = self._text(at, _BODY, page)
        source = self._bytes(at, f"{_HTML}0102")
        html = decode(source, self._name, _label(page)).text if source else self._text(at, _HTML, page)
        if html:
            converted = convert(html, titled=False)
            omissions += converted.omissions
            return chosen(plain, converted.text)
        packed = self._bytes(at, f"{_RTF}0102")
        if plain.strip() or not packed:
            return plain.strip("\r\n")
        try:
            return load_inside(unpacked(packed), f"{self._name}{INSIDE}body.rtf", self._limits).text
        except (UnreadableFile, ValueError, IndexError):
            omissions.append(Omission("text in Outlook's own format", "body"))
            return ""

    def _recipients(self, at: Path, page: int) -> list[tuple[str, str]]:
        people: dict[str, list[str]] = {role: [] for role in _ROLES.values()}
        for storage in self._storages(at, "__recip_version1.0_"):
            role = _ROLES.get(self._fixed(storage, 8).get(_RECIPIENT_TYPE, 1) & 0xF, "To")
            people[role].append(self._person(storage, page, _NAME, (_SMTP, _ADDRESS)))
        shown = {"To": _SHOWN_TO, "Cc": _SHOWN_CC, "Bcc": _SHOWN_BCC}
        return [(role, ", ".join(people[role]) or self._text(at, shown[role], page)) for role in people]

    def _attached(self, at: Path, page: int, omissions: list[Omission]) -> list[Attachment]:
        attached: list[Attachment] = []
        for number, storage in enumerate(self._storages(at, "__attach_version1.0_"), 1):
            given = self._text(storage, _LONG_FILENAME, page) or self._text(storage, _FILENAME, page)
            media_type = self._text(storage, _MEDIA_TYPE, page)
            inner = (*storage, f"__substg1.0_{_DATA}000D")
            if inner in self._entries:
                if len(at) >= 2 * _MOST_DEPTH:
                    omissions.append(Omission("message", f"{given or 'unnamed'} lies too deep"))
                    continue
                if not self._file.exists([*inner, "__properties_version1.0"]):
                    omissions.append(Omission("embedded object", given or "unnamed"))
                    continue
                letter = self.letter(inner)
                name = given or letter.header("Subject") or self._text(storage, _NAME, page) or "message"
                attached.append(Attachment(name, letter=letter))
            else:
                data = self._bytes(storage, f"{_DATA}0102")
                attached.append(Attachment(named(given, media_type, number), data, media_type=media_type))
        return attached

    def _person(self, at: Path, page: int, name: str, addresses: Sequence[str]) -> str:
        shown = self._text(at, name, page)
        found = (self._text(at, address, page) for address in addresses)
        address = next((text for text in found if "@" in text), "")
        return f"{shown} <{address}>" if shown and address and shown != address else shown or address

    def _storages(self, at: Path, prefix: str) -> list[Path]:
        depth = len(at)
        return sorted(
            entry
            for entry in self._entries
            if len(entry) == depth + 1 and entry[:depth] == at and entry[depth].startswith(prefix)
        )

    def _text(self, at: Path, tag: str, page: int) -> str:
        wide = self._bytes(at, f"{tag}001F")
        if wide:
            return wide.decode("utf-16-le", "replace").rstrip("\0")
        narrow = self._bytes(at, f"{tag}001E").rstrip(b"\0")
        return decode(narrow, self._name, _label(page)).text if narrow else ""

    def _bytes(self, at: Path, tag: str) -> bytes:
        path = (*at, f"__substg1.0_{tag}")
        if path not in self._entries:
            return b""
        content = self._file.openstream(list(path)).read()
        return content if isinstance(content, bytes) else b""

    def _fixed(self, at: Path, header_bytes: int) -> dict[int, int]:
        """Return the properties of fixed length, such as dates: identifier to value."""
        path = (*at, "__properties_version1.0")
        if path not in self._entries:
            return {}
        content = self._file.openstream(list(path)).read()[header_bytes:]
        whole = content[: len(content) // 16 * 16]
        return {tag >> 16: value for tag, _, value in struct.iter_unpack("<IIQ", whole)}


def _label(page: int) -> str | None:
    return {0: None, 65001: "utf-8", 20127: "us-ascii", 28591: "iso-8859-1"}.get(page, f"cp{page}")


def _date(ticks: int) -> str:
    """Write a date of tenths of microseconds since 1601 as e-mails do; "" for none."""
    try:
        return (
            (_EPOCH + timedelta(microseconds=ticks // 10)).strftime("%a, %d %b %Y %H:%M:%S +0000")
            if ticks
            else ""
        )
    except OverflowError:
        return ""
