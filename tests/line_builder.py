"""Jobs processed by a builder without models, and helpers for the tests of jobs."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, cast

from ingest.names import document_name
from ingest.source import Outcome, Source
from ingest.uploads.jobs import Jobs
from rag.errors import IbidError, StorageError
from rag.store.catalog import Catalog
from rag.store.jobs import Job, Upload
from rag.types import Recipe
from tests.made_versions import CORPUS, make_version, random_vectors
from tests.waiting import wait_until

if TYPE_CHECKING:
    from ingest.build import Builder  # brings llama-index, which takes seconds


class LineBuilder:
    """Stores each file as one chunk, so that these tests need no models."""

    def __init__(self, catalog: Catalog, before: Callable[[str], object] = lambda _: None) -> None:
        self._catalog, self._before = catalog, before

    def ingest(self, corpus: str, sources: Iterable[Source], *, create: bool = True) -> Iterator[Outcome]:
        assert not create  # a job must not bring a deleted corpus back
        self._catalog.generations.serving(corpus)
        for source in list(sources):  # all are begun before the first is in, as in a group
            data = source.read()
            self._before(source.name)
            if data == b"bad":
                yield Outcome(source.name, "failed", error="It is bad.")
                continue
            if data == b"bug":
                raise ZeroDivisionError("a bug")
            sha256 = self._catalog.originals.keep(data)
            new = make_version(data.decode(), random_vectors(1, 0), sha256=sha256, metadata=source.metadata)
            try:
                version = self._catalog.documents.put(
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
    return jobs.submit(CORPUS, uploads, Recipe("random"))


def finished(jobs: Jobs, job: str) -> Job:
    wait_until(lambda: jobs.queue.get(job).finished is not None)
    return jobs.queue.get(job)


def run(
    jobs: Jobs,
    catalog: Catalog,
    after: Callable[[str], None] = lambda _: None,
    before: Callable[[str], object] = lambda _: None,
) -> None:
    """Process jobs; `before` is called with a file's name after reading and before storing it."""
    jobs.start(lambda: cast("Builder", LineBuilder(catalog, before)), after)


def states(job: Job) -> list[tuple[str, str]]:
    return [(file.name, file.state) for file in job.files]


def originals(catalog: Catalog) -> int:
    return len(list((catalog.home / "originals").iterdir()))
