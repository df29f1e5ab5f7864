"""100 questions as a new user asks them, over documents that we did not write, judged by reading.

The documents are one corpus: the public PDFs beside the checkout, 30 articles of Wikipedia, and the sections of two
manuals. An answer is right if it holds the expected words; where there are none, or where a person found the words
misleading, the judgement in `eval/own_judged.jsonl` counts. Every answer is listed beside what is expected in a file
outside the repository.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from eval.benchmarks.filings.files import PDFS
from eval.benchmarks.yardstick.judgements import (
    LISTINGS,
    NOT_JUDGED,
    RIGHT,
    WRONG,
    Listed,
    counts,
    judged,
    read_judgements,
    write_listing,
)
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
from eval.datasets import ROOT, records
from eval.trial import file_sources, text_sources, trial

QUESTIONS = ROOT / "eval" / "own_questions.jsonl"
JUDGED = ROOT / "eval" / "own_judged.jsonl"
TITLE = "Questions of a new user"
ARTICLES = (
    "Asthma",
    "BeiDou Navigation Satellite System",
    "Beer",
    "Bird migration",
    "Buckingham Palace",
    "Compact disc",
    "Copper",
    "Daylight saving time",
    "Eton College",
    "FA Cup",
    "Glacier",
    "IPod",
    "Incandescent light bulb",
    "Intergovernmental Panel on Climate Change",
    "Myocardial infarction",
    "Neptune",
    "Norfolk Island",
    "Oxygen",
    "Royal Dutch Shell",
    "Saint Helena",
    "Spectre (2015 film)",
    "Super Bowl 50",
    "To Kill a Mockingbird",
    "Transistor",
    "Tristan da Cunha",
    "Tuberculosis",
    "Wayback Machine",
    "Windows 8",
    "Xbox 360",
    "YouTube",
)


@dataclass(frozen=True, slots=True)
class OwnQuestion:
    """A question of ours; `expected` is "" if nothing answers it."""

    id: str
    kind: str  # of question: who, how much, how-to and so on
    question: str
    expected: str
    holds: tuple[str, ...]  # words of which an answer needs one; none if only reading decides
    document: str


def measure() -> dict[str, Any]:
    """Ask, list every answer, and score."""
    texts = dict(_texts())
    pdfs = sorted(PDFS.glob("*.pdf"))
    names = {*texts, *(path.name for path in pdfs)}
    asked = [one for one in own_questions() if not one.document or one.document in names]
    with trial([*text_sources(texts), *file_sources(pdfs)], {}) as made:
        tried = attempt(made, [one.question for one in asked])
    judgements = read_judgements(JUDGED)
    listed = [_listed(one, two) for one, two in zip(asked, tried, strict=True)]
    outcomes = {one.id: outcome_of(one, shown, judgements) for one, shown in zip(asked, listed, strict=True)}
    unrefused = {
        one.id: outcome_of(one, _listed(one, two, unrefused=True), judgements)
        for one, two in zip(asked, tried, strict=True)
    }
    listing = LISTINGS / "own.md"
    write_listing(listing, TITLE, listed, outcomes)
    print(f"{listing} lists the answers")
    pairs = list(zip(asked, tried, strict=True))
    answerable = [(one, two) for one, two in pairs if one.expected]
    return {
        "questions": len(asked),
        "answerable": len(answerable),
        **counts(outcomes[one.id] for one, _ in answerable),
        "right in the lead, where words decide": share(
            leads(two.answer, one.holds) for one, two in answerable if one.holds
        ),
        "right document cited": share(cites(two.answer, one.document) for one, two in answerable),
        **balanced([bool(one.expected) for one in asked], tried),
        "documents": len(names),
        "p50 ms": p50_ms(tried),
        "outcomes": outcomes,
        "certainties": {
            "own questions": packed(certainties(tried, [unrefused[one.id] == RIGHT for one in asked]))
        },
    }


def own_questions() -> list[OwnQuestion]:
    """Return the questions."""
    lines = QUESTIONS.read_text(encoding="utf-8").splitlines()
    return [OwnQuestion(**{**entry, "holds": tuple(entry["holds"])}) for entry in map(json.loads, lines)]


def outcome_of(one: OwnQuestion, shown: Listed, judgements: Mapping[tuple[str, str], str]) -> str:
    """Return what became of a question: by a person's judgement if there is one, else by its words."""
    outcome = judged(shown, judgements)
    if outcome != NOT_JUDGED or not one.holds:
        return outcome
    return RIGHT if holds(shown.answer, one.holds) else WRONG


def _listed(one: OwnQuestion, tried: Attempt, *, unrefused: bool = False) -> Listed:
    answer = tried.unrefused if unrefused else tried.answer
    return Listed(one.id, one.question, one.expected, one.document, answer)


def _texts() -> Iterator[tuple[str, str]]:
    """Yield the articles and the manuals' sections by document name."""
    for entry in records("documents/wikipedia-490.jsonl.gz"):
        if entry["title"] in ARTICLES:
            yield f"{entry['title']}.md", f"# {entry['title']}\n\n{entry['text']}"
    sections: dict[str, dict[str, None]] = defaultdict(dict)
    for entry in records("generation/emanual.jsonl.gz"):
        for passage in entry["passages"]:
            sections[passage["title"]][passage["text"]] = None
    for title, texts in sections.items():
        name = title.replace("/", "-").replace(">", " - ")
        heading = title.rsplit(">", 1)[-1]
        yield f"{name}.md", f"# {heading}\n\n" + "\n\n".join(texts)
