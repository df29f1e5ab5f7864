"""Building versions: unchanged files are skipped, and a file that cannot be embedded fails alone."""

import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ingest.build import Builder
from ingest.pieces import GROUP_CHUNKS
from ingest.source import Outcome, Source
from ingest.uploads.jobs import Jobs
from rag.errors import NotFound, OtherEmbedder, Stopped, StorageError
from rag.models.embed import Embedder, TokenVectors, in_background
from rag.recipe import recipe_of
from rag.settings import Settings
from rag.store.catalog import Catalog
from rag.store.jobs import Upload
from rag.types import Recipe, indexed_text
from tests.line_builder import finished
from tests.made_versions import count
from tests.waiting import HANG_S

CORPUS = "built"


class Choking:
    """The real embedder, except that it rejects any batch in which a text contains a given word."""

    def __init__(self, embedder: Embedder, word: str, error: Exception) -> None:
        self._embedder, self._word, self._error = embedder, word, error
        self.fingerprint, self.dimension = embedder.fingerprint, embedder.dimension
        self.max_tokens = embedder.max_tokens
        self.encoded = 0

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        self._check(texts)
        self.encoded += len(texts)
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


def build(catalog: Catalog, embedder: Embedder, *sources: Source, **settings: Any) -> list[Outcome]:
    builder = Builder(catalog, embedder, Settings(home=Path(), **settings))
    return list(builder.ingest(CORPUS, sources))


FILES = [source(f"{name}.txt", f"The {name} stands in the harbour.") for name in ("mast", "crane", "poison")]


@pytest.mark.parametrize(
    ("error", "told"),
    [(MemoryError(), "MemoryError"), (RuntimeError("Failed to allocate memory"), "RuntimeError: Failed to")],
)
@pytest.mark.parametrize("chunker", ["packed", "max_min"])  # the latter embeds sentences to cut
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
    assert catalog.documents.count(CORPUS) == 3


class Full:
    """A part of a catalogue whose disk fails in one call."""

    def __init__(self, part: object, call: str) -> None:
        self._part, self._call = part, call

    def __getattr__(self, name: str) -> Any:
        if name == self._call:
            raise StorageError("The disk is full.")
        return getattr(self._part, name)


@pytest.mark.parametrize(
    ("part", "call"), [("documents", "is_current"), ("embeddings", "known"), ("documents", "put")]
)
def test_a_disk_that_fails_ends_the_run_and_fails_no_file(
    tmp_path: Path, embedder: Embedder, part: str, call: str
) -> None:
    catalog = Catalog(tmp_path)
    setattr(catalog, part, Full(getattr(catalog, part), call))
    with pytest.raises(StorageError, match="The disk is full"):
        build(catalog, embedder, *FILES)
    catalog.close()


def test_unchanged_files_do_nothing(catalog: Catalog, embedder: Embedder) -> None:
    assert [outcome.state for outcome in build(catalog, embedder, *FILES)] == ["added"] * 3
    again = build(catalog, embedder, *FILES[:2], source("poison.txt", "It was cleaned."))
    assert [outcome.state for outcome in again] == ["unchanged", "unchanged", "updated"]


def test_a_hash_that_is_known_travels_with_the_bytes(catalog: Catalog, embedder: Embedder) -> None:
    known = Source("a.txt", b"Some text.".strip, sha256="0" * 64)
    assert [outcome.state for outcome in build(catalog, embedder, known)] == ["added"]
    assert catalog.documents.info(CORPUS, "a.txt").sha256 == "0" * 64
    assert [outcome.state for outcome in build(catalog, embedder, known)] == ["unchanged"]


def test_a_version_that_is_no_longer_wanted_is_not_shown(catalog: Catalog, embedder: Embedder) -> None:
    def wanted() -> bool:
        return not catalog.database.read().in_transaction  # until the version would become visible

    [outcome] = build(catalog, embedder, Source("a.txt", b"Some text.".strip, wanted=wanted))
    assert (outcome.state, outcome.error) == ("failed", "store: 'a.txt' was deleted before it was ingested.")
    assert catalog.documents.infos(CORPUS) == []


def test_a_corpus_is_made_only_where_it_may_be(catalog: Catalog, embedder: Embedder) -> None:
    builder = Builder(catalog, embedder, Settings(home=Path()))
    with pytest.raises(NotFound):
        list(builder.ingest(CORPUS, FILES, create=False))
    assert catalog.corpora.infos() == []
    catalog.create_corpus(CORPUS, Recipe("another model"))
    with pytest.raises(OtherEmbedder):
        list(builder.ingest(CORPUS, FILES))


SENTENCES = 400
LARGE = " ".join(
    f"The keeper of tower {n} counts {n * 7} ships in the harbour and writes them into the book of the day."
    for n in range(SENTENCES)
)
_KILLED = """
import os, sys
from pathlib import Path
from ingest.source import Source
from rag.store.catalog import Catalog
from rag.store.jobs import Upload
from rag.models.embed import load_embedder
from rag.types import Recipe
from tests.ingest.test_build import LARGE, Choking, build
class Killed(Choking):
    def _check(self, texts):
        if self.encoded >= 200:
            os.kill(os.getpid(), 9)
embedder = Killed(load_embedder(), "", Exception())
build(Catalog(Path(sys.argv[1])), embedder, Source("large.md", LARGE.encode), chunk_tokens=32)
"""


def test_a_large_file_goes_on_where_a_kill_ended_it(catalog: Catalog, embedder: Embedder) -> None:
    command = [sys.executable, "-c", _KILLED, str(catalog.home)]
    assert subprocess.run(command, cwd=Path(__file__).parents[2]).returncode == -signal.SIGKILL
    kept = count(catalog, "checkpoints")
    assert 200 <= kept < 200 + GROUP_CHUNKS
    assert (count(catalog, "documents"), count(catalog, "embeddings")) == (0, 0)
    again = Choking(embedder, "\0", Exception())
    [outcome] = build(catalog, again, Source("large.md", LARGE.encode), chunk_tokens=32)
    assert (outcome.state, outcome.chunks) == ("added", SENTENCES)
    assert again.encoded == SENTENCES - kept
    assert (count(catalog, "checkpoints"), count(catalog, "embeddings")) == (0, SENTENCES)
    stored = catalog.embeddings.known(
        [row["embedding"] for row in catalog.database.read().execute("SELECT embedding FROM chunks")]
    )
    first = catalog.database.read().execute("SELECT * FROM chunks ORDER BY start").fetchone()
    text = indexed_text(first["text"], first["context"])
    assert np.array_equal(stored[first["embedding"]], embedder.encode([text])[0].astype(np.float16))


class StoppedAt(Choking):
    """An embedder whose service is told to stop after a number of encoded texts."""

    def __init__(self, embedder: Embedder, stop: threading.Event, after: int) -> None:
        super().__init__(embedder, "\0", Exception())
        self._stop, self._after = stop, after

    def _check(self, texts: Sequence[str]) -> None:
        if self.encoded >= self._after:
            self._stop.set()


def test_a_stop_waits_for_no_large_file_and_the_next_start_goes_on_with_it(
    catalog: Catalog, embedder: Embedder
) -> None:
    stop = threading.Event()
    stopped = StoppedAt(embedder, stop, after=200)
    settings = Settings(home=Path(), chunk_tokens=32)
    jobs = Jobs(catalog, stop)
    job = jobs.submit(
        CORPUS, [Upload("large.md", LARGE.encode(), {})], recipe_of(settings, embedder.fingerprint)
    )
    jobs.start(lambda: Builder(catalog, stopped, settings, stop), lambda _: None)
    assert stop.wait(HANG_S)
    assert jobs.stop(wait_s=HANG_S)  # the thread has ended
    kept = count(catalog, "checkpoints")
    assert 200 <= kept == stopped.encoded <= 200 + 2 * GROUP_CHUNKS
    assert (count(catalog, "documents"), count(catalog, "embeddings")) == (0, 0)
    assert [file.state for file in jobs.queue.get(job).files] == ["queued"]
    assert catalog.database.read().execute("SELECT attempts FROM job_files").fetchone()[0] == 0
    again, later = Choking(embedder, "\0", Exception()), Jobs(catalog)
    later.start(lambda: Builder(catalog, again, settings), lambda _: None)
    assert finished(later, job).state == "completed"
    later.stop()
    assert again.encoded == SENTENCES - kept
    assert count(catalog, "embeddings") == SENTENCES


@pytest.mark.parametrize("chunker", ["packed", "max_min"])  # the latter embeds to cut
def test_a_stop_is_no_failure_of_a_file(catalog: Catalog, embedder: Embedder, chunker: str) -> None:
    stop = threading.Event()
    stopped = StoppedAt(in_background(embedder, stop), stop, after=0)
    builder = Builder(catalog, stopped, Settings(home=Path(), chunker=chunker), stop)
    with pytest.raises(Stopped):
        next(builder.ingest(CORPUS, FILES))
    assert catalog.documents.infos(CORPUS) == []


def test_a_stop_lets_a_file_go_that_is_being_read(catalog: Catalog, embedder: Embedder) -> None:
    stop = threading.Event()

    def read() -> bytes:
        stop.set()
        return b"Some text."

    with pytest.raises(Stopped):
        next(Builder(catalog, embedder, Settings(home=Path()), stop).ingest(CORPUS, [Source("a.txt", read)]))
    assert catalog.documents.infos(CORPUS) == []


def test_what_is_cancelled_is_embedded_no_further(catalog: Catalog, embedder: Embedder) -> None:
    counting = Choking(embedder, "\0", Exception())

    def wanted() -> bool:
        return counting.encoded < 100

    [outcome] = build(catalog, counting, Source("large.md", LARGE.encode, wanted=wanted), chunk_tokens=32)
    assert outcome.error == "embed: It was cancelled or deleted while it was being embedded."
    assert counting.encoded < 100 + GROUP_CHUNKS
