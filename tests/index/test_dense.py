"""Dense search against brute force, in order and score, ties included."""

import numpy as np
import pytest

from rag.index.dense import DenseIndex
from tests.made_versions import random_vectors


def made(count: int, seed: int) -> dict[int, np.ndarray]:
    ids = np.random.default_rng(seed).choice(2**62, count, replace=False) * 2 + 1  # up to 63 bits
    return dict(zip(ids.tolist(), random_vectors(count, seed).astype(np.float16), strict=True))


def is_brute_force(
    found: list[tuple[int, float]], vectors: dict[int, np.ndarray], question: np.ndarray, k: int
) -> bool:
    """Return whether these are the k best, in order; two that float32 cannot distinguish may be swapped."""
    scores = {i: float(vector.astype(np.float64) @ question) for i, vector in vectors.items()}
    best = sorted(scores.values(), reverse=True)[:k]
    return (
        len({i for i, _ in found}) == len(found) == len(best)
        and bool(np.allclose([score for _, score in found], best, atol=1e-6))
        and bool(np.allclose([score for _, score in found], [scores[i] for i, _ in found], atol=1e-6))
    )


@pytest.mark.parametrize("seed", range(3))
def test_search_equals_brute_force_after_adds_and_removals(seed: int) -> None:
    chance, living, index = np.random.default_rng(seed), made(300, seed), DenseIndex(384)
    index.add(list(living), np.stack(list(living.values())))
    for turn in range(5):
        gone = chance.choice(list(living), 40, replace=False).tolist()
        index.remove([*gone, 5, 5])  # 5 is unknown
        living = {i: vector for i, vector in living.items() if i not in gone}
        new = made(20, 100 * seed + turn + 1000)
        index.add(list(new), np.stack(list(new.values())))
        living |= new
        question = random_vectors(1, seed + turn)[0]
        assert len(index) == len(living)
        for k in (1, 7, len(living), 10_000):
            assert is_brute_force(index.search(question, k), living, question, k)
        allowed = np.sort(chance.choice(list(living), 30, replace=False))
        for k in (1, 7, 30, 100):
            found = index.search(question, k, allowed=allowed)
            assert is_brute_force(found, {i: living[i] for i in allowed.tolist()}, question, k)
        ids = list(living)[::7]
        scores = [float(living[i] @ question) for i in ids]
        assert np.allclose(index.score(question, ids), scores, atol=1e-5)


@pytest.mark.parametrize("tied", [2, 9, 60])
def test_ties_are_cut_by_id_whatever_the_order_of_arrival(tied: int) -> None:
    best, twin, worse = random_vectors(3, 4)
    question = best
    twin = (best + 0.1 * twin) / np.linalg.norm(best + 0.1 * twin)
    ids = [500 - n for n in range(tied)]  # the highest arrives first
    index = DenseIndex(384)
    index.add(ids, np.stack([twin] * tied))
    index.add([1000, 1001], np.stack([best, worse]))
    for k in (1, 2, 3, tied, tied + 1):
        expected = [1000, *sorted(ids)][:k]
        assert [i for i, _ in index.search(question, k)] == expected
        assert [i for i, _ in index.search(question, k, allowed=np.array(sorted([*ids, 1000])))] == expected


def test_edges() -> None:
    question = random_vectors(1, 0)[0]
    empty = DenseIndex(384)
    assert empty.search(question, 5) == []
    assert len(DenseIndex.from_arrays(empty.to_arrays(), 384)) == 0
    empty.remove([1])
    index = DenseIndex(384)
    index.add([1, 2], random_vectors(2, 1))
    assert index.search(question, 0) == []
    assert index.search(question, 5, allowed=np.zeros(0, np.int64)) == []
    assert index.search(question, 5, allowed=np.array([7, 9])) == []
    assert [i for i, _ in index.search(question, 5, allowed=np.array([2, 9]))] == [2]
    assert index.score(question, []).shape == (0,)


def test_arrays_restore_the_same_index() -> None:
    living, index, question = made(50, 8), DenseIndex(384), random_vectors(1, 9)[0]
    index.add(list(living), np.stack(list(living.values())))
    index.remove(list(living)[:5])
    restored = DenseIndex.from_arrays(index.to_arrays(), 384)
    assert restored.search(question, 50) == index.search(question, 50)
    assert restored.to_arrays()["dense_vectors"].dtype == np.float16
