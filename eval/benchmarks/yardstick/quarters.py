"""60 questions over quarterly reports of three companies, drawn by a seed, and judged by a person by reading.

The reports are much alike, so a document is the right one only if both company and quarter are right. Each run lists
its answers in a file outside the repository, where a person reads them; a judgement is a line of
`eval/quarters_judged.jsonl`. Another 20 questions are about companies whose reports are missing, and should be refused.
"""

from __future__ import annotations

import csv
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.benchmarks.filings.files import TEN_Q
from eval.benchmarks.yardstick.judgements import (
    REFUSED,
    RIGHT,
    ListedQuestion,
    judged,
    judged_answer,
    read_judgements,
    tally,
    write_listing,
)
from eval.benchmarks.yardstick.outcomes import attempt, p50_ms, share
from eval.datasets import ROOT
from eval.trial import file_sources, trial

SEED = 16
QUESTIONS, ABSENT = 60, 20
# An expected answer that says that the report does not say it.
_SAYS_NOTHING = re.compile(r"[^.]{0,80}\b10-Q\b[^.]{0,60} does not (?:provide|contain|include)\b")
JUDGED = ROOT / "eval" / "quarters_judged.jsonl"


@dataclass(frozen=True, slots=True)
class ReportQuestion:
    """A question, what is expected, and the reports that it is about."""

    id: str
    text: str
    expected: str
    asked_of: str  # such as "2023-Q3-AAPL", or a company's letters for all of its reports


def measure() -> dict[str, Any]:
    """Ask, list the answers for a judge, and score those that are judged."""
    asked, absent = drawn()
    with trial(file_sources([TEN_Q]), {}) as made:
        tried = attempt(made, [one.text for one in asked])
        about_others = attempt(made, [one.text for one in absent])
    judgements, answers, listed = read_judgements(JUDGED), [], []
    for one, two in zip(asked, tried, strict=True):
        shown = ListedQuestion(one.id, one.text, one.expected, one.asked_of, two.answer)
        listed.append(shown)
        outcome = judged(shown, judgements)
        if outcome == REFUSED and _SAYS_NOTHING.match(one.expected):
            outcome = RIGHT
        # Nobody judges what was not said: instead of a refusal, nothing is right.
        answers.append(judged_answer(shown, outcome, two.unrefused.confidence, unrefused_right=False))
    write_listing("sec10q", "Questions over quarterly reports", listed, answers)
    return {
        "questions": len(listed),
        **tally(answers, "10-Qs"),
        "right document, of those answered": share(
            _from_right_document(one) for one in listed if one.answer.answerable
        ),
        "other companies' questions": len(absent),
        "of them refused": share(not one.answer.answerable for one in about_others),
        "p50 ms": p50_ms(tried),
    }


def drawn() -> tuple[list[ReportQuestion], list[ReportQuestion]]:
    """Draw questions that the reports here answer, in their order, and some about other companies."""
    questions, chance = list(_questions()), random.Random(SEED)
    files = sorted(path.stem for path in TEN_Q.glob("*.pdf"))
    companies = {name.rsplit("-", 1)[-1] for name in files}
    here = [one for one in questions if one.asked_of in files or _most_reports(one, files)]
    elsewhere = [one for one in questions if one.asked_of.rsplit("-", 1)[-1] not in companies]
    asked = sorted(chance.sample(here, QUESTIONS), key=questions.index)
    return asked, chance.sample(elsewhere, ABSENT)


def _questions() -> Iterator[ReportQuestion]:
    with (TEN_Q.parent / "questions.csv").open(encoding="utf-8-sig") as file:
        for number, row in enumerate(csv.DictReader(file)):
            asked_of = row["Source Docs"].strip("*").replace(" ", "-")
            yield ReportQuestion(f"t{number}", row["Question"].strip(), row["Answer"], asked_of)


def _most_reports(one: ReportQuestion, files: Sequence[str]) -> bool:
    """Return whether a question about all reports of a company can be answered: most of them are here."""
    return "-" not in one.asked_of and sum(name.endswith(one.asked_of) for name in files) > 1


def _from_right_document(one: ListedQuestion) -> bool:
    """Return whether the first citation is from a report that the question is about."""
    cited = sorted(one.answer.citations, key=lambda citation: citation.answer_start)
    return bool(cited) and one.source in Path(cited[0].document).stem
