"""Search by meaning: exact inner product over unit vectors, in FAISS.

Flat search over 100,000 x 384 takes 2-3 ms, so exact search suits up to several hundred thousand
chunks. Not safe for several threads by itself: the follower that owns it holds a lock.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import faiss
import numpy as np

faiss.omp_set_num_threads(1)  # its threads spin after each search and take cores from the encoder

# Results beyond k, to see whether the k-th place is tied: several documents may contain the same text.
TIES = 8


class DenseIndex:
    """Unit vectors by 63-bit chunk id."""

    def __init__(self, dimension: int) -> None:
        # The inner product of unit vectors is their cosine.
        self._index = faiss.IndexIDMap2(faiss.IndexFlatIP(dimension))

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def add(self, ids: Sequence[int] | np.ndarray, vectors: np.ndarray) -> None:
        """Add vectors (n, dim) of unit length under new ids (n,)."""
        if len(vectors):
            self._index.add_with_ids(np.ascontiguousarray(vectors, np.float32), np.asarray(ids, np.int64))

    def remove(self, ids: Iterable[int]) -> None:
        """Remove ids; unknown ones are ignored."""
        self._index.remove_ids(faiss.IDSelectorBatch(np.fromiter(ids, np.int64)))

    def search(
        self, vector: np.ndarray, k: int, *, allowed: np.ndarray | None = None
    ) -> list[tuple[int, float]]:
        """Return up to k (id, cosine), best first, ties by ascending id.

        Args:
            vector: (dim,) of unit length.
            allowed: ids (int64) to restrict the search to, inside FAISS; None means all.
        """
        most = len(self) if allowed is None else min(len(self), len(allowed))
        if min(k, most) <= 0:
            return []
        parameters = faiss.SearchParameters()
        if allowed is not None:
            selector = faiss.IDSelectorBatch(allowed)  # a variable, so that it outlives the search
            parameters.sel = selector
        query = vector.reshape(1, -1).astype(np.float32)
        asked = min(k + TIES, most)
        while True:
            found, ids = self._index.search(query, asked, params=None if allowed is None else parameters)
            ids, scores = ids[0][ids[0] >= 0], found[0][ids[0] >= 0]
            if asked == most or len(ids) < asked or scores[-1] < scores[k - 1]:
                break
            asked = min(4 * asked, most)  # a tie is cut by id, so all of it must be seen
        best = np.lexsort((ids, -scores))[:k]
        return list(zip(ids[best].tolist(), scores[best].tolist(), strict=True))

    def score(self, vector: np.ndarray, ids: Sequence[int]) -> np.ndarray:
        """Return the cosine of the vector with each of these chunks: (len(ids),) float32."""
        if not ids:
            return np.zeros(0, np.float32)
        stored = np.stack([self._index.reconstruct(int(i)) for i in ids])  # (len(ids), dim)
        return np.asarray(stored @ vector, np.float32)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return everything as arrays, for a snapshot: ids (n,) int64 and vectors (n, dim) float16.

        The catalogue keeps float16, so this loses nothing.
        """
        ids = faiss.vector_to_array(self._index.id_map)
        stored = faiss.downcast_index(self._index.index).reconstruct_n(0, len(self))
        return {"dense_ids": ids, "dense_vectors": stored.astype(np.float16)}

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray], dimension: int) -> DenseIndex:
        """Rebuild from `to_arrays`."""
        index = cls(dimension)
        index.add(arrays["dense_ids"], arrays["dense_vectors"])
        return index
