"""Ask every question of a set through the question path and keep the outcomes: a run, saved as JSON.

`ibid eval compare` and `ibid eval gate` compare runs of the same questions.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from eval.checks import Check, ask_or_report, check_answers, check_canaries, check_numbers, error_of
from eval.measures import Values, answer_values, retrieval_values
from eval.questions import EvalQuestion, Gold, fingerprint
from eval.trial import Subject, commit, processor
from rag.errors import InvalidInput, NotFound
from rag.models import pack, trunk
from rag.models.judge import Judge
from rag.recipe import AUTO, TRUNK
from rag.settings import Settings, secrets
from rag.types import Answer, Hit

if TYPE_CHECKING:
    from eval.faithfulness import Scorer  # it imports RAGAS, which takes seconds

# Raise it when values change their meaning: runs of two formats are not compared.
RUN_FORMAT = 1
# Characters of a retrieved text that a run keeps.
SHOWN_CHARS = 400


@dataclass(frozen=True, slots=True)
class ContextHit:
    """A hit of the context, as a report shows it."""

    document: str
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class QuestionOutcome:
    """The outcome of one question."""

    id: str
    fingerprint: str  # of the question and its labels
    question: str
    answerable: bool
    tags: tuple[str, ...]
    gold: tuple[Gold, ...]
    expected: tuple[str, ...]
    answer: str
    answered: bool
    reason: str  # of a refusal, or the error in which the question ended
    confidence: float
    context: tuple[ContextHit, ...]
    values: dict[str, float | None]  # None if a measure gave no number
    timings_ms: dict[str, float]
    tokens: dict[str, int]


@dataclass(frozen=True, slots=True)
class Run:
    """A set of questions asked of a corpus by one configuration."""

    format: int
    name: str  # of the question set
    set: str  # its fingerprint
    sampled: bool  # whether only some of its questions were asked
    corpus: str
    commit: str
    date: str
    settings: dict[str, Any]  # those that differ from the defaults
    pack: str  # fingerprint of trunk and adapters
    judge: str  # who answered RAGAS; "" for none
    machine: dict[str, Any]
    size: dict[str, float]  # documents, chunks, disk, memory, throughput
    outcomes: tuple[QuestionOutcome, ...]
    checks: tuple[Check, ...]


_ADAPTER = TypeAdapter(Run)


def evaluate(
    subject: Subject,
    name: str,
    questions: Sequence[EvalQuestion],
    *,
    judge: Judge | None = None,
    scorer: Scorer | None = None,
    sampled: bool = False,
    advance: Callable[[], None] = lambda: None,
) -> Run:
    """Ask the questions, measure every answer, and run the checks that hold for any questions.

    Args:
        name: name of the set.
        judge: must detect the canary's planted falsehoods; the scorer does if there is one. Without either, that
            check is left out.
        scorer: RAGAS's measures; without it they are left out.
        sampled: whether the questions are only part of the set.
        advance: called when a question is done.

    Raises:
        NotFound: if there is no such corpus, or it is empty.
    """
    size, version = _size(subject), commit()
    answers = ask(subject, questions, advance)
    judged: list[Values] = scorer.score(questions, answers) if scorer else [{} for _ in questions]
    measured = zip(questions, answers, measure(questions, answers), judged, strict=True)
    outcomes = [_outcome(question, answer, values | more) for question, answer, values, more in measured]
    checks = [*check_answers(questions, answers, subject), *check_canaries(subject, scorer or judge)]
    if scorer:
        checks.append(check_numbers(judged, scorer.failure))
    spent = sum(answer.trace.timings_ms.get("total", 0.0) for answer in answers) / 1000
    size["questions a second, one after the other"] = round(len(answers) / max(spent, 1e-9), 2)
    size["peak memory, MB"] = _peak_mb()
    return Run(
        RUN_FORMAT,
        name,
        fingerprint(questions),
        sampled,
        subject.corpus,
        version,
        time.strftime("%Y-%m-%d %H:%M"),
        changed_settings(in_force(subject)),
        pack_fingerprint(),
        scorer.name if scorer else "",
        {"cores": os.cpu_count(), "processor": processor()},
        size,
        tuple(outcomes),
        tuple(checks),
    )


def ask(
    subject: Subject, questions: Sequence[EvalQuestion], advance: Callable[[], None] = lambda: None
) -> list[Answer]:
    """Answer the questions, one after the other."""
    # Models that load on first use do not count toward a question's time.
    ask_or_report(subject.pipeline, subject.corpus, "warm up")
    answers = []
    for question in questions:
        answers.append(ask_or_report(subject.pipeline, subject.corpus, question.question))
        advance()
    return answers


def measure(questions: Sequence[EvalQuestion], answers: Sequence[Answer]) -> list[Values]:
    """Return every value of each answer that can be computed without a model."""
    values = retrieval_values(questions, [answer.trace.rankings for answer in answers])
    for question, answer, found in zip(questions, answers, values, strict=True):
        found |= answer_values(question, answer)
        if error_of(answer):
            found.pop("refused", None)  # an error is not an honest refusal
    return values


def set_name(path: Path) -> str:
    """Name a question set after its file, or its folder if the file is just called `questions`."""
    return path.resolve().parent.name if path.stem == "questions" else path.stem


def save_run(run: Run, path: Path) -> None:
    """Write a run as JSON; a value that is not a number becomes null."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(run), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def read_run(path: Path) -> Run:
    """Read a saved run.

    Raises:
        InvalidInput: if it cannot be read, is not a run, or has another format.
    """
    try:
        text = path.read_text(encoding="utf-8")
        version = json.loads(text).get("format")
    except (OSError, ValueError, AttributeError) as error:
        raise InvalidInput(f"{path} is not a run of `ibid eval run` ({error}).") from error
    if version != RUN_FORMAT:
        raise InvalidInput(
            f"{path} has format {version}, and this Ibid writes {RUN_FORMAT}; make it again with `ibid eval run`."
        )
    try:
        return _ADAPTER.validate_json(text)
    except ValidationError as error:
        place = ".".join(map(str, error.errors()[0]["loc"]))
        raise InvalidInput(f"{path} is damaged at {place}; make it again with `ibid eval run`.") from error


def means(run: Run) -> dict[str, float]:
    """Return the mean of every value over the questions that have it, in the order of known stages first."""
    names = list(dict.fromkeys(name for outcome in run.outcomes for name in outcome.values))
    return {name: float(np.mean(found)) for name in names if (found := numbers(run, name))}


def numbers(run: Run, name: str) -> list[float]:
    """Return a measure's values over the questions that have one."""
    return [v for outcome in run.outcomes if (v := outcome.values.get(name)) is not None]


def overall(run: Run) -> dict[str, float]:
    """Return the measures of a whole run: precision and recall of refusals, and calibration of confidence.

    The calibration error is the mean distance between confidence and share right over ten bins of confidence,
    weighted by their sizes (Naeini, Cooper and Hauskrecht, AAAI 2015), over every answer given.
    """
    refused = [o for o in run.outcomes if not o.answered and (o.answerable or "refused" in o.values)]
    unanswerable = [outcome for outcome in run.outcomes if not outcome.answerable]
    rightly = sum(not outcome.answerable for outcome in refused)
    found: dict[str, float] = {}
    if refused:
        found["refusal precision"] = rightly / len(refused)
    if unanswerable:
        found["refusal recall"] = rightly / len(unanswerable)
    if judged := confidence_and_truth(run):
        said, right = np.array(judged).T
        bins = np.minimum((said * 10).astype(int), 9)
        gaps = [abs(said[bins == b].sum() - right[bins == b].sum()) for b in np.unique(bins)]
        found["calibration error"] = float(sum(gaps) / len(said))
    return found


def confidence_and_truth(run: Run) -> list[tuple[float, float]]:
    """Return the confidence of each answer given, and whether it is right.

    An answer is right if it contains the expected words or, if there are none, cites the gold evidence. No answer to an
    unanswerable question is right.
    """
    return [
        (outcome.confidence, outcome.values.get("right", outcome.values.get("gold cited")) or 0.0)
        for outcome in run.outcomes
        if outcome.answered
    ]


def interval(values: Sequence[float], *, rounds: int = 2_000, level: float = 0.95) -> tuple[float, float]:
    """Return a percentile bootstrap interval of the mean, seeded."""
    found = np.asarray(values, np.float64)
    rng = np.random.default_rng(3)
    resampled = [found[rng.integers(0, len(found), len(found))].mean() for _ in range(rounds)]
    low, high = np.quantile(resampled, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def in_force(subject: Subject) -> Settings:
    """Return the settings, with those in force in the corpus, which keeps its own recipe."""
    recipe = subject.pipeline.index(subject.corpus).generation.recipe
    asked = subject.settings.corpus.embedder
    usual = asked == AUTO and recipe.model == TRUNK  # no setting differs from its default
    return subject.settings.with_changes(
        embedder=asked if usual or not recipe.model else recipe.model,
        chunker=recipe.chunker,
        chunk_tokens=recipe.chunk_tokens,
    )


def changed_settings(settings: Settings) -> dict[str, Any]:
    """Return the settings that differ from the defaults, except the data folder."""
    defaults, apart = Settings().flat(), {"home", *secrets()}
    return {
        name: str(value)
        for name, value in settings.flat().items()
        if value != defaults[name] and name not in apart
    }


def pack_fingerprint() -> str:
    """Fingerprint the trunk and the adapters in use."""
    parts = [trunk.trunk_fingerprint(), *(pack.described(job)["sha256"] for job in pack.shipped())]
    return hashlib.sha256("".join(parts).encode()).hexdigest()[:16]


def _outcome(question: EvalQuestion, answer: Answer, values: Values) -> QuestionOutcome:
    ledger = answer.ledger
    return QuestionOutcome(
        question.id,
        fingerprint([question]),
        question.question,
        question.answerable,
        question.tags,
        question.evidence,
        question.answers,
        answer.text,
        answer.answerable,
        answer.reason,
        answer.confidence,
        tuple(_shown(hit) for hit in answer.trace.rankings.get("context", ())),
        {name: None if math.isnan(value) else value for name, value in values.items()},
        {stage: round(taken, 2) for stage, taken in answer.trace.timings_ms.items()},
        {
            part: getattr(ledger, part)
            for part in ("budget", "system", "tools", "memory", "evidence", "question")
        },
    )


def _shown(hit: Hit) -> ContextHit:
    return ContextHit(hit.chunk.document, hit.start, hit.end, hit.text[:SHOWN_CHARS])


def _size(subject: Subject) -> dict[str, float]:
    chunks = len(subject.pipeline.index(subject.corpus))
    if not chunks:
        raise NotFound(
            f"The corpus {subject.corpus!r} is empty; ingest its documents before it is evaluated."
        )
    files = sum(path.stat().st_size for path in subject.catalog.home.rglob("*") if path.is_file())
    return {
        "documents": subject.catalog.documents.count(subject.corpus),
        "chunks": chunks,
        "data folder, MB": round(files / 1e6, 1),
    }


def _peak_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return round(peak / 1e6, 1)
