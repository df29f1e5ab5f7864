"""Rerank by late interaction: every word of the question looks for its like in the candidate's text.
A cross-encoder, where one is set, reads the same candidates and is averaged in.

No training: the trunk's own token vectors serve. They are kept, for `rag/trim.py` weighs sentences by
them, so that one pass of the encoder pays for both.

The encoder is most of a question's time, so little is read: READ_TOKENS and SLICE let two chunks of full
size through, or some more small ones. Only what is read is reordered, and only among itself.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from rag.index.scores import min_max
from rag.models.cross_encoder import CrossEncoder
from rag.models.embed import Embedder, TokenVectors, maxsim, unit
from rag.retrieve import Request
from rag.types import Chunk, Hit

# Of candidates; once so many are read, no more are: two long chunks, or four of 100 tokens
READ_TOKENS = 300
# Candidates encoded at a time; between slices tokens are counted and the clock is read
SLICE = 2
# Of late interaction in the new score; the rest is the score that came in
_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Reranked:
    """Hits best first, and the token vectors of those that were read."""

    hits: list[Hit]
    vectors: Mapping[int, TokenVectors]  # chunk id -> its own text's tokens, offsets into chunk.text
    late: bool = False  # the deadline came before all that were to be read were


class LateInteraction:
    """MaxSim over the embedder's token vectors (Khattab and Zaharia, SIGIR 2020). Safe for several threads.

    Args:
        cross_encoder: what reads the same candidates once more, and has half a say in the new score.
        deadline_ms: of `rerank_candidates`; None waits.
    """

    def __init__(
        self,
        embedder: Embedder,
        cross_encoder: CrossEncoder | None = None,
        *,
        deadline_ms: float | None = None,
    ) -> None:
        self._embedder, self._cross_encoder, self._deadline_ms = embedder, cross_encoder, deadline_ms

    def rerank_candidates(self, request: Request, hits: Sequence[Hit]) -> Reranked:
        """Rerank the candidates of a question on its way through the stages."""
        return self.rerank(request.question, hits, limit=request.pool, deadline_ms=self._deadline_ms)

    def rerank(
        self,
        question: str,
        hits: Sequence[Hit],
        *,
        limit: int = 20,
        tokens: int = READ_TOKENS,
        deadline_ms: float | None = None,
    ) -> Reranked:
        """Reorder the first hits; a permutation, whose scores stay within what the hits came with.

        maxsim(q, c) = mean over the question's tokens of the largest cosine to a token of the chunk
        score(c) = half the score it came with + half what reading says, stretched to the range of the scores
        of those that are read. Reading says maxsim, or the mean of it and the cross-encoder's, each
        stretched to [0, 1]. What is not read keeps score and place.

        Args:
            hits: whole chunks, best first.
            limit: most hits that are read.
            tokens: no slice of SLICE hits is begun once so many tokens are read.
            deadline_ms: no slice is begun later than this after the call; None waits.
        """
        started = time.perf_counter()
        encoded: list[TokenVectors] = []
        read, late, wanted = 0, False, min(limit, len(hits))
        while len(encoded) < wanted and read < tokens and not (late := _past(started, deadline_ms)):
            batch = [hit.chunk.indexed_text for hit in hits[len(encoded) : min(len(encoded) + SLICE, wanted)]]
            if not encoded:  # the question goes along with the first slice, where it costs next to nothing
                asked, *fresh = self._embedder.encode_tokens([question, *batch])
                similar = unit(asked.vectors)  # (n_question_tokens, dim)
            else:
                fresh = self._embedder.encode_tokens(batch)
            read += sum(len(one.vectors) for one in fresh)
            encoded += fresh
        head, tail = hits[: len(encoded)], hits[len(encoded) :]
        similarities = [maxsim(similar, one.vectors) for one in encoded]
        said = min_max(similarities) if encoded else np.zeros(0)
        if self._cross_encoder and encoded:
            crossed = self._cross_encoder.score(question, [hit.chunk.indexed_text for hit in head])
            said = (said + min_max(crossed)) / 2
        scores = _mix(np.array([hit.score for hit in head]), said)
        reranked = [
            replace(hit, score=float(score), stage="reranked", maxsim=similarity)
            for hit, score, similarity in zip(head, scores, similarities, strict=True)
        ]
        return Reranked(
            [
                *sorted(reranked, key=lambda hit: -hit.score),
                *(replace(hit, stage="reranked") for hit in tail),
            ],
            {hit.chunk.id: _own_tokens(hit.chunk, one) for hit, one in zip(head, encoded, strict=True)},
            late=late,
        )


def _mix(scores: np.ndarray, said: np.ndarray) -> np.ndarray:
    if not len(scores):
        return scores
    low, high = scores.min(), scores.max()
    mixed: np.ndarray = (1 - _SHARE) * scores + _SHARE * (low + (high - low) * said)
    return mixed


def _own_tokens(chunk: Chunk, tokens: TokenVectors) -> TokenVectors:
    """Drop the tokens of the chunk's context and count offsets from the chunk's own text."""
    shift = len(chunk.indexed_text) - len(chunk.text)
    own = tokens.offsets[:, 0] >= shift
    return TokenVectors(tokens.offsets[own] - shift, tokens.vectors[own])


def _past(started: float, deadline_ms: float | None) -> bool:
    return deadline_ms is not None and (time.perf_counter() - started) * 1000 > deadline_ms
