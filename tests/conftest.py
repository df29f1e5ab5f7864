"""Fixtures that the tests share: the real embedder, a catalogue in a fresh folder, and the command line."""

import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from api import cli
from ingest.uploads.jobs import Jobs
from rag.memory.conversation import Conversations
from rag.models.embed import Embedder, load_embedder
from rag.models.evidence import EvidenceModel, load_evidence_model
from rag.pipeline import Pipeline
from rag.settings import Settings
from rag.stages import ModelSet
from rag.store.catalog import Catalog
from tests.made_versions import MILL, QUILL, SEA, Library
from tests.typed import Done, Ibid


class _Loggers(dict[str, logging.Logger | logging.PlaceHolder]):
    """The loggers of this process, listed as they are at one moment.

    pytest's logging plugin walks through them without a lock (9.2), while a server in this process imports modules in
    its threads, each of which may add a logger: "dictionary changed size during iteration".
    """

    def values(self) -> Any:
        return self.copy().values()


logging.root.manager.loggerDict = _Loggers(logging.root.manager.loggerDict)
# Text -> vector; many tests use the same lines
_KNOWN: dict[str, np.ndarray] = {}


@pytest.fixture(scope="session")
def embedder() -> Embedder:
    return load_embedder()


@pytest.fixture(scope="session")
def evidence() -> EvidenceModel:
    return load_evidence_model()


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    catalog = Catalog(tmp_path / "home")
    yield catalog
    catalog.close()


@pytest.fixture
def jobs(catalog: Catalog) -> Iterator[Jobs]:
    jobs = Jobs(catalog)
    yield jobs
    jobs.stop()


@pytest.fixture
def conversations(catalog: Catalog) -> Conversations:
    return Conversations(catalog)


@pytest.fixture
def library(catalog: Catalog, embedder: Embedder) -> Library:
    return Library(catalog, embedder, _KNOWN)


@pytest.fixture
def filled(library: Library) -> Library:
    """A corpus about a lighthouse and a mill."""
    library.put("sea.txt", SEA)
    library.put("mill.txt", MILL)
    return library


@pytest.fixture
def pipeline(library: Library, embedder: Embedder) -> Pipeline:
    """A question path over a document about Ada Quill; modules with other documents have their own."""
    library.put("quill.txt", QUILL)
    return Pipeline(
        Settings(home=Path("unused")), library.catalog, ModelSet(Settings(home=Path("unused")), embedder)
    )


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("IBID_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def ibid(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ibid:
    def run(*arguments: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["ibid", *map(str, arguments)])
        with pytest.raises(SystemExit) as exit_:
            cli.main()
        captured = capsys.readouterr()
        return Done(int(exit_.value.code or 0), captured.out, captured.err)

    return run
