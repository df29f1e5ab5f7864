"""Questions that almost have an answer: a year, number, name or place of an answerable one exchanged for another.

The new words are of the same kind, from another passage of the same article if it has any, so the question still fits
its subject. No sentence may have them beside many of the question's other words; then nothing answers it.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eval.benchmarks.yardstick.kinds import NamedSpan, find_named, find_surnames, surnames
from rag.text.sentences import split_sentences
from rag.text.words import text_terms

# Share of a question's other terms that a sentence with the new words may have.
MOST_SHARED = 0.4
# Other terms that a question must have: one such as "Where is Groton School?" may be answered in any words.
FEWEST_TERMS = 3


@dataclass(frozen=True, slots=True)
class NearMiss:
    """A question that nothing answers, and how it was made."""

    question: str
    kind: str  # of what was exchanged, such as year, place or person
    was: str
    now: str
    made_of: str  # the id of the answerable question


def near_misses(entries: Sequence[Mapping[str, Any]], count: int, seed: int) -> list[NearMiss]:
    """Make near-misses of some answerable questions, one each, the same for the same seed.

    Args:
        entries: of a reading set, each with its `group` (article) and `context` (passage).
    """
    chance = random.Random(seed)
    articles = _Articles(entries)
    answerable = [entry for entry in entries if entry["answerable"]]
    found: list[NearMiss] = []
    for entry in chance.sample(answerable, len(answerable)):
        if len(found) < count and (made := _exchange(entry, articles, chance)):
            found.append(made)
    return found


class _Articles:
    """What the passages of each article name, and the terms of its sentences."""

    def __init__(self, entries: Sequence[Mapping[str, Any]]) -> None:
        self._surnames = surnames(entry["context"] for entry in entries)
        self._passages: dict[str, dict[str, list[NamedSpan]]] = defaultdict(dict)
        for entry in entries:
            if entry["context"] not in self._passages[entry["group"]]:
                self._passages[entry["group"]][entry["context"]] = self.named(entry["context"])
        self._sentences = [
            (text[start:end], set(text_terms(text[start:end])))
            for passages in self._passages.values()
            for text in passages
            for start, end in split_sentences(text)
        ]

    def named(self, text: str) -> list[NamedSpan]:
        """Return what a text names."""
        return [*find_named(text), *find_surnames(text, self._surnames)]

    def others(self, entry: Mapping[str, Any], kind: str) -> list[str]:
        """Return the words of a kind that a question's passage lacks: of other passages of its article.

        If these have none, of other articles.
        """
        own, article = entry["context"].casefold(), self._passages[entry["group"]]
        for passages in ([article], [one for one in self._passages.values() if one is not article]):
            every = [
                one.words
                for texts in passages
                for named in texts.values()
                for one in named
                if one.kind == kind
            ]
            if found := [words for words in dict.fromkeys(every) if words.casefold() not in own]:
                return found
        return []

    def may_answer(self, words: str, rest: set[str]) -> bool:
        """Return whether a sentence has some words beside too many of a question's other terms."""
        return any(
            words in sentence and len(rest & terms) > MOST_SHARED * len(rest)
            for sentence, terms in self._sentences
        )


def _exchange(entry: Mapping[str, Any], articles: _Articles, chance: random.Random) -> NearMiss | None:
    """Exchange one year, number, name or place of a question, or return None if nothing can be."""
    question = entry["question"].strip()
    subject = entry["group"].replace("_", " ").casefold()
    named = [one for one in articles.named(question) if one.words.casefold() not in subject]
    for one in chance.sample(named, len(named)):
        rest = set(text_terms(question[: one.start] + question[one.end :]))
        if len(rest) < FEWEST_TERMS:
            continue
        avoided = " ".join([question, subject, *(answer["text"] for answer in entry["answers"])]).casefold()
        choices = [
            words
            for words in articles.others(entry, one.kind)
            if words.casefold() not in avoided and not articles.may_answer(words, rest)
        ]
        if choices:
            now = chance.choice(choices)
            changed = question[: one.start] + now + question[one.end :]
            return NearMiss(changed, one.kind, one.words, now, entry["id"])
    return None
