"""Train the reader: `python -m training.reader`. Two epochs of 42,000 pairs, about an hour on two cores.

Its training data, drawn afresh for each epoch, are the reading sets, questions with a passage of the same document that
lacks the answer, and questions in which a name or number was exchanged for another of the passage, which makes them
unanswerable. `nq-train` and `squad-dev` are held out for measuring; three numbers are fitted on half of the latter's
articles.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from eval.datasets import records
from eval.reading import fitted_on
from rag.models.export import export_adapted
from rag.models.reader import READER_SIGNALS, PackReader
from rag.models.runtime import Runner, trunk_tokenizer
from training.loop import Example, Plan, collate, network, options, save, train

PLAN = Plan("reader", epochs=2, batch=32, rate=7e-4)
# Tokens of question and passage together.
WINDOW = 224
# Most of them for the question; a longer one keeps its end, where a dialogue asks.
QUESTION = 48
SHARES = {  # records of each set in an epoch
    "squad-train": 11_100,
    "squadshifts-wiki": 8_000,
    "squadshifts-amazon": 5_000,
    "policyqa-train": 2_600,
    "doc2dial": 2_000,
    "fairytaleqa-train": 3_000,
}
# Questions with a passage of the same document that does not answer them.
ABSENT = 6_000
EXCHANGED = 3_000  # questions made unanswerable
_NAME = re.compile(r"(?<!^)(?<![.?!] )\b(?:[A-Z][\w'-]+(?: [A-Z][\w'-]+)*|\d[\d,.]*\d|\d)\b")
_CONTENT = re.compile(r"[a-z0-9]{4,}")


def main() -> None:
    """Train, save the adapter beside its checkpoint, and fit the calibration."""
    plan = options("reader", PLAN)
    sets = {name: list(records(f"reading/{name}.jsonl.gz")) for name in SHARES}
    model = network("reader")
    train(model, plan, lambda epoch: epoch_examples(sets, epoch), reader_loss)
    save(model, plan)
    export_adapted("reader", plan.folder / "reader.safetensors", plan.folder / "reader.int8.onnx")
    reader = PackReader(Runner(plan.folder / "reader.int8.onnx", threads=plan.threads))
    save(model, plan, calibration=calibrate(reader))


def calibrate(reader: PackReader) -> dict[str, float]:
    """Fit the mapping from the reader's signals to a probability of "here", on every other article of `squad-dev`."""
    rows = fitted_on(list(records("reading/squad-dev.jsonl.gz")))
    signals = np.concatenate([reader.signals(r["question"], [r["context"]]) for r in rows])
    fitted = LogisticRegression(C=1e6).fit(signals, [r["answerable"] for r in rows])
    weights = [*fitted.coef_[0], fitted.intercept_[0]]
    return {name: round(float(w), 4) for name, w in zip((*READER_SIGNALS, "bias"), weights, strict=True)}


def epoch_examples(sets: dict[str, list[dict[str, Any]]], epoch: int) -> list[Example]:
    """Draw the examples of one epoch; the same number gives the same examples."""
    rng = random.Random(f"reader {epoch}")
    drawn = [
        (name, r)
        for name, count in SHARES.items()
        for r in rng.sample(sets[name], min(count, len(sets[name])))
    ]
    examples = [reading_example(r["question"], r["context"], _answer(r, rng), rng) for _, r in drawn]
    answerable = [(name, r) for name, r in drawn if r["answerable"]]
    absent = _absent(sets, rng.sample(answerable, len(answerable)), rng)
    examples += [one for one, _ in zip(absent, range(ABSENT), strict=False)]
    exchanged = _exchanged(rng.sample(answerable, len(answerable)), rng)
    examples += [one for one, _ in zip(exchanged, range(EXCHANGED), strict=False)]
    return examples


def reading_example(
    question: str, context: str, answer: tuple[int, int] | None, rng: random.Random
) -> Example:
    """Encode a question with a window of the passage that contains its answer at a random position.

    The target is (first, last) as positions in the whole sequence; (0, 0), [CLS], means "not here".
    """
    asked = _tokens(question).ids[-QUESTION:]
    encoded = _tokens(context)
    room = WINDOW - 3 - len(asked)
    if answer is None:
        begin = rng.randint(0, max(0, len(encoded.ids) - room))
        return Example(asked, encoded.ids[begin : begin + room], (0, 0))
    inside = [i for i, (s, e) in enumerate(encoded.offsets) if s < answer[1] and e > answer[0]]
    if not inside or inside[-1] - inside[0] >= room:
        return Example(asked, encoded.ids[:room], (0, 0))
    low, high = max(0, inside[-1] + 1 - room), min(inside[0], max(0, len(encoded.ids) - room))
    begin = rng.randint(min(low, high), max(low, high))
    shift = len(asked) + 2 - begin
    return Example(asked, encoded.ids[begin : begin + room], (inside[0] + shift, inside[-1] + shift))


def reader_loss(model: nn.Module, batch: Sequence[Example]) -> Tensor:
    """Cross-entropy of start and end over [CLS] and the passage, and of answerable."""
    inputs = collate(batch)
    start, end, answerable = model(**inputs)
    allowed = (inputs["token_type_ids"] * inputs["attention_mask"]).bool()
    for row, example in enumerate(batch):
        allowed[row, len(example) - 1] = False  # the last [SEP]
    allowed[:, 0] = True
    first = torch.tensor([e.target[0] for e in batch])
    last = torch.tensor([e.target[1] for e in batch])
    spans = [logits.float().masked_fill(~allowed, -1e4) for logits in (start, end)]
    here = (first > 0).float()
    entropy = nn.functional.cross_entropy
    return (
        entropy(spans[0], first) + entropy(spans[1], last)
    ) / 2 + 0.5 * nn.functional.binary_cross_entropy_with_logits(answerable.float(), here)


def _answer(record: dict[str, Any], rng: random.Random) -> tuple[int, int] | None:
    if not record["answerable"]:
        return None
    answer = rng.choice(record["answers"])
    return answer["start"], answer["start"] + len(answer["text"])


def _absent(
    sets: dict[str, list[dict[str, Any]]], drawn: Sequence[tuple[str, dict[str, Any]]], rng: random.Random
) -> Iterator[Example]:
    """Pair questions with the most similar passages of their own document that do not contain the answer."""
    passages: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name, rows in sets.items():
        for key, text in dict.fromkeys(((name, r["group"]), r["context"]) for r in rows):
            passages[key].append(text)
    for name, record in drawn:
        others = [
            text
            for text in passages[name, record["group"]]
            if text != record["context"]
            and not any(a["text"].lower() in text.lower() for a in record["answers"])
        ]
        if others:
            asked = _content(record["question"])
            likest = sorted(others, key=lambda text: -len(asked & _content(text)))[:3]
            yield reading_example(record["question"], rng.choice(likest), None, rng)


def _exchanged(drawn: Sequence[tuple[str, dict[str, Any]]], rng: random.Random) -> Iterator[Example]:
    """Exchange a name or number of the question for another of the passage, of the same kind."""
    for _, record in drawn:
        question, context = record["question"], record["context"]
        found = list(_NAME.finditer(question))
        if not found:
            continue
        old = rng.choice(found)
        number = old[0][0].isdigit()
        answers = " ".join(a["text"] for a in record["answers"])
        others = [
            text
            for text in {m[0] for m in _NAME.finditer(context)}
            if text[0].isdigit() == number
            and text not in question
            and text not in answers
            and old[0] not in text
        ]
        if others:
            changed = question[: old.start()] + rng.choice(sorted(others)) + question[old.end() :]
            yield reading_example(changed, context, None, rng)


@cache
def _content(text: str) -> frozenset[str]:
    return frozenset(_CONTENT.findall(text.lower()))


@cache
def _tokens(text: str) -> Any:
    return trunk_tokenizer().encode(text, add_special_tokens=False)


if __name__ == "__main__":
    main()
