"""Files as people have them, each a corpus of its own: are the words that answer in the answer, or at least found?

The cases are a folder with files and `expected.jsonl`, a line each: {"case", "question", "answer_holds"}; a case is the
file whose name begins with it and a hyphen.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from eval.datasets import SHARED
from eval.trial import CORPUS, Trial, file_sources, trial
from rag.types import Answer

CASES = SHARED.parent / "cases" / "docs"
# Hits whose text counts as found.
MOST_HITS = 5


def measure(folder: Path = CASES) -> dict[str, Any]:
    """Return how many questions are answered or their words found, and each question with what became of it."""
    questions: dict[str, list[dict[str, str]]] = defaultdict(list)
    for line in (folder / "expected.jsonl").read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        questions[entry["case"]].append(entry)
    listed = [one for case, asked in questions.items() for one in _ask(folder, case, asked)]
    return {
        "questions": len(listed),
        "answered": sum(one["held"] == "answered" for one in listed),
        "found": sum(one["held"] == "found" for one in listed),
        "not held": sum(one["held"] == "no" for one in listed),
        "listed": listed,
    }


def _ask(folder: Path, case: str, questions: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    files = sorted(folder.glob(f"{case}-*"))
    try:
        with trial(file_sources(files), {}) as made:
            return [_outcome(made, one) for one in questions]
    except RuntimeError as error:
        return [{**one, "held": "no", "answer": f"not ingested: {error}"} for one in questions]


def _outcome(made: Trial, one: Mapping[str, str]) -> dict[str, str]:
    answer = made.pipeline.ask(CORPUS, one["question"])
    hits = made.pipeline.search(CORPUS, one["question"], k=MOST_HITS).hits
    wanted = plain(one["answer_holds"])
    held = "no"
    if answer.answerable and wanted in plain(said(answer)):
        held = "answered"
    elif any(wanted in plain(hit.text) for hit in hits):
        held = "found"
    return {**one, "held": held, "answer": answer.text or f"(no answer: {answer.reason})"}


def said(answer: Answer) -> str:
    """Return an answer's text and, below, its quotes."""
    return "\n".join([answer.text, *(citation.quote for citation in answer.citations)])


def plain(text: str) -> str:
    """Return a text without differences of case and spacing."""
    return re.sub(r"\s+", " ", text).casefold()
