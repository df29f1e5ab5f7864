"""Compare two sentences of the evidence: do they say the same kind of thing, and give different values for it?

Precision comes before recall: a false conflict is worse than a missed one. Prose is compared by its words and values,
a table's row with the row of the same name, column by column with the same heading.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from rag.answer.conflicts.regions import regions_of, without_regions
from rag.answer.conflicts.values import Value, differing, periods_of, values_of
from rag.answer.sentences import Sentence
from rag.text.words import question_terms
from rag.types import Chunk, Citation

# Sentences whose terms overlap less (Jaccard) are not compared.
LEAST_OVERLAP = 0.35
LEAST_SHARED = 2  # terms
# Most values of a sentence; one with more is a table that lost its cells.
MOST_VALUES = 4
# Sentences that differ only by a negation contradict each other from this overlap on.
SAME_WORDS = 0.6
_NEGATION = re.compile(
    r"\b(?:not|no|never|neither|cannot|nor|prohibited|forbidden)\b|n['’]t\b", re.IGNORECASE
)
_AT_LEAST = re.compile(r"\b(?:at least|minimum|no less than|not less than|from)\b", re.IGNORECASE)
_AT_MOST = re.compile(r"\b(?:at most|maximum|up to|no more than|not more than)\b", re.IGNORECASE)
_FOR = re.compile(r"\bfor (?:an? |the |all |every )?([^\W\d_]+)", re.IGNORECASE)
_NAME = re.compile(r"(?<![.!?:•] )(?<!^)\b(?:[A-Z][\w-]*|[a-z]+\d[\w-]*)")
_CALENDAR = re.compile(
    r"\b(?:January|February|March|April|May|June|July|August|September|October|November|December"
    r"|(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)days?|EUR|GBP|USD|GB|MB|Nm)\b"
)


@dataclass(frozen=True)
class Claim:
    """A sentence of the evidence with what it states."""

    sentence: Sentence
    dates: bool  # whether dates with a year are values, as when a date is asked for

    @property
    def text(self) -> str:
        return self.sentence.text

    @property
    def chunk(self) -> Chunk:
        return self.sentence.evidence.hit.chunk

    @property
    def document(self) -> str:
        return self.chunk.document

    @property
    def place(self) -> tuple[str, int]:
        """Its document and its start in it; two pieces of evidence may both contain it."""
        return self.document, self.sentence.start

    def overlaps(self, citation: Citation) -> bool:
        """Return whether a citation quotes all or part of it."""
        return (
            citation.document == self.document
            and citation.start < self.sentence.end
            and self.sentence.start < citation.end
        )

    @cached_property
    def terms(self) -> frozenset[str]:
        """The words, without numbers, months and regions."""
        plain = without_regions(_CALENDAR.sub(" ", self.text))
        return frozenset(term for term in question_terms(plain) if not any(map(str.isdigit, term)))

    @cached_property
    def values(self) -> Sequence[Value]:
        return values_of(self.text, dates=self.dates)

    @cached_property
    def periods(self) -> frozenset[str]:
        """The times it is about."""
        return frozenset() if self.dates else frozenset(periods_of(self.text))

    @cached_property
    def regions(self) -> frozenset[str]:
        return regions_of(self.text)

    @cached_property
    def names(self) -> frozenset[str]:
        """The names and identifiers in it, except regions and months."""
        return frozenset(_NAME.findall(without_regions(_CALENDAR.sub(" ", self.text))))

    @cached_property
    def cells(self) -> Sequence[tuple[str, str]]:
        """The cells of a table's row, each after its column's heading ("" if unknown); () for prose."""
        if " | " not in self.text:
            return ()
        above = [line for line in self.sentence.above.splitlines() if line.lstrip().startswith("|")]
        headings = [cell.strip() for cell in above[-1].strip("| ").split("|")] if above else []
        texts = [cell.strip() for cell in self.text.split("|")]
        return list(zip(headings + [""] * (len(texts) - len(headings)), texts, strict=False))


@dataclass(frozen=True, slots=True)
class Difference:
    """How two claims differ: the words, and the share of terms they have in common."""

    first: str
    second: str
    overlap: float


def difference(first: Claim, second: Claim) -> Difference | None:
    """Return how two claims about one thing differ, or None if they agree or are about two things."""
    if first.cells or second.cells:
        return _of_rows(first, second)
    shared = first.terms & second.terms
    overlap = len(shared) / (len(first.terms | second.terms) or 1)
    if len(shared) < LEAST_SHARED or overlap < LEAST_OVERLAP or _about_others(first, second):
        return None
    if max(len(first.values), len(second.values)) > MOST_VALUES:
        return None
    mine, yours = differing(first.values, second.values)
    if mine and not _of_others(first.text, second.text):
        return Difference(_words(first, mine), _words(second, yours), overlap)
    return _of_negation(first, second, overlap)


def _about_others(first: Claim, second: Claim) -> bool:
    """Return whether each names something, or times, that the other does not."""
    if first.names - second.names and second.names - first.names:
        return True
    return first.periods != second.periods and max(len(first.periods), len(second.periods)) > 1


def _of_others(first: str, second: str) -> bool:
    """Return whether the values are compatible: a lower and an upper bound, or each for somebody else."""
    bounds = [{bool(_AT_LEAST.search(text)), bool(_AT_MOST.search(text))} for text in (first, second)]
    if bounds[0] == bounds[1] == {True, False} and bool(_AT_LEAST.search(first)) == bool(
        _AT_MOST.search(second)
    ):
        return True
    whom = [set(question_terms(" ".join(_FOR.findall(text)))) for text in (first, second)]
    mine, yours = (set(question_terms(text)) for text in (first, second))
    return bool(whom[0] - yours) and bool(whom[1] - mine)


def _of_negation(first: Claim, second: Claim, overlap: float) -> Difference | None:
    denied = [bool(_NEGATION.search(one.text)) for one in (first, second)]
    if denied[0] == denied[1] or overlap < SAME_WORDS:
        return None
    said = ("affirmed", "denied")
    return Difference(said[denied[0]], said[denied[1]], overlap)


def _of_rows(first: Claim, second: Claim) -> Difference | None:
    """Compare two rows of the same name, each number with that of a column whose heading shares a word."""
    if not first.cells or not second.cells or _key(first) != _key(second):
        return None
    pairs = [
        (mine, yours)
        for heading, mine in first.cells[1:]
        for other, yours in second.cells[1:]
        if _heading(heading) & _heading(other) and _number(mine) and _number(yours)
    ]
    changed = [(mine, yours) for mine, yours in pairs if _number(mine) != _number(yours)]
    if not changed:
        return None
    return Difference(", ".join(mine for mine, _ in changed), ", ".join(yours for _, yours in changed), 1.0)


def _key(row: Claim) -> tuple[str, ...]:
    """Return the terms of a row's first cell; a cell without letters names nothing, so its row matches no other."""
    name = row.cells[0][1]
    return tuple(question_terms(name)) if re.search(r"[^\W\d_]", name) else (row.document, row.text)


def _heading(text: str) -> frozenset[str]:
    return frozenset(question_terms(text))


def _number(cell: str) -> tuple[float, str] | None:
    """Return the number and unit of a cell that contains nothing else: "1,190", "135 EUR"; None for any other cell."""
    match = re.fullmatch(r"[€£$]?\s?(\d[\d,]*(?:\.\d+)?)\s?(%|[^\W\d_]*(?:[ /][^\W\d_]+)?)", cell)
    return (float(match[1].replace(",", "")), match[2].lower()) if match else None


def _words(claim: Claim, values: Sequence[Value]) -> str:
    return ", ".join(" ".join(claim.text[value.start : value.end].split()) for value in values)
