"""E-mail: the header lines a reader sees, the body, the names of attachments."""

from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parsedate_to_datetime

from ingest.formats.encoding.decode import decode
from ingest.formats.file_text import FileLimits, FileText, from_text
from ingest.formats.markup.web import convert
from rag.errors import UnreadableFile

_HEADERS = ("From", "To", "Cc", "Date", "Subject")


def read(data: bytes, name: str, limits: FileLimits) -> FileText:
    """Write headers, body (plain text preferred to HTML) and attachments' names, which are not opened.

    Raises:
        UnreadableFile: if there is neither a From nor a Subject line.
    """
    message = message_from_bytes(data, policy=policy.default)
    headers = {header: " ".join(str(message.get(header, "")).split()) for header in _HEADERS}
    if not headers["From"] and not headers["Subject"]:
        raise UnreadableFile(
            f"{name} has no From and no Subject line, as an e-mail has; rename it to end in .txt."
        )
    lines = [f"{header}: {value}" for header, value in headers.items() if value]
    attached = [part.get_filename() or "unnamed" for part in message.iter_attachments()]
    if attached:
        lines.append(f"Attachments: {', '.join(attached)}")
    metadata = {"subject": headers["Subject"], "from": headers["From"], "date": _iso_date(headers["Date"])}
    return from_text("\n".join(lines) + "\n\n" + _body(message, name), metadata)


def _body(message: EmailMessage, name: str) -> str:
    part = message.get_body(preferencelist=("plain", "html"))
    if part is None:
        return ""
    payload = part.get_payload(decode=True)
    content = payload if isinstance(payload, bytes) else b""
    text = decode(content, name, part.get_content_charset()).text
    return convert(text, titled=False).text if part.get_content_type() == "text/html" else text.strip("\r\n")


def _iso_date(stated: str) -> str:
    """Write an e-mail date in ISO 8601; one that does not parse stays as stated."""
    try:
        return parsedate_to_datetime(stated).isoformat()
    except ValueError:
        return stated
