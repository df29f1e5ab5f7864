"""Small things inside a line of a web page: raised and lowered text, readings, formulas, targets of links."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

_SPACE = re.compile(r"\s+")
_UNSEEN = re.compile("[\u00ad\u200b\ufeff]")
_RAISED = str.maketrans("0123456789+-−=()n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ⁿ")
_LOWERED = str.maketrans("0123456789+-−=()", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎")
_RAISABLE = re.compile(r"[0-9+\-−=()]*[0-9n][0-9+\-−=()]*")
_LOWERABLE = re.compile(r"[0-9+\-−=()]*[0-9][0-9+\-−=()]*")
# Raised in print only: "1st", "No", trademarks; a marker of a note.
_ORDINARY = re.compile(r"st|nd|rd|th|er|e|re|ème|o|os|a|as|tm|sm|[*†‡§®™©]+|", re.IGNORECASE)
# Texts that say nothing of where the link leads.
_BARE = re.compile(
    r"(?:click |tap )?(?:here|hier|ici|aquí|qui)|this (?:page|link|site|form|document)|link|download|herunterladen"
    r"|(?:read |learn |find out )?more|mehr(?: erfahren)?|website|details",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"(?:mailto|tel|sms):", re.IGNORECASE)
_NOT_DIGITS = re.compile(r"\D")
_OPERATORS = frozenset("+-−=<>≤≥≠≈±×·÷→⇒∈∑∏∫")


def one_line(text: str) -> str:
    """Make any white space one blank, as a browser shows it; drop marks of where a word may be broken."""
    return _SPACE.sub(" ", _UNSEEN.sub("", text))


def raised(text: str, *, is_note: bool = False) -> str:
    """Write superscript in a line: "m²", "x^(i+1)", "1st", and the mark of a note as "[3]"."""
    stripped = text.strip()
    if is_note and stripped and not stripped.startswith(("[", "(")):
        return f"[{stripped}]"
    if stripped.startswith("[") or _ORDINARY.fullmatch(stripped):
        return text
    if _RAISABLE.fullmatch(stripped):
        return stripped.translate(_RAISED)
    return f"^{stripped}" if stripped.isalnum() else f"^({stripped})"


def lowered(text: str) -> str:
    """Write subscript in a line: "CO₂", "v_max"."""
    stripped = text.strip()
    if _LOWERABLE.fullmatch(stripped):
        return stripped.translate(_LOWERED)
    if not stripped:
        return text
    return f"_{stripped}" if stripped.isalnum() else f"_({stripped})"


def linked(text: str, target: str, *, alone: bool) -> str:
    """Add the target to a link's text where it tells something that the text does not.

    These are addresses of mail and telephone, and the targets of links whose text is only "here", or that stand
    `alone` on a line. The target of a link within a sentence would break it.
    """
    shown, target = text.strip(), target.strip()
    if not shown or not target:
        return text
    if _ADDRESS.match(target):
        address = unquote(target.split(":", 1)[1].split("?")[0])
        digits = _NOT_DIGITS.sub("", address)
        known = address.lower() in shown.lower() or (
            len(digits) > 3 and digits[-6:] in _NOT_DIGITS.sub("", shown)
        )
        return text if known or not address else f"{text.rstrip()} ({address})"
    if not target.lower().startswith(("http://", "https://")):
        return text
    plain = target.split("://", 1)[1].rstrip("/")
    if plain.lower() in shown.lower() or not (alone or _BARE.fullmatch(shown.strip(" .…>»→"))):
        return text
    return f"{text.rstrip()} ({target})"


def is_struck(element: Any) -> bool:
    """Return whether the text of an element within a line is struck out."""
    return element.tag in ("s", "del", "strike") or "line-through" in (element.get("style") or "")


def ruby(element: Any) -> str:
    """Write a word with its reading after it: "東京(とうきょう)"."""
    base, reading = [element.text or ""], []
    for part in element.iter():
        if part is element or not isinstance(part.tag, str):
            continue
        if part.tag in ("rt", "rtc"):
            reading.append("".join(part.itertext()))
        elif part.tag not in ("rp",) and part.getparent().tag not in ("rt", "rtc"):
            base.append(part.text or "")
        if part.tag != "rp" or (part.tail or "").strip("()（）《》 "):
            base.append(part.tail or "")
    word, read = one_line("".join(base)).strip(), one_line("".join(reading)).strip()
    return f"{word}({read})" if read else word


def formula(element: Any) -> str:
    """Write MathML as a line: its TeX source if the page brings it, else "(a+b)/c", "x^2", "√(x)"."""
    for note in element.iter("annotation"):
        if "tex" in (note.get("encoding") or "").lower() and note.text:
            return one_line(note.text).strip()
    return one_line(_linear(element)).strip()


def _linear(element: Any) -> str:
    tag = element.tag.rsplit("}", 1)[-1].rsplit(":", 1)[-1]
    if tag.startswith("annotation"):
        return ""
    parts = [_linear(child) for child in element if isinstance(child.tag, str)]
    if not parts:
        text = (element.text or "").strip()
        return f" {text} " if tag == "mo" and text in _OPERATORS else text
    if tag == "mfrac" and len(parts) == 2:
        return f"{_grouped(parts[0])}/{_grouped(parts[1])}"
    if tag in ("msup", "mover") and len(parts) == 2:
        return f"{_grouped(parts[0])}^{_grouped(parts[1])}"
    if tag in ("msub", "munder") and len(parts) == 2:
        return f"{_grouped(parts[0])}_{_grouped(parts[1])}"
    if tag in ("msubsup", "munderover") and len(parts) == 3:
        return f"{_grouped(parts[0])}_{_grouped(parts[1])}^{_grouped(parts[2])}"
    if tag == "msqrt":
        return f"√({''.join(parts)})"
    if tag == "mroot" and len(parts) == 2:
        return f"{_grouped(parts[1])}√({parts[0]})"
    return ("; " if tag == "mtable" else " " if tag == "mtr" else "").join(parts)


def _grouped(text: str) -> str:
    return text.strip() if text.strip().isalnum() or len(text.strip()) == 1 else f"({text.strip()})"
