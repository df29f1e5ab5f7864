"""Plain text and markdown."""

from ingest.formats.encoding.decode import decode
from ingest.formats.file_text import FileLimits, FileText


def read(data: bytes, name: str, limits: FileLimits) -> FileText:
    """Decode the file: its text is the file's own, newlines included, so that an offset here is one in the file."""
    decoded = decode(data, name)
    return FileText(decoded.text, omissions=decoded.omissions)
