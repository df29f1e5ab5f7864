"""The body of an e-mail: which of its versions says what the sender wrote."""

from __future__ import annotations

import re
from collections import Counter

# A version that says no more than to look at the other one.
_STUB_WORDS = 40
_WORD = re.compile(r"\w+")
_TABLE = re.compile(r"^\| ?-{3}", re.MULTILINE)
_QUOTE_DEPTH = re.compile(r">+")
# Shares of a version's words that the other one has, too.
_ALL, _MOST = 0.9, 0.75


def chosen(plain: str, rich: str) -> str:
    """Return the version of a body that holds more, or both where each says what the other does not.

    Args:
        plain: the text version.
        rich: the HTML version as light markdown; preferred where it has a table, which text versions flatten.
    """
    if not plain.strip() or not rich.strip():
        return plain.strip("\r\n") if plain.strip() else rich
    plain_words, rich_words = Counter(_words(plain)), Counter(_words(rich))
    common = (plain_words & rich_words).total()
    plain_in_rich = common / max(1, plain_words.total())
    rich_in_plain = common / max(1, rich_words.total())
    if _TABLE.search(rich) and plain_in_rich >= _MOST:
        return rich
    if rich_in_plain >= _ALL:
        return plain.strip("\r\n")
    if plain_in_rich >= _ALL or plain_words.total() <= min(_STUB_WORDS, rich_words.total()):
        return rich
    if plain_in_rich >= _MOST and rich_in_plain >= _MOST:
        return plain.strip("\r\n")
    return f"{plain.strip()}\n\n{rich}"


def flowed(text: str, *, delete_space: bool = False) -> str:
    """Join the lines that a mail program broke (RFC 3676, format=flowed); a quotation stays one."""
    lines: list[list[str]] = []
    soft_depth = -1
    for line in text.replace("\r\n", "\n").split("\n"):
        found = _QUOTE_DEPTH.match(line)
        depth = len(found.group()) if found else 0
        content = line[depth:].removeprefix(" ")
        is_soft = content.endswith(" ") and content != "-- "
        piece = content[:-1] if is_soft and delete_space else content
        if soft_depth == depth and content != "-- ":
            lines[-1].append(piece)
        else:
            lines.append([f"{'>' * depth} {piece}" if depth else piece])
        soft_depth = depth if is_soft else -1
    joined = map("".join, lines)
    return "\n".join(line.rstrip() if line != "-- " else line for line in joined)


def _words(text: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(text)]
