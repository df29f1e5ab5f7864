"""100 questions as a new user asks them, over documents that we did not write, judged by reading.

The documents are one corpus: the public PDFs beside the checkout, 30 articles of Wikipedia, and the sections of two
manuals. An answer is right if it holds the expected words; where there are none, or where a person found the words
misleading, the judgement in `eval/own_judged.jsonl` counts. Every answer is listed beside what is expected in a file
outside the repository.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from eval.benchmarks.filings.files import PDFS
from eval.benchmarks.yardstick.judgements import (
    NOT_JUDGED,
    RIGHT,
    WRONG,
    JudgedAnswer,
    Judgements,
    ListedQuestion,
    judged,
    judged_answer,
    read_judgements,
    tally,
    write_listing,
)
from eval.benchmarks.yardstick.outcomes import (
    Attempt,
    attempt,
    balanced,
    cites,
    holds,
    leads,
    p50_ms,
    share,
)
from eval.datasets import ROOT, records
from eval.trial import file_sources, text_sources, trial

QUESTIONS = ROOT / "eval" / "own_questions.jsonl"
JUDGED = ROOT / "eval" / "own_judged.jsonl"
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
    answers = _judged(asked, tried)
    answerable = [(one, two.answer) for one, two in zip(asked, tried, strict=True) if one.expected]
    return {
        "questions": len(asked),
        "documents": len(names),
        **tally(answers, "own questions"),
        "right in the lead, where words decide": share(
            leads(answer, one.holds) for one, answer in answerable if one.holds
        ),
        "right document cited": share(cites(answer, one.document) for one, answer in answerable),
        **balanced([bool(one.expected) for one in asked], tried),
        "p50 ms": p50_ms(tried),
    }


def own_questions() -> list[OwnQuestion]:
    """Return the questions."""
    lines = QUESTIONS.read_text(encoding="utf-8").splitlines()
    return [OwnQuestion(**{**entry, "holds": tuple(entry["holds"])}) for entry in map(json.loads, lines)]


def outcome_of(one: OwnQuestion, shown: ListedQuestion, judgements: Judgements) -> str:
    """Return what became of a question: by a person's judgement if there is one, else by its words."""
    outcome = judged(shown, judgements)
    if outcome != NOT_JUDGED or not one.holds:
        return outcome
    return RIGHT if holds(shown.answer, one.holds) else WRONG


def _judged(asked: Sequence[OwnQuestion], tried: Sequence[Attempt]) -> list[JudgedAnswer]:
    """List the answers for a person to read, and return what became of each."""
    judgements, answers, listed = read_judgements(JUDGED), [], []
    for one, two in zip(asked, tried, strict=True):
        shown = ListedQuestion(one.id, one.question, one.expected, one.document, two.answer)
        outcome, otherwise = outcome_of(one, shown, judgements), holds(two.unrefused, one.holds)
        listed.append(shown)
        answers.append(judged_answer(shown, outcome, two.unrefused.confidence, unrefused_right=otherwise))
    write_listing("own", "Questions of a new user", listed, answers)
    return answers


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
