"""Jobs: uploads that were acknowledged and are ingested in the background, across restarts.

One process at a time works them off, the one that holds the lock of the queue. A dead process cannot hold it, so
that another one takes over at its next look, after POLL_S.
"""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from ingest.names import document_name, taken_name
from ingest.source import Outcome, Source
from rag.errors import IbidError, ProcessError, Stopped, StorageError, UnreadableFile
from rag.store.catalog import Catalog
from rag.store.durable import locked
from rag.store.jobs import Job, JobFile, QueuedFile, Upload
from rag.types import Recipe

if TYPE_CHECKING:
    from ingest.build import Builder

log = logging.getLogger(__name__)
POLL_S = 0.5  # how soon a job submitted by another process is noticed
MOST_PAUSE_S = 30  # longest wait between tries while the disk is full or busy
SWEEP_S = 3_600  # between two looks for what nothing needs any more
# How long stopping waits for the current work to notice.
STOP_S = 1
FILE_ATTEMPTS = 3  # how often a file is begun: one that ends the process each time must not do so for ever


class Jobs:
    """The thread that works off a catalogue's queue of uploads, and is woken by new ones.

    Args:
        stop: set by `stop`, and by whoever stops the whole service; a builder that shares it ends with Stopped.

    Attributes:
        queue: the jobs themselves, of every process.
    """

    def __init__(self, catalog: Catalog, stop: threading.Event | None = None) -> None:
        self._catalog, self.queue = catalog, catalog.jobs
        self._wake, self._stop = threading.Event(), stop or threading.Event()
        self._thread: threading.Thread | None = None
        self._at_work = ""  # id of the job
        self._holds_lock = False
        self._sweep_at = 0.0

    def submit(self, corpus: str, uploads: Sequence[Upload], recipe: Recipe) -> str:
        """Store uploads durably and acknowledge them; return the job's id. See `JobQueue.submit`.

        Raises:
            InvalidName: if a name cannot be a document's or a corpus's, or two uploads have the same.
            StorageError: if they could not be stored; nothing was accepted.
        """
        job = self.queue.submit(corpus, _named(uploads), recipe)
        self._wake.set()
        return job

    def retry(self, job: str) -> Job:
        """Queue the files of a finished job again. See `JobQueue.retry`."""
        retried = self.queue.retry(job)
        self._wake.set()
        return retried

    def start(self, make_builder: Callable[[], Builder], after: Callable[[str], None]) -> None:
        """Work jobs off in a thread until `stop`.

        Args:
            make_builder: called once, in the thread, when the first job is there.
            after: called with the corpus when a job of it is finished.
        """
        self._thread = threading.Thread(
            target=self._work, args=(make_builder, after), name="jobs", daemon=True
        )
        self._thread.start()

    def stop(self, *, wait_s: float = STOP_S) -> bool:
        """Stop, and return whether the current work ended in time.

        The file at hand goes on at the next start, with the embeddings that were made, and so does what is left.
        """
        self._stop.set()
        self._wake.set()
        if self._thread:
            self._thread.join(wait_s)
        self._give_back()
        ended = self._thread is None or not self._thread.is_alive()
        if ended:
            self._at_work = ""  # from now on another process may be at it
        return ended

    def _work(self, make_builder: Callable[[], Builder], after: Callable[[str], None]) -> None:
        builder = functools.cache(make_builder)
        self._catalog.originals.drop_unfinished()  # what a kill left behind
        pause_s = 0.0
        with ExitStack() as held, suppress(Stopped):
            while not self._stop.is_set():
                try:
                    self._sweep()
                    pause_s = 0.0 if self._work_one(held, builder, after) else POLL_S
                except Exception:  # such as a full disk: the thread must live on, and tries again
                    pause_s = min(max(2 * pause_s, POLL_S), MOST_PAUSE_S)
                    log.exception("The jobs could not be worked off; trying again in %s s", pause_s)
                    self._give_back()
                self._wake.wait(pause_s)
                self._wake.clear()

    def _sweep(self) -> None:
        """Occasionally delete what is no longer needed: files of unclaimed retries, and remains of a killed backup."""
        if time.monotonic() >= self._sweep_at:
            self._sweep_at = time.monotonic() + SWEEP_S
            self.queue.forget_expired()
            self._catalog.originals.drop_unused()
            self._catalog.embeddings.drop_old_checkpoints()

    def _work_one(
        self, held: ExitStack, builder: Callable[[], Builder], after: Callable[[str], None]
    ) -> bool:
        """Work the oldest job off, if there is one and no other process is at work; return whether it did.

        Args:
            held: keeps the worker's lock, once it is this process's, to the end.
        """
        job = self.queue.oldest() if self._is_worker(held) else None
        if job is not None:
            self._run(job, builder)
            after(job.corpus)
        return job is not None

    def _is_worker(self, held: ExitStack) -> bool:
        if not self._holds_lock:
            with suppress(BlockingIOError):
                held.enter_context(locked(self.queue.lock, shared=False))
                self._holds_lock = True
                held.callback(setattr, self, "_holds_lock", False)
        return self._holds_lock

    def _run(self, job: Job, builder: Callable[[], Builder]) -> None:
        self._give_back()  # what the last try could not
        self._at_work = job.id
        files = self.queue.begin(job)
        error = None
        try:
            for outcome in self._ingest(job, files, builder):
                self.queue.record(
                    job.id, JobFile(outcome.name, outcome.state, outcome.error, outcome.omissions)
                )
        except (StorageError, ProcessError):
            raise  # no fault of the job, which stays unfinished and is tried again
        except Exception as raised:  # the job says what happened, and the next one goes on
            if not isinstance(raised, IbidError):
                log.exception("Job %s failed", job.id)
            error = str(raised) if isinstance(raised, IbidError) else f"{type(raised).__name__}: {raised}"
        if error is None and self.queue.get(job.id).done < len(job.files):  # stopped, or retried meanwhile
            return
        self.queue.finish(job.id, error)
        self._at_work = ""
        self._catalog.originals.drop_unused([file.sha256 for file in files])

    def _ingest(
        self, job: Job, files: Sequence[QueuedFile], builder: Callable[[], Builder]
    ) -> Iterator[Outcome]:
        """Ingest a job's files; one that was begun before goes alone: it may end the process once more."""
        begun, fresh = (
            [file for file in files if file.attempts],
            [file for file in files if not file.attempts],
        )
        for part in [*([file] for file in begun), *([fresh] if fresh else [])]:
            yield from builder().ingest(job.corpus, self._sources(job.id, part), create=False)

    def _sources(self, job: str, files: Sequence[QueuedFile]) -> Iterator[Source]:
        """Yield what is still wanted, each counted as begun, until `stop`."""
        for file in files:
            if self._stop.is_set():
                return
            if file.attempts >= FILE_ATTEMPTS:
                message = (
                    f"The service ended {FILE_ATTEMPTS} times while it read this file; it is not tried again. "
                    "Split it or save it again, then upload that."
                )
                self.queue.record(job, JobFile(file.name, "failed", message))
            elif self.queue.begin_file(job, file.name):
                yield self._source(job, file)

    def _source(self, job: str, file: QueuedFile) -> Source:
        original = self._catalog.originals.path(file.sha256)

        def read() -> bytes:
            try:
                return original.read_bytes()
            except FileNotFoundError as error:
                raise UnreadableFile(
                    f"The bytes of {file.name!r} are no longer kept; upload it again."
                ) from error

        wanted = functools.partial(self.queue.is_wanted, job, file.name)
        return Source(file.name, read, file.metadata, sha256=file.sha256, wanted=wanted)

    def _give_back(self) -> None:
        """Let the files that were begun and not finished count as not begun: it was not they who ended it."""
        if not self._at_work:
            return
        try:
            self.queue.give_back(self._at_work)
        except StorageError as error:
            log.warning("The files that were begun still count as such (%s).", error)


def _named(uploads: Sequence[Upload]) -> list[Upload]:
    """Return uploads under the names that they get as documents, each of its own."""
    named: dict[str, Upload] = {}
    for upload in uploads:
        name = document_name(upload.name)
        if name in named:
            raise taken_name(name)
        named[name] = replace(upload, name=name)
    return list(named.values())
