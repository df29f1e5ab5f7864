"""Judge how well each unit of a text - sentence, table row, list item - answers a question.

A text is read with its place (what its document is called, the headings over it) and its units among their neighbours,
in windows that begin with a unit. A score is the log-odds of the unit against "nothing here answers", so scores of
several texts compare.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from rag.models.runtime import QUESTION_TOKENS, Runner, pack_runner

# Tokens of question, place, text and the four special ones, as in training.
EVIDENCE_WINDOW = 160
PLACE_TOKENS = 40
# The score of a unit without words.
UNREAD = -20.0
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class EvidencePassage:
    """A text to read: its place, and its units as spans of the text in order, which do not overlap."""

    place: str
    text: str
    units: tuple[Span, ...]


class EvidenceModel(Protocol):
    """Judges which units of texts answer a question. Safe for several threads."""

    def scores(self, question: str, passages: Sequence[EvidencePassage]) -> list[np.ndarray]:
        """Return for each passage the log-odds of its units (n_units,), float64."""


def load_evidence_model(*, threads: int = 0) -> EvidenceModel:
    """Load the packaged model.

    Raises:
        ModelError: if it cannot be loaded; the message says what to do.
    """
    return PackEvidenceModel(pack_runner("evidence", threads=threads))


class PackEvidenceModel:
    """The packaged model on ONNX Runtime; it reads English."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def scores(self, question: str, passages: Sequence[EvidencePassage]) -> list[np.ndarray]:
        texts = [one.place for one in passages] + [one.text for one in passages]
        asked, *tokens = self._runner.tokenise([question, *texts])
        first = asked.ids[-QUESTION_TOKENS:]
        windows: list[_Window] = []
        for number, one in enumerate(passages):
            place = tokens[number].ids[:PLACE_TOKENS]
            text = tokens[len(passages) + number]
            room = EVIDENCE_WINDOW - 4 - len(first) - len(place)
            windows += _windows(number, place, text.ids, tokens_within(text.offsets, one.units), room)
        outputs = self._runner.each(lambda one: self._run(first, one), windows)
        scores = [np.full(len(one.units), UNREAD) for one in passages]
        for window, output in zip(windows, outputs, strict=True):
            numbers = [number for number, _, _ in window.units]
            scores[window.passage][numbers] = output
        return scores

    def _run(self, first: Sequence[int], window: _Window) -> np.ndarray:
        begin = len(first) + 2
        shift = begin + len(window.place) + 1
        width = shift + len(window.ids) + 1
        placed, units = np.zeros((1, width), np.int64), np.zeros((len(window.units), width), np.int64)
        placed[0, begin : shift - 1] = 1
        for row, (_, start, last) in enumerate(window.units):
            units[row, shift + start : shift + last + 1] = 1
        second = [*window.place, self._runner.separator, *window.ids]
        owners = np.zeros(len(units), np.int64)
        return self._runner.run(first, second, placed=placed, units=units, owners=owners)[0]


@dataclass(frozen=True, slots=True)
class _Window:
    """Tokens of a passage that are read in one go; `units` are (number, first, last) in them."""

    passage: int
    place: Sequence[int]
    ids: Sequence[int]
    units: tuple[tuple[int, int, int], ...]


def _windows(
    passage: int, place: Sequence[int], ids: Sequence[int], units: Sequence[Span | None], room: int
) -> Iterator[_Window]:
    """Cut a passage into windows that begin with a unit and hold as many as fit; of a longer unit, the beginning."""
    known = [(number, *bounds) for number, bounds in enumerate(units) if bounds]
    lasts = [last for _, _, last in known]
    at = 0
    while at < len(known):
        begin = 0 if not at and lasts[-1] < room else known[at][1]
        following = max(at + 1, bisect_left(lasts, begin + room))
        # What follows is read too, as far as it fits: it may say what the last unit means
        end = min(len(ids), begin + room)
        inside = tuple(
            (number, first - begin, min(last, end - 1) - begin) for number, first, last in known[at:following]
        )
        yield _Window(passage, place, ids[begin:end], inside)
        at = following


def tokens_within(offsets: Sequence[Span], spans: Sequence[Span]) -> list[Span | None]:
    """Return the first and the last token that touch each span; None where none does."""
    starts, ends = [start for start, _ in offsets], [end for _, end in offsets]
    found = [(bisect_right(ends, start), bisect_left(starts, end) - 1) for start, end in spans]
    return [(first, last) if first <= last else None for first, last in found]
