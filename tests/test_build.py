"""Building versions: unchanged files are skipped, and a file that cannot be embedded fails alone."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ingest.build import Builder
from ingest.source import Outcome, Source
from rag.catalog import Catalog
from rag.embed import Embedder, TokenVectors
from rag.errors import NotFound, OtherEmbedder, StorageError
from rag.settings import Settings

CORPUS = "built"


class Choking:
    """The real embedder, which cannot take texts that hold a word, nor whatever else comes with them."""

    def __init__(self, embedder: Embedder, word: str, error: Exception) -> None:
        self._embedder, self._word, self._error = embedder, word, error
        self.fingerprint, self.dimension = embedder.fingerprint, embedder.dimension
        self.max_tokens = embedder.max_tokens

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        self._check(texts)
        return self._embedder.encode(texts)

    def encode_tokens(self, texts: Sequence[str]) -> list[TokenVectors]:
        return self._embedder.encode_tokens(texts)

    def token_offsets(self, text: str) -> np.ndarray:
        return self._embedder.token_offsets(text)

    def _check(self, texts: Sequence[str]) -> None:
        if any(self._word in text for text in texts):
            raise self._error


def source(name: str, text: str) -> Source:
    return Source(name, text.encode)


def build(catalog: Catalog, embedder: Embedder, *sources: Source, chunker: str = "packed") -> list[Outcome]:
    builder = Builder(catalog, embedder, Settings(home=Path(), chunker=chunker))
    return list(builder.ingest(CORPUS, sources))


FILES = [source(f"{name}.txt", f"The {name} stands in the harbour.") for name in ("mast", "crane", "poison")]


@pytest.mark.parametrize(
    ("error", "told"),
    [(MemoryError(), "MemoryError"), (RuntimeError("Failed to allocate memory"), "RuntimeError: Failed to")],
)
@pytest.mark.parametrize("chunker", ["packed", "max_min"])  # the latter embeds sentences when it cuts
def test_a_file_that_cannot_be_embedded_fails_alone(
    catalog: Catalog, embedder: Embedder, error: Exception, told: str, chunker: str
) -> None:
    poisoned = [*FILES, source("last.txt", "A last file. It has two sentences. And a third one.")]
    poisoned[2] = source("poison.txt", "It holds poison. Nothing helps. So it is.")
    outcomes = build(catalog, Choking(embedder, "poison", error), *poisoned, chunker=chunker)
    assert {outcome.name: outcome.state for outcome in outcomes} == {
        "mast.txt": "added",
        "crane.txt": "added",
        "poison.txt": "failed",
        "last.txt": "added",
    }
    [failed] = [outcome for outcome in outcomes if outcome.error]
    assert failed.error
    stage = "embed" if chunker == "packed" else "chunk"
    assert failed.error.startswith(f"{stage}: poison.txt could not be ingested ({told}")
    assert catalog.count_documents(CORPUS) == 3


@pytest.mark.parametrize("call", ["is_current", "known_vectors", "put_version"])
def test_a_disk_that_fails_ends_the_run_and_fails_no_file(
    tmp_path: Path, embedder: Embedder, call: str
) -> None:
    class Full(Catalog):
        """A catalogue whose disk fails in one call."""

        def __getattribute__(self, name: str) -> Any:
            if name == call:
                raise StorageError("The disk is full.")
            return super().__getattribute__(name)

    catalog = Full(tmp_path)
    with pytest.raises(StorageError, match="The disk is full"):
        build(catalog, embedder, *FILES)
    catalog.close()


def test_unchanged_files_do_nothing(catalog: Catalog, embedder: Embedder) -> None:
    assert [outcome.state for outcome in build(catalog, embedder, *FILES)] == ["added"] * 3
    again = build(catalog, embedder, *FILES[:2], source("poison.txt", "It was cleaned."))
    assert [outcome.state for outcome in again] == ["unchanged", "unchanged", "updated"]


def test_a_version_that_is_no_longer_wanted_is_not_shown(catalog: Catalog, embedder: Embedder) -> None:
    def wanted() -> bool:
        return not catalog.read().in_transaction  # until the version would become visible

    [outcome] = build(catalog, embedder, Source("a.txt", b"Some text.".strip, wanted=wanted))
    assert (outcome.state, outcome.error) == ("failed", "store: 'a.txt' was deleted before it was ingested.")
    assert catalog.documents(CORPUS) == []


def test_a_corpus_is_made_only_where_it_may_be(catalog: Catalog, embedder: Embedder) -> None:
    builder = Builder(catalog, embedder, Settings(home=Path()))
    with pytest.raises(NotFound):
        list(builder.ingest(CORPUS, FILES, create=False))
    assert catalog.corpora() == []
    catalog.create_corpus(CORPUS, "another model")
    with pytest.raises(OtherEmbedder):
        list(builder.ingest(CORPUS, FILES))
