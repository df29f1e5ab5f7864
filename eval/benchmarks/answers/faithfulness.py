"""Does RAGAS's faithfulness, with our judge, agree with people? And how long does it take?"""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from eval.datasets import chroma, chroma_documents, records
from eval.faithfulness import JudgeLLM, Scorer
from eval.metrics import balanced_accuracy, best_balanced_accuracy
from eval.questions import EvalQuestion
from eval.run import ask
from eval.trial import CORPUS, Subject, file_sources, shared_embedder, trial
from rag.models.judge import load_judge
from rag.recipe import TRUNK
from rag.settings import Settings
from rag.types import Answer, Ledger, Trace

# Share of an answer's statements.
FAITHFUL_FROM = 0.5
_WEB = re.compile(r"\[\d+\] https?:")


def measure() -> dict[str, Any]:
    """Score AttributionBench's claims, by kind of source, and the answers to Chroma's 472 questions."""
    scorer = Scorer(JudgeLLM(load_judge()), shared_embedder(TRUNK), "pack")
    return {"attributionbench-dev": agreement(scorer), "chroma": speed(scorer)}


def agreement(scorer: Scorer) -> dict[str, dict[str, float]]:
    """Return how well faithfulness detects supported claims, compared with the cosine of claim and references.

    The cosine uses the best threshold for each kind, faithfulness a threshold of 0.5.
    """
    entries = list(records("entailment/attributionbench-dev.jsonl.gz"))
    answers = [_answered(entry["claim"], entry["references"]) for entry in entries]
    questions = [EvalQuestion(str(n), entry["question"]) for n, entry in enumerate(entries)]
    scored = scorer.score(questions, answers)
    embedder = shared_embedder(TRUNK)
    claims = embedder.encode([entry["claim"] for entry in entries])
    read = embedder.encode(["\n\n".join(entry["references"]) for entry in entries])
    rows: dict[str, list[tuple[bool, float, float]]] = defaultdict(list)
    for entry, values, cosine in zip(entries, scored, (claims * read).sum(axis=1), strict=True):
        row = (entry["supported"], values["faithfulness"], float(cosine))
        rows["all"].append(row)
        rows[_kind(entry)].append(row)
    return {kind: _figures(found) for kind, found in rows.items()}


def speed(scorer: Scorer) -> dict[str, float]:
    """Return the time of all four measures over the answers to Chroma's questions, and their means."""
    questions = chroma()
    with trial(file_sources(chroma_documents()), {"refuse_below": 0.0}) as made:
        answers = ask(Subject(made.pipeline, made.catalog, Settings(), CORPUS), questions)
    began = time.perf_counter()
    scored = scorer.score(questions, answers)
    taken = time.perf_counter() - began
    faithful = [values["faithfulness"] for values in scored if "faithfulness" in values]
    return {
        "questions": len(questions),
        "answers scored": len(faithful),
        "s": round(taken, 1),
        "faithfulness, mean": round(float(np.nanmean(faithful)), 4),
        "no number": int(np.isnan(faithful).sum()),
    }


def _figures(rows: Sequence[tuple[bool, float, float]]) -> dict[str, float]:
    truth = np.array([supported for supported, _, _ in rows])
    faithful, cosine = np.array([row[1:] for row in rows]).T
    known = ~np.isnan(faithful)
    return {
        "claims": len(rows),
        "supported": round(float(truth.mean()), 3),
        "no number": int((~known).sum()),
        "balanced accuracy": round(balanced_accuracy(truth[known], faithful[known] >= FAITHFUL_FROM), 4),
        "cosine, at its best threshold": round(best_balanced_accuracy(truth, cosine), 4),
    }


def _kind(entry: Mapping[str, Any]) -> str:
    """Distinguish the kinds of source by their form, since the set does not name them."""
    first, count = entry["references"][0], len(entry["references"])
    if _WEB.match(first):
        return "a web page"
    if first.startswith("Title: "):
        return "an encyclopaedia's passage" if count == 1 else "several passages of an encyclopaedia"
    return "other text" if count == 1 else "several other texts"


def _answered(claim: str, references: Sequence[str]) -> Answer:
    trace = Trace("", {}, {}, (), {}, shown=tuple(references))
    return Answer(claim, True, 1.0, (), "", (), Ledger(0, 0, 0, 0, 0, 0), trace)
