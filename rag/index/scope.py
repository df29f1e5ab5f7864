"""Which document a question means, by words that are among the names of few documents.

"What was Intel's tax rate in Q3 2023?" names a company, a quarter and a year, and asks for a tax rate. A document is
called by the words of its label (rag/text/names.py), and by the names, numbers and periods of its opening: the company
and the quarter on its first page. A word of the question that n of N documents are called by says

    ln((N + 1) / (n + 1)) nats

for each of them: nothing if all are, most if one is; OPENING of that if only its opening says so, for openings also
name what a document replaces or refers to. A word written without capitals or digits counts by labels alone,
since openings are full of such words. With s(d) the sum over the question's words,

    prior(d) = exp(TRUST * (s(d) - max s)), in (0, 1]

It is 1 for every document where the question names none. Where it names no period, a document that a newer one of its
series replaces is meant less: "travel policy 2024" beside "travel policy 2026", each quarter's report but the last.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rag.index.lexical import LexicalIndex
from rag.text.names import names_in
from rag.text.periods import periods_in
from rag.text.words import content_words, plain_characters

# The words of a name do not come independently of each other, so their sum says less than it seems.
TRUST = 0.5
OPENING = 0.85
# Nats from which a word names documents, and is no part of what is asked about them.
_NAMES_FROM = 0.25
# Prior from which a document may be the one that is meant, and is searched by itself.
MEANT_FROM = 0.5
_VERSION = re.compile(r"\bv?(\d+(?:\.\d+)+)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Concept:
    """A word or a period at a place in a question, as a term that documents may be called by."""

    start: int
    end: int
    term: str
    named: bool  # written like a name, so that openings count too


@dataclass(frozen=True, slots=True)
class Scope:
    """What a question says of documents: each one's prior, and the question without the words that name them."""

    rows: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))  # (n_documents,) ascending
    prior: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))  # (n_documents,) in (0, 1]
    # Terms written like names that some documents are called by, and which are: (n_documents,) bool each
    names: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    content: str = ""  # "" if nothing else is asked
    dated: bool = False  # the question names a period or a version

    @property
    def meant(self) -> NDArray[np.int64]:
        """The rows of the documents that may be meant; none if every document may be."""
        likely = self.prior >= MEANT_FROM
        return self.rows[likely] if not likely.all() else np.empty(0, np.int64)

    def of(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the prior of each of these documents, all of which must be known: (len(rows),)."""
        return np.asarray(self.prior[np.searchsorted(self.rows, rows)], np.float64)

    def unnamed(self, rows: NDArray[np.int64]) -> list[tuple[str, ...]]:
        """Return for each of these documents, all of them known, the names that others are called by and it is not."""
        at = np.searchsorted(self.rows, rows).tolist()
        return [tuple(name for name, called in self.names.items() if not called[row]) for row in at]


class DocumentNames:
    """What documents are called, by row. Not thread-safe: the follower that owns it holds a lock."""

    def __init__(self) -> None:
        self._labels, self._openings = LexicalIndex(), LexicalIndex()
        self._rows: NDArray[np.int64] = np.empty(0, np.int64)  # ascending

    def add(self, rows: Sequence[int], texts: Sequence[str]) -> None:
        """Add documents.

        Args:
            texts: of the first chunk of each: a line with the document's label, then its opening.
        """
        parted = [text.partition("\n") for text in texts]
        self._labels.add(rows, [f"{label} {_periods(label)}" for label, _, _ in parted])
        self._openings.add(rows, [names_in(opening) for _, _, opening in parted])
        self._rows = np.union1d(self._rows, np.array(rows, np.int64))

    def remove(self, rows: Iterable[int]) -> None:
        """Remove documents; unknown ones are ignored."""
        gone = list(rows)
        self._labels.remove(gone)
        self._openings.remove(gone)
        self._rows = np.setdiff1d(self._rows, np.array(gone, np.int64))

    def scope(self, question: str) -> Scope:
        """Return which documents a question means."""
        question = plain_characters(question)
        concepts = concepts_of(question)
        said = np.zeros(len(self._rows))
        naming: set[str] = set()
        names: dict[str, NDArray[np.bool_]] = {}
        seen: set[str] = set()
        for concept in concepts:
            if concept.term in seen:
                continue
            seen.add(concept.term)
            called = self._called(concept)
            nats = np.log((len(self._rows) + 1) / (np.count_nonzero(called) + 1))
            said += nats * called
            if called.any() and nats >= _NAMES_FROM:
                naming.add(concept.term)
                if concept.named and concept.term.isalpha():
                    names[concept.term] = called > 0
        prior = np.exp(TRUST * (said - said.max(initial=0.0)))
        asked = [concept for concept in concepts if concept.term not in naming]
        dated = bool(periods_in(question) or _VERSION.search(question))
        content = _without(question, concepts, naming) if asked else ""
        return Scope(self._rows, prior, names, content, dated)

    def _called(self, concept: Concept) -> NDArray[np.float64]:
        """Return how much each document is called by a concept: (n_documents,) of 1, OPENING or 0."""
        by_label = np.isin(self._rows, self._labels.holders(concept.term)).astype(np.float64)
        if not concept.named:
            return by_label
        by_opening = np.isin(self._rows, self._openings.holders(concept.term))
        called: NDArray[np.float64] = np.maximum(by_label, OPENING * by_opening)
        return called

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return everything as plain arrays, valid until the next change."""
        labels, openings = self._labels.to_arrays(), self._openings.to_arrays()
        return {
            **{f"label_{name}": array for name, array in labels.items()},
            **{f"opening_{name}": array for name, array in openings.items()},
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Restore what `to_arrays` returned. Raises ValueError or KeyError for arrays of another format."""

        def part(prefix: str) -> LexicalIndex:
            own = {
                name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)
            }
            return LexicalIndex.from_arrays(own)

        names = cls()
        names._labels, names._openings = part("label_"), part("opening_")
        names._rows = np.sort(arrays["label_lexical_ids"])
        return names


def concepts_of(question: str) -> list[Concept]:
    """Return the periods and the other words of a question, without stop words."""
    periods = [Concept(one.start, one.end, one.name.lower(), True) for one in periods_in(question)]
    words = [
        Concept(start, end, term, any(one.isupper() or one.isdigit() for one in question[start:end]))
        for start, end, term in content_words(question)
        if not any(start < one.end and one.start < end for one in periods)
    ]
    return periods + words


def prefer_newest(priors: Mapping[str, float]) -> dict[str, float]:
    """Return the priors of documents, by label, for a question that names no period.

    Labels that differ in nothing but periods and versions are a series. Its newest is meant as much as any of it, and
    the others less: that one of n is asked for says ln((n + 1) / 2) nats, as any word does that one of n is called by.
    """
    series: dict[str, dict[str, tuple[object, ...]]] = defaultdict(dict)
    for label in priors:
        if age := _age(label):
            series[_undated(label)][label] = age
    preferred = dict(priors)
    for members in series.values():
        newest = max(members.values())
        factor = float(np.exp(-TRUST * np.log((len(members) + 1) / 2)))
        best = max(priors[label] for label in members)
        preferred |= {
            label: priors[label] * factor if age < newest else best for label, age in members.items()
        }
    return preferred


def _age(label: str) -> tuple[object, ...]:
    """Return what orders a label among those of its series; nothing without a year or a version."""
    names = [period.name for period in periods_in(label)]
    years = [name for name in names if name.isdecimal()]
    version = _VERSION.search(label)
    if not years and not version:
        return ()
    within = [name for name in names if not name.isdecimal()]
    numbers = tuple(map(int, version[1].split("."))) if version else ()
    return max(years, default=""), max(within, default=""), numbers


def _undated(label: str) -> str:
    for period in periods_in(label):
        label = label[: period.start] + "#" * (period.end - period.start) + label[period.end :]
    return re.sub(r"#+", "#", _VERSION.sub("#", label)).casefold()


def _without(question: str, concepts: Sequence[Concept], naming: set[str]) -> str:
    kept = list(question)
    for concept in concepts:
        if concept.term in naming:
            kept[concept.start : concept.end] = " " * (concept.end - concept.start)
    return " ".join("".join(kept).split())


def _periods(text: str) -> str:
    return " ".join(period.name for period in periods_in(text))
