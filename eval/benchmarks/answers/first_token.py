"""When a model begins to write, and when its answer is shown: how much of a question's time is Ibid's own.

The models take almost no time: a random network of two small layers, and a server that answers at once. "First token"
    is the model's first, unchecked; a user sees the checked answer, at the total.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.benchmarks.answers.talker import talking
from eval.benchmarks.answers.tiny_causal import tiny_causal
from eval.datasets import HANDBOOK, handbook
from eval.metrics import percentile
from eval.trial import CORPUS, Trial, file_sources, reconfigured, trial
from ingest.load import load
from rag.answer.causal import CausalModel
from rag.answer.generator import Generator, OnPart, ignored
from rag.answer.prompts import SYSTEM
from rag.pipeline import Pipeline
from rag.settings import Settings
from rag.stages import ModelSet
from rag.types import Context, Draft

QUESTIONS = 50
# Tokens that the random network writes; it does not stop by itself.
WRITTEN_TOKENS = 32


@dataclass(frozen=True, slots=True)
class Written:
    """The timing of a draft, in seconds of one clock; first and last text are None if there is none."""

    context: Context
    began: float
    first: float | None
    last: float | None
    ended: float


class WatchedGenerator:
    """A generator that records when another one begins, writes and ends."""

    def __init__(self, generator: Generator) -> None:
        self._generator = generator
        self.writes = generator.writes
        self.written: list[Written] = []

    def count_tokens(self, text: str) -> int:
        return self._generator.count_tokens(text)

    def generate(self, context: Context, on_part: OnPart = ignored) -> Draft:
        parts: list[float] = []

        def note(part: str) -> None:
            if part:
                parts.append(time.perf_counter())
            on_part(part)

        began = time.perf_counter()
        draft = self._generator.generate(context, note)
        first, last = (parts[0], parts[-1]) if parts else (None, None)
        self.written.append(Written(context, began, first, last, time.perf_counter()))
        return draft


def measure() -> dict[str, Any]:
    """Ask about fifty answerable questions of the handbook with each generator; return median times."""
    sources = file_sources([HANDBOOK / "documents"])
    questions = [question.question for question in handbook() if question.answerable][:QUESTIONS]
    texts = [load(source.read(), source.name).text for source in sources]
    with trial(sources, {}) as made, tempfile.TemporaryDirectory() as folder, talking() as url:
        model = str(tiny_causal(Path(folder), " ".join([SYSTEM, *questions, *texts])))
        server = {"generator": "openai", "generator_url": url, "generator_model": "talker"}
        ways: Mapping[str, Mapping[str, Any]] = {
            "extractive": {},
            "causal, random weights": {"generator": model, "generator_tokens": WRITTEN_TOKENS},
            "openai, a server that answers at once": server,
        }
        figures, contexts = {}, list[Context]()
        for name, settings in ways.items():
            figures[name], contexts = timed(made, settings, questions)
        return {
            "questions": len(questions),
            "generators": figures,
            "system message": prefix_times(CausalModel(model, most_tokens=1), contexts),
        }


def timed(
    made: Trial, settings: Mapping[str, Any], questions: Sequence[str]
) -> tuple[dict[str, Any], list[Context]]:
    """Return the median milliseconds of each part of a question's path, and the contexts of the answers."""
    configured = Settings(home=made.catalog.home, **settings)
    watched = WatchedGenerator(reconfigured(made, settings).models.generator)
    pipeline = Pipeline(
        configured, made.catalog, ModelSet(configured, made.pipeline.models.embedder, watched)
    )
    pipeline.ask(CORPUS, questions[0])  # models that load on first use do not count
    watched.written.clear()
    spans = []
    for question in questions:
        began = time.perf_counter()
        pipeline.ask(CORPUS, question)
        spans.append((began, time.perf_counter()))
    parts = [parted(*span, one) for span, one in zip(spans, watched.written, strict=True)]
    names = dict.fromkeys(name for part in parts for name in part)
    medians = {
        name: round(percentile([part[name] for part in parts if name in part], 0.5), 2) for name in names
    }
    return medians, [one.context for one in watched.written]


def parted(began: float, ended: float, written: Written) -> dict[str, float]:
    """Return the milliseconds of each part of a question's path; without a model's text, only ours and the total."""
    marks = {"ours before the model, ms": (began, written.began)}
    if written.first is not None and written.last is not None:
        marks |= {
            "first token since the question, ms": (began, written.first),
            "the model's first token, ms": (written.began, written.first),
            "its writing, ms": (written.first, written.last),
            "ours after, ms": (written.last, ended),
        }
    else:
        marks["the answer and its check, ms"] = (written.began, ended)
    marks["total, ms"] = (began, ended)
    return {name: 1000 * (end - start) for name, (start, end) in marks.items()}


def prefix_times(model: CausalModel, contexts: Sequence[Context]) -> dict[str, float]:
    """Return median milliseconds to a first token, with a new system message and with one seen before.

    Each prompt is asked both ways in succession.
    """
    new, known = list[float](), list[float]()
    for number, context in enumerate(contexts):
        prompt = context.prompt.split("\n", 1)[1]
        system = f"{number} {SYSTEM}"  # differs from the first token on
        for times in (new, known):
            times.append(_seconds(model, system, prompt))
    return {
        "computed, ms": round(1000 * percentile(new, 0.5), 2),
        "reused, ms": round(1000 * percentile(known, 0.5), 2),
    }


def _seconds(model: CausalModel, system: str, prompt: str) -> float:
    began = time.perf_counter()
    model.complete(system, prompt, ignored)
    return time.perf_counter() - began
