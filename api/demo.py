"""The demonstration: a real server, the handbook uploaded over HTTP, and questions with their citations."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

from eval.server import running_server

HANDBOOK = Path(__file__).parent.parent / "corpora" / "handbook" / "documents"
JOB_S = 300  # how long to wait for the upload
QUESTIONS = (
    "How many days of annual leave do employees in Germany get?",
    "What does error code E-214 on the Petrel S3 mean?",
    "How often must a Kite U1 be recalibrated?",
    "What is the hotel limit per night in London?",
    "Welche Regeln gelten für Alleinarbeit in Lübeck?",
    "What is the parental leave allowance in Japan?",
)


def main() -> None:
    """Run the demonstration; exits 1 if the server does not start or a file is not taken."""
    with tempfile.TemporaryDirectory() as home, running_server(Path(home)) as server:
        print(f"server ready at {server.client.base_url} after {server.ready_s:.1f} s")
        _upload(server.client)
        for question in QUESTIONS:
            answer = server.client.post("/v1/corpora/handbook/ask", json={"question": question})
            _show(question, answer.raise_for_status().json())


def _upload(client: httpx.Client) -> None:
    paths = sorted(path for path in HANDBOOK.rglob("*") if path.is_file())
    files = [("files", (path.relative_to(HANDBOOK).as_posix(), path.read_bytes())) for path in paths]
    began = time.monotonic()
    response = client.post("/v1/corpora/handbook/documents", files=files)
    response.raise_for_status()
    job = response.json()["job"]
    while job["state"] in ("queued", "running"):
        if time.monotonic() - began > JOB_S:
            sys.exit(f"The upload did not finish within {JOB_S} s: {job}")
        time.sleep(0.1)
        job = client.get(f"/v1/jobs/{job['id']}").json()
    if job["state"] != "completed":
        sys.exit(f"The upload ended as {job['state']}: {job}")
    print(f"{len(files)} documents uploaded and searchable after {time.monotonic() - began:.1f} s")


def _show(question: str, answer: dict[str, Any]) -> None:
    print(f"\nQ: {question}")
    if not answer["answerable"]:
        print(f"A: No answer. {answer['reason']} (confidence {answer['confidence']:.2f})")
        return
    print(
        f"A: {answer['answer']} (confidence {answer['confidence']:.2f}, {answer['timings_ms']['total']:.0f} ms)"
    )
    for citation in answer["citations"]:
        page = f", page {citation['page']}" if citation["page"] else ""
        place = f"version {citation['version']}{page}, characters {citation['start']}-{citation['end']}"
        print(f"   [{citation['label']}] {citation['document']}, {place}\n       {citation['quote']!r}")


if __name__ == "__main__":
    main()
