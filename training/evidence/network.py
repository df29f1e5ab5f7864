"""The evidence network as it is trained: with heads that the pack leaves out, and from where it begins."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from rag.models.heads import HIDDEN, EvidenceNetwork
from training.loop import packaged_encoder

# Parameters of the heads that only help training.
AUXILIARY = ("span.", "gathered.", "whole.")


class TaughtNetwork(EvidenceNetwork):
    """The evidence network that also finds the answer's words and judges the whole text.

    Units, words and judgements are learnt together, for the encoder reads better for it. In use only units are scored:
    out of domain the other heads are worse than the packaged reader.
    """

    judgements = ("about", "answers", "yes")

    def __init__(self, encoder: Any) -> None:
        # Drawn before the others, so that SEED draws the heads that the packaged weights began from
        span = nn.Linear(HIDDEN, 2)
        super().__init__(encoder)
        self.span = span
        self.gathered = nn.Linear(HIDDEN, HIDDEN)
        self.whole = nn.Linear(HIDDEN, len(self.judgements))

    def taught(self, **inputs: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return start and end (batch, tokens), the units' scores (n_units,) and judgements (batch, 3), as logits.

        Args:
            inputs: as for `EvidenceNetwork.read`.
        """
        hidden, scores = self.read(**inputs)
        spans = self.span(hidden)  # (batch, tokens, 2)
        whole = self.whole(torch.tanh(self.gathered(hidden[:, 0])))
        return spans[..., 0], spans[..., 1], scores, whole


def fresh_network() -> TaughtNetwork:
    """Return the network as training begins: the packaged reranker's, with heads that say nothing yet."""
    encoder, reranker = packaged_encoder("reranker")
    network = TaughtNetwork(encoder)
    network.importance.load_state_dict(reranker.importance.state_dict())
    with torch.no_grad():
        # The reranker's features are the same in another order
        network.features.weight.copy_(reranker.features.weight[:, [0, 1, 3, 2]])
    return network
