"""Train the reader: `make train JOB=reader`, half an hour on two cores, after `training.evidence.mined`.

Training goes on from the packaged reader; the embeddings and the two lowest layers are frozen. It reads what the
evidence model learns from, one passage or row at a time, after its place where the question shares words with the place
that the text lacks. About as many texts do not answer: others of the document, others with the same words, and texts
whose question had a name or number exchanged. `nq-train`, `squad-dev`, `clapnq-dev` and a fifth of the tables are held
out. So are `covidqa` and `duorc-dev`, but for the three numbers that are fitted on half of FITTED_ON.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from eval.datasets import held_back, records
from eval.reading import fitted_on
from rag.models.export import export_adapted
from rag.models.heads import ReaderNetwork
from rag.models.reader import READER_SIGNALS, READER_WINDOW, PackReader
from rag.models.runtime import QUESTION_TOKENS, Runner
from rag.text.names import place_before
from rag.text.words import question_terms, text_terms
from training.evidence.cases import Case, LabelledPassage, Span
from training.evidence.mined import mined_cases
from training.evidence.records import record_cases
from training.evidence.sources import SourcedCase, read_sources
from training.evidence.tables import table_sources
from training.evidence.vary import Varied
from training.evidence.windows import tokens
from training.loop import Example, Plan, collate, options, packaged_encoder, save, train

PLAN = Plan("reader", epochs=1, batch=32, rate=1e-4, head_rate=5e-4)
# Draws the examples: raise it to train the packaged reader on with others, in a folder without an older checkpoint.
ROUND = 2
SHARES = {  # cases of each set in an epoch
    "squad-train": 4_500,
    "squadshifts-wiki": 1_800,
    "squadshifts-amazon": 800,
    "policyqa-train": 800,
    "doc2dial": 600,
    "fairytaleqa-train": 800,
    "qamr": 1_000,
    "qed-train": 3_500,
    "quoref-dev": 1_200,
    "drop-spans": 800,
    "boolq-train": 800,
    "condaqa": 300,
    "nq-paragraphs": 700,
    "nomiracl-en": 350,
    "hitab-train": 900,
    "fetaqa": 400,
    "sqa-train": 600,
    "hybridqa-dev": 500,
    "wikitablequestions-train": 900,
    "tatqa": 600,
    "aitqa": 200,
}
# Sets from which the round before this one drew passages that do not answer.
DRAWN_BEFORE = ("medquad", "maud", "selqa-dev", "multihop-pieces", "strategyqa-train")
# From the last, names for made documents.
DATA = (*SHARES, *DRAWN_BEFORE, "squad-dev", "covidqa", "duorc-dev", "wikipedia-490")
# Cases over made documents in an epoch.
RECORDS = 1_500
# Sets whose spans are what an answer is made of, not the answer.
SUPPORTING = ("fetaqa",)
# Share of the cases whose question is asked once more as a near-miss.
NEAR_MISSES = 0.25
# Texts of a case that do not answer, at most.
MOST_OTHERS = 1
# The answer is in the text, but its words are not known.
SOMEWHERE = (-1, -1)
FITTED_ON = ("squad-dev", "covidqa", "duorc-dev")
# Questions of a set that the three numbers are fitted on.
MOST_FITTED = 400


def main() -> None:
    """Train, save the weights beside their checkpoint, and fit the calibration."""
    plan = options("reader", PLAN)
    model = fresh_network()
    train(model, plan, drawing(), reader_loss)
    save(model, plan)
    export_adapted("reader", plan.folder / "reader.safetensors", plan.folder / "reader.int8.onnx")
    reader = PackReader(Runner(plan.folder / "reader.int8.onnx", threads=plan.threads))
    save(model, plan, calibration=calibrate(reader))


def fresh_network() -> ReaderNetwork:
    """Return the network as training begins: the packaged reader's."""
    encoder, packaged = packaged_encoder("reader")
    network = ReaderNetwork(encoder)
    network.span.load_state_dict(packaged.span.state_dict())
    network.answerable.load_state_dict(packaged.answerable.state_dict())
    return network


def calibrate(reader: PackReader) -> dict[str, float]:
    """Fit the mapping from the reader's signals to a probability of "here"; sets count alike, answerable or not."""
    signals, here, weights = list[np.ndarray](), list[bool](), list[float]()
    for name in FITTED_ON:
        pairs = list(pairs_of(name))
        told = [answerable for _, _, answerable in pairs]
        signals += [reader.signals(question, [context]) for question, context, _ in pairs]
        here += told
        weights += [0.5 / told.count(one) for one in told]
    fitted = LogisticRegression(C=1e9).fit(np.concatenate(signals), here, sample_weight=weights)
    found = [*fitted.coef_[0], fitted.intercept_[0]]
    return {name: round(float(w), 4) for name, w in zip((*READER_SIGNALS, "bias"), found, strict=True)}


def pairs_of(name: str) -> Iterator[tuple[str, str, bool]]:
    """Yield (question, context, whether it answers) of half of a set, by its documents.

    Where all questions of a set are answerable, each is asked again of the context of another document that has most of
    its words.
    """
    every = list(records(f"reading/{name}.jsonl.gz"))
    rows: Sequence[Mapping[str, Any]] = [r for r in every if not held_back(r["group"])][:MOST_FITTED]
    if name == "squad-dev":
        rows = fitted_on(every)
    yield from ((r["question"], r["context"], r["answerable"]) for r in rows)
    if not all(r["answerable"] for r in rows):
        return
    others = {r["context"]: (r["group"], set(text_terms(r["context"]))) for r in rows}
    for r in rows:
        asked, answers = set(question_terms(r["question"])), [a["text"].casefold() for a in r["answers"]]
        ranked = sorted(others, key=lambda context: -len(asked & others[context][1]))
        for context in ranked:
            if others[context][0] != r["group"] and not any(a in context.casefold() for a in answers):
                yield r["question"], context, False
                break


def drawing() -> Callable[[int], list[Example]]:
    """Read the sets; return what draws the examples of an epoch by its number."""
    # Passages that do not answer are drawn from all sources, so no other set may be among them
    sources = [one for one in (*read_sources(), *table_sources()) if one.set in SHARES]
    varied, mined = Varied(sources), mined_cases()
    by_set: dict[str, list[SourcedCase]] = defaultdict(list)
    for source in sources:
        by_set[source.set].append(_supported(source) if source.set in SUPPORTING else source)

    def draw(epoch: int) -> list[Example]:
        rng = random.Random(f"reader {ROUND} {epoch}")
        cases = [*mined, *record_cases(rng, RECORDS)]
        for name, count in SHARES.items():
            for source in rng.sample(by_set[name], min(count, len(by_set[name]))):
                cases.append(varied.vary(source, rng))
                if rng.random() < NEAR_MISSES:
                    cases += filter(None, [varied.near_miss(source, rng)])
        return [example for case in cases for example in examples_of(case, rng)]

    return draw


def _supported(source: SourcedCase) -> SourcedCase:
    """Return a case that tells which units answer, but not in which words."""
    passages = tuple(replace(one, spans=()) for one in source.case.passages)
    return replace(source, case=replace(source.case, passages=passages))


def examples_of(case: Case, rng: random.Random) -> Iterator[Example]:
    """Yield an example for each passage or row of a case that answers, and for some that do not."""
    passages = [row for one in case.passages for row in (_rows(one) if one.rows else [one])]
    others = [one for one in passages if not one.answers]
    for one in (
        *(one for one in passages if one.answers),
        *rng.sample(others, min(MOST_OTHERS, len(others))),
    ):
        before = place_before(case.question, one.text, one.place)
        spans = [(start + len(before), end + len(before)) for start, end in one.spans]
        answer = rng.choice(spans) if spans else SOMEWHERE if one.answers else None
        if example := reading_example(case.question, before + one.text, answer, rng):
            yield example


def _rows(one: LabelledPassage) -> Iterator[LabelledPassage]:
    for number, (start, end) in enumerate(one.units):
        spans = tuple((s - start, e - start) for s, e in one.spans if start <= s and e <= end)
        answering = frozenset({0} if number in (one.answering or ()) else ())
        yield LabelledPassage(one.place, one.text[start:end], ((0, end - start),), answering, spans)


def reading_example(question: str, context: str, answer: Span | None, rng: random.Random) -> Example | None:
    """Encode a question with a window of the text that contains its answer at a random position.

    The target is (first, last) as positions in the whole sequence; (0, 0), [CLS], means "not here", SOMEWHERE that the
    text answers in words that are not known. None if no window has the whole answer for certain.
    """
    asked = tokens(question).ids[-QUESTION_TOKENS:]
    encoded = tokens(context)
    room = READER_WINDOW - 3 - len(asked)
    if answer is None:
        begin = rng.randint(0, max(0, len(encoded.ids) - room))
        return Example(asked, encoded.ids[begin : begin + room], (0, 0))
    if answer == SOMEWHERE:
        return Example(asked, encoded.ids, SOMEWHERE) if len(encoded.ids) <= room else None
    inside = [i for i, (s, e) in enumerate(encoded.offsets) if s < answer[1] and e > answer[0]]
    if not inside or inside[-1] - inside[0] >= room:
        return None
    low, high = max(0, inside[-1] + 1 - room), min(inside[0], max(0, len(encoded.ids) - room))
    begin = rng.randint(min(low, high), max(low, high))
    shift = len(asked) + 2 - begin
    return Example(asked, encoded.ids[begin : begin + room], (inside[0] + shift, inside[-1] + shift))


def reader_loss(model: nn.Module, batch: Sequence[Example]) -> Tensor:
    """Cross-entropy of start and end over [CLS] and the text, and of answerable."""
    inputs = collate(batch)
    start, end, answerable = model(**inputs)
    allowed = (inputs["token_type_ids"] * inputs["attention_mask"]).bool()
    for row, example in enumerate(batch):
        allowed[row, len(example) - 1] = False  # the last [SEP]
    allowed[:, 0] = True
    targets = torch.tensor([e.target for e in batch])  # (batch, 2)
    here = (targets[:, 0] != 0).float()
    spans = [
        nn.functional.cross_entropy(
            logits.float().masked_fill(~allowed, -1e4), gold, ignore_index=SOMEWHERE[0], reduction="sum"
        )
        / len(batch)
        for logits, gold in zip((start, end), targets.T, strict=True)
    ]
    return sum(spans) / 2 + 0.5 * nn.functional.binary_cross_entropy_with_logits(answerable.float(), here)


if __name__ == "__main__":
    main()
