"""Make of a blob what ONNX Runtime runs: the tokenizer's file, and the network with int8 products.

Only preparing does this, once: it needs torch, which takes two seconds to import. The word embeddings, three quarters
of the weights, keep the blob's own blocks of 4 bits; the products are quantised per channel, as the trunk's are.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from torch import Tensor
from transformers import BertConfig, BertModel

from rag.errors import ModelError
from rag.models.export import LastHiddenState, export_network, quantise
from rag.models.multilingual.blob import BLOCK_SIZE, Blob

# What the tokenizer's normaliser (SentencePiece's nmt_nfkc) does beyond NFKC. The blob's table differs from these
# rules only in U+FF5E and in 73 letters younger than Unicode 12.
_REMOVED = "[\x01-\x08\x0b\x0e-\x1f\x7f\x8f\x9f]"
_SPACES = "[\t\n\x0c\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]"
_WORD = "\u2581"  # begins a word
# Rows of the table that stands in for the word embeddings during export; no other table has so few.
_STAND_IN = 17
_TABLES = {"word_embeddings": "word", "position_embeddings": "pos", "token_type_embeddings": "type"}
_PRODUCTS = {
    "attention.self.query": "q",
    "attention.self.key": "k",
    "attention.self.value": "v",
    "attention.output.dense": "ao",
    "intermediate.dense": "fi",
    "output.dense": "fo",
}
_NORMS = {"attention.output.LayerNorm": "aln", "output.LayerNorm": "oln"}


def make_tokenizer(blob: Blob) -> Tokenizer:
    """Return the tokenizer, XLM-R's; it adds no special tokens by itself, and its offsets are code points."""
    pieces = [(piece, float(score)) for piece, score in zip(blob.pieces, blob.scores, strict=True)]
    made = Tokenizer(models.Unigram(pieces, unk_id=blob.special["unk"]))
    made.normalizer = normalizers.Sequence(
        [
            normalizers.Replace(Regex(_REMOVED), ""),
            normalizers.Replace(Regex(_SPACES), " "),
            normalizers.NFKC(),
            normalizers.Replace(Regex(" {2,}"), " "),
        ]
    )
    made.pre_tokenizer = pre_tokenizers.Metaspace(replacement=_WORD, prepend_scheme="always")
    made.decoder = decoders.Metaspace(replacement=_WORD, prepend_scheme="always")
    special = [blob.pieces[number] for number in sorted(blob.special.values())]
    made.add_special_tokens([AddedToken(piece, special=True, normalized=False) for piece in special])
    return made


def export(blob: Blob, path: Path) -> None:
    """Export the network to `path`: `hidden` from `input_ids` and `attention_mask`; it appears whole or not at all."""
    encoder = _network(blob)
    encoder.embeddings.word_embeddings = torch.nn.Embedding(_STAND_IN, blob.sizes["hidden"])

    def quantised_by(exact: Path, target: Path) -> None:
        # The word embeddings stay as they are, to be replaced by the blob's
        options = {"DefaultTensorType": onnx.TensorProto.FLOAT}
        quantise(exact, target, op_types_to_quantize=["MatMul"], extra_options=options)
        network = onnx.load(str(target))
        _put_word_embeddings(network, blob)
        onnx.save(network, str(target))

    export_network(LastHiddenState(encoder), ["input_ids", "attention_mask"], path, quantised_by)


def _network(blob: Blob) -> Any:
    """Return the network (torch), exact."""
    sizes = blob.sizes
    settings: dict[str, Any] = {
        "vocab_size": sizes["vocabulary"],
        "hidden_size": sizes["hidden"],
        "num_hidden_layers": sizes["layers"],
        "num_attention_heads": sizes["heads"],
        "intermediate_size": sizes["inner"],
        "max_position_embeddings": sizes["positions"],
        "type_vocab_size": sizes["types"],
        "layer_norm_eps": blob.epsilon,
        "hidden_act": "gelu",
        "attn_implementation": "eager",
    }
    with torch.device("meta"):  # no memory for weights that are replaced at once
        network: Any = BertModel(BertConfig(**settings), add_pooling_layer=False)
    network.load_state_dict(_weights(blob, network), strict=True, assign=True)
    network.embeddings.position_ids = torch.arange(sizes["positions"])[None]
    network.embeddings.token_type_ids = torch.zeros(1, sizes["positions"], dtype=torch.long)
    return network.eval()


def _weights(blob: Blob, network: Any) -> dict[str, Tensor]:
    """Return the weights by the network's names, in its shapes."""
    names = _names(blob.sizes["layers"])
    expected = network.state_dict()
    if names.keys() != expected.keys() or set(names.values()) != blob.tensors.keys():
        raise ModelError("The weights of the multilingual model are not a BERT's; reinstall the extra.")
    return {
        long: torch.from_numpy(blob.array(short).copy()).reshape(expected[long].shape)
        for long, short in names.items()
    }


def _names(layers: int) -> dict[str, str]:
    """Return the blob's name of each tensor by the network's."""
    names = {f"embeddings.{long}.weight": f"emb.{short}" for long, short in _TABLES.items()}
    names |= {"embeddings.LayerNorm.weight": "emb.ln.w", "embeddings.LayerNorm.bias": "emb.ln.b"}
    for layer in range(layers):
        for long, short in {**_PRODUCTS, **_NORMS}.items():
            names[f"encoder.layer.{layer}.{long}.weight"] = f"l{layer}.{short}.w"
            names[f"encoder.layer.{layer}.{long}.bias"] = f"l{layer}.{short}.b"
    return names


def _put_word_embeddings(network: Any, blob: Blob) -> None:
    """Put the blob's own blocks, and the operator that reads them, in the place of the stand-in."""
    hidden, graph = blob.sizes["hidden"], network.graph
    (table,) = [one for one in graph.initializer if list(one.dims) == [_STAND_IN, hidden]]
    (gather,) = [node for node in graph.node if node.op_type == "Gather" and node.input[0] == table.name]
    numbers, scales = blob.blocks("emb.word")
    numbers = numbers.reshape(-1, hidden)
    # Two neighbours a byte, the first in its low half
    packed = (numbers[:, 0::2] | numbers[:, 1::2] << 4).astype(np.uint8)
    graph.initializer.remove(table)
    graph.initializer.extend(
        [
            numpy_helper.from_array(packed, "word.blocks"),
            numpy_helper.from_array(
                scales.astype(np.float32).reshape(-1, hidden // BLOCK_SIZE), "word.scales"
            ),
        ]
    )
    reading = helper.make_node(
        "GatherBlockQuantized",
        ["word.blocks", gather.input[1], "word.scales"],
        list(gather.output),
        name=gather.name,
        domain="com.microsoft",
        bits=4,
        block_size=BLOCK_SIZE,
        gather_axis=0,
        quantize_axis=1,
    )
    at = list(graph.node).index(gather)
    graph.node.remove(gather)
    graph.node.insert(at, reading)
    if all(one.domain != "com.microsoft" for one in network.opset_import):
        network.opset_import.append(helper.make_opsetid("com.microsoft", 1))
