"""Read question sets: the handbook that ships with Ibid, and public sets stored beside the checkout.

The public ones are not part of the project; `available` returns whether they are here.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from eval.questions import EvalQuestion, Gold, read_questions

ROOT = Path(__file__).parent.parent
HANDBOOK = ROOT / "corpora" / "handbook"
SHARED = ROOT.parent / "shared" / "data"


def available(part: str = "") -> bool:
    """Return whether the public data, or the given path below it, is stored beside the checkout."""
    return (SHARED / part).exists()


def handbook() -> list[EvalQuestion]:
    """Return the handbook's questions."""
    return read_questions(HANDBOOK / "questions.jsonl")


def chroma() -> list[EvalQuestion]:
    """Return the 472 questions of Chroma's chunking evaluation; documents are named `<corpus>.md`."""
    csv.field_size_limit(10**9)
    questions = []
    with (SHARED / "endtoend" / "chroma" / "questions_df.csv").open(encoding="utf-8") as file:
        for number, row in enumerate(csv.DictReader(file)):
            name = f"{row['corpus_id']}.md"
            gold = tuple(
                Gold(name, reference["start_index"], reference["end_index"], reference["content"])
                for reference in json.loads(row["references"])
            )
            questions.append(EvalQuestion(f"c{number}", row["question"], gold))
    return questions


def chroma_documents() -> list[Path]:
    """Return the five files of Chroma's evaluation."""
    return sorted((SHARED / "endtoend" / "chroma").glob("*.md"))


def records(part: str) -> Iterator[dict[str, Any]]:
    """Yield the records of a gzipped JSON Lines file below the public data."""
    with gzip.open(SHARED / part, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def table_held_back(name: str) -> bool:
    """Return whether a table of WikiTableQuestions, SQA or TAT-QA is held out of training; the first two share tables.

    Args:
        name: its id in the set.
    """
    return held_back("-".join(re.findall(r"\d+", name)) or name, 0.2)


def held_back(text: str, share: float = 0.5) -> bool:
    """Return whether a record, identified by its question or premise, is held out of training for measuring.

    The text's hash decides, so training and measuring agree, and repeats are on the same side.

    Args:
        share: approximate share of texts held out, in [0, 1].
    """
    place = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
    return place < share * 2**64
