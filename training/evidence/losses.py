"""The loss of the evidence model: which unit of the question's windows answers, where in it, and three judgements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from training.evidence.network import TaughtNetwork
from training.evidence.windows import LabelledWindow, WindowGroup, collate

# Weights of the parts.
_LISTWISE, _EACH, _SPANS, _JUDGED = 1.0, 0.6, 0.7, 0.3
_FAR = -1e4
# Windows that go through the network together.
PART = 32


def evidence_loss(model: Any, groups: Sequence[WindowGroup]) -> Tensor:
    """Return the mean loss of a batch of groups.

    Args:
        model: a TaughtNetwork.
    """
    owned = [(number, window) for number, group in enumerate(groups) for window in group.windows]
    owned.sort(key=lambda one: len(one[1]))
    parts, scores = list[Tensor](), list[Tensor]()
    # Windows of like length go through the network together, which saves padding
    for begin in range(0, len(owned), PART):
        windows = [window for _, window in owned[begin : begin + PART]]
        inputs = collate(windows)
        start, end, found, whole = (output.float() for output in model.taught(**inputs))
        scores.append(found)
        own = _SPANS * _spans(start, end, inputs, windows) + _JUDGED * _judged(whole, windows)
        parts.append(own * len(windows) / len(owned))
    every = torch.cat(scores)
    labels = torch.tensor([label for _, window in owned for label in window.labels])
    some = torch.tensor([window.some for _, window in owned for _ in window.units])
    owners = torch.tensor([number for number, window in owned for _ in window.units])
    ranked = _LISTWISE * _listwise(every, labels, some, owners, len(groups)) + _EACH * _each(every, labels)
    return ranked + torch.stack(parts).sum()


def _listwise(scores: Tensor, labels: Tensor, some: Tensor, owners: Tensor, count: int) -> Tensor:
    """Return -log P(a unit that answers), or of "none" where none does; "none" has the score 0."""
    right = (labels == 1) | some
    answerable = torch.zeros(count, dtype=torch.bool).index_fill(0, owners[right], True)
    every = torch.cat([scores, scores.new_zeros(count)])
    of = torch.cat([owners, torch.arange(count)])
    total = _log_sum(every, of, count)
    gold = torch.cat([right, ~answerable])
    return (total - _log_sum(every.masked_fill(~gold, _FAR), of, count)).mean()


def _log_sum(values: Tensor, owners: Tensor, count: int) -> Tensor:
    """Return log-sum-exp of the values of each owner (count,)."""
    most = values.new_full((count,), _FAR).scatter_reduce(0, owners, values.detach(), "amax")
    sums = values.new_zeros(count).index_add(0, owners, (values - most[owners]).exp())
    return most + sums.clamp_min(1e-30).log()


def _each(scores: Tensor, labels: Tensor) -> Tensor:
    """Judge each unit by itself: what answers stands above 0, what does not below."""
    known = labels >= 0
    each = nn.functional.binary_cross_entropy_with_logits(
        scores[known], labels[known].float(), reduction="none"
    )
    right = labels[known] == 1
    parts = [each[mask].mean() for mask in (right, ~right) if mask.any()]
    return torch.stack(parts).mean() if parts else scores.sum() * 0


def _spans(
    start: Tensor, end: Tensor, inputs: dict[str, Tensor], windows: Sequence[LabelledWindow]
) -> Tensor:
    """Return the cross-entropy of the first and the last token; [CLS] means "not here"."""
    told = [row for row, window in enumerate(windows) if window.spans or not window.answers]
    if not told:
        return start.sum() * 0
    allowed = torch.zeros_like(inputs["input_ids"], dtype=torch.bool)
    for row, window in enumerate(windows):
        begin = len(window.asked) + len(window.place) + 3
        allowed[row, begin : begin + len(window.text)] = True
    allowed[:, 0] = True
    loss = start.new_zeros(())
    for logits, side in ((start, 0), (end, 1)):
        every = logits.masked_fill(~allowed, _FAR)
        gold = torch.zeros_like(allowed)
        for row in told:
            gold[row, [span[side] for span in windows[row].spans] or [0]] = True
        taken = every.masked_fill(~gold, _FAR)[told].logsumexp(1)
        loss = loss + (every[told].logsumexp(1) - taken).mean() / 2
    return loss


def _judged(whole: Tensor, windows: Sequence[LabelledWindow]) -> Tensor:
    targets = torch.tensor([[getattr(w, name) for name in TaughtNetwork.judgements] for w in windows])
    known = targets >= 0
    if not known.any():
        return whole.sum() * 0
    return nn.functional.binary_cross_entropy_with_logits(whole[known], targets[known].float())
