"""Stop a server again and again while it ingests one long text: measure how long it takes, and that nothing is lost.

`python -m eval.bench stop`. Each life starts a server over the same data folder, waits until it works on the text again
and sends SIGTERM. The last life lets the job finish; its chunks are compared with those of a server that was never
stopped.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import Any

from eval.benchmarks.operations.server import Server, running_server
from rag.store.database import CATALOG

CORPUS, NAME = "readings", "long.txt"
TEXT_BYTES = 2_000_000
# Stops; all but the first while chunks are embedded, the first while the text is read and cut.
STOPS = 10
LOOK_S = 0.02


def measure(stops: int = STOPS, text_bytes: int = TEXT_BYTES) -> dict[str, Any]:
    """Stop a server repeatedly during one job; return the seconds from each SIGTERM to its end, and what was kept.

    Raises:
        RuntimeError: if the job ended before the last stop.
    """
    text = long_text(text_bytes)
    with tempfile.TemporaryDirectory() as place:
        stopped, whole = Path(place) / "stopped", Path(place) / "whole"
        stopped.mkdir()
        whole.mkdir()
        job = _uploaded(stopped, text)
        seconds = [_stop(stopped, job, embedding=number > 0) for number in range(stops)]
        kept = checkpoints(stopped)
        _finish(stopped, job)
        _finish(whole, _uploaded(whole, text))
        return {
            "text_mb": round(len(text) / 1e6, 2),
            "chunks": len(chunks(whole)),
            "stops": stops,
            "stop_s_median": round(median(seconds), 2),
            "stop_s_max": round(max(seconds), 2),
            "stop_s": [round(one, 2) for one in seconds],
            "embedded_before_the_last_start": kept,
            "same_chunks": chunks(stopped) == chunks(whole),
            "load_before": round(os.getloadavg()[0], 1),
        }


def long_text(size: int) -> bytes:
    """Return a text of about `size` bytes without repetition, so that no two chunks share an embedding."""
    line = "Line {n} of the long report tells of reading {reading}. "
    return "".join(line.format(n=n, reading=n * 7) for n in range(size // 55)).encode()


def checkpoints(home: Path) -> int:
    """Count the embeddings waiting for the rest of their text."""
    return int(_rows(home, "SELECT count(*) FROM checkpoints")[0][0])


def chunks(home: Path) -> list[tuple[Any, ...]]:
    """Return every chunk of a data folder in order: its span, context, and a hash of its embedding."""
    found = _rows(
        home,
        'SELECT k.start, k."end", k.context, e.vector FROM chunks k JOIN embeddings e ON e.key = k.embedding '
        "ORDER BY k.start",
    )
    return [(*span, sha256(vector).hexdigest()) for *span, vector in found]


def _rows(home: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(f"file:{home / CATALOG}?mode=ro", uri=True, timeout=60)) as catalog:
        return catalog.execute(query).fetchall()


def _uploaded(home: Path, text: bytes) -> str:
    """Upload a text to a server that stops before it is ingested; return the job."""
    with running_server(home) as server:
        files = {"files": (NAME, text)}
        job: str = server.client.post(f"/v1/corpora/{CORPUS}/documents", files=files).json()["job"]["id"]
    return job


def _stop(home: Path, job: str, *, embedding: bool) -> float:
    """Start a server, stop it while it works on the job, and return the seconds that took."""
    before = checkpoints(home)
    with running_server(home) as server:
        _await(lambda: _file(server, job) == "running" or _ended(server, job))
        if embedding:
            _await(lambda: checkpoints(home) > before or _ended(server, job))
        if _ended(server, job):
            raise RuntimeError("The job ended before its server was stopped; use a longer text.")
        began = time.perf_counter()
        server.process.terminate()
        server.process.wait()
        return time.perf_counter() - began


def _finish(home: Path, job: str) -> None:
    with running_server(home) as server:
        _await(lambda: _ended(server, job))
        state = server.client.get(f"/v1/jobs/{job}").json()["state"]
    if state != "completed":
        raise RuntimeError(f"The job ended as {state}; expected completed.")


def _file(server: Server, job: str) -> str:
    return str(server.client.get(f"/v1/jobs/{job}").json()["files"][0]["state"])


def _ended(server: Server, job: str) -> bool:
    return bool(server.client.get(f"/v1/jobs/{job}").json()["finished"])


def _await(holds: Callable[[], bool]) -> None:
    while not holds():
        time.sleep(LOOK_S)
