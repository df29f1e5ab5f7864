"""Measure and cut a text in an embedder's tokens; the text is tokenised once."""

from __future__ import annotations

import re
import unicodedata

import numpy as np

from rag.models.embed import Embedder
from rag.text.sentences import Span, strip_span

# A longer stretch counts as several tokens: an unknown "word" of a megabyte is one token to BERT.
MAX_TOKEN_CHARS = 16
_JOINERS = frozenset("\u200d\ufe0e\ufe0f")  # zero-width joiner and the two variation selectors
_SKIN_TONES = ("\U0001f3fb", "\U0001f3ff")
_GRAPHEME_CHARS = 32  # how far a cut moves back at most to spare a character drawn from several
_BREAK = re.compile(r"\s\S*\Z")


class Ruler:
    """One text's tokens. Counts between token borders are exact; a slice tokenised by itself may differ a little."""

    def __init__(self, text: str, embedder: Embedder) -> None:
        self.text = text
        self.offsets = embedder.token_offsets(text)  # (n_tokens, 2)
        self.embedder = embedder
        self._starts = _with_long_gaps_cut(self.offsets[:, 0], len(text))

    def counts(self, cuts: list[int]) -> list[int]:
        """Count the tokens between neighbouring offsets: one number fewer than `cuts`."""
        numbers: list[int] = np.diff(np.searchsorted(self._starts, cuts)).tolist()
        return numbers

    def count(self, start: int, end: int) -> int:
        """Count the tokens that begin in the span."""
        return self.counts([start, end])[0]

    def real_count(self, text: str) -> int:
        """Count a text's own tokens, by tokenising it."""
        return len(self.embedder.token_offsets(text))

    def cut(self, start: int, tokens: int) -> int:
        """Return where to end a span of at most `tokens` tokens that begins at `start`.

        The cut lies at the start of a token, moved back where it would split a letter from its accents or an
        emoji into its parts. It always lies beyond `start`.
        """
        index = int(np.searchsorted(self._starts, start)) + tokens
        if index >= len(self._starts):
            return len(self.text)
        return max(_whole_graphemes(self.text, start, int(self._starts[index])), start + 1)

    def divide(self, start: int, end: int, tokens: int) -> list[Span]:
        """Cut a span into consecutive ones of at most `tokens` tokens, between words where there are any.

        What follows a cut does not begin with the bar between two cells: it would read as the first cell of a row.
        """
        spans = []
        while self.count(start, end) > tokens:
            cut = self.cut(start, tokens)
            half = start + (cut - start) // 2
            if space := _BREAK.search(self.text, half, cut):
                cut = space.start() + 1
            while self._is_inner_bar(cut) and (space := _BREAK.search(self.text, half, cut - 1)):
                cut = space.start() + 1
            spans.append((start, cut))
            start = cut
        return [*spans, (start, end)]

    def _is_inner_bar(self, offset: int) -> bool:
        return self.text.startswith("|", offset) and self.text[offset - 1] != "\n"

    def is_between_words(self, start: int, end: int) -> bool:
        """Return whether white space or the text's border lies on the outer side of both ends."""
        before, after = self.text[max(0, start - 1) : start], self.text[end : end + 1]
        return (not before or before.isspace()) and (not after or after.isspace())

    def strip(self, start: int, end: int) -> Span:
        """Shrink a span to the text within its white space."""
        return strip_span(self.text, start, end)


def _with_long_gaps_cut(starts: np.ndarray, length: int) -> np.ndarray:
    """Add marks where two token starts lie further apart than MAX_TOKEN_CHARS."""
    borders = np.concatenate([[0], starts, [length]]).astype(np.int64)
    wide = np.flatnonzero(np.diff(borders) > MAX_TOKEN_CHARS)
    if not len(wide):
        return starts.astype(np.int64)
    added = [np.arange(borders[i], borders[i + 1], MAX_TOKEN_CHARS)[1:] for i in wide]
    return np.sort(np.concatenate([starts, *added]).astype(np.int64))


def _whole_graphemes(text: str, start: int, cut: int) -> int:
    """Move `cut` back to where no combining mark, joiner or skin tone follows; give up after a while."""
    moved = cut
    while moved > start and cut - moved < _GRAPHEME_CHARS and _continues(text, moved):
        moved -= 1
    return moved if moved > start and not _continues(text, moved) else cut


def _continues(text: str, offset: int) -> bool:
    """Return whether the character at `offset` is drawn together with the one before it."""
    here, before = text[offset], text[offset - 1]
    return (
        unicodedata.combining(here) > 0
        or here in _JOINERS
        or before == "\u200d"
        or _SKIN_TONES[0] <= here <= _SKIN_TONES[1]
        or (here == "\n" and before == "\r")
    )
