"""Look-ups of one cell, over tables of Wikipedia and of financial reports, each a document of a corpus.

A table is one markdown document. Those of TAT-QA have no title and are much alike ("total sales in 2019"), so each gets
a company of its own that the question names. A question of WikiTableQuestions takes its page for granted; it is asked
with the page's title, and as it stands.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from eval.benchmarks.yardstick.outcomes import (
    Attempt,
    attempt,
    certainties,
    holds,
    leads,
    p50_ms,
    packed,
    share,
)
from eval.datasets import records
from eval.measures import held_answers
from eval.reading import lead
from eval.trial import CORPUS, Trial, text_sources, trial
from rag.types import Answer

SEED = 16
QUESTIONS, OTHERS = 150, 50  # of each set: questions, and tables that none of them is about
WIKIPEDIA, FILINGS = "WikiTableQuestions", "TAT-QA"
# A look-up needs no counting, comparing or ordering of rows.
_NO_LOOKUP = re.compile(
    r"\b(how many|number of|total|combined|most|least|more|less|fewer|after|before|first|last|next|previous|prior|"
    r"only|same|other|another|than|top|bottom|above|below|over|under|between|difference|average|consecutive|each|"
    r"every|all|both|any|either|or|not|never|nor?|listed|table|chart|second|third|final|ever|change|larger?|higher|"
    r"lower|greater|longer|shorter|faster|slower|sooner|earlier|later|bigger|smaller|better|worse|"
    r"(?!west\b|east\b|test\b|interest\b)\w{2,}est|frist|fartherst|lst)\b",
    re.IGNORECASE,
)
# fmt: off
_HEADS = (
    "Ald", "Birch", "Cald", "Dun", "Elm", "Fen", "Garn", "Harl", "Ing", "Kes", "Lang", "Mar", "Nor", "Orm", "Pen",
    "Quen", "Rav", "Stan", "Thorn", "Wil",
)
_TAILS = (
    "brook", "bury", "combe", "dale", "field", "ford", "gate", "ham", "hurst", "ley", "mere", "mouth", "ridge",
    "stead", "ton", "wick",
)
# fmt: on
_FORMS = ("plc", "Group", "Holdings", "Corporation")
_MARKS = str.maketrans({"|": "/", "\n": " "})


@dataclass(frozen=True, slots=True)
class TableLookup:
    """A question that one cell of one row answers."""

    question: str
    plain: str  # without the name of its subject
    document: str
    row: int  # of the document's table, from 0 under its header
    cell: str


@dataclass(frozen=True, slots=True)
class _TableText:
    """A table as a document, and the questions about it."""

    name: str
    text: str
    lookups: tuple[TableLookup, ...]


def measure() -> dict[str, Any]:
    """Return the shares for each set."""
    texts: dict[str, str] = {}
    asked: dict[str, list[TableLookup]] = {}
    for name, tables in ((WIKIPEDIA, _wikipedia()), (FILINGS, _filings())):
        chosen, asked[name] = _drawn(list(tables))
        texts |= {table.name: table.text for table in chosen}
    asked[f"{WIKIPEDIA}, without the title"] = [replace(one, question=one.plain) for one in asked[WIKIPEDIA]]
    with trial(text_sources(texts), {}) as made:
        tried = {name: attempt(made, [one.question for one in lookups]) for name, lookups in asked.items()}
        figures: dict[str, Any] = {
            name: _figures(made, lookups, tried[name]) for name, lookups in asked.items()
        }
    figures["documents"] = len(texts)
    figures["certainties"] = {
        f"look-ups, {name}": packed(
            certainties(
                tried[name],
                [
                    holds(one.unrefused, [look.cell])
                    for one, look in zip(tried[name], asked[name], strict=True)
                ],
            )
        )
        for name in (WIKIPEDIA, FILINGS)
    }
    return figures


def _figures(made: Trial, lookups: Sequence[TableLookup], attempts: Sequence[Attempt]) -> dict[str, Any]:
    answers = [one.answer for one in attempts]
    rows = [row_spans(made.catalog.documents.get(CORPUS, look.document).text)[look.row] for look in lookups]
    pairs = list(zip(lookups, rows, answers, strict=True))
    return {
        "questions": len(lookups),
        "answered": share(answer.answerable for answer in answers),
        "right table cited": share(
            any(one.document == look.document for one in answer.citations) for look, _, answer in pairs
        ),
        "right row cited": share(_cites_row(answer, look.document, row) for look, row, answer in pairs),
        "right row cited first": share(
            _cites_row(answer, look.document, row, 1) for look, row, answer in pairs
        ),
        "right cell in the answer": share(holds(answer, [look.cell]) for look, _, answer in pairs),
        "right cell in the lead": share(leads(answer, [look.cell]) for look, _, answer in pairs),
        "right cell is the short answer": share(
            any(held_answers([look.cell], lead(answer))) for look, _, answer in pairs
        ),
        "p50 ms": p50_ms(attempts),
    }


def _cites_row(answer: Answer, document: str, row: tuple[int, int], most: int | None = None) -> bool:
    """Return whether a citation lies in a row, among the first `most` of an answer."""
    start, end = row
    ordered = sorted(answer.citations, key=lambda one: one.answer_start)
    return any(one.document == document and one.start < end and start < one.end for one in ordered[:most])


def row_spans(text: str) -> list[tuple[int, int]]:
    """Return the spans of the rows under a document's only table's header."""
    lines = [match.span() for match in re.finditer(r"^\|.*$", text, re.MULTILINE)]
    return lines[2:]


def _drawn(tables: Sequence[_TableText]) -> tuple[list[_TableText], list[TableLookup]]:
    """Draw questions, one of a table, and return them with their tables and some others."""
    chance = random.Random(SEED)
    asked = chance.sample([table for table in tables if table.lookups], QUESTIONS)
    about = {table.name for table in asked}
    others = chance.sample([table for table in tables if table.name not in about], OTHERS)
    return [*asked, *others], [chance.choice(table.lookups) for table in asked]


def _wikipedia() -> Iterator[_TableText]:
    taken: set[str] = set()
    for table in records("tables/wikitablequestions-train.jsonl.gz"):
        title, header = table["title"], table["header"]
        name = f"{title.replace('/', '-')}.md"
        if name in taken:
            continue
        taken.add(name)
        lookups = [
            TableLookup(
                f"{title}: {entry['question']}", entry["question"], name, row, table["rows"][row][column]
            )
            for entry, (row, column) in single_cells(table, entry_kind=None)
        ]
        yield _TableText(name, markdown_document(title, header, table["rows"]), tuple(lookups))


def _filings() -> Iterator[_TableText]:
    tables = list(records("tables/tatqa.jsonl.gz"))
    for table, company in zip(tables, _companies(len(tables)), strict=True):
        rows, depth = table["rows"], _header_rows(table["rows"])
        header = [" ".join(filter(None, column)) for column in zip(*rows[:depth], strict=True)]
        name = f"{company} annual report.md"
        lookups = []
        for entry, (row, column) in single_cells(table, entry_kind="span"):
            if row >= depth and column > 0 and rows[row][0]:
                plain = entry["question"].strip()
                framed = f"In the annual report of {company}, {plain[:1].lower()}{plain[1:]}"
                lookups.append(TableLookup(framed, plain, name, row - depth, rows[row][column]))
        parts = [
            markdown_document(f"{company}: annual report", header, rows[depth:]),
            "\n\n".join(table["paragraphs"]),
        ]
        yield _TableText(name, "\n".join(parts) + "\n", tuple(lookups))


def _companies(count: int) -> list[str]:
    """Return names of companies that do not exist, all different."""
    names = [f"{head}{tail}" for head, tail in product(_HEADS, _TAILS)]
    random.Random(SEED).shuffle(names)
    doubled = [f"{first} & {second}" for first, second in zip(names, reversed(names), strict=True)]
    return [f"{name} {_FORMS[number % 4]}" for number, name in enumerate([*names, *doubled][:count])]


def single_cells(
    table: Mapping[str, Any], *, entry_kind: str | None
) -> Iterator[tuple[Mapping[str, Any], tuple[int, int]]]:
    """Yield the questions that one cell answers, with its row and column.

    Args:
        entry_kind: that a question must have; None for any.
    """
    for entry in table["questions"]:
        if len(entry["cells"]) != 1 or len(entry["answers"]) != 1 or len(entry["cells"][0]) != 2:
            continue
        row, column = entry["cells"][0]
        is_kind = entry_kind is None or (entry["kind"] == entry_kind and not entry["derivation"])
        if is_kind and entry["answers"][0] == table["rows"][row][column] and is_lookup(entry["question"]):
            yield entry, (row, column)


def is_lookup(question: str) -> bool:
    """Return whether a question seems to ask for a cell and no more."""
    return not _NO_LOOKUP.search(question)


def _header_rows(rows: Sequence[Sequence[str]]) -> int:
    """Return how many rows a header has: those without a label at the top, and at least one."""
    depth = 1
    while depth < len(rows) - 1 and not rows[depth][0]:
        depth += 1
    return depth


def markdown_document(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in markdown under its title."""
    lines = [header, ["---"] * len(header), *rows]
    table = "\n".join(f"| {' | '.join(cell.translate(_MARKS) for cell in line)} |" for line in lines)
    return f"# {title}\n\n{table}\n"
