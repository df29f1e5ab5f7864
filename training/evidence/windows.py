"""Encode cases as the network reads them: `[CLS] question [SEP] place [SEP] text [SEP]`, a window for each passage."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from rag.models.evidence import EVIDENCE_WINDOW, PLACE_TOKENS, tokens_within
from rag.models.runtime import QUESTION_TOKENS, trunk_tokenizer
from training.evidence.cases import Case, LabelledPassage

# Tokens of a whole window: in use, it is as long as what there is to read.
_SHORT = (64, 96, 128, EVIDENCE_WINDOW)
_STEP = 16


@dataclass(frozen=True, slots=True)
class LabelledWindow:
    """One window with its targets.

    `units` are (first, last) tokens; `labels` 1, 0 or -1 (not known) for each; `spans` (first, last) tokens of answers.
    `answers`, `about`, `yes` are 1, 0 or -1. `some`: at least one of the units answers, unknown which.
    """

    asked: Sequence[int]
    place: Sequence[int]
    text: Sequence[int]
    units: Sequence[tuple[int, int]]
    labels: Sequence[int]
    spans: Sequence[tuple[int, int]]
    answers: int
    about: int
    yes: int = -1
    some: bool = False

    def __len__(self) -> int:
        return len(self.asked) + len(self.place) + len(self.text) + 4


@dataclass(frozen=True, slots=True)
class WindowGroup:
    """The windows of one question."""

    windows: tuple[LabelledWindow, ...]

    def __len__(self) -> int:
        return max(map(len, self.windows))


def encode(case: Case, rng: random.Random) -> WindowGroup:
    """Return the windows of a case; a long passage is cut to units around one that answers."""
    asked = tokens(case.question).ids[-QUESTION_TOKENS:]
    windows = [_window(asked, passage, rng) for passage in case.passages]
    if case.yes is not None:
        number = next(n for n, p in enumerate(case.passages) if p.answers)
        first = windows[number]
        windows[number] = LabelledWindow(
            first.asked, first.place, first.text, first.units, first.labels, first.spans, first.answers, first.about,
            int(case.yes), first.some,
        )  # fmt: skip
    return WindowGroup(tuple(window for window in windows if window.units))


def _window(asked: Sequence[int], passage: LabelledPassage, rng: random.Random) -> LabelledWindow:
    place = tokens(passage.place).ids[:PLACE_TOKENS]
    encoded = tokens(passage.text)
    offsets = encoded.offsets
    room = (
        (EVIDENCE_WINDOW if passage.answering is None else rng.choice(_SHORT)) - 4 - len(asked) - len(place)
    )
    bounds = tokens_within(offsets, passage.units)
    low, high = _cut(bounds, len(offsets), sorted(passage.answering or ()), max(room, 24), rng)
    shift = len(asked) + len(place) + 3 - low
    kept = [
        (n, (b[0] + shift, min(b[1], high - 1) + shift))
        for n, b in enumerate(bounds)
        if b and low <= b[0] < high
    ]
    spans = [
        (b[0] + shift, b[1] + shift)
        for b in tokens_within(offsets, passage.spans)
        if b and low <= b[0] and b[1] < high
    ]
    some = passage.answering is None
    labels = [-1 if some else int(n in (passage.answering or ())) for n, _ in kept]
    answers = int(some or any(label == 1 for label in labels))
    about = -1 if passage.about is None else int(passage.about)
    return LabelledWindow(
        asked, place, encoded.ids[low:high], [unit for _, unit in kept], labels, spans if answers else [], answers,
        about, some=some,
    )  # fmt: skip


def _cut(
    bounds: Sequence[tuple[int, int] | None],
    total: int,
    answering: Sequence[int],
    room: int,
    rng: random.Random,
) -> tuple[int, int]:
    """Return the first token of a window and the one after its last; it begins with a unit."""
    if total <= room:
        return 0, total
    begins = [b[0] for b in bounds if b] or [0]
    if answering and (gold := bounds[rng.choice(answering)]):
        least = max(0, min(gold[0], gold[1] + 1 - room))
        fitting = [begin for begin in begins if least <= begin <= gold[0]] or [gold[0]]
        low = rng.choice(fitting)
    else:
        low = rng.choice([begin for begin in begins if begin <= max(0, total - room // 2)] or [0])
    return low, min(total, low + room)


def collate(windows: Sequence[LabelledWindow], cls: int = 101, sep: int = 102) -> dict[str, Tensor]:
    """Pad some windows: what `EvidenceNetwork.forward` takes."""
    width = -(-max(map(len, windows)) // _STEP) * _STEP
    ids, mask, types, placed = (torch.zeros(len(windows), width, dtype=torch.long) for _ in range(4))
    spans = [(row, first, last) for row, window in enumerate(windows) for first, last in window.units]
    units = torch.zeros(len(spans), width, dtype=torch.long)
    for row, one in enumerate(windows):
        read = [cls, *one.asked, sep, *one.place, sep, *one.text, sep]
        begin = len(one.asked) + 2
        ids[row, : len(read)] = torch.tensor(read)
        mask[row, : len(read)] = 1
        types[row, begin : len(read)] = 1
        placed[row, begin : begin + len(one.place)] = 1
    for number, (_, first, last) in enumerate(spans):
        units[number, first : last + 1] = 1
    return {
        "input_ids": ids,
        "attention_mask": mask,
        "token_type_ids": types,
        "placed": placed,
        "units": units,
        "owners": torch.tensor([row for row, _, _ in spans]),
    }


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of a text and where each stands in it; a tokenizer's own encoding takes a hundred times the memory."""

    ids: list[int]
    offsets: list[tuple[int, int]]


@lru_cache(maxsize=30_000)
def tokens(text: str) -> Tokens:
    """Return the trunk's tokens of a text."""
    encoded = trunk_tokenizer().encode(text, add_special_tokens=False)
    return Tokens(encoded.ids, encoded.offsets)
