"""The service: what happens after a job, and what remains after closing."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.service import Service
from rag.errors import ModelError
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


def test_what_is_loaded_ahead_is_what_answers(service: Service) -> None:
    assert run(service, "travel.md", TRAVEL.encode()).state == "completed"
    service.load_ahead("handbook")
    answer = service.pipeline.ask("handbook", "What is the hotel limit in London?")
    assert "210 pounds" in answer.text
    loading_ahead_ends()
    assert service.pipeline.models.embedder is service.embedder


def test_nothing_is_loaded_ahead_for_an_unknown_corpus(service: Service) -> None:
    service.load_ahead("handbook")
    assert "load-ahead" not in {thread.name for thread in threading.enumerate()}


def test_a_model_that_does_not_load_ahead_fails_where_it_is_used(tmp_path: Path) -> None:
    good = Service(Settings(home=tmp_path))
    good.catalog.create_corpus("handbook", good.recipe)
    good.close()
    service = Service(Settings(home=tmp_path, reader=str(tmp_path / "nowhere")))
    service.load_ahead("handbook")
    loading_ahead_ends()
    with pytest.raises(ModelError, match="nowhere"):
        assert service.pipeline.models.generator
    service.close()


def loading_ahead_ends() -> None:
    for thread in threading.enumerate():
        if thread.name == "load-ahead":
            thread.join()
