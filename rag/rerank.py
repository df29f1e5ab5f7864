"""Rerank by late interaction: every word of the question looks for its like in the candidate's text.

No training: the trunk's own token vectors serve. They are kept, for `rag/trim.py` weighs sentences by
them, so that one pass of the encoder pays for both.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from rag.embed import Embedder, TokenVectors, unit
from rag.fuse import min_max
from rag.types import Chunk, Hit

MAX_TOKENS = 1800  # of all candidates that are read: about 100 ms on two cores
SLICE = 8  # candidates encoded at a time; between slices the clock is read
_SHARE = 0.5  # of late interaction in the new score; the rest is the score that came in


@dataclass(frozen=True, slots=True)
class Reranked:
    """Hits best first, and the token vectors of those that were read."""

    hits: list[Hit]
    vectors: Mapping[int, TokenVectors]  # chunk id -> its own text's tokens, offsets into chunk.text
    late: bool = False  # the deadline came before all that fit the token budget were read


class LateInteraction:
    """MaxSim over the embedder's token vectors (Khattab and Zaharia, SIGIR 2020). Safe for several threads."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    def rerank(
        self,
        question: str,
        hits: Sequence[Hit],
        *,
        limit: int = 20,
        max_tokens: int = MAX_TOKENS,
        deadline_ms: float | None = None,
    ) -> Reranked:
        """Reorder the first hits; a permutation, whose scores stay within what the hits came with.

        maxsim(q, c) = mean over the question's tokens of the largest cosine to a token of the chunk
        score(c) = half the score it came with + half maxsim, stretched to the range of the scores of
        those that are read. What is not read keeps score and place.

        Args:
            hits: whole chunks, best first.
            limit: most hits that are read.
            max_tokens: most tokens that are read; the first hit is read in any case.
            deadline_ms: no slice of SLICE hits is begun later than this after the call; None waits.
        """
        started = time.perf_counter()
        wanted = self._affordable(hits[:limit], max_tokens)
        encoded: list[TokenVectors] = []
        asked = unit(self._embedder.encode_tokens([question])[0].vectors)  # (n_question_tokens, dim)
        while len(encoded) < wanted and not _past(started, deadline_ms):
            batch = hits[len(encoded) : min(len(encoded) + SLICE, wanted)]
            encoded += self._embedder.encode_tokens([hit.chunk.indexed_text for hit in batch])
        head, tail = hits[: len(encoded)], hits[len(encoded) :]
        scores = _mix(np.array([hit.score for hit in head]), [maxsim(asked, one.vectors) for one in encoded])
        reranked = [
            replace(hit, score=float(score), stage="reranked")
            for hit, score in zip(head, scores, strict=True)
        ]
        return Reranked(
            [
                *sorted(reranked, key=lambda hit: -hit.score),
                *(replace(hit, stage="reranked") for hit in tail),
            ],
            {hit.chunk.id: _own_tokens(hit.chunk, one) for hit, one in zip(head, encoded, strict=True)},
            late=len(encoded) < wanted,
        )

    def _affordable(self, hits: Sequence[Hit], max_tokens: int) -> int:
        """Count the leading hits whose tokens fit the budget; at least one, if there is one."""
        total = 0
        for count, hit in enumerate(hits):
            tokens = len(self._embedder.token_offsets(hit.chunk.indexed_text))
            total += min(tokens, self._embedder.max_tokens)
            if total > max_tokens and count:
                return count
        return len(hits)


def maxsim(question: np.ndarray, text: np.ndarray) -> float:
    """Return the mean over question tokens of the largest cosine to a token of the text; 0 without tokens.

    Args:
        question: unit vectors (n_question_tokens, dim).
        text: vectors of any length (n_text_tokens, dim).
    """
    if not len(question) or not len(text):
        return 0.0
    return float((question @ unit(text).T).max(axis=1).mean())


def _mix(scores: np.ndarray, similarities: Sequence[float]) -> np.ndarray:
    if not len(scores):
        return scores
    low, high = scores.min(), scores.max()
    mixed: np.ndarray = (1 - _SHARE) * scores + _SHARE * (low + (high - low) * min_max(similarities))
    return mixed


def _own_tokens(chunk: Chunk, tokens: TokenVectors) -> TokenVectors:
    """Drop the tokens of the chunk's context and count offsets from the chunk's own text."""
    shift = len(chunk.indexed_text) - len(chunk.text)
    own = tokens.offsets[:, 0] >= shift
    return TokenVectors(tokens.offsets[own] - shift, tokens.vectors[own])


def _past(started: float, deadline_ms: float | None) -> bool:
    return deadline_ms is not None and (time.perf_counter() - started) * 1000 > deadline_ms
