"""One Ibid process: the catalogue, the models and the question path, opened from the settings."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

from rag.errors import IbidError, NotFound
from rag.models.embed import Embedder, embedder_of, in_background, load_embedder
from rag.recipe import AUTO, TRUNK, recipe_of
from rag.settings import Settings, load_settings
from rag.store.catalog import Catalog
from rag.store.jobs import Job
from rag.types import Recipe

if TYPE_CHECKING:
    from ingest.build import Builder
    from ingest.parse import Parser
    from ingest.sync.sync import Sync
    from ingest.uploads.jobs import Jobs
    from rag.memory.conversation import Conversations
    from rag.pipeline import Pipeline


class Service:
    """What the ways in share. Models and indexes load at their first use, and so do the modules of each part.

    Whoever stops it sets `stopping`: what is at work in the background, embedding included, then ends.

    Raises:
        StorageError: if the data folder cannot be used.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.catalog = Catalog(settings.service.home)
        self.stopping = threading.Event()
        self._lock = threading.RLock()  # from Python 3.12, `cached_property` has none
        self._embedder: Embedder | None = None
        self._pipeline: Pipeline | None = None

    @property
    def embedder(self) -> Embedder:
        """The embedding model of the settings."""
        with self._lock:
            if self._embedder is None:
                name, threads = self.settings.corpus.embedder, self.settings.service.encoder_threads
                self._embedder = load_embedder(name, threads=threads)
            return self._embedder

    @property
    def pipeline(self) -> Pipeline:
        """The question path."""
        # Outside the lock: the embedder loads meanwhile.
        from rag.pipeline import Pipeline
        from rag.stages import ModelSet

        with self._lock:
            if self._pipeline is None:
                models = ModelSet(self.settings, self.embedder)
                self._pipeline = Pipeline(self.settings, self.catalog, models)
            return self._pipeline

    def load_ahead(self, corpus: str) -> None:
        """Load the networks of an answer in a thread, while the caller imports the question path and reads the index.

        What fails here fails again where it is used. Nothing is loaded for an unknown corpus, or where the embedder is
        not a packaged one: a model that does not load would be tried twice.
        """

        def load() -> None:
            with suppress(IbidError):
                assert self.embedder
                assert self.pipeline.models.generator

        if self.settings.corpus.embedder not in (AUTO, TRUNK):
            return
        with suppress(NotFound):
            self.catalog.corpora.require(corpus)
            # No daemon: a process that ends inside ONNX Runtime aborts.
            threading.Thread(target=load, name="load-ahead").start()

    @cached_property
    def conversations(self) -> Conversations:
        """What remembers sessions; a question without one needs none."""
        from rag.memory.conversation import Conversations

        return Conversations(self.catalog)

    @cached_property
    def jobs(self) -> Jobs:
        """What works uploads off; a question from the command line needs none."""
        from ingest.uploads.jobs import Jobs

        return Jobs(self.catalog, self.stopping)

    @property
    def recipe(self) -> Recipe:
        """How the settings make a new corpus."""
        return recipe_of(self.settings, self.embedder.fingerprint)

    def check_embedder(self, corpus: str) -> None:
        """Raise OtherEmbedder where the embedding model of a corpus is unavailable."""
        with suppress(NotFound):  # it is to be made
            embedder_of(
                corpus,
                self.catalog.generations.serving(corpus).recipe,
                self.embedder,
                threads=self.settings.service.encoder_threads,
            )

    def builder(self) -> Builder:
        """Return a builder, whose work gives way to questions."""
        from ingest.build import Builder

        embedder = in_background(self.embedder, self.stopping)
        return Builder(self.catalog, embedder, self.settings, self.stopping)

    def remark_on(self, job: Job) -> str:
        """Say what whoever uploaded should know of a finished job; "" if nothing."""
        from ingest.languages import remark_on_job

        return remark_on_job(self.catalog, job) if self.settings.corpus.embedder == AUTO else ""

    @cached_property
    def parser(self) -> Parser:
        """What shows pages of PDFs; files to ingest have another."""
        from ingest.build import make_parser

        return make_parser(self.settings)

    @cached_property
    def sync(self) -> Sync:
        """What makes a corpus follow a folder."""
        from ingest.sync.sync import Sync

        return Sync(self.catalog, self.builder)

    def start_jobs(self) -> None:
        """Work uploads off in the background, those of an earlier process first."""
        self.jobs.start(self.builder, self.follow)

    def stop(self, *, idle: bool = True) -> bool:
        """Stop the jobs and snapshot the indexes; return whether nothing of ours is at work any more.

        What takes long is left to the end of the process: a file at hand is begun again by the next.
        So are the connections, which the thread of a request may still be using.

        Args:
            idle: whether nothing else is at work, such as the warm-up.
        """
        if ("jobs" in self.__dict__ and not self.jobs.stop()) or not idle:
            return False
        if self._pipeline is not None:
            self._pipeline.save_indexes(always=True)
        return True

    def close(self) -> None:
        """Stop, and close the catalogue where no thread uses it: never while requests are served."""
        if self.stop():
            self.catalog.close()

    def follow(self, corpus: str) -> None:
        """Catch the index of a corpus up after a change, so that no question has to wait for it."""
        with suppress(NotFound):  # deleted meanwhile
            self.pipeline.index(corpus).catch_up()
        self.pipeline.save_indexes()


@contextmanager
def opened(**overrides: Any) -> Iterator[Service]:
    """Open the service of the settings for one command, and close it after.

    Args:
        overrides: settings that the command's options name; None for those that are not given.

    Raises:
        InvalidSettings, StorageError: if a setting is wrong, or the data folder cannot be used.
    """
    service = Service(load_settings(**overrides))
    try:
        yield service
    finally:
        service.close()
