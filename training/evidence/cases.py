"""What the evidence model learns from: a question and the passages that were found for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rag.text.sentences import split_sentences, strip_span

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class LabelledPassage:
    """A text with its place and its units; spans are code points of the text.

    `answering` holds the numbers of the units that answer; None means at least one of them, unknown which. `about` says
    whether it is about what is asked, answer or not; None: not known. `rows`: whether its units are rows of a table.
    """

    place: str
    text: str
    units: tuple[Span, ...]
    answering: frozenset[int] | None = frozenset()
    spans: tuple[Span, ...] = ()
    about: bool | None = None
    rows: bool = False

    @property
    def answers(self) -> bool:
        return self.answering is None or bool(self.answering)


@dataclass(frozen=True, slots=True)
class Case:
    """A question with passages; `yes` is the answer where it is yes or no and the first passage decides it."""

    question: str
    passages: tuple[LabelledPassage, ...]
    yes: bool | None = None

    @property
    def answerable(self) -> bool:
        return any(passage.answers for passage in self.passages)


def units_of(text: str) -> tuple[Span, ...]:
    """Return the sentences of a text without the white space around them."""
    spans = (strip_span(text, start, end) for start, end in split_sentences(text))
    return tuple(span for span in spans if span[0] < span[1])


def passage(place: str, text: str, spans: Iterable[Span]) -> LabelledPassage:
    """Return a passage whose sentences answer where a span of the answer stands in them."""
    units, found = units_of(text), tuple(dict.fromkeys(spans))
    holding = frozenset(
        number for number, (start, end) in enumerate(units) if any(s < end and e > start for s, e in found)
    )
    return LabelledPassage(place, text, units, holding, found, about=True)


def silent(place: str, text: str, about: bool | None) -> LabelledPassage:
    """Return a passage that does not answer."""
    return LabelledPassage(place, text, units_of(text), about=about)
