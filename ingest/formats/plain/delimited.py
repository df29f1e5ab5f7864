"""Comma-, semicolon- or tab-separated values as a pipe table."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from itertools import groupby

from ingest.formats.encoding.decode import decode
from ingest.formats.file_text import FileLimits, FileText, Omission, from_text
from ingest.formats.grid import write_table
from ingest.formats.plain.broken_quotes import read_rows
from rag.errors import UnreadableFile

_DELIMITERS = (",", ";", "\t", "|")  # first wins a tie
# Where two of them split every row evenly, the later one is the delimiter: commas stand in numbers and prose.
_RARER = ("|", ";", "\t")
_SAMPLE_CHARACTERS = 64_000
# What Excel writes as a first line to say which delimiter follows.
_STATED = re.compile(r"\s*\"?sep=(.)\"?[ \t]*(?:\r\n?|\n|$)", re.IGNORECASE)
_MOST_TITLES = 6
_MOST_CELL_CHARACTERS = csv.field_size_limit()


def read(data: bytes, name: str, limits: FileLimits) -> FileText:
    """Write every row that is not blank; rows of one text above the header are the table's titles.

    A quote that is opened and never closed is read as a character of its cell, and named.

    Raises:
        UnreadableFile: if a cell is longer than 131,072 characters.
    """
    decoded = decode(data, name)
    text = decoded.text
    stated = _STATED.match(text)
    text = text[stated.end() :] if stated else text
    delimiter = stated[1] if stated else delimiter_of(text)
    first_line = 2 if stated else 1
    rows, faults = read_rows(text, delimiter, first_line)
    for line, row in rows:
        if any(len(cell) > _MOST_CELL_CHARACTERS for cell in row):
            raise UnreadableFile(
                f"{name} is not valid CSV near line {line}: a cell has more than {_MOST_CELL_CHARACTERS:,}"
                " characters; mend the quotes there and upload it again."
            )
    tables = [write_table(_titles_whole(part, delimiter)) for part in _parts([row for _, row in rows])]
    omissions = [Omission("quote without an end, read as a character", *fault) for fault in faults]
    return from_text("\n\n".join(tables), {}, (*decoded.omissions, *omissions))


def _parts(rows: list[list[str]]) -> list[list[list[str]]]:
    """Part a file that holds several tables: at blank rows, where the next rows have another width."""
    blocks = [list(block) for is_blank, block in groupby(rows, key=_is_blank) if not is_blank]
    parts: list[list[list[str]]] = []
    for block in blocks:
        before = _width(parts[-1]) if parts else 0
        alike = before < 2 or len(block) < 2 or _width(block) in (before, 1)
        if parts and alike and not (before > 1 and _has_header(parts[-1]) and _has_header(block)):
            parts[-1] += block
        else:
            parts.append(block)
    return parts


def _has_header(rows: list[list[str]]) -> bool:
    """Return whether a block begins with names, perhaps under a title, over a column of amounts."""
    held = [[cell.strip() for cell in row] for row in rows]
    while held and sum(map(bool, held[0])) == 1 and len(held[0]) > 1:
        held = held[1:]
    if len(held) < 2 or any(cell[:1].isdigit() for cell in held[0]):
        return False
    return any(
        name and all(row[at : at + 1] and row[at][:1].isdigit() for row in held[1:])
        for at, name in enumerate(held[0])
    )


def _is_blank(row: list[str]) -> bool:
    return not any(cell.strip() for cell in row)


def _width(rows: list[list[str]]) -> int:
    """Return the commonest number of cells in a row."""
    return max(Counter(map(len, rows)).items(), key=lambda found: found[1], default=(0, 0))[0]


def _titles_whole(rows: list[list[str]], delimiter: str) -> list[list[str]]:
    """Undo the split of title rows above the header: a comma in a title parts no cells."""
    width = _width(rows)
    count = sum(len(row) == width for row in rows)
    if width < 3 or count < 2 or count * 2 < len(rows):
        return rows
    first = next(at for at, row in enumerate(rows) if len(row) >= width)
    titles = rows[:first]
    if first > _MOST_TITLES or any(not row[0].strip() or len(row) == width for row in titles):
        return rows
    return [*([delimiter.join(row).rstrip(delimiter)] for row in titles), *rows[first:]]


def delimiter_of(text: str) -> str:
    """Find the delimiter that splits the start of the file most evenly.

    Each candidate is scored by how many rows agree on the commonest number of cells, when that is above
    one; `csv.Sniffer` guesses letters on prose-like cells. One that splits all rows alike, the first included,
    goes before a comma that does so too: "1,5;2,5".
    """
    sample = text[:_SAMPLE_CHARACTERS]
    if len(text) > len(sample):
        sample = sample[: sample.rfind("\n") + 1] or sample  # without the row that was cut
    scores = {delimiter: _evenness(sample, delimiter) for delimiter in _DELIMITERS}
    even = [delimiter for delimiter in _RARER if scores[delimiter][2]]
    return even[-1] if even else max(_DELIMITERS, key=lambda delimiter: scores[delimiter][:2])


def _evenness(sample: str, delimiter: str) -> tuple[int, int, bool]:
    """Return how many rows have the commonest width, that width, and whether all have it."""
    try:
        rows = csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter)
        widths = Counter(len(row) for row in rows if row)
    except csv.Error:
        return (0, 0, False)
    total = widths.total()
    del widths[1]
    if not widths:
        return (0, 0, False)
    width, count = widths.most_common(1)[0]
    return (count, width, count == total and total > 1)
