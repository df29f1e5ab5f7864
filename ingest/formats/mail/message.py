"""E-mail (eml): the header lines a reader sees, the body, forwarded messages and attachments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import Message
from email.utils import parsedate_to_datetime
from typing import Any

from ingest.formats.encoding.decode import decode
from ingest.formats.file_text import FileLimits, FileText, Omission, from_text
from ingest.formats.inside import INSIDE
from ingest.formats.mail.body import chosen, flowed
from ingest.formats.mail.letter import Attachment, Letter, named, write_letter
from ingest.formats.plain.calendar import write_calendar
from ingest.formats.web.html import convert
from rag.errors import UnreadableFile

HEADERS = ("From", "To", "Cc", "Bcc", "Date", "Subject")
_ENCRYPTED = ("multipart/encrypted", "application/pgp-encrypted")
_SIGNATURES = frozenset(
    ("application/pkcs7-signature", "application/x-pkcs7-signature", "application/pgp-signature")
)
_WRAPPED = frozenset(("application/pkcs7-mime", "application/x-pkcs7-mime"))
_STATUS = frozenset(("message/delivery-status", "message/disposition-notification", "text/rfc822-headers"))
_PGP = re.compile(r"\s*-----BEGIN PGP MESSAGE-----")
_READABLE = frozenset(
    ("text/plain", "text/html", "text/calendar", "message/delivery-status", "text/rfc822-headers")
)


def read(data: bytes, name: str, limits: FileLimits) -> FileText:
    """Write headers, body and all that is attached, each under a heading such as "## mail.eml › minutes.docx".

    Raises:
        UnreadableFile: if there is neither a From nor a Subject line, or if the body is encrypted.
    """
    message = message_from_bytes(data, policy=policy.default)
    letter = letter_of(message, name)
    if not letter.header("From") and not letter.header("Subject"):
        raise UnreadableFile(
            f"{name} has no From and no Subject line, as an e-mail has; rename it to end in .txt."
        )
    text, omissions = write_letter(letter, name.rsplit("/", 1)[-1], limits)
    return from_text(text, metadata_of(letter), omissions)


def metadata_of(letter: Letter) -> dict[str, object]:
    """Return what a message states: subject, sender, date in ISO 8601."""
    subject = letter.header("Subject")
    date = iso_date(letter.header("Date"))
    return {"title": subject, "subject": subject, "from": letter.header("From"), "date": date}


def letter_of(message: Message, name: str) -> Letter:
    """Return a parsed message as a letter, the messages in it, too.

    Raises:
        UnreadableFile: if nothing of it can be read without a key.
    """
    parts = _Parts(name)
    parts.walk(message)
    headers = [(header, _header(message, header)) for header in HEADERS]
    body = "\n\n".join(filter(None, parts.body))
    if parts.encrypted and not body.strip() and not parts.attached:
        raise UnreadableFile(
            f"{name} is encrypted ({parts.encrypted}); open it in your mail program and save it without encryption."
        )
    if parts.encrypted:
        parts.omissions.append(Omission("encrypted part", parts.encrypted))
    return Letter(headers, body, parts.attached, parts.omissions)


def iso_date(stated: str) -> str:
    """Write an e-mail date in ISO 8601; one that does not parse stays as stated."""
    try:
        return parsedate_to_datetime(stated).isoformat()
    except (ValueError, TypeError):
        return stated


class _Parts:
    """Sorts the parts of one message into what is read as its body and what is attached."""

    def __init__(self, name: str) -> None:
        self.body: list[str] = []
        self.attached: list[Attachment] = []
        self.omissions: list[Omission] = []
        self.encrypted = ""
        self._name = name

    def walk(self, part: Message) -> None:
        kind = part.get_content_type()
        if kind in _ENCRYPTED:
            self.encrypted = "PGP"
        elif kind == "multipart/alternative":
            self._alternatives(part)
        elif kind in _STATUS:
            self._add(self._text(part))
        elif kind == "message/rfc822" or (kind == "message/global" and part.is_multipart()):
            self._message(part)
        elif part.is_multipart():
            for inner in _children(part):
                self.walk(inner)
        elif kind.startswith("multipart/"):
            # Its boundary is missing: what stands there is text.
            self._add(self._text(part))
        elif kind in _SIGNATURES:
            return
        elif kind in _WRAPPED:
            signed = part.get_param("smime-type") == "signed-data"
            self.encrypted = "S/MIME, its text inside the signature" if signed else "S/MIME"
        elif _is_attachment(part):
            self._attach(part)
        else:
            self._add(self._text(part))

    def _add(self, text: str) -> None:
        if _PGP.match(text):
            self.encrypted = "PGP"
        else:
            self.body.append(text.strip("\r\n"))

    def _alternatives(self, part: Message) -> None:
        plain, rich = "", ""
        others: list[str] = []
        for version in _children(part):
            leaves = list(_leaves(version))
            texts = [leaf for leaf in leaves if not _is_attachment(leaf)]
            kinds = {leaf.get_content_type() for leaf in texts}
            if kinds == {"text/plain"} and not plain:
                plain = "\n\n".join(map(self._text, texts))
            elif "text/html" in kinds and not rich:
                rich = "\n\n".join(self._text(leaf) for leaf in texts)
            elif kinds == {"text/calendar"}:
                others += map(self._text, texts)
            for leaf in leaves:
                if _is_attachment(leaf):
                    self._attach(leaf)
        self._add(chosen(plain, rich))
        self.body += others

    def _message(self, part: Message) -> None:
        for inner in _children(part):
            try:
                letter = letter_of(inner, self._name)
            except UnreadableFile as error:
                self.omissions.append(Omission("message", str(error).split(" is ", 1)[-1].split(";")[0]))
                continue
            name = _filename(part) or letter.header("Subject") or "forwarded message"
            self.attached.append(Attachment(name.replace(INSIDE.strip(), ">"), letter=letter))

    def _attach(self, part: Message) -> None:
        kind = part.get_content_type()
        name = named(_filename(part), kind, len(self.attached) + 1)
        self.attached.append(Attachment(name, _payload(part), media_type=kind))

    def _text(self, part: Message) -> str:
        kind = part.get_content_type()
        if kind in _STATUS and part.is_multipart():
            return "\n".join(str(inner) for inner in _children(part)).strip()
        charset = str(part.get_content_charset() or "") or None
        decoded = decode(_payload(part), self._name, charset)
        self.omissions += decoded.omissions
        if kind == "text/html":
            page = convert(decoded.text, titled=False)
            self.omissions += page.omissions
            return page.text
        if kind == "text/calendar":
            return write_calendar(decoded.text)
        if str(part.get_param("format") or "").lower() == "flowed":
            return flowed(decoded.text, delete_space=str(part.get_param("delsp") or "").lower() == "yes")
        return decoded.text


def _is_attachment(part: Message) -> bool:
    """Return whether a part is a file rather than text that is shown in place."""
    kind = part.get_content_type()
    if kind not in _READABLE:
        return True
    return part.get_content_disposition() == "attachment" or bool(_filename(part))


def _children(part: Message) -> Iterator[Message]:
    payload: Any = part.get_payload()
    if isinstance(payload, list):
        yield from (inner for inner in payload if isinstance(inner, Message))


def _leaves(part: Message) -> Iterator[Message]:
    if not part.is_multipart():
        yield part
        return
    for inner in _children(part):
        yield from _leaves(inner)


def _payload(part: Message) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _filename(part: Message) -> str:
    try:
        return part.get_filename() or ""
    except (ValueError, LookupError, TypeError):
        return ""


def _header(message: Message, name: str) -> str:
    """Return a header's value on one line; several of the same name are joined."""
    try:
        value = ", ".join(map(str, message.get_all(name, [])))
    except (ValueError, LookupError, AttributeError, TypeError):
        # The parser of structured headers fails on some that are malformed.
        value = "\ufffd"
    return " ".join((_raw_header(message, name) if "\ufffd" in value else value).split())


def _raw_header(message: Message, name: str) -> str:
    """Return a header that holds bytes instead of encoded words, or is malformed, as its bytes most likely mean it."""
    found = [str(value) for key, value in message.raw_items() if key.lower() == name.lower()]
    raw = ", ".join(found).encode("utf-8", "surrogateescape")
    text = decode(raw, name).text
    try:
        return str(make_header(decode_header(text)))
    except (ValueError, LookupError):
        return text
