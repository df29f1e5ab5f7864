"""Answers that a person judged by reading, and the listing to judge from.

A judgement is of one answer to one question: it is kept with a fingerprint of the answer's words, so that another
answer is not scored by it but waits for a judgement of its own. The file has one JSON line for each:
{"id": "q12", "answer": "9f2c41d07a", "judged": "right"}
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rag.errors import InvalidInput
from rag.types import Answer

# Outside the repository: the answers quote documents that are not ours.
LISTINGS = Path(tempfile.gettempdir()) / "ibid-listings"
RIGHT, PARTLY, WRONG, REFUSED = "right", "partly", "wrong", "refused"
NOT_JUDGED = "not judged"
KINDS = (RIGHT, PARTLY, WRONG)


@dataclass(frozen=True, slots=True)
class Listed:
    """A question as a judge needs to see it: the answer beside what is expected of it."""

    id: str
    question: str
    expected: str  # "" if nothing answers it
    source: str  # where the answer is
    answer: Answer


def fingerprint_of(answer: Answer) -> str:
    """Return a fingerprint of an answer's words."""
    return hashlib.sha256(" ".join(answer.text.split()).encode()).hexdigest()[:10]


def read_judgements(path: Path) -> dict[tuple[str, str], str]:
    """Return the judgement of each (question, answer's fingerprint).

    Raises:
        InvalidInput: if a line is no judgement.
    """
    found: dict[tuple[str, str], str] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            entry = json.loads(line)
            found[entry["id"], entry["answer"]] = entry["judged"]
            known = entry["judged"] in KINDS
        except (ValueError, KeyError, TypeError):
            known = False
        if not known:
            raise InvalidInput(
                f"{path.name}, line {number}: {line[:80]!r} is no judgement; expected "
                f'{{"id": ..., "answer": fingerprint, "judged": one of {", ".join(KINDS)}}}.'
            )
    return found


def judged(one: Listed, judgements: Mapping[tuple[str, str], str]) -> str:
    """Return what became of a question: right, partly, wrong, refused or not judged.

    An answer to what nothing answers is wrong.
    """
    if not one.answer.answerable:
        return REFUSED
    if not one.expected:
        return WRONG
    return judgements.get((one.id, fingerprint_of(one.answer)), NOT_JUDGED)


def counts(outcomes: Iterable[str]) -> dict[str, int]:
    """Return how many have each outcome; "not judged" only if there are any."""
    found = Counter(outcomes)
    return {
        kind: found[kind]
        for kind in (RIGHT, PARTLY, WRONG, REFUSED, NOT_JUDGED)
        if found[kind] or kind != NOT_JUDGED
    }


def write_listing(path: Path, title: str, listed: Sequence[Listed], outcomes: Mapping[str, str]) -> None:
    """Write every answer beside what is expected as Markdown, for a person to read and judge.

    Args:
        outcomes: what became of each question, by its id.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    parts = [f"# {title}\n", *(_entry(one, outcomes.get(one.id, NOT_JUDGED)) for one in listed)]
    path.write_text("\n".join(parts), encoding="utf-8")


def _entry(one: Listed, outcome: str) -> str:
    answer = one.answer
    said = answer.text if answer.answerable else f"(refused: {answer.reason})"
    cited: dict[str, Any] = {
        f"{citation.document}{f', page {citation.page}' if citation.page else ''}": None
        for citation in answer.citations
    }
    return (
        f"## {one.id}: {one.question}\n\n"
        f"expected: {one.expected or '(nothing answers it)'} ({one.source or 'no document'})\n\n"
        f"{said}\n\n"
        f"cited: {'; '.join(cited) or 'nothing'} · confidence {answer.confidence:.2f} · "
        f"answer {fingerprint_of(answer)} · {outcome}\n"
    )
