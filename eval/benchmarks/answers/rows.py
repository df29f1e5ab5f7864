"""Look-ups of rows and cells: 60 questions over a table of 1,200 wells, and over a table of sites in six formats.

Both tables are drawn by a seed. A question names a row and, in everyday words, a column; it is right if the answer
holds the cell and its first quote is that row. As many questions name a row that the table lacks: they are to be
refused.
"""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from docx import Document
from openpyxl import Workbook
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.platypus import Paragraph, SimpleDocTemplate, Table

from eval.trial import CORPUS, trial
from ingest.source import Source

QUESTIONS = 60
TITLE = "Site figures for the year"
# fmt: off
_SITES = [
    "Aspen", "Birch", "Cedar", "Dogwood", "Elder", "Fir", "Ginkgo", "Hazel", "Ivy", "Juniper", "Kapok",
    "Larch", "Maple", "Neem", "Oak", "Pine", "Quince", "Rowan", "Spruce", "Teak", "Ulmus", "Viburnum",
    "Willow", "Yew", "Zelkova", "Alder", "Buckeye", "Chestnut", "Damson", "Ebony", "Fig", "Gorse", "Holly",
    "Ironwood", "Jarrah", "Katsura", "Linden", "Myrtle", "Nutmeg", "Olive", "Palm", "Redbud", "Sumac",
    "Tulip", "Umbu", "Walnut", "Wych", "Yucca", "Ash", "Beech",
]
# fmt: on
_OWNERS = ["Alder", "Birch", "Cedar", "Dogwood", "Elm", "Fern", "Gorse", "Hazel", "Iris", "Juniper"]
_REMARKS = ("ok", "pump noisy", "water cloudy", "lid cracked", "to be deepened")


@dataclass(frozen=True, slots=True)
class LookUp:
    """A question, the row that it is about, and the cell that answers it."""

    question: str
    row: str  # its label
    cell: str


def measure() -> dict[str, Any]:
    """Return the outcomes by table and format: right, refused, another row quoted, another cell."""
    wells, sites = _wells(), _sites()
    found = {"1,200 wells, CSV": _outcomes("wells.csv", _csv(wells), _well_questions(wells))}
    for suffix, write in WRITERS.items():
        found[f"50 sites, {suffix.upper()}"] = _outcomes(
            f"sites.{suffix}", write(sites), _site_questions(sites)
        )
    return found


def _outcomes(name: str, data: bytes, look_ups: Sequence[LookUp]) -> dict[str, int]:
    counts = {"questions": len(look_ups), "right": 0, "refused": 0, "another row": 0, "another cell": 0}
    counts |= {"absent rows": len(look_ups), "absent rows refused": 0}
    with trial([Source(name, lambda: data)], {}) as made:
        for one in look_ups:
            answer = made.pipeline.ask(CORPUS, one.question)
            quotes = [citation.quote for citation in answer.citations]
            if not answer.answerable:
                counts["refused"] += 1
            elif not any(one.row in quote for quote in quotes):
                counts["another row"] += 1
            elif one.cell in answer.text:
                counts["right"] += 1
            else:
                counts["another cell"] += 1
            absent = one.question.replace(one.row, _absent(one.row))
            counts["absent rows refused"] += not made.pipeline.ask(CORPUS, absent).answerable
    return counts


def _absent(label: str) -> str:
    """Return a label like the given one that no table has."""
    return f"W-{int(label[2:]) + 5000}" if label.startswith("W-") else f"{label[:2]}{label[-3:]}wick"


def _wells() -> list[list[str]]:
    draw = random.Random(25)
    rows = [["Well", "Depth m", "Owner", "Last inspected", "Remark"]]
    for number in range(1200):
        date = f"20{draw.randrange(20, 30)}-{draw.randrange(1, 13):02}-{draw.randrange(1, 29):02}"
        owner = f"{draw.choice(_OWNERS)} estate"
        rows.append([f"W-{number:04}", str(draw.randrange(20, 400)), owner, date, draw.choice(_REMARKS)])
    return rows


def _well_questions(rows: Sequence[Sequence[str]]) -> list[LookUp]:
    forms = (
        ("How deep is well {}?", 1),
        ("Who owns well {}?", 2),
        ("When was well {} last inspected?", 3),
        ("What is the depth of {} in metres?", 1),
    )
    return _questions(rows, forms, seed=1)


def _sites() -> list[list[str]]:
    draw = random.Random(4)
    rows = [["Site", "Opened", "Staff", "Energy (MWh)", "Water (m3)", "Waste (t)"]]
    for name in _SITES:
        numbers = (draw.randrange(1980, 2020), draw.randrange(10, 320))
        energy, waste = draw.randrange(1000, 9000) / 10, draw.randrange(30, 900) / 10
        rows.append(
            [name, *map(str, numbers), f"{energy:.1f}", f"{draw.randrange(4000, 90000):,}", f"{waste:.1f}"]
        )
    return rows


def _site_questions(rows: Sequence[Sequence[str]]) -> list[LookUp]:
    forms = (
        ("How much water did the {} site use?", 4),
        ("How many staff work at {}?", 2),
        ("What was the energy use of {} in MWh?", 3),
        ("When was the {} site opened?", 1),
        ("How many tonnes of waste did {} produce?", 5),
    )
    return _questions(rows, forms, seed=2)


def _questions(rows: Sequence[Sequence[str]], forms: Sequence[tuple[str, int]], *, seed: int) -> list[LookUp]:
    draw = random.Random(seed)
    asked = [(row, form) for row in rows[1:] for form in forms]
    return [
        LookUp(form.format(row[0]), row[0], row[column])
        for row, (form, column) in draw.sample(asked, QUESTIONS)
    ]


def _csv(rows: Sequence[Sequence[str]]) -> bytes:
    written = io.StringIO()
    csv.writer(written).writerows(rows)
    return written.getvalue().encode()


def _pdf(rows: Sequence[Sequence[str]]) -> bytes:
    """Write a table without rulings over two pages, the header on the first alone."""
    written = io.BytesIO()
    title = Paragraph(TITLE, getSampleStyleSheet()["Title"])
    SimpleDocTemplate(written, pagesize=A4).build([title, Table([list(row) for row in rows])])
    return written.getvalue()


def _xlsx(rows: Sequence[Sequence[str]]) -> bytes:
    book, written = Workbook(), io.BytesIO()
    sheet = book.active
    sheet.append([TITLE])
    for row in rows:
        sheet.append(list(row))
    book.save(written)
    return written.getvalue()


def _docx(rows: Sequence[Sequence[str]]) -> bytes:
    document, written = Document(), io.BytesIO()
    document.add_paragraph(TITLE)
    table = document.add_table(len(rows), len(rows[0]))
    for row, cells in zip(rows, table.rows, strict=True):
        for text, cell in zip(row, cells.cells, strict=True):
            cell.text = text
    document.save(written)
    return written.getvalue()


def _html(rows: Sequence[Sequence[str]]) -> bytes:
    lines = ["".join(f"<td>{text}</td>" for text in row) for row in rows]
    lines[0] = lines[0].replace("td>", "th>")
    table = "".join(f"<tr>{line}</tr>" for line in lines)
    return f"<!doctype html><title>{TITLE}</title><body><h1>{TITLE}</h1><table>{table}</table>".encode()


def _markdown(rows: Sequence[Sequence[str]]) -> bytes:
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "|" + " --- |" * len(rows[0]))
    return f"# {TITLE}\n\n{chr(10).join(lines)}\n".encode()


WRITERS: Mapping[str, Callable[[Sequence[Sequence[str]]], bytes]] = {
    "csv": _csv,
    "pdf": _pdf,
    "xlsx": _xlsx,
    "docx": _docx,
    "html": _html,
    "md": _markdown,
}
