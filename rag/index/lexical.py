"""Search chunks by their words: BM25 over an index that changes in place and is never rebuilt.

    score(chunk) = sum over the question's terms, repeats included, of
        idf(t) * (k1 + 1) * count / (count + k1 * (1 - b + b * length / mean length))
    idf(t) = ln(1 + (N - n + 0.5) / (n + 0.5))

N chunks are live, and n of them contain t. The idf is Lucene's: Okapi's ln((N - n + 0.5) / (n + 0.5)) is negative for
a term in more than half of the chunks, so that containing it lowers a chunk's score, and the usual floors for that
(`rank_bm25`: a quarter of the mean idf) make a score depend on all terms of the corpus.

N, n and the mean length are exact over the live chunks after every change, so a score depends on which chunks are live,
not on the order in which they came. (tantivy, of the same speed, rounds lengths to 8 bits and counts
deleted documents until a merge.) Changes go into small segments, merged as they become many.
"""

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rag.index.postings import Segment, build, merge
from rag.text import words

# Of 0.9, 1.2, 1.5 and 2.0, 1.2 is best or within .002 of it: nDCG@10 on NFCorpus dev .2982 .3003 .3018 .3011,
# recall at 5 on Chroma's corpora .899 .902 .897 .895, MRR@10 on NQ .895 .897 .895 .890, on SQuAD .895 .893 .889 .886.
K1 = 1.2
B = 0.75
# A segment this many times larger than its successor is left alone, so there are about log8(N) segments.
GROWTH = 8
# Chunks indexed at a time; bounds the memory of a large add.
BATCH = 50_000
# Distinct terms of a question to score, by weight; bounds the time for a pasted page.
QUESTION_TERMS = 512
LEXICAL_FORMAT = 3  # of the arrays and the texts


class _Vocabulary(dict[str, int]):
    """Term -> number; indexing with a new term numbers it."""

    def __missing__(self, term: str) -> int:
        self[term] = number = len(self)
        return number


def inverse_document_frequency(chunks: int, holders: int) -> float:
    """Return ln(1 + (N - n + 0.5) / (n + 0.5)) for a term in n of N chunks: above 0, falling with n."""
    return math.log1p((chunks - holders + 0.5) / (holders + 0.5))


class LexicalIndex:
    """Exact, incremental BM25. Not thread-safe, reading included: the caller holds a lock."""

    def __init__(self, *, k1: float = K1, b: float = B) -> None:
        """Start empty.

        Args:
            k1: how slowly a repeated term saturates, above 0 (near 0 it counts once).
            b: how far a chunk's length damps its counts, 0 (not at all) to 1 (in proportion).
        """
        self.k1, self.b = k1, b
        self._vocabulary = _Vocabulary()
        self._holders = np.zeros(0, np.int64)  # (n_terms or more,) live chunks that contain each term
        self._segments: list[Segment] = []
        self._chunks = 0
        self._terms = 0  # in all live chunks, repeats included
        self._weighed = True  # every segment's damping fits the mean length

    def __len__(self) -> int:
        """Count the live chunks."""
        return self._chunks

    def add(self, ids: Sequence[int], texts: Sequence[str]) -> None:
        """Index chunks; the next search finds them.

        Amortised over many single adds, one costs a few milliseconds; now and then one causes a large merge.

        Raises:
            ValueError: if an id is given twice or is already live; nothing is added.
        """
        given = np.array(ids, np.int64)
        if len(given) != len(texts):
            raise ValueError(f"{len(given)} ids for {len(texts)} texts; expected as many")
        taken = [given[segment.find(given)[0]] for segment in self._segments]
        twice = [chunk for chunk, times in Counter(given.tolist()).items() if times > 1]
        if doubled := twice + [int(chunk) for part in taken for chunk in part]:
            raise ValueError(f"chunk {doubled[0]} is in the index already; remove it before adding it again")
        for start in range(0, len(given), BATCH):
            self._append(given[start : start + BATCH], texts[start : start + BATCH])

    def remove(self, ids: Iterable[int]) -> None:
        """Delete chunks; the next search no longer finds them. Unknown ids are ignored."""
        given = np.unique(np.fromiter(ids, np.int64))
        for segment in self._segments:
            _, docs = segment.find(given)
            if len(docs):
                gone = segment.mark_dead(docs)
                self._holders -= np.bincount(gone, minlength=len(self._holders))
                self._count(-len(docs), -int(segment.lengths[docs].sum()))
        self._settle()

    def search(
        self, question: str, k: int, *, allowed: NDArray[np.int64] | None = None
    ) -> list[tuple[int, float]]:
        """Find the k chunks with the highest scores.

        Args:
            question: as asked; its stop words count only if it has no other words.
            k: most results.
            allowed: (n,) ascending ids; only these are found, and k of them if that many score.

        Returns:
            (id, score), best first, ties by ascending id; only scores above 0.
        """
        terms, weights = self._weigh(question)
        if k <= 0 or not len(terms):  # without live chunks no term is known
            return []
        found = [segment.best(terms, weights, k, allowed) for segment in self._segments]
        ids = np.concatenate([part[0] for part in found])
        scores = np.concatenate([part[1] for part in found])
        best = np.lexsort((ids, -scores))[:k]
        return list(zip(ids[best].tolist(), scores[best].tolist(), strict=True))

    def score(self, question: str, ids: Sequence[int]) -> NDArray[np.float32]:
        """Score given chunks, (len(ids),); 0 for one without the question's terms or not in the index."""
        given = np.array(ids, np.int64)
        scores = np.zeros(len(given), np.float32)
        terms, weights = self._weigh(question)
        for segment in self._segments:
            places, docs = segment.find(given)
            scores[places] = segment.score_some(docs, terms, weights)
        return scores

    def holders(self, term: str) -> NDArray[np.int64]:
        """Return the ids of the live chunks that contain a term, (n,), in no particular order."""
        number = self._vocabulary.get(term)
        if number is None:
            return np.empty(0, np.int64)
        return np.concatenate(
            [segment.holders(number) for segment in self._segments] or [np.empty(0, np.int64)]
        )

    def idf(self, term: str) -> float:
        """Return a term's inverse document frequency, above 0; an unknown term gets the maximum."""
        number = self._vocabulary.get(term)
        holders = 0 if number is None else int(self._holders[number])
        return inverse_document_frequency(self._chunks, holders)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return everything as plain arrays, valid until the next change; compacts the index first.

        The terms are one UTF-8 buffer, `lexical_vocabulary`, cut at `lexical_vocabulary_ends`.
        """
        whole = self._compact()
        names = [term.encode() for term in self._vocabulary]
        return {
            "lexical_format": np.array([LEXICAL_FORMAT, words.VERSION], np.int64),
            "lexical_ids": whole.ids,
            "lexical_lengths": whole.lengths,
            "lexical_starts": whole.starts,
            "lexical_docs": whole.docs,
            "lexical_counts": whole.counts,
            "lexical_vocabulary": np.frombuffer(b"".join(names), np.uint8),
            "lexical_vocabulary_ends": np.cumsum([len(name) for name in names], dtype=np.int64),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], *, k1: float = K1, b: float = B) -> Self:
        """Restore what `to_arrays` returned; every search gives bit-identical results.

        Raises:
            ValueError: if the arrays have another format or another tokenizer's terms.
        """
        found, expected = arrays["lexical_format"].tolist(), [LEXICAL_FORMAT, words.VERSION]
        if found != expected:
            raise ValueError(
                f"lexical index of format {found}, expected {expected}; delete it, it is rebuilt from the catalogue"
            )
        index = cls(k1=k1, b=b)
        buffer, ends = arrays["lexical_vocabulary"].tobytes(), arrays["lexical_vocabulary_ends"].tolist()
        for start, end in itertools.pairwise([0, *ends]):
            index._vocabulary[buffer[start:end].decode()]
        numbers = np.arange(len(ends), dtype=np.int32)
        ids, lengths, starts = arrays["lexical_ids"], arrays["lexical_lengths"], arrays["lexical_starts"]
        if len(ids):
            index._segments = [
                Segment(ids, lengths, numbers, starts, arrays["lexical_docs"], arrays["lexical_counts"])
            ]
        index._holders = np.diff(starts)
        index._count(len(ids), int(lengths.sum()))
        return index

    def _append(self, ids: NDArray[np.int64], texts: Sequence[str]) -> None:
        number = self._vocabulary.__getitem__
        numbered = [np.fromiter(map(number, words.text_terms(text)), np.int32) for text in texts]
        lengths = np.array([len(row) for row in numbered], np.int32)
        segment = build(ids, lengths, np.concatenate([*numbered, np.empty(0, np.int32)]))
        if missing := max(0, len(self._vocabulary) - len(self._holders)):
            self._holders = np.append(self._holders, np.zeros(missing + len(self._holders) // 4, np.int64))
        self._holders[segment.terms] += np.diff(segment.starts)
        self._segments.append(segment)
        self._count(len(ids), int(lengths.sum()))
        self._settle()

    def _count(self, chunks: int, terms: int) -> None:
        self._chunks += chunks
        self._terms += terms
        self._weighed = False

    def _settle(self) -> None:
        """Merge from the newest segment back, until one is far larger than those after it.

        A segment that lost more than half of its chunks is copied without them first.
        """
        shrunk = [merge([s]) if 2 * int(s.alive.sum()) < len(s.ids) else s for s in self._segments]
        segments = [segment for segment in shrunk if len(segment.ids)]
        first, size = len(segments) - 1, 0
        while first > 0 and len(segments[first - 1].ids) <= GROWTH * (size + len(segments[first].ids)):
            size += len(segments[first].ids)
            first -= 1
        # All at once: merging pair by pair would copy the small segments many times.
        if len(segments) - first > 1:
            segments[first:] = [merge(segments[first:])]
        self._segments = segments
        self._weighed = False

    def _compact(self) -> Segment:
        """Merge into one segment without dead chunks; keep only the vocabulary it uses, numbered from 0."""
        nothing = np.empty(0, np.int32)
        whole = merge(self._segments or [build(np.empty(0, np.int64), nothing, nothing)])
        names = list(self._vocabulary)
        self._vocabulary = _Vocabulary((names[term], n) for n, term in enumerate(whole.terms.tolist()))
        self._holders = np.diff(whole.starts)
        whole.terms = np.arange(len(whole.terms), dtype=np.int32)
        self._segments = [whole] if len(whole.ids) else []
        self._weighed = False
        return whole

    def _weigh(self, question: str) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return the question's known terms in order of appearance and idf * (k1 + 1) * repeats of each.

        Updates the segments' length damping, once per change.
        """
        if not self._weighed:
            for segment in self._segments:
                segment.weigh(self.k1, self.b, max(self._terms, 1) / max(self._chunks, 1))
            self._weighed = True
        repeats = Counter(words.question_terms(question))
        known = {term: self._vocabulary[term] for term in repeats if term in self._vocabulary}
        held = {term: n for term, n in known.items() if self._holders[n]}  # dead terms would fill the cap
        pairs = [(n, self.idf(term) * (self.k1 + 1) * repeats[term]) for term, n in held.items()]
        if len(pairs) > QUESTION_TERMS:
            pairs = sorted(pairs, key=lambda pair: -pair[1])[:QUESTION_TERMS]
        return np.array([n for n, _ in pairs], np.int32), np.array([w for _, w in pairs], np.float32)
