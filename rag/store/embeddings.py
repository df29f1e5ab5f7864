"""The embeddings in the catalogue, each kept once for its text and model, and those that wait for their version."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import numpy as np

from rag.store.listing import Listings

CHECKPOINT_S = 86_400  # how long embeddings wait for the rest of their version


class Embeddings(Listings):
    """The part of the catalogue that holds vectors.

    Raises:
        StorageError: if the folder cannot be used, or was written by a newer Ibid.
    """

    def known_vectors(self, keys: Sequence[bytes]) -> dict[bytes, np.ndarray]:
        """Return the stored embeddings among `keys`, those of checkpoints too, (dim,) float16 each."""
        known: dict[bytes, np.ndarray] = {}
        for begin in range(0, len(keys), 500):
            part = keys[begin : begin + 500]
            marks = ",".join("?" * len(part))
            rows = self.read().execute(
                f"SELECT key, vector FROM embeddings WHERE key IN ({marks}) "
                f"UNION ALL SELECT key, vector FROM checkpoints WHERE key IN ({marks})",
                [*part, *part],
            )
            known.update({row["key"]: np.frombuffer(row["vector"], np.float16) for row in rows})
        return known

    def keep_checkpoint(self, keys: Sequence[bytes], vectors: np.ndarray, wanted: Callable[[], bool]) -> None:
        """Keep embeddings of a version that is not yet whole, for a process that has to begin it again.

        Nothing refers to them: a version brings its own, so that they can be dropped at any time.

        Args:
            vectors: (n_keys, dim) float32 or float16.
            wanted: asked in the transaction, in which no deletion can come between.
        """
        rows = zip(keys, map(np.ndarray.tobytes, vectors.astype(np.float16)), strict=True)
        with self.write() as transaction:
            if wanted():
                transaction.executemany("INSERT OR IGNORE INTO checkpoints VALUES (?, ?, unixepoch())", rows)

    def drop_old_checkpoints(self) -> None:
        """Drop the checkpoints of versions that nobody came back to for a day."""
        if self.read().execute("SELECT 1 FROM checkpoints LIMIT 1").fetchone():
            with self.write() as transaction:
                transaction.execute("DELETE FROM checkpoints WHERE made < unixepoch() - ?", (CHECKPOINT_S,))


def embedding_key(fingerprint: str, indexed_text: str) -> bytes:
    """Return the 16 bytes that name the embedding of a text by a model."""
    return hashlib.sha256(f"{fingerprint}\0{indexed_text}".encode("utf-8", "surrogatepass")).digest()[:16]
