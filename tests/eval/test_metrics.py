"""Metrics against arithmetic done by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.metrics import DocumentSpan, ndcg_at_k, percentile, reciprocal_rank, span_scores

SPANS = st.lists(
    st.tuples(st.sampled_from("ab"), st.integers(0, 40), st.integers(1, 20)).map(
        lambda s: (s[0], s[1], s[1] + s[2])
    ),
    max_size=6,
)


def test_span_scores_by_hand() -> None:
    retrieved = [("a", 0, 10), ("a", 8, 20), ("b", 0, 10)]  # 32 characters, "a" covers 0-20
    gold = [("a", 5, 15), ("a", 30, 40)]  # 20 characters, 10 of them found

    scores = span_scores(retrieved, gold)

    assert scores.recall == 10 / 20
    assert scores.precision == 10 / 32
    assert scores.iou == 10 / (32 + 10)  # all retrieved, and the gold that was missed


@given(SPANS, SPANS.filter(bool))
def test_span_scores_equal_sets_of_characters(
    retrieved: list[DocumentSpan], gold: list[DocumentSpan]
) -> None:
    found = {(name, i) for name, start, end in retrieved for i in range(start, end)}
    wanted = {(name, i) for name, start, end in gold for i in range(start, end)}
    total = sum(end - start for _, start, end in retrieved)

    scores = span_scores(retrieved, gold)

    assert scores.recall == pytest.approx(len(found & wanted) / len(wanted) if total else 0)
    assert scores.precision == pytest.approx(len(found & wanted) / total if total else 0)
    missed = len(wanted - found)
    assert scores.iou == pytest.approx(len(found & wanted) / (total + missed) if total else 0)


def test_a_question_without_gold_has_no_recall() -> None:
    with pytest.raises(ValueError, match="no recall"):
        span_scores([("a", 0, 1)], [])


def test_ndcg_by_hand() -> None:
    relevance = {"x": 2.0, "y": 1.0, "z": 1.0}
    dcg = 1 / math.log2(2) + 2 / math.log2(4)
    best = 2 / math.log2(2) + 1 / math.log2(3) + 1 / math.log2(4)

    assert ndcg_at_k(["y", "no", "x"], relevance, 3) == pytest.approx(dcg / best)
    assert ndcg_at_k(["y", "no", "x"], relevance, 1) == pytest.approx(1 / 2)
    assert ndcg_at_k(["x"], {}, 10) == 0


def test_reciprocal_rank() -> None:
    assert reciprocal_rank(["a", "b", "c"], ["c", "b"]) == 1 / 2
    assert reciprocal_rank(["a"], ["b"]) == 0


@given(st.lists(st.floats(-1e6, 1e6), min_size=1), st.floats(0, 1))
def test_percentile_equals_numpy(values: list[float], share: float) -> None:
    assert percentile(values, share) == pytest.approx(float(np.quantile(values, share)), abs=1e-6, rel=1e-9)
