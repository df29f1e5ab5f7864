"""Check what must hold for every run, whatever its questions: invariants of the stages, and small canary sets.

Quality metrics miss some faults: citations that name another document, offsets one character off, a judge
that says yes to everything. Each check reports what it found.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np

from eval.questions import EvalQuestion
from eval.trial import Subject
from rag.assemble import LEAST_RATE
from rag.errors import IbidError, NotFound
from rag.models.judge import Judge
from rag.pipeline import Pipeline
from rag.store.catalog import Catalog
from rag.types import Answer, Chunk, Citation, Hit, Ledger, Trace

CANARY = Path(__file__).parent / "canary.jsonl"
# Balanced accuracy on the canary.
JUDGE_AT_LEAST = 0.75
# Share of refused questions about things that do not exist.
REFUSED_AT_LEAST = 0.8
# Share of the chunks of older documents that are found by their own words.
FOUND_AT_LEAST = 0.95
# Shortfall allowed to compression: a word of a short text.
SHORT_BY = 0.05
# Documents besides the newest.
PROBED = 25
PROBE_CHARS = 300
# Characters of a chunk long enough to be searched for.
TELLING = 40
# Share of values for which RAGAS may give no number.
MISSING_AT_MOST = 0.1
PROBE_SEED = 17
_ERROR = "error: "
# None of this is real, so no corpus answers it, except one that quotes these questions.
NONSENSE = (
    "How many quorbles fit into a standard Veltrix hamper?",
    "Who succeeded Admiral Tondrel Vask as warden of Ymmerhold?",
    "At what temperature does crystalline brantium turn into glimfoam?",
    "Which year did the Ostravine Moot abolish the tax on whispering?",
    "What is the wingspan of an adult snarkfeather in furlongs?",
    "Where is the tomb of Queen Ilvaretta the Unseasoned?",
    "How often must a drumgoyle be rewound before it sings?",
    "What did the poet Hesker Quill write about the moons of Tarn?",
    "Who holds the record for the longest glissening at Port Umber?",
    "Why was the Zephyrine Ledger burned by the guild of lampwrights?",
)


@dataclass(frozen=True, slots=True)
class Check:
    """A condition that must hold, whether it did, and what was found."""

    name: str
    ok: bool
    found: str


def check_answers(
    questions: Sequence[EvalQuestion], answers: Sequence[Answer], subject: Subject
) -> list[Check]:
    """Check the stages of every answer: texts, order of rankings and context, citations."""
    texts = _Texts(subject.catalog, subject.corpus)
    attention = subject.settings.retrieval.order == "attention"
    labelled = list(zip(questions, answers, strict=True))
    return [
        _all_hold("no question ends in an error", labelled, error_of),
        _all_hold("every hit is the stored text at its place", labelled, lambda a: _misplaced(a, texts)),
        _all_hold("every ranking is ordered by its scores", labelled, _unordered),
        _all_hold("reranking keeps the hits that it was given", labelled, _not_permuted),
        _all_hold("the context is in its order", labelled, lambda a: _wrong_order(a, attention=attention)),
        _all_hold("compression keeps as much as it has to", labelled, _overcompressed),
        _all_hold(
            "every citation quotes the document that it names", labelled, lambda a: _miscited(a, texts)
        ),
        _all_hold("the prompt is within its budget", labelled, _over_budget),
    ]


def check_canaries(subject: Subject, judge: Judge | None = None) -> list[Check]:
    """Check that chunks are found by their own words, that nonsense is refused, and that the judge judges."""
    checks = [_findable(subject), _refusing(subject)]
    return [*checks, _judging(judge)] if judge else checks


def ask_or_report(pipeline: Pipeline, corpus: str, question: str) -> Answer:
    """Answer a question; an error becomes a refusal with the error as its reason, so that the run goes on."""
    try:
        return pipeline.ask(corpus, question)
    except IbidError as error:
        nothing = Trace(question, {}, {}, (), {})
        return Answer(
            "",
            False,
            0.0,
            (),
            f"{_ERROR}{type(error).__name__}: {error}",
            (),
            Ledger(0, 0, 0, 0, 0, 0),
            nothing,
        )


def error_of(answer: Answer) -> str:
    """Return the error in which the question ended, or ""."""
    return answer.reason.removeprefix(_ERROR) if answer.reason.startswith(_ERROR) else ""


def check_numbers(judged: Sequence[Mapping[str, float]], failure: str) -> Check:
    """Check that RAGAS gave a number for nearly every requested value."""
    values = [value for one in judged for value in one.values()]
    missing = sum(math.isnan(value) for value in values)
    found = f"{len(values) - missing} of {len(values)}{f'; the first failed by {failure}' if failure else ''}"
    return Check("RAGAS gives numbers", missing <= MISSING_AT_MOST * len(values), found)


class _Texts:
    """The stored text of each current document version."""

    def __init__(self, catalog: Catalog, corpus: str) -> None:
        self._catalog, self._corpus = catalog, corpus
        self._read = cache(self._read_text)

    def at(self, document: str, version: int, start: int, end: int) -> str | None:
        """Return the text of a span, or None if the version is not the current one."""
        text = self._read(document, version)
        return None if text is None or not 0 <= start < end <= len(text) else text[start:end]

    def _read_text(self, document: str, version: int) -> str | None:
        try:
            found = self._catalog.documents.get(self._corpus, document)
        except NotFound:
            return None
        return found.text if found.version == version else None


def _all_hold(
    name: str, labelled: Sequence[tuple[EvalQuestion, Answer]], wrong: Callable[[Answer], str]
) -> Check:
    found = [(question.id, what) for question, answer in labelled if (what := wrong(answer))]
    if not found:
        return Check(name, True, f"holds for {len(labelled)} questions")
    identity, what = found[0]
    return Check(
        name, False, f"not for {len(found)} of {len(labelled)} questions, such as {identity}: {what}"
    )


def _misplaced(answer: Answer, texts: _Texts) -> str:
    for stage, hits in answer.trace.rankings.items():
        for hit in hits:
            chunk = hit.chunk
            if texts.at(chunk.document, chunk.version, hit.start, hit.end) != hit.text:
                return f"{stage}: {chunk.document}, {hit.start}-{hit.end}, has another text"
            if texts.at(chunk.document, chunk.version, chunk.start, chunk.end) != chunk.text:
                return f"{stage}: the chunk {chunk.start}-{chunk.end} of {chunk.document} has another text"
    return ""


def _unordered(answer: Answer) -> str:
    for stage in ("dense", "lexical", "fused", "trimmed", "evidence"):
        scores = [hit.score for hit in answer.trace.rankings.get(stage, ())]
        if any(later > earlier + 1e-6 for earlier, later in pairwise(scores)):
            return f"{stage}: a hit scores higher than the one before it"
    return ""


def _not_permuted(answer: Answer) -> str:
    rankings = answer.trace.rankings
    if "reranked" not in rankings:
        return ""
    before, after = _ids(rankings["fused"]), _ids(rankings["reranked"])
    if sorted(before) != sorted(after):
        return f"{len(before)} went in and {len(after)} came out, not the same"
    read = [hit.score for hit in rankings["reranked"] if hit.read]
    ordered = all(earlier >= later - 1e-6 for earlier, later in pairwise(read))
    return "" if ordered else "what was read is not ordered by its new scores"


def _wrong_order(answer: Answer, *, attention: bool) -> str:
    """Describe where the context is not best first, second best last, and so on inward (or by rank)."""
    ranked = [_span(hit) for hit in answer.trace.rankings.get("evidence", ())]
    placed = [_span(hit) for hit in answer.trace.rankings.get("context", ())]
    if ranked and not placed:
        return "nothing of the evidence reached the context"
    ordered = [*ranked[::2], *ranked[1::2][::-1]] if attention else ranked
    if answer.trace.strategy == "whole_document":  # best document first, each in document order
        documents = list(dict.fromkeys(document for document, _, _ in ranked))
        ordered = sorted(ranked, key=lambda span: (documents.index(span[0]), *span[1:]))
    elif answer.trace.strategy == "summary_then_detail":
        return ""  # spans do not distinguish summary from detail
    expected = [span for span in ordered if span in placed]
    return (
        "" if placed == expected else f"hits of ranks {[ranked.index(s) + 1 for s in placed if s in ranked]}"
    )


def _overcompressed(answer: Answer) -> str:
    """Describe where less is left of a piece of evidence than assembly must keep."""
    context = answer.trace.rankings.get("context", ())
    for hit, shown in zip(context, answer.trace.shown, strict=True):
        share = len(shown) / max(1, len(hit.text))
        if share < LEAST_RATE - SHORT_BY:
            return f"{share:.0%} is left of {hit.chunk.document}, {hit.start}-{hit.end}"
    return ""


def _miscited(answer: Answer, texts: _Texts) -> str:
    context = answer.trace.rankings.get("context", ())
    for one in answer.citations:
        place = f"{one.document}, {one.start}-{one.end}"
        if texts.at(one.document, one.version, one.start, one.end) != one.quote:
            return f"{place}, does not say {one.quote[:60]!r}"
        if not any(_within(one, hit) for hit in context):
            return f"{place}, is not in the evidence"
    return ""


def _within(one: Citation, hit: Hit) -> bool:
    return hit.chunk.document == one.document and hit.start <= one.start and one.end <= hit.end


def _over_budget(answer: Answer) -> str:
    ledger = answer.ledger
    return f"{ledger.used} tokens of {ledger.budget}" if ledger.used > ledger.budget else ""


def _findable(subject: Subject) -> Check:
    """Search for some chunks by their own words: a stale or foreign index does not find them.

    All chunks of the newest documents must be found, since a stale index lacks what was ingested last.
    """
    newest, others = _some_chunks(subject)
    lost = [[chunk for chunk in chunks if not _finds(subject, chunk)] for chunks in (newest, others)]
    probed, missing = len(newest) + len(others), [*lost[0], *lost[1]]
    enough = not lost[0] and len(lost[1]) <= (1 - FOUND_AT_LEAST) * len(others)
    where = f", not {missing[0].document}, {missing[0].start}-{missing[0].end}" if missing else ""
    found = f"{probed - len(missing)} of {probed}{where}"
    return Check("chunks are found by their own words", enough and probed > 0, found)


def _finds(subject: Subject, chunk: Chunk) -> bool:
    words = " ".join(chunk.text.split())[: min(PROBE_CHARS, subject.settings.limits.max_question_chars)]
    rankings = subject.pipeline.search(subject.corpus, words, k=5).trace.rankings
    return any(
        hit.chunk.text == chunk.text for stage in ("dense", "lexical") for hit in rankings.get(stage, ())
    )


def _some_chunks(subject: Subject) -> tuple[list[Chunk], list[Chunk]]:
    """Return up to three chunks of each of the two newest documents and of some others."""
    infos = sorted(subject.catalog.documents.infos(subject.corpus), key=lambda info: -info.created)
    generation = subject.pipeline.index(subject.corpus).generation.id
    rng = random.Random(PROBE_SEED)
    others = rng.sample(infos[2:], min(PROBED, len(infos[2:])))
    drawn: list[list[Chunk]] = []
    for group in (infos[:2], others):
        drawn.append([])
        for info in group:
            document = subject.catalog.documents.get(subject.corpus, info.name)
            chunks = subject.catalog.chunks.of(document, generation)
            telling = [chunk for chunk in chunks if len(chunk.text.strip()) >= TELLING]
            drawn[-1] += rng.sample(telling, min(3, len(telling)))
    return drawn[0], drawn[1]


def _refusing(subject: Subject) -> Check:
    answers = [ask_or_report(subject.pipeline, subject.corpus, question) for question in NONSENSE]
    refused = sum(not answer.answerable and not error_of(answer) for answer in answers)
    found = f"{refused} of {len(NONSENSE)} refused"
    return Check("nonsense is refused", refused >= REFUSED_AT_LEAST * len(NONSENSE), found)


def _judging(judge: Judge) -> Check:
    """Judge statements with known truth, half of them planted falsehoods."""
    entries = list(canary())
    chances = judge.support([(e["evidence"], e["statement"]) for e, _ in entries])  # NaN: no verdict
    truth = np.array([label for _, label in entries])
    right = np.where(truth, chances >= 0.5, chances < 0.5)  # false for NaN
    balanced = float((right[truth].mean() + right[~truth].mean()) / 2)
    found = f"balanced accuracy {balanced:.2f} on {len(entries)} statements; expected {JUDGE_AT_LEAST}"
    if without := int(np.isnan(chances).sum()):
        found += f"; no verdict on {without}"
    return Check("the judge tells planted falsehoods", balanced >= JUDGE_AT_LEAST, found)


def canary() -> Iterator[tuple[Mapping[str, str], bool]]:
    """Yield {"evidence", "statement"} and whether the first supports the second."""
    for line in CANARY.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        yield entry, entry["supported"]


def _ids(hits: Sequence[Hit]) -> list[int]:
    return [hit.chunk.id for hit in hits]


def _span(hit: Hit) -> tuple[str, int, int]:
    return hit.chunk.document, hit.start, hit.end
