"""Read a file that lies inside another: attached to a message, embedded in a document."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from typing import cast

from ingest.formats.file_text import FileLimits, FileText
from rag.errors import UnreadableFile

# Between a file and the one inside it: "mail.eml › minutes.docx".
INSIDE = " › "
MOST_DEPTH = 4


def load_inside(data: bytes, path: str, limits: FileLimits) -> FileText:
    """Read a file by its own reader.

    Args:
        path: the names of the files around it and its own, joined by `INSIDE`.

    Raises:
        UnreadableFile: as `ingest.load.load` does, and if more than four files lie around it.
    """
    if path.count(INSIDE) > MOST_DEPTH:
        raise UnreadableFile(f"{path} lies within more than {MOST_DEPTH} other files.")
    # What is packed within what is packed must not multiply.
    inner = replace(limits, max_unpacked_bytes=limits.max_unpacked_bytes // 4)
    # By name, as it imports the readers, which know one another only through it.
    load = import_module("ingest.load").load
    return cast(FileText, load(data, path, limits=inner))
