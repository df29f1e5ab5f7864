"""Train the judge: `python -m training.judge`. Two epochs of 35,000 pairs, about 25 minutes on two cores.

Its training data, drawn afresh for each epoch, are FEVER's passages, sentence pairs of SNLI and MultiNLI, and pairs
made from the reading sets (`training/pairs.py`). `attributionbench-dev`, `wice-dev` and the held-out tenth of
`fever-dev` are kept for measuring.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from functools import cache, partial

import numpy as np
import torch
from torch import Tensor, nn

from eval.datasets import held_back, records
from rag.models.export import export_adapted
from rag.models.judge import JUDGE_SIGNALS, PackJudge
from rag.models.runtime import Runner
from training.loop import Example, Plan, collate, network, options, save, train
from training.pairs import (
    STATEMENT,
    WINDOW,
    Pair,
    Passages,
    bucket,
    for_calibration,
    passage_pairs,
    reading_passages,
    tokens_of,
)

PLAN = Plan("judge", epochs=2, batch=32, rate=7e-4)
SENTENCE_PAIRS = {"mnli-dev": 7_000, "snli-subset-train": 4_500, "counterfactual-train": 1_500}
# Share of `fever-dev`, by premise, held out for measuring.
FEVER_KEPT = 0.1
# Pairs of an epoch; half of them are supported.
PASSAGE_PAIRS = 10_500


def main() -> None:
    """Train, save the adapter beside its checkpoint, and fit the calibration."""
    plan = options("judge", PLAN)
    passages = reading_passages()
    model = network("judge")
    drawn = cache(partial(epoch_examples, passages))
    centre(model, drawn(0)[::200])
    train(model, plan, drawn, judge_loss)
    save(model, plan)
    export_adapted("judge", plan.folder / "judge.safetensors", plan.folder / "judge.int8.onnx")
    runner = Runner(plan.folder / "judge.int8.onnx", threads=plan.threads)
    weights = calibrate(PackJudge(runner), calibration_pairs(passages))
    save(model, plan, calibration=weights)


def calibration_pairs(passages: Passages, count: int = 600) -> list[Pair]:
    """Draw from data that training did not see: a third FEVER, a third sentence pairs, and twice a third passages.

    The second third of passages has up to a dozen passages of other documents around each, as in long evidence.
    """
    rng = random.Random("judge calibration")
    sentences = [pair for name in SENTENCE_PAIRS for pair in sentence_pairs(name)]
    pairs = [
        pair
        for source in (fever_pairs(), sentences)
        for pair in _half_supported([p for p in source if for_calibration(p[1])], count // 2, rng)
    ]
    short = passage_pairs(passages, count, rng, calibration=True)
    every = [passage for found in passages.values() for passage in found]
    for statement, text, supported in passage_pairs(passages, count, rng, calibration=True):
        around = [" ".join(one.sentences) for one in rng.sample(every, rng.randint(1, 12))]
        around.insert(rng.randint(0, len(around)), text)
        short.append((statement, "\n\n".join(around), supported))
    return pairs + short


def calibrate(judge: PackJudge, pairs: Sequence[Pair], *, decay: float = 0.01) -> dict[str, float]:
    """Fit the weights of `rag.models.judge.JUDGE_SIGNALS` and a bias: only `windows` may have a negative weight."""
    parts, signals = judge.signals([(text, statement) for statement, text, _ in pairs])
    target = np.array([pairs[part.pair][2] for part in parts], float)
    middle, spread = signals.mean(0), np.maximum(signals.std(0), 1e-6)
    x = (signals - middle) / spread  # (n_parts, 5)
    weights, bias = np.zeros(len(JUDGE_SIGNALS)), 0.0
    for _ in range(4_000):
        error = 1 / (1 + np.exp(-(x @ weights + bias))) - target
        weights = weights - 0.5 * (x.T @ error / len(x) + decay * weights)
        weights[:-1] = np.maximum(weights[:-1], 0)
        bias -= 0.5 * error.mean()
    scaled = weights / spread
    fitted = dict(zip((*JUDGE_SIGNALS, "bias"), [*scaled, bias - scaled @ middle], strict=True))
    return {name: round(float(value), 4) for name, value in fitted.items()}


def centre(model: nn.Module, examples: Sequence[Example]) -> None:
    """Start from a mean score of 0: the head's bias would take thousands of steps to get there."""
    with torch.no_grad():
        scores = torch.cat([model(**collate([example])) for example in examples])
        model.features.bias -= scores.mean()  # type: ignore[union-attr, operator]


def epoch_examples(passages: Passages, epoch: int) -> list[Example]:
    """Draw the examples of one epoch, the same for the same number."""
    rng = random.Random(f"judge {epoch}")
    pairs = [p for p in fever_pairs() if not for_calibration(p[1])]
    for name, count in SENTENCE_PAIRS.items():
        pairs += _half_supported([p for p in sentence_pairs(name) if not for_calibration(p[1])], count, rng)
    pairs += passage_pairs(passages, PASSAGE_PAIRS, rng, calibration=False)
    return [judge_example(*pair) for pair in pairs]


def fever_pairs() -> list[Pair]:
    """Return nine tenths of `fever-dev`, half its premises with brackets and spaces as in ordinary text."""
    rows = [r for r in records("entailment/fever-dev.jsonl.gz") if not held_back(r["premise"], FEVER_KEPT)]
    return [
        (r["hypothesis"], plain(text) if bucket(text) % 2 else text, r["supported"])
        for r, text in ((r, r["premise"]) for r in rows)
    ]


def sentence_pairs(name: str) -> list[Pair]:
    """Return the pairs of a sentence-entailment set."""
    return [(r["hypothesis"], r["premise"], r["supported"]) for r in records(f"entailment/{name}.jsonl.gz")]


def judge_example(statement: str, text: str, supported: bool) -> Example:
    """Encode a statement and its evidence, each cut to its share of the window."""
    first = tokens_of(statement)[:STATEMENT]
    return Example(first, tokens_of(text)[: WINDOW - 3 - len(first)], float(supported))


def judge_loss(model: nn.Module, batch: Sequence[Example]) -> Tensor:
    """Binary cross-entropy of the score."""
    target = torch.tensor([example.target for example in batch])
    return nn.functional.binary_cross_entropy_with_logits(model(**collate(batch)).float(), target)


def plain(text: str) -> str:
    """Undo FEVER's tokenisation: `-LRB- born 1960 -RRB- , who` becomes `(born 1960), who`."""
    for code, sign in (
        ("-LRB-", "("),
        ("-RRB-", ")"),
        ("-LSB-", "["),
        ("-RSB-", "]"),
        ("``", '"'),
        ("''", '"'),
    ):
        text = text.replace(code, sign)
    text = re.sub(r"\s+([,.;:?!)\]]|'s\b|n't\b|')", r"\1", text)
    return re.sub(r"([(\[])\s+", r"\1", text)


def _half_supported(pairs: Sequence[Pair], count: int, rng: random.Random) -> list[Pair]:
    return [
        pair
        for wanted in (True, False)
        for pair in rng.sample(
            [p for p in pairs if p[2] == wanted], min(count // 2, sum(p[2] == wanted for p in pairs))
        )
    ]


if __name__ == "__main__":
    main()
