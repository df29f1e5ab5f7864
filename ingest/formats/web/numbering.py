"""The numbers of a list as a browser writes them."""

from __future__ import annotations

from typing import Any

_ROMAN = ((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"))
_SMALL_ROMAN = ((10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"))


class Numbering:
    """Counts the items of one list; `start`, `reversed`, `type` and an item's own `value` are kept."""

    def __init__(self, element: Any) -> None:
        self._ordered = element.tag == "ol"
        self._type = _type_of(element)
        backwards = element.get("reversed") is not None
        self._step = -1 if backwards else 1
        items = sum(child.tag == "li" for child in element) if backwards else 1
        self._next = _whole(element.get("start"), items)

    def marker(self, item: Any) -> str:
        """Return what stands before the next item, such as "- ", "3. " or "iv. "."""
        if not self._ordered:
            return "- "
        number = _whole(item.get("value"), self._next)
        self._next = number + self._step
        return f"{_written(number, self._type)}. "


def _type_of(element: Any) -> str:
    style = (element.get("style") or "").replace(" ", "").lower()
    for name, kind in (
        ("lower-alpha", "a"),
        ("lower-latin", "a"),
        ("upper-alpha", "A"),
        ("upper-latin", "A"),
    ):
        if f"list-style-type:{name}" in style or f"list-style:{name}" in style:
            return kind
    for name, kind in (("lower-roman", "i"), ("upper-roman", "I")):
        if f"list-style-type:{name}" in style or f"list-style:{name}" in style:
            return kind
    return element.get("type") or "1"


def _whole(stated: str | None, otherwise: int) -> int:
    plain = (stated or "").strip()
    digits = plain.removeprefix("-")
    return int(plain) if digits.isascii() and digits.isdigit() and len(digits) < 10 else otherwise


def _written(number: int, kind: str) -> str:
    if kind in ("a", "A") and number > 0:
        letters = ""
        while number:
            number, letter = divmod(number - 1, 26)
            letters = chr(ord("a") + letter) + letters
        return letters.upper() if kind == "A" else letters
    if kind in ("i", "I") and 0 < number < 4000:
        roman = ""
        for value, sign in _ROMAN + _SMALL_ROMAN:
            count, number = divmod(number, value)
            roman += sign * count
        return roman.upper() if kind == "I" else roman
    return str(number)
