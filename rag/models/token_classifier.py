"""Classify which tokens of a text are worth keeping: with the pack's network, or any transformers token classifier.

A foreign one, such as LLMLingua-2's own, has two labels; label 1 means "keep".
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np

from rag.errors import ModelError
from rag.models import foreign
from rag.models.runtime import QUESTION_TOKENS, Runner
from rag.text.sentences import Span

# Tokens of question and text together; with [CLS] and two [SEP] one less than the trunk's 256.
_WINDOW = 254
_BATCH = 8  # windows
_EXPECTED = "a local folder or hub name of a token classification model with two labels, drop and keep"


class TokenClassifier(Protocol):
    """Classifies which tokens are worth keeping."""

    def count(self, text: str) -> int:
        """Return the number of tokens of a text."""

    def classify(self, text: str, question: str) -> tuple[np.ndarray, np.ndarray]:
        """Return each token's first code point (n_tokens,) and its probability of being kept (n_tokens,)."""


class PackClassifier:
    """The packaged network: reads the question along with the text. Safe for several threads."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def count(self, text: str) -> int:
        return len(self._runner.tokenise([text])[0].ids)

    def classify(self, text: str, question: str) -> tuple[np.ndarray, np.ndarray]:
        tokens, asked = self._runner.tokenise([text, question])
        first = asked.ids[-QUESTION_TOKENS:]
        begins = np.array([start for start, _ in tokens.offsets], np.int64)
        cuts = list(windows(begins, text, _WINDOW - 1 - len(first)))

        def probabilities(window: Span) -> np.ndarray:
            logits = self._runner.run(first, tokens.ids[slice(*window)])[0][0]  # (n_tokens, 2): drop, keep
            own = logits[len(first) + 2 : -1]
            kept: np.ndarray = 1 / (1 + np.exp(own[:, 0] - own[:, 1]))
            return kept

        kept = self._runner.each(probabilities, cuts)
        return begins, np.concatenate(kept) if kept else np.zeros(0)


class TransformersClassifier:
    """A model of two labels by local path or hub name, through torch on the CPU. Safe for several threads.

    It reads the text alone: these models were not trained to read a question with it.

    Args:
        threads: torch's threads in the whole process; 0 leaves them unchanged.
    """

    def __init__(self, name: str, *, threads: int = 0) -> None:
        self._lock = threading.Lock()  # a fast tokenizer rejects concurrent calls: "Already borrowed"
        self._tokenizer, self._model = _load(name, threads)
        limit = int(getattr(self._model.config, "max_position_embeddings", 0) or 512)
        self._room = max(1, min(limit, 512) - 4)  # two special tokens; RoBERTa's positions begin at two

    def count(self, text: str) -> int:
        return len(self._tokens(text)["input_ids"])

    def classify(self, text: str, question: str) -> tuple[np.ndarray, np.ndarray]:
        import torch

        tokens = self._tokens(text)
        begins = np.array(tokens["offset_mapping"], np.int64).reshape(-1, 2)[:, 0]
        pieces = [tokens["input_ids"][s:e] for s, e in windows(begins, text, self._room)]
        kept = [np.zeros(0)]
        with self._lock, torch.inference_mode():
            for first in range(0, len(pieces), _BATCH):
                batch = pieces[first : first + _BATCH]
                for piece, row in zip(batch, self._probabilities(batch), strict=True):
                    kept.append(row[1 : len(piece) + 1])
        return begins, np.concatenate(kept)

    def _tokens(self, text: str) -> Any:
        with self._lock:
            return self._tokenizer(
                text, add_special_tokens=False, return_offsets_mapping=True, truncation=False, verbose=False
            )

    def _probabilities(self, pieces: list[list[int]]) -> np.ndarray:
        """Return each token's probability of being kept, special tokens included: (n_pieces, n_tokens)."""
        import torch

        cls, sep, pad = (
            self._tokenizer.cls_token_id,
            self._tokenizer.sep_token_id,
            self._tokenizer.pad_token_id,
        )
        width = max(map(len, pieces)) + 2
        ids = torch.full((len(pieces), width), pad)
        mask = torch.zeros_like(ids)
        for row, piece in enumerate(pieces):
            ids[row, : len(piece) + 2] = torch.tensor([cls, *piece, sep])
            mask[row, : len(piece) + 2] = 1
        logits = self._model(input_ids=ids, attention_mask=mask).logits.float()  # (n_pieces, n_tokens, 2)
        probabilities: np.ndarray = logits.softmax(-1)[..., 1].numpy()
        return probabilities


def windows(begins: np.ndarray, text: str, room: int) -> Iterator[Span]:
    """Cut tokens into windows of about equal length, at most `room`, at ends of sentences if possible.

    Args:
        begins: each token's first code point.
    """
    done, total = 0, len(begins)
    while done < total:
        left = total - done
        size = math.ceil(left / math.ceil(left / room))
        end = done + size
        if end < total:
            stops = (e for e in range(end, done + size * 3 // 4, -1) if text[begins[e - 1]] in ".!?。\n")
            end = next(stops, end)
        yield done, end
        done = end


def _load(name: str, threads: int) -> tuple[Any, Any]:
    from transformers import AutoConfig, AutoModelForTokenClassification, AutoTokenizer

    with foreign.loading("compressor", name, _EXPECTED, threads=threads):
        config = AutoConfig.from_pretrained(name, trust_remote_code=False)
        found = ", ".join(config.architectures or []) or "a model without a stated architecture"
        if "ForTokenClassification" not in found or config.num_labels != 2:
            raise ModelError(
                f"The compressor {name!r} is {found} with {config.num_labels} labels; expected {_EXPECTED}. "
                "Name such a model, or `pack` for the packaged one."
            )
        tokenizer = AutoTokenizer.from_pretrained(name, trust_remote_code=False, use_fast=True)
        model = foreign.whole_model(AutoModelForTokenClassification, name)
    if not tokenizer.is_fast or tokenizer.pad_token_id is None:
        raise ModelError(
            f"The compressor {name!r} has no fast tokenizer with [CLS], [SEP] and [PAD]; expected {_EXPECTED}."
        )
    return tokenizer, model
