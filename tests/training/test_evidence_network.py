"""How the evidence model learns: where it begins and what is kept of it, batches, and the loss."""

from __future__ import annotations

import math
import random
import re
from typing import Any

import pytest
import torch

from rag.models.heads import EvidenceNetwork
from tests.training.made_cases import LAMP, lamp_case
from training.evidence.cases import Case, LabelledPassage, passage, silent, units_of
from training.evidence.export import returned
from training.evidence.losses import evidence_loss
from training.evidence.network import AUXILIARY, TaughtNetwork, fresh_network
from training.evidence.windows import WindowGroup, collate, encode, tokens
from training.loop import FROZEN, batches

# the network


@pytest.fixture(scope="module")
def fresh() -> TaughtNetwork:
    return fresh_network().eval()


def test_training_begins_with_the_rerankers_features(fresh: TaughtNetwork) -> None:
    """The heads say nothing yet, so what covers the question scores higher than what does not."""
    windows = groups(RIGHT)[0].windows
    with torch.inference_mode():
        _, _, scores, _ = fresh.taught(**collate(windows))
    assert scores.shape == (3,)
    assert scores[0] > max(scores[1:])


def test_units_are_scored_as_the_pack_scores_them(fresh: TaughtNetwork) -> None:
    inputs = collate(groups(RIGHT, lamp_case("Ada Quill"))[0].windows)
    packed = EvidenceNetwork(fresh.encoder).eval()
    packed.load_state_dict(fresh.state_dict(), strict=False)
    with torch.inference_mode():
        assert torch.equal(packed(*inputs.values()), fresh.taught(**inputs)[2])
    more = fresh.state_dict().keys() - packed.state_dict().keys()
    assert more
    assert all(name.startswith(AUXILIARY) for name in more)


@pytest.mark.parametrize("share", [0.0, 0.7, 1.0])
def test_weights_return_part_of_the_way(fresh: TaughtNetwork, share: float) -> None:
    begun = fresh.state_dict()
    ended = {name: tensor + 2 for name, tensor in begun.items() if name.startswith(("unit.", "span."))}
    packed = returned(ended, share)
    assert packed.keys() == {
        name for name in EvidenceNetwork(fresh.encoder).state_dict() if "embeddings" not in name
    }
    for name, tensor in packed.items():
        learnt = 2 * share if name.startswith("unit.") else 0
        assert torch.allclose(tensor, begun[name] + learnt), name


def test_what_does_not_learn_is_the_bottom_of_the_encoder(fresh: TaughtNetwork) -> None:
    still = {name for name, parameter in fresh.named_parameters() if not parameter.requires_grad}
    assert still == {
        name for name, _ in fresh.named_parameters()
        if re.match(rf"encoder\.(embeddings|encoder\.layer\.[0-{FROZEN - 1}])\.", name)
    }  # fmt: skip


# batches


class Rows(list[int]):
    """An example that takes as many rows as its number says; the longer, the more."""


def test_batches_hold_as_many_rows_as_fit() -> None:
    examples = [Rows([n]) for n in (5, 1, 4, 9, 2, 2)]
    cut = batches(examples, 6, random.Random(1), rows=lambda one: one[0])
    assert sorted(one[0] for batch in cut for one in batch) == [1, 2, 2, 4, 5, 9]
    for batch in cut:
        assert sum(one[0] for one in batch) <= 6 or len(batch) == 1
    # Without rows, as many examples as fit, the last batch the rest
    assert sorted(map(len, batches(examples, 4, random.Random(1)))) == [2, 4]


# the loss


class Fixed(torch.nn.Module):
    """A stand-in for the network: a token has the logits of its id, and all windows the same judgements."""

    def __init__(self, logits: dict[int, list[float]], whole: float = 0.0) -> None:
        super().__init__()
        self.table = torch.nn.Parameter(torch.zeros(30_522, 3))
        for token, values in logits.items():
            self.table.data[token] = torch.tensor(values)
        self.judged = torch.nn.Parameter(torch.full((3,), whole))

    def taught(self, input_ids: Any, units: Any, owners: Any, **_: Any) -> tuple[Any, ...]:
        start, end, unit = self.table[input_ids].unbind(-1)
        scores = (unit[owners] * units).sum(1) / units.sum(1)
        return start, end, scores, self.judged.expand(len(input_ids), 3)


def groups(*cases: Case) -> list[WindowGroup]:
    return [encode(case, random.Random(0)) for case in cases]


def scored(phrases: dict[str, float], part: int) -> Fixed:
    """Return a network whose output `part` (0 start, 1 end, 2 unit) has a value at the tokens of each phrase."""
    logits = {
        token: [value if n == part else 0.0 for n in range(3)]
        for phrase, value in phrases.items()
        for token in tokens(phrase).ids
    }
    return Fixed(logits)


RIGHT = lamp_case("whale oil")
ABSENT = Case(RIGHT.question, (silent("lighthouse notes", LAMP, True),))
UNKNOWN = Case(RIGHT.question, (LabelledPassage("", LAMP, units_of(LAMP), None),))


def test_windows_of_any_length_have_one_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which windows go through the network together does not matter."""
    made = groups(RIGHT, ABSENT, lamp_case("Ada Quill", text=LAMP * 3))
    model = scored({"whale oil": 2.0, "lit": 1.0}, 2)
    together = evidence_loss(model, made).item()
    monkeypatch.setattr("training.evidence.losses.PART", 1)
    assert evidence_loss(model, made).item() == pytest.approx(together)


@pytest.mark.parametrize("case", [RIGHT, UNKNOWN, ABSENT], ids=["known", "unknown", "absent"])
def test_the_loss_falls_as_the_right_unit_rises(case: Case) -> None:
    right, wrong = scored({"whale oil": 6.0}, 2), scored({"199": 6.0}, 2)
    neither, both = Fixed({}), scored({"whale oil": 6.0, "199": 6.0}, 2)
    made = groups(case, case)
    losses = [evidence_loss(model, made).item() for model in (right, neither, wrong, both)]
    if case is RIGHT:
        assert losses[0] < losses[1] < losses[2]
        assert losses[0] < losses[3]
    elif case is UNKNOWN:  # whichever answers
        assert losses[3] < losses[0] < losses[1]
        assert losses[2] < losses[1]
    else:
        assert losses[1] < losses[0] < losses[3]
        assert evidence_loss(scored({"lamp": -6.0, "lit": -6.0, "stairs": -6.0}, 2), made).item() < losses[1]


@pytest.mark.parametrize("part", [0, 1])
def test_the_loss_falls_as_the_right_words_rise(part: int) -> None:
    word, other = ("whale", "lamp") if part == 0 else ("oil", "whale")
    made = groups(RIGHT)
    right, neither, wrong = (
        evidence_loss(scored(phrases, part), made).item() for phrases in ({word: 5.0}, {}, {other: 5.0})
    )
    assert right < neither < wrong


def test_words_do_not_matter_where_they_are_not_known() -> None:
    made = groups(UNKNOWN)
    assert evidence_loss(scored({"whale": 9.0}, 0), made).item() == pytest.approx(
        evidence_loss(Fixed({}), made).item()
    )


def test_judgements_by_hand() -> None:
    """A window that answers and is about what is asked; whether with yes is not known."""
    made = groups(RIGHT)
    unsure, sure = (evidence_loss(Fixed({}, whole), made).item() for whole in (0.0, 4.0))
    assert unsure - sure == pytest.approx(0.3 * (math.log(2) - math.log1p(math.exp(-4))), abs=1e-5)


@pytest.mark.parametrize("value", [0.0, 30.0, -1_000.0, 5_000.0])
def test_the_loss_is_finite_whatever_is_known(value: float) -> None:
    rich = Case("Is it lit?", (passage("", LAMP, [(0, 8)]), silent("", LAMP, None)), yes=True)
    for cases in ([UNKNOWN], [ABSENT], [RIGHT], [UNKNOWN, ABSENT], [RIGHT, UNKNOWN, ABSENT, rich]):
        model = scored({"whale oil": value, "199": -value}, 2)
        loss = evidence_loss(model, groups(*cases))
        assert math.isfinite(loss.item())
        torch.autograd.backward(loss)
        for parameter in model.parameters():
            assert parameter.grad is None or bool(torch.isfinite(parameter.grad).all())
