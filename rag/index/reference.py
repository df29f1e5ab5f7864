"""The reference lexical index: the `rank_bm25` package behind the interface of `rag.index.lexical`.

For `lexical = "rank_bm25"`, and as the reference of eval and tests for the engine. It is rebuilt after a change and
scores every chunk in Python: adequate for thousands of chunks, not for a hundred thousand.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from rank_bm25 import BM25Okapi

from rag.index.lexical import K1, B, inverse_document_frequency
from rag.text import words


class LuceneBm25(BM25Okapi):  # type: ignore[misc]  # rank_bm25 has no types
    """`BM25Okapi` with the idf of `rag.index.lexical`, which is never negative and needs no floor."""

    def _calc_idf(self, nd: Mapping[str, int]) -> None:
        self.idf = {term: inverse_document_frequency(self.corpus_size, n) for term, n in nd.items()}


class RankBm25Index:
    """`LexicalIndex` over `rank_bm25`. Not thread-safe: the caller holds a lock."""

    def __init__(self, *, k1: float = K1, b: float = B) -> None:
        """Start empty; k1 and b as in `LexicalIndex`."""
        self.k1, self.b = k1, b
        self._rows: dict[int, list[str]] = {}  # live chunk -> its terms
        self._built: LuceneBm25 | None = None

    def __len__(self) -> int:
        """Count the live chunks."""
        return len(self._rows)

    def add(self, ids: Sequence[int], texts: Sequence[str]) -> None:
        """Index chunks. Raises ValueError if an id is given twice or is already live; nothing is added."""
        if len(set(ids)) < len(ids) or not self._rows.keys().isdisjoint(ids) or len(ids) != len(texts):
            raise ValueError("each chunk needs an id of its own that is not in the index, and one text")
        self._rows.update(zip(map(int, ids), map(words.text_terms, texts), strict=True))
        self._built = None

    def remove(self, ids: Iterable[int]) -> None:
        """Delete chunks; unknown ids are ignored."""
        for chunk in ids:
            self._rows.pop(int(chunk), None)
        self._built = None

    def search(
        self, question: str, k: int, *, allowed: NDArray[np.int64] | None = None
    ) -> list[tuple[int, float]]:
        """Find the k best chunks above 0: (id, score), best first, ties by ascending id."""
        permitted = self._rows.keys() if allowed is None else set(allowed.tolist())
        scored = zip(self._rows, self._score_all(question).tolist(), strict=True)
        found = [(chunk, score) for chunk, score in scored if score > 0 and chunk in permitted]
        return sorted(found, key=lambda pair: (-pair[1], pair[0]))[: max(k, 0)]

    def score(self, question: str, ids: Sequence[int]) -> NDArray[np.float32]:
        """Score given chunks, (len(ids),); 0 for one without the question's terms or not in the index."""
        scores = dict(zip(self._rows, self._score_all(question).tolist(), strict=True))
        return np.array([scores.get(int(chunk), 0.0) for chunk in ids], np.float32)

    def idf(self, term: str) -> float:
        """Return a term's inverse document frequency, like `LexicalIndex.idf`."""
        return inverse_document_frequency(len(self._rows), sum(term in row for row in self._rows.values()))

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the chunks' terms as plain arrays: one UTF-8 buffer, one line per chunk."""
        lines = "\n".join(" ".join(row) for row in self._rows.values())  # a term contains neither
        return {
            "lexical_format": np.array([words.VERSION], np.int64),
            "lexical_ids": np.array(list(self._rows), np.int64),
            "lexical_terms": np.frombuffer(lines.encode(), np.uint8),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], *, k1: float = K1, b: float = B) -> Self:
        """Restore what `to_arrays` returned. Raises ValueError if another tokenizer made the terms."""
        if arrays["lexical_format"].tolist() != [words.VERSION]:
            raise ValueError(
                f"terms of format {arrays['lexical_format'].tolist()}, expected {[words.VERSION]}; rebuild"
            )
        index = cls(k1=k1, b=b)
        ids = arrays["lexical_ids"].tolist()
        lines = arrays["lexical_terms"].tobytes().decode().split("\n")[: len(ids)]
        index._rows = dict(zip(ids, (line.split() for line in lines), strict=True))
        return index

    def _score_all(self, question: str) -> NDArray[np.float64]:
        """Score every chunk, in the order they were added."""
        if not any(self._rows.values()):
            return np.zeros(len(self._rows))  # rank_bm25 divides by the mean length
        if self._built is None:
            self._built = LuceneBm25(list(self._rows.values()), k1=self.k1, b=self.b)
        scores: NDArray[np.float64] = self._built.get_scores(words.question_terms(question))
        return scores
