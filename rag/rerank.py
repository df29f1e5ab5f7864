"""Rerank by late interaction: every token of the question is matched to its nearest in the candidate's text. If a
cross-encoder is set, it reads the same candidates and its score is averaged in.

It needs no training: it uses the trunk's own token vectors. They are kept, since `rag/trim.py` weighs sentences
by them, so one pass of the encoder pays for both.

The encoder takes most of a question's time, so little is read: READ_TOKENS and SLICE admit two chunks of full
size, or a few more small ones. Only candidates that were read are reordered, and only among themselves.
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

# Tokens of candidates after which no more are read: two long chunks, or four of 100 tokens.
READ_TOKENS = 300
# Candidates encoded at a time; between slices tokens are counted and the clock is read
SLICE = 2
# Weight of late interaction in the new score; the original score has the rest.
_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Reranked:
    """Hits best first, and the token vectors of those that were read."""

    hits: list[Hit]
    vectors: Mapping[int, TokenVectors]  # chunk id -> its own text's tokens, offsets into chunk.text
    late: bool = False  # the deadline passed before all were read


class LateInteraction:
    """MaxSim over the embedder's token vectors (Khattab and Zaharia, SIGIR 2020). Safe for several threads.

    Args:
        cross_encoder: reads the same candidates too; its score has half the weight.
        deadline_ms: deadline of `rerank_candidates`; None means none.
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
        """Rerank the candidates of a request."""
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
        """Reorder the first hits. The result is a permutation whose scores stay in the range of the original scores.

        maxsim(q, c) = mean over the question's tokens of the largest cosine to a token of the chunk
        score(c) = (original score + reading score) / 2, the reading score stretched to the range of the original
        scores of the hits that are read. The reading score is maxsim, or the mean of maxsim and the cross-encoder's
        score, each stretched to [0, 1]. Hits that are not read keep their score and place.

        Args:
            hits: whole chunks, best first.
            limit: most hits to read.
            tokens: no further slice of SLICE hits begins once this many tokens are read.
            deadline_ms: no slice begins later than this after the call; None means no deadline.
        """
        started = time.perf_counter()
        encoded: list[TokenVectors] = []
        read, late, wanted = 0, False, min(limit, len(hits))
        while len(encoded) < wanted and read < tokens and not (late := _past(started, deadline_ms)):
            batch = [hit.chunk.read_text for hit in hits[len(encoded) : min(len(encoded) + SLICE, wanted)]]
            if not encoded:  # encoding the question with the first slice costs almost nothing
                asked, *fresh = self._embedder.encode_tokens([question, *batch])
                similar = unit(asked.vectors)  # (n_question_tokens, dim)
            else:
                fresh = self._embedder.encode_tokens(batch)
            read += sum(len(one.vectors) for one in fresh)
            encoded += fresh
        head, tail = hits[: len(encoded)], hits[len(encoded) :]
        said = min_max([maxsim(similar, one.vectors) for one in encoded])
        if self._cross_encoder and encoded:
            crossed = self._cross_encoder.score(question, [hit.chunk.read_text for hit in head])
            said = (said + min_max(crossed)) / 2
        scores = _mix(np.array([hit.score for hit in head]), said)
        reranked = [
            replace(hit, score=float(score), stage="reranked", read=True)
            for hit, score in zip(head, scores, strict=True)
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
    shift = len(chunk.read_text) - len(chunk.text)
    own = tokens.offsets[:, 0] >= shift
    return TokenVectors(tokens.offsets[own] - shift, tokens.vectors[own])


def _past(started: float, deadline_ms: float | None) -> bool:
    return deadline_ms is not None and (time.perf_counter() - started) * 1000 > deadline_ms
