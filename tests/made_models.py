"""Small random models of transformers for the tests, saved as their makers save them."""

import importlib
import re
from pathlib import Path
from typing import Any


def tiny_bert(folder: Path, kind: str, text: str, *, seed: int, **config: Any) -> Path:
    """Save a random BERT of a kind, with a word-piece vocabulary of a text's own words, letters and digits.

    Args:
        kind: a class of transformers, such as `BertForTokenClassification`.
        config: what differs from two layers of 32 numbers.
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


def tiny_causal(folder: Path, text: str, *, seed: int = 0, window: int = 4096, template: bool = True) -> Path:
    """Save a random Llama with a word-level vocabulary of a text's own words, with a chat template or without."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers

    transformers: Any = importlib.import_module("transformers")
    folder.mkdir(parents=True, exist_ok=True)
    words = ["<pad>", "<unk>", "<s>", "</s>", *sorted(set(re.findall(r"\w+|[^\w\s]", text)))]
    made = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, unk_token="<unk>", pad_token="<pad>", bos_token="<s>", eos_token="</s>"
    )
    if template:
        tokenizer.chat_template = "{% for m in messages %}{{ m['role'] }} : {{ m['content'] }}\n{% endfor %}"
    tokenizer.save_pretrained(str(folder))
    torch.manual_seed(seed)
    config = transformers.LlamaConfig(
        vocab_size=len(words), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2, max_position_embeddings=window, bos_token_id=2, eos_token_id=3, pad_token_id=0,
    )  # fmt: skip
    transformers.LlamaForCausalLM(config).save_pretrained(str(folder))
    return folder
