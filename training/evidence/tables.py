"""Read cases from the public sets of tables: each row is a unit, spelled as the question path spells it."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from eval.benchmarks.yardstick.lookups import is_lookup
from eval.datasets import records, table_held_back
from training.evidence.cases import Case, LabelledPassage, Span
from training.evidence.sources import SourcedCase

SETS = ("wikitablequestions-train", "sqa-train", "tatqa", "hitab-train", "aitqa", "hybridqa-dev", "fetaqa")
# Rows shown around the one that answers.
_AROUND = (2, 9)
_MOST_CHARACTERS = 1_400


@dataclass(frozen=True, slots=True)
class LabelledTable:
    """A table with one header row; `label` says what it is called."""

    label: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def table_sources() -> Iterator[SourcedCase]:
    """Yield a case for each look-up question, with some rows of its table."""
    rng = random.Random("tables")
    for name in SETS:
        for r in records(f"tables/{name}.jsonl.gz"):
            if name in ("wikitablequestions-train", "sqa-train", "tatqa") and table_held_back(r["id"]):
                continue
            table, skipped = as_table(r)
            for question in r["questions"]:
                cells = _cells(name, question, table, skipped)
                if not _usable(name, question, cells, table):
                    continue
                made = shown(table, cells, rng)
                if made:
                    yield SourcedCase(name, r["id"], Case(question["question"], (made,)))


def as_table(r: dict[str, Any]) -> tuple[LabelledTable, int]:
    """Return a record's table, and how many of its rows became the header."""
    header, rows = r["header"], r["rows"]
    if header and isinstance(header[0], list):
        return LabelledTable(r["title"], _joined(header), tuple(map(tuple, rows))), 0
    if header:
        return LabelledTable(
            r["title"], tuple(h.replace(" > ", " › ") for h in header), tuple(map(tuple, rows))
        ), 0
    heads = 0
    while heads < min(3, len(rows) - 1) and not rows[heads][0].strip():
        heads += 1
    joined = _joined(rows[:heads]) if heads else ("",) * len(rows[0])
    return LabelledTable(r["title"], joined, tuple(map(tuple, rows[heads:]))), heads


def shown(
    table: LabelledTable, cells: Sequence[tuple[int, int]], rng: random.Random
) -> LabelledPassage | None:
    """Return some rows of a table, those of the cells among them; None if they are too long.

    Args:
        cells: (row, column) of the cells that answer; none for a passage that does not answer.
    """
    wanted = sorted({row for row, _ in cells})
    around = rng.randint(*_AROUND)
    middle = wanted[0] if wanted else rng.randrange(len(table.rows))
    first = max(0, min(middle - rng.randint(0, around), len(table.rows) - around))
    taken = list(range(first, min(first + around + 1, len(table.rows))))
    taken = sorted({*taken, *wanted})
    text, units, answering, spans = "", list[Span](), set[int](), list[Span]()
    for number in taken:
        spelled, places = spell(table, number)
        if not spelled:
            continue
        if len(text) + len(spelled) > _MOST_CHARACTERS and number not in wanted:
            continue
        if number in wanted:
            answering.add(len(units))
            spans += [
                (start + len(text), end + len(text))
                for column, (start, end) in places.items()
                if (number, column) in cells
            ]
        units.append((len(text), len(text) + len(spelled)))
        text += spelled + "\n"
    if len(text) > 2 * _MOST_CHARACTERS or not units or (wanted and not spans):
        return None
    return LabelledPassage(
        table.label, text, tuple(units), frozenset(answering), tuple(spans), about=True, rows=True
    )


def spell(table: LabelledTable, number: int) -> tuple[str, dict[int, Span]]:
    """Return a row as `rag.text.tables.Row.spelled` does, and where its cells stand in it by column."""
    text, places = "", dict[int, Span]()
    for column, value in enumerate(table.rows[number]):
        value = " ".join(value.split())
        if not value:
            continue
        if text:
            text += ": " if len(places) == 1 else "; "
        if column < len(table.header) and table.header[column]:
            text += f"{table.header[column]} "
        places[column] = (len(text), len(text) + len(value))
        text += value
    return text, places


def _cells(name: str, question: dict[str, Any], table: LabelledTable, skipped: int) -> list[tuple[int, int]]:
    """Return (row, column) of the cells that answer; none if one stands in the header."""
    cells = [(cell[0] - skipped, cell[1]) for cell in question["cells"] if len(cell) == 2]
    if any(not 0 <= row < len(table.rows) for row, _ in cells):
        return []
    if name == "hybridqa-dev":  # its other cells only link to a passage that answers
        cells = [(r, c) for r, c in cells if table.rows[r][c].strip() in question["answers"]]
    return cells


def _usable(
    name: str, question: dict[str, Any], cells: Sequence[tuple[int, int]], table: LabelledTable
) -> bool:
    if not cells or question.get("history"):
        return False
    rows = {row for row, _ in cells}
    if name == "wikitablequestions-train":
        return len(rows) == 1 and is_lookup(question["question"])
    if name == "hitab-train":
        return len(rows) == 1 and question["how"] == ["none"]
    if name == "hybridqa-dev":
        return len(rows) == 1
    if name == "tatqa":
        return question["kind"] in ("span", "multi-span") and len(rows) <= 3
    return len(rows) <= 4


def _joined(header: Sequence[Sequence[str]]) -> tuple[str, ...]:
    columns = zip(*header, strict=True)
    return tuple(" › ".join(dict.fromkeys(" ".join(v.split()) for v in c if v.strip())) for c in columns)
