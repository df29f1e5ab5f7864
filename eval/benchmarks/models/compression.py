"""What compression costs: are the answers still there, and does the reader still find them?"""

from __future__ import annotations

import math
import random
import re
import statistics
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, Protocol

from eval.metrics import percentile
from eval.reading import Entry, SpanReader, answer_f1, gold_answers, read_all
from rag.models.runtime import cores, trunk_tokenizer
from rag.text.sentences import Span
from rag.text.words import question_terms, text_terms

RATES = {"2x": 0.5, "3x": 1 / 3}
EVIDENCE_TOKENS = 2000  # of the measurement of speed
Keeping = Callable[[str, float, str], Sequence[Span]]  # (text, rate, question) -> the ranges kept, in order
_WORD = re.compile(r"\S+")


class KeptText(Protocol):
    """A compressed text."""

    @property
    def kept(self) -> Sequence[Span]:
        """The kept ranges of the text, in order."""


class TextCompressor(Protocol):
    """A compressor, as `rag.models.compress.load_compressor` returns it."""

    def compress(self, text: str, rate: float, *, question: str = "") -> KeptText:
        """Keep about the share `rate` of the characters."""


def ways(compressor: TextCompressor, entries: Sequence[Entry]) -> dict[str, Keeping]:
    """Return the compressor, without and with the question, and the baselines, which use the idf of the entries."""
    rarity = idf([entry["context"] for entry in entries])
    return {
        "pack": lambda text, rate, _: compressor.compress(text, rate).kept,
        "pack, with the question": lambda text, rate, asked: (
            compressor.compress(text, rate, question=asked).kept
        ),
        "random words": lambda text, rate, _: keep_words(text, rate, _random(text)),
        "stop words dropped first": lambda text, rate, _: keep_words(text, rate, _stop_words_last(text)),
        "idf": lambda text, rate, _: keep_words(text, rate, [rarity(word) for word in _words(text)]),
    }


def answers_present(keeping: Mapping[str, Keeping], sets: Mapping[str, Sequence[Entry]]) -> dict[str, Any]:
    """Return, for each rate, the percentage of answers still present in each way, and of characters kept.

    Args:
        sets: answerable questions of each reading set; figures are means over the sets.
    """
    figures: dict[str, Any] = {}
    for name, rate in RATES.items():
        rows = {
            way: {part: _present(keep, sets[part], rate) for part in sets} for way, keep in keeping.items()
        }
        figures[name] = {
            way: {
                "answers, %": round(100 * statistics.mean(held for held, _ in row.values()), 2),
                "characters, %": round(100 * statistics.mean(share for _, share in row.values()), 2),
                "by set": {part: round(100 * held, 2) for part, (held, _) in row.items()},
            }
            for way, row in rows.items()
        }
    return figures


def reader_f1(reader: SpanReader, keeping: Mapping[str, Keeping], entries: Sequence[Entry]) -> dict[str, Any]:
    """Return the F1 of the reader's best span on the whole contexts and on each way's kept text."""
    figures: dict[str, Any] = {"1x": _f1(reader, entries, [entry["context"] for entry in entries])}
    for name, rate in RATES.items():
        figures[name] = {
            way: _f1(
                reader, entries, [_joined(e["context"], kept) for e, kept in zip(entries, each, strict=True)]
            )
            for way, each in ((way, _keep_all(keep, entries, rate)) for way, keep in keeping.items())
        }
    return figures


def speed(compressor: TextCompressor, entries: Sequence[Entry], rounds: int = 10) -> dict[str, float]:
    """Time 2,000 tokens of evidence at 2x, with the question."""
    text = "\n\n".join(dict.fromkeys(entry["context"] for entry in entries))
    offsets = trunk_tokenizer().encode(text, add_special_tokens=False).offsets[:EVIDENCE_TOKENS]
    evidence = text[: offsets[-1][1]]
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        compressor.compress(evidence, RATES["2x"], question=entries[0]["question"])
        taken.append(1000 * (time.perf_counter() - began))
    return {"tokens": len(offsets), "ms, p50": round(percentile(taken, 0.5), 1)}


def holds(text: str, kept: Sequence[Span], start: int, end: int) -> bool:
    """Return whether every character of text[start:end], except spaces, lies in a kept range."""
    inside = {place for low, high in kept for place in range(max(low, start), min(high, end))}
    return all(place in inside or text[place].isspace() for place in range(start, end))


def keep_words(text: str, rate: float, worth: Sequence[float]) -> list[Span]:
    """Keep the words of highest weight until the share `rate` of the text's characters is used; ties by position."""
    spans = [match.span() for match in _WORD.finditer(text)]
    room, kept = rate * len(text) + 1, []
    for place in sorted(range(len(spans)), key=lambda i: -worth[i]):
        length = spans[place][1] - spans[place][0] + 1  # plus the space before the next
        if length <= room:
            room -= length
            kept.append(spans[place])
    return sorted(kept)


def idf(texts: Sequence[str]) -> Callable[[str], float]:
    """Return a function that gives a word's rarity among some texts: that of its rarest term, 0 without terms."""
    distinct = list(dict.fromkeys(texts))
    counts = Counter(term for text in distinct for term in set(text_terms(text)))

    @cache
    def rarity(word: str) -> float:
        return max((math.log((1 + len(distinct)) / (1 + counts[t])) for t in text_terms(word)), default=0.0)

    return rarity


def _random(text: str) -> list[float]:
    rng = random.Random(text)
    return [rng.random() for _ in _words(text)]


def _stop_words_last(text: str) -> list[float]:
    telling = set(question_terms(text))  # without stop words
    words = _words(text)
    return [
        chance + (not telling.isdisjoint(text_terms(word)))
        for word, chance in zip(words, _random(text), strict=True)
    ]


def _words(text: str) -> list[str]:
    return _WORD.findall(text)


def _present(keep: Keeping, entries: Sequence[Entry], rate: float) -> tuple[float, float]:
    """Return the share of questions with an answer still present, and the mean share of characters kept."""
    every = _keep_all(keep, entries, rate)
    held = [
        any(holds(e["context"], kept, a["start"], a["start"] + len(a["text"])) for a in e["answers"])
        for e, kept in zip(entries, every, strict=True)
    ]
    shares = [
        len(_joined(e["context"], kept)) / len(e["context"]) for e, kept in zip(entries, every, strict=True)
    ]
    return statistics.mean(held), statistics.mean(shares)


def _keep_all(keep: Keeping, entries: Sequence[Entry], rate: float) -> list[Sequence[Span]]:
    with ThreadPoolExecutor(cores()) as pool:
        return list(pool.map(lambda e: keep(e["context"], rate, e["question"]), entries))


def _joined(text: str, kept: Sequence[Span]) -> str:
    return " ".join(text[start:end] for start, end in kept)


def _f1(reader: SpanReader, entries: Sequence[Entry], contexts: Sequence[str]) -> float:
    readings = read_all(reader, [(e["question"], text) for e, text in zip(entries, contexts, strict=True)])
    scores = [answer_f1(r.answer, gold_answers(e)) for r, e in zip(readings, entries, strict=True)]
    return round(100 * statistics.mean(scores), 2)
