from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.fuse import add_prior, average_scores, reciprocal_rank_fusion
from rag.index.scores import min_max
from rag.types import Chunk, Hit

SCORES = st.dictionaries(st.integers(0, 30), st.floats(-1, 50), max_size=12)


def hit(number: int, score: float = 0.0) -> Hit:
    chunk = Chunk("doc", "doc.txt", 1, number * 10, number * 10 + 4, "text")
    return Hit(chunk, chunk.start, chunk.end, chunk.text, score, "dense")


def test_reciprocal_rank_by_hand() -> None:
    a, b, c = hit(1), hit(2), hit(3)
    fused = reciprocal_rank_fusion([[b, a], [a, c]])
    assert [one.chunk for one in fused] == [a.chunk, b.chunk, c.chunk]
    assert [one.score for one in fused] == pytest.approx([1 / 62 + 1 / 61, 1 / 61, 1 / 62])
    assert {one.stage for one in fused} == {"fused"}


def test_reciprocal_rank_ignores_scores_and_keeps_first_appearance_in_ties() -> None:
    a, b = hit(1, 0.1), hit(2, 99.0)
    assert [one.chunk for one in reciprocal_rank_fusion([[a], [b]])] == [a.chunk, b.chunk]
    assert reciprocal_rank_fusion([]) == []
    assert reciprocal_rank_fusion([[a]], k=0)[0].score == 1.0


def test_reciprocal_rank_refuses_negative_damping() -> None:
    with pytest.raises(ValueError, match="k is -1"):
        reciprocal_rank_fusion([], k=-1)


def test_average_by_hand() -> None:
    # dense stretches to 1, 0, .5; lexical to 0, 1, .25
    fused = average_scores({1: 0.9, 2: 0.1, 3: 0.5}, {1: 0.0, 2: 8.0, 3: 2.0}, dense_weight=0.6)
    expected = {1: 0.6 * 1 + 0.4 * 0, 3: 0.6 * 0.5 + 0.4 * 0.25, 2: 0.6 * 0 + 0.4 * 1}
    assert [chunk for chunk, _ in fused] == [1, 2, 3]  # 2 and 3 tie at .4: the order of `dense`
    assert dict(fused) == pytest.approx(expected)


def test_a_missing_score_counts_as_the_lowest_of_its_leg() -> None:
    given_ = average_scores({1: 0.9, 2: 0.4}, {2: 3.0, 3: 7.0}, dense_weight=0.5)
    completed = average_scores({1: 0.9, 2: 0.4, 3: 0.4}, {1: 3.0, 2: 3.0, 3: 7.0}, dense_weight=0.5)
    assert given_ == completed


def test_a_leg_without_differences_does_not_reorder() -> None:
    fused = average_scores({1: 0.2, 2: 0.8}, {1: 0.0, 2: 0.0}, dense_weight=0.5)
    assert fused == [(2, 0.5 * 1 + 0.5 * 0.5), (1, 0.5 * 0 + 0.5 * 0.5)]


@pytest.mark.parametrize("weight", [-0.1, 1.1])
def test_average_refuses_a_weight_outside_its_range(weight: float) -> None:
    with pytest.raises(ValueError, match="dense_weight"):
        average_scores({}, {}, dense_weight=weight)


@given(SCORES, SCORES, st.floats(0, 1))
def test_average_has_every_chunk_once_best_first(
    dense: dict[int, float], lexical: dict[int, float], weight: float
) -> None:
    fused = average_scores(dense, lexical, dense_weight=weight)
    scores = [score for _, score in fused]
    assert sorted(chunk for chunk, _ in fused) == sorted({*dense, *lexical})
    assert scores == sorted(scores, reverse=True)
    assert all(-1e-9 <= score <= 1 + 1e-9 for score in scores)


def test_min_max() -> None:
    assert min_max([2, 4, 3]).tolist() == [0.0, 1.0, 0.5]
    assert min_max([7, 7]).tolist() == [0.5, 0.5]
    assert min_max([]).tolist() == []


def test_the_document_prior_by_hand() -> None:
    weighed = add_prior([(1, 1.0), (2, 0.8), (3, 0.2)], {1: 0.3, 2: 1.0, 3: 1.0}, weight=0.5)
    expected = {2: (0.8 + 0.5) / 1.5, 1: (1.0 + 0.15) / 1.5, 3: (0.2 + 0.5) / 1.5}
    assert [chunk for chunk, _ in weighed] == [2, 1, 3]
    assert dict(weighed) == pytest.approx(expected)


@pytest.mark.parametrize(("prior", "weight"), [({}, 0.5), ({1: 0.2, 2: 0.2}, 0.5), ({1: 0.2, 2: 1.0}, 0.0)])
def test_a_prior_that_says_nothing_changes_nothing(prior: dict[int, float], weight: float) -> None:
    assert add_prior([(1, 0.9), (2, 0.1)], prior, weight=weight) == [(1, 0.9), (2, 0.1)]


def test_the_document_prior_refuses_a_negative_weight() -> None:
    with pytest.raises(ValueError, match="document prior is -1"):
        add_prior([], {}, weight=-1)
