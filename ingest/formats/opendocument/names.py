"""The names of OpenDocument's elements, and how they are parsed."""

from __future__ import annotations

from typing import Any

from lxml import etree

from ingest.formats.xml_names import Names

_OASIS = "urn:oasis:names:tc:opendocument:xmlns:"
_KINDS = ("office", "text", "table", "style", "meta", "presentation", "chart", "form")
_NAMES = Names(
    {
        **{kind: f"{_OASIS}{kind}:1.0" for kind in _KINDS},
        "draw": f"{_OASIS}drawing:1.0",
        "svg": f"{_OASIS}svg-compatible:1.0",
        "number": f"{_OASIS}datastyle:1.0",
        "xlink": "http://www.w3.org/1999/xlink",
        "dc": "http://purl.org/dc/elements/1.1/",
        "math": "http://www.w3.org/1998/Math/MathML",
        "loext": "urn:org:documentfoundation:names:experimental:office:xmlns:loext:1.0",
        "xml": "http://www.w3.org/XML/1998/namespace",
    }
)
qn, short = _NAMES.full, _NAMES.short


def parse(content: bytes) -> Any:
    """Parse a member's XML without expanding entities or reading anything else."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True)
    return etree.fromstring(content, parser)


def stated(element: Any, name: str, default: str = "") -> str:
    """Return an attribute by its prefixed name, such as "text:style-name"."""
    return default if element is None else str(element.get(qn(name), default))


def count(element: Any, name: str) -> int:
    """Return an attribute that counts, at least 1."""
    text = stated(element, name, "1")
    return max(1, int(text)) if text.isdecimal() else 1
