"""Signs of the fonts Symbol and Wingdings as Unicode; documents store them as numbers of the font."""

_PRIVATE = 0xF000
_SYMBOL = dict(
    zip(
        range(0x41, 0x5B),
        "ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ",
        strict=True,
    )
)
_SYMBOL |= dict(zip(range(0x61, 0x7B), "αβχδεφγηιϕκλμνοπθρστυϖωξψζ", strict=True))
_SYMBOL |= dict(zip(range(0xA1, 0xB0), "ϒ′≤⁄∞ƒ♣♦♥♠↔←↑→↓", strict=True))
_SYMBOL |= dict(zip(range(0xB0, 0xC0), "°±″≥×∝∂•÷≠≡≈…⏐⎯↵", strict=True))
_SYMBOL |= dict(zip(range(0xC0, 0xD0), "ℵℑℜ℘⊗⊕∅∩∪⊃⊇⊄⊂⊆∈∉", strict=True))
_SYMBOL |= dict(zip(range(0xD0, 0xE0), "∠∇®©™∏√⋅¬∧∨⇔⇐⇑⇒⇓", strict=True))
_SYMBOL |= {0x22: "∀", 0x24: "∃", 0x27: "∋", 0x2A: "∗", 0x2D: "−", 0x40: "≅", 0x5C: "∴", 0x5E: "⊥", 0x7E: "∼"}
_SYMBOL |= {0xE5: "∑", 0xF2: "∫", 0xE1: "〈", 0xF1: "〉"}
_WINGDINGS = {
    **{
        0x22: "✂",
        0x28: "☎",
        0x2A: "✉",
        0x46: "☞",
        0x4A: "☺",
        0x4C: "☹",
        0x6C: "●",
        0x6E: "■",
        0x6F: "☐",
        0x71: "❑",
    },
    **{
        0x76: "❖",
        0xA7: "▪",
        0xA8: "☐",
        0x9F: "•",
        0xD8: "➢",
        0xE0: "→",
        0xDF: "←",
        0xE1: "↑",
        0xE2: "↓",
        0xE8: "➔",
    },
    **{0xF0: "⇨", 0xFB: "✗", 0xFC: "✓", 0xFD: "☒", 0xFE: "☑"},
    **dict(zip(range(0x81, 0x8B), "①②③④⑤⑥⑦⑧⑨⑩", strict=True)),
}
_WINGDINGS_2 = {0x50: "✓", 0x4F: "✗", 0x51: "☒", 0x52: "☑", 0xA3: "☐", 0x53: "☒", 0x54: "☒"}
_FONTS = {"symbol": _SYMBOL, "wingdings": _WINGDINGS, "wingdings 2": _WINGDINGS_2}


def symbol(font: str, number: int) -> str:
    """Return a sign of a font, U+FFFD for one that has no known meaning.

    `symbol("Wingdings", 0xF0FC) == "✓"`; in other fonts the number is Unicode's.
    """
    place = number - _PRIVATE if number >= _PRIVATE else number
    signs = _FONTS.get(font.lower())
    if signs is None:
        return chr(number) if not _PRIVATE <= number <= _PRIVATE + 0xFF else "\ufffd"
    return signs.get(place) or (chr(place) if signs is _SYMBOL and 0x20 <= place < 0x7F else "\ufffd")


def readable(text: str, font: str) -> str:
    """Return text in which a symbol font's private characters are replaced."""
    if font.lower() not in _FONTS:
        return text
    return "".join(
        symbol(font, ord(sign)) if _PRIVATE <= ord(sign) <= _PRIVATE + 0xFF else sign for sign in text
    )
