"""Find the turns of conversations that a question is about: by the meaning of each, and by the words around it.

A turn leaves out what the ones before it said ("Yes, in May."). So words are looked for in a turn and the two before
it, while meaning is compared with the turn alone, which its neighbours would blur. Both scores are stretched to
[0, 1] and averaged, as for chunks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rag.index.lexical import LexicalIndex
from rag.index.scores import min_max

BEFORE = 2  # turns whose words count for a turn, of the same session


@dataclass(frozen=True, slots=True)
class TurnText:
    """A turn as text, and the session that it belongs to."""

    session: int
    text: str


class TurnIndex:
    """Turns in order, indexed once and searched many times.

    Args:
        vectors: unit vectors (n_turns, dim) of the texts.
    """

    def __init__(self, turns: Sequence[TurnText], vectors: np.ndarray) -> None:
        self._vectors = vectors
        self._words = LexicalIndex()
        if turns:
            self._words.add(range(len(turns)), [_with_words_before(turns, n) for n in range(len(turns))])

    def rank(self, question: str, vector: np.ndarray, k: int) -> list[tuple[int, float, float]]:
        """Return up to k (turn, score in [0, 1], cosine), best first.

        Args:
            vector: the question's unit vector (dim,).
        """
        count = len(self._vectors)
        if not count:
            return []
        cosines = self._vectors @ vector  # (n_turns,)
        words = self._words.score(question, range(count))
        scores = (min_max(cosines) + min_max(words)) / 2
        best = np.argsort(-scores, kind="stable")[:k]
        return [(int(n), float(scores[n]), float(cosines[n])) for n in best]


def _with_words_before(turns: Sequence[TurnText], number: int) -> str:
    own = turns[number]
    around = turns[max(0, number - BEFORE) : number + 1]
    return "\n".join(turn.text for turn in around if turn.session == own.session)
