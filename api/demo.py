"""The demonstration: a real server, the handbook uploaded over HTTP, and questions with their citations."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from eval.benchmarks.operations.server import running_server
from eval.datasets import HANDBOOK

DOCUMENTS = HANDBOOK / "documents"
JOB_S = 300  # how long to wait for the upload
# Of the handbook's questions: two plain facts, a look-up in a table, what an older policy said and the
# newer one says, an error code of a PDF, and one that the documents do not answer.
ASKED = ("h019", "h032", "h073", "h009", "h065", "h078")


def main() -> None:
    """Run the demonstration; exits 1 if the server fails, a file is not taken or a citation is not verbatim."""
    with tempfile.TemporaryDirectory() as home, running_server(Path(home)) as server:
        print(f"server ready at {server.client.base_url} after {server.ready_s:.1f} s")
        _upload(server.client)
        false = [asked["question"] for asked in _questions() if not _ask(server.client, asked)]
    if false:
        sys.exit(f"\nCited what is not in the documents: {false}")


def _questions() -> list[dict[str, Any]]:
    lines = (HANDBOOK / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    by_id = {entry["id"]: entry for entry in map(json.loads, lines)}
    return [by_id[identity] for identity in ASKED]


def _ask(client: httpx.Client, asked: dict[str, Any]) -> bool:
    """Ask and show a question; return whether its citations are the stored words."""
    response = client.post("/v1/corpora/handbook/ask", json={"question": asked["question"]})
    answer = response.raise_for_status().json()
    _show(asked["question"], answer)
    return all(_is_verbatim(client, citation) for citation in answer["citations"])


def _is_verbatim(client: httpx.Client, citation: dict[str, Any]) -> bool:
    response = client.get(f"/v1/corpora/handbook/documents/{quote(citation['document'])}")
    text = response.raise_for_status().json()["text"]
    stored: str = text[citation["start"] : citation["end"]]
    return bool(citation["verified"]) and stored == citation["quote"]


def _upload(client: httpx.Client) -> None:
    paths = sorted(path for path in DOCUMENTS.rglob("*") if path.is_file())
    files = [("files", (path.relative_to(DOCUMENTS).as_posix(), path.read_bytes())) for path in paths]
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
