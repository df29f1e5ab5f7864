"""Draw cells of tables at random and show each on its page, for a person to name its row and column.

`python -m eval.benchmarks.filings.draw FOLDER` writes pictures and `cells.jsonl` into FOLDER.
"""

from __future__ import annotations

import argparse
import json
import random
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pypdfium2

from eval.benchmarks.filings.files import filings
from ingest.formats.pdf.page.words import Word
from ingest.formats.pdf.pages import read_page
from ingest.formats.pdf.render import render_page
from rag.text.boxes import MarkBox

SEED = 15
PAGES, CELLS = 3, 100
FEWEST_NUMBERS = 30  # on a page with a table
_AMOUNT = re.compile(r"\(?(?:\d{1,3}(?:,\d{3})+|\d{1,3}\.\d{1,2}|\d{3})\)?")
_SCALE = 1.35


def main() -> None:
    """Draw the cells."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=SEED)
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    chance = random.Random(given.seed)
    drawn: list[dict[str, Any]] = []
    files = filings()
    for at, path in enumerate(files):
        count = CELLS * (at + 1) // len(files) - CELLS * at // len(files)
        drawn += _draw(path, count, chance, given.folder)
    lines = [json.dumps(cell, ensure_ascii=False) for cell in drawn]
    (given.folder / "cells.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _draw(path: Path, count: int, chance: random.Random, folder: Path) -> list[dict[str, Any]]:
    document = pypdfium2.PdfDocument(path)
    amounts: dict[int, list[Word]] = {}
    for index in range(len(document)):
        words = read_page(document[index], index).words
        times = Counter(word.text for word in words)
        amounts[index] = [word for word in words if _AMOUNT.fullmatch(word.text) and times[word.text] == 1]
    pages = sorted(
        chance.sample([page for page, words in amounts.items() if len(words) >= FEWEST_NUMBERS], PAGES)
    )
    drawn = []
    for number, page in enumerate(pages):
        share = count * (number + 1) // PAGES - count * number // PAGES
        words = chance.sample(amounts[page], share)
        every = read_page(document[page], page).words
        beside = [word for word in amounts[page] if _has_neighbour(word, every)]
        # The number of a page is no cell.
        words = [
            word
            if _has_neighbour(word, every)
            else chance.choice([other for other in beside if other not in words])
            for word in words
        ]
        words.sort(key=lambda word: (word.y0, word.x0))
        marks = [MarkBox(page + 1, word.x0, word.y0, word.x1, word.y1) for word in words]
        picture = render_page(path.read_bytes(), page + 1, marks, _SCALE)
        (folder / f"{path.stem}-{page + 1}.png").write_bytes(picture)
        drawn += [{"document": path.name, "page": page + 1, "value": word.text} for word in words]
    return drawn


def _has_neighbour(word: Word, words: list[Word]) -> bool:
    return any(other.text != word.text and abs(other.base - word.base) < 2 for other in words)


if __name__ == "__main__":
    main()
