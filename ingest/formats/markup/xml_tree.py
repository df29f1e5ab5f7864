"""Parse XML without trusting it: no network, no files, no entities that multiply."""

from __future__ import annotations

import re
from typing import Any

from lxml import etree

from rag.errors import UnreadableFile

_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")


class MalformedXml(UnreadableFile):
    """A file that is not well-formed, and the place where it stops being so."""

    def __init__(self, message: str, place: str) -> None:
        super().__init__(message)
        self.place = place


def parse_xml(source: str, name: str) -> Any:
    """Return the root element of decoded XML; comments and processing instructions are left out.

    Entities that the file declares are replaced within libxml2's bounds, external ones never.

    Raises:
        UnreadableFile: if it is not well-formed, nested more than 256 deep, or its entities multiply; the first as
            `MalformedXml`.
    """
    parser = etree.XMLParser(
        resolve_entities="internal", no_network=True, load_dtd=False, remove_comments=True, remove_pis=True
    )
    try:
        # Without the declaration, whose encoding is no longer so; its newline keeps the lines' numbers.
        return etree.fromstring(_DECLARATION.sub("", source).encode("utf-8", "replace"), parser=parser)
    except etree.XMLSyntaxError as error:
        if "amplification" in str(error) or "entity reference loop" in str(error).lower():
            raise UnreadableFile(
                f"{name} declares XML entities that multiply; write them out and upload it again."
            ) from error
        place = f"line {error.lineno}" if error.lineno else "its start"
        raise MalformedXml(
            f"{name} is not well-formed XML: {error.msg} ({place}); mend it there and upload it again.",
            place,
        ) from error


def local_name(element: Any) -> str:
    """Return an element's name without its namespace."""
    return str(element.tag).rsplit("}", 1)[-1]
