"""Stand-ins for a packaged network's runner, whose tokens are words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of a text and where each stands in it."""

    ids: list[int]
    offsets: list[tuple[int, int]]


class WordRunner:
    """Tokenises into words, each with the number in which it was first seen; what it computes is its subclass's.

    Args:
        known: the first words, in order.
    """

    def __init__(self, *known: str) -> None:
        self.words = list(known)
        self._ids = {word: number for number, word in enumerate(known)}

    def tokenise(self, texts: Sequence[str]) -> list[Tokens]:
        return [self._encode(text) for text in texts]

    def _encode(self, text: str) -> Tokens:
        found = list(re.finditer(r"\S+", text))
        for word in dict.fromkeys(match[0] for match in found):
            if word not in self._ids:
                self._ids[word] = len(self.words)
                self.words.append(word)
        return Tokens([self._ids[match[0]] for match in found], [match.span() for match in found])

    def each(self, work: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
        return [work(item) for item in items]
