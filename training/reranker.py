"""Train the reranker: `python -m training.reranker`. One pass over 12,000 questions, half an hour on two cores.

Each question comes with its own passage and four others that our own dense and BM25 indexes rank high for it in the
same set, except those that contain the answer or nearly repeat its own passage. The target is mostly "the first" and
partly the average of dense, BM25 and late interaction over the five: without that part, the network forgets what the
trunk knows, and ranks worse than the bare trunk on questions unlike its training data. `nq-train`, `squad-dev` and half
of SelQA are held out for measuring.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from eval.datasets import held_back, records
from rag.index.lexical import LexicalIndex
from rag.index.scores import min_max
from rag.models.cross_encoder import PackCrossEncoder
from rag.models.embed import TrunkEmbedder, maxsim, unit
from rag.models.export import export_adapted
from rag.models.runtime import Runner, trunk_tokenizer
from training.loop import Example, Plan, collate, network, options, save, train

PLAN = Plan("reranker", epochs=1, batch=6, rate=4e-4)
# Tokens of a passage read in training.
PASSAGE = 128
QUESTION = 32
NEGATIVES = 4
# Candidates of each index from which the negatives are drawn.
DEPTH = 16
# From this cosine on, a passage may answer the same questions as another.
ALIKE = 0.95
# One in this many questions is held out of training.
FOR_CALIBRATION = 20
# Weight of the distilled scores in the target.
SHARE = 0.5
# Temperature of the distilled distribution.
SHARPNESS = 8.0
SHARES = {  # questions of each set
    "squad-train": 3_500,
    "squadshifts-wiki": 3_500,
    "fairytaleqa-train": 1_000,
    "squadshifts-amazon": 600,
    "policyqa-train": 600,
    "medquad": 3_000,
    "selqa": 400,
    "headings": 1_200,
}
DATA = (*(name for name in SHARES if name not in ("selqa", "headings")), "selqa-dev", "wikipedia-490")
Mined = tuple[str, list[str], list[float]]  # question, passages, target
_SENTENCE = re.compile(r"(?<=[.!?]) +(?=[A-Z\"'])")


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, the index of its own passage in its set's pool, and the passages that may not be negatives."""

    question: str
    own: int
    forbidden: frozenset[int]


@dataclass(frozen=True, slots=True)
class Group:
    """A question with several passages, its own first, and the scores to learn for them."""

    pairs: tuple[Example, ...]
    target: tuple[float, ...]

    def __len__(self) -> int:
        return sum(map(len, self.pairs))


def main() -> None:
    """Mine, train, save the adapter beside its checkpoint, and fit the calibration."""
    plan = options("reranker", PLAN)
    mined = plan.folder / "reranker-mined.jsonl"
    if not mined.is_file():
        mined.parent.mkdir(parents=True, exist_ok=True)
        lines = [json.dumps(one) + "\n" for one in mined_groups(threads=plan.threads)]
        mined.write_text("".join(lines), encoding="utf-8")
    lines = mined.read_text(encoding="utf-8").splitlines()
    groups = [_group(*json.loads(line)) for i, line in enumerate(lines) if i % FOR_CALIBRATION]
    print(f"{len(groups)} questions, {sum(map(len, groups)):,} tokens", flush=True)
    model = network("reranker")
    train(model, plan, lambda _: groups, reranker_loss)
    save(model, plan)
    export_adapted("reranker", plan.folder / "reranker.safetensors", plan.folder / "reranker.int8.onnx")
    encoder = PackCrossEncoder(Runner(plan.folder / "reranker.int8.onnx", threads=plan.threads))
    save(model, plan, calibration=calibrate(encoder, [json.loads(line) for line in lines[::FOR_CALIBRATION]]))


def calibrate(encoder: PackCrossEncoder, mined: Sequence[Mined]) -> dict[str, float]:
    """Fit scale and bias of the logit to distinguish a question's own passage from those mined for it."""
    logits = [encoder.logits(question, passages) for question, passages, _ in mined]
    own = np.concatenate([np.arange(len(scores)) == 0 for scores in logits])
    fitted = LogisticRegression(C=1e6).fit(np.concatenate(logits)[:, None], own)
    scale, bias = fitted.coef_[0, 0], fitted.intercept_[0]
    return {"scale": round(float(scale), 4), "bias": round(float(bias), 4)}


def reranker_loss(model: nn.Module, batch: Sequence[Group]) -> Tensor:
    """Cross-entropy over each question's passages, and over each passage alone, which keeps scores absolute."""
    scores = model(**collate([pair for group in batch for pair in group.pairs])).float()
    losses = []
    for group, found in zip(batch, scores.split([len(group.pairs) for group in batch]), strict=True):
        wanted = torch.tensor(group.target)
        listwise = -(wanted * nn.functional.log_softmax(found, 0)).sum()
        own = torch.zeros(len(found))
        own[0] = 1
        weights = torch.where(own > 0, 1.0, 1.0 / (len(found) - 1)) / 2
        alone = nn.functional.binary_cross_entropy_with_logits(found - 3, own, weights, reduction="sum")
        losses.append(listwise + 0.2 * alone)
    return torch.stack(losses).mean()


def mined_groups(threads: int = 0) -> Iterator[Mined]:
    """Yield question, passages and target for each question that has enough negatives."""
    embedder = TrunkEmbedder(threads)
    for name, count in SHARES.items():
        rng = random.Random(f"reranker {name}")
        asked, pool = _questions(name, rng)
        print(f"{name}: {len(asked)} questions, {len(pool)} passages", flush=True)
        asked = rng.sample(asked, min(count, len(asked)))
        yield from _mine(asked, pool, embedder, rng)


def _mine(
    asked: Sequence[Asked], pool: Sequence[str], embedder: TrunkEmbedder, rng: random.Random
) -> Iterator[Mined]:
    encoded = embedder.encode_tokens(pool)
    vectors = np.stack([one.pool() for one in encoded])  # (n_passages, dim)
    tokens = [unit(one.vectors).astype(np.float16) for one in encoded]
    words = LexicalIndex()
    words.add(range(len(pool)), pool)
    for one, question in zip(asked, embedder.encode_tokens([one.question for one in asked]), strict=True):
        dense = vectors @ question.pool()
        near = np.argsort(-dense)[:DEPTH].tolist()
        near += [int(i) for i, _ in words.search(one.question, DEPTH)]
        alike = vectors @ vectors[one.own]
        usable = [
            i for i in dict.fromkeys(near) if i != one.own and i not in one.forbidden and alike[i] < ALIKE
        ]
        if len(usable) < NEGATIVES:
            continue
        hard = usable[: NEGATIVES // 2]
        chosen = [one.own, *hard, *rng.sample(usable[NEGATIVES // 2 :], NEGATIVES - len(hard))]
        similar = [maxsim(unit(question.vectors), tokens[i].astype(np.float32)) for i in chosen]
        known = min_max(dense[chosen]) + min_max(words.score(one.question, chosen)) + min_max(similar)
        soft = np.exp(SHARPNESS * known / 3)
        target = SHARE * soft / soft.sum()
        target[0] += 1 - SHARE
        yield one.question, [pool[i] for i in chosen], target.tolist()


def _group(question: str, passages: Sequence[str], target: Sequence[float]) -> Group:
    encoded = trunk_tokenizer().encode_batch([_asked(question), *passages], add_special_tokens=False)
    first = encoded[0].ids[-QUESTION:]
    return Group(tuple(Example(first, e.ids[:PASSAGE], None) for e in encoded[1:]), tuple(target))


def _asked(question: str) -> str:
    """Return a question as people type it: whole, without its question mark, or as key words; a third each."""
    form = len(question) % 3
    if form == 0:
        return question
    words = question.rstrip("? ").split()
    telling = [word for word in words if word.lower() not in ENGLISH_STOP_WORDS]
    return " ".join(telling if form == 2 and len(telling) > 1 else words)


def _questions(name: str, rng: random.Random) -> tuple[list[Asked], list[str]]:
    """Return the questions of a set and the pool of its passages."""
    if name == "medquad":
        return _medquad(rng)
    if name == "selqa":
        return _selqa()
    if name == "headings":
        return _cloze(rng)
    return _reading(list(records(f"reading/{name}.jsonl.gz")))


def _reading(rows: Sequence[dict[str, Any]]) -> tuple[list[Asked], list[str]]:
    windows = {text: _parts(text) for text in dict.fromkeys(row["context"] for row in rows)}
    pool = [part for parts in windows.values() for part in parts]
    place = {text: number for number, text in enumerate(pool)}
    lowered = [text.lower() for text in pool]
    asked = []
    for row in rows:
        if not row["answerable"]:
            continue
        answers = [a["text"].lower() for a in row["answers"]]
        own = [p for p in windows[row["context"]] if any(a in p.lower() for a in answers)]
        if own:
            chosen = own[0]
            others = frozenset(i for i, text in enumerate(lowered) if any(a in text for a in answers))
            asked.append(Asked(row["question"], place[chosen], others))
    return asked, pool


def _parts(text: str) -> list[str]:
    """Cut a passage at its sentences into parts of about a chunk's length."""
    parts: list[str] = []
    for sentence in _SENTENCE.split(text):
        if parts and len(parts[-1]) + len(sentence) < 620:
            parts[-1] += " " + sentence
        else:
            parts.append(sentence)
    return parts


def _medquad(rng: random.Random) -> tuple[list[Asked], list[str]]:
    rows = rng.sample(list(records("ranking/medquad.jsonl.gz")), 5_000)
    pool = list(dict.fromkeys(row["answer"][:600] for row in rows))
    place = {text: number for number, text in enumerate(pool)}
    return [Asked(row["question"], place[row["answer"][:600]], frozenset()) for row in rows], pool


def _selqa() -> tuple[list[Asked], list[str]]:
    rows = [row for row in records("ranking/selqa-dev.jsonl.gz") if not held_back(row["question"])]
    pool = list(dict.fromkeys(text for row in rows for text in row["candidates"]))
    place = {text: number for number, text in enumerate(pool)}
    return [
        Asked(
            row["question"],
            place[row["candidates"][row["relevant"][0]]],
            frozenset(place[row["candidates"][i]] for i in row["relevant"]),
        )
        for row in rows
        if row["relevant"]
    ], pool


def _cloze(rng: random.Random) -> tuple[list[Asked], list[str]]:
    """Ask for a passage of an article by its title and a few words of a sentence that is removed from the passage."""
    articles = rng.sample(list(records("documents/wikipedia-490.jsonl.gz")), 120)
    asked: list[Asked] = []
    pool: list[str] = []
    for article in articles:
        parts = [part for part in _parts(article["text"][:9_000]) if len(part) > 300]
        for part in parts:
            sentences = _SENTENCE.split(part)
            taken = rng.choice(sentences)
            words = taken.split()
            if len(sentences) > 2 and 8 <= len(words) <= 40:
                begin = rng.randrange(0, len(words) - 6)
                asked.append(
                    Asked(f"{article['title']} {' '.join(words[begin : begin + 7])}", len(pool), frozenset())
                )
                pool.append(" ".join(s for s in sentences if s != taken))
            else:
                pool.append(part)
    return asked, pool


if __name__ == "__main__":
    main()
