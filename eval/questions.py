"""A question set: a JSON line per question, with its evidence as spans of documents, which survive re-chunking.

{"id": "h1", "question": "Who...?", "answerable": true, "answers": ["Ada"], "tags": ["people"],
 "evidence": [{"document": "a.md", "start": 10, "end": 25, "quote": "founded by Ada.", "relevance": 1}]}

Only `id` and `question` are required. Spans count code points, as citations do.
"""

from __future__ import annotations

import hashlib
import json
import random
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked_dataclass

from rag.errors import InvalidInput, NotFound
from rag.store.catalog import Catalog

# Most lines of a file to report at once.
MOST_REPORTED = 20
_STRICT = ConfigDict(extra="forbid", strict=True)
_Text = Annotated[str, Field(pattern=r"\S")]  # not only white space


@checked_dataclass(frozen=True, slots=True, config=_STRICT)
class Gold:
    """A gold excerpt: a span of a document, verbatim.

    A question needs all of its excerpts, except that one marked as an alternative suffices alone.
    """

    document: _Text
    start: Annotated[int, Field(ge=0)]
    end: Annotated[int, Field(ge=1)]
    quote: _Text
    alternative: bool = False
    relevance: Annotated[int, Field(ge=1, le=10)] = 1  # grade, for nDCG


@checked_dataclass(frozen=True, slots=True, config=_STRICT)
class EvalQuestion:
    """A question with its evidence; without evidence it is unanswerable.

    Any one of several answers counts as right, unless the question is tagged `list` or `multi-document`:
    then all are needed.
    """

    id: _Text
    question: _Text
    evidence: tuple[Gold, ...] = ()
    answers: tuple[_Text, ...] = ()
    answerable: bool = True
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LabelProblem:
    """Something wrong with a question, and what to do about it."""

    question: str  # its id
    what: str
    serious: bool = True  # the set is unusable; otherwise its figures may mislead


_ADAPTER = TypeAdapter(EvalQuestion)


def read_questions(path: Path) -> list[EvalQuestion]:
    """Read a question set; raises what `read_lines` raises."""
    return list(read_lines(path).values())


def read_lines(path: Path) -> dict[int, EvalQuestion]:
    """Read a question set, by line number.

    Raises:
        InvalidInput: if the file cannot be read, contains no question, or lines are malformed (each is named).
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")  # `splitlines` splits within JSON
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} cannot be read ({error}); expected JSON Lines in UTF-8.") from error
    questions: dict[int, EvalQuestion] = {}
    wrong: list[str] = []
    seen: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            question = _ADAPTER.validate_json(line)
        except ValidationError as error:
            wrong += [f"line {number}: {what}" for what in _complaints(error)]
            continue
        if question.id in seen:
            wrong.append(f"line {number}: the id {question.id!r} is already on line {seen[question.id]}.")
        seen.setdefault(question.id, number)
        questions[number] = question
    if wrong:
        more = [f"and {len(wrong) - MOST_REPORTED} more."] if len(wrong) > MOST_REPORTED else []
        raise InvalidInput("\n".join([f"{path}:", *wrong[:MOST_REPORTED], *more]))
    if not questions:
        raise InvalidInput(f"{path} contains no question; `ibid eval generate` drafts some.")
    return questions


def write_questions(questions: Sequence[EvalQuestion]) -> str:
    """Return questions as JSON Lines."""
    return "".join(json.dumps(asdict(question), ensure_ascii=False) + "\n" for question in questions)


def drawn(questions: Sequence[EvalQuestion], count: int | None, seed: int) -> list[EvalQuestion]:
    """Return `count` questions drawn at random, the same for the same seed; all of them if there are fewer."""
    if count is None or count >= len(questions):
        return list(questions)
    return random.Random(seed).sample(list(questions), count)


def fingerprint(questions: Sequence[EvalQuestion]) -> str:
    """Fingerprint a set by its content, regardless of the order of its questions and the layout of its file."""
    ordered = sorted(questions, key=lambda question: question.id)
    return hashlib.sha256(write_questions(ordered).encode()).hexdigest()[:16]


def find_problems(questions: Sequence[EvalQuestion], catalog: Catalog, corpus: str) -> list[LabelProblem]:
    """Return dead spans, contradictions and repeated questions; `find_leaks` takes longer.

    Raises:
        NotFound: if there is no such corpus.
    """
    catalog.corpora.require(corpus)
    texts: dict[str, str | None] = {}
    problems: list[LabelProblem] = []
    asked: dict[str, str] = {}
    for question in questions:
        problems += _contradictions(question)
        for gold in question.evidence:
            if gold.document not in texts:
                texts[gold.document] = _text(catalog, corpus, gold.document)
            if dead := _dead(gold, texts[gold.document]):
                problems.append(LabelProblem(question.id, dead))
        words = plain(question.question)
        if words in asked:
            problems.append(LabelProblem(question.id, f"asks the same as {asked[words]}; drop one.", False))
        asked.setdefault(words, question.id)
    return problems


def find_leaks(questions: Sequence[EvalQuestion], catalog: Catalog, corpus: str) -> list[LabelProblem]:
    """Return the questions that occur verbatim in a document: the set itself may have been ingested.

    Raises:
        NotFound: if there is no such corpus.
    """
    wanted = {question.id: plain(question.question) for question in questions}
    found = []
    for info in catalog.documents.infos(corpus):
        text = plain(_text(catalog, corpus, info.name) or "")
        found += [
            LabelProblem(identity, f"occurs verbatim in {info.name}; was the set ingested?", False)
            for identity, words in wanted.items()
            if len(words) > 20 and words in text
        ]
    return found


def _complaints(error: ValidationError) -> Iterator[str]:
    for one in error.errors():
        place = ".".join(map(str, one["loc"]))
        given = "" if one["type"] in ("missing", "json_invalid") else f", not {one['input']!r:.60}"
        said = "expected some text" if one["type"] == "string_pattern_mismatch" else one["msg"]
        yield f"{place or 'the line'}: {said[:1].lower()}{said[1:]}{given}."


def _contradictions(question: EvalQuestion) -> Iterator[LabelProblem]:
    if question.answerable and not question.evidence:
        yield LabelProblem(
            question.id, "is answerable and has no evidence; add it, or set answerable: false."
        )
    if not question.answerable and (question.evidence or question.answers):
        yield LabelProblem(question.id, "is not answerable and has evidence or answers; remove them.")
    shown = plain(" ".join(gold.quote for gold in question.evidence))
    for answer in question.answers:
        if question.evidence and plain(answer) not in shown:
            yield LabelProblem(
                question.id, f"the answer {answer!r} is not in its evidence; widen the span.", False
            )
        if len(plain(answer)) > 3 and f" {plain(answer)} " in f" {plain(question.question)} ":
            yield LabelProblem(question.id, f"gives its answer {answer!r} away; reword the question.", False)
    for number, gold in enumerate(question.evidence):
        if any(_overlap(gold, other) for other in question.evidence[:number]):
            what = f"{gold.document}, characters {gold.start} to {gold.end}, overlaps another excerpt; join them."
            yield LabelProblem(question.id, what, False)


def _dead(gold: Gold, text: str | None) -> str | None:
    """Return why a span is not its quote, or None if it is."""
    if text is None:
        return f"{gold.document} is not in the corpus; ingest it, or fix the name."
    if gold.end <= len(text) and text[gold.start : gold.end] == gold.quote:
        return None
    place = f"{gold.document}, characters {gold.start} to {gold.end}"
    if gold.end > len(text):
        place += f" (the document has {len(text)})"
    found = text.count(gold.quote)
    if found == 1:
        start = text.index(gold.quote)
        return f"{place}: the quote has moved to {start}-{start + len(gold.quote)}; fix the span."
    if found:
        return f"{place}: the quote occurs in {found} other places; fix the span."
    return f"{place}: the quote {gold.quote[:40]!r} is no longer in the document; label it again."


def _overlap(one: Gold, other: Gold) -> bool:
    return one.document == other.document and one.start < other.end and other.start < one.end


def _text(catalog: Catalog, corpus: str, name: str) -> str | None:
    try:
        return catalog.documents.get(corpus, name).text
    except NotFound:
        return None


def plain(text: str) -> str:
    """Return a text without case, table bars and extra spaces, composed (NFC)."""
    return " ".join(unicodedata.normalize("NFC", text).casefold().replace("|", " ").split())
