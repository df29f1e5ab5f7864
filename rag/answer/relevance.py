"""Weigh the sentences of a context: how likely does each answer the question, and is the answer right?

Two logistic regressions, fitted by `python -m training.answers` and kept in `rag/pack/answers.json`: one over five
numbers of a sentence, one over four numbers of the evidence as a whole, and a fifth if there is a reader. The reader
takes
no part in choosing sentences: doing so helped on Natural Questions and SQuAD, which resemble its training data, but
cost more on the handbook's paraphrased questions.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from rag.errors import ModelError
from rag.models.embed import Embedder, maxsim, unit
from rag.text.injection import sign_of_injection
from rag.text.tables import Row, is_row, is_rule, rows_of, split_units
from rag.text.words import question_terms, text_terms
from rag.types import Chunk, Context, Evidence

ANSWERS_FILE = Path(__file__).parents[1] / "pack" / "answers.json"
SENTENCE_FEATURES = ("cosine", "coverage", "kind", "news", "hit score")
CONFIDENCE_FEATURES = ("cosine", "coverage", "spread", "maxsim")
READ_CONFIDENCE_FEATURES = (*CONFIDENCE_FEATURES, "here")
# Log-odds of one in ten thousand; a reader's probabilities beyond that were not measured.
_MOST_SURE = 9.2
# Most terms of a sentence that count as news.
MOST_NEWS = 6
# Most sentences to encode. Encoding all 25 would take another 40 ms and hardly change which is best.
MOST_ENCODED = 10
# Weight of a word in the heading or table header above a sentence.
ABOVE_WEIGHT = 0.5

_HEADING = re.compile(r"#{1,6}[ \t]+(.*)")
_SAYS_NOTHING = re.compile(r"\s*(#{1,6}\s.*|\|[\s:|-]+\|?\s*|```.*|~~~.*|[-=_*]{3,}\s*|\W*)", re.DOTALL)
# A bullet, a number, a cell's edge.
_DECORATION = re.compile(r"[\s>|]*(?:(?:[-*+•–]|\d{1,3}[.)]) +)?")
_MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
_DAYS = "Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday"
# What a question of this form asks for, as a pattern that matches its answer.
_KINDS = (
    (r"\bhow (many|much|long|often|old|far|fast|high|large|big)\b", re.compile(r"\d")),
    (r"\b(when|what (date|year|day|month))\b", re.compile(rf"\b(1[0-9]|20)\d\d\b|\b({_MONTHS}|{_DAYS})\b")),
    (r"\b(who|whom|whose)\b", re.compile(r"(?<!^)(?<![.!?] )\b[A-Z][a-z]+")),
)


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of the evidence: its span in the document, without bullets and cell edges."""

    evidence: Evidence
    start: int
    end: int
    text: str
    above: str  # the heading and table header above it, and the document's name
    row: Row | None = None  # if it is a row of a table

    @property
    def spelled(self) -> str:
        """Its text as models read it: a row with the names of its columns."""
        return self.row.spelled if self.row else self.text


@dataclass(frozen=True, slots=True)
class Weighed:
    """A sentence with its features (len(SENTENCE_FEATURES),) and its log-odds of answering the question."""

    sentence: Sentence
    features: np.ndarray
    log_odds: float


def weigh_sentences(context: Context, embedder: Embedder) -> list[Weighed]:
    """Return every sentence of the evidence that can answer, weighed, in reading order.

    Sentences that address a model and questions cannot answer.
    """
    sentences = [
        sentence
        for evidence in context.evidence
        for sentence in sentences_of(evidence)
        if not sentence.text.endswith("?") and not sign_of_injection(sentence.text, strong=True)
    ]
    if not sentences:
        return []
    features = sentence_features(context.question, sentences, embedder)
    pack = answers_pack()["sentence"]
    log_odds = features @ np.array(pack["weights"]) + pack["bias"]  # (n_sentences,)
    return [
        Weighed(sentence, row, float(odds))
        for sentence, row, odds in zip(sentences, features, log_odds, strict=True)
    ]


def sentence_features(question: str, sentences: Sequence[Sentence], embedder: Embedder) -> np.ndarray:
    """Return (n_sentences, len(SENTENCE_FEATURES)) float64.

    cosine: between the sentence and the question, each encoded alone; only for the MOST_ENCODED that score best by
        coverage and hit score, while the others get the lowest cosine among those.
    coverage: share of the question's terms that the sentence contains, each weighted by its rarity among the
        sentences; a term that occurs only above the sentence counts ABOVE_WEIGHT.
    kind: 1 if it contains the kind of thing asked for (a number, a date, a name), -1 if it does not,
        0 if the question does not say.
    news: number of its terms, without stop words, that are not in the question, at most MOST_NEWS, as a share of
        MOST_NEWS; a sentence that only repeats the question answers nothing.
    hit score: score of its hit, as trimmed or reranked, in [0, 1].
    """
    wanted = next((answer for asked, answer in _KINDS if re.search(asked, question, re.IGNORECASE)), None)
    kinds = [0 if wanted is None else 1 if wanted.search(one.text) else -1 for one in sentences]
    asked = set(question_terms(question))
    news = [min(len(set(question_terms(one.text)) - asked), MOST_NEWS) / MOST_NEWS for one in sentences]
    scores = np.array([sentence.evidence.hit.score for sentence in sentences])
    coverages = _coverages(question, sentences)
    cosines = _cosines(question, sentences, coverages + scores, embedder)
    return np.stack([cosines, coverages, kinds, news, scores], axis=1)


def sentences_of(evidence: Evidence) -> Iterator[Sentence]:
    """Yield the sentences of a piece of evidence that state something, not headings and table rules."""
    hit = evidence.hit
    rows = {row.start: row for row in rows_of(hit)}
    for start, end in split_units(hit.text):
        begin = hit.start + start
        text = hit.text[start:end]
        if is_row(text):
            row = next((row for at, row in rows.items() if begin <= at < hit.start + end), None)
            if row is not None:
                words = hit.text[row.start - hit.start : row.end - hit.start]
                yield Sentence(evidence, row.start, row.end, words, _above(hit.chunk, row.start), row)
            continue
        if _SAYS_NOTHING.fullmatch(text):
            continue
        decoration = _DECORATION.match(text)
        begin += decoration.end() if decoration else 0
        text = hit.text[begin - hit.start : end].rstrip(" \t\r\n|")
        if text:
            yield Sentence(evidence, begin, begin + len(text), text, _above(hit.chunk, begin))


@cache
def answers_pack() -> dict[str, Any]:
    """Return the fitted weights (see `training/answers.py`).

    Raises:
        ModelError: if they were fitted to other features.
    """
    pack: dict[str, Any] = json.loads(ANSWERS_FILE.read_text(encoding="utf-8"))
    if tuple(pack.get("sentence", {}).get("features", ())) != SENTENCE_FEATURES:
        raise ModelError(f"{ANSWERS_FILE} was fitted to other features; run `python -m training.answers`.")
    return pack


def _cosines(
    question: str, sentences: Sequence[Sentence], promise: np.ndarray, embedder: Embedder
) -> np.ndarray:
    best = np.argsort(-promise, kind="stable")[:MOST_ENCODED]
    vectors = embedder.encode([question, *(_named(sentences[at]) for at in best)])
    found = vectors[1:] @ vectors[0]  # (n_encoded,)
    cosines = np.full(len(sentences), found.min())
    cosines[best] = found
    return cosines


def _named(sentence: Sentence) -> str:
    """Return a sentence after what its document is called: "Extension: 4000" says little without a name."""
    label = sentence.evidence.hit.chunk.label
    return f"{label}: {sentence.spelled}" if label else sentence.spelled


def _coverages(question: str, sentences: Sequence[Sentence]) -> np.ndarray:
    asked = set(question_terms(question))
    own = [asked & set(text_terms(sentence.spelled)) for sentence in sentences]
    above = [asked & set(text_terms(sentence.above)) for sentence in sentences]
    holders = Counter(term for terms in own for term in terms)
    weight = {term: math.log(1 + len(sentences) / (1 + holders[term])) for term in asked}
    total = sum(weight.values()) or 1.0
    held = [
        sum(weight[t] for t in mine) + ABOVE_WEIGHT * sum(weight[t] for t in higher - mine)
        for mine, higher in zip(own, above, strict=True)
    ]
    return np.array(held) / total


def _above(chunk: Chunk, offset: int) -> str:
    """Return the last heading and the table header above an offset of the document, with the chunk's context."""
    heading, header = "", ""
    lines = chunk.text[: max(0, offset - chunk.start)].splitlines()
    for line, following in zip(lines, [*lines[1:], ""], strict=False):
        if match := _HEADING.match(line):
            heading, header = match.group(1), ""
        elif is_rule(following):
            header = line
        elif not line.lstrip().startswith("|"):
            header = ""
    return "\n".join([chunk.label or chunk.document, chunk.context, heading, header])


def largest_maxsim(question: str, evidence: Sequence[Evidence], embedder: Embedder) -> float:
    """Return the largest MaxSim of the question to a chunk of the evidence, as reranking found it.

    It is the best signal of whether the documents answer at all. If reranking read nothing, the best piece of
    evidence is read here.
    """
    known = [one.hit.maxsim for one in evidence if one.hit.maxsim is not None]
    if known:
        return max(known)
    best = max((one.hit for one in evidence), key=lambda hit: hit.score)
    asked, read = embedder.encode_tokens([question, best.text])
    return maxsim(unit(asked.vectors), read.vectors)


def confidence_features(weighed: Sequence[Weighed], nearest: float, here: float | None = None) -> np.ndarray:
    """Return (len(READ_CONFIDENCE_FEATURES),) or, without `here`, (len(CONFIDENCE_FEATURES),) float64.

    The features are cosine and coverage of the best sentence; the lead of its log-odds over the median sentence's;
    `nearest`; and the log-odds of `here`.

    Args:
        nearest: what `largest_maxsim` returns.
        here: the reader's probability that the best sentence's piece of evidence answers at all.
    """
    ranked = sorted(weighed, key=lambda one: -one.log_odds)
    best, middle = ranked[0], ranked[len(ranked) // 2]
    known = [best.features[0], best.features[1], best.log_odds - middle.log_odds, nearest]
    return np.array(known if here is None else [*known, _bounded_log_odds(here)])


def confidence(weighed: Sequence[Weighed], nearest: float, here: float | None = None) -> float:
    """Return the probability, in (0, 1), that an answer from these sentences is right.

    Args:
        nearest, here: as for `confidence_features`.

    Raises:
        ModelError: if the weights were fitted to other features.
    """
    pack = answers_pack().get("confidence" if here is None else "confidence, read", {})
    if tuple(pack.get("features", ())) != (CONFIDENCE_FEATURES if here is None else READ_CONFIDENCE_FEATURES):
        raise ModelError(
            "rag/pack/answers.json was fitted to other features; run `python -m training.answers`."
        )
    features = confidence_features(weighed, nearest, here)
    return 1 / (1 + math.exp(-float(features @ np.array(pack["weights"]) + pack["bias"])))


def _bounded_log_odds(probability: float) -> float:
    if not 0 < probability < 1:
        return math.copysign(_MOST_SURE, probability - 0.5)
    return max(-_MOST_SURE, min(_MOST_SURE, math.log(probability / (1 - probability))))
