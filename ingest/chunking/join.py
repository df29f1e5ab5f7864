"""Join units to chunks, and verify that the embedder reads each chunk whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from ingest.chunking.tokens import Ruler
from ingest.chunking.units import Unit

Range = tuple[int, int]
Segmenter = Callable[[int, int], list[Range]]

_TINY_SHARE = 8  # a chunk below an eighth of `chunk_tokens` is better joined to a neighbour
_RECOUNT_MARGIN = 8  # tokens: a slice's own tokenisation differs by less where it is cut between words


@dataclass(frozen=True, slots=True)
class ChunkSpan:
    """Where a chunk lies in its text, and what only the indexes read along with it."""

    start: int
    end: int
    context: str = ""  # the headings above it, then the header row of a split table


def join_units(ruler: Ruler, units: Sequence[Unit], segment: Segmenter, chunk_tokens: int) -> list[ChunkSpan]:
    """Join units to chunks, each run of units that may share a chunk by itself; see `fit_chunks`.

    Args:
        segment: cuts the units `first` to `last` into ranges that are consecutive, cover them and respect
            their limits: a range's tokens are at most the limit of its first unit. Counted from `first`.
    """
    return fit_chunks(ruler, _chunks(units, segment, chunk_tokens // _TINY_SHARE), chunk_tokens)


def fit_chunks(ruler: Ruler, chunks: Iterable[Unit], chunk_tokens: int) -> list[ChunkSpan]:
    """Return the span of each chunk, in order, halved until it fits; blank ones are left out.

    A span has at most `chunk_tokens` tokens, and with its context at most the embedder's maximum, counted
    by tokenising it alone. It neither begins nor ends with white space.
    """
    return [span for chunk in chunks for span in _fitted(ruler, chunk, chunk_tokens)]


def merge_tiny(
    ranges: Sequence[Range], tokens: Sequence[int], limits: Sequence[int], *, tiny: int
) -> list[Range]:
    """Join chunks below `tiny` tokens to the one before, else to the one after, where the limit allows it."""
    total = [0, *accumulate(tokens)]
    merged: list[Range] = []
    for first, last in ranges:
        if merged:
            begin = merged[-1][0]
            smaller = min(total[merged[-1][1]] - total[begin], total[last] - total[first])
            if smaller < tiny and total[last] - total[begin] <= limits[begin]:
                merged[-1] = (begin, last)
                continue
        merged.append((first, last))
    return merged


def sizes(units: Sequence[Unit]) -> tuple[list[int], list[int]]:
    """Return the tokens and the limit of each unit."""
    return [unit.tokens for unit in units], [unit.limit for unit in units]


def _chunks(units: Sequence[Unit], segment: Segmenter, tiny: int) -> Iterator[Unit]:
    tokens, limits = sizes(units)
    for sections in _runs(units):
        ranges = [(first + a, first + b) for first, last in sections for a, b in segment(first, last)]
        for first, last in merge_tiny(ranges, tokens, limits, tiny=tiny):
            yield replace(units[first], end=units[last - 1].end, tokens=sum(tokens[first:last]))


def _runs(units: Sequence[Unit]) -> Iterator[list[Range]]:
    """Yield runs of units that may share a chunk, each as its sections; a unit that is alone is a run."""
    run: list[Range] = []
    for at, unit in enumerate(units):
        apart = unit.alone or (at > 0 and units[at - 1].alone)
        if run and apart:
            yield run
            run = []
        if run and not unit.opens:
            run[-1] = (run[-1][0], at + 1)
        else:
            run.append((at, at + 1))
    if run:
        yield run


def _fitted(ruler: Ruler, chunk: Unit, chunk_tokens: int) -> Iterator[ChunkSpan]:
    start, end = ruler.strip(chunk.start, chunk.end)
    if start == end:
        return
    exact = chunk.tokens + _RECOUNT_MARGIN <= chunk.limit and ruler.is_between_words(start, end)
    if exact or end - start == 1 or _fits(ruler, ruler.text[start:end], chunk.context, chunk_tokens):
        yield ChunkSpan(start, end, chunk.context)
        return
    tokens = ruler.count(start, end)
    middle = (start + end) // 2
    halves = ruler.divide(start, end, (tokens + 1) // 2) if tokens > 1 else [(start, middle), (middle, end)]
    for first, last in halves:
        half = replace(chunk, start=first, end=last, tokens=ruler.count(first, last))
        yield from _fitted(ruler, half, chunk_tokens)


def _fits(ruler: Ruler, text: str, context: str, chunk_tokens: int) -> bool:
    most = ruler.embedder.max_tokens
    if ruler.real_count(text) > min(chunk_tokens, most):
        return False
    return not context or ruler.real_count(f"{context}\n{text}") <= most
