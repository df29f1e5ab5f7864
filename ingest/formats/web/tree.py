"""Parse HTML into a tree of elements."""

from __future__ import annotations

import re
from typing import Any

from lxml import etree, html

_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")
_CONTROL = re.compile("[\x00-\x08\x0b\x0e-\x1f]")


def parse(source: str) -> Any:
    """Parse HTML as browsers do, without comments; an empty page has no elements."""
    source = _CONTROL.sub("", _DECLARATION.sub("", source))
    parser = html.HTMLParser(huge_tree=True, remove_comments=True, remove_pis=True)
    try:
        return html.document_fromstring(source, parser=parser)
    except etree.ParserError:
        return etree.Element("html")
