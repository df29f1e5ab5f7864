"""A hundred cells of tables in ten filings: are value, row and column right in the grid that a reader extracts?

The cells were drawn by `draw.py`; rows and columns were read off the rendered pages by eye.
"""

from __future__ import annotations

import json
import re
import subprocess
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pypdfium2

from eval.benchmarks.filings.files import filings
from eval.datasets import ROOT
from ingest.load import load

CELLS = ROOT / "eval" / "filing_cells.jsonl"
# An environment beside the checkout that has pdfplumber and pymupdf4llm.
ANCHORS = ROOT.parent / "anchor-venv" / "bin" / "python"
Grid = Sequence[Sequence[str | None]]
Found = Mapping[str, Mapping[int, Sequence[Grid]]]
_ROW = re.compile(r"(?<!\\)\|")


def measure() -> dict[str, Any]:
    """Return, for each reader, how many cells have value, row and column right."""
    paths = {path.name: path for path in filings()}
    cells = [json.loads(line) for line in CELLS.read_text(encoding="utf-8").splitlines()]
    cells = [cell for cell in cells if cell["document"] in paths]
    pages: dict[str, set[int]] = defaultdict(set)
    for cell in cells:
        pages[cell["document"]].add(cell["page"])
    wanted = {str(paths[name]): sorted(numbers) for name, numbers in pages.items()}
    found: dict[str, Found] = {"ibid": _ibid(wanted), "stream order (as before)": _stream(wanted)}
    if ANCHORS.exists():
        found |= {name: _anchor(name, wanted) for name in ("pdfplumber", "pymupdf4llm")}
    return {"cells": len(cells)} | {name: _score(cells, paths, its) for name, its in found.items()}


def _score(cells: Sequence[Mapping[str, Any]], paths: Mapping[str, Path], found: Found) -> dict[str, Any]:
    rows = lowest = columns = 0
    wrong: list[str] = []
    for cell in cells:
        grids = found[str(paths[cell["document"]])].get(cell["page"], ())
        right = [_right(grid, cell) for grid in grids]
        rows += any(level >= 1 for level in right)
        lowest += any(level >= 2 for level in right)
        whole = any(level == 3 for level in right)
        columns += whole
        if not whole:
            wrong.append(f"{cell['document']} p. {cell['page']}: {cell['value']}")
    return {
        "row": rows,
        "row, column's lowest name": lowest,
        "row, column's whole name": columns,
        "wrong": wrong,
    }


def _right(grid: Grid, cell: Mapping[str, Any]) -> int:
    """Return 1 if a grid has the value in its row, 2 if also under its column's lowest name, 3 if under all names."""
    best = 0
    for number, row in enumerate(grid):
        for column, text in enumerate(row):
            if not _holds(text or "", cell["value"]):
                continue
            label = " ".join(its or "" for its in row[: column + 1])
            if _squeezed(cell["row"]) not in _squeezed(label):
                continue
            names = _words(_names(grid, number, column))
            lowest = _words(cell["column"].rpartition("›")[2]) <= names
            best = max(best, 1 + lowest + (lowest and _words(cell["column"]) <= names))
    return best


def _names(grid: Grid, number: int, column: int) -> str:
    """Return all that stands above a cell before the first row of amounts, names of several columns repeated."""
    names: list[str] = []
    for row in grid[:number]:
        if any(re.fullmatch(r"[$(\s]*\d{1,3}(?:,\d{3})+\)?|\(\d+\)|[$\s]*—", text or "") for text in row[1:]):
            break
        reached = [text for text in row[: column + 1] if (text or "").strip()]
        own = row[column] if column < len(row) else ""
        names.append(own or (reached[-1] if reached else "") or "")
    return " ".join(names)


def _holds(text: str, value: str) -> bool:
    bare = re.sub(r"[$%()\s]", "", value)
    return (
        any(re.sub(r"[$%()]", "", token) == bare for token in text.split())
        or re.sub(r"[$%()\s]", "", text) == bare
    )


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.casefold()))


def _squeezed(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())


def _ibid(wanted: Mapping[str, Sequence[int]]) -> Found:
    return {path: _pipe_tables(Path(path), set(pages)) for path, pages in wanted.items()}


def _pipe_tables(path: Path, pages: set[int]) -> dict[int, list[Grid]]:
    """Return the tables of a text by the pages on which their rows stand, the header with the rows of each page."""
    loaded = load(path.read_bytes(), path.name)
    found: dict[int, list[Grid]] = defaultdict(list)
    for block in re.finditer(r"(?:^\|.*\n?)+", loaded.text, re.MULTILINE):
        header, _, *body = block[0].splitlines()
        offset = block.start() + len(header) + 1 + len(block[0].splitlines()[1]) + 1
        grids: dict[int, list[list[str]]] = defaultdict(list)
        for line in body:
            grids[bisect_right(loaded.pages, offset)].append(_cells(line))
            offset += len(line) + 1
        for page in pages & set(grids):
            found[page].append([_cells(header), *grids[page]])
    return found


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in _ROW.split(line)[1:-1]]


def _stream(wanted: Mapping[str, Sequence[int]]) -> Found:
    """Return each line of PDFium's own text, the words its cells: that is what the reader gave until 3cbc708."""
    found: dict[str, dict[int, list[Grid]]] = {}
    for path, pages in wanted.items():
        document = pypdfium2.PdfDocument(path)
        texts = {page: document[page - 1].get_textpage().get_text_bounded() for page in pages}
        found[path] = {
            page: [[line.split()] for line in text.splitlines() if line.strip()]
            for page, text in texts.items()
        }
    return found


def _anchor(name: str, wanted: Mapping[str, Sequence[int]]) -> Found:
    program = Path(__file__).with_name("anchor.py")
    done = subprocess.run(
        [str(ANCHORS), str(program), name],
        input=json.dumps(wanted),
        capture_output=True,
        text=True,
        check=True,
    )
    tables = json.loads(done.stdout.splitlines()[-1])["tables"]
    return {path: {int(page): grids for page, grids in pages.items()} for path, pages in tables.items()}
