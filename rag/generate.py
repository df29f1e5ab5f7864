"""Generate an answer from an assembled context, and from nothing else."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from rag.confidence import confidence
from rag.embed import Embedder
from rag.sentences import split_sentences, strip_span
from rag.types import Citation, Context, Draft, Evidence
from rag.words import question_terms, text_terms

NEAR_BEST = 0.85  # share of the best sentence's score from which another sentence joins the answer
HEADING_WEIGHT = 0.5  # a word in the heading above a sentence counts this much as one in the sentence
KIND_BONUS = 0.1  # for holding the kind of thing that the question asks for

_MARKUP = re.compile(r"\s*(#{1,6}\s|\|[\s:|-]+\|?\s*$|```|~~~|[-=_*]{3,}\s*$)")  # says nothing by itself
_HEADING = re.compile(r"\s*#{1,6}\s+(.*)")
_MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
_DAYS = "Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday"
_NUMBER, _DATE = r"\d", rf"\b(1[0-9]|20)\d\d\b|\b({_MONTHS}|{_DAYS})\b"
_KINDS = (  # what a question of this form asks for, as a pattern that its answer holds
    (re.compile(r"\bhow (many|much|long|often|old|far|fast|high|large|big)\b", re.I), re.compile(_NUMBER)),
    (re.compile(r"\b(when|what (date|year|day|month))\b", re.I), re.compile(_DATE)),
    (re.compile(r"\b(who|whom|whose)\b", re.I), re.compile(r"(?<!^)(?<![.!?] )\b[A-Z][a-z]+")),
)


class Generator(Protocol):
    """Writes a draft from a context; counts tokens as its own model does."""

    def generate(self, context: Context) -> Draft:
        """Answer from the context's evidence, or return a draft without text and with the reason."""

    def count_tokens(self, text: str) -> int:
        """Return the length of a text in the generator's tokens."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of the evidence, its span in the document, and how well it answers the question."""

    evidence: Evidence
    start: int
    end: int
    text: str
    heading: str
    score: float = 0.0
    cosine: float = 0.0  # of sentence and question
    coverage: float = 0.0  # share of the question's words, weighted by rarity, that it or its heading holds


class Extractive:
    """Composes the answer from verbatim sentences of the evidence; it cannot say what no document says.

    Args:
        sentences: most sentences of an answer.
        words: most words of an answer.
    """

    def __init__(self, embedder: Embedder, *, sentences: int = 3, words: int = 120) -> None:
        self._embedder, self._most_sentences, self._most_words = embedder, sentences, words

    def count_tokens(self, text: str) -> int:
        return len(self._embedder.token_offsets(text))

    def generate(self, context: Context) -> Draft:
        sentences = [sentence for evidence in context.evidence for sentence in _sentences(evidence)]
        if not sentences:
            return Draft("", (), 0.0, "No document of the corpus comes near the question.")
        scored = score_sentences(context.question, sentences, self._embedder)
        chosen = self._choose(scored)
        return _compose(chosen, confidence(context, chosen[0], scored))

    def _choose(self, scored: Sequence[Sentence]) -> list[Sentence]:
        """Take the best sentence and those near it, within the limits, the best one's document first."""
        ranked = sorted(scored, key=lambda sentence: -sentence.score)
        best, words = ranked[0], 0
        chosen: list[Sentence] = []
        for sentence in ranked:
            length = len(sentence.text.split())
            repeated = any(sentence.text in other.text or other.text in sentence.text for other in chosen)
            if chosen and (sentence.score < NEAR_BEST * best.score or len(chosen) == self._most_sentences):
                break
            if not repeated and (words + length <= self._most_words or not chosen):
                chosen.append(_cut_to_words(sentence, self._most_words))
                words += length
        first = best.evidence.label
        return sorted(chosen, key=lambda s: (s.evidence.label != first, s.evidence.label, s.start))


def score_sentences(question: str, sentences: Sequence[Sentence], embedder: Embedder) -> list[Sentence]:
    """Score each sentence: half by meaning, half by words, and a bonus for the kind of thing asked for."""
    vectors = embedder.encode([question, *(sentence.text for sentence in sentences)])
    cosines = vectors[1:] @ vectors[0]  # (n_sentences,)
    coverages = _coverages(question, sentences)
    wanted = next((answer for asked, answer in _KINDS if asked.search(question)), None)
    scored = []
    for sentence, cosine, coverage in zip(sentences, cosines.tolist(), coverages, strict=True):
        bonus = KIND_BONUS if wanted and wanted.search(sentence.text) else 0.0
        score = 0.5 * cosine + 0.5 * coverage + bonus
        scored.append(replace(sentence, score=score, cosine=cosine, coverage=coverage))
    return scored


def _coverages(question: str, sentences: Sequence[Sentence]) -> list[float]:
    asked = set(question_terms(question))
    own = [set(text_terms(sentence.text)) for sentence in sentences]
    above = [set(text_terms(sentence.heading)) for sentence in sentences]
    holders = Counter(term for terms in own for term in terms & asked)
    weight = {term: math.log(1 + len(sentences) / (1 + holders[term])) for term in asked}
    total = sum(weight.values()) or 1.0
    return [
        (
            sum(weight[t] for t in asked & mine)
            + HEADING_WEIGHT * sum(weight[t] for t in (asked & head) - mine)
        )
        / total
        for mine, head in zip(own, above, strict=True)
    ]


def _sentences(evidence: Evidence) -> Iterator[Sentence]:
    hit, heading = evidence.hit, evidence.hit.chunk.context
    for start, end in split_sentences(hit.text):
        start, end = strip_span(hit.text, start, end)
        text = hit.text[start:end]
        if match := _HEADING.match(text):
            heading = match.group(1)
        elif text and not _MARKUP.match(text):
            yield Sentence(evidence, hit.start + start, hit.start + end, text, heading)


def _cut_to_words(sentence: Sentence, most: int) -> Sentence:
    """Keep the first `most` words of a sentence; a longer one is a list or a table that never ends."""
    words = list(re.finditer(r"\S+", sentence.text))
    if len(words) <= most:
        return sentence
    text = sentence.text[: words[most - 1].end()]
    return replace(sentence, end=sentence.start + len(text), text=text)


def _compose(chosen: Sequence[Sentence], probability: float) -> Draft:
    text, citations = "", []
    for sentence in chosen:
        begin = len(text)
        text += sentence.text
        chunk, label = sentence.evidence.hit.chunk, sentence.evidence.label
        page = sentence.evidence.hit.page
        citations.append(
            Citation(
                begin, len(text), label, chunk.document, chunk.version, page,
                sentence.start, sentence.end, sentence.text, verified=False,
            )
        )  # fmt: skip
        text += f" [{label}] "
    return Draft(text.rstrip(), tuple(citations), probability)
