"""Ablation: turn off or swap every stage of the question path, and measure what each costs and gains."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from eval.measures import Values, covers, found_items, holds_answer
from eval.metrics import paired_test, percentile
from eval.questions import EvalQuestion
from eval.run import ask, interval, measure
from eval.trial import Subject
from rag.assemble import Limits, assemble, order_for_attention
from rag.errors import InvalidInput
from rag.models import pack
from rag.pipeline import Pipeline
from rag.stages import ModelSet
from rag.types import Draft, Hit

# Pieces of evidence in the prompt, one of them gold.
PLACES = 5
ORDER_SEED = 23
SettingChanges = Mapping[str, Any]
ORDERS: Mapping[str, Callable[[list[Hit], random.Random], list[Hit]]] = {
    "best first, second best last": lambda hits, _: order_for_attention(hits),
    "by rank": lambda hits, _: hits,
    "reversed": lambda hits, _: hits[::-1],
    "random": lambda hits, rng: rng.sample(hits, len(hits)),
}


@dataclass(frozen=True, slots=True)
class Variant:
    """A changed question path, with its values and times for each question."""

    name: str
    changes: SettingChanges
    values: tuple[Values, ...]
    ms: tuple[float, ...]  # total time of each question


def variants() -> dict[str, SettingChanges]:
    """Return the variants by name; the first is the question path as configured."""
    tried: dict[str, SettingChanges] = {
        "as configured": {},
        "without BM25": {"lexical_candidates": 0},
        "without dense": {"dense_candidates": 0},
        "reciprocal rank fusion": {"fusion": "reciprocal_rank"},
        "without the document prior": {"document_weight": 0.0},
        "without reranking": {"reranker": "none"},
        "late interaction": {"reranker": "late_interaction"},
        "late interaction and cross-encoder": {"reranker": "pack"},
        "without trimming": {"trim": False},
        "by rank, not for attention": {"order": "rank"},
        "whole documents, where they fit": {"strategy": "whole_document"},
        "without reader": {"reader": "none"},
        "evidence of 300 tokens, compressed": {"evidence_tokens": 300},
        "evidence of 300 tokens, cut": {"evidence_tokens": 300, "compressor": "none"},
        "never refuses": {"refuse_below": 0.0},
    }
    if "reranker" not in pack.shipped():
        del tried["late interaction and cross-encoder"]
    return tried


def ablate(
    subject: Subject, questions: Sequence[EvalQuestion], advance: Callable[[], None] = lambda: None
) -> list[Variant]:
    """Ask all questions under every variant, except those that do not change the configuration.

    Args:
        advance: called when a variant is done.
    """
    found: list[Variant] = []
    for name, changes in variants().items():
        settings = subject.settings.with_changes(**changes)
        if name == "as configured" or settings != subject.settings:
            pipeline = Pipeline(
                settings, subject.catalog, ModelSet(settings, subject.pipeline.models.embedder)
            )
            answers = ask(replace(subject, pipeline=pipeline, settings=settings), questions)
            ms = tuple(answer.trace.timings_ms.get("total", 0.0) for answer in answers)
            found.append(Variant(name, changes, tuple(measure(questions, answers)), ms))
        advance()
    return found


def differences(found: Sequence[Variant], measure_name: str) -> list[tuple[str, float, float, float, float]]:
    """Return (variant, mean difference to the first, its 95 % interval, p) of a measure."""
    rows = []
    for variant in found[1:]:
        pairs = [
            (base[measure_name], other[measure_name])
            for base, other in zip(found[0].values, variant.values, strict=True)
            if measure_name in base and measure_name in other
        ]
        if pairs:
            both = np.array(pairs)
            low, high = interval(both[:, 1] - both[:, 0])
            mean = float((both[:, 1] - both[:, 0]).mean())
            rows.append((variant.name, mean, low, high, paired_test(both[:, 1], both[:, 0])))
    return rows


def ablation_json(found: Sequence[Variant]) -> list[dict[str, Any]]:
    """Return every variant's means and times, and its change in each measure."""
    names = dict.fromkeys(name for values in found[0].values for name in values)
    changed = {name: {row[0]: row[1:] for row in differences(found, name)} for name in names}
    return [
        {
            "question path": variant.name,
            "settings": dict(variant.changes),
            "means": _means(variant.values),
            "ms p50": percentile(variant.ms, 0.5),
            "ms p95": percentile(variant.ms, 0.95),
            "differences": {
                name: dict(zip(("mean", "low", "high", "p"), rows[variant.name], strict=True))
                for name, rows in changed.items()
                if variant.name in rows
            },
        }
        for variant in found
    ]


def read_ablation(path: Path) -> dict[str, Any]:
    """Read a file written by `ibid eval ablate --out`.

    Raises:
        InvalidInput: if it is not such a file.
    """
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if found.keys() >= {"variants", "orders", "positions"}:
            return found
    except (OSError, ValueError, AttributeError) as error:
        raise InvalidInput(f"{path} cannot be read ({error}); make it with `ibid eval ablate`.") from error
    raise InvalidInput(f"{path} is not an ablation; make it with `ibid eval ablate`.")


def by_order(subject: Subject, questions: Sequence[EvalQuestion]) -> dict[str, Values]:
    """Return the means of the answers' values for each order of the same evidence in the prompt.

    An extractive generator weighs each sentence by itself, so order only breaks ties. A generator that writes is
    sensitive to it.
    """
    rng = random.Random(ORDER_SEED)
    found: dict[str, list[Values]] = {name: [] for name in ORDERS}
    for question, hits in _with_gold(subject, questions):
        for name, order in ORDERS.items():
            found[name].append(_answered(subject, question, hits, order(list(hits), rng)))
    return {name: _means(values) for name, values in found.items() if values}


def by_position(subject: Subject, questions: Sequence[EvalQuestion]) -> dict[str, Values]:
    """Return the means of the answers' values for each position of the gold evidence in the prompt."""
    found: dict[int, list[Values]] = {}
    for question, hits in _with_gold(subject, questions):
        gold = next(i for i, items in enumerate(found_items(hits, question.evidence)) if items)
        others = [hit for i, hit in enumerate(hits) if i != gold]
        for position in range(len(hits)):
            ordered = [*others[:position], hits[gold], *others[position:]]
            found.setdefault(position, []).append(_answered(subject, question, hits, ordered))
    return {str(position + 1): _means(values) for position, values in sorted(found.items())}


def _with_gold(
    subject: Subject, questions: Sequence[EvalQuestion]
) -> Iterator[tuple[EvalQuestion, list[Hit]]]:
    """Yield the questions for which one of five hits contains the gold evidence, with the hits."""
    for question in questions:
        try:
            hits = list(subject.pipeline.search(subject.corpus, question.question, k=PLACES).hits)
        except InvalidInput:
            continue  # such as a question that is too long; the run has reported it
        spans = [[(hit.chunk.document, hit.start, hit.end)] for hit in hits]
        if (
            len(hits) == PLACES
            and question.answerable
            and any(covers(one, question.evidence) for one in spans)
        ):
            yield question, hits


def _answered(
    subject: Subject, question: EvalQuestion, hits: Sequence[Hit], ordered: Sequence[Hit]
) -> Values:
    generator = subject.pipeline.models.generator
    context = assemble(
        question.question,
        hits,
        ordered,
        limits=Limits(subject.settings.answer.budget_tokens, subject.settings.answer.evidence_tokens),
        count=generator.count_tokens,
    )
    draft: Draft = generator.generate(context)
    cited = [(one.document, one.start, one.end) for one in draft.citations]
    values: Values = {"gold cited": float(covers(cited, question.evidence))}
    if question.answers:
        values["right"] = float(holds_answer(question, draft.text))
    return values


def _means(values: Sequence[Values]) -> Values:
    names = dict.fromkeys(name for one in values for name in one)
    means = {name: float(np.mean([one[name] for one in values if name in one])) for name in names}
    return {"questions": len(values), **means}
