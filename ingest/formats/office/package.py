"""The parts of an Office file: XML by name, the relationships between parts, and what the document states of itself."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

from lxml import etree

from ingest.formats.archive import Archive
from ingest.formats.xml_names import Names
from rag.errors import UnreadableFile

_OOXML = "http://schemas.openxmlformats.org/"
_PREFIXES = {
    "w": f"{_OOXML}wordprocessingml/2006/main",
    "s": f"{_OOXML}spreadsheetml/2006/main",
    "p": f"{_OOXML}presentationml/2006/main",
    "a": f"{_OOXML}drawingml/2006/main",
    "c": f"{_OOXML}drawingml/2006/chart",
    "dgm": f"{_OOXML}drawingml/2006/diagram",
    "wp": f"{_OOXML}drawingml/2006/wordprocessingDrawing",
    "xdr": f"{_OOXML}drawingml/2006/spreadsheetDrawing",
    "pic": f"{_OOXML}drawingml/2006/picture",
    "r": f"{_OOXML}officeDocument/2006/relationships",
    "m": f"{_OOXML}officeDocument/2006/math",
    "mc": f"{_OOXML}markup-compatibility/2006",
    "v": "urn:schemas-microsoft-com:vml",
    "o": "urn:schemas-microsoft-com:office:office",
    "w14": "http://schemas.microsoft.com/office/word/2010/wordml",
    "w15": "http://schemas.microsoft.com/office/word/2012/wordml",
    "wps": "http://schemas.microsoft.com/office/word/2010/wordprocessingShape",
    "cx": "http://schemas.microsoft.com/office/drawing/2014/chartex",
    "tc": "http://schemas.microsoft.com/office/spreadsheetml/2018/threadedcomments",
    "p188": "http://schemas.microsoft.com/office/powerpoint/2018/8/main",
    "dc": "http://purl.org/dc/elements/1.1/",
    "dcterms": "http://purl.org/dc/terms/",
    "cp": f"{_OOXML}package/2006/metadata/core-properties",
}
# "Strict" files use other namespaces for the same elements.
_STRICT = re.compile(rb"http://purl\.oclc\.org/ooxml/(\w+)/(\w+)")
_STRICT_NAMES = {
    b"wordprocessingml/main": b"wordprocessingml/2006/main",
    b"spreadsheetml/main": b"spreadsheetml/2006/main",
    b"presentationml/main": b"presentationml/2006/main",
    b"officeDocument/relationships": b"officeDocument/2006/relationships",
    b"officeDocument/math": b"officeDocument/2006/math",
}
_CORE = ("title", "author", "subject", "keywords", "category", "created", "modified")
_CORE_TAGS = {
    "title": "dc:title",
    "author": "dc:creator",
    "subject": "dc:subject",
    "keywords": "cp:keywords",
    "category": "cp:category",
    "created": "dcterms:created",
    "modified": "dcterms:modified",
}


_NAMES = Names(_PREFIXES)
qn, short = _NAMES.full, _NAMES.short


@dataclass(frozen=True, slots=True)
class Relationship:
    """What a part refers to: another part, or an address outside the file."""

    kind: str  # the last word of its type: "header", "hyperlink", "chart"
    target: str
    external: bool


class Package:
    """An Office file's parts, parsed when they are asked for."""

    def __init__(self, archive: Archive) -> None:
        self.archive = archive
        # Every Office file has it; where it cannot be read, the rest is not to be trusted
        archive.read("[Content_Types].xml")
        self._relations: dict[str, dict[str, Relationship]] = {}
        self._shown: set[str] = set()

    @property
    def main(self) -> str:
        """Return the name of the part that holds the document itself."""
        for relation in self.relations("").values():
            if relation.kind == "officeDocument" and relation.target in self.archive:
                return relation.target
        raise UnreadableFile(
            f"{self.archive.name} is damaged: it names no document inside it; expected a whole Office file."
            " Open it in its own program, save it again and upload that."
        )

    def xml(self, part: str) -> Any:
        """Return a part's root element; None if there is no such part."""
        content = self.archive.xml(part)
        return parse(content) if content else None

    def relations(self, part: str) -> dict[str, Relationship]:
        """Return what a part refers to, by the ids that its XML uses; "" for the file as a whole."""
        if part not in self._relations:
            folder, _, base = part.rpartition("/")
            root = self.xml(posixpath.join(folder, "_rels", f"{base}.rels"))
            self._relations[part] = {} if root is None else dict(_relationships(root, folder))
        return self._relations[part]

    def related(self, part: str, kind: str) -> Iterator[str]:
        """Yield the names of the parts that a part refers to as `kind`."""
        for relation in self.relations(part).values():
            if relation.kind == kind and not relation.external and relation.target in self.archive:
                yield relation.target

    def first_time(self, part: str) -> bool:
        """Return whether a part is there and has not been asked for so before: what many places show is read once."""
        if part in self._shown or part not in self.archive:
            return False
        self._shown.add(part)
        return True

    def properties(self) -> dict[str, str]:
        """Return what the document states of itself: title, author, subject, keywords, category and dates."""
        for relation in self.relations("").values():
            if relation.kind == "core-properties":
                root = self.xml(relation.target)
                if root is not None:
                    return {
                        key: (root.findtext(qn(_CORE_TAGS[key])) or "").removesuffix("Z") for key in _CORE
                    }
        return {}


def parse(content: bytes) -> Any:
    """Parse a part's XML without expanding entities or reading anything else."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True)
    return etree.fromstring(transitional(content), parser)


def transitional(content: bytes) -> bytes:
    """Return XML whose names are those of the usual variant of OOXML, not of the strict one."""
    return _STRICT.sub(_usual_name, content) if b"purl.oclc.org/ooxml" in content else content


def is_on(element: Any) -> bool:
    """Return whether a switch such as <w:vanish/> is there and not set to false."""
    return element is not None and element.get(qn("w:val"), "1") not in ("0", "false", "off")


def attribute(element: Any, path: str, name: str, default: str = "") -> str:
    """Return an attribute of the element at a path of prefixed names, such as "w:pPr/w:pStyle"."""
    found = element.find(_full(path)) if element is not None else None
    return default if found is None else str(found.get(qn(name) if ":" in name else name, default))


@lru_cache(maxsize=1024)
def _full(path: str) -> str:
    return "/".join(map(qn, path.split("/")))


def whole_number(text: str | None, default: int = 0) -> int:
    """Return a number that XML states, `default` where it states none."""
    try:
        return int(float(text)) if text else default
    except (ValueError, OverflowError):
        return default


def _relationships(root: Any, folder: str) -> Iterator[tuple[str, Relationship]]:
    for element in root:
        target = element.get("Target", "")
        external = element.get("TargetMode") == "External"
        if not external:
            target = posixpath.normpath(posixpath.join("/", folder, unquote(target))).lstrip("/")
        yield (
            element.get("Id", ""),
            Relationship(element.get("Type", "").rpartition("/")[2], target, external),
        )


def _usual_name(match: re.Match[bytes]) -> bytes:
    name = b"/".join(match.groups())
    if name in _STRICT_NAMES:
        return _OOXML.encode() + _STRICT_NAMES[name]
    return _OOXML.encode() + match[1] + b"/2006/" + match[2]
