"""Trim candidates to the spans that matter: found as large chunks, returned as small spans.

1. Cut every candidate, about four per requested hit, into sentences.
2. A sentence's own score is half the idf-weighted share of the question's terms in it, half the cosine of
   its mean token vector to the question, or the chunk's cosine if the reranker has not read the chunk. For other
   languages words weigh less, as they do in fusion.
3. Each touching neighbour adds a quarter of its own score, since evidence spreads.
4. Stretch to [0, 1] over the pool; average with the chunk's score, also stretched, at weights 0.7 and 0.3. What the
   document prior of the sentence's document (rag/index/scope.py) is below 1, weighted, is taken off.
5. Where rows of tables are among the 8 best units so far, the evidence model reads these. Its log-odds, stretched,
   count half as much as the score so far, for words and vectors alone prefer prose to a row; what is not read counts
   as 0.
6. Take the best sentence not yet taken; grow it both ways, across chunks too, while the next sentence has
   at least 0.55 of the best score of all. That is a hit. Repeat until there are k hits; if necessary, a
   sentence below 0.55 is taken too, but does not grow. A sentence that introduces a list or a table takes that along,
   and an item its list if the question asks for one, also where it ends the hit;
   one that begins with a pronoun, the sentence that says what it stands for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from rag.answer.spans import span_log_odds
from rag.index.scores import min_max
from rag.models.embed import TokenVectors
from rag.models.evidence import UNREAD, EvidenceModel
from rag.rerank import Reranked
from rag.retrieve import Request, on_their_pages, with_neighbours
from rag.store.catalog import Catalog
from rag.text.questions import asks_for_list
from rag.text.sentences import refers_back, strip_span
from rag.text.tables import is_row, rows_of, split_units
from rag.text.words import question_terms, text_terms
from rag.types import Candidates, Chunk, Hit

# A sentence belongs to a hit from this share of the best sentence's score on.
KEEP = 0.55
# Weight of the chunk's score in a sentence's.
_CHUNK_SHARE = 0.3
# Share of each neighbour's own score that is added to a sentence's.
_NEIGHBOUR = 0.25
# Characters: white space between two chunks that is worth reading
_GAP = 8
# Weight of words in a sentence's own score; meaning has the rest.
WORD_SHARE = 0.5
# Share of the document prior's weight in a sentence's score: the chunk's score has seen it already.
_PRIOR_SHARE = 0.5
NO_PENALTY: Mapping[int, float] = MappingProxyType({})
# Units that the evidence model reads where there are rows among them.
MOST_READ = 8
# Weight of its log-odds beside the score so far, whose weight is 1.
READ_WEIGHT = 0.5
# Log-odds between the best and the worst unit read that are stretched to [0, 1]; smaller differences stay smaller.
_LEAST_SPREAD = 6.0
# Most units of a list or table that is taken as a whole.
_MOST_OF_A_LIST = 12
# Most sentences to go back for what a pronoun stands for.
_MOST_BACK = 3
# A bullet, a number, a letter in brackets.
_ITEM = re.compile(r"\s*(?:[-*+•–]|\d{1,3}[.)]|\((?:\d{1,3}|[a-z]|[ivx]{1,5})\)|[a-z]\))[ \t]+\S")
# Share of the best score below which a hit beyond the least is a weak tail.
WEAK = 0.6


@dataclass(frozen=True, slots=True)
class _Sentence:
    chunk: Chunk
    start: int  # in the document
    end: int
    text: str
    follows: bool  # it begins where the previous sentence in the list ends
    spelled: str  # its text as models read it
    row: bool = False
    headed: bool = (
        False  # nothing but a table's header stands between the previous sentence in the list and it
    )

    @property
    def listed(self) -> bool:
        """Whether it is an item of a list or a row of a table."""
        return self.row or _ITEM.match(self.text) is not None

    @property
    def introduces(self) -> bool:
        """Whether a list or a table should follow."""
        return not self.row and self.text.rstrip().endswith(":")


def trim(
    question: str,
    vector: np.ndarray,
    hits: Sequence[Hit],
    *,
    k: int,
    idf: Callable[[str], float],
    dense: Mapping[int, float],
    vectors: Mapping[int, TokenVectors] | None = None,
    read: Callable[[Chunk, int, int], str] | None = None,
    keep: float = KEEP,
    penalty: Mapping[int, float] = NO_PENALTY,
    word_share: float = WORD_SHARE,
    evidence: Callable[[], EvidenceModel] | None = None,
) -> list[Hit]:
    """Return up to k spans, best first, that do not overlap; each lies within the candidates' text.

    Several spans may come from one chunk, and one span from several chunks that touch: its `chunk` and `page`
    are those of its best sentence. Fewer than k spans are returned only if the candidates have fewer sentences.

    Args:
        vector: the question's unit vector (dim,).
        hits: whole chunks with their scores, on any scale; more than k, ideally about 4 k.
        idf: weight of a term, above 0.
        dense: chunk id -> cosine to the question, for chunks that `vectors` lacks.
        vectors: chunk id -> token vectors of the chunk's text, as the reranker returns them.
        read: returns the text of a chunk's document version from one offset to another; used for the white space
            between two chunks. Without it, spans cross from chunk to chunk only if nothing lies between them, which
            costs 2 to 5 points of recall if the chunker strips.
        keep: from 0 (everything that touches the best) to 1 (single sentences).
        penalty: chunk id -> what is taken off the scores of its sentences, since its document is hardly meant.
        word_share: weight of words in a sentence's own score, from 0 to 1.
        evidence: returns what reads the best units; called only if some are rows of tables.

    Returns:
        Hits whose score is their best sentence's, in [0, 1].

    Raises:
        ValueError: if k is below 1 or keep outside [0, 1].
    """
    if k < 1 or not 0 <= keep <= 1:
        raise ValueError(f"k is {k} and keep {keep}; expected k from 1 and keep from 0 to 1.")
    sentences = _sentences(hits, read)
    if not sentences:
        return []
    words = _word_scores(question, sentences, idf)
    meaning = np.array([_cosine(one, vector, vectors or {}, dense) for one in sentences])
    follows = np.array([one.follows for one in sentences])
    own = _spread(word_share * words + (1 - word_share) * meaning, follows)
    by_chunk = {hit.chunk.id: hit for hit in hits}
    chunks = min_max([by_chunk[one.chunk.id].score for one in sentences])
    off = np.array([penalty.get(one.chunk.id, 0.0) for one in sentences])
    scores = np.maximum(0.0, (1 - _CHUNK_SHARE) * min_max(own) + _CHUNK_SHARE * chunks - off)
    if evidence:
        scores = _with_reading(question, hits, sentences, scores, evidence)
    spans = _grow(scores, _Joins(sentences, asks_for_list(question)), keep * scores.max(), k)
    return [
        _hit(sentences[first : last + 1], by_chunk[sentences[best].chunk.id], scores[best])
        for best, first, last in spans
    ]


def _sentences(hits: Sequence[Hit], read: Callable[[Chunk, int, int], str] | None) -> list[_Sentence]:
    """List the sentences of the hits in document order; a sentence that chunks share is listed once."""
    ordered = sorted(hits, key=lambda hit: (hit.chunk.document_id, hit.chunk.version, hit.start, hit.end))
    sentences: list[_Sentence] = []
    source, reached = ("", 0), 0
    for hit in ordered:
        if source != (hit.chunk.document_id, hit.chunk.version):
            source, reached = (hit.chunk.document_id, hit.chunk.version), -1
        elif read and 0 < hit.start - reached <= _GAP:
            between = read(hit.chunk, reached, hit.start)
            if between.isspace():  # belongs to the sentence before it, as in rag/text/sentences.py
                last = sentences[-1]
                sentences[-1] = replace(last, end=hit.start, text=last.text + between)
                reached = hit.start
        rows = {row.start: row for row in rows_of(hit)}
        headed = -1
        for begin, end in split_units(hit.text):
            start = max(hit.start + begin, reached)
            if start < hit.start + end and (text := hit.text[start - hit.start : end]).strip():
                row = next((row for at, row in rows.items() if start <= at < hit.start + end), None)
                if row is None and is_row(text):
                    # A header or its rule says nothing by itself
                    headed = hit.start + end if start in (reached, headed) else -1
                    continue
                spelled, follows = row.spelled if row else text, start == reached
                sentences.append(
                    _Sentence(
                        hit.chunk, start, hit.start + end, text, follows, spelled, bool(row), start == headed
                    )
                )
                reached = hit.start + end
    return sentences


def _word_scores(question: str, sentences: Sequence[_Sentence], idf: Callable[[str], float]) -> np.ndarray:
    """Return each sentence's share of the question's terms, weighted by idf: (n_sentences,) in [0, 1]."""
    weights = {term: idf(term) for term in question_terms(question)}
    total = sum(weights.values()) or 1.0
    return np.array(
        [
            sum(weights[term] for term in weights.keys() & set(text_terms(one.spelled))) / total
            for one in sentences
        ]
    )


def _cosine(
    sentence: _Sentence,
    question: np.ndarray,
    vectors: Mapping[int, TokenVectors],
    dense: Mapping[int, float],
) -> float:
    """Return the cosine of the sentence's mean token vector, or its chunk's if there are no tokens."""
    chunk = sentence.chunk
    if tokens := vectors.get(chunk.id):
        first, last = np.searchsorted(
            tokens.offsets[:, 0], [sentence.start - chunk.start, sentence.end - chunk.start]
        )
        if first < last:
            return float(
                TokenVectors(tokens.offsets[first:last], tokens.vectors[first:last]).pool() @ question
            )
    return dense.get(chunk.id, 0.0)


def _with_reading(
    question: str,
    hits: Sequence[Hit],
    sentences: Sequence[_Sentence],
    scores: np.ndarray,
    evidence: Callable[[], EvidenceModel],
) -> np.ndarray:
    """Return the scores (n_sentences,) as they are or, if rows are among the best, averaged with their log-odds."""
    best = np.argsort(-scores, kind="stable")[:MOST_READ].tolist()
    if not any(sentences[at].row for at in best):
        return scores
    spans = [(sentences[at].chunk.id, sentences[at].start, sentences[at].end) for at in best]
    odds = span_log_odds(question, hits, spans, evidence())
    known = np.flatnonzero(odds > UNREAD)
    read = np.zeros(len(sentences))
    if len(known):
        far = max(_LEAST_SPREAD, float(np.ptp(odds[known])))
        read[np.array(best)[known]] = 1 + (odds[known] - odds[known].max()) / far
    averaged: np.ndarray = (scores + READ_WEIGHT * read) / (1 + READ_WEIGHT)
    return averaged


def _spread(scores: np.ndarray, follows: np.ndarray) -> np.ndarray:
    """Add to each score (n,) a quarter of the scores before and after it, if they touch."""
    spread = scores.copy()
    after = np.flatnonzero(follows)
    spread[after] += _NEIGHBOUR * scores[after - 1]
    spread[after - 1] += _NEIGHBOUR * scores[after]
    return spread


class _Joins:
    """Which sentences of a list belong together.

    Args:
        lists: whether an item takes its list along.
    """

    def __init__(self, sentences: Sequence[_Sentence], lists: bool) -> None:
        self._sentences, self._lists = sentences, lists

    def touch(self, at: int) -> bool:
        """Return whether a sentence begins where the one before it ends."""
        return at < len(self._sentences) and self._sentences[at].follows

    def refers_back(self, at: int) -> bool:
        """Return whether a sentence is not understood without the one before it."""
        return not self._sentences[at].row and refers_back(self._sentences[at].text)

    def takes_along(self, at: int) -> bool:
        """Return whether a sentence takes the list or table along that it is in or introduces."""
        one = self._sentences[at]
        return one.introduces or (self._lists and one.listed and not one.row)

    def in_one_list(self, at: int) -> bool:
        """Return whether a sentence continues the list that the one before it is in or introduces."""
        if not 0 < at < len(self._sentences):
            return False
        before, one = self._sentences[at - 1], self._sentences[at]
        touching = one.follows or (one.headed and one.chunk is before.chunk)
        return touching and one.listed and (before.introduces or before.listed)


def _grow(scores: np.ndarray, joins: _Joins, threshold: float, k: int) -> Iterator[tuple[int, int, int]]:
    """Yield (best, first, last) of up to k runs of sentences, `last` included, best first."""
    free = np.ones(len(scores), bool)
    for best in np.argsort(-scores, kind="stable").tolist():
        if not free[best]:
            continue
        first = last = best
        if scores[best] >= threshold:
            joined = free & (scores >= threshold)
            while joins.touch(first) and joined[first - 1]:
                first -= 1
            while joins.touch(last + 1) and joined[last + 1]:
                last += 1
        # A run may end within a list, or with what introduces one
        begin, end = first, last
        if joins.takes_along(best) or joins.takes_along(first):
            while joins.in_one_list(first) and free[first - 1] and begin - first < _MOST_OF_A_LIST:
                first -= 1
        if joins.takes_along(best) or joins.takes_along(last):
            while joins.in_one_list(last + 1) and free[last + 1] and last - end < _MOST_OF_A_LIST:
                last += 1
        # What a pronoun stands for is named before it
        while (
            joins.refers_back(first) and joins.touch(first) and free[first - 1] and best - first < _MOST_BACK
        ):
            first -= 1
        free[first : last + 1] = False
        yield best, first, last
        k -= 1
        if not k:
            return


def _hit(run: Sequence[_Sentence], whole: Hit, score: float) -> Hit:
    chunk = run[0].chunk
    if run[-1].chunk is chunk:
        text = chunk.text[run[0].start - chunk.start : run[-1].end - chunk.start]
    else:
        text = "".join(one.text for one in run)
    begin, end = strip_span(text, 0, len(text))
    start = run[0].start
    return replace(
        whole,
        start=start + begin,
        end=start + end,
        text=text[begin:end],
        score=float(score),
        stage="trimmed",
        page=whole.chunk.page,
    )


def trim_candidates(
    request: Request,
    candidates: Candidates,
    reranked: Reranked,
    *,
    catalog: Catalog,
    word_share: float = WORD_SHARE,
    document_weight: float = 0.0,
    evidence: Callable[[], EvidenceModel] | None = None,
) -> list[Hit]:
    """Trim the first candidates to request.k hits, best first, each with the page that it starts on.

    Args:
        document_weight: weight of the document prior.
        evidence: as for `trim`.
    """
    index = request.index
    pool = with_neighbours(reranked.hits[: request.pool], catalog, index.generation.recipe.window)
    added = [hit.chunk.id for hit in pool if hit.chunk.id not in candidates.dense_scores]
    trimmed = trim(
        request.question,
        request.vector,
        pool,
        k=request.k,
        idf=index.idf,
        dense={**candidates.dense_scores, **index.dense_scores(request.vector, added)},
        vectors=reranked.vectors,
        read=catalog.documents.text_between,
        penalty={
            chunk: _PRIOR_SHARE * document_weight * (1 - prior) for chunk, prior in candidates.prior.items()
        },
        word_share=word_share,
        evidence=evidence,
    )
    unnamed = {candidates.chunks[chunk].document_id: names for chunk, names in candidates.unnamed.items()}
    named = [replace(hit, unnamed=unnamed.get(hit.chunk.document_id, ())) for hit in trimmed]
    return on_their_pages(named, catalog)


def keep_evidence(hits: Sequence[Hit], *, least: int, most: int) -> list[Hit]:
    """Keep at least `least` and at most `most` hits, best first; beyond `least`, only those near the best.

    Scores must lie in [0, 1], as those of the reranker and the fused average do.
    """
    if not hits:
        return []
    threshold = WEAK * hits[0].score
    return [hit for rank, hit in enumerate(hits[:most]) if rank < least or hit.score >= threshold]
