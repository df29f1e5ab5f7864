"""Whether the service can answer at full speed: models and indexes are loaded in the background at start."""

from __future__ import annotations

import logging
import shutil
import threading

from api.service import Service
from ingest.uploads.jobs import STOP_S
from rag.errors import IbidError, NotFound
from rag.pipeline import Pipeline

log = logging.getLogger(__name__)
# With less, the next upload is likely to fail.
UPLOAD_FREE_MB = 50


class Readiness:
    """Warms a service up in a thread, and says what it still lacks."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._pending = "The model and the indexes are being loaded."
        self._warnings: tuple[str, ...] = ()
        self._indexes_rest = threading.Event()  # set once this thread touches them no more
        self._thread = threading.Thread(target=self._warm, name="warm-up", daemon=True)

    def start(self) -> None:
        """Begin to load what the first questions need."""
        self._thread.start()

    def stop(self) -> bool:
        """Stop after the current index, and return whether that was loaded within STOP_S.

        What only some questions need is not waited for: its imports take seconds.
        """
        self._service.stopping.set()
        return self._indexes_rest.wait(STOP_S)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What fails for one corpus only, such as one that another model embedded."""
        return self._warnings

    def reasons(self) -> list[str]:
        """Return why the service is not ready; empty when it is."""
        reasons = [self._pending] if self._pending else []
        try:
            with self._service.catalog.database.write():
                free_mb = shutil.disk_usage(self._service.settings.service.home).free // 1_000_000
        except (IbidError, OSError) as error:
            return [*reasons, f"The catalogue cannot be written: {error}"]
        if free_mb < UPLOAD_FREE_MB:
            reasons.append(f"The disk has {free_mb} MB free; uploads need at least {UPLOAD_FREE_MB}.")
        return reasons

    def _warm(self) -> None:
        try:
            self._load_indexes()
            if not self._service.stopping.is_set():
                self._service.pipeline.models.warm_up()  # most questions do without: ready does not wait for it
        except Exception as error:  # whatever it is, the service lives on and says it
            log.exception("The warm-up failed")
            shown = str(error) if isinstance(error, IbidError) else type(error).__name__
            self._pending = f"Loading failed: {shown} Mend it and start the service again."

    def _load_indexes(self) -> None:
        try:
            pipeline = self._service.pipeline  # the embedder with it
            assert pipeline.models.generator  # loads it; a server is not asked yet
            for corpus in self._service.catalog.corpora.infos():
                if self._service.stopping.is_set():
                    return
                self._load(pipeline, corpus.name)
            self._pending = ""
        finally:
            self._indexes_rest.set()

    def _load(self, pipeline: Pipeline, corpus: str) -> None:
        try:
            pipeline.search(corpus, "Is it there?", k=1)  # runs every part once, the index caught up
        except NotFound:
            return  # deleted meanwhile
        except IbidError as error:
            log.warning("Corpus %r cannot be asked: %s", corpus, error)
            self._warnings += (str(error),)
