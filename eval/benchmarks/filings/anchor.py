"""The tables that other programs find on pages; run by a Python that has them: `python anchor.py NAME < pages.json`.

Each is asked as its documentation shows. Imports nothing of Ibid: PyMuPDF4LLM is AGPL, and compared with only here.
"""

import importlib
import json
import re
import sys
import time
from typing import Any


def main() -> None:
    """Read {"path": [page, ...]} and print {"tables": {"path": {page: [grid]}}, "pages_per_s": n}."""
    pages = json.load(sys.stdin)
    read = {"pdfplumber": _pdfplumber, "pymupdf4llm": _pymupdf4llm}[sys.argv[1]]
    started = time.process_time()
    tables = {path: read(path, numbers) for path, numbers in pages.items()}
    count = sum(map(len, pages.values()))
    print(json.dumps({"tables": tables, "pages_per_s": count / (time.process_time() - started)}))


def _pdfplumber(path: str, pages: list[int]) -> dict[int, list[Any]]:
    pdfplumber = importlib.import_module("pdfplumber")

    settings = {"vertical_strategy": "text", "horizontal_strategy": "text"}
    found: dict[int, list[Any]] = {}
    with pdfplumber.open(path) as document:
        for number in pages:
            page = document.pages[number - 1]
            page.extract_text()
            found[number] = [*page.extract_tables(), *page.extract_tables(settings)]
    return found


def _pymupdf4llm(path: str, pages: list[int]) -> dict[int, list[Any]]:
    pymupdf4llm = importlib.import_module("pymupdf4llm")

    return {number: _grids(pymupdf4llm.to_markdown(path, pages=[number - 1])) for number in pages}


def _grids(markdown: str) -> list[list[list[str]]]:
    grids: list[list[list[str]]] = [[]]
    for line in markdown.splitlines():
        if line.startswith("|"):
            cells = [re.sub(r"<br>|\*\*", " ", cell).strip() for cell in line.strip()[1:-1].split("|")]
            if not all(re.fullmatch(r":?-+:?", cell) for cell in cells):
                grids[-1].append(cells)
        elif grids[-1]:
            grids.append([])
    return [grid for grid in grids if grid]


if __name__ == "__main__":
    main()
