"""What a nightly `ibid sync` costs: 10,000 files unchanged, one of them changed, one moved, as real processes.

The files are short lines of the 490 Wikipedia articles: the times do not depend on their length while they are read
from memory, and embedding longer ones would take an hour. Times include start-up; processor times, of all cores
together, are valid on a busy machine too.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from eval.benchmarks.operations.server import without_settings
from eval.datasets import records
from rag.text.sentences import split_sentences

FILES = 10_000
PER_FOLDER = 100
RUNS = 3  # the median counts
LEAST, MOST = 20, 120  # characters of a line


@dataclass(frozen=True, slots=True)
class Cost:
    """The seconds of one run: elapsed, and of the processor."""

    wall: float
    processor: float


def measure() -> dict[str, Any]:
    """Sync 10,000 files into a fresh data folder, then again and again."""
    with tempfile.TemporaryDirectory() as place:
        folder, home = Path(place) / "files", Path(place) / "home"
        paths = _write(folder)
        first = _sync(folder, home, added=FILES)
        unchanged = [_sync(folder, home, unchanged=FILES) for _ in range(RUNS)]
        changed, moved = [], []
        for run in range(RUNS):
            paths[run].write_text(f"It was changed before run {run}.\n", encoding="utf-8")
            changed.append(_sync(folder, home, modified=1, unchanged=FILES - 1))
            paths[-1 - run].rename(folder / f"moved-{run}.txt")
            moved.append(_sync(folder, home, moved=1, unchanged=FILES - 1))
    return {
        "files": FILES,
        "first_sync_s": round(first.wall, 1),
        **_medians("unchanged", unchanged),
        **_medians("one_changed", changed),
        **_medians("one_moved", moved),
    }


def _write(folder: Path) -> list[Path]:
    paths = []
    for number, line in zip(range(FILES), _lines(), strict=False):
        path = folder / f"{number // PER_FOLDER:03}" / f"{number:05}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{line} ({number})\n", encoding="utf-8")
        paths.append(path)
    return paths


def _lines() -> Iterator[str]:
    for article in records("documents/wikipedia-490.jsonl.gz"):
        text = article["text"]
        for start, end in split_sentences(text):
            line = " ".join(text[start:end].split())
            if LEAST < len(line) < MOST:
                yield line


def _sync(folder: Path, home: Path, **expected: int) -> Cost:
    """Run `ibid sync` and return its times.

    Raises:
        RuntimeError: if it did not do what was expected.
    """
    run = [sys.executable, "-m", "api.cli", "sync", str(folder), "--corpus", "sync", "--json"]
    environment = without_settings() | {"IBID_HOME": str(home)}
    began, used = time.perf_counter(), processor_s()
    done = subprocess.run(run, env=environment, capture_output=True, check=False)
    cost = Cost(time.perf_counter() - began, processor_s() - used)
    told = json.loads(done.stdout or b"{}")
    counts = {state: told[state] if state == "unchanged" else len(told.get(state, ())) for state in expected}
    if done.returncode or counts != expected:
        raise RuntimeError(f"Expected {expected}, found {counts}: {done.stderr.decode()[-2000:]}")
    return cost


def processor_s() -> float:
    """Return the processor seconds, of all cores together, of ended child processes."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _medians(what: str, costs: list[Cost]) -> dict[str, float]:
    return {
        f"{what}_s": round(median(cost.wall for cost in costs), 2),
        f"{what}_processor_s": round(median(cost.processor for cost in costs), 2),
    }
