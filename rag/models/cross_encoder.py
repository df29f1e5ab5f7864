"""Score texts for a question with a cross-encoder, which reads both at once: slower than vectors, and better.

A score is the probability that the text is relevant, so that it can be thresholded and mixed with others.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np

from rag.errors import ModelError
from rag.models import foreign, pack
from rag.models.pack import PACKAGED
from rag.models.runtime import QUESTION_TOKENS, Runner, pack_runner, whole

# Tokens read of a text: its first ones.
TEXT_TOKENS = 254


class CrossEncoder(Protocol):
    """Scores (question, text). Safe for several threads."""

    def score(self, question: str, texts: Sequence[str]) -> np.ndarray:
        """Return the probability that each text is relevant, in order: (n_texts,) in [0, 1]."""


def load_cross_encoder(name: str = PACKAGED, *, threads: int = 0) -> CrossEncoder:
    """Load the packaged reranker, or a sentence-transformers CrossEncoder by path or hub name.

    Raises:
        ModelError: if it cannot be loaded; the message says what to do.
    """
    if name != PACKAGED:
        return SentenceTransformersCrossEncoder(name, threads=threads)
    fitted = pack.calibration("reranker", ("scale", "bias"))
    return PackCrossEncoder(pack_runner("reranker", threads=threads), **fitted)


class PackCrossEncoder:
    """The packaged reranker on ONNX Runtime.

    Args:
        scale, bias: calibration of the logit, fitted on questions outside the training data.
    """

    def __init__(self, runner: Runner, *, scale: float = 1.0, bias: float = 0.0) -> None:
        self._runner, self._scale, self._bias = runner, scale, bias

    def score(self, question: str, texts: Sequence[str]) -> np.ndarray:
        return _sigmoid(self._scale * self.logits(question, texts) + self._bias)

    def logits(self, question: str, texts: Sequence[str]) -> np.ndarray:
        """Return the network's raw scores (n_texts,), before calibration."""
        asked, *encoded = self._runner.tokenise([question, *texts])
        score = partial(self._run, asked.ids[-QUESTION_TOKENS:])
        return np.array(self._runner.each(score, [text.ids[:TEXT_TOKENS] for text in encoded]), np.float64)

    def _run(self, question: Sequence[int], text: Sequence[int]) -> float:
        return float(self._runner.run(question, text)[0][0])


class SentenceTransformersCrossEncoder:
    """Any CrossEncoder with one label, by local path or hub name, through torch.

    Args:
        threads: torch's threads in the whole process; 0 leaves them unchanged.
    """

    def __init__(self, name: str, *, threads: int = 0) -> None:
        from sentence_transformers import CrossEncoder as Model
        from transformers import AutoConfig, AutoModelForSequenceClassification

        self._lock = threading.Lock()  # a fast tokenizer rejects concurrent calls: "Already borrowed"
        with foreign.loading("reranker", name, "a folder or hub name of a CrossEncoder", threads=threads):
            foreign.expect_architecture(AutoConfig.from_pretrained(name), "ForSequenceClassification", name)
            foreign.whole_model(AutoModelForSequenceClassification, name)
            self._model: Any = Model(name, device="cpu")
        if self._model.config.num_labels != 1:
            raise ModelError(
                f"The reranker {name!r} has {self._model.config.num_labels} labels; expected a CrossEncoder with one."
            )

    def score(self, question: str, texts: Sequence[str]) -> np.ndarray:
        import torch

        if not texts:
            return np.zeros(0)
        with self._lock:
            logits = self._model.predict(
                [(whole(question), whole(text)) for text in texts],
                activation_fn=torch.nn.Identity(),
                show_progress_bar=False,
            )
        return _sigmoid(np.asarray(logits, np.float64).reshape(len(texts)))


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -60, 60))))
