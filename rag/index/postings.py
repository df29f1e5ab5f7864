"""An immutable run of indexed chunks: for each term, which chunks contain it and how often.

Compressed rows by term, as in a sparse matrix: the postings of `terms[i]` are
`docs[starts[i]:starts[i + 1]]`, ascending, and the `counts` beside them. A chunk is identified by its
place ("doc") inside and by its id outside. Deleting only marks a chunk; merging drops marked ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

# Scores per block when the top k are selected.
BLOCK = 64


@dataclass(slots=True, eq=False)
class Segment:
    """Postings of some chunks. All arrays may be read-only memory maps, `alive` excepted."""

    ids: NDArray[np.int64]  # (n_docs,)
    lengths: NDArray[np.int32]  # (n_docs,) terms, repeats included
    terms: NDArray[np.int32]  # (n_terms,) ascending
    starts: NDArray[np.int64]  # (n_terms + 1,)
    docs: NDArray[np.int32]  # (n_postings,)
    counts: NDArray[np.uint16]  # (n_postings,) 1 to 65,535; a chunk with more of one term counts as 65,535
    alive: NDArray[np.bool_] = field(init=False)  # (n_docs,)
    order: NDArray[np.int64] = field(init=False)  # (n_docs,) the docs by ascending id
    damping: NDArray[np.float32] = field(init=False)  # (n_docs,) k1 * (1 - b + b * length / mean), see weigh

    def __post_init__(self) -> None:
        self.alive = np.ones(len(self.ids), np.bool_)
        self.order = np.argsort(self.ids, kind="stable")
        self.damping = np.empty(0, np.float32)

    def find(self, ids: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Look up live chunks: (places in `ids`, their docs), both (n_found,), in the order of `ids`."""
        slots = np.searchsorted(self.ids, ids, sorter=self.order)
        docs = self.order[np.minimum(slots, len(self.ids) - 1)]
        places = np.flatnonzero((self.ids[docs] == ids) & self.alive[docs])
        return places, docs[places]

    def mark_dead(self, docs: NDArray[np.int64]) -> NDArray[np.int32]:
        """Delete live docs; return the term of each posting deleted with them, (n,)."""
        self.alive[docs] = False
        self.damping = np.empty(0, np.float32)
        if len(docs) == 1:
            gone = np.flatnonzero(self.docs == docs[0])
        else:
            marked = np.zeros(len(self.ids), np.bool_)
            marked[docs] = True
            gone = np.flatnonzero(marked[self.docs])
        return self.terms[np.searchsorted(self.starts, gone, side="right") - 1]

    def weigh(self, k1: float, b: float, mean_length: float) -> None:
        """Set every chunk's length damping; infinite for a dead chunk, so that all its scores are 0."""
        damping = k1 * (1 - b + b * self.lengths / mean_length)
        self.damping = np.where(self.alive, damping, np.inf).astype(np.float32)

    def score_all(self, terms: NDArray[np.int32], weights: NDArray[np.float32]) -> NDArray[np.float32]:
        """Sum weight * count / (count + damping) over the terms for every doc, (n_docs,).

        Terms are distinct and added in the order given, so equal chunks get bit-identical scores in any segment.
        """
        scores = np.zeros(len(self.ids), np.float32)
        for weight, docs, counts in self._rows(terms, weights):
            places = docs.astype(
                np.intp
            )  # with numpy's own index type, add.at is four times as fast as `scores[docs] +=`
            np.add.at(scores, places, weight * (counts / (counts + self.damping.take(places))))
        return scores

    def score_some(
        self, docs: NDArray[np.int64], terms: NDArray[np.int32], weights: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Score only the given docs, bit-identically to `score_all`: (len(docs),)."""
        scores = np.zeros(len(docs), np.float32)
        for weight, row, counts in self._rows(terms, weights):
            places = np.minimum(np.searchsorted(row, docs), len(row) - 1)
            held = np.flatnonzero(row[places] == docs)
            count = counts[places[held]]
            scores[held] += weight * (count / (count + self.damping[docs[held]]))
        return scores

    def holders(self, term: int) -> NDArray[np.int64]:
        """Return the ids of the live chunks that contain a term, (n,)."""
        held = [docs for _, docs, _ in self._rows(np.array([term], np.int32), np.ones(1, np.float32))]
        docs = np.concatenate([np.empty(0, np.int32), *held])
        living: NDArray[np.int64] = self.ids[docs[self.alive[docs]]]
        return living

    def best(
        self,
        terms: NDArray[np.int32],
        weights: NDArray[np.float32],
        k: int,
        allowed: NDArray[np.int64] | None,
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return (ids, scores) of the k best docs above 0, and of a few others, in no particular order.

        Args:
            terms: as in `score_all`.
            weights: as in `score_all`.
            k: number of docs wanted.
            allowed: (n,) ascending ids, the only ones to return. More and more of the best docs are looked up until k
                of them are allowed; the others score less.
        """
        scores = self.score_all(terms, weights)
        docs = best_docs(scores, k)
        if allowed is None:
            return self.ids[docs], scores[docs]
        wanted = k
        while (permitted := docs[_among(allowed, self.ids[docs])]).size < k and BLOCK * wanted <= len(scores):
            wanted *= 8
            docs = best_docs(scores, wanted)
        return self.ids[permitted], scores[permitted]

    def _rows(
        self, terms: NDArray[np.int32], weights: NDArray[np.float32]
    ) -> list[tuple[np.float32, NDArray[np.int32], NDArray[np.uint16]]]:
        """List (weight, docs, counts) of the terms that occur here."""
        rows = np.searchsorted(self.terms, terms)
        slices = [
            (weight, slice(self.starts[row], self.starts[row + 1]))
            for weight, row, term in zip(weights, rows, terms, strict=True)
            if row < len(self.terms) and self.terms[row] == term
        ]
        return [(weight, self.docs[of_term], self.counts[of_term]) for weight, of_term in slices]


def _among(allowed: NDArray[np.int64], ids: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which ids are allowed: (len(ids),) bool."""
    if not len(allowed):
        return np.zeros(len(ids), np.bool_)
    slots = np.minimum(np.searchsorted(allowed, ids), len(allowed) - 1)
    found: NDArray[np.bool_] = allowed[slots] == ids
    return found


def best_docs(scores: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Return all docs that can be among the k best with a score above 0, and a few others.

    The k-th best of the blocks' maxima bounds the k-th best score from below, since k different blocks
    reach it. Finding it reads the scores once, whereas a partition of all scores would move them.
    """
    if len(scores) < BLOCK * k:
        return np.flatnonzero(scores > 0)
    whole = len(scores) // BLOCK * BLOCK
    peaks = scores[:whole].reshape(-1, BLOCK).max(axis=1)
    bound = np.partition(peaks, len(peaks) - k)[len(peaks) - k]
    return np.flatnonzero(scores >= bound) if bound > 0 else np.flatnonzero(scores > 0)


def build(ids: NDArray[np.int64], lengths: NDArray[np.int32], terms: NDArray[np.int32]) -> Segment:
    """Index chunks, given the terms of all of them in one row, `lengths` terms each.

    Args:
        ids: (n_docs,), distinct.
        lengths: (n_docs,).
        terms: (lengths.sum(),) term numbers, chunk after chunk.
    """
    n = max(1, len(ids))
    keys = np.repeat(np.arange(len(ids), dtype=np.int64), lengths)
    keys += terms.astype(np.int64) * n
    keys.sort()  # by term, then doc; equal neighbours are repeats within one chunk
    firsts = np.flatnonzero(np.diff(keys, prepend=-1))
    counts = np.minimum(np.diff(firsts, append=len(keys)), np.iinfo(np.uint16).max)
    of_term, docs = np.divmod(keys[firsts], n)
    heads = np.flatnonzero(np.diff(of_term, prepend=-1))
    return Segment(
        ids,
        lengths,
        of_term[heads].astype(np.int32),
        np.append(heads, len(firsts)),
        docs.astype(np.int32),
        counts.astype(np.uint16),
    )


def merge(segments: Sequence[Segment]) -> Segment:
    """Copy the live chunks of several segments into one, in order, without sorting.

    A segment's row of a term follows those of the previous segments.
    """
    parts = [_living(segment) for segment in segments]
    terms = np.unique(np.concatenate([part.terms for part in parts]))
    places = [np.searchsorted(terms, part.terms) for part in parts]
    sizes = np.zeros(len(terms), np.int64)
    for part, place in zip(parts, places, strict=True):
        sizes[place] += np.diff(part.starts)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    docs, counts = np.empty(starts[-1], np.int32), np.empty(starts[-1], np.uint16)
    cursor, offset = starts[:-1].copy(), 0
    for part, place in zip(parts, places, strict=True):
        rows = np.diff(part.starts)
        targets = np.repeat(cursor[place] - part.starts[:-1], rows)
        targets += np.arange(len(part.docs))
        docs[targets] = part.docs + np.int32(offset)
        counts[targets] = part.counts
        cursor[place] += rows
        offset += len(part.ids)
    ids = np.concatenate([part.ids for part in parts])
    lengths = np.concatenate([part.lengths for part in parts])
    return Segment(ids, lengths, terms, starts, docs, counts)


def _living(segment: Segment) -> Segment:
    """Return the segment without its dead docs; the same object if none is dead."""
    if segment.alive.all():
        return segment
    kept = segment.alive[segment.docs]
    ends = np.concatenate([[0], np.cumsum(kept)])[segment.starts]  # (n_terms + 1,)
    held = np.flatnonzero(np.diff(ends))
    renumbered = np.cumsum(segment.alive, dtype=np.int32) - np.int32(1)
    return Segment(
        segment.ids[segment.alive],
        segment.lengths[segment.alive],
        segment.terms[held],
        np.append(ends[held], ends[-1]),
        renumbered[segment.docs[kept]],
        segment.counts[kept],
    )
