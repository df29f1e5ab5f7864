"""Plain text and markdown: the file's own text, so that an offset here is one in the file."""

from ingest.formats.encoding import decode
from ingest.formats.loaded import Limits, Loaded


def read(data: bytes, name: str, limits: Limits) -> Loaded:
    """Decode; nothing is changed but a byte-order mark, which is dropped. Newlines stay as they are."""
    return Loaded(decode(data, name))
