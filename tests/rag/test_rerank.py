from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from rag.models.embed import Embedder, TokenVectors, load_embedder, maxsim
from rag.rerank import SLICE, LateInteraction
from rag.types import Chunk, Hit

QUESTION = "How long do bees live?"
TEXTS = [
    "The committee met on Tuesday to discuss the budget.",
    "A worker bee lives for about six weeks in summer.",
    "Honey is sold in glass jars.",
    "Trains to Hamburg leave every hour.",
]


def hits_of(texts: Sequence[str], context: str = "") -> list[Hit]:
    hits = []
    for rank, text in enumerate(texts):
        chunk = Chunk("doc", "doc.txt", 1, 1000 * rank, 1000 * rank + len(text), text, None, context)
        hits.append(Hit(chunk, chunk.start, chunk.end, text, 0.9 - 0.1 * rank, "fused"))
    return hits


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return load_embedder(threads=1)


def test_maxsim_by_hand() -> None:
    question = np.array([[1.0, 0.0], [0.0, 1.0]], np.float32)
    text = np.array([[3.0, 0.0], [3.0, 4.0]], np.float32)  # cosines: 1 and .6 to the first, 0 and .8
    assert maxsim(question, text) == pytest.approx((1.0 + 0.8) / 2)
    assert maxsim(question, text[:0]) == 0.0
    assert maxsim(question[:0], text) == 0.0


def test_scores_equal_the_formula_computed_token_by_token(embedder: Embedder) -> None:
    hits = hits_of(TEXTS)
    asked, *texts = embedder.encode_tokens([QUESTION, *TEXTS])
    sims = []
    for text in texts:
        best = [
            max(float(q @ t / np.linalg.norm(q) / np.linalg.norm(t)) for t in text.vectors)
            for q in asked.vectors
        ]
        sims.append(sum(best) / len(best))
    low, high = min(sims), max(sims)
    expected = {  # the original scores span .6 to .9
        hit.chunk.id: 0.5 * hit.score + 0.5 * (0.6 + 0.3 * (sim - low) / (high - low))
        for hit, sim in zip(hits, sims, strict=True)
    }
    reranked = LateInteraction(embedder).rerank(QUESTION, hits)
    # int8 activations are scaled per batch, so the same text differs a little from batch to batch
    assert {hit.chunk.id: hit.score for hit in reranked.hits} == pytest.approx(expected, abs=0.02)
    assert not reranked.late


def test_the_bee_comes_first_and_nothing_is_lost(embedder: Embedder) -> None:
    hits = hits_of(TEXTS)
    reranked = LateInteraction(embedder).rerank(QUESTION, hits)
    assert reranked.hits[0].text == TEXTS[1]
    assert {hit.chunk.id for hit in reranked.hits} == {hit.chunk.id for hit in hits}
    assert len(reranked.hits) == len(hits)
    scores = [hit.score for hit in reranked.hits]
    assert scores == sorted(scores, reverse=True)
    assert [hit.stage for hit in hits] == ["fused"] * 4  # the input is untouched


def test_what_is_not_read_keeps_score_and_place(embedder: Embedder) -> None:
    hits = hits_of(TEXTS)
    reranker = LateInteraction(embedder)
    limited = reranker.rerank(QUESTION, hits, limit=2)
    assert [(hit.text, hit.score) for hit in limited.hits[2:]] == [(hit.text, hit.score) for hit in hits[2:]]
    assert set(limited.vectors) == {hits[0].chunk.id, hits[1].chunk.id}


def test_reading_stops_at_the_slice_that_spends_the_tokens(embedder: Embedder) -> None:
    hits = hits_of([f"Item {number} of the list." for number in range(3 * SLICE)])
    reranker = LateInteraction(embedder)
    first = sum(len(embedder.token_offsets(hit.text)) for hit in hits[:SLICE])
    assert len(reranker.rerank(QUESTION, hits, tokens=1).vectors) == SLICE  # the first slice in any case
    assert len(reranker.rerank(QUESTION, hits, tokens=first).vectors) == SLICE
    assert len(reranker.rerank(QUESTION, hits, tokens=first + 1).vectors) == 2 * SLICE
    assert not reranker.rerank(QUESTION, hits, tokens=1).late  # enough was read; nothing was missed


def test_past_the_deadline_the_order_that_came_in_stays(embedder: Embedder) -> None:
    hits = hits_of(TEXTS)
    reranked = LateInteraction(embedder).rerank(QUESTION, hits, deadline_ms=0)
    assert reranked.late
    assert [hit.chunk for hit in reranked.hits] == [hit.chunk for hit in hits]
    assert reranked.vectors == {}


def test_slices_cover_every_hit(embedder: Embedder) -> None:
    hits = hits_of([f"Item {number} of the list." for number in range(SLICE + 3)])
    reranked = LateInteraction(embedder).rerank(QUESTION, hits, deadline_ms=60_000)
    assert len(reranked.vectors) == SLICE + 3


def test_token_offsets_are_those_of_the_chunk_without_its_context(embedder: Embedder) -> None:
    for context in ("", "Handbook > Animals > Bees"):
        hit = hits_of([TEXTS[1]], context)[0]
        tokens = LateInteraction(embedder).rerank(QUESTION, [hit]).vectors[hit.chunk.id]
        assert isinstance(tokens, TokenVectors)
        words = [hit.chunk.text[first:last].lower() for first, last in tokens.offsets.tolist()]
        assert words == ["a", "worker", "bee", "lives", "for", "about", "six", "weeks", "in", "summer", "."]
        assert len(tokens.vectors) == len(words)


def test_no_hits(embedder: Embedder) -> None:
    reranked = LateInteraction(embedder).rerank(QUESTION, [])
    assert reranked.hits == []
    assert not reranked.late


# with a cross-encoder


class Table:
    """A stand-in for a cross-encoder that ranks by a table of probabilities."""

    def __init__(self, chances: dict[str, float]) -> None:
        self._chances = chances
        self.asked: list[tuple[str, list[str]]] = []

    def score(self, question: str, texts: Sequence[str]) -> np.ndarray:
        self.asked.append((question, list(texts)))
        return np.array([self._chances.get(text, 0.0) for text in texts])


def test_a_cross_encoder_has_half_a_say(embedder: Embedder) -> None:
    hits = hits_of(TEXTS)
    chances = dict(zip(TEXTS, [0.9, 0.3, 0.5, 0.1], strict=True))
    alone = LateInteraction(embedder).rerank(QUESTION, hits)
    both = LateInteraction(embedder, Table(chances)).rerank(QUESTION, hits)
    came = {hit.text: hit.score for hit in hits}  # .6 to .9
    for hit in alone.hits:
        maxsim_says = ((hit.score - 0.5 * came[hit.text]) / 0.5 - 0.6) / 0.3
        crossed_says = (chances[hit.text] - 0.1) / 0.8
        expected = 0.5 * came[hit.text] + 0.5 * (0.6 + 0.3 * (maxsim_says + crossed_says) / 2)
        assert {h.text: h.score for h in both.hits}[hit.text] == pytest.approx(expected, abs=1e-6)
    scores = [hit.score for hit in both.hits]
    assert scores == sorted(scores, reverse=True)
    assert sorted(hit.chunk.id for hit in both.hits) == sorted(hit.chunk.id for hit in hits)
    assert both.vectors.keys() == alone.vectors.keys()


def test_what_a_cross_encoder_prefers_rises(embedder: Embedder) -> None:
    hits = hits_of(TEXTS)
    for text in TEXTS:
        favoured, alone = (
            [hit.text for hit in LateInteraction(embedder, judge).rerank(QUESTION, hits).hits]
            for judge in (Table({text: 1.0}), None)
        )
        assert favoured.index(text) <= alone.index(text)
    assert LateInteraction(embedder, Table({TEXTS[3]: 1.0})).rerank(QUESTION, hits).hits[-1].text != TEXTS[3]


def test_a_cross_encoder_without_an_opinion_keeps_the_order(embedder: Embedder) -> None:
    hits = hits_of(TEXTS)
    alone = LateInteraction(embedder).rerank(QUESTION, hits[:1])
    [same] = LateInteraction(embedder, Table({})).rerank(QUESTION, hits[:1]).hits
    assert same.score == alone.hits[0].score == pytest.approx(hits[0].score)


def test_a_cross_encoder_reads_what_late_interaction_read_and_no_more(embedder: Embedder) -> None:
    hits = hits_of(TEXTS, "Handbook > Bees")
    table = Table({})
    reranker = LateInteraction(embedder, table)
    limited = reranker.rerank(QUESTION, hits, limit=2)
    assert table.asked == [(QUESTION, [hit.chunk.indexed_text for hit in hits[:2]])]
    assert table.asked[0][1][0].startswith("Handbook > Bees")
    assert [(hit.text, hit.score) for hit in limited.hits[2:]] == [(hit.text, hit.score) for hit in hits[2:]]
    late = reranker.rerank(QUESTION, hits, deadline_ms=0)
    assert late.late
    assert reranker.rerank(QUESTION, []).hits == []
    assert len(table.asked) == 1  # texts that were not read are not scored
