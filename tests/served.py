"""A real HTTP server within the test process: sockets, threads and data folder are real."""

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import uvicorn

from api.http.app import create_app
from api.service import Service
from rag.answer.generator import Generator
from rag.pipeline import Pipeline
from rag.settings import Settings
from rag.stages import ModelSet
from tests.waiting import HANG_S, wait_until

TRAVEL = """# Travel policy

## Hotels

The hotel limit in London is 210 pounds per night. In Berlin it is 150 euros per night.

## Trains

Employees travel second class on trips of less than four hours. First class needs the approval of a manager.
"""
LEAVE = "Every employee in Germany has 30 days of annual leave. In the United Kingdom it is 25 days of annual leave."


@dataclass(frozen=True, slots=True)
class Site:
    """A running server: a client for it, its address and what it serves."""

    client: httpx.Client
    address: tuple[str, int]
    service: Service

    def exchange(self, request: bytes) -> bytes:
        """Send raw bytes and return everything received until the server closes the connection."""
        with socket.create_connection(self.address, timeout=HANG_S) as connection:
            connection.sendall(request)
            received = []
            while part := connection.recv(65536):
                received.append(part)
            return b"".join(received)


@contextmanager
def served(settings: Settings) -> Iterator[Site]:
    """Serve an application until the block ends."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        app = create_app(settings)
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=5))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        address = listening.getsockname()
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{address[1]}", timeout=HANG_S) as client:
                wait_until(lambda: server.started)
                wait_until(lambda: client.get("/ready").status_code == httpx.codes.OK)
                yield Site(client, address, app.state.service)
        finally:
            server.should_exit = True
            thread.join()


@contextmanager
def generating(site: Site, generator: Generator) -> Iterator[None]:
    """Use another generator until the block ends."""
    service, own = site.service, site.service.pipeline
    service._pipeline = Pipeline(
        service.settings, service.catalog, ModelSet(service.settings, service.embedder, generator)
    )
    try:
        yield
    finally:
        service._pipeline = own


def upload(
    client: httpx.Client, corpus: str, files: Mapping[str, str | bytes], **fields: str
) -> dict[str, Any]:
    """Upload files and return the finished job."""
    parts = [
        ("files", (name, data if isinstance(data, bytes) else data.encode())) for name, data in files.items()
    ]
    response = client.post(f"/v1/corpora/{corpus}/documents", files=parts, data=fields)
    assert response.status_code == httpx.codes.ACCEPTED, response.text
    return finished(client, response.json()["job"]["id"])


def upload_handbook(client: httpx.Client) -> None:
    """Upload two policies with metadata into the corpus `handbook`."""
    files = {"policies/travel.md": TRAVEL, "policies/leave.txt": LEAVE}
    job = upload(client, "handbook", files, metadata='{"region": "EU", "year": 2026}')
    assert job["state"] == "completed", job


def finished(client: httpx.Client, job: str) -> dict[str, Any]:
    """Wait until a job has ended and return it."""
    wait_until(lambda: client.get(f"/v1/jobs/{job}").json()["finished"])
    ended: dict[str, Any] = client.get(f"/v1/jobs/{job}").json()
    return ended


def find(client: httpx.Client, corpus: str, question: str, **more: Any) -> list[dict[str, Any]]:
    """Search and return the hits."""
    response = client.post(f"/v1/corpora/{corpus}/search", json={"question": question, **more})
    assert response.status_code == httpx.codes.OK, response.text
    hits: list[dict[str, Any]] = response.json()["hits"]
    return hits


def is_problem(response: httpx.Response, status: int) -> dict[str, Any]:
    """Check that a response is a problem document of this status, and return it."""
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    assert (problem["status"], set(problem) >= {"type", "title", "detail", "instance"}) == (status, True)
    return problem


def still_serves(site: Site) -> None:
    """Check that the service answers, and has only its one document."""
    assert find(site.client, "handbook", "hotel")[0]["document"] == "travel.md"
    assert site.client.get("/v1/corpora/handbook/documents").json()["total"] == 1
