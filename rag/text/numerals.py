"""How numbers and months are written in English, and in German, French and Spanish.

English "1,500.50", the others "1.500,50" or "1 500,50": a text is read by its language's way, and "1.500,50", which
is nothing else, everywhere.
"""

from __future__ import annotations

import re

_MONTHS_OF = (
    "January February March April May June July August September October November December",
    "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
)
# Month -> its number. "may" and "march" are verbs, "mai" and "mars" are not.
MONTHS = {name: number for names in _MONTHS_OF for number, name in enumerate(names.split(), 1)}

_COUNTS_OF = (
    "zero one two three four five six seven eight nine ten eleven twelve",
    "null eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf",
    "zéro un deux trois quatre cinq six sept huit neuf dix onze douze",
    "cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce",
)
# The words for 0 to 12 in English, and in the other languages: "once" is eleven only in Spanish.
ENGLISH_COUNTS, OTHER_COUNTS = (
    {word: number for words in languages for number, word in enumerate(words.split())}
    for languages in (_COUNTS_OF[:1], _COUNTS_OF[1:])
)
_SPACES = r"\ \u00a0\u202f"
_SURELY_CONTINENTAL = r"\d{1,3}(?:\.\d{3})+,\d+"
# Patterns in re.VERBOSE for the digits of a number.
ENGLISH_DIGITS = rf"{_SURELY_CONTINENTAL}|\d+(?:,\d{{3}})*(?:\.\d+)?"
OTHER_DIGITS = rf"\d{{1,3}}(?:[.{_SPACES}]\d{{3}})+(?:,\d+)?|\d+(?:,\d+)?|\d+\.\d{{1,2}}"
_GROUPS = re.compile(rf"[.{_SPACES}](?=\d{{3}}(?:\D|$))", re.VERBOSE)


def number_of(digits: str, *, continental: bool) -> float:
    """Return the number that digits write, as ENGLISH_DIGITS or OTHER_DIGITS match them."""
    if continental or re.fullmatch(_SURELY_CONTINENTAL, digits):
        return float(_GROUPS.sub("", digits).replace(",", "."))
    return float(digits.replace(",", ""))
