"""Turn text into vectors: unit vectors for whole texts, token vectors for parts of them.

Three embedders with one interface: the packaged trunk through ONNX Runtime int8, which knows English only; the
multilingual model of the extra, likewise; and any sentence-transformers model by local path or hub name.
"""

from __future__ import annotations

import copy
import hashlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol, Self

import numpy as np
from tokenizers import Encoding

from rag.errors import ModelError, OtherEmbedder
from rag.models import foreign, prepare, trunk
from rag.models.multilingual import prepare as multilingual
from rag.models.multilingual.centre import QUESTIONS, STATEMENTS
from rag.models.runtime import Runner
from rag.recipe import AUTO, MULTILINGUAL, TRUNK
from rag.types import Recipe

# The questions after a swap arrive together and need the same model.
_LOADING = threading.Lock()
# The model reads 256, of which two are [CLS] and [SEP].
TRUNK_MAX_TOKENS = 254


@dataclass(frozen=True, slots=True)
class TokenVectors:
    """A text's tokens as the encoder sees them, without special tokens."""

    offsets: np.ndarray  # (n_tokens, 2) int32, code points of the text
    vectors: np.ndarray  # (n_tokens, dim) float32, not normalised

    def pool(self) -> np.ndarray:
        """Return the unit vector of the mean over the tokens; zeros if there are none."""
        return (
            unit(self.vectors.mean(axis=0))
            if len(self.vectors)
            else np.zeros(self.vectors.shape[1], np.float32)
        )


class Embedder(Protocol):
    """What the indexes and chunkers need of an embedding model."""

    fingerprint: str  # identifies the vector space: vectors of two fingerprints are never compared
    dimension: int
    max_tokens: int  # longest text in tokens, without special tokens; longer texts are cut

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Embed each text, in order: (n_texts, dim) float32 of unit length."""

    def encode_tokens(self, texts: Sequence[str]) -> list[TokenVectors]:
        """Embed each text's tokens in context; a text longer than `max_tokens` is cut there."""

    def token_offsets(self, text: str) -> np.ndarray:
        """Tokenise without a limit: (n_tokens, 2) int32, code points of each token."""


def unit(vectors: np.ndarray) -> np.ndarray:
    """Scale vectors to length one along the last axis; a zero vector stays zero."""
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(norms, 1e-12), dtype=np.float32)


def maxsim(question: np.ndarray, text: np.ndarray) -> float:
    """Return the mean over question tokens of the largest cosine to a token of the text; 0 without tokens.

    Args:
        question: unit vectors (n_question_tokens, dim).
        text: vectors of any length (n_text_tokens, dim).
    """
    if not len(question) or not len(text):
        return 0.0
    return float((question @ unit(text).T).max(axis=1).mean())


def embed_question(embedder: Embedder, question: str) -> np.ndarray:
    """Return the unit vector (dim,) of a question."""
    encode = embedder.encode_questions if isinstance(embedder, MultilingualEmbedder) else embedder.encode
    vector: np.ndarray = encode([question])[0]
    return vector


def dense_weight_of(embedder: Embedder) -> float:
    """Return the share of the dense score that suits a model, from 0 (words alone) to 1 (meaning alone)."""
    return embedder.dense_weight if isinstance(embedder, MultilingualEmbedder) else 0.5


def load_embedder(name: str = TRUNK, *, threads: int = 0) -> Embedder:
    """Load the trunk (`trunk`, `auto`), the extra's model (`multilingual`) or a sentence-transformers model.

    Args:
        threads: encoder threads; 0 means one for each core that this process may use.

    Raises:
        ModelError: if the model cannot be loaded; the message says what to do.
    """
    if name in (TRUNK, AUTO):
        return TrunkEmbedder(threads)
    if name == MULTILINGUAL:
        return MultilingualEmbedder(threads)
    return SentenceTransformersEmbedder(name, threads=threads)


def embedder_of(corpus: str, recipe: Recipe, own: Embedder, *, threads: int = 0) -> Embedder:
    """Return the model of a corpus's vectors: the process's own, or one that is loaded and kept.

    Raises:
        OtherEmbedder: if it is unavailable here.
    """
    if recipe.embedder == own.fingerprint:
        return own
    if recipe.model:
        try:
            with _LOADING:
                found = _kept_embedder(recipe.model, recipe.embedder, threads)
        except ModelError as error:
            raise OtherEmbedder(
                f"The model that embedded corpus {corpus!r} is unavailable: {error} Put it back, or let "
                f"another generation serve: `ibid generations list --corpus {corpus}`."
            ) from error
        if found.fingerprint == recipe.embedder:
            return found
    named = f"{recipe.model!r} is by now" if recipe.model else "IBID_EMBEDDER names"
    raise OtherEmbedder(
        f"Corpus {corpus!r} was embedded by another model than {named}; set IBID_EMBEDDER to the one it "
        f"was made with, or rebuild it: `ibid generations build --corpus {corpus}`."
    )


def in_background(embedder: Embedder, stop: threading.Event | None = None) -> Embedder:
    """Return the embedder for indexing: a prepared one then yields to questions; other models share one lock.

    Args:
        stop: once set, a prepared one raises Stopped at the next text.
    """
    return embedder.in_background(stop) if isinstance(embedder, PreparedEmbedder) else embedder


@lru_cache(maxsize=4)
def _kept_embedder(name: str, fingerprint: str, threads: int) -> Embedder:
    """Load a model, once for each expected fingerprint: its name may refer to another model by then."""
    return load_embedder(name, threads=threads)


class PreparedEmbedder:
    """A prepared int8 network on ONNX Runtime. Safe for several threads.

    Args:
        lead: ids of the tokens that the network reads before each text.
    """

    dimension = 384

    def __init__(self, fingerprint: str, runner: Runner, max_tokens: int, lead: Sequence[int] = ()) -> None:
        self.fingerprint, self.max_tokens = fingerprint, max_tokens
        self._runner, self._lead = runner, list(lead)

    def in_background(self, stop: threading.Event | None = None) -> Self:
        """Return this model on threads of the lowest priority, with their own pool and queue."""
        yielding = copy.copy(self)
        yielding._runner = self._runner.in_background(stop)
        return yielding

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        return unit(self._means(texts, self._lead))

    def encode_tokens(self, texts: Sequence[str]) -> list[TokenVectors]:
        tokenised = self._runner.tokenise(texts)
        first = 1 + len(self._lead)
        return [
            TokenVectors(
                np.array(tokens.offsets, np.int32).reshape(-1, 2)[: self.max_tokens], states[first:-1]
            )
            for tokens, states in zip(tokenised, self._hidden(tokenised, self._lead), strict=True)
        ]

    def token_offsets(self, text: str) -> np.ndarray:
        return np.array(self._runner.tokenise([text])[0].offsets, np.int32).reshape(-1, 2)

    def _means(self, texts: Sequence[str], lead: Sequence[int]) -> np.ndarray:
        """Return the mean of each text's token vectors, in order: (n_texts, dim) float32."""
        vectors = np.zeros((len(texts), self.dimension), np.float32)
        for row, states in enumerate(self._hidden(self._runner.tokenise(texts), lead)):
            vectors[row] = states.mean(axis=0)  # the tokens around the text are pooled too, as in training
        return vectors

    def _hidden(self, tokenised: Sequence[Encoding], lead: Sequence[int]) -> list[np.ndarray]:
        """Return the hidden states of each text, in order: (2 + n_lead + n_tokens, dim), its ends included."""
        return self._runner.each(self._run, [[*lead, *tokens.ids[: self.max_tokens]] for tokens in tokenised])

    def _run(self, ids: Sequence[int]) -> np.ndarray:
        hidden: np.ndarray = self._runner.run(ids)[0][0]
        return hidden


class TrunkEmbedder(PreparedEmbedder):
    """The packaged all-MiniLM-L6-v2, int8 per channel."""

    def __init__(self, threads: int) -> None:
        runner = Runner(prepare.prepared_trunk(), threads=threads)
        super().__init__(trunk.trunk_fingerprint(), runner, TRUNK_MAX_TOKENS)


class MultilingualEmbedder(PreparedEmbedder):
    """The extra's multilingual-e5-small, int8 per channel; it was trained to be told questions from passages."""

    # Half, which suits the trunk, loses facts in other languages: words are stemmed as English ones.
    dense_weight = 0.85
    # Share of the centre that is taken off. Whole, it costs questions in another language 3 points of R@1.
    _CENTRED = 0.8

    def __init__(self, threads: int) -> None:
        runner = Runner(
            multilingual.prepared_network(),
            threads=threads,
            tokenizer=multilingual.tokenizer(),
            ends=("<s>", "</s>"),
        )
        self._asking, telling = (list(one.ids) for one in runner.tokenise(["query:", "passage:"]))
        longest = multilingual.POSITIONS - 2 - max(len(self._asking), len(telling))
        super().__init__(multilingual.FINGERPRINT, runner, longest, telling)
        self._centre = self._CENTRED * self._means(STATEMENTS, telling).mean(axis=0)  # (dim,)
        self._question_centre = self._CENTRED * self._means(QUESTIONS, self._asking).mean(axis=0)

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        return unit(self._means(texts, self._lead) - self._centre)

    def encode_questions(self, questions: Sequence[str]) -> np.ndarray:
        """Embed each question, in order: (n_questions, dim) float32 of unit length."""
        return unit(self._means(questions, self._asking) - self._question_centre)

    def encode_tokens(self, texts: Sequence[str]) -> list[TokenVectors]:
        return [TokenVectors(one.offsets, one.vectors - self._centre) for one in super().encode_tokens(texts)]


class SentenceTransformersEmbedder:
    """Any sentence-transformers model, by local path or hub name, through torch. Safe for several threads.

    Args:
        threads: torch's threads in the whole process; 0 leaves them unchanged.
    """

    def __init__(self, name: str, *, threads: int = 0) -> None:
        from sentence_transformers import SentenceTransformer  # imported here: it takes seconds

        self._lock = threading.RLock()  # a fast tokenizer rejects concurrent calls: "Already borrowed"
        expected = "a folder or hub name of a sentence-transformers model"
        with foreign.loading("embedder", name, expected, threads=threads):
            self._model = SentenceTransformer(name, device="cpu")
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


def _model_digest(model: Any) -> str:
    """Fingerprint a model by its modules and weights, not by its path: retraining makes another space."""
    import torch

    digest = hashlib.sha256(repr(model).encode())
    for key, tensor in sorted(model.state_dict().items()):
        digest.update(f"{key} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
