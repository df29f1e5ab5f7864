"""Comma-, semicolon- or tab-separated values as a pipe table."""

import csv
import io
from collections import Counter

from ingest.formats import markdown
from ingest.formats.file_text import FileLimits, FileText, from_text
from ingest.formats.encoding.decode import decode
from rag.errors import UnreadableFile

_DELIMITERS = (",", ";", "\t", "|")  # first wins a tie
_SAMPLE_CHARACTERS = 64_000


def read(data: bytes, name: str, limits: FileLimits) -> FileText:
    """Write every row that is not blank, the first as the table's header.

    Raises:
        UnreadableFile: if the quoting is broken.
    """
    text = decode(data, name).text
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter_of(text))
    try:
        kept = [row for row in rows if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise UnreadableFile(
            f"{name} is not valid CSV near line {rows.line_num} ({error}); mend its quotes."
        ) from error
    return from_text(markdown.table(kept), {})


def delimiter_of(text: str) -> str:
    """Find the delimiter that splits the start of the file most evenly.

    Each candidate is scored by how many rows agree on the commonest number of cells, when that is above
    one; `csv.Sniffer` guesses letters on prose-like cells.
    """
    sample = text[:_SAMPLE_CHARACTERS]
    if len(text) > len(sample):
        sample = sample[: sample.rfind("\n") + 1] or sample  # without the row that was cut
    return max(_DELIMITERS, key=lambda delimiter: _evenness(sample, delimiter))


def _evenness(sample: str, delimiter: str) -> tuple[int, int]:
    try:
        widths = Counter(
            len(row) for row in csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter) if row
        )
    except csv.Error:
        return (0, 0)
    del widths[1]
    if not widths:
        return (0, 0)
    width, rows = widths.most_common(1)[0]
    return (rows, width)
