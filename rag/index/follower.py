"""The follower: a dense and a lexical index of a corpus's generation, caught up with the change log before each use.

Both indexes advance together under one lock, so a document is searchable in both or in neither. A snapshot on disk
saves rebuilding; it can be deleted at any time.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rag.index.dense import DenseIndex
from rag.index.lexical import LexicalIndex
from rag.index.reference import RankBm25Index
from rag.index.scope import DocumentNames, Scope, prefer_newest
from rag.index.snapshot import read_snapshot, write_snapshot
from rag.store.catalog import Catalog
from rag.store.chunks import Change
from rag.store.filters import Filter
from rag.store.generations import Generation, snapshot_path
from rag.types import Chunk

log = logging.getLogger(__name__)
Ranking = list[tuple[int, float]]  # (chunk id, score), best first
# Share of the lexical score that is of the whole question; the rest leaves out the words that name documents, since
# a passage is no better for repeating "Intel" and "10-Q".
_WHOLE_SHARE = 0.25
# Chunks changed since the last snapshot; catching up on fewer takes well below a second.
SNAPSHOT_AFTER = 2000


@dataclass(frozen=True, slots=True)
class Rankings:
    """The rankings of both legs for a question, and every candidate's chunk, its scores in both legs and how much its
    document is meant (rag/index/scope.py)."""

    dense: Ranking
    lexical: Ranking
    dense_scores: dict[int, float]
    lexical_scores: dict[int, float]
    prior: dict[int, float]  # nothing where the search was not scoped
    # Names of the question that other documents are called by and the candidate's is not; likewise
    unnamed: dict[int, tuple[str, ...]]
    chunks: dict[int, Chunk]


class Followers:
    """The indexes that a process holds: one for each corpus, of the generation that was asked last."""

    def __init__(self, catalog: Catalog, lexical: str) -> None:
        self._catalog, self._lexical = catalog, lexical
        self._held: dict[str, CorpusIndex] = {}
        self._lock = threading.Lock()

    def of(self, generation: Generation, dimension: int) -> CorpusIndex:
        """Return the index of a generation, loaded on first use; it replaces the corpus's previous one."""
        with self._lock:
            held = self._held.get(generation.corpus)
            if held is None or held.generation.id != generation.id:
                held = CorpusIndex(self._catalog, generation, dimension, self._lexical)
                self._held[generation.corpus] = held
            return held

    def forget(self, corpus: str) -> None:
        """Drop the index of a corpus."""
        with self._lock:
            self._held.pop(corpus, None)

    def corpora(self) -> list[str]:
        """Return the corpora whose indexes are held."""
        with self._lock:
            return list(self._held)


class CorpusIndex:
    """The indexes of a generation. Safe for several threads; every process has its own and they agree.

    Args:
        dimension: dimension of its vectors.
        lexical: `bm25` or `rank_bm25`.
    """

    def __init__(
        self, catalog: Catalog, generation: Generation, dimension: int, lexical: str = "bm25"
    ) -> None:
        self.generation = generation
        self._catalog, self._dimension, self._engine = catalog, dimension, lexical
        self._history = catalog.database.identity()
        self._lock = threading.RLock()
        self._unsaved = 0  # chunks changed since the snapshot
        self._load_or_start()

    def search(
        self,
        question: str,
        vector: np.ndarray,
        *,
        dense_k: int,
        lexical_k: int,
        filter_: Filter | None = None,
        scoped: bool = False,
    ) -> Rankings:
        """Search by meaning and by words, filters applied inside both, and score every candidate in both.

        Indexes, filter and chunks reflect one state of the catalogue: a document replaced meanwhile is found in either
        its old or its new version.

        Args:
            vector: the question's unit vector (dim,).
            scoped: search the documents that the question means once more by themselves, weigh the words that name
                them less, and return every candidate's document prior.
        """
        with self._lock, self._catalog.database.snapshot():
            self.catch_up()
            scope = self._names.scope(question) if scoped else Scope()
            rows = (
                None if filter_ is None else self._catalog.documents.matching(self.generation.corpus, filter_)
            )
            found = [self._search(question, vector, dense_k, lexical_k, rows)]
            if len(meant := scope.meant if rows is None else np.intersect1d(scope.meant, rows)):
                found.append(self._search(scope.content or question, vector, dense_k, lexical_k, meant))
            ids = list(dict.fromkeys(i for legs in found for leg in legs for i, _ in leg))
            dense, lexical = (_merged([legs[leg] for legs in found]) for leg in (0, 1))
            chunks = self._catalog.chunks.get(self.generation.id, ids)
            return Rankings(
                dense,
                lexical,
                dict(zip(ids, self._dense.score(vector, ids).tolist(), strict=True)),
                dict(zip(ids, self._lexical_scores(question, scope, ids).tolist(), strict=True)),
                self._prior(scope, chunks) if scoped else {},
                self._unnamed(scope, chunks) if scoped else {},
                chunks,
            )

    def _search(
        self,
        question: str,
        vector: np.ndarray,
        dense_k: int,
        lexical_k: int,
        rows: Sequence[int] | np.ndarray | None,
    ) -> tuple[Ranking, Ranking]:
        """Search by meaning and by words, among the chunks of some documents or of all."""
        allowed = None if rows is None else np.sort(self._ids[np.isin(self._rows, rows)])
        return (
            self._dense.search(vector, dense_k, allowed=allowed) if dense_k else [],
            self._lexical.search(question, lexical_k, allowed=allowed) if lexical_k else [],
        )

    def _lexical_scores(self, question: str, scope: Scope, ids: Sequence[int]) -> np.ndarray:
        whole = self._lexical.score(question, ids)
        if not scope.content:
            return whole
        return np.asarray(_WHOLE_SHARE * whole + (1 - _WHOLE_SHARE) * self._lexical.score(scope.content, ids))

    def _prior(self, scope: Scope, chunks: Mapping[int, Chunk]) -> dict[int, float]:
        at = np.flatnonzero(np.isin(self._ids, list(chunks)))
        prior = dict(zip(self._ids[at].tolist(), scope.of(self._rows[at]).tolist(), strict=True))
        if scope.dated:
            return prior
        preferred = prefer_newest({chunks[i].label: value for i, value in prior.items()})
        return {i: preferred[chunks[i].label] for i in prior}

    def _unnamed(self, scope: Scope, chunks: Mapping[int, Chunk]) -> dict[int, tuple[str, ...]]:
        at = np.flatnonzero(np.isin(self._ids, list(chunks)))
        return dict(zip(self._ids[at].tolist(), scope.unnamed(self._rows[at]), strict=True))

    def dense_scores(self, vector: np.ndarray, ids: Sequence[int]) -> dict[int, float]:
        """Return the cosine of the question's unit vector (dim,) with each of these chunks that is indexed."""
        with self._lock:
            known = self._ids[np.isin(self._ids, ids, assume_unique=True)].tolist()
            return dict(zip(known, self._dense.score(vector, known).tolist(), strict=True))

    def idf(self, term: str) -> float:
        """Return the inverse document frequency of a term among the corpus's chunks."""
        with self._lock:
            return self._lexical.idf(term)

    def __len__(self) -> int:
        with self._lock:
            self.catch_up()
            return len(self._dense)

    def catch_up(self) -> None:
        """Apply every change in the log that this follower has not seen."""
        with self._lock, self._catalog.database.snapshot():
            if self._catalog.changes.last(self.generation.id) > self._seq:
                try:
                    self._apply(self._catalog.changes.after(self.generation.id, self._seq))
                except BaseException:
                    self._start()  # one index may be ahead of the other
                    raise

    def save(self, *, always: bool = False) -> None:
        """Write a snapshot if enough changed since the last one (with `always`, if anything did)."""
        with self._lock:
            if self._unsaved == 0 or (self._unsaved < SNAPSHOT_AFTER and not always):
                return
            corpus = self.generation.corpus
            arrays = {
                **self._dense.to_arrays(),
                **self._lexical.to_arrays(),
                **self._names.to_arrays(),
                **self._rows_to_arrays(),
            }
            try:
                write_snapshot(self._path(), arrays, {**self._identity(), "seq": self._seq})
                self._unsaved = 0
            except OSError as error:  # a snapshot only saves time; the catalogue has everything
                log.warning(
                    "The index snapshot of %r was not written (%s); the next start is slower.", corpus, error
                )
            else:
                # Drops this snapshot too if its generation was deleted meanwhile.
                self._catalog.generations.drop_needless_snapshots(corpus)

    # following

    def _load_or_start(self) -> None:
        self._start()
        snapshot = read_snapshot(self._path())
        if snapshot is None:
            if self._path().exists():
                log.warning(
                    "The index snapshot of %r is damaged; it is rebuilt from the catalogue.",
                    self.generation.corpus,
                )
            return
        arrays, stated = snapshot
        seq = int(stated.pop("seq", -1))
        if stated == self._identity() and 0 <= seq <= self._catalog.changes.last(self.generation.id):
            try:
                self._dense = DenseIndex.from_arrays(arrays, self._dimension)
                self._lexical = self._new_lexical().from_arrays(arrays)
                self._names = DocumentNames.from_arrays(arrays)
                self._ids, self._rows, self._seq = arrays["ids"], arrays["rows"], seq
            except (ValueError, KeyError):  # in another release's format
                log.info(
                    "The index snapshot of %r is from another release; it is rebuilt.", self.generation.corpus
                )
                self._start()

    def _start(self) -> None:
        self._seq = 0
        self._dense, self._lexical = DenseIndex(self._dimension), self._new_lexical()
        self._names = DocumentNames()
        self._ids, self._rows = np.zeros(0, np.int64), np.zeros(0, np.int64)

    def _new_lexical(self) -> LexicalIndex | RankBm25Index:
        return LexicalIndex() if self._engine == "bm25" else RankBm25Index()

    def _apply(self, changes: Sequence[Change]) -> None:
        """Bring the indexes to the state after the changes: remove chunks that are gone, add new ones."""
        touched = {change.document for change in changes}
        gone = self._ids[np.isin(self._rows, list(touched))]
        if len(gone):
            self._dense.remove(gone)
            self._lexical.remove(gone.tolist())
            self._names.remove(touched)
            kept = ~np.isin(self._ids, gone)
            self._ids, self._rows = self._ids[kept], self._rows[kept]
        added = list(self._catalog.chunks.indexed(self.generation.id, sorted(touched)))
        if added:
            ids, rows, texts, vectors = zip(*added, strict=True)
            self._dense.add(ids, np.frombuffer(b"".join(vectors), np.float16).reshape(len(ids), -1))
            self._lexical.add(ids, texts)
            firsts = dict(zip(reversed(rows), reversed(texts), strict=True))
            self._names.add(list(firsts), list(firsts.values()))
            self._ids = np.concatenate([self._ids, np.array(ids, np.int64)])
            self._rows = np.concatenate([self._rows, np.array(rows, np.int64)])
        self._unsaved += len(gone) + len(added)
        self._seq = changes[-1].seq

    def _rows_to_arrays(self) -> dict[str, np.ndarray]:
        return {"ids": self._ids, "rows": self._rows}

    def _identity(self) -> dict[str, str | int]:
        return {
            "catalog": self._history,
            "corpus": self.generation.corpus,
            "generation": self.generation.id,
            "embedder": self.generation.recipe.embedder,
            "lexical": self._engine,
        }

    def _path(self) -> Path:
        return snapshot_path(self._catalog.home, self.generation.corpus, self.generation.id, self._engine)


def _merged(rankings: Sequence[Ranking]) -> Ranking:
    """Return every chunk of the rankings once, with its first score, best first."""
    scores: dict[int, float] = {}
    for ranking in rankings:
        for chunk, score in ranking:
            scores.setdefault(chunk, score)
    return sorted(scores.items(), key=lambda pair: -pair[1]) if len(rankings) > 1 else list(scores.items())
