"""Read a text for a question: find the words that answer it, and whether it answers at all.

Long texts are read in overlapping windows. A window's spans share one distribution, start times end. Whether the text
answers is judged separately: by how far [CLS], which means "not here", falls behind the spans, and by the network's own
logit for it.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from rag.models import foreign, pack
from rag.models.pack import PACKAGED
from rag.models.runtime import QUESTION_TOKENS, Runner, pack_runner, whole

# Tokens of question, text and the three special ones, as in training.
READER_WINDOW = 224
# Tokens that two windows share.
OVERLAP = 64
LONGEST_ANSWER = 32  # most tokens of an answer
# Penalty on a span's log-odds for each token; otherwise start and end come from two mentions of one thing.
PER_TOKEN = 0.05
SPANS = 5  # most spans kept per text
# Most windows of one text, 80,000 tokens; the rest is not read.
MOST_WINDOWS_READ = 512
# The inputs of calibration, in this order.
READER_SIGNALS = ("margin", "answerable")


@dataclass(frozen=True, slots=True)
class ScoredSpan:
    """Words of a text that may answer, in code points, with the probability that they are the answer."""

    start: int
    end: int
    score: float  # P(the text answers) times P(these words, if it does), in [0, 1]


@dataclass(frozen=True, slots=True)
class Reading:
    """A reader's result for a text: its best span, even if the text does not answer."""

    answer: str
    start: int
    end: int
    score: float  # like ScoredSpan.score
    no_answer: float  # probability that the text does not answer
    spans: tuple[ScoredSpan, ...] = ()  # the best that do not overlap, best first


NOTHING = Reading("", 0, 0, 0.0, 1.0)


class Reader(Protocol):
    """Finds answers in texts. Safe for several threads."""

    calibrated: bool  # whether `no_answer` is a fitted probability; otherwise it only ranks

    def read(self, question: str, context: str) -> Reading:
        """Return the best span of a text, in its code points; `NOTHING` if it has no words."""

    def read_all(self, question: str, contexts: Sequence[str]) -> list[Reading]:
        """Read several texts for one question, in order."""


def load_reader(name: str = PACKAGED, *, threads: int = 0) -> Reader:
    """Load the packaged reader, or a question-answering model of transformers by path or hub name.

    Raises:
        ModelError: if it cannot be loaded; the message says what to do.
    """
    if name != PACKAGED:
        return TransformersReader(name, threads=threads)
    fitted = pack.calibration("reader", (*READER_SIGNALS, "bias"))
    return PackReader(pack_runner("reader", threads=threads), fitted)


class PackReader:
    """The packaged reader on ONNX Runtime.

    Args:
        calibration: gives the log-odds of "here" for a window: a weight for each of READER_SIGNALS and a `bias`;
            without it, both weigh half.
    """

    calibrated = True

    def __init__(self, runner: Runner, calibration: Mapping[str, float] | None = None) -> None:
        self._runner = runner
        self._calibration = dict(calibration or dict.fromkeys(READER_SIGNALS, 0.5))

    def read(self, question: str, context: str) -> Reading:
        return self.read_all(question, [context])[0]

    def read_all(self, question: str, contexts: Sequence[str]) -> list[Reading]:
        return [
            _reading(context, *found)
            for context, found in zip(contexts, self._read(question, contexts), strict=True)
        ]

    def signals(self, question: str, contexts: Sequence[str]) -> np.ndarray:
        """Return the READER_SIGNALS of each text's likeliest window, 0 without words: (n_contexts, 2) float64."""
        found = [windows for _, windows in self._read(question, contexts)]
        best = [max(windows, key=lambda window: window.here, default=None) for windows in found]
        signals = [window.signals if window else (0.0, 0.0) for window in best]
        return np.array(signals, np.float64).reshape(-1, len(READER_SIGNALS))

    def _read(self, question: str, contexts: Sequence[str]) -> list[tuple[Any, list[_Found]]]:
        """Return for each text the offsets of its tokens and the results of its windows."""
        asked, *texts = self._runner.tokenise([question, *contexts])
        first = asked.ids[-QUESTION_TOKENS:]
        room = READER_WINDOW - 3 - len(first)
        windows = [
            (number, begin, text.ids[begin : begin + room])
            for number, text in enumerate(texts)
            for begin in _begins(len(text.ids), room)
        ]
        outputs = self._runner.each(lambda window: self._runner.run(first, window[2]), windows)
        found: list[list[_Found]] = [[] for _ in contexts]
        shift = len(first) + 2
        for (number, begin, ids), (start, end, answerable) in zip(windows, outputs, strict=True):
            inside = slice(shift, shift + len(ids))
            null = float(start[0, 0] + end[0, 0])
            spans, margin = _spans(start[0, inside], end[0, inside], null, begin)
            signals = (margin, float(answerable[0]))
            weighed = (
                self._calibration.get(n, 0.0) * s for n, s in zip(READER_SIGNALS, signals, strict=True)
            )
            here = _probability(sum(weighed) + self._calibration.get("bias", 0.0))
            found[number].append(_Found(spans, here, signals))
        return [(text.offsets, windows) for text, windows in zip(texts, found, strict=True)]


class TransformersReader:
    """Any question-answering model of transformers, by local path or hub name, through torch.

    Args:
        threads: torch's threads in the whole process; 0 leaves them unchanged.
    """

    calibrated = False

    def __init__(self, name: str, *, threads: int = 0) -> None:
        from transformers import AutoConfig, AutoModelForQuestionAnswering, AutoTokenizer

        self._lock = threading.Lock()  # a fast tokenizer rejects concurrent calls: "Already borrowed"
        expected = "a folder or hub name of a question-answering model"
        with foreign.loading("reader", name, expected, threads=threads):
            foreign.expect_architecture(AutoConfig.from_pretrained(name), "ForQuestionAnswering", name)
            self._tokenizer = AutoTokenizer.from_pretrained(name)
            self._model = foreign.whole_model(AutoModelForQuestionAnswering, name)

    def read_all(self, question: str, contexts: Sequence[str]) -> list[Reading]:
        return [self.read(question, context) for context in contexts]

    def read(self, question: str, context: str) -> Reading:
        if not context.strip():
            return NOTHING
        with self._lock:
            windows = self._tokenise(whole(question), whole(context))
            count = min(MOST_WINDOWS_READ, len(windows["input_ids"]))
            outputs = [self._run(windows, number) for number in range(count)]
        offsets: list[tuple[int, int]] = []
        found = []
        for number, (start, end) in enumerate(outputs):
            rows = [i for i, s in enumerate(windows.sequence_ids(number)) if s == 1]
            if rows:
                inside = slice(rows[0], rows[-1] + 1)
                null = float(start[0] + end[0])
                spans, margin = _spans(start[inside], end[inside], null, len(offsets))
                found.append(_Found(spans, _probability(margin), (margin, 0.0)))
                offsets += [tuple(windows["offset_mapping"][number][i]) for i in rows]
        return _reading(context, offsets, found)

    def _tokenise(self, question: str, context: str) -> Any:
        longest = min(512, int(getattr(self._model.config, "max_position_embeddings", 512)))
        most = min(QUESTION_TOKENS, longest // 2)
        asked = self._tokenizer(question, add_special_tokens=False)["input_ids"][-most:]
        return self._tokenizer(
            self._tokenizer.decode(asked),
            context,
            truncation="only_second",
            max_length=longest,
            stride=min(OVERLAP, longest // 8),
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
        )

    def _run(self, windows: Any, number: int) -> tuple[np.ndarray, np.ndarray]:
        import torch

        given = {
            name: torch.tensor([windows[name][number]])
            for name in ("input_ids", "attention_mask", "token_type_ids")
            if name in windows
        }
        with torch.inference_mode():
            output = self._model(**given)
        return output.start_logits[0].float().numpy(), output.end_logits[0].float().numpy()


@dataclass(frozen=True, slots=True)
class _Found:
    """The result of one window: spans as (first token, last token, P(span if here)), P(here) and its READER_SIGNALS."""

    spans: list[tuple[int, int, float]]
    here: float
    signals: tuple[float, float]


def _begins(tokens: int, room: int) -> list[int]:
    """Return where windows of `room` tokens begin: neighbours share OVERLAP, and the last ends with the text."""
    if not tokens:
        return []
    step = max(1, room - OVERLAP)
    return list(range(0, max(1, tokens - OVERLAP), step)[:MOST_WINDOWS_READ])


def _spans(
    start: np.ndarray, end: np.ndarray, null: float, begin: int
) -> tuple[list[tuple[int, int, float]], float]:
    """Rank the spans of a window; also return the log-odds of any span against [CLS].

    Args:
        start, end: logits of the window's tokens (n_tokens,).
        null: the sum of both logits at [CLS].
        begin: index in the text of the window's first token.
    """
    sums = start[:, None] + end[None, :]  # (n_tokens, n_tokens)
    distance = np.arange(len(end))[None, :] - np.arange(len(start))[:, None]
    sums = np.where((distance >= 0) & (distance < LONGEST_ANSWER), sums, -np.inf)
    best = float(sums.max())
    margin = best + float(np.log(np.exp(sums - best).sum())) - null
    spread = np.exp(sums - PER_TOKEN * distance - best)
    total = float(spread.sum())
    many = min(4 * SPANS, spread.size)
    likely = np.argpartition(-spread, many - 1, axis=None)[:many]
    firsts, lasts = np.unravel_index(likely, sums.shape)
    spans = [
        (begin + int(f), begin + int(last), float(spread[f, last]) / total)
        for f, last in zip(firsts, lasts, strict=True)
        if spread[f, last] > 0
    ]
    return spans, margin


def _probability(logit: float) -> float:
    return 1 / (1 + float(np.exp(-np.clip(logit, -30, 30))))


def _reading(context: str, offsets: Sequence[tuple[int, int]], windows: Sequence[_Found]) -> Reading:
    scored = sorted(
        ((first, last, share * window.here) for window in windows for first, last, share in window.spans),
        key=lambda span: -span[2],
    )
    spans: list[ScoredSpan] = []
    for first, last, score in scored:
        start, end = _stripped(context, offsets[first][0], offsets[last][1])
        if start < end and not any(start < other.end and other.start < end for other in spans):
            spans.append(ScoredSpan(start, end, score))
        if len(spans) == SPANS:
            break
    if not spans:
        return NOTHING
    best = spans[0]
    no_answer = 1 - max(window.here for window in windows)
    return Reading(context[best.start : best.end], best.start, best.end, best.score, no_answer, tuple(spans))


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
    """Strip white space from a span: some tokenizers' tokens include the space before a word."""
    found = text[start:end]
    return start + len(found) - len(found.lstrip()), end - len(found) + len(found.rstrip())
