"""A server in its own process: killed, restarted, stopped, and left alone by others."""

import socket
import sqlite3
from functools import partial
from pathlib import Path

import httpx
import pytest

from api.http.serve import listen
from eval.benchmarks.operations.server import Server, free_port, running_server
from eval.benchmarks.operations.stop import checkpoints, chunks, long_text
from rag.settings import Settings
from tests.made_files import make_pdf
from tests.served import TRAVEL, find, finished, upload
from tests.waiting import HANG_S, wait_until

# No test here compresses anything, and each start would import the compressor's packages.
served_alone = partial(running_server, compressor="none")
FILES = {
    f"reports/{n:02}.txt": f"Report {n}. The meter of building {n} shows {n * 37} units." for n in range(30)
}


def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    with served_alone(tmp_path) as server:
        parts = [("files", (name, text.encode())) for name, text in FILES.items()]
        response = server.client.post("/v1/corpora/meters/documents", files=parts)
        kill(server)
        assert response.status_code == 202
    with served_alone(tmp_path) as server:
        ended = finished(server.client, response.json()["job"]["id"])
        assert (ended["state"], ended["done"]) == ("completed", len(FILES))
        assert find(server.client, "meters", "meter of building 17")[0]["document"] == "reports/17.txt"
        for name, text in list(FILES.items())[:3]:
            assert server.client.get(f"/v1/corpora/meters/originals/{name}").text == text
        assert server.client.delete("/v1/corpora/meters/documents/reports/17.txt").status_code == 204
        kill(server)
    with served_alone(tmp_path) as server:
        hits = find(server.client, "meters", "meter of building 17", k=50)
        assert {hit["document"] for hit in hits} == FILES.keys() - {"reports/17.txt"}


def kill(server: Server) -> None:
    """End the process as a power cut would."""
    server.process.kill()
    server.process.wait()


def test_a_kill_during_a_job_loses_and_doubles_nothing(tmp_path: Path) -> None:
    with served_alone(tmp_path) as server:
        upload(server.client, "meters", {"warm.txt": "The reader of files is loaded."})
        slow = {
            "slow.pdf": make_pdf(
                *[[f"Page {page}, line {line}." for line in range(40)] for page in range(12)]
            )
        }
        parts = [
            ("files", (name, data))
            for name, data in [*slow.items(), *[(n, t.encode()) for n, t in FILES.items()]]
        ]
        job = server.client.post("/v1/corpora/meters/documents", files=parts).json()["job"]["id"]
        while server.client.get(f"/v1/jobs/{job}").json()["state"] == "queued":
            pass
        kill(server)
    with served_alone(tmp_path) as server:
        ended = finished(server.client, job)
        assert (ended["state"], ended["done"]) == ("completed", len(FILES) + 1)
        listed = server.client.get("/v1/corpora/meters/documents").json()
        assert listed["total"] == len(FILES) + 2
        assert {document["version"] for document in listed["documents"]} == {1}


def test_a_server_starts_stops_in_order_and_binds_to_this_machine_alone(tmp_path: Path) -> None:
    with served_alone(tmp_path) as server:
        upload(server.client, "handbook", {"travel.md": TRAVEL})
        assert find(server.client, "handbook", "hotel")
    assert list((tmp_path / "indexes").glob("*.snapshot"))  # left by an orderly stop
    with sqlite3.connect(tmp_path / "catalog.sqlite3") as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()
    with served_alone(tmp_path) as server:
        port = httpx.URL(str(server.client.base_url)).port
        assert port is not None
        with socket.socket() as elsewhere, pytest.raises(ConnectionRefusedError):
            elsewhere.connect(("127.0.0.2", port))  # of this machine too, but not the one address


def test_stopping_waits_for_no_long_text_and_its_job_goes_on(tmp_path: Path) -> None:
    with served_alone(tmp_path) as server:
        files = {"files": ("long.txt", long_text(600_000))}
        job = server.client.post("/v1/corpora/meters/documents", files=files).json()["job"]["id"]
        wait_until(lambda: checkpoints(tmp_path) > 0)
        stop(server)
    kept = checkpoints(tmp_path)
    assert chunks(tmp_path) == []  # it was not waited for
    with served_alone(tmp_path) as server:
        wait_until(lambda: checkpoints(tmp_path) > kept)  # it resumes after the embedded chunks
        assert server.client.get(f"/v1/jobs/{job}").json()["files"][0]["state"] == "running"
        assert server.client.delete("/v1/corpora/meters/documents/long.txt").status_code == 204
        kill(server)


def stop(server: Server) -> None:
    """Terminate a server and wait until it is gone."""
    server.process.terminate()
    server.process.wait(HANG_S)


def test_two_servers_on_one_data_folder_agree(tmp_path: Path) -> None:
    with served_alone(tmp_path) as one, served_alone(tmp_path) as other:
        upload(one.client, "handbook", {"travel.md": TRAVEL, "other.txt": "Something else about hotels."})
        assert find(other.client, "handbook", "hotel in London")[0]["document"] == "travel.md"
        assert other.client.delete("/v1/corpora/handbook/documents/travel.md").status_code == 204
        assert "travel.md" not in {hit["document"] for hit in find(one.client, "handbook", "hotel in London")}
        upload(other.client, "handbook", {"third.txt": "A third text on hotels."})  # for either server
        assert {hit["document"] for hit in find(one.client, "handbook", "hotel")} == {
            "other.txt",
            "third.txt",
        }


def test_an_answer_does_not_wait_for_an_acknowledgement(tmp_path: Path) -> None:
    """Without TCP_NODELAY every response to a POST is 40 ms late, however long the work took."""
    settings = Settings(home=tmp_path, port=free_port())
    with (
        listen(settings) as listening,
        socket.create_connection((settings.service.host, settings.service.port)),
    ):
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
