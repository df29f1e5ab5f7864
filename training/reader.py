"""Train the reader: `make train JOB=reader`, half an hour on two cores, after `training.evidence.mined`.

The packaged reader's whole encoder, but its embeddings and lowest layers, goes on learning. It reads what the evidence
model learns from, one passage or row at a time and, as in use, after the place if the question has words of that which
the text lacks. As many texts do not answer: others of the same document or with the same words, and such as a question
of which a name or a number was exchanged. `nq-train`, `squad-dev`, `clapnq-dev`, `covidqa`, `duorc-dev` and a fifth of
the tables are held out; three numbers are fitted on three of them (FITTED_ON).
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from eval.datasets import records
from eval.reading import fitted_on
from rag.models.export import adapted_network, export_adapted
from rag.models.heads import ReaderNetwork
from rag.models.pack import PACK_FOLDER
from rag.models.reader import READER_SIGNALS, READER_WINDOW, PackReader
from rag.models.runtime import QUESTION_TOKENS, Runner
from rag.text.words import question_terms, text_terms
from training.evidence.cases import Case, LabelledPassage, Span
from training.evidence.mined import mined_cases
from training.evidence.network import FROZEN
from training.evidence.records import record_cases
from training.evidence.sources import SourcedCase, read_sources
from training.evidence.tables import SETS as TABLES
from training.evidence.tables import table_sources
from training.evidence.vary import Varied
from training.evidence.windows import tokens
from training.loop import SEED, Example, Plan, collate, options, save, train, trunk_encoder

PLAN = Plan("reader", epochs=1, batch=32, rate=1.5e-4, head_rate=5e-4)
# Draws the examples; another number goes on from the packaged reader with others.
ROUND = 1
SHARES = {  # cases of each set in an epoch
    "squad-train": 10_000,
    "squadshifts-wiki": 5_000,
    "squadshifts-amazon": 2_500,
    "policyqa-train": 2_500,
    "doc2dial": 1_200,
    "fairytaleqa-train": 2_500,
    "qamr": 3_000,
    "qed-train": 6_800,
    "quoref-dev": 2_000,
    "drop-spans": 1_500,
    "boolq-train": 1_500,
    "condaqa": 600,
    "nq-paragraphs": 1_200,
    "nomiracl-en": 350,
    "hitab-train": 1_500,
    "fetaqa": 700,
    "sqa-train": 1_000,
    "hybridqa-dev": 700,
    "wikitablequestions-train": 1_500,
    "tatqa": 900,
    "aitqa": 300,
}
# Names for made documents are drawn from the last.
DATA = (*SHARES, "squad-dev", "covidqa", "duorc-dev", "wikipedia-490")
# Cases over made documents in an epoch.
RECORDS = 3_000
# Share of the cases whose question is asked once more as a near-miss, and most texts of a case that do not answer.
NEAR_MISSES, MOST_OTHERS = 0.2, 1
# The answer is in the text, but its words are not known.
SOMEWHERE = (-1, -1)
FITTED_ON = ("squad-dev", "covidqa", "duorc-dev")


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
    torch.manual_seed(SEED)
    encoder = trunk_encoder(add_pooling_layer=False)
    packaged = adapted_network("reader", PACK_FOLDER / "reader.safetensors")
    encoder.load_state_dict(packaged.encoder.state_dict(), strict=False)
    network = ReaderNetwork(encoder)
    network.span.load_state_dict(packaged.span.state_dict())
    network.answerable.load_state_dict(packaged.answerable.state_dict())
    for part in (encoder.embeddings, *encoder.encoder.layer[:FROZEN]):
        part.requires_grad_(False)
    return network


def calibrate(reader: PackReader) -> dict[str, float]:
    """Fit the mapping from the reader's signals to a probability of "here"; sets count alike, answerable or not."""
    signals, here, weights = list[np.ndarray](), list[bool](), list[float]()
    for name in FITTED_ON:
        pairs = list(_with_absent(name))
        told = [answerable for _, _, answerable in pairs]
        signals += [reader.signals(question, [context]) for question, context, _ in pairs]
        here += told
        weights += [0.5 / told.count(one) for one in told]
    fitted = LogisticRegression(C=1e6).fit(
        np.concatenate(signals), here, sample_weight=np.array(weights) * 1000
    )
    found = [*fitted.coef_[0], fitted.intercept_[0]]
    return {name: round(float(w), 4) for name, w in zip((*READER_SIGNALS, "bias"), found, strict=True)}


def _with_absent(name: str) -> Iterator[tuple[str, str, bool]]:
    """Yield (question, context, whether it answers) of a set; one without unanswerable questions pairs them itself."""
    rows: Sequence[Mapping[str, Any]] = list(records(f"reading/{name}.jsonl.gz"))
    if name == "squad-dev":
        rows = fitted_on(rows)
    yield from ((r["question"], r["context"], r["answerable"]) for r in rows)
    if all(r["answerable"] for r in rows):
        contexts = list(dict.fromkeys(r["context"] for r in rows))
        terms = [set(text_terms(context)) for context in contexts]
        for r in rows:
            asked = set(question_terms(r["question"]))
            lacking = [
                (len(asked & held), context)
                for held, context in zip(terms, contexts, strict=True)
                if context != r["context"]
                and not any(answer["text"].casefold() in context.casefold() for answer in r["answers"])
            ]
            if lacking:
                yield r["question"], max(lacking)[1], False


def drawing() -> Callable[[int], list[Example]]:
    """Read the sets; return what draws the examples of an epoch by its number."""
    sources = [*read_sources(), *table_sources()]
    varied, mined = Varied(sources), mined_cases()
    by_set: dict[str, list[SourcedCase]] = defaultdict(list)
    for source in sources:
        by_set[source.set].append(source)

    def draw(epoch: int) -> list[Example]:
        rng = random.Random(f"reader {ROUND} {epoch}")
        examples = list[Example]()
        for name, count in SHARES.items():
            for source in rng.sample(by_set[name], min(count, len(by_set[name]))):
                cases = [varied.vary(source, rng)]
                if rng.random() < NEAR_MISSES:
                    cases += filter(None, [varied.near_miss(source, rng)])
                for case in cases:
                    examples += examples_of(case, rng, rows=name in TABLES)
        for case in (*mined, *record_cases(rng, RECORDS)):
            examples += examples_of(case, rng)
        return examples

    return draw


def examples_of(case: Case, rng: random.Random, *, rows: bool = False) -> Iterator[Example]:
    """Yield an example for each passage of a case that answers, and for some that do not.

    Args:
        rows: whether the passages are rows of tables, each of which is read by itself.
    """
    passages = [row for one in case.passages for row in _rows(one)] if rows else list(case.passages)
    others = [one for one in passages if not one.answers]
    for one in (
        *(one for one in passages if one.answers),
        *rng.sample(others, min(MOST_OTHERS, len(others))),
    ):
        missing = set(question_terms(case.question)) - set(text_terms(one.text))
        before = f"{one.place}. " if missing & set(text_terms(one.place)) else ""
        spans = [(start + len(before), end + len(before)) for start, end in one.spans]
        answer = rng.choice(spans) if spans else SOMEWHERE if one.answers else None
        yield reading_example(case.question, before + one.text, answer, rng)


def _rows(one: LabelledPassage) -> Iterator[LabelledPassage]:
    for number, (start, end) in enumerate(one.units):
        spans = tuple((s - start, e - start) for s, e in one.spans if start <= s and e <= end)
        answering = frozenset({0} if number in (one.answering or ()) and spans else ())
        yield LabelledPassage(one.place, one.text[start:end], ((0, end - start),), answering, spans)


def reading_example(question: str, context: str, answer: Span | None, rng: random.Random) -> Example:
    """Encode a question with a window of the text that contains its answer at a random position.

    The target is (first, last) as positions in the whole sequence; (0, 0), [CLS], means "not here", SOMEWHERE that the
    text answers in words that are not known.
    """
    asked = tokens(question).ids[-QUESTION_TOKENS:]
    encoded = tokens(context)
    room = READER_WINDOW - 3 - len(asked)
    if answer is None or answer == SOMEWHERE:
        begin = rng.randint(0, max(0, len(encoded.ids) - room)) if answer is None else 0
        return Example(asked, encoded.ids[begin : begin + room], answer or (0, 0))
    inside = [i for i, (s, e) in enumerate(encoded.offsets) if s < answer[1] and e > answer[0]]
    if not inside or inside[-1] - inside[0] >= room:
        return Example(asked, encoded.ids[:room], (0, 0))
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
