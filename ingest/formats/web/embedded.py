"""The text of things that stand in a page as a whole: code, drawings, lists of choices."""

from __future__ import annotations

import re
from typing import Any

from ingest.formats.web.inline import one_line

_WORD = re.compile(r"\w")
_LANGUAGE = re.compile(r"(?:language|lang|brush:|highlight-source)[-: ]*([\w+#.-]+)")
_TEXTS = frozenset(("title", "desc", "text", "foreignobject"))


def options_of(element: Any) -> list[str]:
    """Return the choices of a list that have words."""
    options = (
        one_line(option.get("label") or option.text_content()).strip() for option in element.iter("option")
    )
    return [option for option in options if _WORD.search(option)]


def drawing_text(element: Any) -> str:
    """Return the title, the description and the labels of an SVG drawing, each once."""
    texts = [
        one_line("".join(part.itertext())).strip()
        for part in element.iter()
        if isinstance(part.tag, str) and part.tag.rsplit(":", 1)[-1] in _TEXTS
    ]
    return " ".join(dict.fromkeys(filter(None, texts)))


def code_of(element: Any) -> tuple[str, str]:
    """Return the language that preformatted text states, "" for none, and the text with its line breaks."""
    for line_break in element.iter("br"):
        line_break.tail = "\n" + (line_break.tail or "")
    code = element.find(".//code")
    stated = f"{element.get('class') or ''} {code.get('class') if code is not None else ''}"
    named = _LANGUAGE.search(stated)
    return named[1] if named else "", element.text_content().strip("\n")
