"""How well a reader finds answers: SQuAD 2.0's measures, and the time per passage."""

from __future__ import annotations

import re
import statistics
import string
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import takewhile
from typing import Any, Protocol

from eval.metrics import percentile
from rag.answer.generator import LABEL
from rag.models.runtime import cores
from rag.types import Answer, Citation

_ARTICLE = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
# A short answer is right from this F1 against a gold answer on.
RIGHT_FROM = 0.5
Entry = Mapping[str, Any]


class BestSpan(Protocol):
    """A reader's result: its best span, and the probability that the answer is not here."""

    @property
    def answer(self) -> str:
        """The best span, verbatim."""

    @property
    def no_answer(self) -> float:
        """The probability that the context does not answer."""


class SpanReader(Protocol):
    """A reader, as `rag.models.reader.load_reader` returns it."""

    def read(self, question: str, context: str) -> BestSpan:
        """Find the best span, even if there is probably no answer."""


def with_no_answer(reader: SpanReader, entries: Sequence[Entry]) -> dict[str, float]:
    """Return F1 and EM with no answer counted, and F1 of the best span alone over the answerable ones.

    An empty answer is predicted if no_answer is at least 0.5; it is right if there is no answer.
    """
    readings = read_all(reader, [(entry["question"], entry["context"]) for entry in entries])
    said = ["" if reading.no_answer >= 0.5 else reading.answer for reading in readings]
    golds = [gold_answers(entry) for entry in entries]
    spans = [
        answer_f1(reading.answer, gold)
        for entry, reading, gold in zip(entries, readings, golds, strict=True)
        if entry["answerable"]
    ]
    told_apart = [bool(one) == entry["answerable"] for entry, one in zip(entries, said, strict=True)]
    return {
        "questions": len(entries),
        "F1": _per_cent(answer_f1(one, gold) for one, gold in zip(said, golds, strict=True)),
        "EM": _per_cent(exact_match(one, gold) for one, gold in zip(said, golds, strict=True)),
        "F1 of the span alone": _per_cent(spans),
        "answerable or not, accuracy": _per_cent(told_apart),
    }


def spans_alone(reader: SpanReader, entries: Sequence[Entry]) -> dict[str, float]:
    """Return F1 and EM of the best span over questions with their gold passage."""
    readings = read_all(reader, [(entry["question"], entry["context"]) for entry in entries])
    pairs = [(reading.answer, gold_answers(e)) for reading, e in zip(readings, entries, strict=True)]
    return {
        "questions": len(entries),
        "F1": _per_cent(answer_f1(*pair) for pair in pairs),
        "EM": _per_cent(exact_match(*pair) for pair in pairs),
    }


def speed(reader: SpanReader, entries: Sequence[Entry]) -> dict[str, float]:
    """Return the time per passage, read one after the other."""
    taken = []
    for entry in entries:
        began = time.perf_counter()
        reader.read(entry["question"], entry["context"])
        taken.append(1000 * (time.perf_counter() - began))
    return {"ms, p50": round(percentile(taken, 0.5), 2), "ms, p95": round(percentile(taken, 0.95), 2)}


def read_all(reader: SpanReader, pairs: Sequence[tuple[str, str]]) -> list[BestSpan]:
    """Read each (question, context), several at once, in order."""
    with ThreadPoolExecutor(cores()) as pool:
        return list(pool.map(lambda pair: reader.read(*pair), pairs))


def fitted_on(entries: Sequence[Entry]) -> list[Entry]:
    """Return the questions of every other article, on which the reader's and the answer's calibration is fitted."""
    articles = sorted({entry["group"] for entry in entries})[::2]
    return [entry for entry in entries if entry["group"] in articles]


def short_answers(answers: Sequence[Answer], golds: Sequence[Sequence[str]]) -> dict[str, float]:
    """Return how many answers begin with a short one, and the share of those that are right: F1 of at least 0.5.

    Without a gold answer, none is right. Of several short ones, the first counts.
    """
    given = [(short, gold) for answer, gold in zip(answers, golds, strict=True) if (short := lead(answer))]
    right = sum(any(gold) and answer_f1(short, gold) >= RIGHT_FROM for short, gold in given)
    return {"given": len(given), "right": round(right / max(1, len(given)), 4)}


def lead(answer: Answer) -> str:
    """Return the words that lead an answer: a quote that is part of a later citation's quote."""
    for first in answer.citations[:1]:
        for other in answer.citations[1:]:
            inside = other.start <= first.start and first.end <= other.end
            if other.document == first.document and inside and len(first.quote) < len(other.quote):
                return first.quote
    return ""


def leading_text(answer: Answer) -> str:
    """Return how an answer begins: its short answers, or else what its first citation covers, labels left out.

    A word before the first citation, such as "Yes", belongs to it. Without citations it is the first line.
    """
    cited = sorted(answer.citations, key=lambda one: (one.answer_start, one.answer_end))
    short = list(takewhile(lambda one: _is_within_another(one, cited), cited))
    end = max((one.answer_end for one in short or cited[:1]), default=0)
    return LABEL.sub("", answer.text[:end] if end else answer.text.split("\n", 1)[0]).strip()


def _is_within_another(one: Citation, cited: Sequence[Citation]) -> bool:
    return any(
        other.document == one.document
        and other.start <= one.start
        and one.end <= other.end
        and len(one.quote) < len(other.quote)
        for other in cited
    )


def gold_answers(entry: Entry) -> list[str]:
    """Return the accepted answers; an unanswerable question has the empty one."""
    return [answer["text"] for answer in entry["answers"]] if entry["answerable"] else [""]


def answer_f1(said: str, golds: Sequence[str]) -> float:
    """Return the best F1 of the words shared with a gold answer, as SQuAD 2.0's script computes it."""
    return max(_f1(normalise_answer(said).split(), normalise_answer(gold).split()) for gold in golds)


def exact_match(said: str, golds: Sequence[str]) -> float:
    """Return 1 if a gold answer is the same except for case, punctuation, articles and spaces, else 0."""
    return float(normalise_answer(said) in map(normalise_answer, golds))


def normalise_answer(text: str) -> str:
    """Lower-case and drop punctuation, articles and extra spaces, as SQuAD's script does."""
    return " ".join(_ARTICLE.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def _f1(said: Sequence[str], gold: Sequence[str]) -> float:
    if not said or not gold:
        return float(list(said) == list(gold))
    shared = (Counter(said) & Counter(gold)).total()
    return 2 * shared / (len(said) + len(gold))


def _per_cent(values: Any) -> float:
    return round(100 * statistics.mean(map(float, values)), 2)
