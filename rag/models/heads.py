"""The networks of the pack: the trunk's encoder with a head for each job. Only set-up and training import it.

Every network reads `[CLS] first [SEP] second [SEP]`, token types 0 and 1, and returns raw logits. Their users explain
their meaning: `evidence.py`, `reader.py`, `cross_encoder.py`, `token_classifier.py` and `judge.py`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

HIDDEN = 384


class EvidenceNetwork(nn.Module):
    """How well each unit of a text answers: its log-odds against "nothing here answers", whose score is 0.

    A score is the mean of a learnt score over the unit's tokens, and a sum of late-interaction features of the question
    to it, by which the bare trunk ranks; so training starts from there and not from scratch.
    """

    outputs = ("unit",)

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        self.encoder = encoder
        self.weighed = nn.Linear(HIDDEN, HIDDEN)
        self.unit = nn.Linear(HIDDEN, 1)
        self.importance = nn.Linear(HIDDEN, 1)
        self.features = nn.Linear(4, 1)
        nn.init.zeros_(self.unit.weight)
        nn.init.zeros_(self.importance.weight)
        with torch.no_grad():
            self.features.weight.copy_(torch.tensor([[4.0, 4.0, 4.0, 4.0]]))
            self.features.bias.fill_(-8.0)  # the features of what answers sum to about 2

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return the units' scores (n_units,), as logits.

        Args:
            inputs: as for `read`, in order.
        """
        return self.read(*inputs)[1]

    def read(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        token_type_ids: Tensor,
        placed: Tensor,
        units: Tensor,
        owners: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Return the states (batch, tokens, dim) and the units' scores (n_units,), as logits.

        Args:
            placed: 1 for the tokens of the place (batch, tokens).
            units: 1 for the tokens of each unit (n_units, tokens).
            owners: the text that each unit is in (n_units,).
        """
        hidden = _states(self.encoder, input_ids, attention_mask, token_type_ids)
        asked, within = (attention_mask * (1 - token_type_ids)).float(), units.float()
        token = self.unit(torch.tanh(self.weighed(hidden)))[..., 0].float()
        learnt = (token[owners] * within).sum(1) / within.sum(1).clamp_min(1)
        features = self._features(hidden.float(), asked, placed.float(), within, owners)
        return hidden, learnt + self.features(features)[:, 0].float()

    def _features(
        self, hidden: Tensor, asked: Tensor, placed: Tensor, within: Tensor, owners: Tensor
    ) -> Tensor:
        """Return (n_units, 4): the cosine of mean vectors, how far the unit covers the question, the same with the
        place and the question's tokens weighted, and how far the question covers the unit."""
        vectors = hidden / hidden.norm(dim=-1, keepdim=True).clamp_min(1e-6)
        asked = torch.cat([torch.zeros_like(asked[:, :1]), asked[:, 1:]], 1)  # without [CLS]
        cosines = (vectors @ vectors.transpose(1, 2))[owners]  # (n_units, tokens, tokens)
        own, known = asked[owners], torch.maximum(within, placed[owners])
        count = within.sum(1).clamp_min(1)
        covered = (cosines - 2 * (1 - within[:, None, :])).amax(-1)  # of each token, the best in the unit
        placed_too = (cosines - 2 * (1 - known[:, None, :])).amax(-1)
        covers = (cosines - 2 * (1 - own[:, None, :])).amax(-1)
        weight = torch.exp(self.importance(hidden)[..., 0].float().clamp(-8, 8))[owners] * own
        means = [
            (hidden[owners] * part[..., None]).sum(1) / part.sum(1, keepdim=True).clamp_min(1)
            for part in (own, within)
        ]
        return torch.stack(
            [
                nn.functional.cosine_similarity(means[0], means[1], dim=-1),
                (covered * own).sum(1) / own.sum(1).clamp_min(1),
                (placed_too * weight).sum(1) / weight.sum(1).clamp_min(1e-6),
                (covers * within).sum(1) / count,
            ],
            dim=-1,
        )


class ReaderNetwork(nn.Module):
    """Start, end and answerable: an answer's first and last token, where [CLS] means none."""

    outputs = ("start", "end", "answerable")

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        self.encoder = encoder
        self.span = nn.Linear(HIDDEN, 2)
        self.answerable = nn.Linear(HIDDEN, 1)

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return start and end (batch, tokens) and answerable (batch,), as logits."""
        hidden = _states(self.encoder, input_ids, attention_mask, token_type_ids)
        spans = self.span(hidden)  # (batch, tokens, 2)
        return spans[..., 0], spans[..., 1], self.answerable(hidden[:, 0])[:, 0]


class CompressorNetwork(nn.Module):
    """Drop or keep: two classes for each token, as in LLMLingua-2."""

    outputs = ("logits",)

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        self.encoder = encoder
        self.classifier = nn.Linear(HIDDEN, 2)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> Tensor:
        """Return (batch, tokens, 2) logits: drop, keep."""
        logits: Tensor = self.classifier(_states(self.encoder, input_ids, attention_mask, token_type_ids))
        return logits


class PairNetwork(nn.Module):
    """One score for a pair of texts, from late-interaction features and the [CLS] vector.

    Features: the cosine of the two mean vectors; the mean over the first text's tokens of the largest cosine
    to one of the second's, and vice versa; and those coverages weighted by a learnt importance of each token.
    The bare trunk ranks by them, so training starts from there and not from scratch.
    """

    outputs = ("score",)

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        self.encoder = encoder
        self.importance = nn.Linear(HIDDEN, 1)
        self.dense = nn.Linear(HIDDEN, HIDDEN)
        self.gathered = nn.Linear(HIDDEN, 1)
        self.features = nn.Linear(4, 1)
        nn.init.zeros_(self.importance.weight)
        nn.init.zeros_(self.gathered.weight)
        with torch.no_grad():
            self.features.weight.copy_(torch.tensor([[4.0, 4.0, 0.0, 4.0]]))

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> Tensor:
        """Return (batch,) logits."""
        hidden = _states(self.encoder, input_ids, attention_mask, token_type_ids).float()
        real = attention_mask.float()
        second = real * token_type_ids.float()
        first = real - second
        units = hidden / hidden.norm(dim=-1, keepdim=True).clamp_min(1e-6)
        cosines = units @ units.transpose(1, 2)  # (batch, tokens, tokens)
        covered = (cosines - 2 * (1 - second[:, None, :])).amax(-1)  # the best of the second text
        covers = (cosines - 2 * (1 - first[:, None, :])).amax(-1)
        weight = torch.exp(self.importance(hidden)[..., 0].clamp(-8, 8)) * first
        pooled = [
            (hidden * m[..., None]).sum(1) / m.sum(1, keepdim=True).clamp_min(1) for m in (first, second)
        ]
        # features: (batch, 4)
        features = torch.stack(
            [
                nn.functional.cosine_similarity(pooled[0], pooled[1], dim=-1),
                (covered * first).sum(1) / first.sum(1).clamp_min(1),
                (covers * second).sum(1) / second.sum(1).clamp_min(1),
                (covered * weight).sum(1) / weight.sum(1).clamp_min(1e-6),
            ],
            dim=-1,
        )
        gathered = self.gathered(torch.tanh(self.dense(hidden[:, 0])))
        score: Tensor = (self.features(features) + gathered)[:, 0]
        return score


NETWORKS: dict[
    str, type[EvidenceNetwork] | type[ReaderNetwork] | type[CompressorNetwork] | type[PairNetwork]
] = {
    "reranker": PairNetwork,
    "evidence": EvidenceNetwork,
    "reader": ReaderNetwork,
    "compressor": CompressorNetwork,
    "judge": PairNetwork,
}


def _states(encoder: Any, ids: Tensor, mask: Tensor, types: Tensor) -> Tensor:
    states: Tensor = encoder(input_ids=ids, attention_mask=mask, token_type_ids=types).last_hidden_state
    return states
