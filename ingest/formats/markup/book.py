"""Electronic books (epub): the chapters in reading order, each of them a page."""

from __future__ import annotations

import posixpath
from typing import Any
from urllib.parse import unquote

from ingest.formats.archive import Archive
from ingest.formats.encoding.decode import decode
from ingest.formats.file_text import FileLimits, FileText, Omission, bounded, from_pages
from ingest.formats.markup.xml_tree import local_name, parse_xml
from ingest.formats.web.html import convert, declared_charset
from rag.errors import UnreadableFile

_CONTAINER = "META-INF/container.xml"
_RIGHTS = "META-INF/encryption.xml"
_FONTS = ("idpf.org/2008/embedding", "ns.adobe.com/pdf/enc")
_PAGES = ("application/xhtml+xml", "text/html", "application/x-dtbook+xml")
_METADATA = {"title": "title", "creator": "author", "language": "language", "date": "created"}


def read(data: bytes, name: str, limits: FileLimits) -> FileText:
    """Write the chapters of the spine; pictures without a description are named.

    Raises:
        UnreadableFile: if the book is copy-protected, its list of chapters is missing, or it has too many.
    """
    archive = Archive(data, name, limits)
    _check_rights(archive, name)
    package_path = _package_path(archive, name)
    package = _xml(archive, package_path, name)
    items = {item.get("id"): item for item in package.iter() if local_name(item) == "item"}
    spine = [items.get(ref.get("idref")) for ref in package.iter() if local_name(ref) == "itemref"]
    if len(spine) > limits.max_pages:
        raise UnreadableFile(
            f"{name} has {len(spine):,} chapters; expected at most {limits.max_pages:,}. Split it."
        )
    folder = posixpath.dirname(package_path)
    pages: list[str] = []
    omissions: list[Omission] = []
    for number, item in enumerate(spine, 1):
        page, missed = _chapter(archive, folder, item, f"chapter {number}")
        pages.append(page)
        omissions += missed
    return from_pages(list(bounded(pages, name, limits)), _metadata(package), omissions)


def _chapter(archive: Archive, folder: str, item: Any, place: str) -> tuple[str, list[Omission]]:
    target = unquote(item.get("href") or "") if item is not None else ""
    member = posixpath.normpath(posixpath.join(folder, target))
    if item is None or member not in archive:
        return "", [Omission("missing chapter", f"{place}{f' ({target})' if target else ''}")]
    if item.get("media-type") not in _PAGES:
        return "", [Omission("chapter that is no text", f"{place} ({target})")]
    content = archive.read(member)
    decoded = decode(content, member, declared_charset(content))
    page = convert(decoded.text, titled=False)
    missed = [
        Omission(it.kind, f"{place}, {it.place}" if it.place else place, it.count)
        for it in (*decoded.omissions, *page.omissions)
    ]
    return page.text, missed


def _xml(archive: Archive, member: str, name: str) -> Any:
    content = archive.read(member)
    return parse_xml(decode(content, name, declared_charset(content)).text, name)


def _package_path(archive: Archive, name: str) -> str:
    if _CONTAINER in archive:
        for element in _xml(archive, _CONTAINER, name).iter():
            path = element.get("full-path")
            if local_name(element) == "rootfile" and path in archive:
                return str(path)
    found = [member for member in archive.names if member.endswith(".opf")]
    if not found:
        raise UnreadableFile(
            f"{name} has no list of its chapters, as an e-book has; open it in an e-book program."
        )
    return found[0]


def _check_rights(archive: Archive, name: str) -> None:
    if _RIGHTS not in archive:
        return
    for method in _xml(archive, _RIGHTS, name).iter():
        algorithm = method.get("Algorithm") or ""
        if local_name(method) == "EncryptionMethod" and not any(font in algorithm for font in _FONTS):
            raise UnreadableFile(f"{name} is copy-protected; only its bookshop's program can open it.")


def _metadata(package: Any) -> dict[str, object]:
    metadata: dict[str, object] = {}
    for element in package.iter():
        key = _METADATA.get(local_name(element))
        if key and "purl.org/dc" in str(element.tag) and (element.text or "").strip():
            metadata.setdefault(key, element.text)
    return metadata
