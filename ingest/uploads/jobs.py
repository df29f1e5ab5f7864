"""Jobs: uploads that were acknowledged and are ingested in the background, across restarts.

One process at a time works them off, the one that holds the lock on `worker.lock`. A dead process cannot hold
it, so that another one takes over at its next look, after POLL_S.
"""

from __future__ import annotations

import functools
import json
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

from ingest.source import Outcome, Source
from ingest.uploads.queue import UNFINISHED, WORKER_LOCK, Job, JobFile, JobQueue, Upload
from rag.errors import IbidError, ProcessError, StorageError, UnreadableFile
from rag.store.catalog import Catalog
from rag.store.durable import locked
from rag.store.originals import RETRY_S

if TYPE_CHECKING:
    from ingest.build import Builder

__all__ = ["Job", "JobFile", "Jobs", "Upload"]

log = logging.getLogger(__name__)
POLL_S = 0.5  # how soon a job submitted by another process is noticed
MOST_PAUSE_S = 30  # longest wait between tries while the disk is full or busy
SWEEP_S = 3_600  # between two looks for what nothing needs any more
STOP_S = 3  # how long stopping waits for the file at hand
ATTEMPTS = 3  # how often a file is begun: one that ends the process each time must not do so for ever


class Jobs(JobQueue):
    """The queue of a catalogue, and the thread that works it off."""

    def __init__(self, catalog: Catalog) -> None:
        super().__init__(catalog)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._at_work = ""  # id of the job
        self._holds_lock = False
        self._sweep_at = 0.0

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
        """Stop after the file at hand, and tell whether that came to its end in time.

        What is left goes on at the next start.
        """
        self._stop.set()
        self._wake.set()
        if self._thread:
            self._thread.join(wait_s)
        self._give_back()
        return self._thread is None or not self._thread.is_alive()

    def _work(self, make_builder: Callable[[], Builder], after: Callable[[str], None]) -> None:
        builder = functools.cache(make_builder)
        self._catalog.drop_unfinished_originals()  # what a kill left behind
        pause_s = 0.0
        with ExitStack() as held:
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
        """Delete now and then what nothing needs any more: of retries that nobody made, of a killed backup."""
        if time.monotonic() >= self._sweep_at:
            self._sweep_at = time.monotonic() + SWEEP_S
            self._forget_expired()
            self._catalog.drop_unused_originals()
            self._catalog.drop_old_checkpoints()

    def _work_one(
        self, held: ExitStack, builder: Callable[[], Builder], after: Callable[[str], None]
    ) -> bool:
        """Work the oldest job off, if there is one and no other process is at work; tell whether.

        Args:
            held: keeps the worker's lock, once it is this process's, to the end.
        """
        job = self._next() if self._is_worker(held) else None
        if job is not None:
            self._run(job, builder)
            after(job.corpus)
        return job is not None

    def _is_worker(self, held: ExitStack) -> bool:
        if not self._holds_lock:
            with suppress(BlockingIOError):
                held.enter_context(locked(self._catalog.home / WORKER_LOCK, shared=False))
                self._holds_lock = True
                held.callback(setattr, self, "_holds_lock", False)
        return self._holds_lock

    def _next(self) -> Job | None:
        row = (
            self._catalog.read()
            .execute(f"SELECT * FROM jobs WHERE {UNFINISHED} ORDER BY created LIMIT 1")
            .fetchone()
        )
        return self._job(row) if row else None

    def _run(self, job: Job, builder: Callable[[], Builder]) -> None:
        self._give_back()  # what the last try could not
        self._at_work = job.id
        self._change(
            f"UPDATE jobs SET state = 'running', started = ?, done_before = ? WHERE id = ? AND {UNFINISHED}",
            time.time(),
            job.done,
            job.id,
        )
        rows = (
            self._catalog.read()
            .execute(f"SELECT * FROM job_files WHERE job = ? AND {UNFINISHED} ORDER BY rowid", (job.id,))
            .fetchall()
        )
        error = None
        try:
            for outcome in self._ingest(job, rows, builder):
                self._record(job.id, outcome)
        except (StorageError, ProcessError):
            raise  # no fault of the job, which stays unfinished and is tried again
        except Exception as raised:  # the job says what happened, and the next one goes on
            if not isinstance(raised, IbidError):
                log.exception("Job %s failed", job.id)
            error = str(raised) if isinstance(raised, IbidError) else f"{type(raised).__name__}: {raised}"
        if error is None and self.get(job.id).done < len(job.files):  # stopped, or retried meanwhile
            return
        self._finish(job.id, error)
        self._catalog.drop_unused_originals([row["sha256"] for row in rows])

    def _ingest(
        self, job: Job, rows: Sequence[sqlite3.Row], builder: Callable[[], Builder]
    ) -> Iterator[Outcome]:
        """Ingest a job's files; one that was begun before goes alone: it may end the process once more."""
        begun, fresh = [row for row in rows if row["attempts"]], [row for row in rows if not row["attempts"]]
        for part in [*([row] for row in begun), *([fresh] if fresh else [])]:
            yield from builder().ingest(job.corpus, self._sources(job.id, part), create=False)

    def _sources(self, job: str, rows: Sequence[sqlite3.Row]) -> Iterator[Source]:
        """Yield what is still wanted, each counted as begun, until `stop`."""
        for row in rows:
            if self._stop.is_set():
                return
            if row["attempts"] >= ATTEMPTS:
                message = (
                    f"The service ended {ATTEMPTS} times while it read this file; it is not tried again. "
                    "Split it or save it again, then upload that."
                )
                self._record(job, Outcome(row["name"], "failed", error=message))
            elif self._change(
                "UPDATE job_files SET state = 'running', attempts = attempts + 1 "
                f"WHERE job = ? AND name = ? AND {UNFINISHED}",
                job,
                row["name"],
            ):
                yield self._source(row)

    def _source(self, row: sqlite3.Row) -> Source:
        original = self._catalog.original(row["sha256"])

        def wanted() -> bool:
            query = f"SELECT 1 FROM job_files WHERE job = ? AND name = ? AND {UNFINISHED}"
            found = self._catalog.read().execute(query, (row["job"], row["name"]))
            return found.fetchone() is not None

        def read() -> bytes:
            try:
                return original.read_bytes()
            except FileNotFoundError as error:
                raise UnreadableFile(
                    f"The bytes of {row['name']!r} are no longer kept; upload it again."
                ) from error

        return Source(row["name"], read, json.loads(row["metadata"]), wanted=wanted)

    def _record(self, job: str, outcome: Outcome) -> None:
        self._change(
            f"UPDATE job_files SET state = ?, error = ? WHERE job = ? AND name = ? AND {UNFINISHED}",
            outcome.state,
            outcome.error,
            job,
            outcome.name,
        )

    def _finish(self, job: str, error: str | None) -> None:
        with self._catalog.write() as transaction:
            struck = transaction.execute(
                f"UPDATE job_files SET state = 'failed', error = ? WHERE job = ? AND {UNFINISHED}",
                (error, job),
            ).rowcount
            files = transaction.execute("SELECT state FROM job_files WHERE job = ?", (job,)).fetchall()
            state = "failed" if struck else _end({row["state"] for row in files})
            transaction.execute(
                f"UPDATE jobs SET state = ?, finished = ?, error = ? WHERE id = ? AND {UNFINISHED}",  # not cancelled
                (state, time.time(), error if struck else None, job),
            )
        self._at_work = ""

    def _forget_expired(self) -> None:
        """Give up the bytes of files that nobody retried in time."""
        self._change(
            "UPDATE job_files SET sha256 = '' WHERE state IN ('failed', 'cancelled') AND sha256 != '' AND job IN "
            "(SELECT id FROM jobs WHERE finished <= unixepoch() - ?)",
            RETRY_S,
        )

    def _give_back(self) -> None:
        """Let the files that were begun and not finished count as not begun: it was not they who ended it."""
        if not self._at_work:
            return
        try:
            self._change(
                "UPDATE job_files SET state = 'queued', attempts = attempts - 1 "
                "WHERE job = ? AND state = 'running'",
                self._at_work,
            )
        except StorageError as error:
            log.warning("The files that were begun still count as such (%s).", error)

    def _change(self, statement: str, *values: object) -> int:
        """Run one statement in a transaction of its own; return how many rows it changed."""
        with self._catalog.write() as transaction:
            return transaction.execute(statement, values).rowcount


def _end(states: set[str]) -> str:
    """Name how a job ended from how its files did."""
    if states == {"cancelled"}:
        return "cancelled"
    if "failed" not in states:
        return "completed"
    return "completed_with_errors" if states & {"added", "updated", "unchanged"} else "failed"
