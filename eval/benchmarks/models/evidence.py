"""Which unit of some texts answers a question: the evidence model, and the reranker that its training began from.

Five kinds of texts that neither was trained on. A question is asked of its own text and of those of its kind that are
nearest to it by meaning, without the ones that hold the words of the answer too. A unit is right if the answer stands
in it, in the question's own text. The reranker reads each unit alone, after what its text is called.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eval.benchmarks.models.judging import area_under_curve
from eval.benchmarks.yardstick.lookups import markdown_document, row_spans, single_cells
from eval.datasets import held_back, records, table_held_back
from eval.metrics import paired_test, percentile
from eval.questions import plain
from eval.reading import fitted_on
from eval.trial import shared_embedder
from rag.answer.sentences import passages_of, sentences_of_text
from rag.models.cross_encoder import CrossEncoder
from rag.models.evidence import EvidenceModel, EvidencePassage
from rag.recipe import TRUNK

SEED = 23
# Questions of each kind, texts that others are drawn from, and how many of them are read beside a question's own.
QUESTIONS, POOL, OTHERS = 80, 160, 3
Span = tuple[int, int]
# From a question and passages to the scores of their units, one after another.
UnitScores = Callable[[str, Sequence[EvidencePassage]], np.ndarray]


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question with its own text, what that is called, and where in it the answer stands."""

    question: str
    place: str
    text: str
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class _Task:
    """What is read for a question: its own passages come first; `right` and `own` say it of each unit (n_units,)."""

    question: str
    passages: list[EvidencePassage]
    right: np.ndarray
    own: np.ndarray


def by_kind(model: EvidenceModel, encoder: CrossEncoder, limit: int | None = None) -> dict[str, Any]:
    """Return figures for each kind, their mean, and the time of the evidence model for a question and four texts.

    First and first three: the share of questions whose right unit is there. AUC: of the best score, to tell whether the
    question's own text is among what is read.

    Args:
        limit: most questions of a kind.
    """
    ways: dict[str, UnitScores] = {
        "": lambda question, passages: np.concatenate(model.scores(question, passages)),
        ", reranker": lambda question, passages: encoder.score(question, list(_named_units(passages))),
    }
    kinds: dict[str, dict[str, float]] = {}
    taken: list[float] = []
    for kind, read in KINDS.items():
        tasks = _tasks(list(read()), limit or QUESTIONS)
        scored: dict[str, list[np.ndarray]] = {way: [] for way in ways}
        for task in tasks:
            began = time.perf_counter()
            scored[""].append(ways[""](task.question, task.passages))
            taken.append(1000 * (time.perf_counter() - began))
            scored[", reranker"].append(ways[", reranker"](task.question, task.passages))
        kinds[kind] = _figures(tasks, scored)
    measured = [name for name in next(iter(kinds.values())) if name not in ("questions", "p")]
    mean = {name: _mean([row[name] for row in kinds.values()]) for name in measured}
    return {**kinds, "mean": mean, "ms, p50": round(percentile(taken, 0.5), 1)}


def _figures(tasks: Sequence[_Task], scored: Mapping[str, Sequence[np.ndarray]]) -> dict[str, float]:
    first = {way: _right_within(1, tasks, scores) for way, scores in scored.items()}
    figures: dict[str, float] = {"questions": len(tasks)}
    figures |= {f"first{way}": _mean(values) for way, values in first.items()}
    figures["p"] = round(paired_test(*first.values()), 4)
    for way, scores in scored.items():
        figures[f"first three{way}"] = _mean(_right_within(3, tasks, scores))
    return figures | {f"AUC{way}": _auc(tasks, scores) for way, scores in scored.items()}


def _right_within(most: int, tasks: Sequence[_Task], scored: Sequence[np.ndarray]) -> list[float]:
    """Return 1 for each question with a right unit among the `most` of the highest scores, else 0."""
    best = (np.argsort(-scores, kind="stable")[:most] for scores in scored)
    return [float(task.right[chosen].any()) for task, chosen in zip(tasks, best, strict=True)]


def _auc(tasks: Sequence[_Task], scored: Sequence[np.ndarray]) -> float:
    """Return how well the best of all scores stands above the best without the question's own text."""
    some = [(one, task.own) for task, one in zip(tasks, scored, strict=True) if not task.own.all()]
    best = [one.max() for one, _ in some] + [one[~own].max() for one, own in some]
    return round(area_under_curve(np.array([True] * len(some) + [False] * len(some)), np.array(best)), 3)


def _tasks(asked: Sequence[_Asked], count: int) -> list[_Task]:
    """Draw questions, one of each text, and give each the texts that it is asked of."""
    chance = random.Random(SEED)
    by_text: dict[str, list[_Asked]] = {}
    for one in asked:
        by_text.setdefault(one.text, []).append(one)
    pool = [chance.choice(by_text[text]) for text in chance.sample(sorted(by_text), min(POOL, len(by_text)))]
    embedder = shared_embedder(TRUNK)
    vectors = embedder.encode([one.text for one in pool])  # (n_pool, dim)
    tasks = []
    for one in pool[:count]:
        likeness = vectors @ embedder.encode([one.question])[0]
        answers = {plain(one.text[start:end]) for start, end in one.spans}
        others = (
            pool[at] for at in np.argsort(-likeness, kind="stable")
            if pool[at] is not one and not any(answer in plain(pool[at].text) for answer in answers)
        )  # fmt: skip
        task = _task(one, [other for other, _ in zip(others, range(OTHERS), strict=False)])
        if task.right.any():
            tasks.append(task)
    return tasks


def _task(one: _Asked, others: Sequence[_Asked]) -> _Task:
    passages, right, own = list[EvidencePassage](), list[bool](), list[bool]()
    for text in (one, *others):
        sentences = sentences_of_text(text.text, text.place)
        passages += passages_of(sentences)
        right += [
            text is one and any(unit.start < end and start < unit.end for start, end in one.spans)
            for unit in sentences
        ]
        own += [text is one] * len(sentences)
    return _Task(one.question, passages, np.array(right, bool), np.array(own, bool))


def _named_units(passages: Sequence[EvidencePassage]) -> Iterator[str]:
    for one in passages:
        yield from (f"{one.place}. {one.text[start:end]}".removeprefix(". ") for start, end in one.units)


def _read(part: str) -> Iterator[dict[str, Any]]:
    return (entry for entry in records(f"reading/{part}.jsonl.gz") if entry["answerable"])


def _of_entry(entry: Mapping[str, Any], place: str = "") -> _Asked:
    spans = tuple((one["start"], one["start"] + len(one["text"])) for one in entry["answers"])
    return _Asked(entry["question"], place, entry["context"], spans)


def _searches() -> Iterator[_Asked]:
    return (_of_entry(entry) for entry in _read("nq-train") if held_back(entry["question"]))


def _articles() -> Iterator[_Asked]:
    fitted = {entry["group"] for entry in fitted_on(list(records("reading/squad-dev.jsonl.gz")))}
    for entry in _read("squad-dev"):
        if entry["group"] not in fitted:
            yield _of_entry(entry, entry["group"].replace("_", " "))


def _tables() -> Iterator[_Asked]:
    for table in records("tables/wikitablequestions-train.jsonl.gz"):
        if table_held_back(table["id"]):
            text = markdown_document(table["title"], table["header"], table["rows"])
            rows = row_spans(text)
            for entry, (row, _) in single_cells(table, entry_kind=None):
                yield _Asked(entry["question"], "", text, (rows[row],))  # its heading is its title


KINDS: Mapping[str, Callable[[], Iterator[_Asked]]] = {
    "searches (Natural Questions)": _searches,
    "articles (SQuAD)": _articles,
    "papers (COVID-QA)": lambda: map(_of_entry, _read("covidqa")),
    "stories (DuoRC)": lambda: map(_of_entry, _read("duorc-dev")),
    "tables (WikiTableQuestions)": _tables,
}


def _mean(values: Sequence[float]) -> float:
    return round(float(np.mean(values)), 3)
