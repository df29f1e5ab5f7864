"""How sure an answer is: of its best sentence alone, with and without a reader, and with weights for every case."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from rag.answer import relevance
from rag.answer.relevance import (
    ABSENT_NAME,
    HERE,
    MOST_ABSENT,
    READ_FEATURES,
    UNREAD_FEATURES,
    Signs,
    Weighed,
    answers_pack,
    confidence,
    confidence_features,
)
from rag.answer.sentences import sentences_of_text
from rag.errors import ModelError

FIRST, SECOND = sentences_of_text("The lamp burns whale oil. The stairs have 199 steps.")
WEIGHED = [
    Weighed(FIRST, np.array([-3.0, 0.4]), -2.0),
    Weighed(SECOND, np.array([1.5, 0.9]), 0.5),
]
NOTHING_ABSENT = Signs(())


def log_odds(probability: float) -> float:
    return math.log(probability / (1 - probability))


def test_the_best_sentence_and_the_reader_tell_how_sure_an_answer_is() -> None:
    assert confidence_features(WEIGHED, NOTHING_ABSENT).tolist() == [1.5, 0.9]
    read = replace(NOTHING_ABSENT, here=0.8)
    assert confidence_features(WEIGHED, read) == pytest.approx([1.5, 0.9, log_odds(0.8)])
    # A reader's certainty is bounded
    certain = [confidence_features(WEIGHED, replace(read, here=here))[2] for here in (0.0, 1e-9, 1 - 1e-9, 1)]
    assert certain == pytest.approx([-9.2, -9.2, 9.2, 9.2])


def test_names_that_nothing_mentions_make_an_answer_less_likely() -> None:
    sure = log_odds(confidence(WEIGHED, Signs((), 0.8)))
    for count in (1, 2, 3):
        names = [f"Name {number}" for number in range(count)]
        less = log_odds(confidence(WEIGHED, Signs(names, 0.8)))
        assert sure - less == pytest.approx(ABSENT_NAME * min(count, MOST_ABSENT))


def test_what_both_models_believe_is_likelier() -> None:
    believed, doubted = Signs((), 0.95), Signs((), 0.05)
    assert confidence(WEIGHED, believed) > confidence(WEIGHED, doubted)
    assert confidence(WEIGHED, believed) > confidence(WEIGHED[:1], believed)


@pytest.mark.parametrize(("part", "own"), [("read", READ_FEATURES), ("unread", UNREAD_FEATURES)])
def test_the_weights_that_ship_are_those_that_are_asked_for(part: str, own: tuple[str, ...]) -> None:
    shipped = answers_pack()[part]
    expected = {"sentence": own, "confidence": own[:2], "confidence with a reader": (*own[:2], HERE)}
    for name, features in expected.items():
        assert tuple(shipped[name]["features"]) == features
        assert len(shipped[name]["weights"]) == len(features)


def test_weights_of_other_features_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    other = {"read": {"confidence": {"features": ["spread"], "weights": [1.0], "bias": 0.0}}}
    monkeypatch.setattr(relevance, "answers_pack", lambda: other)
    with pytest.raises(ModelError, match=r"fitted to other features; run `python -m training\.answers`"):
        confidence(WEIGHED, NOTHING_ABSENT)
