"""Record how a question passes through the stages: rankings, what was dropped and why, and times."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rag.types import Context, Hit, Trace

WRITING_S = 0.2  # between two reports that a model is writing
OnStage = Callable[[str, float], None]  # called with each stage and its milliseconds when it is done


class Recorder:
    """Keeps each stage's ranking and time while a question passes through; becomes its Trace."""

    def __init__(self, on_stage: OnStage | None = None) -> None:
        self._on_stage = on_stage
        self.rankings: dict[str, tuple[Hit, ...]] = {}
        self.dropped: dict[int, str] = {}
        self.tokens: tuple[int, ...] = ()  # of each hit in the context
        self.shown: tuple[str, ...] = ()  # what the prompt shows of each
        self.notes: list[str] = []
        self.strategy = "retrieval"
        self.remarks: list[str] = []  # what the asker should know
        self._timings: dict[str, float] = {}
        self._began = self._reported = time.perf_counter()

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Note the time of a stage, and report it."""
        began = time.perf_counter()
        yield
        self._timings[stage] = (time.perf_counter() - began) * 1000
        if self._on_stage is not None:
            self._on_stage(stage, self._timings[stage])

    def writing(self, part: str) -> None:
        """Report that a model is writing, some times a second; what the report raises ends the writing."""
        now = time.perf_counter()
        if self._on_stage is not None and now - self._reported > WRITING_S:
            self._reported = now
            self._on_stage("writing", (now - self._began) * 1000)

    def drop(self, before: Sequence[Hit], after: Sequence[Hit], reason: str) -> None:
        """Note why the chunks of which a stage passed no hit on were dropped."""
        kept = {hit.chunk.id for hit in after}
        self.dropped.update({hit.chunk.id: reason for hit in before if hit.chunk.id not in kept})

    def place(self, context: Context) -> None:
        """Note what reached the context, and why the chunks of which nothing did were cut."""
        self.rankings["context"] = tuple(item.hit for item in context.evidence)
        self.tokens = tuple(item.tokens for item in context.evidence)
        self.shown = tuple(item.shown for item in context.evidence)
        kept = {item.hit.chunk.id for item in context.evidence}
        if context.left_out:
            self.notes.append(f"Memory: {len(context.left_out)} of its pieces do not fit.")
        self.dropped = {chunk: why for chunk, why in self.dropped.items() if chunk not in kept}
        self.dropped |= {cut.chunk.id: cut.reason for cut in context.cut if cut.chunk.id not in kept}

    def trace(self, question: str) -> Trace:
        """Return what was recorded so far."""
        total = (time.perf_counter() - self._began) * 1000
        timings = {**self._timings, "total": total}
        dropped = dict(self.dropped)
        return Trace(
            question,
            dict(self.rankings),
            dropped,
            tuple(self.notes),
            timings,
            self.tokens,
            self.shown,
            tuple(self.remarks),
            self.strategy,
        )
