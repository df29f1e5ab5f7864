"""Words broken at the ends of lines and sentences cut by the ends of pages, before and now.

A broken word counts where the document itself decides: elsewhere, not at a line's end, it writes the word with the
hyphen or without, and not both. A page's end lies within a sentence where a paragraph goes on over it, or where words
that end no sentence stand before it and one in lower case behind it.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pypdfium2

from eval.benchmarks.filings.files import filings, other_pdfs
from ingest.formats.file_text import FileText
from ingest.formats.pdf.page.lines import make_lines, make_rows
from ingest.formats.pdf.pages import Page, read_page
from ingest.load import load

_WORD = re.compile(r"\w+(?:-\w+)*")
_ENDS = (".", "!", "?", ":", ";")
# As the reader joined until 3cbc708: between letters in lower case the hyphen was dropped, elsewhere kept.
_OLD = re.compile(r"[a-z]-[a-z]")


def measure() -> dict[str, Any]:
    """Count over the ten filings, and over the other public PDFs."""
    return {"filings": _count(filings()), "other PDFs": _count(other_pdfs())}


def _count(paths: list[Path]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for path in paths:
        try:
            loaded = load(path.read_bytes(), path.name)
        except ValueError:
            continue
        document = pypdfium2.PdfDocument(path)
        pages = [read_page(document[index], index) for index in range(len(document))]
        counts["files"] += 1
        counts["pages"] += len(pages)
        _count_hyphens(pages, loaded.text, counts)
        _count_page_ends(loaded, counts)
    return dict(counts)


def _count_hyphens(pages: list[Page], text: str, counts: Counter[str]) -> None:
    broken: Counter[tuple[str, str]] = Counter()
    words: Counter[str] = Counter()
    for page in pages:
        lines = [line for row in make_rows(make_lines(page.words)) for line in row]
        for line, following in zip(lines, [*lines[1:], None], strict=False):
            texts = [word.text.casefold() for word in line.words]
            words.update(match for its in texts[:-1] for match in _WORD.findall(its))
            ends = re.search(r"(\w[\w-]*)-$", texts[-1])
            starts = re.match(r"\w+", following.words[0].text.casefold()) if following else None
            if ends and starts:
                broken[ends[1], starts[0]] += 1
    written = Counter(match.casefold() for match in _WORD.findall(text))
    for (first, second), times in broken.items():
        apart, together = words[f"{first}-{second}"], words[first + second]
        if (apart > 0) == (together > 0):
            continue
        wrong = first + second if apart else f"{first}-{second}"
        counts["hyphens decided by the document"] += times
        dropped = _OLD.search(f"{first[-1:]}-{second[:1]}") is not None
        counts["wrong before"] += times if dropped == (apart > 0) else 0
        counts["wrong now"] += min(times, max(0, written[wrong] - words[wrong]))


def _count_page_ends(loaded: FileText, counts: Counter[str]) -> None:
    text = loaded.text
    for start in sorted(set(loaded.pages[1:])):
        before, after = text[:start].rstrip(), text[start:].lstrip()
        if not before or not after or after.startswith("|"):
            continue
        if start and text[start - 1] != "\n":  # within a paragraph
            counts["page ends within a sentence"] += 1
        elif (
            after[:1].islower()
            and not before.endswith(_ENDS)
            and not before.rsplit("\n", 1)[-1].startswith(("#", "|"))
        ):
            counts["page ends within a sentence"] += 1
            counts["cut now"] += 1
    # Each page ended with a blank line.
    counts["cut before"] = counts["page ends within a sentence"]


def _is_apart(line: str) -> bool:
    """Return whether a line is a heading or a row."""
    return line.startswith(("#", "|"))
