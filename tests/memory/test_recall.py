"""Recalling turns: by the meaning of each, and by the words around it."""

import numpy as np
import pytest

from eval.datasets import available
from rag.memory.recall import BEFORE, TurnIndex, TurnText
from rag.models.embed import Embedder

SAID = [
    TurnText(1, "What is the limit for hotels in Lund?"),
    TurnText(1, "It is 900 kronor."),
    TurnText(1, "And breakfast?"),
    TurnText(1, "That is included."),
    TurnText(2, "Who lights the lamp?"),
    TurnText(2, "Ada Quill does."),
]


def turns_of(embedder: Embedder, said: list[TurnText]) -> TurnIndex:
    return TurnIndex(said, embedder.encode([one.text for one in said]))


def test_a_turn_is_found_by_its_own_words(embedder: Embedder) -> None:
    question = "Who lights the lamp?"
    ranked = turns_of(embedder, SAID).rank(question, embedder.encode([question])[0], 3)

    assert ranked[0][0] == 4
    assert ranked[0][2] == pytest.approx(1.0, abs=1e-3)
    assert [score for _, score, _ in ranked] == sorted((score for _, score, _ in ranked), reverse=True)
    assert len(ranked) == 3


def test_a_turn_is_found_by_the_words_before_it_within_its_session(embedder: Embedder) -> None:
    """With uninformative vectors, words alone decide: the turns after the one that names the hotel share them."""
    same = np.ones(4, np.float32) / 2
    blind = TurnIndex(SAID, np.tile(same, (len(SAID), 1)))

    def found(question: str) -> set[int]:
        ranked = blind.rank(question, same, len(SAID))
        least = min(score for _, score, _ in ranked)
        return {n for n, score, _ in ranked if score > least}

    assert BEFORE == 2
    assert found("hotels Lund") == {0, 1, 2}
    assert found("breakfast included") == {2, 3}


def test_nothing_is_found_among_nothing(embedder: Embedder) -> None:
    assert TurnIndex([], np.zeros((0, 384), np.float32)).rank("Who?", np.zeros(384, np.float32), 5) == []


@pytest.mark.skipif(not available("conversation"), reason="needs ../shared/data/conversation")
def test_an_evidence_turn_of_a_long_conversation_is_among_ten() -> None:
    from eval.benchmarks.conversation.recall import measure

    figures = measure()
    assert figures["evidence turn among ten"] >= 0.80
    assert figures["evidence turn among ten"] > figures["by meaning alone"] + 0.2
