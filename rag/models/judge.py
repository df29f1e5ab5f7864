"""Judge whether evidence supports a statement, as a probability. Evidence and statement may be of any length.

The network reads one window of the evidence at a time; the best window counts. If evidence is long, the sentences that
contain most of the statement's words are also gathered into one window. The probability is a logistic function of the
network's score and of word overlap, which alone beats many a network on other kinds of evidence. If a statement is
long, each part of it has to be supported.
"""

from __future__ import annotations

import math
import re
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import numpy as np

from rag.models import foreign, pack
from rag.models.pack import PACKAGED
from rag.models.runtime import Runner, pack_runner, trunk_tokenizer, whole
from rag.text.sentences import split_sentences
from rag.text.words import question_terms, text_terms

# Tokens of statement and evidence together, as in training.
JUDGE_WINDOW = 236
# Most of them for the statement; a longer one is judged in parts.
STATEMENT = 96
# Most windows read for one statement, the likeliest; one of them is gathered.
MOST_WINDOWS_JUDGED = 8
# Most parts judged of a statement: those with the fewest words found.
MOST_PARTS = 24
# The inputs of calibration, in this order.
JUDGE_SIGNALS = ("score", "words", "names", "phrases", "windows")
# Characters; a longer sentence is cut, so that a window is never one sentence.
_PIECE = 400
# Characters of a script with about one token each, such as Chinese.
_DENSE_PIECE = 120
# A piece with at least this many tokens is in such a script.
_DENSE = 180
# Most sentences of the gathered window.
_GATHERED = 6
_NAME = re.compile(r"\b(?:[^\W\d_]\w+|\d[\w.,]*\w|\d)")
_ANY_NAME = re.compile(r"\w[\w.,]*\w|\w")
_WORD = re.compile(r"[^\W_]")
_EXPECTED = "a folder or hub name of a transformers sequence classifier with one label, or with one named `entailment`"

EvidencePair = tuple[str, str]  # evidence, statement


class Judge(Protocol):
    """Gates answers and scores faithfulness."""

    def support(self, pairs: Sequence[EvidencePair]) -> np.ndarray:
        """Return for each (evidence, statement) the probability that the first supports the second."""


@dataclass(frozen=True, slots=True)
class Window:
    """A part of the evidence, with the shares of the statement's words, names and word pairs found in it."""

    text: str
    words: float
    names: float
    phrases: float


@dataclass(frozen=True, slots=True)
class Part:
    """A statement, or a part of a long one, with the windows to read it against."""

    pair: int
    statement: str
    windows: list[Window]
    all_windows: int  # number of windows of the evidence


def load_judge(name: str = PACKAGED, *, threads: int = 0) -> Judge:
    """Load the packaged judge (`pack`) or a sequence classifier for entailment by path or hub name.

    Args:
        threads: threads of the model; 0 means one for each core that this process may use.

    Raises:
        ModelError: if the model cannot be loaded or does not judge entailment; the message says what to do.
    """
    if name != PACKAGED:
        return TransformersJudge(name, threads=threads)
    fitted = pack.calibration("judge", (*JUDGE_SIGNALS, "bias"))
    return PackJudge(pack_runner("judge", threads=threads), fitted)


class PackJudge:
    """The packaged judge, int8, on ONNX Runtime. Safe for several threads.

    Args:
        calibration: a weight for each of JUDGE_SIGNALS and for `bias`; without it the score alone counts.
    """

    def __init__(self, runner: Runner, calibration: Mapping[str, float] | None = None) -> None:
        self._runner = runner
        self._calibration = dict(calibration or {"score": 1.0})

    def support(self, pairs: Sequence[EvidencePair]) -> np.ndarray:
        parts, signals = self.signals(pairs)
        return _least(len(pairs), parts, calibrated(signals, self._calibration))

    def signals(self, pairs: Sequence[EvidencePair]) -> tuple[list[Part], np.ndarray]:
        """Return the parts of all statements that can be judged, and their JUDGE_SIGNALS: (n_parts, 5) float64."""
        parts = split_pairs(pairs)
        scores = self._runner.each(
            self._score, [(part.statement, window.text) for part in parts for window in part.windows]
        )
        return parts, _gather_signals(parts, scores)

    def _score(self, texts: tuple[str, str]) -> float:
        first, second = (tokens.ids for tokens in self._runner.tokenise(texts))
        first = first[:STATEMENT]
        return float(self._runner.run(first, second[: JUDGE_WINDOW - 3 - len(first)])[0][0])


class TransformersJudge:
    """Any transformers sequence classifier with a label for entailment, on torch. Safe for several threads.

    Args:
        threads: torch's threads in the whole process; 0 leaves them unchanged.
    """

    def __init__(self, name: str, *, threads: int = 0) -> None:
        from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

        self._lock = threading.Lock()  # a fast tokenizer rejects concurrent calls: "Already borrowed"
        with foreign.loading("judge", name, _EXPECTED, threads=threads):
            config = AutoConfig.from_pretrained(name)
            kind = ", ".join(config.architectures or ["unknown"])
            if not kind.endswith("ForSequenceClassification"):
                raise ValueError(f"its architecture is {kind}")
            self._tokenizer: Any = AutoTokenizer.from_pretrained(name)
            self._model: Any = foreign.whole_model(AutoModelForSequenceClassification, name)
            self._entailment = entailment_label(config.id2label)

    def support(self, pairs: Sequence[EvidencePair]) -> np.ndarray:
        parts = split_pairs(pairs)
        with self._lock:
            best = [max(self._read(w.text, part.statement) for w in part.windows) for part in parts]
        return _least(len(pairs), parts, np.array(best, np.float64))

    def _read(self, premise: str, hypothesis: str) -> float:
        import torch

        longest = min(self._tokenizer.model_max_length, self._model.config.max_position_embeddings, 512)
        inputs = self._tokenizer(
            premise, hypothesis, truncation=True, max_length=longest, return_tensors="pt"
        )
        with torch.inference_mode():
            logits = self._model(**inputs).logits[0].float()  # (n_labels,)
        chances = torch.sigmoid(logits) if len(logits) == 1 else torch.softmax(logits, -1)
        return float(chances[self._entailment])


def entailment_label(names: Mapping[int, str]) -> int:
    """Return which label means "supported": the only one, or the one with such a name.

    Raises:
        ValueError: if no label or several labels are.
    """
    found = [i for i, n in names.items() if re.fullmatch(r"entail\w*|support\w*", n.strip(), re.IGNORECASE)]
    if len(names) == 1:
        return 0
    if len(found) != 1:
        raise ValueError(f"its labels are {', '.join(names.values())}")
    return int(found[0])


def calibrated(signals: np.ndarray, weights: Mapping[str, float]) -> np.ndarray:
    """Return 1 / (1 + exp(-z)), z = bias + the weighted sum of JUDGE_SIGNALS; a missing weight is 0.

    Args:
        signals: (n, 5), in the order of JUDGE_SIGNALS.
    """
    z = signals @ np.array([weights.get(name, 0.0) for name in JUDGE_SIGNALS]) + weights.get("bias", 0.0)
    chances: np.ndarray = 1 / (1 + np.exp(-np.clip(z, -30, 30)))
    return chances


def split_pairs(pairs: Sequence[EvidencePair]) -> list[Part]:
    """Cut statements into parts and evidence into windows; a pair with a side without words has no parts."""
    known: dict[str, _Evidence] = {}
    parts = []
    for number, (evidence, statement) in enumerate(pairs):
        if _WORD.search(evidence) and _WORD.search(statement):
            if evidence not in known:
                known[evidence] = _Evidence(whole(evidence))
            for text in _parts(whole(statement), known[evidence]):
                windows, count = known[evidence].windows(text)
                parts.append(Part(number, text, windows, count))
    return parts


class _Evidence:
    """A text in pieces of at most a sentence, with the terms and tokens of each."""

    def __init__(self, text: str) -> None:
        pieces = [piece for s, e in split_sentences(text) for piece in _cut(text[s:e].strip()) if piece]
        self._pieces = [
            part
            for piece, tokens in zip(pieces, _tokenise(pieces), strict=True)
            for part in (_cut(piece, _DENSE_PIECE) if len(tokens.ids) > _DENSE else [piece])
        ]
        self._terms = [frozenset(text_terms(piece)) for piece in self._pieces]
        self._tokens = [len(t.ids) for t in _tokenise(self._pieces)]
        self._counts = Counter(term for terms in self._terms for term in terms)

    def lacks(self, statement: str) -> float:
        """Return the share of the statement's words that do not occur here."""
        terms = set(question_terms(statement))
        return sum(term not in self._counts for term in terms) / max(1, len(terms))

    def windows(self, statement: str) -> tuple[list[Window], int]:
        """Return the likeliest windows for a statement, at most MOST_WINDOWS_JUDGED, and the number of all windows.

        A window is a run of whole pieces; the next begins with its last quarter. If there are several, one more gathers
        the pieces that together contain the most words of the statement.
        """
        room = JUDGE_WINDOW - 3 - min(STATEMENT, len(_tokenise([statement])[0].ids))
        rarity = {
            term: math.log1p(len(self._pieces) / self._counts[term]) if term in self._counts else 0.0
            for term in set(question_terms(statement))
        }
        runs = self._runs(room)
        if len(runs) == 1:
            return [self._window(statement, runs[0])], 1
        held = [sum(rarity[t] for t in rarity.keys() & self._held(run)) for run in runs]
        likeliest = sorted(range(len(runs)), key=lambda i: -held[i])[: MOST_WINDOWS_JUDGED - 1]
        chosen = [*(runs[i] for i in sorted(likeliest)), self._gathered(rarity, room)]
        return [self._window(statement, run) for run in chosen], len(runs)

    def _held(self, run: Sequence[int]) -> set[str]:
        return {term for i in run for term in self._terms[i]}

    def _runs(self, room: int) -> list[range]:
        runs, begin = [], 0
        while True:
            end, used = begin + 1, self._tokens[begin]
            while end < len(self._pieces) and used + self._tokens[end] <= room:
                end, used = end + 1, used + self._tokens[end]
            runs.append(range(begin, end))
            if end == len(self._pieces):
                return runs
            back = end
            while back - 1 > begin and sum(self._tokens[back - 1 : end]) <= room // 4:
                back -= 1
            begin = back

    def _gathered(self, rarity: Mapping[str, float], room: int) -> list[int]:
        """Repeatedly take the piece that adds most of the statement's words; return them in the order of the text."""
        missing, taken, used = dict(rarity), list[int](), 0
        pieces = [i for i, terms in enumerate(self._terms) if rarity.keys() & terms]
        while pieces and len(taken) < _GATHERED:
            gains = {i: sum(missing.get(t, 0.0) for t in self._terms[i]) for i in pieces}
            best = max(pieces, key=lambda i: gains[i])
            pieces.remove(best)
            if used + self._tokens[best] <= room:
                taken.append(best)
                used += self._tokens[best]
                missing |= {t: missing[t] / 4 for t in missing.keys() & self._terms[best]}
        return sorted(taken) or [0]

    def _window(self, statement: str, run: Sequence[int]) -> Window:
        text = " ".join(self._pieces[i] for i in run)
        terms = text_terms(text)
        said = text_terms(statement)
        return Window(
            text,
            _share(set(question_terms(statement)), set(terms)),
            _share(_names(statement), set(_ANY_NAME.findall(text.lower()))),
            _share(set(pairwise(said)), set(pairwise(terms))),
        )


def _parts(statement: str, evidence: _Evidence) -> list[str]:
    """Cut a statement of more than STATEMENT tokens into sentences; of very many, keep the least likely."""
    if len(_tokenise([statement])[0].ids) <= STATEMENT:
        return [statement]
    pieces = [piece for s, e in split_sentences(statement) for piece in _cut(statement[s:e].strip())]
    pieces = [piece for piece in pieces if _WORD.search(piece)]
    return (
        sorted(pieces, key=evidence.lacks, reverse=True)[:MOST_PARTS] if len(pieces) > MOST_PARTS else pieces
    )


def _gather_signals(parts: Sequence[Part], scores: Sequence[float]) -> np.ndarray:
    rows, begin = np.zeros((len(parts), len(JUDGE_SIGNALS))), 0
    for row, part in enumerate(parts):
        own = scores[begin : begin + len(part.windows)]
        begin += len(part.windows)
        shares = [max(w.words for w in part.windows), max(w.names for w in part.windows)]
        phrases = max(w.phrases for w in part.windows)
        rows[row] = max(own), *shares, phrases, math.log2(part.all_windows)
    return rows


def _least(pairs: int, parts: Sequence[Part], chances: np.ndarray) -> np.ndarray:
    """Return for each pair the least of its parts' probabilities; 0 if it has no parts."""
    least = np.zeros(pairs)
    judged = [part.pair for part in parts]
    least[judged] = 1.0
    np.minimum.at(least, judged, chances)
    return least


def _names(text: str) -> set[str]:
    """Return numbers and capitalised words, lower-cased; the first word of a text may not be a name and is left out."""
    found = [match[0] for match in _NAME.finditer(text) if match.start() or match[0][0].isdigit()]
    return {word.lower() for word in found if word[0].isdigit() or word[0].isupper()}


def _share(wanted: set[Any], found: set[Any]) -> float:
    return len(wanted & found) / len(wanted) if wanted else 1.0


def _cut(text: str, most: int = _PIECE) -> list[str]:
    """Cut a text into pieces of limited length, at white space if possible."""
    pieces = []
    while len(text) > most:
        at = text.rfind(" ", most // 2, most)
        at = at if at > 0 else most
        pieces.append(text[:at])
        text = text[at:].lstrip()
    return [*pieces, text]


def _tokenise(texts: Sequence[str]) -> list[Any]:
    return trunk_tokenizer().encode_batch(list(texts), add_special_tokens=False)
