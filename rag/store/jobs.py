"""The queue of uploads: jobs and their files as rows of the catalogue, which outlive the process.

A job and its files are written in one transaction after the originals are durable: what was acknowledged survives
a kill. `ingest/uploads/jobs.py` works them off.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import sqlite3
import time
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path

from rag.errors import NotFound, WrongState
from rag.store.database import Database
from rag.store.durable import locked
from rag.store.generations import create_corpus
from rag.store.originals import RETRY_S, Originals
from rag.types import Metadata, Omission, Recipe, check_corpus_name

_UNFINISHED = "state IN ('queued', 'running')"
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
class QueuedFile:
    """A file of a job that is not finished."""

    name: str
    sha256: str  # of its original
    metadata: Metadata
    attempts: int  # how often it was begun


@dataclass(frozen=True, slots=True)
class JobFile:
    """What became of one file: queued, running, added, updated, unchanged, failed or cancelled (or deleted)."""

    name: str
    state: str
    error: str | None
    omissions: tuple[Omission, ...] = ()  # parts of the file that were left out


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
    """The jobs of a catalogue.

    Attributes:
        lock: the file that whoever works jobs off holds a lock on.
    """

    def __init__(self, database: Database, originals: Originals) -> None:
        self._database, self._originals = database, originals
        self.lock: Path = database.home / "worker.lock"

    # for those who upload

    def submit(self, corpus: str, uploads: Sequence[Upload], recipe: Recipe) -> str:
        """Store uploads durably and acknowledge them; return the job's id.

        Args:
            corpus: created where it does not exist.
            uploads: each of a name of its own.
            recipe: how the corpus is made then.

        Raises:
            InvalidName: if a corpus cannot have this name.
            StorageError: if they could not be stored; nothing was accepted.
        """
        job = secrets.token_hex(8)
        check_corpus_name(corpus)
        with self._database.write() as transaction:
            create_corpus(transaction, corpus, recipe)
        hashed = [(hashlib.sha256(upload.data).hexdigest(), upload) for upload in uploads]
        for sha256, upload in hashed:
            self._originals.keep(upload.data, sha256)
        with self._database.write() as transaction:
            # Again: it may have been deleted meanwhile.
            create_corpus(transaction, corpus, recipe)
            transaction.execute(
                "INSERT INTO jobs (id, corpus, state, created) VALUES (?, ?, 'queued', ?)",
                (job, corpus, time.time()),
            )
            transaction.executemany(
                "INSERT INTO job_files (job, name, sha256, metadata, state) VALUES (?, ?, ?, ?, 'queued')",
                [(job, upload.name, sha256, json.dumps(dict(upload.metadata))) for sha256, upload in hashed],
            )
            # Once more, in the transaction, which no deletion of the same bytes can enter.
            for sha256, upload in hashed:
                self._originals.keep(upload.data, sha256)
        return job

    def get(self, job: str) -> Job:
        """Return a job, or raise NotFound."""
        return self._job(self._row(job))

    def recent(self, limit: int = 100) -> list[Job]:
        """Return the newest jobs, newest first."""
        rows = self._database.read().execute("SELECT * FROM jobs ORDER BY created DESC LIMIT ?", (limit,))
        return [self._job(row) for row in rows.fetchall()]

    def cancel(self, job: str) -> Job:
        """Cancel the files of a job that are not yet ingested, the current one within a second. Those ingested stay.

        Raises:
            NotFound: if there is no such job.
            WrongState: if it is finished.
        """
        with self._database.write() as transaction:
            row = self._row(job)
            if row["finished"] is not None:
                raise WrongState(
                    f"Job {job!r} is finished ({row['state']}); only one at work can be cancelled."
                )
            transaction.execute(
                "UPDATE job_files SET state = 'cancelled', error = 'Its job was cancelled before it was ingested.' "
                f"WHERE job = ? AND {_UNFINISHED}",
                (job,),
            )
            transaction.execute(
                "UPDATE jobs SET state = 'cancelled', finished = ? WHERE id = ?", (time.time(), job)
            )
        return self.get(job)

    def retry(self, job: str) -> Job:
        """Queue the files of a finished job again that failed or were cancelled, and whose bytes are still kept.

        A file whose name was uploaded or synced again since is left out: it would replace what is newer.

        Raises:
            NotFound: if there is no such job.
            WrongState: if it is not finished, or holds no such file.
        """
        with self._database.write() as transaction:
            row = self._row(job)
            if row["finished"] is None:
                raise WrongState(f"Job {job!r} is {row['state']}; only a finished one can be retried.")
            given = {key: row[key] for key in ("corpus", "created")} | {"job": job}
            found = transaction.execute(f"SELECT name, sha256 FROM job_files WHERE {_TO_BE_RETRIED}", given)
            names = [
                file["name"] for file in found.fetchall() if self._originals.path(file["sha256"]).is_file()
            ]
            if not names:
                raise WrongState(
                    f"Job {job!r} has no file to retry: every failed or cancelled file has lost its stored bytes "
                    "or was uploaded again since. Upload the files again."
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
        return self.get(job)

    # for the worker

    def oldest(self) -> Job | None:
        """Return the oldest job that is not finished."""
        query = f"SELECT * FROM jobs WHERE {_UNFINISHED} ORDER BY created LIMIT 1"
        row = self._database.read().execute(query).fetchone()
        return self._job(row) if row else None

    def begin(self, job: Job) -> list[QueuedFile]:
        """Note that work on a job begins; return its files that are not finished, in order."""
        self._change(
            f"UPDATE jobs SET state = 'running', started = ?, done_before = ? WHERE id = ? AND {_UNFINISHED}",
            time.time(), job.done, job.id,
        )  # fmt: skip
        rows = self._database.read().execute(
            "SELECT name, sha256, metadata, attempts FROM job_files "
            f"WHERE job = ? AND {_UNFINISHED} ORDER BY rowid",
            (job.id,),
        )
        return [
            QueuedFile(name, sha256, json.loads(metadata), attempts)
            for name, sha256, metadata, attempts in rows
        ]

    def begin_file(self, job: str, name: str) -> bool:
        """Count a file as begun once more; return False where it is no longer wanted."""
        begun = self._change(
            "UPDATE job_files SET state = 'running', attempts = attempts + 1 "
            f"WHERE job = ? AND name = ? AND {_UNFINISHED}",
            job, name,
        )  # fmt: skip
        return begun > 0

    def is_wanted(self, job: str, name: str) -> bool:
        """Return whether a file is not finished: neither deleted nor cancelled since it was begun."""
        query = f"SELECT 1 FROM job_files WHERE job = ? AND name = ? AND {_UNFINISHED}"
        return self._database.read().execute(query, (job, name)).fetchone() is not None

    def record(self, job: str, file: JobFile) -> None:
        """Record what became of a file, unless it was cancelled."""
        self._change(
            "UPDATE job_files SET state = ?, error = ?, omissions = ? "
            f"WHERE job = ? AND name = ? AND {_UNFINISHED}",
            file.state, file.error, omissions_to_json(file.omissions), job, file.name,
        )  # fmt: skip

    def finish(self, job: str, error: str | None) -> None:
        """Finish a job, unless it was cancelled; the files that it did not come to fail with its error."""
        with self._database.write() as transaction:
            struck = transaction.execute(
                f"UPDATE job_files SET state = 'failed', error = ? WHERE job = ? AND {_UNFINISHED}",
                (error, job),
            ).rowcount
            files = transaction.execute("SELECT state FROM job_files WHERE job = ?", (job,)).fetchall()
            state = "failed" if struck else _ending(row["state"] for row in files)
            transaction.execute(
                f"UPDATE jobs SET state = ?, finished = ?, error = ? WHERE id = ? AND {_UNFINISHED}",
                (state, time.time(), error if struck else None, job),
            )

    def give_back(self, job: str) -> None:
        """Let the files that were begun and not finished count as not begun: they did not end the process."""
        self._change(
            "UPDATE job_files SET state = 'queued', attempts = attempts - 1 WHERE job = ? AND state = 'running'",
            job,
        )

    def forget_expired(self) -> None:
        """Give up the bytes of files that were not retried in time."""
        self._change(
            "UPDATE job_files SET sha256 = '' WHERE state IN ('failed', 'cancelled') AND sha256 != '' AND job IN "
            "(SELECT id FROM jobs WHERE finished <= unixepoch() - ?)",
            RETRY_S,
        )

    def _change(self, statement: str, *values: object) -> int:
        """Run one statement in a transaction of its own; return how many rows it changed."""
        with self._database.write() as transaction:
            return transaction.execute(statement, values).rowcount

    def _row(self, job: str) -> sqlite3.Row:
        query = "SELECT * FROM jobs WHERE id = ?"
        row: sqlite3.Row | None = self._database.read().execute(query, (job,)).fetchone()
        if row is None:
            raise NotFound(f"There is no job {job!r}.")
        return row

    def _job(self, row: sqlite3.Row) -> Job:
        rows = self._database.read().execute(
            "SELECT name, state, error, omissions FROM job_files WHERE job = ? ORDER BY rowid", (row["id"],)
        )
        files = tuple(
            JobFile(file["name"], file["state"], file["error"], omissions_of(file["omissions"]))
            for file in rows
        )
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
        """Return whether a live process works on jobs: a dead one holds no lock."""
        try:
            with locked(self.lock, shared=True):
                return False
        except BlockingIOError:
            return True


def omissions_to_json(omissions: Sequence[Omission]) -> str:
    """Return omissions as a column holds them."""
    return json.dumps([astuple(one) for one in omissions])


def omissions_of(stored: str) -> tuple[Omission, ...]:
    """Return the omissions that `omissions_to_json` wrote."""
    return tuple(Omission(*one) for one in json.loads(stored))


def forget_uploads(
    transaction: sqlite3.Connection,
    corpus: str,
    name: str | None,
    states: Sequence[str] = ("queued", "running", "failed", "cancelled"),
) -> list[str]:
    """Cancel uploads of a name, or of the whole corpus, as far as they are in some states, and let none be retried.

    The embeddings of versions that are not yet whole go in any case: they do not say whose text they are of.

    Returns:
        sha256 of the originals of those uploads.
    """
    where = (
        "state IN (SELECT value FROM json_each(?3)) AND sha256 != '' "
        "AND job IN (SELECT id FROM jobs WHERE corpus = ?1) AND (?2 IS NULL OR name = ?2)"
    )
    values = (corpus, name, json.dumps(list(states)))
    rows = transaction.execute(f"SELECT sha256 FROM job_files WHERE {where}", values).fetchall()
    if rows:
        transaction.execute(
            "UPDATE job_files SET error = 'It was deleted before it was ingested.', state = 'cancelled' "
            f"WHERE {where} AND {_UNFINISHED}",
            values,
        )
        transaction.execute(f"UPDATE job_files SET sha256 = '' WHERE {where}", values)
    transaction.execute("DELETE FROM checkpoints")
    return [row["sha256"] for row in rows]


def _ending(states: Iterable[str]) -> str:
    """Name how a job ended from how its files did."""
    found = set(states)
    if found == {"cancelled"}:
        return "cancelled"
    if "failed" not in found:
        return "completed"
    return "completed_with_errors" if found & {"added", "updated", "unchanged"} else "failed"
