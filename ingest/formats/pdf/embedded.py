"""What a PDF carries beside its pages: files, and the titles of its outline."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Any

from pypdfium2 import raw

from ingest.formats.file_text import FileLimits, FileText, Omission
from ingest.formats.inside import INSIDE, load_inside
from rag.errors import UnreadableFile

_MOST_FILES = 100
_MOST_TITLES = 5_000
_NAME_BYTES = 4_096


def embedded_files(document: Any, name: str, limits: FileLimits) -> Iterator[tuple[str, FileText] | Omission]:
    """Yield each embedded file's path, such as "a.pdf › b.txt", and text; or what was not taken."""
    count = max(0, raw.FPDFDoc_GetAttachmentCount(document.raw))
    for index in range(min(count, _MOST_FILES)):
        attachment = raw.FPDFDoc_GetAttachment(document.raw, index)
        path = name + INSIDE + (_name(attachment) or f"attachment {index + 1}")
        data = _data(attachment, limits.max_file_bytes)
        if not data:
            yield Omission("attachment", path)
            continue
        try:
            yield path, load_inside(data, path, limits)
        except UnreadableFile:
            yield Omission("attachment", path)
    if count > _MOST_FILES:
        yield Omission("attachment", name, count - _MOST_FILES)


def outline_titles(document: Any) -> list[str]:
    """Return the titles of a document's outline, in order."""
    titles: list[str] = []
    for bookmark in document.get_toc(max_depth=12):
        title = " ".join(bookmark.get_title().split())
        if title:
            titles.append(title)
        if len(titles) >= _MOST_TITLES:
            break
    return titles


def _name(attachment: Any) -> str:
    buffer = (ctypes.c_ushort * (_NAME_BYTES // 2))()
    size = raw.FPDFAttachment_GetName(attachment, buffer, _NAME_BYTES)
    if not 2 < size <= _NAME_BYTES:
        return ""
    text = bytes(buffer)[: size - 2].decode("utf-16-le", "replace").replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(character for character in text if character.isprintable()).strip()


def _data(attachment: Any, most_bytes: int) -> bytes:
    size = ctypes.c_ulong()
    if not raw.FPDFAttachment_GetFile(attachment, None, 0, size) or not 0 < size.value <= most_bytes:
        return b""
    buffer = ctypes.create_string_buffer(size.value)
    if not raw.FPDFAttachment_GetFile(attachment, buffer, size.value, size):
        return b""
    return buffer.raw[: size.value]
