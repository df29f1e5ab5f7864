"""The queue of uploads: jobs and their files as rows of the catalogue, which outlive the process.

A job and its files are written in one transaction after the originals are durable: what was acknowledged survives
a kill. `ingest/uploads/jobs.py` works them off.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ingest.names import document_name
from rag.errors import InvalidName, NotFound, WrongState
from rag.recipe import Recipe
from rag.store.catalog import Catalog
from rag.store.durable import locked
from rag.store.generations import create_corpus
from rag.types import Metadata

WORKER_LOCK = "worker.lock"  # in a data folder: held by the process that works jobs off
UNFINISHED = "state IN ('queued', 'running')"
_TO_BE_RETRIED = """
    job = :job AND state IN ('failed', 'cancelled') AND sha256 != '' AND NOT EXISTS (  -- no later upload of the name
        SELECT 1 FROM job_files f JOIN jobs j ON j.id = f.job WHERE f.name = job_files.name AND j.corpus = :corpus
        AND j.created > :created) AND NOT EXISTS (  -- nor a version by another way, such as a sync
        SELECT 1 FROM documents d WHERE d.corpus = :corpus AND d.name = job_files.name AND d.created > :created)
"""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file to be acknowledged: its name in the corpus, its bytes, and the user's metadata."""

    name: str
    data: bytes
    metadata: Metadata


@dataclass(frozen=True, slots=True)
class JobFile:
    """What became of one file: queued, running, added, updated, unchanged, failed or cancelled (or deleted)."""

    name: str
    state: str
    error: str | None


@dataclass(frozen=True, slots=True)
class Job:
    """A job: queued, running, completed, completed_with_errors, failed or cancelled (or all of it deleted).

    One whose worker died is queued again.
    """

    id: str
    corpus: str
    state: str
    created: float  # seconds since the epoch
    finished: float | None
    error: str | None
    files: tuple[JobFile, ...]
    files_per_s: float | None = None  # while it runs, since the worker began; None before the first is done
    left_s: float | None = None  # seconds until it is done, at that rate

    @property
    def done(self) -> int:
        """How many of its files are finished."""
        return sum(file.state not in ("queued", "running") for file in self.files)


class JobQueue:
    """The jobs of a catalogue. Safe for several threads and several processes."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._wake = threading.Event()

    def submit(self, corpus: str, uploads: Sequence[Upload], recipe: Recipe) -> str:
        """Store uploads durably and acknowledge them; return the job's id.

        Args:
            corpus: created where it does not exist.
            recipe: how it is made then.

        Raises:
            InvalidName: if a name cannot be a document's or a corpus's, or two uploads have the same.
            StorageError: if they could not be stored; nothing was accepted.
        """
        job = secrets.token_hex(8)
        uploads = [replace(upload, name=document_name(upload.name)) for upload in uploads]
        if twice := [name for name, times in Counter(upload.name for upload in uploads).items() if times > 1]:
            raise InvalidName(
                f"Two of the files are named {twice[0]!r}; expected a name of its own for each."
            )
        self._catalog.create_corpus(corpus, recipe)
        stored = [(upload, self._catalog.keep_original(upload.data)) for upload in uploads]
        with self._catalog.write() as transaction:
            now = time.time()
            create_corpus(transaction, corpus, recipe)  # again: it may have been deleted meanwhile
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
        return self._job(self._row(job))

    def recent(self, limit: int = 100) -> list[Job]:
        """Return the newest jobs, newest first."""
        rows = (
            self._catalog.read()
            .execute("SELECT * FROM jobs ORDER BY created DESC LIMIT ?", (limit,))
            .fetchall()
        )
        return [self._job(row) for row in rows]

    def cancel(self, job: str) -> Job:
        """Cancel what of a job is not yet in; the file at hand is let go within a second. What is in stays.

        Raises:
            NotFound: if there is no such job.
            WrongState: if it is finished.
        """
        with self._catalog.write() as transaction:
            row = self._row(job)
            if row["finished"] is not None:
                raise WrongState(
                    f"Job {job!r} is finished ({row['state']}); only one at work can be cancelled."
                )
            transaction.execute(
                "UPDATE job_files SET state = 'cancelled', error = 'Its job was cancelled before it was ingested.' "
                f"WHERE job = ? AND {UNFINISHED}",
                (job,),
            )
            transaction.execute(
                "UPDATE jobs SET state = 'cancelled', finished = ? WHERE id = ?", (time.time(), job)
            )
        return self.get(job)

    def retry(self, job: str) -> Job:
        """Queue the files of a finished job again that failed or were cancelled, and whose bytes are still kept.

        A file of whose name something came since, uploaded or not, is left out: it would replace what is newer.

        Raises:
            NotFound: if there is no such job.
            WrongState: if it is not finished, or holds no such file.
        """
        with self._catalog.write() as transaction:
            row = self._row(job)
            if row["finished"] is None:
                raise WrongState(f"Job {job!r} is {row['state']}; only a finished one can be retried.")
            given = {key: row[key] for key in ("corpus", "created")} | {"job": job}
            found = transaction.execute(f"SELECT name, sha256 FROM job_files WHERE {_TO_BE_RETRIED}", given)
            names = [
                file["name"] for file in found.fetchall() if self._catalog.original(file["sha256"]).is_file()
            ]
            if not names:
                raise WrongState(
                    f"Job {job!r} has no file to retry: none failed or was cancelled whose bytes are still kept "
                    "and of whose name nothing came since. Upload the files anew."
                )
            transaction.execute(
                "UPDATE job_files SET state = 'queued', error = NULL, attempts = 0 "
                "WHERE job = ? AND name IN (SELECT value FROM json_each(?))",
                (job, json.dumps(names)),
            )
            transaction.execute(
                "UPDATE jobs SET state = 'queued', finished = NULL, error = NULL, started = NULL WHERE id = ?",
                (job,),
            )
        self._wake.set()
        return self.get(job)

    def _row(self, job: str) -> sqlite3.Row:
        row: sqlite3.Row | None = (
            self._catalog.read().execute("SELECT * FROM jobs WHERE id = ?", (job,)).fetchone()
        )
        if row is None:
            raise NotFound(f"There is no job {job!r}.")
        return row

    def _job(self, row: sqlite3.Row) -> Job:
        rows = self._catalog.read().execute(
            "SELECT name, state, error FROM job_files WHERE job = ? ORDER BY rowid", (row["id"],)
        )
        files = tuple(JobFile(file["name"], file["state"], file["error"]) for file in rows)
        fields = {key: row[key] for key in ("id", "corpus", "state", "created", "finished", "error")}
        job = Job(**fields, files=files)
        if job.state != "running":
            return job
        if not self._is_worked_off():
            return replace(job, state="queued")
        fresh = job.done - row["done_before"]
        if fresh <= 0:
            return job
        rate = fresh / max(time.time() - row["started"], 0.001)
        return replace(job, files_per_s=round(rate, 2), left_s=round((len(files) - job.done) / rate, 1))

    def _is_worked_off(self) -> bool:
        """Tell whether a living process works jobs off: a dead one holds no lock."""
        try:
            with locked(self._catalog.home / WORKER_LOCK, shared=True):
                return False
        except BlockingIOError:
            return True
