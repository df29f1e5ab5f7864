"""Compress text to its important words, after LLMLingua-2 (Pan et al., Findings of ACL 2024).

A token classifier gives each token's probability of being kept; words are kept whole, best first, until the rate is
reached. The frame is `llmlingua`'s `PromptCompressor`. Three of its parts are replaced: the loader (it downloads, and
trusts remote code), the token counter (it downloads), and the selection, which takes nearly all of its time, misses its
rate on long text and recognises words only in lower case.

Numbers, dates and negations (`rag/text/protect.py`) are kept first, then names and identifiers up to a fifth of what
may be kept: they make up a third of an encyclopaedia, and without that limit would leave no room for an answer at 3x.
Tables, JSON, code and SQL pass through and are not counted: the rate is that of the prose.
"""

from __future__ import annotations

import itertools
import warnings
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from rag.errors import InvalidInput
from rag.models.pack import PACKAGED
from rag.models.runtime import pack_runner, whole
from rag.models.token_classifier import PackClassifier, TokenClassifier, TransformersClassifier
from rag.text.protect import FACT, NAME, find_blocks, find_words, protection
from rag.text.sentences import Span

# Compressing shorter evidence is not worth it: llmlingua's own users saw no gain below this. At 2x, trimmed pieces of
# 80 to 150 tokens save less than half as many tokens per lost gold word or answer as longer ones.
LEAST_TOKENS = 150
# A text is prose if at least this share is outside tables, JSON, code and SQL.
_PROSE = 0.8
# Largest share of what is kept that goes to names and identifiers before all other words compete.
_NAMES_SHARE = 0.2
# Share of its neighbours' scores in a word's score, so that what is kept is coherent.
_NEIGHBOURS = 0.3
# Most white space between two words of one range: a blank line.
_JOINED = 2
# How many words beyond the last that fits are searched for smaller ones.
_LOOK_PAST = 1000


@dataclass(frozen=True, slots=True)
class Compressed:
    """What compression keeps of a text: ranges of code points, in order, and those ranges joined by single spaces."""

    text: str
    kept: tuple[Span, ...]


def load_compressor(name: str = PACKAGED, *, threads: int = 0) -> Compressor:
    """Load the packaged compressor (`pack`) or a token classifier of two labels, by local path or hub name.

    Args:
        threads: windows to read at once; 0 means one for each core that this process may use.

    Raises:
        ModelError: if the model cannot be loaded or is of another kind; the message says what to do.
    """
    if name == PACKAGED:
        return Compressor(PackClassifier(pack_runner("compressor", threads=threads)))
    return Compressor(TransformersClassifier(name, threads=threads))


def should_compress(text: str, *, tokens: int, room: int) -> bool:
    """Return whether compressing helps the question path: long prose that does not fit its budget.

    Args:
        tokens: tokens of the text, as the budget counts them.
        room: tokens left for it in the budget.
    """
    if tokens < LEAST_TOKENS or tokens <= room:
        return False
    prose = len(text) - sum(end - start for start, end in find_blocks(text))
    return prose >= _PROSE * len(text)


class Compressor:
    """Keeps the words of a text that matter most, in general or to a question. Safe for several threads."""

    def __init__(self, classifier: TokenClassifier) -> None:
        self._classifier = classifier

    def warm_up(self) -> None:
        """Import `llmlingua` now, since it takes seconds, and not while a question waits."""
        _prompt_compressor()

    def compress(self, text: str, rate: float, *, question: str = "") -> Compressed:
        """Keep about `rate` of a text's characters.

        The compressed text is never longer than `rate` times the original, counted without tables, JSON, code
        and SQL. In prose of more than 150 tokens it falls short by less than two points of the rate. At least one
        word is kept. Protected words are kept first, by probability, then the rest by probability.

        Raises:
            InvalidInput: if the rate is not a number above 0 and at most 1, or a text is not a string.
        """
        _check(text, rate, question)
        if rate == 1.0 or not text.strip():
            return Compressed(text, ((0, len(text)),)) if text else Compressed("", ())
        prompt = _prompt_compressor()(self._classifier, whole(question))
        prompt.compress_prompt_llmlingua2([whole(text)], rate=rate)
        return Compressed(joined(text, prompt.kept), tuple(prompt.kept))


def joined(text: str, kept: Sequence[Span]) -> str:
    """Return the kept ranges of a text, joined by single spaces."""
    return " ".join(text[start:end] for start, end in kept)


def choose(text: str, rate: float, classify: Callable[[str], tuple[np.ndarray, np.ndarray]]) -> list[Span]:
    """Return the ranges of a text to keep: blocks, and the best words of the rest.

    Args:
        classify: returns a text's tokens and probabilities, like a `TokenClassifier`; blocks are blanked out for it.
    """
    blocks = find_blocks(text)
    words = find_words(text, blocks)
    if not words:
        return blocks
    bounds = np.array(words)  # (n_words, 2)
    scores = _word_scores(bounds[:, 0], *classify(_blanked(text, blocks)))
    room = int(rate * (len(text) - sum(end - start for start, end in blocks)) + 1e-6)
    kept = _fill(scores + _privilege(scores, np.array(protection(text, words)), bounds, room), bounds, room)
    return _ranges([*itertools.compress(words, kept), *blocks], words)


def _blanked(text: str, blocks: Sequence[Span]) -> str:
    parts, done = list[str](), 0
    for start, end in blocks:
        parts += [text[done:start], " " * (end - start)]
        done = end
    return "".join(parts) + text[done:]


def _word_scores(starts: np.ndarray, begins: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Return the mean probability of each word's tokens (0 without tokens), smoothed over its neighbours."""
    word = np.searchsorted(starts, begins, side="right") - 1  # (n_tokens,)
    inside = word >= 0
    counts = np.bincount(word[inside], minlength=len(starts))
    own = np.bincount(word[inside], probabilities[inside], len(starts)) / np.maximum(counts, 1)
    padded = np.pad(own, 1, mode="edge")
    mixed: np.ndarray = (1 - _NEIGHBOURS) * own + _NEIGHBOURS / 2 * (padded[:-2] + padded[2:])
    return mixed


def _privilege(scores: np.ndarray, ranks: np.ndarray, words: np.ndarray, room: int) -> np.ndarray:
    """Return the bonus of protection for each word: 2 for facts, 1 for the best names within their share of the
    room."""
    names = np.flatnonzero(ranks == NAME)
    names = names[np.argsort(-scores[names], kind="stable")]
    costs = np.cumsum(words[names, 1] - words[names, 0] + 1)
    added = np.where(ranks == FACT, 2.0, 0.0)
    added[names[costs <= _NAMES_SHARE * room]] = 1.0
    return added


def _fill(scores: np.ndarray, words: np.ndarray, room: int) -> np.ndarray:
    """Keep the best words that fit together, then later ones that still fit; at least one word: (n_words,) bool."""
    lengths = words[:, 1] - words[:, 0]
    gaps = words[1:, 0] - words[:-1, 1]
    gaps = np.where(gaps <= _JOINED, gaps, 1)  # characters between neighbours that are both kept
    order = np.argsort(-scores, kind="stable")
    kept = np.zeros(len(scores), bool)

    def length(count: int) -> int:
        chosen = np.sort(order[:count])
        between = np.where(np.diff(chosen) == 1, gaps[chosen[:-1]], 1)
        return int(lengths[chosen].sum() + between.sum())

    count = max(1, bisect_right(range(1, len(order) + 1), room, key=length))
    kept[order[:count]] = True
    left = room - length(count)
    before, after = np.append(1, gaps), np.append(gaps, 1)
    costs = lengths + np.maximum.reduce([before, after, before + after - 1, np.ones_like(before)])
    for word in order[count : count + _LOOK_PAST]:
        if costs[word] <= left:
            kept[word] = True
            left -= int(costs[word])
    return kept


def _ranges(spans: Sequence[Span], words: Sequence[Span]) -> list[Span]:
    """Join kept spans that are neighbours in the text with little white space between them."""
    following = dict(itertools.pairwise(start for start, _ in words))
    ranges: list[list[int]] = []
    reached = -1  # start of the word after the last one kept
    for start, end in sorted(spans):
        if ranges and start <= ranges[-1][1] + (_JOINED if start == reached else 0):
            ranges[-1][1] = max(end, ranges[-1][1])
        else:
            ranges.append([start, end])
        reached = following.get(start, -1)
    return [(start, end) for start, end in ranges]


def _check(text: str, rate: float, question: str) -> None:
    for name, given in (("text", text), ("question", question)):
        if not isinstance(given, str):
            raise InvalidInput(f"{name} is {given!r:.40}; expected a string.")
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate <= 1:
        raise InvalidInput(
            f"rate is {rate!r:.40}; expected a number above 0 and at most 1, the share of characters to keep."
        )


@cache
def _prompt_compressor() -> Any:
    """Return `PromptCompressor` with its slow and its downloading parts replaced; each call makes one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # warnings of the packages it loads
        from llmlingua import PromptCompressor  # imported here: it takes seconds

    class OfflinePromptCompressor(PromptCompressor):  # type: ignore[misc]
        def __init__(self, classifier: TokenClassifier, question: str) -> None:
            self.classifier, self.question = classifier, question
            self.max_force_token = 0
            self.kept: list[Span] = []

        def get_token_length(self, text: str, *_: Any, **__: Any) -> int:
            return max(1, self.classifier.count(text))

        def _PromptCompressor__chunk_context(self, text: str, **_: Any) -> list[str]:  # noqa: N802
            return [text]  # the classifier has its own windows

        def _PromptCompressor__compress(  # noqa: N802
            self, context_list: list[list[str]], reduce_rate: float, **_: Any
        ) -> tuple[list[str], list[list[str]], list[list[int]]]:
            ((text,),) = context_list
            self.kept = choose(text, 1 - reduce_rate, lambda t: self.classifier.classify(t, self.question))
            return [joined(text, self.kept)], [], []

    return OfflinePromptCompressor
