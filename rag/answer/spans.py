"""Ask the evidence model about spans of hits, before it is known which of them become evidence."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from rag.answer.sentences import Sentence, answering_sentences, passages_of
from rag.models.evidence import UNREAD, EvidenceModel, EvidencePassage
from rag.types import Evidence, Hit

# The id of a chunk, and code points of its document: where a span starts and ends.
UnitSpan = tuple[int, int, int]


def span_log_odds(
    question: str, hits: Sequence[Hit], spans: Sequence[UnitSpan], evidence: EvidenceModel
) -> np.ndarray:
    """Return the log-odds that each span answers: those of its best unit, UNREAD without one (n_spans,), float64.

    Of prose the neighbours are read too, of a table only the rows among the spans.

    Args:
        spans: units of the hits, or what overlapping chunks left of them.
    """
    by_chunk: dict[int, list[int]] = defaultdict(list)
    for number, (chunk, _, _) in enumerate(spans):
        by_chunk[chunk].append(number)
    pieces = [Evidence(label, hit, 0) for label, hit in enumerate(hits, 1) if hit.chunk.id in by_chunk]
    every = [
        (unit, _span_of(unit, spans, by_chunk[unit.evidence.hit.chunk.id]))
        for unit in answering_sentences(pieces)
    ]
    units = [(unit, number) for unit, number in every if number is not None or unit.row is None]
    passages, numbers, remaining = list[EvidencePassage](), list[int](), iter(units)
    for passage in passages_of([unit for unit, _ in units]):
        pairs = zip(passage.units, remaining, strict=False)
        wanted = [(span, number) for span, (_, number) in pairs if number is not None]
        if wanted:
            passages.append(replace(passage, units=tuple(span for span, _ in wanted)))
            numbers += [number for _, number in wanted]
    found = np.full(len(spans), UNREAD)
    if passages:
        np.maximum.at(found, numbers, np.concatenate(evidence.scores(question, passages)))
    return found


def _span_of(unit: Sentence, spans: Sequence[UnitSpan], among: Sequence[int]) -> int | None:
    """Return which of some spans of a unit's chunk overlaps it."""
    overlapping = (
        number for number in among if unit.start < spans[number][2] and spans[number][1] < unit.end
    )
    return next(overlapping, None)
