"""Jobs: what was acknowledged is worked off, whatever fails on the way; what nobody needs is dropped."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from ingest.jobs import Job, Jobs, Upload
from ingest.load import document_name
from ingest.source import Outcome, Source, find_sources
from rag.catalog import Catalog
from rag.errors import IbidError, InvalidName, ModelError, NotFound, OtherEmbedder, StorageError, WrongState
from tests.made_versions import CORPUS, make_version, random_vectors

if TYPE_CHECKING:
    from ingest.build import Builder  # brings llama-index, which takes seconds


class LineBuilder:
    """Puts each file in as one chunk, so that these tests need no models."""

    def __init__(self, catalog: Catalog, before: Callable[[str], object] = lambda _: None) -> None:
        self._catalog, self._before = catalog, before

    def ingest(self, corpus: str, sources: Iterable[Source], *, create: bool = True) -> Iterator[Outcome]:
        assert not create  # a job must not bring a deleted corpus back
        self._catalog.check_embedder(corpus, "random")
        for source in list(sources):  # all are begun before the first is in, as in a group
            data = source.read()
            self._before(source.name)
            if data == b"bad":
                yield Outcome(source.name, "failed", error="It is bad.")
                continue
            if data == b"bug":
                raise ZeroDivisionError("a bug")
            sha256 = self._catalog.keep_original(data)
            new = make_version(data.decode(), random_vectors(1, 0), sha256=sha256, metadata=source.metadata)
            try:
                version = self._catalog.put_version(
                    corpus, document_name(source.name), new, wanted=source.wanted
                )
            except StorageError:
                raise  # as the real one does
            except IbidError as error:
                yield Outcome(source.name, "failed", error=str(error))
                continue
            yield Outcome(document_name(source.name), "added" if version == 1 else "updated", version, 1)


def upload(name: str, data: bytes = b"words") -> Upload:
    return Upload(name, data, {"from": "test"})


def submit(jobs: Jobs, uploads: Sequence[Upload]) -> str:
    return jobs.submit(CORPUS, uploads, "random")


def finished(jobs: Jobs, job: str) -> Job:
    deadline = time.monotonic() + 10
    while (found := jobs.get(job)).finished is None:
        assert time.monotonic() < deadline, found
        time.sleep(0.01)
    return found


@pytest.fixture
def jobs(catalog: Catalog) -> Iterator[Jobs]:
    jobs = Jobs(catalog)
    yield jobs
    jobs.stop()


def run(
    jobs: Jobs,
    catalog: Catalog,
    after: Callable[[str], None] = lambda _: None,
    before: Callable[[str], object] = lambda _: None,
) -> None:
    """Work jobs off; `before` is called with a file's name when it was read and is not yet put in."""
    jobs.start(lambda: cast("Builder", LineBuilder(catalog, before)), after)


def states(job: Job) -> list[tuple[str, str]]:
    return [(file.name, file.state) for file in job.files]


def originals(catalog: Catalog) -> int:
    return len(list((catalog.home / "originals").iterdir()))


def test_a_job_is_worked_off_and_says_what_became_of_each_file(jobs: Jobs, catalog: Catalog) -> None:
    run(jobs, catalog)
    job = finished(jobs, submit(jobs, [upload("a.txt", b"one"), upload("b.txt", b"bad")]))
    assert (job.state, job.done, job.error) == ("completed_with_errors", 2, None)
    assert [(file.name, file.state, file.error) for file in job.files] == [
        ("a.txt", "added", None),
        ("b.txt", "failed", "It is bad."),
    ]
    assert catalog.document(CORPUS, "a.txt").metadata == {"from": "test"}
    assert finished(jobs, submit(jobs, [upload("c.txt", b"bad")])).state == "failed"
    assert [entry.id for entry in jobs.recent(1)] != [job.id]


def test_names_are_those_of_documents(jobs: Jobs, catalog: Catalog) -> None:
    run(jobs, catalog)
    job = finished(jobs, submit(jobs, [upload("./reports\\a\u0308.txt")]))
    assert [(file.name, file.state) for file in job.files] == [("reports/\u00e4.txt", "added")]
    assert catalog.document(CORPUS, "reports/\u00e4.txt").text == "words"


@pytest.mark.parametrize("names", [["../a"], [""], ["a", "a"], ["a", "./a"], ["\u00e4", "a\u0308"], ["a\0"]])
def test_names_that_cannot_be_are_refused_before_anything_is_kept(
    jobs: Jobs, catalog: Catalog, names: list[str]
) -> None:
    with pytest.raises(InvalidName):
        submit(jobs, [upload(name, name.encode()) for name in names])
    assert (jobs.recent(), originals(catalog)) == ([], 0)


def test_a_bug_in_one_job_leaves_the_next_one_alone(jobs: Jobs, catalog: Catalog) -> None:
    first = submit(jobs, [upload("a.txt", b"one"), upload("b.txt", b"bug"), upload("c.txt", b"left")])
    second = submit(jobs, [upload("d.txt", b"good")])
    run(jobs, catalog)
    assert finished(jobs, second).state == "completed"
    job = jobs.get(first)
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
    catalog.create_corpus(CORPUS, "random")
    new = make_version("one", random_vectors(1, 0), sha256=catalog.keep_original(b"one"))
    catalog.put_version(CORPUS, "same.txt", new)
    catalog.delete_documents(CORPUS, ["same.txt"])
    catalog.drop_unused_originals()
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
        jobs.get("x")


# a deletion beats an upload that is on its way


def test_a_name_deleted_while_its_upload_is_queued_stays_deleted(jobs: Jobs, catalog: Catalog) -> None:
    first = submit(jobs, [upload("a.txt", b"one"), upload("b.txt", b"two")])
    second = submit(jobs, [upload("a.txt", b"three")])
    other = jobs.submit("other", [upload("a.txt", b"elsewhere")], "random")
    catalog.delete_documents(CORPUS, ["a.txt"])  # only queued, and found all the same
    assert originals(catalog) == 2
    run(jobs, catalog)
    assert finished(jobs, other).state == "completed"
    assert states(jobs.get(first)) == [("a.txt", "cancelled"), ("b.txt", "added")]
    assert jobs.get(first).files[0].error == "It was deleted before it was ingested."
    assert [jobs.get(first).state, jobs.get(second).state] == ["completed", "cancelled"]
    assert [info.name for info in catalog.documents(CORPUS)] == ["b.txt"]
    assert catalog.document("other", "a.txt").text == "elsewhere"
    later = finished(jobs, submit(jobs, [upload("a.txt", b"four")]))
    assert (later.state, catalog.document(CORPUS, "a.txt").text) == ("completed", "four")


def test_deleting_is_all_or_none_for_queued_names_too(jobs: Jobs, catalog: Catalog) -> None:
    job = submit(jobs, [upload("a.txt")])
    with pytest.raises(NotFound, match=r"'b.txt' .*nothing was deleted"):
        catalog.delete_documents(CORPUS, ["a.txt", "b.txt"])
    assert states(jobs.get(job)) == [("a.txt", "queued")]


@pytest.mark.parametrize("whole", [True, False])
def test_a_deletion_while_the_file_is_being_read_wins(jobs: Jobs, catalog: Catalog, whole: bool) -> None:
    elsewhere = Catalog(catalog.home)  # as another process would

    def delete(name: str) -> None:
        if name == "a.txt":
            elsewhere.delete_corpus(CORPUS) if whole else elsewhere.delete_documents(CORPUS, ["a.txt"])

    job = submit(jobs, [upload("a.txt", b"one"), upload("b.txt", b"two")])
    run(jobs, catalog, before=delete)
    ended = finished(jobs, job)
    assert ended.state == ("cancelled" if whole else "completed")
    assert [state for _, state in states(ended)] == ["cancelled", "cancelled" if whole else "added"]
    if not whole:
        assert [info.name for info in catalog.documents(CORPUS)] == ["b.txt"]
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
    assert catalog.corpora() == []
    assert finished(jobs, submit(jobs, [upload("c.txt")])).state == "completed"
    assert [info.name for info in catalog.documents(CORPUS)] == ["c.txt"]


def test_a_corpus_deleted_during_an_upload_is_made_anew_with_the_job(tmp_path: Path) -> None:
    class Raced(Catalog):
        """Another process deletes the corpus while the first original is being stored."""

        stored = False

        def keep_original(self, data: bytes) -> str:
            if not self.stored:
                self.stored = True
                self.delete_corpus(CORPUS)
            return super().keep_original(data)

    catalog = Raced(tmp_path)
    jobs = Jobs(catalog)
    job = submit(jobs, [upload("a.txt")])
    run(jobs, catalog)
    assert finished(jobs, job).state == "completed"
    jobs.stop()
    catalog.close()


def test_a_corpus_of_another_model_takes_no_upload(jobs: Jobs, catalog: Catalog) -> None:
    catalog.create_corpus(CORPUS, "another")
    with pytest.raises(OtherEmbedder):
        submit(jobs, [upload("a.txt")])
    assert (jobs.recent(), originals(catalog)) == ([], 0)


# cancel, retry, progress


def test_a_job_that_waits_can_be_cancelled(jobs: Jobs, catalog: Catalog) -> None:
    job = submit(jobs, [upload("a.txt", b"one"), upload("b.txt", b"two")])
    cancelled = jobs.cancel(job)
    assert (cancelled.state, cancelled.done) == ("cancelled", 2)
    assert cancelled.finished is not None
    assert {file.error for file in cancelled.files} == {"Its job was cancelled before it was ingested."}
    run(jobs, catalog)
    assert finished(jobs, submit(jobs, [upload("c.txt")])).state == "completed"
    assert [info.name for info in catalog.documents(CORPUS)] == ["c.txt"]
    assert jobs.get(job) == cancelled


def test_a_job_at_work_can_be_cancelled_and_what_is_in_stays(jobs: Jobs, catalog: Catalog) -> None:
    elsewhere = Jobs(Catalog(catalog.home))  # as another process would
    job = submit(jobs, [upload("a.txt", b"one"), upload("b.txt", b"two"), upload("c.txt", b"three")])
    run(jobs, catalog, before=lambda name: elsewhere.cancel(job) if name == "b.txt" else None)
    later = finished(jobs, submit(jobs, [upload("d.txt", b"four")]))
    assert later.state == "completed"
    assert states(jobs.get(job)) == [("a.txt", "added"), ("b.txt", "cancelled"), ("c.txt", "cancelled")]
    assert jobs.get(job).state == "cancelled"
    assert [info.name for info in catalog.documents(CORPUS)] == ["a.txt", "d.txt"]


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
    jobs.cancel(other)
    assert states(jobs.retry(other)) == [("e.txt", "queued")]


def test_only_what_can_be_done_to_a_job_is(jobs: Jobs, catalog: Catalog) -> None:
    job = submit(jobs, [upload("a.txt")])
    with pytest.raises(WrongState, match="is queued; only a finished one can be retried"):
        jobs.retry(job)
    run(jobs, catalog)
    finished(jobs, job)
    with pytest.raises(WrongState, match=r"is finished \(completed\)"):
        jobs.cancel(job)
    with pytest.raises(WrongState, match="has no file to retry"):
        jobs.retry(job)
    for change in (jobs.cancel, jobs.retry):
        with pytest.raises(NotFound, match="There is no job 'x'"):
            change("x")


def test_a_retry_replaces_nothing_newer_and_brings_nothing_deleted_back(jobs: Jobs, catalog: Catalog) -> None:
    run(jobs, catalog)
    names = ("new.txt", "gone.txt", "left.txt")
    job = submit(jobs, [upload(name, b"bad") for name in names])
    assert finished(jobs, job).state == "failed"
    finished(jobs, submit(jobs, [upload("new.txt", b"newer")]))
    catalog.delete_documents(CORPUS, ["gone.txt"])  # it counts as a document as long as it could be retried
    with pytest.raises(NotFound):
        catalog.delete_documents(CORPUS, ["gone.txt"])
    jobs.stop()
    assert states(jobs.retry(job)) == [
        ("new.txt", "failed"),
        ("gone.txt", "failed"),
        ("left.txt", "queued"),
    ]
    catalog.delete_corpus(CORPUS)
    assert originals(catalog) == 0
    assert states(jobs.get(job)) == [
        (name, "cancelled" if name == "left.txt" else "failed") for name in names
    ]


def test_the_bytes_of_what_failed_are_kept_for_a_week(jobs: Jobs, catalog: Catalog) -> None:
    run(jobs, catalog)
    job = submit(jobs, [upload("a.txt", b"bad")])
    finished(jobs, job)
    finished(jobs, submit(jobs, [upload("b.txt", b"two")]))
    assert originals(catalog) == 2
    with catalog.write() as transaction:
        transaction.execute("UPDATE jobs SET finished = finished - 7.1 * 86400 WHERE id = ?", (job,))
    finished(jobs, submit(jobs, [upload("b.txt", b"two")]))
    jobs.stop()
    assert originals(catalog) == 1
    with pytest.raises(WrongState, match="has no file to retry"):
        jobs.retry(job)


def test_a_running_job_tells_its_rate_and_the_time_left(jobs: Jobs, catalog: Catalog) -> None:
    seen: list[Job] = []

    def look(name: str) -> None:
        time.sleep(0.2)
        seen.append(jobs.get(job))

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
    assert 3 / took <= last.files_per_s <= 3 / 0.6 + 0.01
    assert last.left_s == pytest.approx(1 / last.files_per_s, abs=0.1)
    assert (ended.files_per_s, ended.left_s) == (None, None)


# a file that ends the process, a process that is stopped

_WORKER = """
import sys, time
from pathlib import Path
from ingest.jobs import Jobs
from rag.catalog import Catalog
from tests.test_jobs import LineBuilder
catalog = Catalog(Path(sys.argv[1]))
Jobs(catalog).start(lambda: LineBuilder(catalog, lambda name: time.sleep(60 if "slow" in sys.argv else 0)), print)
time.sleep(60)
"""


def worker(catalog: Catalog, *words: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-c", _WORKER, str(catalog.home), *words]
    return subprocess.Popen(command, cwd=Path(__file__).parent.parent, stdout=subprocess.DEVNULL)


def test_a_dead_worker_is_noticed_and_another_process_takes_over(jobs: Jobs, catalog: Catalog) -> None:
    job = submit(jobs, [upload("a.txt", b"one"), upload("b.txt", b"two")])
    with worker(catalog, "slow") as first:
        until(lambda: jobs.get(job).files[0].state == "running")
        assert jobs.get(job).state == "running"
        with worker(catalog) as second:
            time.sleep(1)  # it waits for its turn
            assert jobs.get(job).done == 0
            first.kill()
            killed = time.monotonic()
            assert finished(jobs, job).state == "completed"
            assert time.monotonic() - killed < 3
            second.kill()


def test_a_job_whose_worker_died_is_queued_again(jobs: Jobs, catalog: Catalog) -> None:
    job = submit(jobs, [upload("a.txt", b"one")])
    with worker(catalog, "slow") as only:
        until(lambda: jobs.get(job).state == "running")
        only.kill()
    assert jobs.get(job).state == "queued"


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


_POISONED = """
import os, sys, time
from pathlib import Path
from ingest.jobs import Jobs
from rag.catalog import Catalog
from tests.test_jobs import LineBuilder
catalog = Catalog(Path(sys.argv[1]))
jobs = Jobs(catalog)
jobs.start(lambda: LineBuilder(catalog, lambda name: name == "b.txt" and os.kill(os.getpid(), 9)), lambda _: None)
while jobs.get(sys.argv[2]).finished is None:
    time.sleep(0.02)
jobs.stop()
"""


def test_a_file_that_ends_the_process_is_given_up_and_the_others_are_not(catalog: Catalog) -> None:
    jobs = Jobs(catalog)
    job = submit(jobs, [upload(f"{name}.txt", name.encode()) for name in "abc"])
    command = [sys.executable, "-c", _POISONED, str(catalog.home), job]
    codes = [subprocess.run(command, cwd=Path(__file__).parent.parent).returncode for _ in range(4)]
    assert codes == [-signal.SIGKILL] * 3 + [0]
    assert states(jobs.get(job)) == [("a.txt", "added"), ("b.txt", "failed"), ("c.txt", "added")]
    assert "ended 3 times while it read this file" in (jobs.get(job).files[1].error or "")
    assert "Split it or save it again" in (jobs.get(job).files[1].error or "")
    assert jobs.get(job).state == "completed_with_errors"


def test_stopping_does_not_wait_for_a_slow_file_nor_count_against_it(catalog: Catalog) -> None:
    reading, go_on = threading.Event(), threading.Event()

    def slow(_: str) -> None:
        reading.set()
        assert go_on.wait(30)

    job = submit(Jobs(catalog), [upload("a.txt"), upload("b.txt", b"two")])
    for _ in range(4):  # more often than a file is begun
        jobs = Jobs(catalog)
        run(jobs, catalog, before=slow)
        assert reading.wait(10)
        began = time.monotonic()
        assert not jobs.stop(wait_s=0.1)
        assert time.monotonic() - began < 5
        assert states(jobs.get(job)) == [("a.txt", "queued"), ("b.txt", "queued")]
        go_on.set()
        assert jobs.stop()
        reading.clear()
        go_on.clear()
        with catalog.write() as transaction:  # as if the process had ended before the file was in
            transaction.execute("UPDATE jobs SET state = 'running', finished = NULL")
            transaction.execute("UPDATE job_files SET state = 'queued'")
    go_on.set()
    last = Jobs(catalog)
    run(last, catalog)
    assert finished(last, job).state == "completed"
    last.stop()


# what is to be ingested


def test_sources_are_found_by_relative_name(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("b.md", "deep/a.txt", ".hidden.md", "deep/program.exe"):
        (tmp_path / name).write_text(name)
    (tmp_path / "gone.txt").symlink_to(tmp_path / "nowhere")
    sources, left = find_sources([tmp_path, tmp_path / "deep" / "program.exe", tmp_path / "missing.txt"])
    assert [(source.name, source.read()) for source in sources] == [
        ("b.md", b"b.md"),
        ("deep/a.txt", b"deep/a.txt"),
        ("program.exe", b"deep/program.exe"),  # named, so it is tried
    ]
    assert sorted((outcome.name, outcome.state) for outcome in left) == [
        ("deep/program.exe", "skipped"),
        ("gone.txt", "failed"),
        ("missing.txt", "failed"),
    ]


def test_a_path_that_cannot_be_is_reported_and_the_others_are_found(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("words")
    (tmp_path / "round.txt").symlink_to(tmp_path / "round.txt")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "b.txt").write_text("hidden")
    long = tmp_path / ("x" * 300)
    sources, left = find_sources([long, long / "below.txt", tmp_path / "a.txt" / "b.txt", tmp_path])
    assert [source.name for source in sources] == ["a.txt"]
    assert [outcome.state for outcome in left] == ["failed"] * 4
    reasons = [outcome.error or "" for outcome in left]
    assert "File name too long" in reasons[0]
    assert "does not exist" in reasons[2]
    assert "symbolic links" in reasons[3]


def test_the_same_name_twice_is_reported(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.txt").write_text(folder)
    sources, left = find_sources([tmp_path / "one", tmp_path / "two"])
    assert [source.read() for source in sources] == [b"one"]
    assert left[0].state == "failed"
    assert "Two of the given paths hold a 'a.txt'" in (left[0].error or "")
