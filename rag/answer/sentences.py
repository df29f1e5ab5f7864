"""The units of a piece of evidence that state something: sentences, list items and rows of tables."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

from rag.models.evidence import EvidencePassage
from rag.text.injection import sign_of_injection
from rag.text.names import UNDERLINED, place_of
from rag.text.tables import Row, is_row, is_rule, rows_of, split_units
from rag.types import Chunk, Evidence, Hit

# Characters that may stand between two units that are read together, such as a heading.
_BETWEEN = 200
# Likewise before the first row of a table, where its header does.
_BETWEEN_ROWS = 1_000
_HEADING = re.compile(r"#{1,6}[ \t]+(.*)")
_SAYS_NOTHING = re.compile(
    rf"\s*(#{{1,6}}\s.*|\|[\s:|-]+\|?\s*|```.*|~~~.*|[-=_*]{{3,}}\s*|{UNDERLINED}|\W*)", re.DOTALL
)
_UNDERLINED = re.compile(UNDERLINED)
# A bullet, a number, a letter in brackets, a cell's edge.
_DECORATION = re.compile(r"[\s>|]*(?:(?:[-*+•–]|\d{1,3}[.)]|\((?:\d{1,3}|[a-z]|[ivx]{1,5})\)|[a-z]\)) +)?")
# Small letters to a capital, at most, of a text that is written in capitals throughout.
_SMALL_LETTERS = 0.1
# A value, a call, a sentence of five words or more.
_SAYS_IN_CAPITALS = re.compile(r":.*\d|!$|(?:\S+\s+){4}\S+\.$", re.DOTALL)
_DIGITS, _LETTERS = re.compile(r"\d+"), re.compile(r"[a-z]+")
_BLANK_LINE = re.compile(r"\n[ \t]*\n")
# What may follow the mark of a question: "**May I return it?**"
_CLOSING = "*_\"'”’»›)` "
_QUESTION_MARKS = ("?", "？", "؟")


@dataclass(frozen=True, slots=True)
class Sentence:
    """A unit of the evidence: its span in the document, without bullets and cell edges."""

    evidence: Evidence
    start: int
    end: int
    text: str
    above: str  # the heading and table header above it, and the document's name
    row: Row | None = None  # if it is a row of a table
    listed: bool = False  # whether it is an item of a list

    @property
    def introduces(self) -> bool:
        """Whether a list or a table should follow."""
        return self.row is None and self.text.endswith(":")

    @property
    def spelled(self) -> str:
        """Its text as models read it: a row with the names of its columns."""
        return self.row.spelled if self.row else self.text


def answering_sentences(pieces: Sequence[Evidence]) -> list[Sentence]:
    """Return the units of the evidence that can answer.

    Questions cannot, nor sentences that address a model, headings in capitals, and introductions to what is not there.
    """
    return [
        one
        for piece in pieces
        for one, following in _with_following([each for each in sentences_of(piece) if _states(each)])
        if not one.introduces or (following is not None and introduced(one, following))
    ]


def _states(one: Sentence) -> bool:
    """Return whether a unit states something."""
    asks = one.text.rstrip(_CLOSING).endswith(_QUESTION_MARKS)
    return not asks and not _is_heading_in_capitals(one) and not sign_of_injection(one.text, strong=True)


def _is_heading_in_capitals(one: Sentence) -> bool:
    """Return whether a unit is a line such as "PART I. FINANCIAL INFORMATION" in a text that has small letters.

    Rows and items are none, nor "IBAN: AT61 1904" and sentences that end.
    """
    if one.row or one.listed or not one.text.isupper() or _SAYS_IN_CAPITALS.search(one.text):
        return False
    text = one.evidence.hit.chunk.text
    return sum(map(str.islower, text)) > _SMALL_LETTERS * sum(map(str.isupper, text))


def _with_following(sentences: Sequence[Sentence]) -> Iterator[tuple[Sentence, Sentence | None]]:
    return zip_longest(sentences, sentences[1:])


def introduced(first: Sentence, second: Sentence) -> bool:
    """Return whether the second of two consecutive units continues the list or table that the first is in or opens."""
    if first.evidence is not second.evidence or not 0 <= second.start - first.end < _BETWEEN_ROWS:
        return False
    hit = first.evidence.hit
    between = hit.text[first.end - hit.start : second.start - hit.start]
    if "\n#" in between:
        return False
    if first.row or second.row:
        return second.row is not None and (first.introduces or first.row is not None)
    if not second.listed or not (first.listed or first.introduces):
        return False
    return first.introduces or not _BLANK_LINE.search(between) or not _marked_otherwise(first, second)


def _marked_otherwise(first: Sentence, second: Sentence) -> bool:
    """Return whether two items as far from the margin have marks of different kinds: "-" and "1.", "(a)" and "4."."""
    before, after = _marker(first), _marker(second)
    kinds = [_LETTERS.sub("a", _DIGITS.sub("1", marker.strip())) for marker in (before, after)]
    indents = [len(marker) - len(marker.lstrip()) for marker in (before, after)]
    return kinds[0] != kinds[1] and indents[0] == indents[1]


def _marker(item: Sentence) -> str:
    """Return what stands before an item on its line."""
    text, at = item.evidence.hit.text, item.start - item.evidence.hit.start
    return text[text.rfind("\n", 0, at) + 1 : at]


def sentences_of(evidence: Evidence) -> Iterator[Sentence]:
    """Yield the units of a piece of evidence that state something, not headings and table rules."""
    hit = evidence.hit
    rows = rows_of(hit)
    row_starts = [row.start for row in rows]
    above = _Above(hit.chunk)
    for start, end in split_units(hit.text):
        begin = hit.start + start
        text = hit.text[start:end]
        if is_row(text):
            at = bisect_left(row_starts, begin)
            if at < len(rows) and row_starts[at] < hit.start + end:
                row = rows[at]
                words = hit.text[row.start - hit.start : row.end - hit.start]
                yield Sentence(evidence, row.start, row.end, words, above.at(row.start), row)
            continue
        if _SAYS_NOTHING.fullmatch(text):
            continue
        decoration = _DECORATION.match(text)
        begin += decoration.end() if decoration else 0
        listed = bool(decoration and decoration[0].strip(" \t\r\n>|"))
        text = hit.text[begin - hit.start : end].rstrip(" \t\r\n|")
        if text:
            yield Sentence(evidence, begin, begin + len(text), text, above.at(begin), listed=listed)


def passages_of(sentences: Sequence[Sentence]) -> list[EvidencePassage]:
    """Return what is read together: the units of a hit that follow each other, and the rows of a table.

    Args:
        sentences: of each hit in order. The units of all passages, one after another, are these.
    """
    return [_rows_passage(run) if run[0].row else _prose_passage(run) for run in _runs(sentences)]


def sentences_of_text(text: str, place: str = "") -> list[Sentence]:
    """Return the units that can answer of a text that belongs to no corpus, as `answering_sentences` does.

    Args:
        place: what the text is called.
    """
    chunk = Chunk("", "", 1, 0, len(text), text, label=place)
    return answering_sentences([Evidence(1, Hit(chunk, 0, len(text), text, 1.0, "given"), 0)])


def is_next(first: Sentence, second: Sentence) -> bool:
    """Return whether one unit follows another under the same heading, with little between them and no table."""
    if first.evidence is not second.evidence or first.above != second.above:
        return False
    hit = first.evidence.hit
    between = hit.text[first.end - hit.start : second.start - hit.start]
    return 0 <= second.start - first.end < _BETWEEN and "|" not in between


def _runs(sentences: Sequence[Sentence]) -> list[list[Sentence]]:
    runs: list[list[Sentence]] = []
    for one in sentences:
        if runs and _read_together(runs[-1][-1], one):
            runs[-1].append(one)
        else:
            runs.append([one])
    return runs


def _read_together(first: Sentence, second: Sentence) -> bool:
    if first.row and second.row:
        return first.evidence is second.evidence and first.row.caption == second.row.caption
    return first.row is None and second.row is None and is_next(first, second)


def _prose_passage(run: Sequence[Sentence]) -> EvidencePassage:
    hit, start = run[0].evidence.hit, run[0].start
    text = hit.text[start - hit.start : run[-1].end - hit.start]
    return EvidencePassage(_place(run[0]), text, tuple((one.start - start, one.end - start) for one in run))


def _rows_passage(run: Sequence[Sentence]) -> EvidencePassage:
    text, units = "", []
    for one in run:
        units.append((len(text), len(text) + len(one.spelled)))
        text += one.spelled + "\n"
    return EvidencePassage(_place(run[0]), text, tuple(units))


def _place(unit: Sentence) -> str:
    """Return what the unit's document is called, the heading and, of a row, its table's caption."""
    place = place_of(replace(unit.evidence.hit, start=unit.start))
    caption = unit.row.caption if unit.row else ""
    return " > ".join(filter(None, [place, caption if caption not in place else ""]))


class _Above:
    """What stands above the offsets of a chunk's document, found in one pass over its lines."""

    def __init__(self, chunk: Chunk) -> None:
        self._chunk = chunk
        # Where a line begins, and the last heading and table header above it
        self._lines = [(chunk.start, "", "")]
        heading, header, begin = "", "", chunk.start
        lines = chunk.text.splitlines(keepends=True)
        for line, following in zip(lines, [*lines[1:], ""], strict=False):
            if match := _HEADING.match(line):
                heading, header = match.group(1), ""
            elif _UNDERLINED.fullmatch(line + following):
                heading, header = line.strip(), ""
            elif is_rule(following):
                header = line.rstrip("\r\n")
            elif not line.lstrip().startswith("|"):
                header = ""
            begin += len(line)
            self._lines.append((begin, heading, header))

    def at(self, offset: int) -> str:
        """Return the last heading and the table header above an offset, with the chunk's name and context."""
        chunk = self._chunk
        number = bisect_right(self._lines, offset, key=lambda line: line[0]) - 1
        begin, heading, header = self._lines[max(0, number)]
        # Text before the offset on its line ends a table
        on_line = chunk.text[begin - chunk.start : max(0, offset - chunk.start)]
        if on_line and not on_line.lstrip().startswith("|"):
            header = ""
        return "\n".join([chunk.label or chunk.document, chunk.context, heading, header])
