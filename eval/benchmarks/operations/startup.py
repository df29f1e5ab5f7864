"""Start-up times: `ibid --help`, one question in a new process, and a server until `/ready`.

Each run is a new process over a corpus of 10,000 chunks whose index snapshot is on disk. Processor seconds (user and
system) say more than elapsed ones if the machine has other work.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from eval.benchmarks.operations.scale import CORPUS, build_corpus
from eval.benchmarks.operations.server import running_server, without_settings

CHUNKS = 10_000
# Chunks really embedded: more of them change no time measured here.
REAL_CHUNKS = 1_000
RUNS = 10
QUESTION = "When did the war end?"

# Elapsed seconds, and processor seconds.
Seconds = tuple[float, float]


def measure() -> dict[str, dict[str, float]]:
    """Return the least and the median seconds of each start, elapsed and of the processors."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        build_corpus(home, CHUNKS, REAL_CHUNKS)
        return measure_over(home)


def measure_over(home: Path, runs: int = RUNS) -> dict[str, dict[str, float]]:
    """Measure over a data folder with the corpus; the first run of each kind is not counted."""
    ways: dict[str, Callable[[], Seconds]] = {
        "help": lambda: _command(home, "--help"),
        "ask": lambda: _command(home, "ask", "--corpus", CORPUS, QUESTION),
        "server": lambda: _server(home),
    }
    return {way: _figures([start() for _ in range(runs + 1)][1:]) for way, start in ways.items()}


def _figures(runs: Sequence[Seconds]) -> dict[str, float]:
    elapsed, processors = zip(*runs, strict=True)
    return {
        "runs": len(runs),
        "least_s": round(min(elapsed), 3),
        "median_s": round(statistics.median(elapsed), 3),
        "least_cpu_s": round(min(processors), 3),
        "median_cpu_s": round(statistics.median(processors), 3),
    }


def _command(home: Path, *arguments: str) -> Seconds:
    began, used = time.perf_counter(), _children_cpu_s()
    run = [sys.executable, "-m", "api.cli", *arguments]
    environment = without_settings() | {"IBID_HOME": str(home)}
    subprocess.run(run, env=environment, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began, _children_cpu_s() - used


def _server(home: Path) -> Seconds:
    with running_server(home) as server:
        return server.ready_s, _cpu_s(server.process.pid)


def _children_cpu_s() -> float:
    """Return the processor seconds of ended child processes."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _cpu_s(process: int) -> float:
    """Return the processor seconds of a process so far (Linux)."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
