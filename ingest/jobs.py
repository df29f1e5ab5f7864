"""Jobs: uploads that were acknowledged and are ingested in the background, across restarts.

A job and its files are rows of the catalogue, written in one transaction after the originals are
durable: what was acknowledged survives a kill. One process at a time works them off, the one that
holds the lock on `worker.lock`; a dead process cannot hold it.
"""

from __future__ import annotations

import fcntl
import functools
import json
import logging
import secrets
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import IO, TYPE_CHECKING

from ingest.load import document_name
from ingest.source import Outcome, Source
from rag.catalog import Catalog
from rag.errors import IbidError, InvalidName, NotFound
from rag.types import Metadata

if TYPE_CHECKING:
    from ingest.build import Builder

log = logging.getLogger(__name__)
POLL_S = 0.5  # how soon a job submitted by another process is noticed


@dataclass(frozen=True, slots=True)
class Upload:
    """A file to be acknowledged: its name in the corpus, its bytes, and the user's metadata."""

    name: str
    data: bytes
    metadata: Metadata


@dataclass(frozen=True, slots=True)
class JobFile:
    """What became of one file: queued, running, added, updated, unchanged or failed."""

    name: str
    state: str
    error: str | None


@dataclass(frozen=True, slots=True)
class Job:
    """A job: queued, running, completed, completed_with_errors or failed."""

    id: str
    corpus: str
    state: str
    created: float  # seconds since the epoch
    finished: float | None
    error: str | None
    files: tuple[JobFile, ...]

    @property
    def done(self) -> int:
        """How many of its files are finished."""
        return sum(file.state not in ("queued", "running") for file in self.files)


class Jobs:
    """The queue of a catalogue, and the thread that works it off."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._wake, self._stop = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    def submit(self, corpus: str, uploads: Sequence[Upload]) -> str:
        """Store uploads durably and acknowledge them; return the job's id.

        Raises:
            InvalidName: if a name cannot be a document's, or two uploads have the same.
            StorageError: if they could not be stored; nothing was accepted.
        """
        job = secrets.token_hex(8)
        uploads = [replace(upload, name=document_name(upload.name)) for upload in uploads]
        if twice := [name for name, times in Counter(upload.name for upload in uploads).items() if times > 1]:
            raise InvalidName(
                f"Two of the files are named {twice[0]!r}; expected a name of its own for each."
            )
        stored = [(upload, self._catalog.keep_original(upload.data)) for upload in uploads]
        with self._catalog.write() as transaction:
            transaction.execute(
                "INSERT INTO jobs VALUES (?, ?, 'queued', ?, NULL, NULL)", (job, corpus, time.time())
            )
            transaction.executemany(
                "INSERT INTO job_files VALUES (?, ?, ?, ?, 'queued', NULL)",
                [(job, upload.name, sha256, json.dumps(dict(upload.metadata))) for upload, sha256 in stored],
            )
            for upload, _ in stored:  # in the transaction, which no deletion of the same bytes can enter
                self._catalog.keep_original(upload.data)
        self._wake.set()
        return job

    def get(self, job: str) -> Job:
        """Return a job, or raise NotFound."""
        row = self._catalog.read().execute("SELECT * FROM jobs WHERE id = ?", (job,)).fetchone()
        if row is None:
            raise NotFound(f"There is no job {job!r}.")
        return self._job(row)

    def recent(self, limit: int = 100) -> list[Job]:
        """Return the newest jobs, newest first."""
        rows = (
            self._catalog.read()
            .execute("SELECT * FROM jobs ORDER BY created DESC LIMIT ?", (limit,))
            .fetchall()
        )
        return [self._job(row) for row in rows]

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

    def stop(self) -> None:
        """Stop after the file at hand; what is left goes on at the next start."""
        self._stop.set()
        self._wake.set()
        if self._thread:
            self._thread.join(timeout=30)

    def _work(self, make_builder: Callable[[], Builder], after: Callable[[str], None]) -> None:
        builder = functools.cache(make_builder)
        self._catalog.drop_unused_originals()  # what a kill left behind
        with (self._catalog.home / "worker.lock").open("w") as lock:
            while not self._stop.is_set():
                try:
                    job = self._next() if _locked(lock) else None
                    if job is not None:
                        self._run(job, builder)
                        after(job.corpus)
                        continue
                except Exception:  # such as a full disk: the thread must live on, and tries again
                    log.exception("The jobs could not be worked off; trying again in %s s", POLL_S)
                self._wake.wait(POLL_S)
                self._wake.clear()

    def _next(self) -> Job | None:
        row = (
            self._catalog.read()
            .execute("SELECT * FROM jobs WHERE state IN ('queued', 'running') ORDER BY created LIMIT 1")
            .fetchone()
        )
        return self._job(row) if row else None

    def _run(self, job: Job, builder: Callable[[], Builder]) -> None:
        with self._catalog.write() as transaction:
            transaction.execute("UPDATE jobs SET state = 'running' WHERE id = ?", (job.id,))
        unfinished = self._catalog.read().execute(
            "SELECT name, sha256, metadata FROM job_files "
            "WHERE job = ? AND state IN ('queued', 'running') ORDER BY rowid",
            (job.id,),
        )
        rows = unfinished.fetchall()
        try:
            for outcome in builder().ingest(job.corpus, map(self._source, rows)):
                self._record(job.id, outcome)
                if self._stop.is_set():
                    return
        except Exception as error:  # the job says what happened, and the next one goes on
            if not isinstance(error, IbidError):
                log.exception("Job %s failed", job.id)
            message = str(error) if isinstance(error, IbidError) else f"{type(error).__name__}: {error}"
            self._finish(job.id, "failed", message)
        else:
            states = {file.state for file in self.get(job.id).files}
            good = states & {"added", "updated", "unchanged"}
            self._finish(
                job.id,
                "completed" if "failed" not in states else "completed_with_errors" if good else "failed",
            )
        self._catalog.drop_unused_originals([row["sha256"] for row in rows])

    def _source(self, row: sqlite3.Row) -> Source:
        original = self._catalog.original(row["sha256"])
        return Source(row["name"], original.read_bytes, json.loads(row["metadata"]))

    def _record(self, job: str, outcome: Outcome) -> None:
        with self._catalog.write() as transaction:
            transaction.execute(
                "UPDATE job_files SET state = ?, error = ? WHERE job = ? AND name = ?",
                (outcome.state, outcome.error, job, outcome.name),
            )

    def _finish(self, job: str, state: str, error: str | None = None) -> None:
        with self._catalog.write() as transaction:
            transaction.execute(
                "UPDATE jobs SET state = ?, finished = ?, error = ? WHERE id = ?",
                (state, time.time(), error, job),
            )
            transaction.execute(
                "UPDATE job_files SET state = 'failed', error = ? WHERE job = ? AND state = 'queued'",
                (error, job),
            )

    def _job(self, row: sqlite3.Row) -> Job:
        files = self._catalog.read().execute(
            "SELECT name, state, error FROM job_files WHERE job = ? ORDER BY rowid", (row["id"],)
        )
        done = tuple(JobFile(row["name"], row["state"], row["error"]) for row in files)
        return Job(
            row["id"], row["corpus"], row["state"], row["created"], row["finished"], row["error"], done
        )


def _locked(file: IO[str]) -> bool:
    """Take the lock for this process, or tell that another one has it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
