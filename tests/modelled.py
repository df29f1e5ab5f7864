"""A corpus modelled by a plain dictionary, and processes with the real one, for test_stateful.py."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from zlib import crc32

import numpy as np

from ingest.build import Builder
from ingest.chunking.chunkers import make_chunker
from rag.models.embed import Embedder, TokenVectors, load_embedder, unit
from rag.pipeline import Pipeline
from rag.recipe import TRUNK
from rag.settings import Settings
from rag.stages import ModelSet
from rag.store.catalog import Catalog
from rag.types import Recipe

CORPUS = "modelled"
# Of a chunk: document, version, start, end
Place = tuple[str, int, int, int]


class WordEmbedder:
    """A stand-in that can rank: a text's vector is the sum of its words', each a direction of its own."""

    fingerprint = "words"
    dimension = 24
    max_tokens = 120

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        sums = [self.encode_tokens([text])[0].vectors.sum(axis=0) for text in texts]
        return unit(np.array(sums, np.float32).reshape(len(texts), self.dimension))

    def encode_tokens(self, texts: Sequence[str]) -> list[TokenVectors]:
        return [
            TokenVectors(
                offsets,
                np.array([_direction(text[start:end].lower()) for start, end in offsets], np.float32).reshape(
                    len(offsets), self.dimension
                ),
            )
            for text, offsets in ((text, self.token_offsets(text)) for text in texts)
        ]

    def token_offsets(self, text: str) -> np.ndarray:
        return np.array([m.span() for m in re.finditer(r"\w+|[^\w\s]", text)], np.int32).reshape(-1, 2)


@cache
def _direction(word: str) -> np.ndarray:
    return np.random.default_rng(crc32(word.encode())).standard_normal(WordEmbedder.dimension)


WORDS: Embedder = WordEmbedder()
EMBEDDERS = {one.fingerprint: one for one in (WORDS, load_embedder(threads=1))}
OTHER = load_embedder(threads=1).fingerprint
RECIPES = (
    Recipe(WORDS.fingerprint, chunk_tokens=64),
    Recipe(WORDS.fingerprint, chunker="token", chunk_tokens=16),
    Recipe(WORDS.fingerprint, chunker="sentence_window", chunk_tokens=40),
    Recipe(OTHER, TRUNK, chunk_tokens=48),
)


@dataclass(frozen=True)
class Held:
    """A document in its current state."""

    text: str
    given: Mapping[str, str]  # the metadata given with it
    metadata: Mapping[str, str]
    version: int


@dataclass
class Model:
    """The content of a corpus, and the history of its generations."""

    documents: dict[str, Held] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)  # the last of each name; they never decrease
    recipes: dict[int, Recipe] = field(default_factory=dict)  # of each generation
    served: list[int] = field(default_factory=list)  # generations as they last began to serve

    @property
    def serving(self) -> int:
        return self.served[-1]

    @property
    def previous(self) -> int | None:
        return self.served[-2] if len(self.served) > 1 else None

    def needless(self, *, everything: bool) -> list[int]:
        """Return what pruning deletes: everything that neither serves nor, unless `everything`, may serve next."""
        kept = {self.serving}
        if not everything:
            kept |= {self.previous or 0, *(one for one in self._untried() if one > self.serving)}
        return [one for one in self.recipes if one not in kept]

    def candidate(self) -> int | None:
        """Return the newest generation that never served."""
        return max(self._untried(), default=None)

    def put(
        self, name: str, text: str, given: Mapping[str, str], metadata: Mapping[str, str], least: int = 1
    ) -> int:
        """Accept a version and return its number."""
        version = self.versions[name] = max(self.versions.get(name, 0) + 1, least)
        self.documents[name] = Held(text, given, metadata, version)
        return version

    def serve(self, generation: int) -> None:
        self.served = [one for one in self.served if one != generation] + [generation]

    def forget(self, generation: int) -> None:
        del self.recipes[generation]
        self.served = [one for one in self.served if one != generation]

    def chunks(self, generation: int) -> dict[Place, str]:
        """Return the text of every chunk of a complete generation."""
        return {
            (name, held.version, start, end): held.text[start:end]
            for name, held in self.documents.items()
            for start, end in _spans(self.recipes[generation], held.text)
        }

    def _untried(self) -> list[int]:
        return [one for one in self.recipes if one not in self.served]


@cache
def _spans(recipe: Recipe, text: str) -> list[tuple[int, int]]:
    chunker = make_chunker(recipe.chunker, EMBEDDERS[recipe.embedder], chunk_tokens=recipe.chunk_tokens)
    return [(piece.start, piece.end) for piece in chunker(text)]


@cache
def embedded(recipe: Recipe, text: str) -> np.ndarray:
    """Return the vector (dim,) of a text in a generation's space, rounded to float16."""
    return np.asarray(EMBEDDERS[recipe.embedder].encode([text])[0].astype(np.float16), np.float32)


class Process:
    """A process's objects over a data folder: a catalogue, a question path, and a builder once it ingests."""

    def __init__(self, home: Path) -> None:
        self.settings = Settings(
            home=home, encoder_threads=1, reranker="none", trim=False, compressor="none", reader="none"
        )
        self.catalog = Catalog(home)
        self.pipeline = Pipeline(self.settings, self.catalog, ModelSet(self.settings, WORDS))

    @cached_property
    def builder(self) -> Builder:
        return Builder(self.catalog, WORDS, self.settings)

    def close(self) -> None:
        self.catalog.close()
