"""The service: what happens after a job, and what remains after closing."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from api.service import Service
from rag.settings import Settings
from rag.store.jobs import Job, Upload
from tests.served import TRAVEL
from tests.waiting import wait_until


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    service = Service(Settings(home=tmp_path))
    service.start_jobs()
    yield service
    service.close()


def run(service: Service, name: str, data: bytes) -> Job:
    job = service.jobs.submit("handbook", [Upload(name, data, {})], service.recipe)
    wait_until(lambda: service.catalog.jobs.get(job).finished)
    return service.catalog.jobs.get(job)


def test_the_index_follows_a_job_before_anyone_asks(service: Service, tmp_path: Path) -> None:
    assert run(service, "travel.md", TRAVEL.encode()).state == "completed"
    service.close()
    assert list((tmp_path / "indexes").glob("*.snapshot"))  # of an index that is not empty


def test_stopping_a_server_leaves_the_connections_of_requests_open(service: Service) -> None:
    connection = service.catalog.database.read()
    assert service.stop()
    assert connection.execute("SELECT 1").fetchone()[0] == 1


def test_a_corpus_deleted_after_its_job_disturbs_nothing(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    slow = "".join(f"Line {n} of the long report tells of reading {n * 7}. " for n in range(600))
    job = service.jobs.submit("handbook", [Upload("slow.txt", slow.encode(), {})], service.recipe)
    wait_until(lambda: service.catalog.jobs.get(job).state == "running")
    service.catalog.delete_corpus("handbook")
    wait_until(lambda: service.catalog.jobs.get(job).finished)
    assert service.catalog.jobs.get(job).state == "cancelled"
    assert run(service, "travel.md", TRAVEL.encode()).state == "completed"
    assert not [record for record in caplog.records if record.exc_info]
