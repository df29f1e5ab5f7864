"""The gate catches every planted fault and passes a run without one."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest

from eval.ablate import ORDERS, by_order, by_position
from eval.benchmarks.answers.faults import FAULTS, Bench, baselines, caught, failing, judged, planted
from eval.datasets import HANDBOOK, handbook
from eval.run import Run
from eval.trial import file_sources
from rag.models.embed import Embedder, TokenVectors
from rag.pipeline import Pipeline
from rag.stages import ModelSet

SEEN_BY = {  # the checks that at least have to catch each fault
    "BM25 off": "lexical R@10 drops 0.05",
    "fusion reversed": "fused nDCG@10 drops 0.05",
    "reranker shuffled": "reranked RR drops 0.05",
    "chunk offsets shifted by one": "no question ends in an error",
    "order reversed": "the context is in its order",
    "compressor at 10x": "compression keeps as much as it has to",
    "judge always true": "the judge tells planted falsehoods",
    "refusal off": "nonsense is refused",
    "citations swapped between documents": "every citation quotes the document that it names",
    "stale index": "chunks are found by their own words",
}
QUESTIONS = random.Random(5).sample(handbook(), 40)


class Remembering:
    """An embedder that embeds each text once; the runs share it, since they have the same questions and chunks."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self.fingerprint, self.dimension = embedder.fingerprint, embedder.dimension
        self.max_tokens = embedder.max_tokens
        self._vectors: dict[str, np.ndarray] = {}
        self._tokens: dict[str, TokenVectors] = {}

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        fresh = [text for text in dict.fromkeys(texts) if text not in self._vectors]
        self._vectors.update(zip(fresh, self._embedder.encode(fresh), strict=True))
        return np.array([self._vectors[text] for text in texts], np.float32).reshape(-1, self.dimension)

    def encode_tokens(self, texts: Sequence[str]) -> list[TokenVectors]:
        fresh = [text for text in dict.fromkeys(texts) if text not in self._tokens]
        self._tokens.update(zip(fresh, self._embedder.encode_tokens(fresh), strict=True))
        return [self._tokens[text] for text in texts]

    def token_offsets(self, text: str) -> np.ndarray:
        return self._embedder.token_offsets(text)


@pytest.fixture(scope="module")
def bench(embedder: Embedder) -> Iterator[Bench]:
    with planted(QUESTIONS, ragas=False) as bench:
        yield with_embedder(bench, Remembering(embedder))


def with_embedder(bench: Bench, embedder: Embedder) -> Bench:
    settings, catalog = bench.subject.settings, bench.subject.catalog
    pipeline = Pipeline(settings, catalog, ModelSet(settings, embedder))
    return replace(bench, subject=replace(bench.subject, pipeline=pipeline))


@pytest.fixture(scope="module")
def before(bench: Bench) -> dict[str, Run]:
    return baselines(bench)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_caught(bench: Bench, before: dict[str, Run], fault: str) -> None:
    assert SEEN_BY[fault] in caught(bench, fault, before)


def test_the_checks_hold_without_a_fault(before: dict[str, Run]) -> None:
    for run in before.values():
        assert [check for check in run.checks if not check.ok] == []
        assert len(run.checks) >= 10


def test_another_order_of_ingestion_and_fewer_questions_pass(bench: Bench, before: dict[str, Run]) -> None:
    rng = random.Random(3)
    sources = file_sources([HANDBOOK / "documents"])
    with planted(rng.sample(QUESTIONS, 34), rng.sample(sources, len(sources)), ragas=False) as again:
        assert failing(judged(before["as it is"], with_embedder(again, bench.embedder).run())) == []


def test_a_run_says_what_it_was_made_of(before: dict[str, Run]) -> None:
    run, narrow = before["as it is"], before["narrow"]

    assert (run.settings, narrow.settings) == ({}, {"trim": "False", "evidence_tokens": "600"})
    assert run.size["documents"] == len(list((HANDBOOK / "documents").rglob("*.*")))
    assert [outcome.id for outcome in run.outcomes] == [question.id for question in QUESTIONS]
    for outcome in run.outcomes:
        assert outcome.timings_ms["total"] > 0
        assert outcome.tokens["budget"] >= sum(n for part, n in outcome.tokens.items() if part != "budget")


def test_order_and_position_are_measured_over_the_same_answers(bench: Bench) -> None:
    asked = QUESTIONS[:20]
    orders, positions = by_order(bench.subject, asked), by_position(bench.subject, asked)

    assert set(orders) == set(ORDERS)
    assert list(positions) == ["1", "2", "3", "4", "5"]
    rows = [*orders.values(), *positions.values()]
    assert len({row["questions"] for row in rows}) == 1
    assert rows[0]["questions"] >= 5
    assert all(0 <= row[name] <= 1 for row in rows for name in ("gold cited", "right"))
    assert max(row["gold cited"] for row in rows) > 0.3
