"""Choose which parts of the documents a prompt shows: retrieved spans, a whole document, or a summary and then detail.

A language model is given a whole document if it fits, so that it misses nothing. An extractive answer is given what
was retrieved: it weighs sentence by sentence, and more sentences would only compete. No single span answers a question
for an overview of a document that it names: the prompt shows the sentence at the centre of each part of the document,
then what was retrieved. A document is named by words of its file name, its title, its first heading or, of an e-mail,
its header, in any order.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from rag.answer import overview
from rag.answer.prompts import fenced
from rag.answer.sentences import sentences_of
from rag.models.embed import Embedder, unit
from rag.store.catalog import Catalog
from rag.store.chunks import embedding_key
from rag.text.words import question_terms, text_terms
from rag.types import Chunk, Evidence, Hit, whole_chunk

Strategy = Literal["retrieval", "whole_document", "summary_then_detail"]
# Stage of the hits that summarise a document.
SUMMARY = "summary"
# Parts of a document; the summary has a sentence of each, and more of each where there are fewer.
SUMMARY_PARTS = 8
_LEAST_WORDS = 5  # of a summary's sentence, unless the document has only shorter ones
# Least tokens of a fenced chunk; bounds how many chunks fit a budget.
_LEAST_TOKENS = 20
_POINTS = r"(?:main|key|most important)\s+(?:points|topics|ideas|findings|takeaways|messages|contents)"
_OVERVIEW = re.compile(  # a question that asks only for an overview
    r"^(?:please\s+|(?:can|could|would|will)\s+you\s+(?:please\s+)?)*(?:"
    r"summari[sz]e\b|sum\s+up\b|tl;?dr\b|outline\b"
    r"|(?:(?:give|provide|write|show)\s+(?:me\s+|us\s+)?)?(?:an?\s+|the\s+)?(?:(?:short|brief|quick)\s+)?"
    r"(?:summary|overview|outline|gist)(?:\s+of\b|\s*[?.]*$)"
    rf"|what\s+(?:is|are)\s+(?:the\s+{_POINTS}\s+of\b|.{{1,80}}\babout\s*[?.]*$)"
    r"|what(?:['’]s|\s+is)\s+in\s+.{1,80}$|what\s+does\s+.{1,80}\bsay\s*[?.]*$)",
    re.IGNORECASE,
)
_ASKING = re.compile(  # the words that ask for an overview
    r"\b(?:in (?:an?|one|two|three|\d+|a few|some) \w+|in brief|briefly|in short|for me|for us|what['’]s|sum up|"
    rf"summari[sz]e|summary|overview|outline|gist|tl;?dr|{_POINTS}|give|provide|write|show|please|can|could|would|will|"
    r"you|me|us|short|brief|quick|what|is|are|does|say|in|an?|the|this|that|my|of|about)\b",
    re.IGNORECASE,
)
_KINDS = frozenset(  # what any document may be called
    text_terms(
        "document file text paper article page pdf e-mail email mail message letter note memo attachment"
    )
)
_MARKS = re.compile(r"[\W_]+")
_HEADER = re.compile(r"^(?:From|To|Cc|Date|Subject): (.*)$", re.MULTILINE)
_TITLE = re.compile(r"\A\s*#[ \t]+(\S.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Selection:
    """What the prompt is to show, best first."""

    strategy: Strategy
    hits: list[Hit]
    remarks: tuple[str, ...] = ()  # text in the hits that addresses a model


class Selector:
    """Selects by the question and by what fits.

    Args:
        wanted: one strategy for every question, with retrieval as its fallback, or `auto`.
    """

    def __init__(self, wanted: str, catalog: Catalog, embedder: Embedder) -> None:
        self._wanted, self._catalog, self._embedder = wanted, catalog, embedder

    def select(
        self,
        question: str,
        evidence: Sequence[Hit],
        candidates: Sequence[Hit],
        *,
        room: int,
        count: Callable[[str], int],
        writes: bool,
    ) -> Selection:
        """Choose the strategy and return its hits.

        Args:
            evidence: what was retrieved, best first.
            candidates: every chunk found; an overview may need more than the evidence.
            room: tokens that evidence may take, including fences.
            count: counts tokens as the generator does.
            writes: whether a language model writes the answer.
        """
        retrieved = Selection("retrieval", list(evidence))
        if not candidates or self._wanted == "retrieval":
            return retrieved
        meant = self._meant(question, [*evidence, *candidates]) if asks_for_overview(question) else None
        whole = self._wanted == "whole_document" or (self._wanted == "auto" and writes)
        if whole and (hits := self._whole(evidence, room, count)):
            return Selection("whole_document", hits)
        if self._wanted == "summary_then_detail" and evidence and not asks_for_overview(question):
            meant = evidence[0].chunk
        return Selection("summary_then_detail", self._summary(meant, evidence)) if meant else retrieved

    def _meant(self, question: str, found: Sequence[Hit]) -> Chunk | None:
        """Return a chunk of the document that a question for an overview names, None if it names none.

        Where several have all its words in their names, that with the fewest other words is meant. Where it has no
        words of its own ("Summarise the document"), the only document is.
        """
        documents = {hit.chunk.document_id: hit.chunk for hit in reversed(found)}
        if not _subject(question) - _KINDS:
            return found[0].chunk if len(documents) == 1 else None
        names = {identity: self._names(chunk) for identity, chunk in documents.items()}
        fitting = [one for one in reversed(documents) if names_document(question, names[one])]
        exact = [one for one in fitting if _subject(question) <= _words_of(names[one])] or fitting
        return documents[min(exact, key=lambda one: len(_words_of(names[one])))] if exact else None

    def _names(self, chunk: Chunk) -> str:
        """Return all that a document is called: name, label, first heading and, of an e-mail, its header."""
        first = next(iter(self._catalog.chunks.siblings(chunk, limit=1)), chunk)
        said = [*_TITLE.findall(first.text), *_HEADER.findall(first.text), first.context]
        return " ".join([chunk.document, chunk.label, *said])

    def _whole(self, evidence: Sequence[Hit], room: int, count: Callable[[str], int]) -> list[Hit]:
        """Return the evidence with as many of its best documents whole as fit; nothing if not even the first fits."""
        found, chosen = False, list(evidence)
        documents = {hit.chunk.document_id: hit.chunk for hit in reversed(evidence)}
        for identity in dict.fromkeys(hit.chunk.document_id for hit in evidence):
            most = room // _LEAST_TOKENS
            chunks = self._catalog.chunks.siblings(documents[identity], limit=most + 1)
            others = [hit for hit in chosen if hit.chunk.document_id != identity]
            tried = [*_with_scores(chunks, evidence), *others]
            fits = 0 < len(chunks) <= most
            if not fits or sum(count(fenced(hit, hit.text, len(tried))) for hit in tried) > room:
                break
            found, chosen = True, tried
        return sorted(chosen, key=lambda hit: -hit.score) if found else []

    def _summary(self, meant: Chunk, evidence: Sequence[Hit]) -> list[Hit]:
        chunks = self._catalog.chunks.siblings(meant)
        keys = [embedding_key(self._embedder.fingerprint, chunk.indexed_text) for chunk in chunks]
        known = self._catalog.embeddings.known(keys)
        if not keys or len(known) < len(set(keys)):  # changed meanwhile: verification will notice
            return list(evidence)
        vectors = np.array([known[key] for key in keys], np.float32)  # (n_chunks, dim)
        summary = central_sentences(chunks, vectors, self._embedder)
        detail = [hit for hit in evidence if not any(_overlap(hit, other) for other in summary)]
        return sorted([*summary, *detail], key=lambda hit: -hit.score)


def asks_for_overview(question: str) -> bool:
    """Return whether a question asks for an overview and nothing else: "Summarise ...", "Worum geht es in ...?"."""
    return any(asked.search(question) for asked in (_OVERVIEW, overview.OVERVIEW_BEGINS))


def names_document(question: str, name: str) -> bool:
    """Return whether what a document is called contains every word of an overview's subject, in any order.

    "Give me an overview of the escalation runbook." and "Summarise escalation-runbook.md" name
    support/escalation-runbook.md.
    """
    subject = _subject(question) - _KINDS
    return bool(subject) and subject <= _words_of(name)


def _subject(question: str) -> set[str]:
    """Return the terms of what an overview is asked of, a file name in its words: "plan-team.md" is three."""
    asking = _ASKING if _OVERVIEW.search(question) else overview.OVERVIEW_WORDS
    topic = _MARKS.sub(" ", asking.sub(" ", question)).strip()
    return set(question_terms(topic)) & set(text_terms(topic))  # without its compounds, such as policy2026


def central_sentences(chunks: Sequence[Chunk], vectors: np.ndarray, embedder: Embedder) -> list[Hit]:
    """Return the sentences nearest to the centre of each part of a document, in order.

    The parts are runs of equally many chunks. Of each part's vectors, the mean picks the nearest chunk and then the
    nearest sentence of that chunk: one of each of SUMMARY_PARTS parts, or as many in all of fewer parts. The score is
    the sentence's cosine to the mean of the whole, from 0 to 1.

    Args:
        vectors: unit vectors (n_chunks, dim).
    """
    whole = unit(vectors.mean(axis=0, keepdims=True))[0]  # (dim,)
    parts = min(SUMMARY_PARTS, len(chunks))
    candidates, centres = list[tuple[int, Hit]](), list[np.ndarray]()
    for part in np.array_split(np.arange(len(chunks)), parts):
        centre = unit(vectors[part].mean(axis=0, keepdims=True))[0]
        nearest = chunks[part[int(np.argmax(vectors[part] @ centre))]]
        candidates += [(len(centres), hit) for hit in _sentence_hits(nearest)]
        centres.append(centre)
    if not candidates:
        return []
    encoded = embedder.encode([hit.text for _, hit in candidates])  # (n_candidates, dim)
    nearness = [float(row @ centres[number]) for row, (number, _) in zip(encoded, candidates, strict=True)]
    taken: list[int] = []  # candidates
    for number in range(parts):
        own = [at for at, (of, _) in enumerate(candidates) if of == number]
        taken += sorted(own, key=lambda at: -nearness[at])[: SUMMARY_PARTS // parts]
    return [
        replace(candidates[at][1], score=float(np.clip(encoded[at] @ whole, 0, 1))) for at in sorted(taken)
    ]


def _sentence_hits(chunk: Chunk) -> list[Hit]:
    hit = whole_chunk(chunk, 0.0, SUMMARY)
    stated = [
        one
        for one in sentences_of(Evidence(0, hit, 0))
        if " " in one.text and not one.text.endswith("?") and not _HEADER.match(one.text)
    ]
    telling = [one for one in stated if len(one.text.split()) >= _LEAST_WORDS] or stated
    return [replace(hit, start=one.start, end=one.end, text=one.text) for one in telling]


def _with_scores(chunks: Sequence[Chunk], evidence: Sequence[Hit]) -> list[Hit]:
    """Return chunks as whole hits, each with the score of its retrieved span, or 0 if it has none."""
    best = {hit.chunk.id: hit for hit in reversed(evidence)}
    return [
        replace(
            best.get(chunk.id, whole_chunk(chunk, 0.0, "whole")),
            start=chunk.start,
            end=chunk.end,
            text=chunk.text,
            page=chunk.page,
        )
        for chunk in chunks
    ]


def _words_of(name: str) -> set[str]:
    """Return the terms of a document's name; "travel-policy-2026" is three words, not one."""
    return set(text_terms(_MARKS.sub(" ", name)))


def _overlap(one: Hit, other: Hit) -> bool:
    same = one.chunk.document_id == other.chunk.document_id
    return same and one.start < other.end and other.start < one.end
