"""Weigh the sentences of a context: how likely does each answer the question, and is the answer right?

English is judged by the evidence model, which reads every sentence among its neighbours; other languages, which it does
not know, by five numbers of words and vectors. Over these and the score of a sentence's hit, logistic regressions are
fitted by `python -m training.answers` and kept in `rag/pack/answers.json`, as are those of the confidence, with and
without a reader.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from rag.answer.sentences import Sentence, answering_sentences, passages_of
from rag.errors import ModelError
from rag.models.embed import Embedder, MultilingualEmbedder
from rag.models.evidence import EvidenceModel
from rag.text.words import question_terms, text_terms
from rag.types import Context, Hit

ANSWERS_FILE = Path(__file__).parents[1] / "pack" / "answers.json"
# Of a sentence that was read, and of one that was not. The first two of the best sentence tell how sure an answer is.
READ_FEATURES = ("evidence", "hit score")
UNREAD_FEATURES = ("cosine", "coverage", "kind", "news", "hit score")
# The third number of the confidence, if there is a reader: its log-odds that the best sentence's evidence answers.
HERE = "here"
# What a name that the evidence does not mention takes off the log-odds of an answer, and most names that count. Set by
# judgement: most questions of the sets that weights are fitted on are written without capitals.
ABSENT_NAME, MOST_ABSENT = 1.0, 2
# What is taken off the log-odds of a sentence if the question has a name that documents are called by, and neither is
# its own document called so nor does its chunk mention it: what Oskel's report says answers nothing about Tarn.
UNNAMED = 1.0
# Log-odds of one in ten thousand; a reader's probabilities beyond that were not measured.
_MOST_SURE = 9.2
# Most terms of a sentence that count as news.
MOST_NEWS = 6
# Most sentences to encode. Encoding all 25 would take another 40 ms and hardly change which is best.
MOST_ENCODED = 10
# Weight of a word in the heading or table header above a sentence.
ABOVE_WEIGHT = 0.5

_MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
_DAYS = "Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday"
# What a question of this form asks for, as a pattern that matches its answer.
_KINDS = (
    (r"\bhow (many|much|long|often|old|far|fast|high|large|big)\b", re.compile(r"\d")),
    (r"\b(when|what (date|year|day|month))\b", re.compile(rf"\b(1[0-9]|20)\d\d\b|\b({_MONTHS}|{_DAYS})\b")),
    (r"\b(who|whom|whose)\b", re.compile(r"(?<!^)(?<![.!?] )\b[A-Z][a-z]+")),
)


@dataclass(frozen=True, slots=True)
class Weighed:
    """A sentence with its features (len(READ_FEATURES),) or (len(UNREAD_FEATURES),) and its log-odds of answering."""

    sentence: Sentence
    features: np.ndarray
    log_odds: float

    @property
    def read(self) -> bool:
        """Whether the evidence model has read it."""
        return len(self.features) == len(READ_FEATURES)


def weigh_sentences(context: Context, embedder: Embedder, evidence: EvidenceModel) -> list[Weighed]:
    """Return every sentence of the evidence that can answer, weighed, in reading order.

    Raises:
        ModelError: if the weights were fitted to other features.
    """
    sentences = answering_sentences(context.evidence)
    if not sentences:
        return []
    if isinstance(embedder, MultilingualEmbedder):
        features, part = unread_features(context.question, sentences, embedder), "unread"
    else:
        features, part = read_features(context.question, sentences, evidence), "read"
    weights = _fitted(part, "sentence", READ_FEATURES if part == "read" else UNREAD_FEATURES)
    log_odds = features @ np.array(weights["weights"]) + weights["bias"]  # (n_sentences,)
    unnamed = {one.label: is_unnamed(one.hit) for one in context.evidence}
    log_odds -= UNNAMED * np.array([unnamed[one.evidence.label] for one in sentences])
    return [
        Weighed(sentence, row, float(odds))
        for sentence, row, odds in zip(sentences, features, log_odds, strict=True)
    ]


def is_unnamed(hit: Hit) -> bool:
    """Return whether a hit has nothing to do with a name of the question that other documents are called by."""
    return bool(hit.unnamed) and not set(hit.unnamed) <= set(text_terms(hit.chunk.read_text))


def read_features(question: str, sentences: Sequence[Sentence], evidence: EvidenceModel) -> np.ndarray:
    """Return (n_sentences, len(READ_FEATURES)) float64.

    evidence: log-odds of the evidence model.
    hit score: score of the sentence's hit, as trimmed or reranked, in [0, 1].

    Args:
        sentences: of each hit in order.
    """
    scores = np.concatenate(evidence.scores(question, passages_of(sentences)))
    return np.stack([scores, [one.evidence.hit.score for one in sentences]], axis=1)


def unread_features(question: str, sentences: Sequence[Sentence], embedder: Embedder) -> np.ndarray:
    """Return (n_sentences, len(UNREAD_FEATURES)) float64.

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


@dataclass(frozen=True, slots=True)
class Signs:
    """What tells how sure an answer is, beside its sentences.

    Args:
        absent: the names and numbers of the question that the evidence does not mention.
        here: the reader's probability that the best sentence's piece of evidence answers at all; None without one.
    """

    absent: Sequence[str]
    here: float | None = None


def confidence_features(weighed: Sequence[Weighed], signs: Signs) -> np.ndarray:
    """Return the first two features of the best sentence and, with a reader, its log-odds: (2,) or (3,) float64."""
    best = max(weighed, key=lambda one: one.log_odds).features
    return np.array([*best[:2], *([] if signs.here is None else [_bounded_log_odds(signs.here)])])


def confidence(weighed: Sequence[Weighed], signs: Signs) -> float:
    """Return the probability, in (0, 1), that an answer from these sentences is right.

    Raises:
        ModelError: if the weights were fitted to other features.
    """
    part, own = ("read", READ_FEATURES) if weighed[0].read else ("unread", UNREAD_FEATURES)
    if signs.here is None:
        weights = _fitted(part, "confidence", own[:2])
    else:
        weights = _fitted(part, "confidence with a reader", (*own[:2], HERE))
    log_odds = float(confidence_features(weighed, signs) @ np.array(weights["weights"])) + weights["bias"]
    log_odds -= ABSENT_NAME * min(len(signs.absent), MOST_ABSENT)
    return 1 / (1 + math.exp(-log_odds))


def _bounded_log_odds(probability: float) -> float:
    if not 0 < probability < 1:
        return math.copysign(_MOST_SURE, probability - 0.5)
    return max(-_MOST_SURE, min(_MOST_SURE, math.log(probability / (1 - probability))))


def _fitted(part: str, of: str, features: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = answers_pack().get(part, {}).get(of, {})
    if tuple(found.get("features", ())) != tuple(features):
        raise ModelError(f"{ANSWERS_FILE} was fitted to other features; run `python -m training.answers`.")
    return found


@cache
def answers_pack() -> dict[str, Any]:
    """Return the fitted weights, made by `training/answers.py`."""
    pack: dict[str, Any] = json.loads(ANSWERS_FILE.read_text(encoding="utf-8"))
    return pack
