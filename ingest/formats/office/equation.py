"""Write a formula of Office (OMML) as one readable line: (a + b)/2, x^2, √(y), Σ_(i=1)^n."""

from __future__ import annotations

from typing import Any

from ingest.formats.office.package import attribute, qn, short

_SIMPLE = 1


def linear(element: Any) -> str:
    """Return a formula's text; a fraction, root, power or index keeps its meaning on one line."""
    return " ".join("".join(map(_term, element)).split())


def _term(element: Any) -> str:
    match short(element.tag):
        case "m:r":
            return "".join(part.text or "" for part in element if short(part.tag) in ("m:t", "w:t"))
        case "m:f" if attribute(element, "m:fPr/m:type", "m:val") == "noBar":
            return f"{_part(element, 'm:num')} choose {_part(element, 'm:den')}"
        case "m:f":
            return f"{_part(element, 'm:num', wrap=True)}/{_part(element, 'm:den', wrap=True)}"
        case "m:rad":
            degree = _part(element, "m:deg")
            return f"{degree and f'[{degree}]'}√({_part(element, 'm:e')})"
        case "m:sSup":
            return _part(element, "m:e", wrap=True) + _raised(element)
        case "m:sSub":
            return _part(element, "m:e", wrap=True) + _lowered(element)
        case "m:sSubSup":
            return _part(element, "m:e", wrap=True) + _lowered(element) + _raised(element)
        case "m:nary":
            sign = attribute(element, "m:naryPr/m:chr", "m:val", "∫")
            return f"{sign}{_lowered(element)}{_raised(element)} {_part(element, 'm:e')}"
        case "m:d":
            return _delimited(element)
        case "m:m":
            rows = (", ".join(linear(cell) for cell in row) for row in element.findall(qn("m:mr")))
            return f"[{'; '.join(rows)}]"
        case "m:func":
            return f" {_part(element, 'm:fName')} {_part(element, 'm:e')}"
        case "m:eqArr":
            return "; ".join(map(linear, element.findall(qn("m:e"))))
        case "m:limLow":
            return f"{_part(element, 'm:e')}_({_part(element, 'm:lim')})"
    return linear(element) if len(element) else ""


def _delimited(element: Any) -> str:
    opening = attribute(element, "m:dPr/m:begChr", "m:val", "(")
    closing = attribute(element, "m:dPr/m:endChr", "m:val", ")")
    between = attribute(element, "m:dPr/m:sepChr", "m:val", "|")
    return opening + between.join(map(linear, element.findall(qn("m:e")))) + closing


def _raised(element: Any) -> str:
    text = _part(element, "m:sup", wrap=True)
    return f"^{text}" if text else ""


def _lowered(element: Any) -> str:
    text = _part(element, "m:sub", wrap=True)
    return f"_{text}" if text else ""


def _part(element: Any, name: str, *, wrap: bool = False) -> str:
    """Return a named part's text, in parentheses if it is longer than one symbol, word or number."""
    found = element.find(qn(name))
    text = linear(found) if found is not None else ""
    simple = len(text) <= _SIMPLE or _is_word(text) or (text[0] == "(" and text[-1] == ")")
    return f"({text})" if wrap and not simple else text


def _is_word(text: str) -> bool:
    """Return whether a text is one number or one name."""
    return text.replace(".", "").isdigit() or text.isalpha()
