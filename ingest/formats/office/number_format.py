"""Write a cell's number as a spreadsheet shows it: 00090, 30:15, 17.5%, 1,234.50 EUR, 02/07/2031, 1 3/4.

A format has up to four sections, for positive and negative numbers, zero and text (ECMA-376 part 1, 18.8.31). Names of
months and days are English, digits are grouped by commas; the system's short date (format 14) is written as ISO 8601.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from fractions import Fraction
from functools import lru_cache

from ingest.formats.office import calendar_format

GENERAL = "General"
BUILT_IN = {
    **{0: GENERAL, 1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%", 11: "0.00E+00"},
    **{5: "$#,##0;($#,##0)", 6: "$#,##0;($#,##0)", 7: "$#,##0.00;($#,##0.00)", 8: "$#,##0.00;($#,##0.00)"},
    **{12: "# ?/?", 13: "# ??/??", 14: "yyyy-mm-dd", 15: "d-mmm-yy", 16: "d-mmm", 17: "mmm-yy"},
    **{18: "h:mm AM/PM", 19: "h:mm:ss AM/PM", 20: "h:mm", 21: "h:mm:ss", 22: "yyyy-mm-dd h:mm"},
    **dict.fromkeys((*range(27, 32), 36, *range(50, 59)), "yyyy-mm-dd"),
    **dict.fromkeys((32, 33, 34, 35), "h:mm:ss"),
    **{37: "#,##0;(#,##0)", 38: "#,##0;(#,##0)", 39: "#,##0.00;(#,##0.00)", 40: "#,##0.00;(#,##0.00)"},
    **{41: "#,##0;(#,##0);-", 42: "$#,##0;($#,##0);-", 43: "#,##0.00;(#,##0.00);-"},
    **{44: "$#,##0.00;($#,##0.00);-", 45: "mm:ss", 46: "[h]:mm:ss", 47: "mm:ss.0", 48: "##0.0E+0", 49: "@"},
}
_TOKEN = re.compile(
    r"""(?P<literal>"[^"]*" | \\. | [_*].)          # text; `_x` leaves a gap as wide as x, `*x` fills with x
      | \[(?P<bracket>[^\]]*)\]                      # colour, condition, currency and locale, elapsed time
      | (?P<general>General)
      | (?P<exponent>E[+-])
      | (?P<half>AM/PM|A/P)
      | (?P<date>y+|m+|d+|h+|s+|e+|b+|g+)
      | (?P<digit>[0\#?])
      | (?P<other>.)""",
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
_CONDITION = re.compile(r"(<=|>=|<>|<|>|=)\s*(-?[\d.]+)")
_ELAPSED = re.compile(r"h+|m+|s+", re.IGNORECASE)
_FRACTION = re.compile(r"[1-9]\d*|[0#?]+")
_SECONDS_FRACTION = re.compile(r"0+")
_WHOLE_DIGITS, _DIGITS = 1e15, 10
_MOST_DECIMALS = 30
_MOST_EXPONENT = 300
_NEGATIVE, _ZERO, _TEXT = 1, 2, 3

Token = tuple[str, str]


@dataclass(frozen=True, slots=True)
class FormatSection:
    """One of a format's sections: its tokens, and which numbers it is for."""

    tokens: tuple[Token, ...]
    condition: tuple[str, float] | None = None

    @property
    def kinds(self) -> frozenset[str]:
        return frozenset(kind for kind, _ in self.tokens)

    def takes(self, value: float) -> bool:
        """Return whether the section's condition holds; True without one."""
        if self.condition is None:
            return True
        sign, bound = self.condition
        return {
            "<": value < bound,
            ">": value > bound,
            "=": value == bound,
            "<=": value <= bound,
            ">=": value >= bound,
            "<>": value != bound,
        }[sign]


def displayed(value: float, code: str = GENERAL, *, from_1904: bool = False) -> str:
    """Write a number in a number format; dates count from 1904 in old workbooks of the Macintosh.

    `displayed(90, "00000") == "00090"`, `displayed(1.26041667, "[h]:mm") == "30:15"`.
    """
    if code in (GENERAL, "", "@"):
        return general(value)
    section, unsigned = _section_for(value, sections(code))
    if section is None or not section.tokens:
        return ""
    if section.kinds & {"date", "elapsed"}:
        written = calendar_format.written(value, section.tokens, from_1904=from_1904)
        return general(value) if written is None else " ".join(written.split())
    number = abs(value) if unsigned else value
    try:
        return " ".join(_number(Decimal(repr(float(number))), section.tokens).split())
    except (InvalidOperation, OverflowError):
        return general(value)


def displayed_text(text: str, code: str) -> str:
    """Write a text in a format, whose last section may add to it: `displayed_text("7", '"No. "@') == "No. 7"`."""
    if "@" not in code or code == "@":
        return text
    for section in reversed(sections(code)):
        if any(token == ("other", "@") for token in section.tokens):
            parts = (text if token == ("other", "@") else token[1] for token in section.tokens)
            return "".join(parts).strip()
    return text


def general(value: float) -> str:
    """Write a number as an unformatted cell shows it: 12 for 12.0, ten digits of 1/3."""
    if value == int(value) and abs(value) < _WHOLE_DIGITS:
        return str(int(value))
    return f"{value:.{_DIGITS}g}" if abs(value) < 10**_DIGITS else f"{value:.15g}"


@lru_cache(maxsize=2000)
def sections(code: str) -> tuple[FormatSection, ...]:
    """Cut a format into its sections."""
    found: list[FormatSection] = []
    tokens: list[Token] = []
    condition: tuple[str, float] | None = None
    for kind, text in _tokens(code):
        if kind == "end":
            found.append(FormatSection(tuple(tokens), condition))
            tokens, condition = [], None
        elif kind == "condition":
            match = _CONDITION.fullmatch(text)
            condition = (match[1], float(match[2])) if match else None
        else:
            tokens.append((kind, text))
    return (*found, FormatSection(tuple(tokens), condition))


def _tokens(code: str) -> Iterator[Token]:
    for match in _TOKEN.finditer(code):
        kind, text = str(match.lastgroup), match[0]
        if kind == "literal":
            yield (
                "literal",
                {"_": " ", "*": ""}.get(text[0], text[1:].rstrip('"') if text[0] == '"' else text[1:]),
            )
        elif kind == "bracket":
            yield from _bracket(match["bracket"])
        elif kind == "other" and text == ";":
            yield "end", text
        else:
            yield kind, text


def _bracket(text: str) -> Iterator[Token]:
    if text.startswith("$"):
        yield "literal", text[1:].split("-")[0]
    elif _ELAPSED.fullmatch(text):
        yield "elapsed", text.lower()
    elif _CONDITION.fullmatch(text.strip()):
        yield "condition", text.strip()


def _section_for(value: float, parts: tuple[FormatSection, ...]) -> tuple[FormatSection | None, bool]:
    """Return the section for a number, and whether its sign is the section's to show."""
    numeric = [part for part in parts[:_TEXT] if ("other", "@") not in part.tokens] or [parts[0]]
    if any(part.condition for part in numeric):
        for index, part in enumerate(numeric):
            if part.takes(value):
                return part, index > 0 and value < 0 and part.condition is not None
        return numeric[-1], False
    if value < 0 and len(numeric) > _NEGATIVE:
        return numeric[_NEGATIVE], True
    if value == 0 and len(numeric) > _ZERO:
        return numeric[_ZERO], False
    return numeric[0], False


def _number(value: Decimal, tokens: tuple[Token, ...]) -> str:
    if any(kind == "general" for kind, _ in tokens):
        return "".join(general(float(value)) if kind == "general" else text for kind, text in tokens)
    value *= 100 ** sum(token == ("other", "%") for token in tokens)
    if any(kind == "exponent" for kind, _ in tokens):
        return _scientific(value, tokens)
    if ("other", "/") in tokens:
        return _fraction(value, tokens)
    return _decimal(value, tokens)


def _decimal(value: Decimal, tokens: tuple[Token, ...]) -> str:
    """Place a number's digits on the placeholders of a section."""
    point = tokens.index(("other", ".")) if ("other", ".") in tokens else len(tokens)
    whole_at = [at for at, (kind, _) in enumerate(tokens) if kind == "digit" and at < point]
    part_at = [at for at, (kind, _) in enumerate(tokens) if kind == "digit" and at > point][:_MOST_DECIMALS]
    last = max(whole_at, default=-1)
    commas = [at for at, token in enumerate(tokens) if token == ("other", ",")]
    grouped = any(min(whole_at, default=0) < at < last for at in commas)
    # Each comma after the digits divides by a thousand
    value = value.scaleb(-3 * sum(at > last >= 0 for at in commas))
    rounded = abs(value).quantize(Decimal(1).scaleb(-len(part_at)), rounding=ROUND_HALF_UP)
    digits = f"{rounded:f}"
    whole, _, part = digits.partition(".")
    placed = _whole_digits(whole.lstrip("0"), [tokens[at][1] for at in whole_at], grouped=grouped)
    shown = dict(zip(whole_at, placed, strict=True))
    kept = _kept_decimals(part, [tokens[at][1] for at in part_at])
    shown.update({at: kept[index : index + 1] for index, at in enumerate(part_at)})
    written = "".join(
        shown.get(at, "") if kind == "digit" else "" if at in commas else text
        for at, (kind, text) in enumerate(tokens)
    )
    return f"-{written.lstrip()}" if value < 0 and rounded else written


def _whole_digits(digits: str, places: list[str], *, grouped: bool) -> list[str]:
    """Return what stands on each placeholder: one digit from the right, the first takes all that are left."""
    if not places:
        return []
    minimum = len(places) - places.index("0") if "0" in places else 0
    digits = digits.rjust(minimum, "0")
    texts = [
        digit + ("," if grouped and (right := len(digits) - 1 - at) > 0 and right % 3 == 0 else "")
        for at, digit in enumerate(digits)
    ]
    tail = texts[max(0, len(texts) - len(places) + 1) :] if len(places) > 1 else []
    head = "".join(texts[: len(texts) - len(tail)])
    return ["", *[""] * (len(places) - 1 - len(tail)), *tail] if not head else [head, *tail]


def _kept_decimals(digits: str, places: list[str]) -> str:
    """Drop the zeros at the end that stand on `#` or `?`."""
    length = len(places)
    while length and places[length - 1] != "0" and digits[length - 1] == "0":
        length -= 1
    return digits[:length]


def _scientific(value: Decimal, tokens: tuple[Token, ...]) -> str:
    at = next(index for index, (kind, _) in enumerate(tokens) if kind == "exponent")
    before = tokens[:at]
    point = before.index(("other", ".")) if ("other", ".") in before else len(before)
    step = max(1, sum(kind == "digit" for kind, _ in before[:point]))
    exponent = (value.adjusted() // step * step) if value else 0
    mantissa = _decimal(value.scaleb(-exponent), before)
    width = sum(kind == "digit" for kind, _ in tokens[at:])
    sign = "-" if exponent < 0 else "+" if tokens[at][1].endswith("+") else ""
    rest = "".join(text for kind, text in tokens[at + 1 :] if kind != "digit")
    return f"{mantissa}E{sign}{abs(exponent):0{max(1, width)}d}{rest}"


def _fraction(value: Decimal, tokens: tuple[Token, ...]) -> str:
    """Write a mixed number: 1 3/4 for `# ?/?`, 7/4 for `?/?`, 1 6/8 for `# ?/8`."""
    slash = tokens.index(("other", "/"))
    code = "".join(text for _, text in tokens)
    below = _FRACTION.match("".join(text for _, text in tokens[slash + 1 :]).strip())
    if below is None:
        return general(float(value))
    exact = Fraction(abs(value))
    mixed = "".join(text for _, text in tokens[:slash]).strip().count(" ") > 0
    whole = int(exact) if mixed else 0
    if below[0][0].isdigit() and below[0][0] != "0":
        bottom = int(below[0][:6])
        top = round((exact - whole) * bottom)
    else:
        nearest = (exact - whole).limit_denominator(10 ** min(len(below[0]), 6) - 1)
        top, bottom = nearest.numerator, nearest.denominator
    if top == bottom and mixed:
        whole, top = whole + 1, 0
    parts = [str(whole)] if whole or not top else []
    parts += [f"{top}/{bottom}"] if top else []
    sign = "-" if value < 0 and (whole or top) else ""
    return sign + " ".join(parts) + ("%" if code.endswith("%") else "")
