"""Fit the model that completes follow-up questions: `python -m training.rewrites`, about six minutes on two cores.

For each question the edits of `rag.followup.edits` are ranked by the word F1 of their result with a person's rewrite;
after the best one, once more. Beside people's rewrites there are questions that need none (of reading sets, put after
related and unrelated turns) and made follow-ups of the form "And in Graz?", since the sets have few. Only data whose
licence allows shipping weights is used; half of CANARD's dialogues are held out for measuring. The margin by which an
edit has to beat leaving the question alone is set on standing questions of its own. Writes `rag/pack/rewrites.json`.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from eval.benchmarks.conversation.standing import exchange_of, standing_after, stands
from eval.datasets import held_back, records
from eval.reading import answer_f1, normalise_answer
from eval.trial import commit
from rag.followup.edits import edits_of
from rag.followup.features import edit_features
from rag.followup.mentions import name_spans, phrase_spans, read_conversation
from rag.followup.scorer import REWRITES_FILE

SEED = 11
STEPS = 2  # edits of one question
MOST_ROWS = {"qrecc": 5_410, "cast": 1_151, "mtrag-rewrites": 666, "gecor": 500, "canard-dev": 2_400}
STANDING, MADE, INNER = 3_000, 1_800, 800
MOST_EDITS = 48  # of a question, in training
HIDDEN = 48
# How far an edit has to score above leaving the question alone; chosen on the standing questions that are printed.
MARGIN = 0.3
SHARPNESS = 25.0  # of the target: the softmax of F1 times this
LISTWISE, EXPECTED = 0.3, 10.0  # weights of the two parts of the loss
EPOCHS, BATCH, RATE, DECAY = 14, 96, 3e-3, 1e-4
LICENCES = {
    "conversation/canard-dev": "CC BY-SA 4.0",
    "conversation/qrecc": "CC BY-SA 3.0",
    "conversation/cast": "MIT",
    "conversation/mtrag-rewrites": "Apache-2.0",
    "conversation/gecor": "MIT",
    "reading/squad-train": "CC BY-SA 4.0",
    "reading/nq-train": "MIT / CC BY-SA 3.0",
}


# Questions whose pronoun means a noun of their own.
_INNER = (
    "What happens to a {one} if it is damaged?",
    "What happens to the {one} when it is not used?",
    "Can a {one} be returned if it does not work?",
    "Who repairs the {one} when it breaks?",
    "How is a {one} stored before it is sold?",
    "If a {one} is lost, who replaces it?",
    "A {one} was lost. Who is it reported to?",
    "My {one} is broken. Where can I have it repaired?",
    "Where is the {one} kept after it has been checked?",
    "When does a {one} lose its {other}?",
    "What does a {one} cost with its {other}?",
    "Why was the {one} closed after it had opened?",
    "Who do {several} call when they arrive?",
    "Whom do {several} ask if they are late?",
    "When must {several} return their {other}?",
    "Do {several} pay for their own {other}?",
    "How do {several} renew their {other}?",
    "Where do {several} go after they have signed in?",
    "What do {several} need before they can start?",
    "Which {several} have to show their {other}?",
    "May {several} bring their {other} with them?",
    "{Several} arrive at nine. Who meets them?",
    "Are {several} paid when they are ill?",
    "Can {several} take a {other} home with them?",
)


@dataclass(frozen=True, slots=True)
class Example:
    """A question, what was said before, and the rewrite that it should get."""

    source: str
    history: Sequence[str]
    question: str
    rewrite: str

    @property
    def stands(self) -> bool:
        return normalise_answer(self.question) == normalise_answer(self.rewrite)


@dataclass(frozen=True, slots=True)
class Group:
    """The edits of one question, and what each is worth."""

    features: np.ndarray  # (n_edits, n_features)
    worth: np.ndarray  # (n_edits,) F1 with the person's rewrite


def main() -> None:
    """Collect, fit, report and write."""
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    examples = [*rewritten(), *standing(), *made_exchanges(), *made_inner()]
    # People left few questions as they were
    examples += [example for example in examples if example.source in MOST_ROWS and example.stands] * 2
    random.Random(SEED).shuffle(examples)
    pairs = [(example, group) for example in examples for group in groups_of(example)]
    print(f"{len(examples)} questions, {sum(len(g.worth) for _, g in pairs)} edits", flush=True)
    network = fit([group for _, group in pairs])
    write(network)
    for source in sorted({example.source for example, _ in pairs}):
        leads = [
            lead_of(network, group) for example, group in pairs if example.source == source and example.stands
        ]
        if leads:
            touched = sum(lead > MARGIN for lead in leads)
            print(f"{source}: {touched} of {len(leads)} standing questions touched")


def rewritten() -> Iterator[Example]:
    """Yield people's rewrites; of CANARD only the dialogues that are not held back, which QReCC shares in part."""
    rng = random.Random(SEED)
    kept = set()
    for name, most in reversed(MOST_ROWS.items()):
        rows = [row for row in records(f"conversation/{name}.jsonl.gz") if row["history"]]
        if name == "canard-dev":
            held = [row for row in rows if held_back(" ".join(row["history"][:2]))]
            kept = {(row["question"].lower(), row["rewrite"].lower()) for row in held}
            rows = [row for row in rows if not held_back(" ".join(row["history"][:2]))]
        rows = [row for row in rows if (row["question"].lower(), row["rewrite"].lower()) not in kept]
        for row in rng.sample(rows, min(most, len(rows))):
            yield Example(name, row["history"], row["question"], row["rewrite"])


def standing() -> Iterator[Example]:
    """Yield questions that stand alone after turns that are related (of the same article) or not."""
    rng = random.Random(SEED + 1)
    rows = _standing_rows()
    searched = [row for row in records("reading/nq-train.jsonl.gz") if not held_back(row["question"])]
    for chosen, pool in ((rng.sample(rows, STANDING * 3 // 4), rows), (searched[: STANDING // 4], searched)):
        for turns, question in standing_after(chosen, pool, rng):
            yield Example("standing", turns, question, question)


def _standing_rows() -> list[dict[str, Any]]:
    """Return the answerable questions of SQuAD's training part that stand alone."""
    rows = records("reading/squad-train.jsonl.gz")
    return [row for row in rows if row["answerable"] and stands(row["question"])]


def made_exchanges() -> Iterator[Example]:
    """Yield made follow-ups: a part of a question exchanged for what stands in such a place in another question."""
    rng = random.Random(SEED + 2)
    rows = _standing_rows()
    parts: dict[tuple[str, str], list[tuple[str, str, tuple[int, int]]]] = {}
    for row in rows:
        for frame, span in _parts(row["question"]):
            parts.setdefault(frame, []).append((row["question"], row["question"][slice(*span)], span))
    frames = [frame for frame, found in parts.items() if len(found) >= 20]
    weights = [len(parts[frame]) ** 0.5 for frame in frames]
    for _ in range(MADE):
        frame = rng.choices(frames, weights)[0]
        asked, part, span = rng.choice(parts[frame])
        new = rng.choice(parts[frame])[1]
        if new.lower() == part.lower():
            continue
        if frame[1] == "name" and frame[0] != "the" and rng.random() < 0.2:
            new = f"the {new}"  # as "the US" is
        whole = asked[: span[0]] + new + asked[span[1] :]
        row = rng.choice(rows)
        before = exchange_of(row) if rng.random() < 0.4 else []
        answer = [] if rng.random() < 0.4 else [exchange_of(rng.choice(rows))[1]]
        yield Example("made", [*before, asked, *answer], _follow_up(frame, new, asked, rng), whole)


def _parts(question: str) -> Iterator[tuple[tuple[str, str], tuple[int, int]]]:
    """Yield what may be exchanged, with what it looks like: the word before it, and its kind."""
    names = list(name_spans(question))
    for start, end in [*names, *phrase_spans(question)]:
        kind = "name" if (start, end) in names else "plural" if question[start:end].endswith("s") else "noun"
        if start == 0 or (kind != "name" and any(start < e and s < end for s, e in names)):
            continue
        if kind != "name" and question[start:end].lower().endswith(("ed", "ing", "ly")):
            continue
        before = question[:start].split()[-1].lower()
        if kind == "name" or before in (
            "the",
            "a",
            "an",
            "do",
            "did",
            "does",
            "are",
            "many",
            "of",
            "in",
            "for",
            "by",
        ):
            yield (before, kind), (start, end)


def _follow_up(frame: tuple[str, str], new: str, asked: str, rng: random.Random) -> str:
    before, kind = frame
    shown = f"the {new}" if before == "the" and kind != "name" else new
    place = (
        f"{before} {new}"
        if before in ("in", "at", "on", "for", "by", "from", "of", "during", "after")
        else shown
    )
    forms = [
        "And {0}?",
        "What about {0}?",
        "and {0}?",
        "How about {0}?",
        "what about {0}",
        "And {1}?",
        "And {1}?",
    ]
    said = rng.choice(forms).format(shown, place)
    return said.lower() if rng.random() < 0.15 else said


def made_inner() -> Iterator[Example]:
    """Yield made questions whose pronoun means a noun of their own: "What happens to a parcel if it is late?"."""
    rng = random.Random(SEED + 3)
    rows = [row for row in records("reading/squad-train.jsonl.gz") if row["answerable"]]
    nouns: dict[str, list[str]] = {"noun": [], "plural": []}
    for row in rows:
        for (before, kind), span in _parts(row["question"]):
            if kind in nouns and (
                before in ("the", "a", "an") if kind == "noun" else before in ("do", "are", "many")
            ):
                nouns[kind].append(row["question"][slice(*span)])
    for _ in range(INNER):
        one, several = rng.choice(nouns["noun"]), rng.choice(nouns["plural"])
        other = rng.choice(nouns["noun"]).split()[-1]
        question = rng.choice(_INNER).format(
            one=one, several=several, other=other, Several=several.capitalize()
        )
        turns = [turn for row in rng.choices(rows, k=rng.randint(1, 2)) for turn in exchange_of(row)]
        yield Example("inner", turns, question, question)


def groups_of(example: Example) -> Iterator[Group]:
    """Yield the edits of a question, and those of what the best edit made of it."""
    said, question, worth_before = read_conversation(example.history), example.question, -1.0
    for _ in range(STEPS):
        edits = edits_of(question, said)
        worth = np.array([answer_f1(edit.text, [example.rewrite]) for edit in edits])
        if example.stands:
            worth = np.where(np.arange(len(edits)) == 0, 1.0, worth - 0.2)
        yield thinned(Group(edit_features(question, said, edits), worth))
        best = int(worth.argmax())
        if best == 0 or worth[best] <= worth_before:
            return
        question, worth_before = edits[best].text, worth[best]


def thinned(group: Group) -> Group:
    """Keep leaving the question alone, the best edits, and some of the others: they are many and alike."""
    if len(group.worth) <= MOST_EDITS:
        return group
    best = np.argsort(-group.worth[1:], kind="stable")[: MOST_EDITS // 3] + 1
    others = np.setdiff1d(np.arange(1, len(group.worth)), best)
    drawn = np.random.default_rng(SEED).choice(others, MOST_EDITS - 1 - len(best), replace=False)
    kept = np.concatenate([[0], np.sort(best), np.sort(drawn)])
    return Group(group.features[kept], group.worth[kept])


def fit(groups: Sequence[Group]) -> torch.nn.Sequential:
    """Fit the network listwise, to what the edits of each question are worth."""
    features, worth, there = padded(groups)
    mean, spread = features[there].mean(0), features[there].std(0) + 1e-3
    network = torch.nn.Sequential(
        torch.nn.Linear(features.shape[2], HIDDEN),
        torch.nn.Tanh(),
        torch.nn.Dropout(0.1),
        torch.nn.Linear(HIDDEN, 1),
    )
    optimiser = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY)
    steps = EPOCHS * (len(groups) // BATCH + 1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps)
    for _ in range(EPOCHS):
        order = torch.randperm(len(groups))
        for batch in torch.split(order, BATCH):
            scores = network((features[batch] - mean) / spread)[:, :, 0]
            loss = loss_of(scores.masked_fill(~there[batch], -1e4), worth[batch], there[batch])
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
            schedule.step()
    network.eval()
    return fold(network, mean, spread)


def padded(groups: Sequence[Group]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return features (n_groups, most_edits, n_features), worth (n_groups, most_edits), and where there is an edit."""
    most = max(len(group.worth) for group in groups)
    features = torch.zeros(len(groups), most, groups[0].features.shape[1])
    worth, there = torch.full((len(groups), most), -1.0), torch.zeros(len(groups), most, dtype=torch.bool)
    for number, group in enumerate(groups):
        count = len(group.worth)
        features[number, :count] = torch.from_numpy(group.features)
        worth[number, :count] = torch.from_numpy(group.worth)
        there[number, :count] = True
    return features, worth, there


def loss_of(scores: torch.Tensor, worth: torch.Tensor, there: torch.Tensor) -> torch.Tensor:
    """Return the cross entropy to what is worth most, and the worth that choosing by the scores is expected to lose."""
    likely = torch.log_softmax(scores, 1)  # (n_groups, most_edits)
    target = torch.softmax((SHARPNESS * worth).masked_fill(~there, -1e4), 1)
    lost = worth.max(1).values - (likely.exp() * worth).sum(1)
    return (LISTWISE * -(target * likely).sum(1) + EXPECTED * lost).mean()


def fold(network: torch.nn.Sequential, mean: torch.Tensor, spread: torch.Tensor) -> torch.nn.Sequential:
    """Fold the scaling of the features into the first layer."""
    first = _linear(network, 0)
    with torch.no_grad():
        weight = first.weight / spread
        first.bias.sub_(weight @ mean)
        first.weight.copy_(weight)
    return network


def _linear(network: torch.nn.Sequential, number: int) -> torch.nn.Linear:
    layer = network[number]
    assert isinstance(layer, torch.nn.Linear)
    return layer


def lead_of(network: torch.nn.Sequential, group: Group) -> float:
    """Return how far the best edit scores above leaving the question alone."""
    with torch.no_grad():
        scores = network(torch.from_numpy(group.features))[:, 0]
    return float(scores[1:].max() - scores[0]) if len(scores) > 1 else -1.0


def write(network: torch.nn.Sequential) -> None:
    """Write the model as the service reads it (rag/followup/scorer.py)."""
    first, last = _linear(network, 0), _linear(network, 3)
    pack = {
        "trained": {"by": "python -m training.rewrites", "commit": commit(), "data": LICENCES},
        "margin": MARGIN,
        "hidden": [[float(f"{value:.5g}") for value in row] for row in first.weight.detach().numpy().T],
        "bias": [float(f"{value:.5g}") for value in first.bias.detach().numpy()],
        "out": [float(f"{value:.5g}") for value in last.weight.detach().numpy()[0]],
    }
    REWRITES_FILE.write_text(json.dumps(pack) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
