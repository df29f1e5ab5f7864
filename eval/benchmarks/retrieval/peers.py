"""Ibid against llama-index, Haystack and txtai: the same model, files and questions, in one run.

The variable PEERS_PYTHON names the Python of an environment with the peers installed. The script that drives them is
beside the public data and says what to install.
"""

from __future__ import annotations

import os
import re
import subprocess
from typing import Any

from eval.benchmarks.retrieval.chroma import measure_question_path
from eval.datasets import SHARED, chroma_documents
from eval.trial import file_sources, trial


class NoPeers(Exception):
    """No environment with the peers is set; the message says how to name one."""


SCRIPT = SHARED.parent / "bench" / "peers.py"
_ROW = re.compile(
    r"(?P<system>.+?)\s+ingest\s+(?P<ingest_s>[\d.]+) s\s+query p50\s+(?P<p50_ms>[\d.]+) p95\s+(?P<p95_ms>[\d.]+) ms"
    r"\s+recall\s+(?P<recall>[\d.]+) precision\s+(?P<precision>[\d.]+) iou\s+(?P<iou>[\d.]+)"
)


def compare() -> list[dict[str, Any]]:
    """Measure Ibid, then each peer, then Ibid again, so that a change of the machine's speed shows.

    Raises:
        NoPeers: if PEERS_PYTHON is not set.
        RuntimeError: if no peer could be measured.
    """
    python = os.environ.get("PEERS_PYTHON")
    if not python:
        raise NoPeers(f"PEERS_PYTHON is not set; {SCRIPT} says what to install in an environment of its own.")
    first = _ibid("Ibid")
    done = subprocess.run(
        [python, SCRIPT, SHARED / "endtoend" / "chroma"], capture_output=True, text=True, check=False
    )
    rows = [_figures(match) for match in _ROW.finditer(done.stdout)]
    if not rows:
        raise RuntimeError(f"No peer could be measured: {done.stdout[-1000:]} {done.stderr[-2000:]}")
    return [first, *rows, _ibid("Ibid, again")]


def _ibid(system: str) -> dict[str, Any]:
    with trial(file_sources(chroma_documents()), {}) as made:
        return {"system": system, "ingest_s": round(made.ingest_s, 1), **measure_question_path(made.pipeline)}


def _figures(match: re.Match[str]) -> dict[str, Any]:
    figures = match.groupdict()
    return {
        "system": figures.pop("system").strip(),
        **{name: float(value) for name, value in figures.items()},
    }
