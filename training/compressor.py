"""Train the compressor: `python -m training.compressor`. Two epochs of about 1.8 million tokens.

Its training data, drawn afresh for each epoch, are sentences with a known human compression, alone and packed into
passages, with their numbers restored; and evidence labels from the reading sets (`nq-train`, `squad-dev` and `doc2dial`
are held out for measuring). The labels come in two forms, as in use:

- `[CLS] question [SEP] passage [SEP]`: the answer is kept first, then its sentence; the rest is dropped;
- `[CLS] [SEP] passage [SEP]`, without a question: words that any of the passage's questions asked for or named are
kept. A lack of questions about a word says little, so the other words are dropped with only a small weight.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from eval.datasets import records
from rag.models.runtime import trunk_tokenizer
from rag.text.sentences import split_sentences
from training.loop import Example, Plan, collate, network, options, save, train

PLAN = Plan("compressor", epochs=2, batch=32, rate=7e-4)
# Tokens of question and passage together.
WINDOW = 256
# Most of them for the question; a longer one keeps its end, where a dialogue asks.
QUESTION = 48
# Tokens of the longest passage made of unrelated sentences.
PACKED = 200
# Records of compression/google-train in an epoch.
SENTENCES = 14_000
ASKED = {  # questions of each set in an epoch
    "squad-train": 1_800,
    "squadshifts-wiki": 1_300,
    "squadshifts-amazon": 1_000,
    "policyqa-train": 500,
    "fairytaleqa-train": 500,
}
# Passages without a question in an epoch.
PASSAGES = 2_200
# Share of windows drawn anywhere in a long passage, with or without the answer.
ASTRAY = 0.1

Record = dict[str, Any]
Span = tuple[int, int]
_WORD = re.compile(r"\w+")
# Tokens that follow without a space.
_CLOSING = re.compile(r"[,.;:!?%)\]}]|'\w*|n't|''|\.\.\.")
_OPENING = frozenset("([{$#") | {"``"}
_MONTH = re.compile(r"(?:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)[a-z]*\.?$")
_QUOTED = {"``": '"', "''": '"', "-lrb-": "(", "-rrb-": ")", "-lsb-": "[", "-rsb-": "]"}
_COMMON_WORDS = """
    the a an of to in on at for by with from and or is are was were be been do does did has have had that this
    what who whom whose which when where why how many much it its as"""
_COMMON = frozenset(_COMMON_WORDS.split())


@dataclass(frozen=True, slots=True)
class Label:
    """The target for a span of the text: the probability of keeping it, and a weight."""

    start: int
    end: int
    keep: float
    weight: float


def main() -> None:
    """Train, and save the adapter beside its checkpoint."""
    plan = options("compressor", PLAN)
    sets = {name: list(records(f"reading/{name}.jsonl.gz")) for name in ASKED}
    sentences = list(records("compression/google-train.jsonl.gz"))
    model = network("compressor")
    train(model, plan, lambda epoch: epoch_examples(sets, sentences, epoch), compressor_loss)
    save(model, plan)


def epoch_examples(sets: dict[str, list[Record]], sentences: Sequence[Record], epoch: int) -> list[Example]:
    """Draw the examples of one epoch; the same number gives the same examples."""
    rng = random.Random(f"compressor {epoch}")
    examples = [labelled_example("", *passage, rng) for passage in _packed(sentences, epoch, rng)]
    for name, count in ASKED.items():
        answerable = [r for r in sets[name] if r["answerable"]]
        for record in rng.sample(answerable, min(count, len(answerable))):
            labels = question_labels(record)
            examples.append(labelled_example(record["question"], record["context"], labels, rng))
    passages = _passages(sets)
    examples += [
        labelled_example("", asked[0]["context"], passage_labels(asked), rng)
        for asked in rng.sample(passages, min(PASSAGES, len(passages)))
    ]
    return examples


def labelled_example(question: str, text: str, labels: Sequence[Label], rng: random.Random) -> Example:
    """Encode a window of the text behind the question; later labels prevail over earlier ones.

    The target is (keep, weight), each with one number per token of the window. A token without a label has weight 0.
    """
    asked = trunk_tokenizer().encode(question, add_special_tokens=False).ids[-QUESTION:]
    encoded = trunk_tokenizer().encode(text, add_special_tokens=False)
    keep, weight = [0.0] * len(encoded.ids), [0.0] * len(encoded.ids)
    token_at = [-1] * (len(text) + 1)
    for token, (start, end) in enumerate(encoded.offsets):
        token_at[start:end] = [token] * (end - start)
    for label in labels:
        for token in set(token_at[label.start : label.end]) - {-1}:
            keep[token], weight[token] = label.keep, label.weight
    room = WINDOW - 3 - len(asked)
    begin = _window(keep, room, rng)
    window = slice(begin, begin + room)
    return Example(asked, encoded.ids[window], (keep[window], weight[window]))


def question_labels(record: Record) -> list[Label]:
    """Label a passage for one question: its answer, then the answer's sentence, then words of the question."""
    text, asked = record["context"], _content(record["question"])
    labels = [Label(0, len(text), 0.02, 0.5)]
    labels += [Label(s, e, 0.1, 0.5) for s, e in _mentioned(text, asked, [(0, len(text))])]
    answers = _answers(record)
    sentences = _sentences_of(text, answers)
    labels += [Label(s, e, 0.5, 0.5) for s, e in sentences]
    labels += [Label(s, e, 0.7, 0.5) for s, e in _mentioned(text, asked, sentences)]
    return labels + [Label(s, e, 1.0, 1.0) for s, e in answers]


def passage_labels(asked: Sequence[Record]) -> list[Label]:
    """Label a passage for all its questions: every answer, and words in its sentence that the question names."""
    text = asked[0]["context"]
    labels = [Label(0, len(text), 0.0, 0.2 if len(asked) > 3 else 0.1)]
    for record in asked:
        sentences = _sentences_of(text, _answers(record))
        labels += [
            Label(s, e, 1.0, 0.5) for s, e in _mentioned(text, _content(record["question"]), sentences)
        ]
    return labels + [Label(s, e, 1.0, 1.0) for record in asked for s, e in _answers(record)]


def compressor_loss(model: nn.Module, batch: Sequence[Example]) -> Tensor:
    """Weighted cross-entropy of keeping each token against its target."""
    inputs = collate(batch)
    logits = model(**inputs).float()
    keep, weight = torch.zeros(logits.shape[:2]), torch.zeros(logits.shape[:2])
    for row, example in enumerate(batch):
        second = slice(len(example.first) + 2, len(example) - 1)
        keep[row, second] = torch.tensor(example.target[0])
        weight[row, second] = torch.tensor(example.target[1])
    losses = nn.functional.binary_cross_entropy_with_logits(
        logits[..., 1] - logits[..., 0], keep, reduction="none"
    )
    return (losses * weight).sum() / weight.sum().clamp_min(1.0)


def written(tokens: Sequence[str], keep: Sequence[int], rng: random.Random) -> tuple[str, list[Label]]:
    """Write a tokenised sentence as text, with numbers in place of `##` and the label of each token.

    `he ca n't pay $ ## .` -> `he can't pay $3,100.`
    """
    text, labels = "", []
    before = "("
    for token, kept in zip(tokens, keep, strict=True):
        number = _day if _MONTH.match(before) else _number
        shown = re.sub("##", lambda _, number=number: number(rng), _QUOTED.get(token, token))  # type: ignore[misc]
        text += "" if before in _OPENING or _CLOSING.fullmatch(token) else " "
        labels.append(Label(len(text), len(text) + len(shown), float(kept), 1.0))
        text += shown
        before = token
    return text, labels


def _packed(sentences: Sequence[Record], epoch: int, rng: random.Random) -> Iterator[tuple[str, list[Label]]]:
    """Join sentences into passages of any length up to `PACKED` tokens; each epoch reads on in one shuffled order."""
    order = random.Random("sentences").sample(range(len(sentences)), len(sentences))
    drawn = [order[i % len(order)] for i in range(epoch * SENTENCES, (epoch + 1) * SENTENCES)]
    text, labels, room = "", list[Label](), 0
    for number in drawn:
        sentence, own = written(sentences[number]["tokens"], sentences[number]["keep"], rng)
        length = len(trunk_tokenizer().encode(sentence, add_special_tokens=False).ids)
        if text and room < length:
            yield text, labels
            text, labels = "", []
        if not text:
            room = rng.randint(20, PACKED)
        shift = len(text) + bool(text)
        text += f" {sentence}" if text else sentence
        labels += [Label(one.start + shift, one.end + shift, one.keep, one.weight) for one in own]
        room -= length
    yield text, labels


def _window(keep: Sequence[float], room: int, rng: random.Random) -> int:
    """Return the start of the window: usually around a kept token."""
    last = max(0, len(keep) - room)
    kept = [token for token, wanted in enumerate(keep) if wanted == 1.0]
    if not last or not kept or rng.random() < ASTRAY:
        return rng.randint(0, last)
    anchor = rng.choice(kept)
    return min(last, max(0, rng.randint(anchor + 1 - room, anchor)))


def _passages(sets: dict[str, list[Record]]) -> list[list[Record]]:
    """Gather the answerable questions of each passage."""
    passages: dict[str, list[Record]] = defaultdict(list)
    for rows in sets.values():
        for record in rows:
            if record["answerable"]:
                passages[record["context"]].append(record)
    return list(passages.values())


def _answers(record: Record) -> list[Span]:
    return [(a["start"], a["start"] + len(a["text"])) for a in record["answers"]]


def _sentences_of(text: str, answers: Sequence[Span]) -> list[Span]:
    return [(s, e) for s, e in split_sentences(text) if any(s < end and start < e for start, end in answers)]


def _mentioned(text: str, asked: frozenset[str], spans: Sequence[Span]) -> list[Span]:
    """Return the words within the spans that the question also names."""
    return [m.span() for s, e in spans for m in _WORD.finditer(text, s, e) if m[0].lower() in asked]


def _content(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text.lower())) - _COMMON


def _day(rng: random.Random) -> str:
    return str(rng.randint(1, 31)) if rng.random() < 0.8 else str(rng.randint(1950, 2024))


def _number(rng: random.Random) -> str:
    """Return a number like those in newspapers."""
    kinds: list[tuple[int, Callable[[], str]]] = [
        (45, lambda: str(rng.randint(1, 60))),
        (20, lambda: str(rng.randint(1970, 2024))),
        (15, lambda: str(rng.randint(61, 999))),
        (10, lambda: f"{rng.randint(1_000, 999_999):,}"),
        (10, lambda: f"{rng.uniform(0, 90):.1f}"),
    ]
    return rng.choices([kind for _, kind in kinds], [share for share, _ in kinds])[0]()


if __name__ == "__main__":
    main()
