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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import IO, TYPE_CHECKING

from ingest.load import document_name
from ingest.source import Outcome, Source
from rag.catalog import Catalog
from rag.errors import IbidError, InvalidName, NotFound, StorageError
from rag.types import Metadata

if TYPE_CHECKING:
    from ingest.build import Builder

log = logging.getLogger(__name__)
POLL_S = 0.5  # how soon a job submitted by another process is noticed
MOST_PAUSE_S = 30  # longest wait between tries while the disk is full or busy
STOP_S = 3  # how long stopping waits for the file at hand
ATTEMPTS = 3  # how often a file is begun: one that ends the process each time must not do so for ever
_UNFINISHED = "state IN ('queued', 'running')"


@dataclass(frozen=True, slots=True)
class Upload:
    """A file to be acknowledged: its name in the corpus, its bytes, and the user's metadata."""

    name: str
    data: bytes
    metadata: Metadata


@dataclass(frozen=True, slots=True)
class JobFile:
    """What became of one file: queued, running, added, updated, unchanged, failed or cancelled (deleted)."""

    name: str
    state: str
    error: str | None


@dataclass(frozen=True, slots=True)
class Job:
    """A job: queued, running, completed, completed_with_errors, failed or cancelled (all of it deleted)."""

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
        self._at_work = ""  # id of the job

    def submit(self, corpus: str, uploads: Sequence[Upload], embedder: str) -> str:
        """Store uploads durably and acknowledge them; return the job's id.

        Args:
            corpus: created where it does not exist.
            embedder: fingerprint of the model that will embed them.

        Raises:
            InvalidName: if a name cannot be a document's or a corpus's, or two uploads have the same.
            OtherEmbedder: if the corpus is of another model.
            StorageError: if they could not be stored; nothing was accepted.
        """
        job = secrets.token_hex(8)
        uploads = [replace(upload, name=document_name(upload.name)) for upload in uploads]
        if twice := [name for name, times in Counter(upload.name for upload in uploads).items() if times > 1]:
            raise InvalidName(
                f"Two of the files are named {twice[0]!r}; expected a name of its own for each."
            )
        self._catalog.create_corpus(corpus, embedder)
        stored = [(upload, self._catalog.keep_original(upload.data)) for upload in uploads]
        with self._catalog.write() as transaction:
            now = time.time()  # the corpus again: it may have been deleted meanwhile
            transaction.execute("INSERT OR IGNORE INTO corpora VALUES (?, ?, ?)", (corpus, embedder, now))
            transaction.execute(
                "INSERT INTO jobs (id, corpus, state, created) VALUES (?, ?, 'queued', ?)", (job, corpus, now)
            )
            transaction.executemany(
                "INSERT INTO job_files VALUES (?, ?, ?, ?, 'queued', NULL, 0)",
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
        self._catalog.drop_unused_originals()
        pause_s = 0.0
        with (self._catalog.home / "worker.lock").open("w") as lock:
            while not self._stop.is_set():
                try:
                    pause_s = 0.0 if self._work_one(lock, builder, after) else POLL_S
                except Exception:  # such as a full disk: the thread must live on, and tries again
                    pause_s = min(max(2 * pause_s, POLL_S), MOST_PAUSE_S)
                    log.exception("The jobs could not be worked off; trying again in %s s", pause_s)
                    self._give_back()
                self._wake.wait(pause_s)
                self._wake.clear()

    def _work_one(self, lock: IO[str], builder: Callable[[], Builder], after: Callable[[str], None]) -> bool:
        """Work the oldest job off, if there is one and no other process is at work; tell whether."""
        job = self._next() if _locked(lock) else None
        if job is not None:
            self._run(job, builder)
            after(job.corpus)
        return job is not None

    def _next(self) -> Job | None:
        row = (
            self._catalog.read()
            .execute(f"SELECT * FROM jobs WHERE {_UNFINISHED} ORDER BY created LIMIT 1")
            .fetchone()
        )
        return self._job(row) if row else None

    def _run(self, job: Job, builder: Callable[[], Builder]) -> None:
        self._give_back()  # what the last try could not
        self._at_work = job.id
        self._change("UPDATE jobs SET state = 'running' WHERE id = ?", job.id)
        rows = (
            self._catalog.read()
            .execute(f"SELECT * FROM job_files WHERE job = ? AND {_UNFINISHED} ORDER BY rowid", (job.id,))
            .fetchall()
        )
        error = None
        try:
            for outcome in self._ingest(job, rows, builder):
                self._record(job.id, outcome)
        except StorageError:
            raise  # no fault of the job, which stays unfinished and is tried again
        except Exception as raised:  # the job says what happened, and the next one goes on
            if not isinstance(raised, IbidError):
                log.exception("Job %s failed", job.id)
            error = str(raised) if isinstance(raised, IbidError) else f"{type(raised).__name__}: {raised}"
        if self._stop.is_set() and error is None and self.get(job.id).done < len(job.files):
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
                f"WHERE job = ? AND name = ? AND {_UNFINISHED}",
                job,
                row["name"],
            ):
                yield self._source(row)

    def _source(self, row: sqlite3.Row) -> Source:
        original = self._catalog.original(row["sha256"])

        def wanted() -> bool:
            query = f"SELECT 1 FROM job_files WHERE job = ? AND name = ? AND {_UNFINISHED}"
            found = self._catalog.read().execute(query, (row["job"], row["name"]))
            return found.fetchone() is not None

        return Source(row["name"], original.read_bytes, json.loads(row["metadata"]), wanted=wanted)

    def _record(self, job: str, outcome: Outcome) -> None:
        self._change(
            f"UPDATE job_files SET state = ?, error = ? WHERE job = ? AND name = ? AND {_UNFINISHED}",
            outcome.state,
            outcome.error,
            job,
            outcome.name,
        )

    def _finish(self, job: str, error: str | None) -> None:
        with self._catalog.write() as transaction:
            struck = transaction.execute(
                f"UPDATE job_files SET state = 'failed', error = ? WHERE job = ? AND {_UNFINISHED}",
                (error, job),
            ).rowcount
            files = transaction.execute("SELECT state FROM job_files WHERE job = ?", (job,)).fetchall()
            state = "failed" if struck else _end({row["state"] for row in files})
            transaction.execute(
                "UPDATE jobs SET state = ?, finished = ?, error = ? WHERE id = ?",
                (state, time.time(), error if struck else None, job),
            )
        self._at_work = ""

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

    def _job(self, row: sqlite3.Row) -> Job:
        files = self._catalog.read().execute(
            "SELECT name, state, error FROM job_files WHERE job = ? ORDER BY rowid", (row["id"],)
        )
        done = tuple(JobFile(row["name"], row["state"], row["error"]) for row in files)
        return Job(
            row["id"], row["corpus"], row["state"], row["created"], row["finished"], row["error"], done
        )


def _end(states: set[str]) -> str:
    """Name how a job ended from how its files did."""
    if states == {"cancelled"}:
        return "cancelled"
    if "failed" not in states:
        return "completed"
    return "completed_with_errors" if states & {"added", "updated", "unchanged"} else "failed"


def _locked(file: IO[str]) -> bool:
    """Take the lock for this process, or tell that another one has it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
