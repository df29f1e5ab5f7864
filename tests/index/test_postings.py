"""The segments of the lexical index, and the index at a size at which they matter, against brute force."""

import random
import time

import numpy as np
import pytest

from rag.index import lexical
from rag.index.lexical import LexicalIndex
from rag.index.postings import BLOCK, best_docs, build, merge


def prose(n: int, seed: int = 0) -> list[str]:
    """Make n chunks of 20 to 120 words with frequencies like a language's (Zipf)."""
    rng = np.random.default_rng(seed)
    ranks = rng.zipf(1.3, n * 120) % 5000
    lengths = rng.integers(20, 120, n)
    return [" ".join(f"w{rank}x" for rank in ranks[i * 120 : i * 120 + lengths[i]]) for i in range(n)]


@pytest.fixture(scope="module")
def large() -> LexicalIndex:
    index = LexicalIndex()
    index.add([3 * i for i in range(20_000)], prose(20_000))
    return index


def brute(index: LexicalIndex, question: str, k: int, ids: list[int]) -> list[tuple[int, float]]:
    scores = index.score(question, ids).tolist()
    scored = [(i, score) for i, score in zip(ids, scores, strict=True) if score > 0]
    return sorted(scored, key=lambda hit: (-hit[1], hit[0]))[:k]


@pytest.mark.parametrize("k", [1, 20, 500])
@pytest.mark.parametrize("question", ["w1x w7x", "w40x w900x w3x", "w4999x"])
def test_the_best_of_many(large: LexicalIndex, question: str, k: int) -> None:
    assert large.search(question, k) == brute(large, question, k, list(range(0, 60_000, 3)))


@pytest.mark.parametrize("share", [0.0, 0.0005, 0.01, 0.5, 1.0])
def test_a_filter_acts_inside(large: LexicalIndex, share: float) -> None:
    rng = random.Random(1)
    allowed = [i for i in range(1, 50_000) if rng.random() < share]  # two thirds unknown; some of ours above
    for question in ("w1x w7x", "w40x w900x w3x"):
        hits = large.search(question, 20, allowed=np.array(allowed, np.int64))
        assert hits == brute(large, question, 20, allowed)


def test_best_docs_keeps_the_tail_and_its_ties() -> None:
    scores = np.zeros(BLOCK * 10 + 3, np.float32)
    scores[[5, 6, BLOCK * 10 + 2]] = [1, 2, 3]
    assert best_docs(scores, 2).tolist() == [5, 6, BLOCK * 10 + 2]
    scores[BLOCK * 3] = scores[BLOCK * 4] = 2
    assert best_docs(scores, 2).tolist() == [6, BLOCK * 3, BLOCK * 4, BLOCK * 10 + 2]


def test_segments_stay_few_and_the_dead_leave() -> None:
    index, texts = LexicalIndex(), prose(1500)
    for i, text in enumerate(texts):
        index.add([i], [text])
        assert len(index._segments) <= 5  # log8(1500) = 3.5
    index.remove(range(1, 1500))
    assert sum(len(segment.ids) for segment in index._segments) <= 2
    assert len(index) == 1


def test_a_merge_of_live_and_dead() -> None:
    number = np.int32
    first = build(np.array([5, 3]), np.array([3, 1], number), np.array([0, 4, 0, 4], number))
    second = build(np.array([9]), np.array([2], number), np.array([2, 4], number))
    assert first.mark_dead(np.array([0])).tolist() == [0, 4]
    merged = merge([first, second])
    assert merged.ids.tolist() == [3, 9]
    assert merged.terms.tolist() == [2, 4]
    assert merged.starts.tolist() == [0, 1, 3]
    assert (merged.docs.tolist(), merged.counts.tolist()) == ([1, 0, 1], [1, 1, 1])


def test_a_pasted_page_is_answered_from_its_weightiest_terms(large: LexicalIndex) -> None:
    page = " ".join(f"w{i % 5000}x" for i in range(20_000))[:100_000] + " w4999x"
    started = time.thread_time()
    assert len(large.search(page, 5)) == 5
    assert time.thread_time() - started < 1.0  # ten times the usual
    assert len(large._weigh(page)[0]) == lexical.QUESTION_TERMS
    weights = large._weigh(page)[1]
    assert weights.min() >= np.median([large.idf(f"w{i}x") for i in range(5000)])


def test_one_chunk_at_size_is_searchable_at_once(large: LexicalIndex) -> None:
    spent = []
    for i in range(50):
        unheard = "zq" + "abcdefghij"[i // 10] + "abcdefghij"[i % 10]
        started = time.thread_time()
        large.add([1_000_001 + i], [f"newcomer {unheard}"])
        assert [hit for hit, _ in large.search(unheard, 1)] == [1_000_001 + i]
        large.remove([1_000_001 + i])
        assert large.search(unheard, 1) == []
        spent.append(time.thread_time() - started)
    assert np.median(spent) < 0.05  # measured: 0.002
