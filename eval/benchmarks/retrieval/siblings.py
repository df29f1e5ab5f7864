"""Which document is meant: made documents of one form, and the quarterly reports, without a reader.

The made ones are the reports, manuals and leases of companies that do not exist, alike but for names, periods, versions
and numbers; some files are called by company and quarter, some only by a number. A question names its document in
one of several ways. Reported are the shares of questions whose right document is first and among the first three
hits, and whose answer is first and among the first five; with the document prior and without.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eval.benchmarks.filings.files import TEN_Q
from eval.benchmarks.yardstick.outcomes import share
from eval.benchmarks.yardstick.quarters import drawn
from eval.datasets import available
from eval.trial import CORPUS, Trial, file_sources, reconfigured, text_sources, trial
from rag.types import Hit

SEED = 3
WAYS: Mapping[str, Mapping[str, Any]] = {"with the prior": {}, "without": {"document_weight": 0.0}}
HITS = 5
COMPANIES = {
    "Valtera": "VLTR", "Brightmoor": "BRMR", "Oskel": "OSKL", "Pinefield": "PNFD",
    "Tarragon Systems": "TGSY", "Northwick": "NWCK", "Quillon": "QLN", "Ember Foods": "EMBF",
}  # fmt: skip
TENANTS = (
    "Marlow Dental",
    "Okafor Books",
    "Lindqvist Bakery",
    "Sato Cycles",
    "Hargreaves Legal",
    "Rossi Optics",
)
DEVICES = ("Heron X2", "Heron X4", "Kestrel 300", "Kestrel 500", "Plover")
VERSIONS = ("1.0", "1.4", "2.1")
QUARTERS = ((2022, 4), (2023, 1), (2023, 2), (2023, 3))
_ENDS = {1: "March 31", 2: "June 30", 3: "September 30", 4: "December 31"}
_ORDINALS = {1: "first", 2: "second", 3: "third", 4: "fourth"}
# What is asked of a form: subject, question of {name}, statement of {value}.
REPORT = (
    ("revenue", "What was the total revenue of {name}?", "Total revenue was {value} million."),
    (
        "the gross margin",
        "What gross margin did {name} report?",
        "Gross margin was {value} percent of revenue.",
    ),
    (
        "the tax rate",
        "What was the effective tax rate of {name}?",
        "Our effective tax rate was {value} percent.",
    ),
    ("inventories", "How large were the inventories of {name}?", "Inventories amounted to {value} million."),
    ("headcount", "How many people did {name} employ?", "We employed {value} people."),
)
MANUAL = (
    ("the battery", "How long does the battery of the {name} last?", "It lasts {value} hours on one charge."),
    ("the weight", "How heavy is the {name}?", "It weighs {value} grams."),
    ("the warranty", "How long is the warranty on the {name}?", "It is covered for {value} months."),
)
LEASE = (
    ("rent", "What rent does {name} pay?", "The monthly rent is {value} euros."),
    ("notice", "What notice must {name} give?", "The lease may be ended with {value} weeks' notice."),
    ("parking", "How many parking spaces has {name}?", "The tenant may use {value} parking spaces."),
)
_BOILERPLATE = (
    "Management reviews {subject} regularly and believes that the present level is adequate.",
    "What is said of {subject} is unaudited and reflects normal recurring adjustments.",
    "Changes in {subject} can be affected by competition, demand and the economy at large.",
    "Nobody can assure you that {subject} will develop as in the past.",
    "See the notes for a further discussion of {subject} and of the estimates behind it.",
    "How {subject} is measured is described in the annual statement.",
    "For earlier statements on {subject}, the reader is referred to the archive.",
)


@dataclass(frozen=True, slots=True)
class SiblingQuestion:
    """A question, what the names of its documents hold, and the sentence that answers ("" if unknown)."""

    text: str
    document: str
    sentence: str = ""


def measure() -> dict[str, Any]:
    """Measure on the made documents, and on the quarterly reports if they are here."""
    texts, questions = made_siblings()
    with trial(text_sources(texts), {}) as made:
        found: dict[str, Any] = {"made": _both_ways(made, questions)}
    if available("endtoend/sec-10q"):
        asked = [SiblingQuestion(one.text, one.asked_of) for one in drawn()[0]]
        with trial(file_sources([TEN_Q]), {}) as made:
            found["10-Qs"] = _both_ways(made, asked)
    return found


def made_siblings() -> tuple[dict[str, str], list[SiblingQuestion]]:
    """Return the texts of the made documents by name, and the questions about them."""
    chance = random.Random(SEED)
    texts: dict[str, str] = {}
    questions: list[SiblingQuestion] = []

    def add(name: str, opening: str, form: Sequence[tuple[str, str, str]], called: Sequence[str]) -> None:
        parts = [opening]
        for subject, question, statement in form:
            said = statement.format(value=chance.randint(2, 900))
            before, after = _boilerplate(subject, 3, chance), _boilerplate(subject, 4, chance)
            parts.append(f"## {subject.upper()}\n\n{before} {said} {after}")
            text = question.format(name=chance.choice(called))
            questions.append(SiblingQuestion(text, name, said))
        texts[name] = "\n\n".join(parts) + "\n"

    for company, ticker in COMPANIES.items():
        for year, quarter in QUARTERS:
            name = chance.choice([f"{year}-Q{quarter}-{ticker}.txt", f"filing-{len(texts):03d}.txt"])
            add(
                name,
                _cover(company, ticker, year, quarter),
                REPORT,
                _reports_called(company, ticker, year, quarter),
            )
    for device in DEVICES:
        for version in VERSIONS:
            name = f"{device.replace(' ', '-').lower()}-manual-v{version}.txt"
            opening = f"{device} User Manual\n\nVersion {version}\n\nRead the manual before use."
            add(name, opening, MANUAL, [f"{device} in version {version}", f"{device.lower()} (v{version})"])
    for number, tenant in enumerate(TENANTS):
        opening = f"LEASE AGREEMENT\n\nbetween Harbour Estates Ltd (the landlord) and {tenant} (the tenant)."
        add(f"lease-{number:02d}.txt", opening, LEASE, [tenant])
    return texts, questions


def _cover(company: str, ticker: str, year: int, quarter: int) -> str:
    return (
        f"QUARTERLY REPORT\n\n{company}, Inc. ({ticker})\n\nFor the quarterly period ended {_ENDS[quarter]}, {year}. "
        f"Fiscal {year}, {_ORDINALS[quarter]} quarter.\n\nIndicate by check mark whether all reports were filed."
    )


def _reports_called(company: str, ticker: str, year: int, quarter: int) -> list[str]:
    return [
        f"{company} in Q{quarter} {year}",
        f"{company} in the {_ORDINALS[quarter]} quarter of {year}",
        f"{company} for the quarter ended {_ENDS[quarter]}, {year}",
        f"{ticker} in {quarter}Q{year % 100}",
    ]


def _boilerplate(subject: str, count: int, chance: random.Random) -> str:
    return " ".join(one.format(subject=subject) for one in chance.sample(_BOILERPLATE, count))


def _both_ways(made: Trial, questions: Sequence[SiblingQuestion]) -> dict[str, Any]:
    return {"questions": len(questions)} | {name: _scored(made, way, questions) for name, way in WAYS.items()}


def _scored(made: Trial, way: Mapping[str, Any], questions: Sequence[SiblingQuestion]) -> dict[str, Any]:
    pipeline = reconfigured(made, way)
    scores: dict[str, Any] = {}
    results = [pipeline.search(CORPUS, one.text, k=HITS) for one in questions]
    for stage, rankings in {
        "fused": [result.trace.rankings["fused"] for result in results],
        "search": [result.hits for result in results],
    }.items():
        pairs = list(zip(questions, rankings, strict=True))
        scores[f"{stage}: right document first"] = share(_right(one, hits[:1]) for one, hits in pairs)
        scores[f"{stage}: among three"] = share(_right(one, hits[:3]) for one, hits in pairs)
        if all(one.sentence for one in questions):
            scores[f"{stage}: answer first"] = share(_answers(one, hits[:1]) for one, hits in pairs)
            scores[f"{stage}: among five"] = share(_answers(one, hits[:5]) for one, hits in pairs)
    return scores


def _right(one: SiblingQuestion, hits: Sequence[Hit]) -> bool:
    return any(one.document in hit.chunk.document for hit in hits)


def _answers(one: SiblingQuestion, hits: Sequence[Hit]) -> bool:
    return any(one.document == hit.chunk.document and one.sentence in hit.text for hit in hits)
