"""The types that flow through the question path: Document -> Chunk -> Hit -> Context -> Answer.

All are frozen. Offsets are code points of a document version's normalised text.
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rag.errors import InvalidName

_CORPUS_NAME = re.compile(r"\w[\w.-]{0,63}")
Scalar = str | int | float | bool
Metadata = Mapping[str, Scalar]

# Raise it when the chunkers (ingest/chunking) would cut the same text differently.
CHUNKER_VERSION = 3
# Raise it when a reader (ingest/formats) would make another text of the same file.
READER_VERSION = 2


@dataclass(frozen=True, slots=True)
class Recipe:
    """What decides where a text is cut and what its vectors are."""

    embedder: str  # fingerprint
    model: str = ""  # as IBID_EMBEDDER named it; "" for whichever it names now
    chunker: str = "packed"
    chunk_tokens: int = 254
    chunker_version: int = CHUNKER_VERSION

    @property
    def window(self) -> int:
        """Neighbours on each side that are read with a candidate; single-sentence chunks need them."""
        return 2 if self.chunker == "sentence_window" else 0


@dataclass(frozen=True, slots=True)
class Omission:
    """Something that a reader saw in a file and did not take."""

    kind: str  # a noun in the singular, such as "image", "attachment", "page without text"
    # Where, as a person finds it: "page 2", "slide 3", "the header of the first page"; "" if unknown
    place: str
    count: int = 1  # how many of them


@dataclass(frozen=True, slots=True)
class Document:
    """One version of a document; `text` never changes within a version."""

    id: str
    name: str
    version: int
    text: str
    pages: tuple[int, ...] = ()  # offset at which each page starts; () if the format has none
    metadata: Metadata = field(default_factory=dict)

    def page_at(self, offset: int) -> int | None:
        """Return the page that contains `offset`, counted from 1, or None without pages."""
        return page_at(self.pages, offset)


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a document version: `document.text[start:end] == text`, always.

    `context` is text that travels with the chunk into both indexes but is not part of it, such as
    the headings above it or the header row of its table.
    """

    document_id: str
    document: str  # the document's name
    version: int
    start: int
    end: int
    text: str
    page: int | None = None
    context: str = ""
    generation: int = 0  # of its corpus (rag/store/generations.py)
    label: str = ""  # what the document is called, in words (rag/text/names.py)

    @property
    def id(self) -> int:
        """A 63-bit id derived from document, version and span, so re-ingesting yields the same id."""
        return chunk_id(self.document_id, self.version, self.start, self.end)

    @property
    def indexed_text(self) -> str:
        """What is embedded: the context, then the chunk's own text."""
        return indexed_text(self.text, self.context)

    @property
    def read_text(self) -> str:
        """What rerankers and the lexical index read: what the document is called, then the indexed text."""
        return indexed_text(self.indexed_text, self.label)


@dataclass(frozen=True, slots=True)
class Hit:
    """A span found by a stage. It is the chunk's own span unless trimmed or grown by its neighbours.

    Higher scores are better; scores are comparable only within one stage.
    """

    chunk: Chunk
    start: int
    end: int
    text: str
    score: float
    stage: str
    page: int | None = None
    read: bool = False  # whether late interaction read its chunk
    # Names of the question, as terms, that other documents are called by and its document is not
    unnamed: tuple[str, ...] = ()

    @property
    def above(self) -> str:
        """What stands over it: the context of its chunk, then the chunk's text before it."""
        before = self.chunk.text[: max(0, self.start - self.chunk.start)]
        return f"{self.chunk.context}\n{before}" if self.chunk.context else before


@dataclass(frozen=True, slots=True)
class Candidates:
    """What the two legs found, best first, and the scores of both legs for every candidate."""

    dense: list[Hit]
    lexical: list[Hit]
    dense_scores: Mapping[int, float]
    lexical_scores: Mapping[int, float]
    chunks: Mapping[int, Chunk]
    # How much each candidate's document is meant, in (0, 1]; nothing if that was not asked
    prior: Mapping[int, float] = field(default_factory=dict)
    # Names of the question, as terms, that other documents are called by and the candidate's is not
    unnamed: Mapping[int, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Evidence:
    """One piece of evidence in the context, under its label [n]."""

    label: int  # from 1, in reading order
    hit: Hit
    tokens: int
    # Ranges in the document that compression kept of the hit; empty means all of it.
    kept: tuple[tuple[int, int], ...] = ()

    @property
    def shown(self) -> str:
        """What the prompt shows of the hit."""
        kept = [self.hit.text[start - self.hit.start : end - self.hit.start] for start, end in self.kept]
        return " ".join(kept) if kept else self.hit.text


@dataclass(frozen=True, slots=True)
class Ledger:
    """Where the tokens of one prompt went: budget >= system + tools + memory + evidence + question."""

    budget: int  # B
    system: int  # S
    tools: int  # T
    memory: int  # H
    evidence: int  # R
    question: int  # U

    @property
    def used(self) -> int:
        """S + T + H + R + U."""
        return self.system + self.tools + self.memory + self.evidence + self.question


@dataclass(frozen=True, slots=True)
class Cut:
    """A hit that did not reach the context, and why."""

    chunk: Chunk
    reason: str


@dataclass(frozen=True, slots=True)
class Context:
    """Everything a generator sees: the question and the evidence in reading order, within the budget."""

    question: str
    evidence: tuple[Evidence, ...]
    ledger: Ledger
    cut: tuple[Cut, ...]
    prompt: str
    left_out: tuple[str, ...] = ()  # remembered texts that did not fit


@dataclass(frozen=True, slots=True)
class MarkBox:
    """A part of a page to mark, in points from its top left as displayed. Pages count from 1."""

    page: int
    x0: float
    y0: float
    x1: float
    y1: float


@dataclass(frozen=True, slots=True)
class Citation:
    """The verbatim words that support part of the answer."""

    answer_start: int
    answer_end: int
    label: int
    document: str
    version: int
    page: int | None
    start: int
    end: int
    quote: str
    verified: bool
    boxes: tuple[MarkBox, ...] = ()  # the positions of the quote on its pages, if the format has a layout


@dataclass(frozen=True, slots=True)
class Conflict:
    """Sources that disagree on what is asked; each citation's `answer` range lies in `text`."""

    kind: str  # what distinguishes them: "dates", "regions", "versions", or "values" if nothing does
    text: str  # such as "By date: 135 EUR (2026-03-01); 110 EUR (2024-01-01)."
    citations: tuple[Citation, ...]  # two or more, of different documents; newest first if dates are known


@dataclass(frozen=True, slots=True)
class Draft:
    """A generator's answer before it is verified: text, and its citations with `verified` false."""

    text: str
    citations: tuple[Citation, ...]
    confidence: float
    reason: str = ""  # why there is no answer, if text is empty
    verbatim: bool = True  # each cited part of the text is its quote; false only if a generator rephrases
    notes: tuple[str, ...] = ()  # what was dropped from a model's text, or why another answer replaces it


@dataclass(frozen=True, slots=True)
class Trace:
    """How an answer came about: each stage's ranking, what was dropped and why, and timings."""

    question: str  # as used for retrieval, after rewriting
    rankings: Mapping[str, tuple[Hit, ...]]  # stage -> hits, best first, in the order of the stages
    dropped: Mapping[int, str]  # chunk id -> reason
    notes: tuple[str, ...]  # such as how much was read
    timings_ms: Mapping[str, float]
    tokens: tuple[int, ...] = ()  # of each hit of the ranking "context"
    shown: tuple[str, ...] = ()  # what the prompt shows of each
    remarks: tuple[str, ...] = ()  # what the asker should know: rewritten, dropped, replaced, suspicious
    strategy: str = "retrieval"  # which parts of documents the prompt shows: see rag.answer.strategy


@dataclass(frozen=True, slots=True)
class Recalled:
    """An earlier exchange related to a question."""

    turn: int  # its row
    session: str
    question: str
    answer: str
    asked: float  # seconds since the epoch
    cosine: float


@dataclass(frozen=True, slots=True)
class Fact:
    """What the user stated, in the user's words."""

    id: int
    text: str
    session: str  # in which it, or the fact it corrects, was stated
    stated: float  # seconds since the epoch
    superseded: float | None = None  # when a newer one replaced it; None while it is valid
    corrected: bool = False  # corrected by the user outside the conversation


@dataclass(frozen=True, slots=True)
class Memory:
    """What is known about a conversation when a question is asked in it."""

    earlier: tuple[str, ...] = ()  # what a follow-up is rewritten from, oldest first
    active: tuple[str, ...] = ()  # the last exchanges verbatim, oldest first
    summary: tuple[str, ...] = ()  # the gist of older ones, oldest first
    recalled: tuple[Recalled, ...] = ()  # much earlier exchanges on the same subject, nearest first
    facts: tuple[Fact, ...] = ()  # nearest first


@dataclass(frozen=True, slots=True)
class Answer:
    """A checked answer, or an honest refusal (`answerable` false, with the nearest hits)."""

    text: str
    answerable: bool
    confidence: float  # probability that the answer is right, 0 to 1
    citations: tuple[Citation, ...]
    reason: str
    nearest: tuple[Hit, ...]
    ledger: Ledger
    trace: Trace
    recalled: tuple[Recalled, ...] = ()  # earlier exchanges of the session on the same subject, nearest first
    facts: tuple[Fact, ...] = ()  # what the user stated on the same subject, nearest first
    conflicts: tuple[Conflict, ...] = ()  # between evidence the answer quotes and other evidence


def page_at(pages: Sequence[int], offset: int) -> int | None:
    """Return the page that contains `offset`, counted from 1, given the offsets at which pages start; None without
    pages."""
    return bisect_right(pages, offset) if pages else None


def indexed_text(text: str, context: str) -> str:
    """Return what the indexes see of a chunk: its context, then its own text."""
    return f"{context}\n{text}" if context else text


def chunk_id(document_id: str, version: int, start: int, end: int) -> int:
    """Derive a chunk's id: 63 bits of SHA-256, so that a collision among a million is a 1 in 10^7 event."""
    digest = hashlib.sha256(f"{document_id}/{version}/{start}/{end}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def document_id(corpus: str, name: str) -> str:
    """Derive a document's id from its corpus and name; it is stable across versions."""
    return hashlib.sha256(f"{corpus}\0{name}".encode("utf-8", "surrogatepass")).hexdigest()[:16]


def check_corpus_name(corpus: str) -> None:
    """Raise InvalidName unless a corpus may have this name."""
    if not is_corpus_name(corpus):
        raise InvalidName(
            f"{corpus[:80]!r} is not a corpus name; expected 1 to 64 letters, digits, '.', '_' or '-', "
            "the first one a letter, digit or '_'."
        )


def is_corpus_name(corpus: str) -> bool:
    """Return whether a corpus may have this name."""
    return _CORPUS_NAME.fullmatch(corpus) is not None


def whole_chunk(chunk: Chunk, score: float, stage: str) -> Hit:
    """Return a hit whose span is the chunk's own."""
    return Hit(chunk, chunk.start, chunk.end, chunk.text, score, stage, chunk.page)
