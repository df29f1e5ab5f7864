"""Jobs: what was acknowledged is worked off, whatever fails on the way; what nobody needs is dropped."""

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ingest.jobs import Job, Jobs, Upload
from ingest.load import document_name
from ingest.source import Outcome, Source, find_sources
from rag.catalog import Catalog
from rag.errors import InvalidName, ModelError, NotFound, StorageError
from tests.made_versions import CORPUS, make_version, random_vectors


class LineBuilder:
    """Puts each file in as one chunk, so that these tests need no models."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def ingest(self, corpus: str, sources: Iterable[Source]) -> Iterator[Outcome]:
        self._catalog.create_corpus(corpus, "random")
        for source in sources:
            data = source.read()
            if data == b"bad":
                yield Outcome(source.name, "failed", error="It is bad.")
                continue
            if data == b"bug":
                raise ZeroDivisionError("a bug")
            sha256 = self._catalog.keep_original(data)
            new = make_version(data.decode(), random_vectors(1, 0), sha256=sha256, metadata=source.metadata)
            version = self._catalog.put_version(corpus, document_name(source.name), new)
            yield Outcome(document_name(source.name), "added" if version == 1 else "updated", version, 1)


def builder(catalog: Catalog) -> Any:
    return LineBuilder(catalog)


def upload(name: str, data: bytes = b"words") -> Upload:
    return Upload(name, data, {"from": "test"})


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


def run(jobs: Jobs, catalog: Catalog, after: Callable[[str], None] = lambda _: None) -> None:
    jobs.start(lambda: builder(catalog), after)


def originals(catalog: Catalog) -> int:
    return len(list((catalog.home / "originals").iterdir()))


def test_a_job_is_worked_off_and_says_what_became_of_each_file(jobs: Jobs, catalog: Catalog) -> None:
    run(jobs, catalog)
    job = finished(jobs, jobs.submit(CORPUS, [upload("a.txt", b"one"), upload("b.txt", b"bad")]))
    assert (job.state, job.done, job.error) == ("completed_with_errors", 2, None)
    assert [(file.name, file.state, file.error) for file in job.files] == [
        ("a.txt", "added", None),
        ("b.txt", "failed", "It is bad."),
    ]
    assert catalog.document(CORPUS, "a.txt").metadata == {"from": "test"}
    assert finished(jobs, jobs.submit(CORPUS, [upload("c.txt", b"bad")])).state == "failed"
    jobs.stop()
    assert originals(catalog) == 1  # those of the bad files are dropped
    assert [entry.id for entry in jobs.recent(1)] != [job.id]


def test_names_are_those_of_documents(jobs: Jobs, catalog: Catalog) -> None:
    run(jobs, catalog)
    job = finished(jobs, jobs.submit(CORPUS, [upload("./reports\\a\u0308.txt")]))
    assert [(file.name, file.state) for file in job.files] == [("reports/\u00e4.txt", "added")]
    assert catalog.document(CORPUS, "reports/\u00e4.txt").text == "words"


@pytest.mark.parametrize("names", [["../a"], [""], ["a", "a"], ["a", "./a"], ["\u00e4", "a\u0308"], ["a\0"]])
def test_names_that_cannot_be_are_refused_before_anything_is_kept(
    jobs: Jobs, catalog: Catalog, names: list[str]
) -> None:
    with pytest.raises(InvalidName):
        jobs.submit(CORPUS, [upload(name, name.encode()) for name in names])
    assert (jobs.recent(), originals(catalog)) == ([], 0)


def test_a_bug_in_one_job_leaves_the_next_one_alone(jobs: Jobs, catalog: Catalog) -> None:
    first = jobs.submit(CORPUS, [upload("a.txt", b"one"), upload("b.txt", b"bug"), upload("c.txt", b"left")])
    second = jobs.submit(CORPUS, [upload("d.txt", b"good")])
    run(jobs, catalog)
    assert finished(jobs, second).state == "completed"
    job = jobs.get(first)
    assert (job.state, job.error) == ("failed", "ZeroDivisionError: a bug")
    assert [file.state for file in job.files] == ["added", "failed", "failed"]
    jobs.stop()
    assert originals(catalog) == 2


def test_models_that_do_not_load_fail_the_job_with_their_message(jobs: Jobs, catalog: Catalog) -> None:
    def broken() -> Any:
        raise ModelError("The embedder 'x' does not load.")

    jobs.start(broken, lambda _: None)
    assert finished(jobs, jobs.submit(CORPUS, [upload("a.txt")])).error == "The embedder 'x' does not load."


def test_what_follows_a_job_cannot_fail_it_nor_stop_the_next(jobs: Jobs, catalog: Catalog) -> None:
    def broken(_: str) -> None:
        raise StorageError("The disk is full.")

    run(jobs, catalog, broken)
    for name in ("a.txt", "b.txt"):
        assert finished(jobs, jobs.submit(CORPUS, [upload(name)])).state == "completed"


def test_an_unfinished_job_goes_on_with_another_process_and_its_originals_are_kept(catalog: Catalog) -> None:
    job = Jobs(catalog).submit(CORPUS, [upload("a.txt", b"one"), upload("b.txt", b"two")])
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
    finished(first, first.submit(CORPUS, [upload("a.txt")]))
    second.start(lambda: pytest.fail("two workers"), lambda _: None)
    for n in range(2):
        finished(first, second.submit(CORPUS, [upload(f"{n}.txt")]))
    first.stop()
    second.stop()


def test_an_unknown_job_is_not_found(jobs: Jobs) -> None:
    with pytest.raises(NotFound, match="There is no job 'x'"):
        jobs.get("x")


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


def test_the_same_name_twice_is_reported(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.txt").write_text(folder)
    sources, left = find_sources([tmp_path / "one", tmp_path / "two"])
    assert [source.read() for source in sources] == [b"one"]
    assert left[0].state == "failed"
    assert "Two of the given paths hold a 'a.txt'" in (left[0].error or "")
