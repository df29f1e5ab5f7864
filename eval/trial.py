"""One configuration under test: documents ingested into a fresh data folder, and its question path."""

from __future__ import annotations

import json
import platform
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ingest.build import Builder
from ingest.source import Source, find_sources
from rag.models.embed import Embedder, load_embedder
from rag.pipeline import Pipeline
from rag.settings import Settings
from rag.stages import ModelSet
from rag.store.catalog import Catalog

CORPUS = "trial"
RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Trial:
    """A question path over freshly ingested documents."""

    pipeline: Pipeline
    catalog: Catalog
    ingest_s: float
    chunks: int


@dataclass(frozen=True, slots=True)
class Subject:
    """The subject of an evaluation: the question path of some settings over one corpus of a catalogue."""

    pipeline: Pipeline
    catalog: Catalog
    settings: Settings
    corpus: str


@contextmanager
def trial(sources: Iterable[Source], settings: Mapping[str, Any]) -> Iterator[Trial]:
    """Ingest sources under some settings (all others at their defaults) and yield the trial.

    Raises:
        RuntimeError: if a source fails, since figures over part of a set mislead.
    """
    with tempfile.TemporaryDirectory() as home:
        configured = Settings(home=Path(home), **settings)
        embedder = shared_embedder(configured.corpus.embedder)
        catalog = Catalog(configured.service.home)
        began = time.perf_counter()
        for outcome in Builder(catalog, embedder, configured).ingest(CORPUS, sources):
            if outcome.state == "failed":
                raise RuntimeError(f"{outcome.name}: {outcome.error}")
        ingest_s = time.perf_counter() - began
        pipeline = Pipeline(configured, catalog, ModelSet(configured, embedder))
        yield Trial(pipeline, catalog, ingest_s, len(pipeline.index(CORPUS)))
        catalog.close()


def reconfigured(made: Trial, settings: Mapping[str, Any]) -> Pipeline:
    """Return a question path over a trial's documents with other question-time settings."""
    return question_path(made.catalog, settings)


def question_path(catalog: Catalog, settings: Mapping[str, Any]) -> Pipeline:
    """Return the question path of some settings (all others at their defaults) over a catalogue."""
    configured = Settings(home=catalog.home, **settings)
    return Pipeline(configured, catalog, ModelSet(configured, shared_embedder(configured.corpus.embedder)))


@cache
def shared_embedder(name: str) -> Embedder:
    """Load an embedder once for all trials of a run."""
    return load_embedder(name)


def file_sources(paths: Iterable[Path]) -> list[Source]:
    """Return the files under some paths as sources."""
    return find_sources(paths)[0]


def text_sources(texts: Mapping[str, str]) -> list[Source]:
    """Return texts by name as sources; a name without suffix gets `.txt`."""
    return [Source(name if "." in name else f"{name}.txt", text.encode) for name, text in texts.items()]


def save_results(name: str, results: Mapping[str, Any]) -> Path:
    """Write results as `eval/results/<name>-<commit>.json` and return the path."""
    path = RESULTS / f"{name}-{commit()}.json"
    RESULTS.mkdir(exist_ok=True)
    path.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def processor() -> str:
    """Return the name of the processor on Linux, elsewhere its architecture."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.machine()


def commit() -> str:
    """Return the short hash of the checked-out commit, with `-changed` if the tree differs from it."""
    here = Path(__file__).parent
    if not (here.parent / ".git").exists():  # installed, perhaps inside another project's repository
        return f"version {version('ibid')}"
    run = ["git", "describe", "--always", "--dirty=-changed", "--abbrev=10", "--exclude=*"]
    try:
        done = subprocess.run(run, cwd=here, capture_output=True, text=True, check=False)
    except OSError:
        return f"version {version('ibid')}"  # without git
    return done.stdout.strip() or f"version {version('ibid')}"
