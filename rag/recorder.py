"""Record how a question passes through the stages: rankings, what was dropped and why, and times."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

from rag.answer.strategy import Selection
from rag.rerank import Reranked
from rag.retrieve import to_hits
from rag.types import Candidates, Context, Draft, Hit, Trace

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

AnyStages = TypeVar("AnyStages", bound="DataclassInstance")
# Seconds between two reports that a model is writing.
WRITING_S = 0.2
# Preparatory stages, whose time counts as part of the next stage.
_PREPARING = ("keep", "select")
# Called with a stage and its milliseconds when it is done.
OnStage = Callable[[str, float], None]


class Recorder:
    """Keeps each stage's ranking and time while a question passes through; becomes its Trace.

    Args:
        question: as it was asked.
    """

    def __init__(self, question: str, on_stage: OnStage | None = None) -> None:
        self._question, self._on_stage = question, on_stage
        self._last: Sequence[Hit] = ()  # what the last stage passed on
        self._rankings: dict[str, tuple[Hit, ...]] = {}
        self._dropped: dict[int, str] = {}
        self._tokens: tuple[int, ...] = ()  # of each hit in the context
        self._shown: tuple[str, ...] = ()  # what the prompt shows of each hit
        self._notes: list[str] = []
        self._remarks: list[str] = []  # what the asker should know
        self._strategy = "retrieval"
        self._timings: dict[str, float] = {}
        self._waiting_ms = 0.0  # of stages that count as part of the next
        self._began = self._reported = time.perf_counter()

    def around(self, stages: AnyStages) -> AnyStages:
        """Return the stages wrapped so that each call is timed, reported and recorded here."""
        given = {field.name: getattr(stages, field.name) for field in fields(stages)}
        return replace(
            stages, **{name: self._recorded(name, stage) for name, stage in given.items() if stage}
        )

    def writing(self, part: str) -> None:
        """Report several times a second that a model is writing; an exception from the report ends the writing."""
        now = time.perf_counter()
        if self._on_stage is not None and now - self._reported > WRITING_S:
            self._reported = now
            self._on_stage("writing", (now - self._began) * 1000)

    def drop(self, before: Sequence[Hit], after: Sequence[Hit], reason: str) -> None:
        """Note the reason for each chunk that a stage dropped entirely."""
        self._last = after
        kept = {hit.chunk.id for hit in after}
        self._dropped.update({hit.chunk.id: reason for hit in before if hit.chunk.id not in kept})

    def trace(self, question: str) -> Trace:
        """Return what has been recorded so far."""
        total = (time.perf_counter() - self._began) * 1000
        return Trace(
            question,
            dict(self._rankings),
            dict(self._dropped),
            tuple(self._notes),
            {**self._timings, "total": total},
            self._tokens,
            self._shown,
            tuple(self._remarks),
            self._strategy,
        )

    def _recorded(self, name: str, stage: Callable[..., Any]) -> Callable[..., Any]:
        note: Callable[..., None] | None = getattr(self, f"note_{name}", None)

        def recorded(*given: Any) -> Any:
            began = time.perf_counter()
            result = stage(*given)
            if note:
                note(result)
            self._time(name, (time.perf_counter() - began) * 1000)
            return result

        return recorded

    def _time(self, name: str, ms: float) -> None:
        if name in _PREPARING:
            self._waiting_ms += ms
            return
        ms, self._waiting_ms = ms + self._waiting_ms, 0.0
        self._timings[name] = ms
        if self._on_stage is not None:
            self._on_stage(name, ms)

    # what is noted about each stage's result

    def note_rewrite(self, alone: str) -> None:
        """Tell the asker if the question was rewritten from the conversation."""
        if alone != self._question:
            self._remarks.append(f"Rewritten to stand alone: {alone}")

    def note_retrieve(self, candidates: Candidates) -> None:
        """Keep the ranking of each leg, and that by document if the question means some more than others."""
        self._rankings |= {"dense": tuple(candidates.dense), "lexical": tuple(candidates.lexical)}
        if len(set(candidates.prior.values())) > 1:
            by_document = sorted(candidates.prior.items(), key=lambda pair: -pair[1])
            self._rankings["meant"] = tuple(to_hits(by_document, candidates.chunks, "meant"))

    def note_fuse(self, hits: list[Hit]) -> None:
        """Keep the fused ranking."""
        self._last = self._rankings["fused"] = tuple(hits)

    def note_rerank(self, reranked: Reranked) -> None:
        """Keep the ranking, and note how much was read."""
        ended = (
            "before its deadline; what was not read keeps the fused order"
            if reranked.late
            else "within its token budget"
        )
        self._notes.append(
            f"Reranking read {len(reranked.vectors)} of {len(reranked.hits)} candidates {ended}."
        )
        self._last = self._rankings["reranked"] = tuple(reranked.hits)

    def note_trim(self, hits: list[Hit]) -> None:
        """Keep the trimmed hits."""
        self._rankings["trimmed"] = tuple(hits)
        self.drop(self._last, hits, "no sentence of it is among the best")

    def note_keep(self, evidence: list[Hit]) -> None:
        """Note the weak tail."""
        self.drop(self._last, evidence, "a weak tail: far below the best")

    def note_select(self, selection: Selection) -> None:
        """Keep what the prompt is to show, and remarks on text that addresses a model."""
        self._remarks += selection.remarks
        self._strategy, self._rankings["evidence"] = selection.strategy, tuple(selection.hits)

    def note_assemble(self, context: Context) -> None:
        """Note what reached the context, and why the other chunks were cut."""
        self._rankings["context"] = tuple(item.hit for item in context.evidence)
        self._tokens = tuple(item.tokens for item in context.evidence)
        self._shown = tuple(item.shown for item in context.evidence)
        kept = {item.hit.chunk.id for item in context.evidence}
        if context.left_out:
            self._notes.append(f"Memory: {len(context.left_out)} of its pieces do not fit.")
        self._dropped = {chunk: why for chunk, why in self._dropped.items() if chunk not in kept}
        self._dropped |= {cut.chunk.id: cut.reason for cut in context.cut if cut.chunk.id not in kept}

    def note_generate(self, draft: Draft) -> None:
        """Tell the asker what a generator dropped or replaced."""
        self._remarks += draft.notes
