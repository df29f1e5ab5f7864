"""Small random transformers models for the tests, saved in the usual format."""

import importlib
import re
from pathlib import Path
from typing import Any


def tiny_bert(folder: Path, kind: str, text: str, *, seed: int, **config: Any) -> Path:
    """Save a random BERT of a kind, with a word-piece vocabulary of a text's words, letters and digits.

    Args:
        kind: a class of transformers, such as `BertForTokenClassification`.
        config: differences from two layers of 32 numbers.
    """
    import torch

    transformers: Any = importlib.import_module("transformers")
    folder.mkdir(parents=True, exist_ok=True)
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    words = sorted(set(re.findall(r"\w+|[^\w\s]", text.lower())))
    vocabulary = dict.fromkeys(
        ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words, *letters, *(f"##{c}" for c in letters)]
    )
    (folder / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    transformers.BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(str(folder))
    small = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    torch.manual_seed(seed)
    made = getattr(transformers, kind)(transformers.BertConfig(vocab_size=len(vocabulary), **small, **config))
    made.save_pretrained(str(folder))
    return folder
