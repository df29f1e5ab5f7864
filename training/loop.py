"""What the jobs share: the adapted trunk, batches by length, a resumable loop, and the saved weights."""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import AutoModel

from rag.models.export import LORA, adapted_network, is_trained
from rag.models.heads import NETWORKS
from rag.models.pack import PACK_FOLDER, WHOLE
from rag.models.runtime import cores
from rag.models.trunk import trunk_folder

ROOT = Path(__file__).parent.parent
SEED = 11
SAVE_EVERY = 100  # steps between checkpoints
# Lowest layers that do not learn where training goes on from a packaged model.
FROZEN = 2
# The width of a batch is a multiple of this: each new shape costs oneDNN compilations.
_STEP = 16
# Batches sorted by length together, to reduce padding.
_BUCKET = 48


@dataclass(frozen=True, slots=True)
class Example:
    """One pair as the encoder reads it, with the target for the job's loss."""

    first: Sequence[int]
    second: Sequence[int]
    target: Any

    def __len__(self) -> int:
        return len(self.first) + len(self.second) + 3


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how fast one job learns."""

    job: str
    epochs: int
    batch: int
    rate: float  # peak of AdamW's learning rate, reached after `warmup` of the steps, then falling to 0
    head_rate: float = 1e-3
    warmup: float = 0.06
    threads: int = 0
    folder: Path = field(default=ROOT / "training" / "checkpoints")


def options(job: str, plan: Plan) -> Plan:
    """Read the command line of a job: `--epochs`, `--threads`, `--folder`."""
    parser = argparse.ArgumentParser(prog=f"python -m training.{job}")
    parser.add_argument("--epochs", type=int, default=plan.epochs)
    parser.add_argument("--threads", type=int, default=plan.threads, help="0: all cores")
    parser.add_argument("--folder", type=Path, default=plan.folder, help="where checkpoints lie")
    given = parser.parse_args()
    return replace(plan, job=job, epochs=given.epochs, threads=given.threads, folder=given.folder)


def network(job: str) -> nn.Module:
    """Return the job's network over the trunk with a fresh adapter."""
    torch.manual_seed(SEED)
    return NETWORKS[job](get_peft_model(trunk_encoder(), LoraConfig(**LORA)))


def trunk_encoder(**options: Any) -> Any:
    """Return the trunk as training begins; dropout is off, since it halves the speed.

    Args:
        options: more arguments of transformers' `from_pretrained`.
    """
    return AutoModel.from_pretrained(
        str(trunk_folder()),
        attn_implementation="eager",  # a third faster than sdpa's backward pass on CPUs
        local_files_only=True,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        **options,
    )


def packaged_encoder(job: str) -> tuple[Any, Any]:
    """Return an encoder that goes on from a packaged model's, its embeddings and lowest layers frozen, and that model.

    Args:
        job: whose packaged weights training begins with.
    """
    torch.manual_seed(SEED)
    encoder = trunk_encoder(add_pooling_layer=False)
    packaged = adapted_network(job, PACK_FOLDER / f"{job}.safetensors")
    encoder.load_state_dict(packaged.encoder.state_dict(), strict=False)
    for part in (encoder.embeddings, *encoder.encoder.layer[:FROZEN]):
        part.requires_grad_(False)
    return encoder, packaged


def collate(examples: Sequence[Example], cls: int = 101, sep: int = 102) -> dict[str, Tensor]:
    """Pad `[CLS] first [SEP] second [SEP]` to about the longest: ids, mask and types, each (batch, tokens)."""
    width = -(-max(map(len, examples)) // _STEP) * _STEP
    ids, mask, types = (torch.zeros(len(examples), width, dtype=torch.long) for _ in range(3))
    for row, example in enumerate(examples):
        tokens = [cls, *example.first, sep, *example.second, sep]
        ids[row, : len(tokens)] = torch.tensor(tokens)
        mask[row, : len(tokens)] = 1
        types[row, len(example.first) + 2 : len(tokens)] = 1
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}


def batches(
    examples: Sequence[Any], size: int, rng: random.Random, rows: Callable[[Any], int] = lambda _: 1
) -> list[list[Any]]:
    """Shuffle into batches of similar length.

    Args:
        size: rows of a batch at most, unless one example alone has more.
        rows: how many rows of a batch an example takes.
    """
    shuffled = rng.sample(list(examples), len(examples))
    cut: list[list[Any]] = []
    for begin in range(0, len(shuffled), size * _BUCKET):
        batch: list[Any] = []
        for example in sorted(shuffled[begin : begin + size * _BUCKET], key=len):
            if batch and sum(map(rows, batch)) + rows(example) > size:
                cut.append(batch)
                batch = []
            batch.append(example)
        cut.append(batch)
    rng.shuffle(cut)
    return cut


def train(
    model: nn.Module,
    plan: Plan,
    epoch_examples: Callable[[int], Sequence[Any]],
    loss: Callable[[nn.Module, list[Any]], Tensor],
    rows: Callable[[Any], int] = lambda _: 1,
) -> None:
    """Train until the plan is done, resuming from the checkpoint if there is one.

    Args:
        epoch_examples: returns the examples of an epoch by its number; the same number gives the same examples.
        loss: returns the mean loss of a batch.
        rows: how many of `plan.batch` an example takes.
    """
    # Set in any case, since importing the index limits torch to one OpenMP thread
    torch.set_num_threads(plan.threads or cores())
    adapted = [p for n, p in model.named_parameters() if p.requires_grad and n.startswith("encoder")]
    head = [p for n, p in model.named_parameters() if p.requires_grad and not n.startswith("encoder")]
    optimiser = torch.optim.AdamW(
        [{"params": adapted, "lr": plan.rate}, {"params": head, "lr": plan.head_rate}], weight_decay=0.01
    )
    path = plan.folder / f"{plan.job}.pt"
    path.parent.mkdir(parents=True, exist_ok=True)
    done = _resume(path, model, optimiser)
    step, started, seen, ran, average = 0, time.time(), 0, 0, None
    total = 0
    model.train()
    for epoch in range(plan.epochs):
        rng = random.Random(f"{SEED} {epoch}")
        planned = batches(epoch_examples(epoch), plan.batch, rng, rows)
        total = total or plan.epochs * len(planned)
        for batch in planned:
            step += 1
            if step <= done:
                continue
            for group, peak in zip(optimiser.param_groups, (plan.rate, plan.head_rate), strict=True):
                group["lr"] = peak * _schedule(step, total, plan.warmup)
            with torch.autocast("cpu", torch.bfloat16):
                value = loss(model, batch)
            torch.autograd.backward(value)
            nn.utils.clip_grad_norm_([*adapted, *head], 1.0)
            optimiser.step()
            optimiser.zero_grad()
            ran, seen = ran + 1, seen + sum(map(len, batch))
            average = value.item() if average is None else 0.98 * average + 0.02 * value.item()
            if step % 25 == 0:
                spent = time.time() - started
                left = (total - step) * spent / ran / 60
                print(
                    f"{plan.job} step {step}/{total} epoch {epoch} loss {average:.4f} "
                    f"{seen / spent:,.0f} tokens/s {left:.0f} min left",
                    flush=True,
                )
            if step % SAVE_EVERY == 0:
                _checkpoint(path, model, optimiser, step)
    if step > done:
        _checkpoint(path, model, optimiser, step)
    model.eval()


def save(model: Any, plan: Plan, **fitted: Any) -> None:
    """Write the weights beside their checkpoint, and a JSON file with the number of steps and the calibration."""
    state = torch.load(plan.folder / f"{plan.job}.pt", weights_only=True)
    written = save_whole if plan.job in WHOLE else save_adapter
    written(model, plan.job, plan.folder / f"{plan.job}.safetensors")
    described = json.dumps({"steps": state["step"], **fitted})
    (plan.folder / f"{plan.job}.json").write_text(described, encoding="utf-8")


def save_adapter(model: Any, job: str, path: Path) -> None:
    """Write adapter and head as float16 safetensors, with the names that `rag.models.export` expects."""
    adapter = get_peft_model_state_dict(model.encoder)
    tensors = {f"encoder.{name}": tensor for name, tensor in adapter.items()}
    tensors |= {name: t for name, t in model.state_dict().items() if not name.startswith("encoder.")}
    _save_halves(tensors, job, path)


def save_whole(model: Any, job: str, path: Path) -> None:
    """Write encoder and head, without the embeddings, as float16 safetensors."""
    _save_halves({name: t for name, t in model.state_dict().items() if is_trained(name)}, job, path)


def _save_halves(tensors: Mapping[str, Tensor], job: str, path: Path) -> None:
    halves = {name: tensor.detach().to(torch.float16).contiguous() for name, tensor in tensors.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(halves, str(path), metadata={"job": job})


def commit() -> str:
    """Return the current commit, marked if the tree differs from it."""
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=7"], cwd=ROOT, capture_output=True, text=True
    )
    return described.stdout.strip()


def _schedule(step: int, total: int, warmup: float) -> float:
    rising = step / max(1, warmup * total)
    return min(rising, max(0.0, (total - step + 1) / max(1, (1 - warmup) * total)))


def _checkpoint(path: Path, model: nn.Module, optimiser: torch.optim.Optimizer, step: int) -> None:
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    torch.save(
        {"step": step, "model": trained, "optimiser": optimiser.state_dict()}, path.with_suffix(".new")
    )
    path.with_suffix(".new").replace(path)


def _resume(path: Path, model: nn.Module, optimiser: torch.optim.Optimizer) -> int:
    if not path.is_file():
        return 0
    state = torch.load(path, weights_only=True)
    model.load_state_dict(state["model"], strict=False)
    optimiser.load_state_dict(state["optimiser"])
    print(f"resuming from step {state['step']} of {path}", flush=True)
    return int(state["step"])
