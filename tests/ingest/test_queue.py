"""The queue of uploads: cancelled, retried, kept for a week, and the estimate of the remaining time."""

import threading
import time
from typing import TYPE_CHECKING

import pytest

from ingest.uploads.jobs import Jobs
from rag.errors import NotFound, WrongState
from rag.store.catalog import Catalog
from rag.store.jobs import Job
from tests.line_builder import finished, originals, run, states, submit, upload
from tests.made_versions import CORPUS, make_version, random_vectors

if TYPE_CHECKING:
    pass  # brings llama-index, which takes seconds


def test_a_job_that_waits_can_be_cancelled(jobs: Jobs, catalog: Catalog) -> None:
    job = submit(jobs, [upload("a.txt", b"one"), upload("b.txt", b"two")])
    cancelled = jobs.queue.cancel(job)
    assert (cancelled.state, cancelled.done) == ("cancelled", 2)
    assert cancelled.finished is not None
    assert {file.error for file in cancelled.files} == {"Its job was cancelled before it was ingested."}
    run(jobs, catalog)
    assert finished(jobs, submit(jobs, [upload("c.txt")])).state == "completed"
    assert [info.name for info in catalog.documents.infos(CORPUS)] == ["c.txt"]
    assert jobs.queue.get(job) == cancelled


def test_a_job_at_work_can_be_cancelled_and_what_is_in_stays(jobs: Jobs, catalog: Catalog) -> None:
    elsewhere = Catalog(catalog.home).jobs  # as another process would
    job = submit(jobs, [upload("a.txt", b"one"), upload("b.txt", b"two"), upload("c.txt", b"three")])
    run(jobs, catalog, before=lambda name: elsewhere.cancel(job) if name == "b.txt" else None)
    later = finished(jobs, submit(jobs, [upload("d.txt", b"four")]))
    assert later.state == "completed"
    assert states(jobs.queue.get(job)) == [("a.txt", "added"), ("b.txt", "cancelled"), ("c.txt", "cancelled")]
    assert jobs.queue.get(job).state == "cancelled"
    assert [info.name for info in catalog.documents.infos(CORPUS)] == ["a.txt", "d.txt"]


def test_what_failed_or_was_cancelled_is_tried_again(jobs: Jobs, catalog: Catalog) -> None:
    mended = threading.Event()

    def broken(name: str) -> None:
        if name == "b.txt" and not mended.is_set():
            raise ZeroDivisionError("a bug")

    job = submit(jobs, [upload("a.txt", b"one"), upload("b.txt", b"two"), upload("c.txt", b"three")])
    run(jobs, catalog, before=broken)
    assert states(finished(jobs, job)) == [("a.txt", "added"), ("b.txt", "failed"), ("c.txt", "failed")]
    mended.set()
    again = jobs.retry(job)
    assert (again.finished, again.error) == (None, None)
    ended = finished(jobs, job)
    assert (ended.state, ended.error) == ("completed", None)
    assert states(ended) == [("a.txt", "added"), ("b.txt", "added"), ("c.txt", "added")]
    waiting = submit(jobs, [upload("d.txt", b"bad")])
    assert finished(jobs, waiting).state == "failed"
    jobs.stop()
    other = submit(jobs, [upload("e.txt", b"five")])
    jobs.queue.cancel(other)
    assert states(jobs.retry(other)) == [("e.txt", "queued")]


def test_only_what_can_be_done_to_a_job_is(jobs: Jobs, catalog: Catalog) -> None:
    job = submit(jobs, [upload("a.txt")])
    with pytest.raises(WrongState, match="is queued; only a finished one can be retried"):
        jobs.retry(job)
    run(jobs, catalog)
    finished(jobs, job)
    with pytest.raises(WrongState, match=r"is finished \(completed\)"):
        jobs.queue.cancel(job)
    with pytest.raises(WrongState, match="has no file to retry"):
        jobs.retry(job)
    for change in (jobs.queue.cancel, jobs.retry):
        with pytest.raises(NotFound, match="There is no job 'x'"):
            change("x")


def test_a_retry_replaces_nothing_newer_and_brings_nothing_deleted_back(jobs: Jobs, catalog: Catalog) -> None:
    run(jobs, catalog)
    names = ("new.txt", "gone.txt", "left.txt")
    job = submit(jobs, [upload(name, b"bad") for name in names])
    assert finished(jobs, job).state == "failed"
    finished(jobs, submit(jobs, [upload("new.txt", b"newer")]))
    catalog.documents.delete(CORPUS, ["gone.txt"])  # it counts as a document as long as it could be retried
    with pytest.raises(NotFound):
        catalog.documents.delete(CORPUS, ["gone.txt"])
    jobs.stop()
    assert states(jobs.retry(job)) == [
        ("new.txt", "failed"),
        ("gone.txt", "failed"),
        ("left.txt", "queued"),
    ]
    catalog.delete_corpus(CORPUS)
    assert originals(catalog) == 0
    assert states(jobs.queue.get(job)) == [
        (name, "cancelled" if name == "left.txt" else "failed") for name in names
    ]


def test_the_bytes_of_what_failed_are_kept_for_a_week(jobs: Jobs, catalog: Catalog) -> None:
    run(jobs, catalog)
    job = submit(jobs, [upload("a.txt", b"bad")])
    finished(jobs, job)
    finished(jobs, submit(jobs, [upload("b.txt", b"two")]))
    assert originals(catalog) == 2
    with catalog.database.write() as transaction:
        transaction.execute("UPDATE jobs SET finished = finished - 7.1 * 86400 WHERE id = ?", (job,))
    jobs.stop()
    later = Jobs(catalog)  # it checks at its start, and every hour
    run(later, catalog)
    finished(later, submit(later, [upload("b.txt", b"two")]))
    later.stop()
    assert originals(catalog) == 1
    with pytest.raises(WrongState, match="has no file to retry"):
        jobs.retry(job)


def test_a_running_job_tells_its_rate_and_the_time_left(jobs: Jobs, catalog: Catalog) -> None:
    seen: list[Job] = []

    def look(name: str) -> None:
        time.sleep(0.2)
        seen.append(jobs.queue.get(job))

    job = submit(jobs, [upload(f"{n}.txt", b"%d" % n) for n in range(4)])
    began = time.monotonic()
    run(jobs, catalog, before=look)
    ended = finished(jobs, job)
    took = time.monotonic() - began
    assert [(one.state, one.done) for one in seen] == [("running", n) for n in range(4)]
    assert (seen[0].files_per_s, seen[0].left_s) == (None, None)
    last = seen[-1]
    assert last.files_per_s is not None
    assert last.left_s is not None
    assert 3 / took - 0.01 <= last.files_per_s <= 3 / 0.6 + 0.01  # three were done, each after 0.2 s at least
    assert 0.6 / 3 - 0.1 <= last.left_s <= took / 3 + 0.1  # one is left
    assert (ended.files_per_s, ended.left_s) == (None, None)


def test_a_retry_replaces_nothing_that_came_by_another_way(jobs: Jobs, catalog: Catalog) -> None:
    run(jobs, catalog)
    job = submit(jobs, [upload("price.txt", b"bad")])
    assert finished(jobs, job).state == "failed"
    catalog.documents.put(CORPUS, "price.txt", make_version("9", random_vectors(1, 0)))  # such as a sync's
    with pytest.raises(WrongState, match="has lost its stored bytes or was uploaded again since"):
        jobs.retry(job)


def test_bytes_that_are_gone_fail_their_file_with_what_to_do(jobs: Jobs, catalog: Catalog) -> None:
    job = submit(jobs, [upload("a.txt", b"one"), upload("b.txt", b"two")])
    for original in (catalog.home / "originals").iterdir():
        if original.read_bytes() == b"one":
            original.unlink()
    elsewhere: list[str] = []

    def read(name: str) -> None:
        elsewhere.append(name)

    run(jobs, catalog, before=read)
    ended = finished(jobs, job)
    assert str(catalog.home) not in str(ended)
    assert "The bytes of 'a.txt' are no longer kept; upload it again." in str(ended)
