"""Plant faults; check which of them the gate catches, and how, and that it passes runs without fault.

Each fault is a part passed in: a question path, catalogue, compressor or judge that does one thing wrong. `python -m
eval.bench gate` plants all of them over the handbook.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from eval.datasets import HANDBOOK, handbook
from eval.faithfulness import JudgeLLM, Scorer
from eval.gate import DEFAULT_RULES, Gate, judge_run, parse_rules
from eval.questions import EvalQuestion
from eval.run import Run, evaluate
from eval.trial import CORPUS, Subject, file_sources, trial
from ingest.build import Builder
from ingest.source import Source
from rag.answer.strategy import Selection
from rag.index.follower import CorpusIndex
from rag.models.compress import Compressed, Compressor
from rag.models.embed import Embedder
from rag.models.judge import EvidencePair, Judge, load_judge
from rag.pipeline import Pipeline
from rag.rerank import Reranked
from rag.retrieve import Request, retrieve
from rag.settings import Settings
from rag.stages import ModelSet, Stages, make_stages
from rag.store.catalog import Catalog
from rag.store.chunks import Chunks
from rag.types import Candidates, Chunk, Citation, Context, Draft, Hit, Memory

# Whole chunks in little room, so that they have to be compressed.
NARROW: Mapping[str, Any] = {
    "trim": False,
    "evidence_tokens": 600,
}
SEED = 31
RERUNS = 20


Plant = Callable[[Stages], Stages]


def reversed_fusion(stages: Stages) -> Stages:
    """Rank the worst candidate first."""

    def fuse(candidates: Candidates) -> list[Hit]:
        return _with_scores_of(stages.fuse(candidates), lambda hits: hits[::-1])

    return replace(stages, fuse=fuse)


def shuffled_reranker(stages: Stages) -> Stages:
    """Rank the candidates at random."""
    assert stages.rerank is not None
    rank = stages.rerank

    def rerank(request: Request, hits: list[Hit]) -> Reranked:
        reranked, rng = rank(request, hits), random.Random(request.question)
        return replace(
            reranked, hits=_with_scores_of(reranked.hits, lambda hits: rng.sample(hits, len(hits)))
        )

    return replace(stages, rerank=rerank)


def reversed_order(stages: Stages) -> Stages:
    """Put the weakest evidence first and last, and the best in the middle."""

    def assemble(question: str, selection: Selection, memory: Memory) -> Context:
        return stages.assemble(question, replace(selection, hits=selection.hits[::-1]), memory)

    return replace(stages, assemble=assemble)


def swapped_citations(stages: Stages) -> Stages:
    """Make each citation name another document of the evidence."""

    def verify(draft: Draft, context: Context, corpus: str) -> tuple[Citation, ...]:
        names = sorted({piece.hit.chunk.document for piece in context.evidence})
        return tuple(
            replace(one, document=next((name for name in names if name != one.document), one.document))
            for one in stages.verify(draft, context, corpus)
        )

    return replace(stages, verify=verify)


class ShiftedChunks(Chunks):
    """Reads every chunk one character past its true place."""

    def get(self, generation: int, ids: Sequence[int]) -> dict[int, Chunk]:
        read = super().get(generation, ids)
        return {i: replace(c, start=c.start + 1, end=c.end + 1) for i, c in read.items()}


class StaleIndex(CorpusIndex):
    """Stops reading the change log."""

    def catch_up(self) -> None:
        if not hasattr(self, "_read_once"):
            super().catch_up()
            self._read_once = True


class HarshCompressor(Compressor):
    """Keeps the first tenth of any text."""

    def __init__(self) -> None:
        """Do nothing: no classifier is needed."""

    def compress(self, text: str, rate: float, *, question: str = "") -> Compressed:
        end = max(1, len(text) // 10)
        return Compressed(text[:end], ((0, end),))


class Credulous:
    """A judge that says yes to everything."""

    def support(self, pairs: Sequence[EvidencePair]) -> np.ndarray:
        return np.ones(len(pairs))


@dataclass(frozen=True, slots=True)
class Bench:
    """A faultless question path over the handbook, its questions, and a judge."""

    subject: Subject
    questions: Sequence[EvalQuestion]
    judge: Judge
    ragas: bool  # whether to take RAGAS's measures too; they take as long as the answers

    def run(
        self,
        plant: Plant | None = None,
        judge: Judge | None = None,
        compressor: Compressor | None = None,
        **changes: Any,
    ) -> Run:
        """Return a run of the question path with a fault planted, a part replaced or some settings changed."""
        settings, catalog = self.subject.settings.with_changes(**changes), self.subject.catalog
        models = ModelSet(settings, self.embedder, compressor=compressor)
        stages = plant(make_stages(settings, catalog, models)) if plant else None
        return self.over(Pipeline(settings, catalog, models, stages), settings, judge)

    @property
    def embedder(self) -> Embedder:
        """The embedding model, shared by all runs."""
        return self.subject.pipeline.models.embedder

    def over(self, pipeline: Pipeline, settings: Settings, judge: Judge | None = None) -> Run:
        """Return a run of this question path."""
        subject = replace(self.subject, pipeline=pipeline, settings=settings)
        judge = judge or self.judge
        scorer = Scorer(JudgeLLM(judge), pipeline.models.embedder, "pack") if self.ragas else None
        return evaluate(subject, "handbook", self.questions, judge=judge, scorer=scorer, sampled=True)

    def shifted(self) -> Run:
        """Return a run over chunks whose offsets are off by one."""
        catalog = Catalog(self.subject.catalog.home)
        catalog.chunks = ShiftedChunks(catalog.database)
        try:
            models = ModelSet(self.subject.settings, self.embedder)
            return self.over(Pipeline(self.subject.settings, catalog, models), self.subject.settings)
        finally:
            catalog.close()

    def stale(self) -> Run:
        """Return a run after a document was added that the index never hears of."""
        settings, catalog = self.subject.settings, self.subject.catalog
        index = StaleIndex(catalog, catalog.generations.serving(CORPUS), self.embedder.dimension)
        index.catch_up()
        models = ModelSet(settings, self.embedder)
        stages = make_stages(settings, catalog, models)
        assert stages.trim is not None
        trim = stages.trim
        stages = replace(
            stages,
            retrieve=lambda request: retrieve(replace(request, index=index)),
            trim=lambda request, *found: trim(replace(request, index=index), *found),
        )
        source = Source("news.txt", lambda: NEWS.encode())
        list(Builder(catalog, self.embedder, settings).ingest(CORPUS, [source]))
        try:
            return self.over(Pipeline(settings, catalog, models, stages), settings)
        finally:
            catalog.documents.delete(CORPUS, ["news.txt"])


NEWS = "The canteen in Luebeck moves to the third floor on 4 May, and serves breakfast from seven o'clock on."
"""A document that no question is about."""

FAULTS: Mapping[str, Callable[[Bench], Run]] = {
    "BM25 off": lambda bench: bench.run(lexical_candidates=0),
    "fusion reversed": lambda bench: bench.run(reversed_fusion),
    "reranker shuffled": lambda bench: bench.run(shuffled_reranker),
    "chunk offsets shifted by one": Bench.shifted,
    "order reversed": lambda bench: bench.run(reversed_order),
    "compressor at 10x": lambda bench: bench.run(compressor=HarshCompressor(), **NARROW),
    "judge always true": lambda bench: bench.run(judge=Credulous()),
    "refusal off": lambda bench: bench.run(refuse_below=0.0),
    "citations swapped between documents": lambda bench: bench.run(swapped_citations),
    "stale index": Bench.stale,
}


@contextmanager
def planted(
    questions: Sequence[EvalQuestion], sources: Sequence[Source] | None = None, *, ragas: bool = True
) -> Iterator[Bench]:
    """Ingest the handbook and yield the bench to plant faults in."""
    with trial(sources or file_sources([HANDBOOK / "documents"]), {}) as made:
        settings = Settings(home=made.catalog.home)
        yield Bench(Subject(made.pipeline, made.catalog, settings, CORPUS), questions, load_judge(), ragas)


def caught(bench: Bench, fault: str, baselines: Mapping[str, Run]) -> list[str]:
    """Plant a fault; return the rules and checks that fail, none if the gate passes it."""
    baseline = baselines["narrow" if fault == "compressor at 10x" else "as it is"]
    return failing(judged(baseline, FAULTS[fault](bench)))


def baselines(bench: Bench) -> dict[str, Run]:
    """Return the faultless runs that serve as baselines."""
    return {"as it is": bench.run(), "narrow": bench.run(**NARROW)}


def judged(before: Run, now: Run) -> Gate:
    """Compare two runs under the gate's default rules."""
    return judge_run(before, now, parse_rules(DEFAULT_RULES), lenient=True)


def failing(gate: Gate) -> list[str]:
    """Return the names of what fails."""
    rules = [str(verdict.rule) for verdict in gate.verdicts if verdict.failed]
    return rules + [check.name for check in gate.checks if not check.ok]


def measure() -> dict[str, Any]:
    """Plant every fault, then run twenty times without one, with other orders of ingestion and other questions."""
    questions = handbook()
    with planted(questions) as bench:
        before = baselines(bench)
        found = {fault: caught(bench, fault, before) for fault in FAULTS}
    passed, failed = 0, []
    for number in range(RERUNS):
        rng = random.Random(f"{SEED} {number}")
        sources = file_sources([HANDBOOK / "documents"])
        asked = rng.sample(questions, 3 * len(questions) // 4)
        with planted(asked, rng.sample(sources, len(sources))) as again:
            wrong = failing(judged(before["as it is"], again.run()))
        passed += not wrong
        failed += wrong
    return {
        "caught": sum(map(bool, found.values())),
        "planted": len(found),
        "caught by": found,
        "runs without fault": RERUNS,
        "of them passed": passed,
        "failed wrongly": failed,
    }


def _with_scores_of(hits: list[Hit], reorder: Callable[[list[Hit]], list[Hit]]) -> list[Hit]:
    """Reorder hits and reassign the scores in order, so that only the order of the hits is wrong."""
    return [replace(hit, score=old.score) for hit, old in zip(reorder(hits), hits, strict=True)]
