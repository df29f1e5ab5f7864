"""Retrieve candidates by meaning and by words, and turn chunk ids into hits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from rag.fuse import add_prior, average_scores, reciprocal_rank_fusion
from rag.index.follower import CorpusIndex, Ranking
from rag.index.scores import min_max
from rag.store.catalog import Catalog
from rag.store.filters import Filter
from rag.types import Candidates, Chunk, Hit, page_at, whole_chunk

# Candidates to rerank and trim per requested hit; reranking reads the first few.
POOL_DEPTH = 4


@dataclass(frozen=True, slots=True)
class Request:
    """A question as the search stages see it."""

    question: str  # as used for retrieval
    vector: np.ndarray  # its unit vector (dim,)
    index: CorpusIndex
    k: int  # most hits
    dense_k: int  # most candidates of each leg
    lexical_k: int
    filter: Filter | None = None

    @property
    def pool(self) -> int:
        """The most candidates to rerank and trim."""
        return POOL_DEPTH * self.k


def retrieve(request: Request, *, scoped: bool = True) -> Candidates:
    """Find up to dense_k + lexical_k chunks; a filter acts inside both legs.

    Args:
        scoped: find as many again in the documents that the question means, if it names any, and return every
            candidate's document prior.
    """
    rankings = request.index.search(
        request.question,
        request.vector,
        dense_k=request.dense_k,
        lexical_k=request.lexical_k,
        filter_=request.filter,
        scoped=scoped,
    )
    return Candidates(
        to_hits(rankings.dense, rankings.chunks, "dense"),
        to_hits(rankings.lexical, rankings.chunks, "lexical"),
        rankings.dense_scores,
        rankings.lexical_scores,
        rankings.chunks,
        rankings.prior,
        rankings.unnamed,
    )


def fuse_legs(
    candidates: Candidates, fusion: str, *, dense_weight: float, document_weight: float = 0.0
) -> list[Hit]:
    """Fuse both legs, then the document prior, best first; scores lie in [0, 1], as later stages expect.

    Args:
        fusion: `average`, or `reciprocal_rank`.
        dense_weight: share of the dense score in the average.
        document_weight: weight of the document prior beside the fused score, which has 1.
    """
    if fusion == "reciprocal_rank":
        fused = reciprocal_rank_fusion([candidates.dense, candidates.lexical])
        scores = min_max([hit.score for hit in fused])  # reciprocal ranks sum to at most 2 / 61
        ranking = [(hit.chunk.id, float(score)) for hit, score in zip(fused, scores, strict=True)]
    else:
        ranking = average_scores(
            candidates.dense_scores, candidates.lexical_scores, dense_weight=dense_weight
        )
    return to_hits(add_prior(ranking, candidates.prior, weight=document_weight), candidates.chunks, "fused")


def to_hits(ranking: Ranking, chunks: Mapping[int, Chunk], stage: str) -> list[Hit]:
    """Return a hit for each ranked chunk that still exists; its span is the chunk's own."""
    return [whole_chunk(chunks[i], score, stage) for i, score in ranking if i in chunks]


def with_neighbours(hits: Sequence[Hit], catalog: Catalog, window: int) -> list[Hit]:
    """Return the hits, followed by the neighbours of each that are not hits themselves, with that hit's score.

    Args:
        window: neighbours on each side; 0 adds none.
    """
    known = {hit.chunk.id: hit for hit in hits}
    for hit in hits if window else ():
        for chunk in catalog.chunks.neighbours(hit.chunk, window):
            known.setdefault(chunk.id, whole_chunk(chunk, hit.score, hit.stage))
    return list(known.values())


def on_their_pages(hits: Sequence[Hit], catalog: Catalog) -> list[Hit]:
    """Return the hits, each with the page it starts on, which may be later than its chunk's."""
    sources = {(hit.chunk.document_id, hit.chunk.version) for hit in hits if hit.chunk.page}
    pages = {source: catalog.documents.pages(*source) for source in sources}
    return [
        replace(hit, page=page_at(pages.get((hit.chunk.document_id, hit.chunk.version), ()), hit.start))
        for hit in hits
    ]


def current_hits(hits: Sequence[Hit], catalog: Catalog) -> list[Hit]:
    """Return the hits whose documents were neither changed nor deleted since the search."""
    versions = catalog.documents.current_versions(hit.chunk.document_id for hit in hits)
    return [hit for hit in hits if versions.get(hit.chunk.document_id) == hit.chunk.version]
