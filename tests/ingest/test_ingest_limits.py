"""A real server given hostile files: they fail alone, memory stays bounded, and questions are answered."""

import re
import threading
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest

from eval.benchmarks.operations.server import Server, running_server
from tests.ingest.test_parse import slow_json
from tests.made_files import make_docx
from tests.waiting import wait_until

CORPUS = "limits"
QUESTION = {"question": "What is the hotel limit in London?"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("home"), compressor="none") as server:
        text = b"The hotel limit in London is 210 pounds per night."
        # The libraries are imported with the first file
        files = {
            "travel.txt": text,
            "manual.docx": make_docx(),
        }
        assert wait(server.client, submit(server.client, files))["state"] == "completed"
        ask(server.client)
        yield server


def submit(client: httpx.Client, files: dict[str, bytes]) -> str:
    response = client.post(f"/v1/corpora/{CORPUS}/documents", files=[("files", one) for one in files.items()])
    assert response.status_code == httpx.codes.ACCEPTED, response.text
    return str(response.json()["job"]["id"])


def job(client: httpx.Client, name: str) -> dict[str, Any]:
    found: dict[str, Any] = client.get(f"/v1/jobs/{name}").json()
    return found


def wait(client: httpx.Client, name: str) -> dict[str, Any]:
    wait_until(lambda: job(client, name)["finished"])
    return job(client, name)


def ask(client: httpx.Client) -> str:
    response = client.post(f"/v1/corpora/{CORPUS}/ask", json=QUESTION)
    assert response.status_code == httpx.codes.OK, response.text
    return str(response.json()["answer"])


def memory_mb(process: int, which: str) -> float:
    status = Path(f"/proc/{process}/status").read_text()
    found = re.search(rf"{which}:\s+(\d+) kB", status)
    return int(found[1]) / 1000 if found else 0.0


def parsers_of(process: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{process}/task").iterdir():
        found += [int(one) for one in (task / "children").read_text().split()]
    return found


class Peak:
    """The most additional memory that a server and its parsing processes take while the block runs."""

    def __init__(self, server: Server) -> None:
        self._server = server.process.pid
        self._done = threading.Event()
        self._children = 0.0
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> "Peak":
        Path(f"/proc/{self._server}/clear_refs").write_text("5")  # the peak counts from now
        self._held = memory_mb(self._server, "VmRSS")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        self.mb = memory_mb(self._server, "VmHWM") - self._held + self._children

    def _watch(self) -> None:
        while not self._done.wait(0.005):
            for child in parsers_of(self._server):
                try:
                    self._children = max(self._children, memory_mb(child, "VmHWM"))
                except OSError:  # it has ended
                    continue


def overlapping_bomb() -> bytes:
    """Make a docx of 449 KiB whose three parts unpack to more than 1 GB: they share the same bytes.

    A single part cannot do that: deflate shrinks to a thousandth at best.
    """
    stream = BytesIO()
    with (
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive,
        archive.open("word/document.xml", "w") as part,
    ):
        for _ in range(46):
            part.write(b" " * 10_000_000)
    whole = stream.getvalue()
    at, end = whole.rindex(b"PK\x01\x02"), whole.rindex(b"PK\x05\x06")
    entry = whole[at:end]
    entries = b"".join(
        entry.replace(b"document.xml", name) for name in (b"document.xml", b"part_two.xml", b"footnote.xml")
    )
    counts = (3).to_bytes(2, "little") * 2
    tail = whole[end : end + 8] + counts + len(entries).to_bytes(4, "little") + whole[end + 16 :]
    return whole[:at] + entries + tail


def test_a_docx_that_unpacks_to_a_gigabyte_hurts_nobody(server: Server) -> None:
    bomb = overlapping_bomb()
    assert 400_000 < len(bomb) <= 449 * 1024
    with zipfile.ZipFile(BytesIO(bomb)) as archive:
        assert sum(member.file_size for member in archive.infolist()) > 1_000_000_000
    with Peak(server) as peak:
        name = submit(server.client, {"bomb.docx": bomb, "good.docx": make_docx()})
        while not job(server.client, name)["finished"]:
            assert "210 pounds" in ask(server.client)
    ended = job(server.client, name)
    assert [file["state"] for file in ended["files"]] == ["failed", "added"]
    assert ended["files"][0]["error"].startswith("load: bomb.docx would unpack to 1,380,000,000 bytes")
    assert peak.mb < 200


def test_cancelling_ends_the_file_at_hand(server: Server) -> None:
    name = submit(server.client, {"slow.json": slow_json(), "next.txt": b"Next."})
    wait_until(lambda: job(server.client, name)["files"][0]["state"] == "running")
    wait_until(lambda: parsers_of(server.process.pid))
    reading = parsers_of(server.process.pid)
    cancelled = server.client.post(f"/v1/jobs/{name}/cancel").json()
    assert (cancelled["state"], cancelled["done"]) == ("cancelled", 2)
    after = wait(server.client, submit(server.client, {"after.txt": b"After it."}))
    assert after["state"] == "completed"
    assert not {*reading} & {*parsers_of(server.process.pid)}  # ended; a finished reader would continue
    assert server.client.post(f"/v1/jobs/{name}/cancel").status_code == httpx.codes.CONFLICT
    assert server.client.post("/v1/jobs/none/retry").status_code == httpx.codes.NOT_FOUND


def test_a_retry_over_http(server: Server) -> None:
    name = submit(server.client, {"broken.docx": make_docx()[:-200]})
    assert wait(server.client, name)["state"] == "failed"
    again = server.client.post(f"/v1/jobs/{name}/retry").json()
    assert again["files"][0]["state"] in ("queued", "running", "failed")
    assert wait(server.client, name)["state"] == "failed"
    assert job(server.client, name)["finished"] > again["created"]
