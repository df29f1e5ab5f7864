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
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from eval.benchmarks.yardstick.outcomes import Certainty, packed, share
from rag.errors import InvalidInput
from rag.types import Answer

# Outside the repository: the answers quote documents that are not ours.
LISTINGS = Path(tempfile.gettempdir()) / "ibid-listings"
RIGHT, PARTLY, WRONG, REFUSED = "right", "partly", "wrong", "refused"
NOT_JUDGED = "not judged"
KINDS = (RIGHT, PARTLY, WRONG)
# By question and fingerprint of the answer.
Judgements = dict[tuple[str, str], str]


@dataclass(frozen=True, slots=True)
class ListedQuestion:
    """A question as a judge needs to see it: the answer beside what is expected of it."""

    id: str
    question: str
    expected: str  # "" if nothing answers it
    source: str  # where the answer is
    answer: Answer


@dataclass(frozen=True, slots=True)
class JudgedAnswer:
    """What became of a question, as results keep it to be judged again without asking."""

    id: str
    answer: str  # its fingerprint
    answerable: bool
    outcome: str
    confidence: float  # of what is said if nothing is refused
    unrefused_right: bool  # whether what would have been said instead of a refusal is right

    def row(self) -> str:
        """Return it as one line."""
        marks = f"{'yes' if self.answerable else 'no'} | {'yes' if self.unrefused_right else 'no'}"
        return f"{self.id} | {self.answer} | {self.outcome} | {self.confidence:.3f} | {marks}"

    @classmethod
    def read(cls, row: str) -> JudgedAnswer:
        """Read what `row` wrote."""
        identity, answer, outcome, confidence, answerable, right = row.split(" | ")
        return cls(identity, answer, answerable == "yes", outcome, float(confidence), right == "yes")

    @property
    def certainty(self) -> Certainty:
        """How sure it was, and whether it is right."""
        right = self.unrefused_right if self.answer == SILENCE else self.outcome == RIGHT
        return Certainty(self.confidence, right)

    def judged_again(self, judgements: Judgements) -> JudgedAnswer:
        """Return it with the outcome that a person gives it by now, if one does."""
        if not self.answerable or self.answer == SILENCE:
            return self
        return replace(self, outcome=judgements.get((self.id, self.answer), self.outcome))


def tally(answers: Sequence[JudgedAnswer], name: str) -> dict[str, Any]:
    """Return the outcomes of the answerable questions, and what results keep of each question.

    Args:
        name: of the set, for `calibration`.
    """
    answerable = [one for one in answers if one.answerable]
    return {
        "answerable": len(answerable),
        **counts(one.outcome for one in answerable),
        "share right": share(one.outcome == RIGHT for one in answerable),
        "certainties": {name: packed(one.certainty for one in answers)},
        "answers": [one.row() for one in answers],
    }


def fingerprint_of(answer: Answer) -> str:
    """Return a fingerprint of an answer's words; of a refusal it is SILENCE."""
    return _fingerprint(answer.text)


def _fingerprint(text: str) -> str:
    return hashlib.sha256(" ".join(text.split()).encode()).hexdigest()[:10]


SILENCE = _fingerprint("")


def read_judgements(path: Path) -> Judgements:
    """Return the judgement of each (question, answer's fingerprint).

    Raises:
        InvalidInput: if a line is no judgement.
    """
    found: Judgements = {}
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


def judged(one: ListedQuestion, judgements: Judgements) -> str:
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


def judged_answer(
    one: ListedQuestion, outcome: str, confidence: float, *, unrefused_right: bool
) -> JudgedAnswer:
    """Return what became of a question; the arguments are as in JudgedAnswer."""
    return JudgedAnswer(
        one.id, fingerprint_of(one.answer), bool(one.expected), outcome, confidence, unrefused_right
    )


def write_listing(
    name: str,
    title: str,
    listed: Sequence[ListedQuestion],
    answers: Sequence[JudgedAnswer],
    folder: Path = LISTINGS,
) -> None:
    """Write every answer beside what is expected as Markdown, for a person to read and judge; print where it is.

    Args:
        name: of the file, without its suffix.
    """
    folder.mkdir(parents=True, exist_ok=True)
    entries = [_entry(one, judged.outcome) for one, judged in zip(listed, answers, strict=True)]
    path = folder / f"{name}.md"
    path.write_text("\n".join([f"# {title}\n", *entries]), encoding="utf-8")
    print(f"{path} lists the answers")


def _entry(one: ListedQuestion, outcome: str) -> str:
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
