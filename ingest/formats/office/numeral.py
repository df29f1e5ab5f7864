"""Write a list's number as its format demands: 3, 03, c, III, third."""

_ROMAN = (
    *((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl")),
    *((10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i")),
)
_MOST_ROMAN = 3999
_MOST_REPEATED = 30
_LETTERS = 26
_UNIT_NAMES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
    " seventeen eighteen nineteen"
)
_TEN_NAMES = "twenty thirty forty fifty sixty seventy eighty ninety"
_UNITS, _TENS = _UNIT_NAMES.split(), _TEN_NAMES.split()
_ORDINALS = {"one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth"}
_ORDINALS |= {"nine": "ninth", "twelve": "twelfth"}
_CIRCLED = range(1, 21)


def numeral(number: int, style: str) -> str:
    """Write a number in one of OOXML's number formats (ST_NumberFormat); an unknown one as 1, 2, 3.

    Raises nothing: numbers that a format cannot write, such as 0 in Roman, are written in digits.
    """
    match style:
        case "none" | "bullet":
            return ""
        case "lowerLetter":
            return letters(number)
        case "upperLetter":
            return letters(number).upper()
        case "lowerRoman":
            return roman(number)
        case "upperRoman":
            return roman(number).upper()
        case "decimalZero":
            return f"{number:02d}"
        case "ordinal":
            return f"{number}{_suffix(number)}"
        case "cardinalText":
            return _words(number).capitalize()
        case "ordinalText":
            return _ordinal_words(number).capitalize()
        case "decimalEnclosedCircle" | "decimalEnclosedCircleChinese" if number in _CIRCLED:
            return chr(0x245F + number)
    return str(number)


def letters(number: int) -> str:
    """Write a, b, …, z, aa, bb, …, as Word does."""
    if not 0 < number <= _LETTERS * _MOST_REPEATED:
        return str(number)
    return chr(ord("a") + (number - 1) % _LETTERS) * ((number - 1) // _LETTERS + 1)


def roman(number: int) -> str:
    """Write i, ii, iii, iv, …"""
    if not 0 < number <= _MOST_ROMAN:
        return str(number)
    written = ""
    for value, sign in _ROMAN:
        count, number = divmod(number, value)
        written += sign * count
    return written


def _suffix(number: int) -> str:
    if number % 100 in (11, 12, 13):
        return "th"
    return {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")


def _words(number: int) -> str:
    if 0 <= number < len(_UNITS):
        return _UNITS[number]
    if len(_UNITS) <= number < 100:
        tens, units = divmod(number, 10)
        return _TENS[tens - 2] + (f"-{_UNITS[units]}" if units else "")
    return str(number)


def _ordinal_words(number: int) -> str:
    words = _words(number)
    if words[-1].isdigit():
        return f"{number}{_suffix(number)}"
    head, dash, last = words.rpartition("-")
    last = _ORDINALS.get(last) or (f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th")
    return head + dash + last
