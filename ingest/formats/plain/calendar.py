"""Calendars (ics) and cards of persons (vcf): each event or person as labelled lines."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ingest.formats import markdown
from ingest.formats.encoding.decode import decode
from ingest.formats.file_text import FileLimits, FileText, from_text
from rag.errors import UnreadableFile

_FOLD = re.compile(r"\r?\n[ \t]")
_ESCAPED = re.compile(r"\\([nN,;\\:])")
_DATE = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)(?:T(\d\d)(\d\d)\d\d(Z?))?")
_PARAMETER = re.compile(r';([\w-]+)=("[^"]*"|[^;:]*)')
_LABELS = {
    "DTSTART": "Start", "DTEND": "End", "DUE": "Due", "DURATION": "Duration", "LOCATION": "Location",
    "ORGANIZER": "Organizer", "ATTENDEE": "Attendee", "RRULE": "Repeats", "STATUS": "Status", "URL": "URL",
    "CATEGORIES": "Categories", "CONTACT": "Contact", "COMMENT": "Comment", "DESCRIPTION": "Description",
    "RESOURCES": "Resources", "PRIORITY": "Priority", "ORG": "Organization", "TITLE": "Title", "ROLE": "Role",
    "TEL": "Telephone", "EMAIL": "E-mail", "ADR": "Address", "BDAY": "Birthday", "NOTE": "Note",
    "NICKNAME": "Nickname", "GEO": "Position", "TRANSP": "", "EXDATE": "Except", "RDATE": "Also",
}  # fmt: skip
_PARTS = {"VEVENT": "Event", "VTODO": "Task", "VJOURNAL": "Note", "VCARD": "Person"}


def read(data: bytes, name: str, limits: FileLimits) -> FileText:
    """Write each event, task or person under a heading with its name.

    Raises:
        UnreadableFile: if there is none.
    """
    decoded = decode(data, name)
    text = write_calendar(decoded.text)
    if not text:
        raise UnreadableFile(f"{name} holds no event, task or card; expected lines such as BEGIN:VEVENT.")
    return from_text(text, {}, decoded.omissions)


def write_calendar(source: str) -> str:
    """Write a calendar or cards as light markdown; "" if it holds no event, task or card."""
    return "\n\n".join(_block(kind, fields) for kind, fields in _components(source))


def _components(source: str) -> Iterator[tuple[str, list[tuple[str, str, str]]]]:
    """Yield each component's kind and its (property, parameters, value); alarms and time zones are left out."""
    kind, within = "", 0
    fields: list[tuple[str, str, str]] = []
    for line in _FOLD.sub("", source).splitlines():
        head, _, value = _split(line)
        name, parameters = head.partition(";")[0].upper().rsplit(".", 1)[-1], head
        if name == "BEGIN":
            within += bool(kind)
            if value.upper() in _PARTS and not kind:
                kind, fields = value.upper(), []
        elif name == "END" and within:
            within -= 1
        elif name == "END" and kind:
            yield kind, fields
            kind = ""
        elif kind and not within:
            fields.append((name, parameters, value))


def _split(line: str) -> tuple[str, str, str]:
    """Part a line at the colon that no quotes enclose."""
    quoted = False
    for at, char in enumerate(line):
        if char == '"':
            quoted = not quoted
        elif char == ":" and not quoted:
            return line[:at], ":", line[at + 1 :].strip()
    return line, "", ""


def _block(kind: str, fields: list[tuple[str, str, str]]) -> str:
    values = {name: _unescaped(value) for name, _, value in fields}
    title = values.get("SUMMARY") or values.get("FN") or values.get("N", "").replace(";", " ").strip()
    lines = [f"{_PARTS[kind]}: {title}"] if title else [_PARTS[kind]]
    for name, parameters, value in fields:
        label = _LABELS.get(name, "")
        shown = _shown(name, parameters, _unescaped(value))
        if label and shown:
            lines.append(f"{label}: {shown}")
    return markdown.heading(lines[0], 2) + "\n\n" + "\n".join(lines[1:])


def _shown(name: str, head: str, value: str) -> str:
    parameters = {key.upper(): text.strip('"') for key, text in _PARAMETER.findall(head)}
    if name in ("DTSTART", "DTEND", "DUE", "EXDATE", "RDATE", "BDAY"):
        zone = f" ({parameters['TZID']})" if "TZID" in parameters else ""
        return f"{_DATE.sub(_written_date, value)}{zone}"
    address = re.sub(r"^(?:mailto|tel):", "", value, flags=re.IGNORECASE)
    if name in ("ATTENDEE", "ORGANIZER") and parameters.get("CN"):
        return f"{parameters['CN']} <{address}>"
    if name in ("ADR", "ORG", "N"):
        return ", ".join(filter(None, (part.strip() for part in value.split(";"))))
    return " ".join(address.split("\n")) if name != "DESCRIPTION" else address.strip()


def _written_date(found: re.Match[str]) -> str:
    year, month, day, hour, minute, utc = found.groups()
    time = f" {hour}:{minute}{' UTC' if utc else ''}" if hour else ""
    return f"{year}-{month}-{day}{time}"


def _unescaped(value: str) -> str:
    return _ESCAPED.sub(lambda found: "\n" if found[1] in "nN" else found[1], value)
