"""Make the prepared networks: merge the pack's weights into the trunk, export to ONNX, quantise to int8.

Only set-up and training do this: it needs torch, which takes two seconds to import.
"""

from __future__ import annotations

import logging
import re
import tempfile
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import load_file
from torch import Tensor
from transformers import AutoModel

from rag.errors import ModelError
from rag.models.heads import NETWORKS
from rag.models.pack import WHOLE
from rag.models.trunk import trunk_folder

LORA: dict[str, Any] = {  # settings of every adapter in the pack
    "r": 56,  # the largest rank that keeps an adapter below 5 MB in float16
    "lora_alpha": 56,
    "target_modules": ["query", "key", "value", "dense"],
    "exclude_modules": ["pooler.dense"],
}
# The inputs of the feed-forward products, above all the second, have outliers, which suffer from one scale for a whole
# text. Quantising them finely reduces the reader's distance from float32 to a sixth, for 1.3 times the time.
_SECOND = r"layer\.\d+/output/dense/MatMul$"
_BOTH = rf"{_SECOND}|intermediate/dense/MatMul$"
# Job -> names of products
FINELY = {
    "reranker": _SECOND,
    "evidence": _BOTH,
    "reader": _BOTH,
    "compressor": _BOTH,
    "judge": _BOTH,
}


class LastHiddenState(torch.nn.Module):
    """An encoder whose one output is its last hidden states (batch, tokens, dim)."""

    outputs = ("hidden",)

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        output = self.encoder(input_ids=input_ids, attention_mask=attention_mask)
        hidden: Tensor = output.last_hidden_state
        return hidden


def export_trunk(path: Path) -> None:
    """Export the trunk to int8 ONNX at `path`; the file appears whole or not at all."""
    export_network(LastHiddenState(_encoder()), ["input_ids", "attention_mask"], path, quantise)


def export_adapted(job: str, weights: Path, path: Path) -> None:
    """Export the network of a job to int8 ONNX at `path`; the file appears whole or not at all.

    Raises:
        ModelError: if the weights are not those of the job's network.
    """
    inputs = ["input_ids", "attention_mask", "token_type_ids"]
    if job == "evidence":
        inputs += ["placed", "units", "owners"]
    export_network(adapted_network(job, weights), inputs, path, partial(quantise, finely=FINELY[job]))


def adapted_network(job: str, weights: Path) -> Any:
    """Return the network of a job (torch) over the trunk.

    Args:
        weights: a safetensors file of the head's weights and, after `encoder.`, of a LoRA, named as by peft, or of the
            whole encoder but its embeddings.

    Raises:
        ModelError: if the weights are not those of the job's network.
    """
    try:
        tensors = {name: tensor.float() for name, tensor in load_file(str(weights)).items()}
    except Exception as error:  # safetensors raises a type that it does not export
        raise ModelError(f"{weights} is not a safetensors file ({error}); restore it.") from error
    if job in WHOLE:
        return _whole_network(job, weights, tensors)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # peft uses a deprecated name of transformers
        encoder = get_peft_model(_encoder(), LoraConfig(**LORA))
    network: Any = NETWORKS[job](encoder)
    adapter = {n.removeprefix("encoder."): t for n, t in tensors.items() if n.startswith("encoder.")}
    head = {name: tensor for name, tensor in tensors.items() if not name.startswith("encoder.")}
    shapes = {
        **{f"encoder.{n}": t.shape for n, t in get_peft_model_state_dict(encoder).items()},
        **{n: t.shape for n, t in network.state_dict().items() if not n.startswith("encoder.")},
    }
    _check_shapes(job, weights, tensors, shapes)
    set_peft_model_state_dict(encoder, adapter)
    network.load_state_dict(head, strict=False)
    network.encoder = encoder.merge_and_unload()
    return network


def _whole_network(job: str, weights: Path, tensors: dict[str, Tensor]) -> Any:
    network: Any = NETWORKS[job](_encoder())
    own = {name: t.shape for name, t in network.state_dict().items() if is_trained(name)}
    _check_shapes(job, weights, tensors, own)
    network.load_state_dict(tensors, strict=False)
    return network


def is_trained(name: str) -> bool:
    """Return whether a parameter of a WHOLE network is in the pack: embeddings are the trunk's, a pooler is unused."""
    return not name.startswith(("encoder.embeddings.", "encoder.pooler."))


def _check_shapes(
    job: str, weights: Path, tensors: dict[str, Tensor], expected: dict[str, torch.Size]
) -> None:
    if expected != {name: tensor.shape for name, tensor in tensors.items()}:
        raise ModelError(
            f"{weights} does not contain the weights of the job {job}; restore it from the release."
        )


def _encoder() -> Any:
    return AutoModel.from_pretrained(str(trunk_folder()), attn_implementation="eager", local_files_only=True)


def export_network(
    network: Any, inputs: list[str], path: Path, quantised_by: Callable[[Path, Path], None]
) -> None:
    """Export a network to ONNX at `path`; the file appears whole or not at all.

    Args:
        network: a torch module with the names of its `outputs`.
        inputs: the first two, three or six of input_ids, attention_mask, token_type_ids and placed, each (batch,
            tokens), units (n_units, tokens) and owners (n_units,).
        quantised_by: makes of the file of the exact network the one to use: exact, target.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    example = torch.ones(2, 16, dtype=torch.long)
    types = torch.tensor([[0] * 8 + [1] * 8] * 2)
    units = torch.tensor([[0] * 8 + [1] * 4 + [0] * 4, [0] * 12 + [1] * 4, [0] * 10 + [1] * 6])
    given = (example, example, types, types, units, torch.tensor([0, 0, 1]))
    outputs = list(network.outputs)
    axes = {name: {0: "batch", 1: "tokens"} for name in (*inputs, *outputs)}
    axes |= {name: {0: "batch"} for name in ("score", "answerable") if name in outputs}
    axes |= {name: {0: "units"} for name in ("unit", "owners") if name in axes}
    if "units" in axes:
        axes["units"] = {0: "units", 1: "tokens"}
    with tempfile.TemporaryDirectory(dir=path.parent) as scratch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracer warnings about shapes that dynamic_axes leaves open
        exact, quantised = Path(scratch) / "exact.onnx", Path(scratch) / path.name
        torch.onnx.export(
            network.eval(),
            given[: len(inputs)],
            str(exact),
            input_names=inputs,
            output_names=outputs,
            dynamic_axes=axes,
            opset_version=17,
            dynamo=False,
        )
        quantised_by(exact, quantised)
        quantised.replace(path)


def quantise(exact: Path, target: Path, *, finely: str = "", **options: Any) -> None:
    """Quantise to int8: weights per channel and activations per text, or both per block of 128 numbers.

    One scale for all channels of a weight would lose the trunk 0.8 points of R@1.

    Args:
        finely: a regular expression for the names of the products to quantise per block, which takes 1.5 times the
            time and makes a tenth of the error.
        options: more arguments of onnxruntime's quantize_dynamic.
    """
    log = logging.getLogger()
    level, handlers = log.level, list(log.handlers)
    try:
        # imported here: it configures the process's logging, which is undone below
        from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

        log.setLevel(logging.ERROR)  # block quantisation advises a pre-processing that changes nothing here
        if finely:
            model = onnx.load(str(exact))
            others = [n.name for n in model.graph.node if not re.search(finely, n.name)]
            if len(others) == len(model.graph.node):
                raise ValueError(f"no product of the network is named like {finely}")
            fine = MatMulNBitsQuantizer(
                model, bits=8, block_size=128, is_symmetric=True, accuracy_level=4, nodes_to_exclude=others
            )
            fine.process()
            fine.model.save_model_to_file(str(exact))
        quantize_dynamic(str(exact), str(target), per_channel=True, weight_type=QuantType.QInt8, **options)
    finally:
        log.setLevel(level)
        log.handlers[:] = handlers
