"""The reading order of evidence, by worked example."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.assemble import order_for_attention
from rag.types import Chunk, Hit, whole_chunk


def ranked(count: int) -> list[Hit]:
    return [whole_chunk(Chunk("id", "a", 1, n, n + 1, "x"), 1 - n / 1000, "rerank") for n in range(count)]


@pytest.mark.parametrize(
    ("count", "ranks"),
    [
        (0, []),
        (1, [1]),
        (2, [1, 2]),
        (3, [1, 3, 2]),
        (4, [1, 3, 4, 2]),
        (5, [1, 3, 5, 4, 2]),
        (6, [1, 3, 5, 6, 4, 2]),
    ],
)
def test_the_best_come_first_and_last(count: int, ranks: list[int]) -> None:
    hits = ranked(count)
    assert order_for_attention(hits) == [hits[rank - 1] for rank in ranks]


@given(st.integers(0, 200))
def test_ordering_permutes_and_the_weakest_lie_inward(count: int) -> None:
    hits = ranked(count)
    ordered = order_for_attention(tuple(hits))
    assert sorted(ordered, key=lambda hit: -hit.score) == hits
    weakest = hits.index(min(ordered, key=lambda hit: hit.score)) if hits else 0
    place = ordered.index(hits[weakest]) if hits else 0
    assert place == count // 2 or not hits
    falling, rising = ordered[: place + 1], ordered[place:]
    assert falling == sorted(falling, key=lambda hit: -hit.score)
    assert rising == sorted(rising, key=lambda hit: hit.score)
