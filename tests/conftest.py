"""Fixtures that the tests share: the real embedder, a catalogue in a fresh folder, and a way to fill it."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from rag.catalog import Catalog
from rag.embed import Embedder, load_embedder
from tests.made_versions import Library

_KNOWN: dict[str, np.ndarray] = {}  # text -> vector; the same lines return in many tests


@pytest.fixture(scope="session")
def embedder() -> Embedder:
    return load_embedder()


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    catalog = Catalog(tmp_path / "home")
    yield catalog
    catalog.close()


@pytest.fixture
def library(catalog: Catalog, embedder: Embedder) -> Library:
    return Library(catalog, embedder, _KNOWN)
