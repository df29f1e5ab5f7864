"""The file inside an OLE object: Windows wraps what is embedded in a document, a PDF or a text, in one."""

from __future__ import annotations

import io
import posixpath
import struct

import olefile

MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_NATIVE = "\x01Ole10Native"
# Streams that are the file itself, and the suffix that says what it is.
_WHOLE = {"Package": "", "CONTENTS": ".pdf", "Contents": "", "EmbeddedOdf": ""}
_MOST_NAME = 1_000


def unwrapped(data: bytes) -> tuple[str, bytes] | None:
    """Return the name, "" if none is stated, and the bytes of the file in an OLE object; None if it holds none."""
    try:
        with olefile.OleFileIO(io.BytesIO(data)) as ole:
            for stream, suffix in _WHOLE.items():
                if ole.exists(stream):
                    content = ole.openstream(stream).read()
                    return (f"file{suffix}" if suffix and content.startswith(b"%PDF") else ""), content
            return _native(ole.openstream(_NATIVE).read()) if ole.exists(_NATIVE) else None
    except (OSError, ValueError, IndexError, struct.error):
        return None


def _native(stream: bytes) -> tuple[str, bytes] | None:
    """Take apart what the Packager writes: name, path, temporary path, then the length of the file and its bytes."""
    at = 6
    name, at = _text(stream, at)
    _, at = _text(stream, at)
    at += 4
    (length,) = struct.unpack_from("<I", stream, at)
    at += 4 + length
    (size,) = struct.unpack_from("<I", stream, at)
    content = stream[at + 4 : at + 4 + size]
    return (posixpath.basename(name.replace("\\", "/")), content) if content else None


def _text(stream: bytes, at: int) -> tuple[str, int]:
    end = stream.index(b"\0", at, at + _MOST_NAME)
    return stream[at:end].decode("cp1252", "replace"), end + 1
