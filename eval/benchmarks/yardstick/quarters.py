"""60 questions over quarterly reports of three companies, drawn by a seed, and judged by a person by reading.

The reports are much alike: the right document is the right company's and the right quarter's. Answers that nobody has
judged yet are listed in a file outside the repository; a judgement is a line of `eval/quarters_judged.jsonl`. As many
as 20 questions about companies whose reports are not here are to be refused.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.benchmarks.filings.files import TEN_Q
from eval.benchmarks.yardstick.judgements import (
    LISTINGS,
    RIGHT,
    Listed,
    counts,
    judged,
    read_judgements,
    write_listing,
)
from eval.benchmarks.yardstick.outcomes import attempt, certainties, p50_ms, packed, share
from eval.datasets import ROOT
from eval.trial import file_sources, trial

SEED = 16
QUESTIONS, ABSENT = 60, 20
JUDGED = ROOT / "eval" / "quarters_judged.jsonl"
TITLE = "Questions over quarterly reports"


@dataclass(frozen=True, slots=True)
class ReportQuestion:
    """A question, what is expected, and the reports that it is about."""

    id: str
    text: str
    expected: str
    asked_of: str  # such as "2023-Q3-AAPL", or a company's letters for all of its reports


def measure() -> dict[str, Any]:
    """Ask, list the answers for a judge, and score those that are judged."""
    questions = list(_questions())
    files = sorted(path.stem for path in TEN_Q.glob("*.pdf"))
    here = [one for one in questions if any(one.asked_of in name for name in files)]
    whole = [one for one in here if one.asked_of in files or _most_reports(one, files)]
    chance = random.Random(SEED)
    asked = sorted(chance.sample(whole, QUESTIONS), key=lambda one: questions.index(one))
    companies = {name.rsplit("-", 1)[-1] for name in files}
    elsewhere = [one for one in questions if one.asked_of.rsplit("-", 1)[-1] not in companies]
    absent = chance.sample(elsewhere, ABSENT)
    with trial(file_sources([TEN_Q]), {}) as made:
        tried = attempt(made, [one.text for one in asked])
        about_others = attempt(made, [one.text for one in absent])
    listed = [
        Listed(one.id, one.text, one.expected, one.asked_of, two.answer)
        for one, two in zip(asked, tried, strict=True)
    ]
    judgements = read_judgements(JUDGED)
    outcomes = {one.id: judged(one, judgements) for one in listed}
    listing = LISTINGS / "sec10q.md"
    write_listing(listing, TITLE, listed, outcomes)
    print(f"{listing} lists the answers")
    answered = [one for one in listed if one.answer.answerable]
    return {
        "questions": len(listed),
        **counts(outcomes.values()),
        "share right": share(outcome == RIGHT for outcome in outcomes.values()),
        "right document, of those answered": share(_from_right_document(one) for one in answered),
        "other companies' questions": len(absent),
        "of them refused": share(not one.answer.answerable for one in about_others),
        "p50 ms": p50_ms(tried),
        "certainties": {"10-Qs": packed(certainties(tried, [outcomes[one.id] == RIGHT for one in asked]))},
        "outcomes": outcomes,
    }


def _questions() -> Iterator[ReportQuestion]:
    with (TEN_Q.parent / "questions.csv").open(encoding="utf-8-sig") as file:
        for number, row in enumerate(csv.DictReader(file)):
            asked_of = row["Source Docs"].strip("*").replace(" ", "-")
            yield ReportQuestion(f"t{number}", row["Question"].strip(), row["Answer"], asked_of)


def _most_reports(one: ReportQuestion, files: Sequence[str]) -> bool:
    """Return whether a question about all reports of a company can be answered: most of them are here."""
    return "-" not in one.asked_of and sum(name.endswith(one.asked_of) for name in files) > 1


def _from_right_document(one: Listed) -> bool:
    """Return whether the first citation is from a report that the question is about."""
    cited = sorted(one.answer.citations, key=lambda citation: citation.answer_start)
    return bool(cited) and one.source in Path(cited[0].document).stem
