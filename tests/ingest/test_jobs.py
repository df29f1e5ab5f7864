"""Jobs: acknowledged uploads are processed whatever fails on the way; unneeded data is dropped."""

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ingest.uploads.jobs import Jobs
from rag.errors import InvalidName, ModelError, NotFound, StorageError
from rag.store.catalog import Catalog
from rag.store.jobs import JobQueue
from rag.store.originals import Originals
from rag.types import Recipe
from tests.line_builder import finished, originals, run, states, submit, upload
from tests.made_versions import CORPUS, make_version, random_vectors
from tests.waiting import HANG_S, wait_until

if TYPE_CHECKING:
    pass  # brings llama-index, which takes seconds


def test_a_job_is_worked_off_and_says_what_became_of_each_file(jobs: Jobs, catalog: Catalog) -> None:
    run(jobs, catalog)
    job = finished(jobs, submit(jobs, [upload("a.txt", b"one"), upload("b.txt", b"bad")]))
    assert (job.state, job.done, job.error) == ("completed_with_errors", 2, None)
    assert [(file.name, file.state, file.error) for file in job.files] == [
        ("a.txt", "added", None),
        ("b.txt", "failed", "It is bad."),
    ]
    assert catalog.documents.get(CORPUS, "a.txt").metadata == {"from": "test"}
    assert finished(jobs, submit(jobs, [upload("c.txt", b"bad")])).state == "failed"
    assert [entry.id for entry in jobs.queue.recent(1)] != [job.id]


def test_names_are_those_of_documents(jobs: Jobs, catalog: Catalog) -> None:
    run(jobs, catalog)
    job = finished(jobs, submit(jobs, [upload("./reports\\a\u0308.txt")]))
    assert [(file.name, file.state) for file in job.files] == [("reports/\u00e4.txt", "added")]
    assert catalog.documents.get(CORPUS, "reports/\u00e4.txt").text == "words"


@pytest.mark.parametrize("names", [["../a"], [""], ["a", "a"], ["a", "./a"], ["\u00e4", "a\u0308"], ["a\0"]])
def test_names_that_cannot_be_are_refused_before_anything_is_kept(
    jobs: Jobs, catalog: Catalog, names: list[str]
) -> None:
    with pytest.raises(InvalidName):
        submit(jobs, [upload(name, name.encode()) for name in names])
    assert (jobs.queue.recent(), originals(catalog)) == ([], 0)


def test_a_bug_in_one_job_leaves_the_next_one_alone(jobs: Jobs, catalog: Catalog) -> None:
    first = submit(jobs, [upload("a.txt", b"one"), upload("b.txt", b"bug"), upload("c.txt", b"left")])
    second = submit(jobs, [upload("d.txt", b"good")])
    run(jobs, catalog)
    assert finished(jobs, second).state == "completed"
    job = jobs.queue.get(first)
    assert (job.state, job.error) == ("failed", "ZeroDivisionError: a bug")
    assert [file.state for file in job.files] == ["added", "failed", "failed"]


def test_models_that_do_not_load_fail_the_job_with_their_message(jobs: Jobs, catalog: Catalog) -> None:
    def broken() -> Any:
        raise ModelError("The embedder 'x' does not load.")

    jobs.start(broken, lambda _: None)
    assert finished(jobs, submit(jobs, [upload("a.txt")])).error == "The embedder 'x' does not load."


def test_what_follows_a_job_cannot_fail_it_nor_stop_the_next(jobs: Jobs, catalog: Catalog) -> None:
    def broken(_: str) -> None:
        raise StorageError("The disk is full.")

    run(jobs, catalog, broken)
    for name in ("a.txt", "b.txt"):
        assert finished(jobs, submit(jobs, [upload(name)])).state == "completed"


def test_a_disk_that_fails_for_a_while_fails_no_upload(jobs: Jobs, catalog: Catalog) -> None:
    tries = []

    def full(name: str) -> None:
        tries.append(name)
        if name == "b.txt" and tries.count(name) <= 2:
            raise StorageError("The disk is full.")

    job = submit(jobs, [upload("a.txt", b"one"), upload("b.txt", b"two")])
    run(jobs, catalog, before=full)
    ended = finished(jobs, job)
    assert tries.count("b.txt") == 3
    assert (ended.state, ended.error, states(ended)) == (
        "completed",
        None,
        [("a.txt", "added"), ("b.txt", "added")],
    )
    jobs.stop()
    assert originals(catalog) == 2


def test_an_unfinished_job_goes_on_with_another_process_and_its_originals_are_kept(catalog: Catalog) -> None:
    job = submit(Jobs(catalog), [upload("a.txt", b"one"), upload("b.txt", b"two")])
    catalog.create_corpus(CORPUS, Recipe("random"))
    new = make_version("one", random_vectors(1, 0), sha256=catalog.originals.keep(b"one"))
    catalog.documents.put(CORPUS, "same.txt", new)
    catalog.documents.delete(CORPUS, ["same.txt"])
    catalog.originals.drop_unused()
    assert originals(catalog) == 2  # the job still needs both
    later = Jobs(catalog)
    run(later, catalog)
    assert finished(later, job).state == "completed"
    later.stop()
    catalog.delete_corpus(CORPUS)
    assert originals(catalog) == 0


def test_one_worker_at_a_time(catalog: Catalog) -> None:
    first, second = Jobs(catalog), Jobs(catalog)
    run(first, catalog)
    finished(first, submit(first, [upload("a.txt")]))
    second.start(lambda: pytest.fail("two workers"), lambda _: None)
    for n in range(2):
        finished(first, submit(second, [upload(f"{n}.txt")]))
    first.stop()
    second.stop()


def test_an_unknown_job_is_not_found(jobs: Jobs) -> None:
    with pytest.raises(NotFound, match="There is no job 'x'"):
        jobs.queue.get("x")


# a deletion wins over an upload in progress


def test_a_name_deleted_while_its_upload_is_queued_stays_deleted(jobs: Jobs, catalog: Catalog) -> None:
    first = submit(jobs, [upload("a.txt", b"one"), upload("b.txt", b"two")])
    second = submit(jobs, [upload("a.txt", b"three")])
    other = jobs.submit("other", [upload("a.txt", b"elsewhere")], Recipe("random"))
    catalog.documents.delete(CORPUS, ["a.txt"])  # only queued, and found all the same
    assert originals(catalog) == 2
    run(jobs, catalog)
    assert finished(jobs, other).state == "completed"
    assert states(jobs.queue.get(first)) == [("a.txt", "cancelled"), ("b.txt", "added")]
    assert jobs.queue.get(first).files[0].error == "It was deleted before it was ingested."
    assert [jobs.queue.get(first).state, jobs.queue.get(second).state] == ["completed", "cancelled"]
    assert [info.name for info in catalog.documents.infos(CORPUS)] == ["b.txt"]
    assert catalog.documents.get("other", "a.txt").text == "elsewhere"
    later = finished(jobs, submit(jobs, [upload("a.txt", b"four")]))
    assert (later.state, catalog.documents.get(CORPUS, "a.txt").text) == ("completed", "four")


def test_deleting_is_all_or_none_for_queued_names_too(jobs: Jobs, catalog: Catalog) -> None:
    job = submit(jobs, [upload("a.txt")])
    with pytest.raises(NotFound, match=r"'b.txt' .*nothing was deleted"):
        catalog.documents.delete(CORPUS, ["a.txt", "b.txt"])
    assert states(jobs.queue.get(job)) == [("a.txt", "queued")]


@pytest.mark.parametrize("whole", [True, False])
def test_a_deletion_while_the_file_is_being_read_wins(jobs: Jobs, catalog: Catalog, whole: bool) -> None:
    elsewhere = Catalog(catalog.home)  # as another process would

    def delete(name: str) -> None:
        if name == "a.txt":
            elsewhere.delete_corpus(CORPUS) if whole else elsewhere.documents.delete(CORPUS, ["a.txt"])

    job = submit(jobs, [upload("a.txt", b"one"), upload("b.txt", b"two")])
    run(jobs, catalog, before=delete)
    ended = finished(jobs, job)
    assert ended.state == ("cancelled" if whole else "completed")
    assert [state for _, state in states(ended)] == ["cancelled", "cancelled" if whole else "added"]
    if not whole:
        assert [info.name for info in catalog.documents.infos(CORPUS)] == ["b.txt"]
    jobs.stop()
    assert originals(catalog) == (0 if whole else 1)
    elsewhere.close()


def test_a_deleted_corpus_does_not_come_back_before_it_is_uploaded_to_again(
    jobs: Jobs, catalog: Catalog
) -> None:
    job = submit(jobs, [upload("a.txt"), upload("b.txt")])
    catalog.delete_corpus(CORPUS)
    run(jobs, catalog)
    ended = finished(jobs, job)
    assert (ended.state, ended.error, [state for _, state in states(ended)]) == (
        "cancelled",
        None,
        ["cancelled", "cancelled"],
    )
    assert catalog.corpora.infos() == []
    assert finished(jobs, submit(jobs, [upload("c.txt")])).state == "completed"
    assert [info.name for info in catalog.documents.infos(CORPUS)] == ["c.txt"]


def test_a_corpus_deleted_during_an_upload_is_recreated_with_the_job(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)

    class Raced(Originals):
        """Another process deletes the corpus while the first original is being stored."""

        stored = False

        def keep(self, data: bytes, sha256: str | None = None) -> str:
            if not self.stored:
                self.stored = True
                catalog.delete_corpus(CORPUS)
            return super().keep(data, sha256)

    catalog.jobs = JobQueue(catalog.database, Raced(catalog.database))
    jobs = Jobs(catalog)
    job = submit(jobs, [upload("a.txt")])
    run(jobs, catalog)
    assert finished(jobs, job).state == "completed"
    jobs.stop()
    catalog.close()


# a file that ends the process, a process that is stopped

_WORKER = """
import sys, time
from pathlib import Path
from ingest.uploads.jobs import Jobs
from rag.store.catalog import Catalog
from tests.line_builder import LineBuilder
catalog = Catalog(Path(sys.argv[1]))
Jobs(catalog).start(lambda: LineBuilder(catalog, lambda name: time.sleep(600 if "slow" in sys.argv else 0)), print)
time.sleep(600)
"""


def worker(catalog: Catalog, *words: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-c", _WORKER, str(catalog.home), *words]
    return subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=subprocess.DEVNULL)


def test_a_dead_worker_is_noticed_and_another_process_takes_over(jobs: Jobs, catalog: Catalog) -> None:
    job = submit(jobs, [upload("a.txt", b"one"), upload("b.txt", b"two")])
    with worker(catalog, "slow") as first:
        wait_until(lambda: jobs.queue.get(job).files[0].state == "running")
        assert jobs.queue.get(job).state == "running"
        with worker(catalog) as second:
            time.sleep(1)  # it waits for its turn
            assert jobs.queue.get(job).done == 0
            first.kill()
            assert finished(jobs, job).state == "completed"
            second.kill()


def test_a_job_whose_worker_died_is_queued_again(jobs: Jobs, catalog: Catalog) -> None:
    job = submit(jobs, [upload("a.txt", b"one")])
    with worker(catalog, "slow") as only:
        wait_until(lambda: jobs.queue.get(job).state == "running")
        only.kill()
    assert jobs.queue.get(job).state == "queued"


_POISONED = """
import os, sys, time
from pathlib import Path
from ingest.uploads.jobs import Jobs
from rag.store.catalog import Catalog
from rag.types import Recipe
from tests.line_builder import LineBuilder
catalog = Catalog(Path(sys.argv[1]))
jobs = Jobs(catalog)
jobs.start(lambda: LineBuilder(catalog, lambda name: name == "b.txt" and os.kill(os.getpid(), 9)), lambda _: None)
while jobs.queue.get(sys.argv[2]).finished is None:
    time.sleep(0.02)
jobs.stop()
"""


def test_a_file_that_ends_the_process_is_given_up_and_the_others_are_not(catalog: Catalog) -> None:
    jobs = Jobs(catalog)
    job = submit(jobs, [upload(f"{name}.txt", name.encode()) for name in "abc"])
    command = [sys.executable, "-c", _POISONED, str(catalog.home), job]
    codes = [subprocess.run(command, cwd=Path(__file__).parents[2]).returncode for _ in range(4)]
    assert codes == [-signal.SIGKILL] * 3 + [0]
    assert states(jobs.queue.get(job)) == [("a.txt", "added"), ("b.txt", "failed"), ("c.txt", "added")]
    assert "ended 3 times while it read this file" in (jobs.queue.get(job).files[1].error or "")
    assert "Split it or save it again" in (jobs.queue.get(job).files[1].error or "")
    assert jobs.queue.get(job).state == "completed_with_errors"


def test_stopping_does_not_wait_for_a_slow_file_nor_count_against_it(catalog: Catalog) -> None:
    reading, go_on = threading.Event(), threading.Event()

    def slow(_: str) -> None:
        reading.set()
        assert go_on.wait(HANG_S)

    job = submit(Jobs(catalog), [upload("a.txt"), upload("b.txt", b"two")])
    for _ in range(4):  # more often than a file is begun
        jobs = Jobs(catalog)
        run(jobs, catalog, before=slow)
        assert reading.wait(HANG_S)
        assert not jobs.stop(wait_s=0.1)  # it is not waited for: it continues only below
        assert states(jobs.queue.get(job)) == [("a.txt", "queued"), ("b.txt", "queued")]
        go_on.set()
        assert jobs.stop(wait_s=HANG_S)
        reading.clear()
        go_on.clear()
        with catalog.database.write() as transaction:  # as if the process had ended before the file was in
            transaction.execute("UPDATE jobs SET state = 'running', finished = NULL")
            transaction.execute("UPDATE job_files SET state = 'queued'")
    go_on.set()
    last = Jobs(catalog)
    run(last, catalog)
    assert finished(last, job).state == "completed"
    last.stop()
