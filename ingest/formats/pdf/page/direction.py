"""Text from right to left: a page holds it as it looks, a document as it is read."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

_MIRRORED = str.maketrans("()[]{}<>«»‹›", ")(][}{><»«›‹")
_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")
_ALEFS = frozenset("اأإآٱ")
_SPACELESS = re.compile("[\u3001-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff01-\uff60]")
_FIRST = 0x590  # the first code point of a script from the right


def reads_right_to_left(code: int) -> bool:
    """Return whether a code point belongs to a script from right to left."""
    return code >= _FIRST and _is_rtl(code)


@lru_cache(maxsize=4096)
def _is_rtl(code: int) -> bool:
    return unicodedata.bidirectional(chr(code)) in {"R", "AL"}


def writes_without_spaces(character: str) -> bool:
    """Return whether a character belongs to Chinese or Japanese, whose lines are joined without a space."""
    return _SPACELESS.match(character) is not None


def is_right_to_left(text: str) -> bool:
    """Return whether most letters of a text belong to scripts from right to left."""
    if text.isascii():
        return False
    right = sum(reads_right_to_left(ord(character)) for character in text)
    return right > 0 and right * 2 >= sum(character.isalpha() for character in text)


def logical_word(text: str, lefts: Sequence[float], rights: Sequence[float]) -> str:
    """Return a word's characters as they are read: from the right, numbers and Latin letters within from the left.

    Marks stay behind the letter that they stand on, and forms that letters take within a word become the letters.

    Args:
        lefts, rights: where each character stands.
    """
    clusters: list[tuple[float, int, str]] = []
    for at, character in enumerate(text):
        if clusters and unicodedata.combining(character):
            place, index, before = clusters[-1]
            clusters[-1] = (place, index, before + character)
        else:
            clusters.append((-(lefts[at] + rights[at]), at, character))
    clusters.sort(key=lambda cluster: cluster[0])  # stable: halves of a ligature keep their order
    _order_lam_alef(clusters)
    pieces = [unicodedata.normalize("NFKC", cluster[2]) for cluster in clusters]
    return _mirrored("".join(_left_to_right_runs_kept(pieces)))


def _order_lam_alef(clusters: list[tuple[float, int, str]]) -> None:
    """Put lam before alef where both share a place: the ligature of the two, whose halves PDFium may swap."""
    for at in range(len(clusters) - 1):
        one, other = clusters[at], clusters[at + 1]
        if one[0] == other[0] and one[2][0] in _ALEFS and other[2][0] == "ل":
            clusters[at], clusters[at + 1] = other, one


def logical_order(texts: Sequence[str], *, from_right: bool = False) -> list[int]:
    """Return in which order the words of a line are read, given from left to right.

    Args:
        from_right: the paragraph that the line belongs to is read from the right, whatever most of the line is.

    >>> logical_order(["64", "דלת", "הספרייה"])
    [2, 1, 0]
    """
    indices = list(range(len(texts)))
    if not from_right and not any(not text.isascii() and is_right_to_left(text) for text in texts):
        return indices
    right = [is_right_to_left(text) for text in texts]
    from_the_right = from_right or sum(
        len(text) for text, its in zip(texts, right, strict=True) if its
    ) * 2 >= sum(map(len, texts))
    if from_the_right:
        indices.reverse()
        return _runs_reversed(
            indices, [not is_right and _is_word(texts[at]) for at, is_right in enumerate(right)]
        )
    return _runs_reversed(indices, right)


def _runs_reversed(indices: list[int], marked: Sequence[bool]) -> list[int]:
    """Reverse each run of marked words within the order."""
    result: list[int] = []
    run: list[int] = []
    for index in indices:
        if marked[index]:
            run.append(index)
        else:
            result += [*reversed(run), index]
            run = []
    return [*result, *reversed(run)]


def _is_word(text: str) -> bool:
    return any(character.isalnum() for character in text)


def _left_to_right_runs_kept(pieces: Sequence[str]) -> list[str]:
    """Reverse the runs of Latin letters and digits within characters read from the right."""
    result: list[str] = []
    run: list[str] = []
    for piece in pieces:
        kind = unicodedata.bidirectional(piece[0])
        if kind in {"L", "EN", "AN"} or (run and kind in {"CS", "ES"}):
            run.append(piece)
        else:
            result += [*_closed(run), piece]
            run = []
    return [*result, *_closed(run)]


def _closed(run: list[str]) -> list[str]:
    """Reverse a run; signs at its end, such as the full stop after a number, belong to what follows."""
    signs = 0
    while signs < len(run) and unicodedata.bidirectional(run[-1 - signs][0]) in {"CS", "ES"}:
        signs += 1
    return [*reversed(run[: len(run) - signs]), *run[len(run) - signs :]]


def _mirrored(text: str) -> str:
    """Mirror brackets if they stand as they look, so that a closing one comes first."""
    first = next((character for character in text if character in _OPENING | _CLOSING), "")
    last = next((character for character in reversed(text) if character in _OPENING | _CLOSING), "")
    stands_as_seen = first in _CLOSING and (text[0] == first or last in _OPENING)
    return text.translate(_MIRRORED) if stands_as_seen else text
