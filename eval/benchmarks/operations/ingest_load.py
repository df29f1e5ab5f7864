"""Questions while a large set loads: `ask` a real server twice a second, at rest and during an upload.

Questions are sent at fixed times, whether or not earlier ones are answered, and timed from then, so a server that
stalls is not asked less.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx

from eval.benchmarks.operations.server import running_server
from eval.datasets import records
from eval.metrics import percentile

CORPUS = "articles"
# Articles that are searchable before the others arrive.
AT_FIRST = 25
PER_S = 2
SECONDS = 30
WARM_UP = 10  # questions
WAIT_S = 300
# Most questions waiting for answers; a server that stalls for 30 s is still noticed.
AT_ONCE = 64


def measure() -> dict[str, Any]:
    """Ask at rest, then while the other articles (about 20,000 chunks) load; compare."""
    articles = [(f"{i:03}.txt", entry["text"]) for i, entry in enumerate(_wikipedia())]
    questions = [entry["question"] for entry in records("reading/squad-dev.jsonl.gz")]
    with tempfile.TemporaryDirectory() as folder, running_server(Path(folder)) as server:
        client = server.client
        _wait(client, _upload(client, articles[:AT_FIRST]), "finished")
        _ask_steadily(client, questions[:WARM_UP])
        asked = questions[WARM_UP : WARM_UP + PER_S * SECONDS]
        idle = _ask_steadily(client, asked)
        job = _upload(client, articles[AT_FIRST:])
        _wait(client, job, "done")
        before, began = _chunks(client), time.perf_counter()
        busy = _ask_steadily(client, asked)
        loaded, took = _chunks(client) - before, time.perf_counter() - began
        ended = client.get(f"/v1/jobs/{job}").json()
        if ended["finished"] or not loaded:
            raise RuntimeError(
                f"The upload did not last as long as the questions: {ended['state']}, {loaded}."
            )
        return _compared(idle, busy) | {
            "chunks_per_s_meanwhile": round(loaded / took, 1),
            "memory_mb": server.resident_mb(),
        }


def _compared(idle: Sequence[float], busy: Sequence[float]) -> dict[str, float]:
    figures: dict[str, float] = {}
    for share in (0.5, 0.95):
        at_rest, loading = percentile(idle, share), percentile(busy, share)
        name = f"p{share * 100:.0f}"
        figures |= {f"{name}_ms": round(at_rest, 1), f"{name}_ms_loading": round(loading, 1)}
        figures |= {f"{name}_ratio": round(loading / at_rest, 2)}
    return figures


def _wikipedia() -> Sequence[dict[str, Any]]:
    return list(records("documents/wikipedia-490.jsonl.gz"))


def _ask_steadily(client: httpx.Client, questions: Sequence[str]) -> list[float]:
    """Return the time of each answer, in ms, from when its question was due."""
    start = time.perf_counter()

    def asked(number: int, question: str) -> float:
        due = start + number / PER_S
        time.sleep(max(0.0, due - time.perf_counter()))
        client.post(f"/v1/corpora/{CORPUS}/ask", json={"question": question}).raise_for_status()
        return (time.perf_counter() - due) * 1000

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(asked, range(len(questions)), questions))


def _upload(client: httpx.Client, articles: Sequence[tuple[str, str]]) -> str:
    files = [("files", (name, text.encode())) for name, text in articles]
    accepted = client.post(f"/v1/corpora/{CORPUS}/documents", files=files).raise_for_status()
    return str(accepted.json()["job"]["id"])


def _wait(client: httpx.Client, job: str, field: str) -> None:
    """Wait until a field of a job is true."""
    began = time.perf_counter()
    while not client.get(f"/v1/jobs/{job}").json()[field]:
        if time.perf_counter() - began > WAIT_S:
            raise RuntimeError(f"Job {job} was not {field} within {WAIT_S} s.")
        time.sleep(0.1)


def _chunks(client: httpx.Client) -> int:
    return int(client.get("/v1/corpora").json()["corpora"][0]["chunks"])
