"""Real search questions, from end to end: the passages of Natural Questions and SQuAD as one corpus.

300 questions of Natural Questions, drawn by a seed from those that are held out of training, are asked over all
passages, and again with the passages of half of them away. 140 near-misses made of SQuAD's questions are asked too;
nothing answers them.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eval.benchmarks.yardstick.nearmiss import near_misses
from eval.benchmarks.yardstick.outcomes import (
    Attempt,
    attempt,
    balanced,
    certainties,
    cites,
    holds,
    leads,
    p50_ms,
    packed,
    share,
)
from eval.datasets import held_back, records
from eval.reading import with_no_answer
from eval.trial import text_sources, trial
from rag.models.reader import load_reader

SEED = 16
QUESTIONS = 300
NEAR_MISSES = 140
Entry = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SearchQuestion:
    """A question of Natural Questions, its accepted answers and the document that its passage became."""

    text: str
    golds: tuple[str, ...]
    document: str


def measure() -> dict[str, Any]:
    """Return the figures of all parts, and the certainties of each for `calibration`."""
    nq, squad = list(records("reading/nq-train.jsonl.gz")), list(records("reading/squad-dev.jsonl.gz"))
    texts = passages([*nq, *squad])
    asked = drawn_questions(nq, texts)
    missing = random.Random(SEED).sample(asked, len(asked) // 2)
    misses = near_misses(squad, NEAR_MISSES, SEED)
    with trial(text_sources(texts), {}) as made:
        present = attempt(made, [one.text for one in asked])
        near = attempt(made, [one.question for one in misses])
    away = {one.document for one in missing}
    # A passage that also belongs to another question is away for that one too.
    answerable = [one.document not in away for one in asked]
    with trial(text_sources({name: text for name, text in texts.items() if name not in away}), {}) as made:
        halved = attempt(made, [one.text for one in asked])
    return {
        "all passages": {"questions": len(asked), "documents": len(texts)} | _end_to_end(asked, present),
        "half of the passages away": {"questions": len(asked)} | balanced(answerable, halved),
        "near-misses": _near(misses, near),
        "the reader, with the gold passage": _read(nq, squad),
        "certainties": {
            "Natural Questions": packed(certainties(present, _right(asked, present))),
            "Natural Questions, half away": packed(
                certainties(halved, [a and r for a, r in zip(answerable, _right(asked, halved), strict=True)])
            ),
            "near-misses": packed(certainties(near, [False] * len(near))),
        },
        "near-misses answered": [
            f"{miss.question} -> {one.answer.text}"
            for miss, one in zip(misses, near, strict=True)
            if one.answer.answerable
        ],
    }


def passages(entries: Iterable[Entry]) -> dict[str, str]:
    """Return every passage once, by the name of its document: its article, numbered if it has several."""
    counts: Counter[str] = Counter()
    texts: dict[str, str] = {}
    for entry in {entry["context"]: entry for entry in entries}.values():
        article = entry["group"].replace("_", " ").replace("/", "-")
        counts[article] += 1
        number = f" ({counts[article]})" if counts[article] > 1 else ""
        texts[f"{article}{number}.txt"] = entry["context"]
    return texts


def drawn_questions(entries: Iterable[Entry], texts: Mapping[str, str]) -> list[SearchQuestion]:
    """Draw questions that are held out of training."""
    document = {text: name for name, text in texts.items()}
    held = [entry for entry in entries if held_back(entry["question"])]
    return [
        SearchQuestion(
            entry["question"], tuple(one["text"] for one in entry["answers"]), document[entry["context"]]
        )
        for entry in random.Random(SEED).sample(held, QUESTIONS)
    ]


def _end_to_end(asked: Sequence[SearchQuestion], attempts: Sequence[Attempt]) -> dict[str, float]:
    pairs = list(zip(asked, attempts, strict=True))
    return {
        "answered": share(one.answer.answerable for one in attempts),
        "gold in the answer": share(holds(one.answer, question.golds) for question, one in pairs),
        "gold in the lead": share(leads(one.answer, question.golds) for question, one in pairs),
        "right passage cited": share(cites(one.answer, question.document) for question, one in pairs),
        "p50 ms": p50_ms(attempts),
    }


def _right(asked: Sequence[SearchQuestion], attempts: Sequence[Attempt]) -> Iterator[bool]:
    for question, one in zip(asked, attempts, strict=True):
        yield holds(one.unrefused, question.golds)


def _near(misses: Sequence[Any], attempts: Sequence[Attempt]) -> dict[str, Any]:
    kinds = Counter(miss.kind for miss, one in zip(misses, attempts, strict=True) if one.answer.answerable)
    return {
        "questions": len(misses),
        "answered": sum(kinds.values()),
        "answered, by kind": dict(kinds.most_common()),
    }


def _read(nq: Sequence[Entry], squad: Sequence[Entry]) -> dict[str, dict[str, float]]:
    reader = load_reader()
    held = [entry for entry in nq if held_back(entry["question"])]
    return {
        "squad-dev": with_no_answer(reader, random.Random(SEED).sample(list(squad), 2 * QUESTIONS)),
        "nq-train, held back": with_no_answer(reader, random.Random(SEED).sample(held, QUESTIONS)),
    }
