"""Make the pack's file of the trained checkpoint, and its int8 network: `python -m training.evidence.export`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from rag.models.export import export_adapted, is_trained
from training.evidence.__main__ import PLAN
from training.evidence.network import AUXILIARY, fresh_network
from training.loop import Plan, options

# How far the weights go from where training began to where it ended. Nearer to the end, the training sets are read
# better, and texts unlike them worse (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models"). Over 60
# questions of each of five held-out kinds, the right unit was first for .66 at .5, .67 at .7 and .64 at 1.
SHARE = 0.7


def main() -> None:
    """Export the checkpoint of the folder."""
    print(export(options("evidence.export", PLAN)))


def export(plan: Plan, share: float = SHARE) -> Path:
    """Write evidence.safetensors (float16), evidence.json (steps) and evidence.int8.onnx beside the checkpoint.

    Returns:
        The path of the int8 network.
    """
    checkpoint = torch.load(plan.folder / "evidence.pt", weights_only=True)
    halves = {
        name: tensor.to(torch.float16).contiguous()
        for name, tensor in returned(checkpoint["model"], share).items()
    }
    weights = plan.folder / "evidence.safetensors"
    save_file(halves, str(weights), metadata={"job": "evidence"})
    described = json.dumps({"steps": checkpoint["step"], "share": share})
    (plan.folder / "evidence.json").write_text(described, encoding="utf-8")
    prepared = plan.folder / "evidence.int8.onnx"
    export_adapted("evidence", weights, prepared)
    return prepared


def returned(trained: Mapping[str, Tensor], share: float) -> dict[str, Tensor]:
    """Return the pack's tensors, part of the way from where training began to where it ended; frozen ones as they were.

    Args:
        trained: the parameters that learnt, at the end.
        share: of the way, in [0, 1].
    """
    begun = fresh_network().state_dict()
    return {
        name: torch.lerp(tensor, trained[name].detach(), share) if name in trained else tensor
        for name, tensor in begun.items()
        if is_trained(name) and not name.startswith(AUXILIARY)
    }


if __name__ == "__main__":
    main()
