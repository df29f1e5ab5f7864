"""Generate an answer from an assembled context, and from nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from rag.confidence import confidence
from rag.embed import Embedder
from rag.reader import Reader, Reading
from rag.relevance import Sentence, Weighed, sentences_of, weigh_sentences
from rag.types import Citation, Context, Draft

NEAR_BEST = 0.9  # log-odds below the best sentence's from which another sentence no longer joins the answer
SHORT_FROM = (
    0.4  # probability of a span from which it leads the answer; eval/short_answers.py has what is right then
)
SHORT_WORDS = 12
MOST_SHORT = 5
_ASKS_SEVERAL = re.compile(
    r"\b(which|what)\b(?:\s+[\w-]+){0,2}?\s+[\w-]+s\s+(are|were|do|did|have|can|may|must)\b"
    r"|\b(list|name all|names of)\b",
    re.IGNORECASE,
)


class Generator(Protocol):
    """Writes a draft from a context; counts tokens as its own model does."""

    def generate(self, context: Context) -> Draft:
        """Answer from the context's evidence, or return a draft without text and with the reason."""

    def count_tokens(self, text: str) -> int:
        """Return the length of a text in the generator's tokens."""


class Extractive:
    """Composes the answer from verbatim sentences of the evidence; it cannot say what no document says.

    Args:
        sentences: most sentences of an answer.
        words: most words of an answer.
    """

    def __init__(
        self, embedder: Embedder, reader: Reader | None = None, *, sentences: int = 3, words: int = 120
    ) -> None:
        self._embedder, self._reader = embedder, reader
        self._most_sentences, self._most_words = sentences, words

    def count_tokens(self, text: str) -> int:
        return len(self._embedder.token_offsets(text))

    def generate(self, context: Context) -> Draft:
        weighed = weigh_sentences(context, self._embedder)
        if not weighed:
            return Draft("", (), 0.0, _why_nothing(context))
        chosen = choose_sentences(weighed, sentences=self._most_sentences, words=self._most_words)
        if self._reader is None:
            return _compose([], chosen, confidence(weighed))
        readings = read_around(context.question, chosen, self._reader)
        short = short_answers(context.question, chosen, readings)
        chosen += [sentence for _, sentence in short if sentence not in chosen]
        best = max(weighed, key=lambda one: one.log_odds).sentence  # always among the chosen
        here = 1 - readings[best.evidence.label].no_answer
        return _compose([words for words, _ in short], _in_order(chosen), confidence(weighed, here))


def choose_sentences(weighed: Sequence[Weighed], *, sentences: int, words: int) -> list[Sentence]:
    """Take the best sentence and those near it, within the limits; the best one's evidence comes first.

    A sentence that holds, or lies in, one already taken is passed over.
    """
    ranked = sorted(weighed, key=lambda one: -one.log_odds)
    chosen: list[Sentence] = []
    used = 0
    for one in ranked:
        if len(chosen) == sentences or one.log_odds < ranked[0].log_odds - NEAR_BEST:
            break
        text = one.sentence.text
        repeated = any(text in other.text or other.text in text for other in chosen)
        length = len(text.split())
        if not chosen or (not repeated and used + length <= words):
            chosen.append(_cut_to_words(one.sentence, words))
            used += length
    return _in_order(chosen)


def _in_order(chosen: Sequence[Sentence]) -> list[Sentence]:
    """Order sentences as they stand in the evidence, that of the first of them before the rest."""
    first = chosen[0].evidence.label
    return sorted(chosen, key=lambda s: (s.evidence.label != first, s.evidence.label, s.start))


def _cut_to_words(sentence: Sentence, most: int) -> Sentence:
    """Keep the first `most` words of a sentence; a longer one is a list or a table that never ends."""
    words = list(re.finditer(r"\S+", sentence.text))
    if len(words) <= most:
        return sentence
    text = sentence.text[: words[most - 1].end()]
    return replace(sentence, end=sentence.start + len(text), text=text)


def _why_nothing(context: Context) -> str:
    if context.cut and not context.evidence:
        return (
            "The evidence that was found does not fit into the prompt; raise IBID_BUDGET_TOKENS or "
            "IBID_EVIDENCE_TOKENS, or shorten the question."
        )
    return "No document of the corpus comes near the question."


def read_around(question: str, chosen: Sequence[Sentence], reader: Reader) -> dict[int, Reading]:
    """Read the pieces of evidence that the chosen sentences stand in: label -> what the reader made of it."""
    pieces = {sentence.evidence.label: sentence.evidence.hit.text for sentence in chosen}
    return dict(zip(pieces, reader.read_all(question, list(pieces.values())), strict=True))


def short_answers(
    question: str, chosen: Sequence[Sentence], readings: Mapping[int, Reading]
) -> list[tuple[Sentence, Sentence]]:
    """Return the words that answer directly, each as a part of a sentence, with that sentence, likeliest first.

    Often none: they lead only where the reader is sure enough of them and they are short. One of them only,
    from a chosen sentence, unless the question asks for several things: then any sentence of the evidence
    that was read may hold one.
    """
    several = _ASKS_SEVERAL.search(question) is not None
    pieces = {sentence.evidence.label: sentence.evidence for sentence in chosen}
    found: list[tuple[float, Sentence, Sentence]] = []
    for label, piece in pieces.items():
        own = [sentence for sentence in chosen if sentence.evidence.label == label]
        if several:
            own += [
                s for s in sentences_of(piece) if not any(s.start < o.end and o.start < s.end for o in own)
            ]
        for span in readings[label].spans:
            start, end = piece.hit.start + span.start, piece.hit.start + span.end
            for one in own:
                if one.start <= start and end <= one.end:
                    words = one.text[start - one.start : end - one.start]
                    found.append((span.score, replace(one, start=start, end=end, text=words), one))
    found = sorted((f for f in found if len(f[1].text.split()) <= SHORT_WORDS), key=lambda each: -each[0])
    if not found or found[0][0] < SHORT_FROM:
        return []
    distinct: dict[str, tuple[Sentence, Sentence]] = {}
    for score, short, sentence in found:
        if score >= SHORT_FROM / 2:
            distinct.setdefault(short.text.casefold(), (short, sentence))
    return list(distinct.values())[: MOST_SHORT if several else 1]


def _compose(short: Sequence[Sentence], chosen: Sequence[Sentence], probability: float) -> Draft:
    """Write the short answers in one line and the sentences they rest on in the next."""
    text, citations = "", []
    for line in (short, chosen):
        for sentence in line:
            citations.append(_cite(sentence, len(text)))
            text += f"{sentence.text} [{sentence.evidence.label}] "
        text = text.rstrip() + "\n" if text else ""
    return Draft(text.rstrip(), tuple(citations), probability)


def _cite(sentence: Sentence, at: int) -> Citation:
    chunk = sentence.evidence.hit.chunk
    return Citation(
        answer_start=at,
        answer_end=at + len(sentence.text),
        label=sentence.evidence.label,
        document=chunk.document,
        version=chunk.version,
        page=sentence.evidence.hit.page,
        start=sentence.start,
        end=sentence.end,
        quote=sentence.text,
        verified=False,
    )
