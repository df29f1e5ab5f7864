"""A real server in its own process, on a free port of this machine, for benchmarks and demonstrations."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

# A large corpus without a snapshot is indexed first.
READY_S = 300
STOP_S = 60


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: a client for it, its process, and its time to readiness."""

    client: httpx.Client
    process: subprocess.Popen[bytes]
    ready_s: float

    def resident_mb(self) -> int:
        """Return the resident memory of the process, in MB (Linux)."""
        return memory_mb(self.process.pid, "VmRSS")


@contextmanager
def running_server(home: Path, port: int = 0, **settings: str) -> Iterator[Server]:
    """Run `ibid serve` over a data folder until the block ends; its log is `server.log` in that folder.

    Args:
        port: 0 picks a free one.
        settings: settings that differ from the defaults, such as `compressor="none"`.

    Raises:
        RuntimeError: if it is not ready in time; the message ends with its log.
    """
    port = port or free_port()
    log = home / "server.log"
    began = time.perf_counter()
    process = start_server(home, port, **settings)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120) as client:
            while not _is_ready(client):
                if process.poll() is not None or time.perf_counter() - began > READY_S:
                    raise RuntimeError(f"The server did not become ready:\n{log.read_text()[-4000:]}")
                time.sleep(0.05)
            yield Server(client, process, time.perf_counter() - began)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=STOP_S)


def start_server(home: Path, port: int, **settings: str) -> subprocess.Popen[bytes]:
    """Start `ibid serve` over a data folder and return at once; its log is `server.log` in that folder."""
    given = {"HOME": str(home), "PORT": str(port)} | {name.upper(): value for name, value in settings.items()}
    with (home / "server.log").open("ab") as written:
        return subprocess.Popen(
            [sys.executable, "-m", "api.cli", "serve"],
            env=without_settings() | {f"IBID_{name}": value for name, value in given.items()},
            stdout=written,
            stderr=written,
        )


def memory_mb(process: int, which: str) -> int:
    """Return an entry of a process's status in MB, such as VmHWM, its peak memory; 0 once it has ended (Linux)."""
    status = Path(f"/proc/{process}/status").read_text()
    found = re.search(rf"^{which}:\s+(\d+) kB", status, re.MULTILINE)
    return int(found[1]) // 1000 if found else 0


def free_port() -> int:
    """Return a port of this machine that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def without_settings() -> dict[str, str]:
    """Return the environment without the caller's IBID_* and ban on bytecode: benchmarks run at the defaults."""
    ours = {key: value for key, value in os.environ.items() if not key.startswith("IBID_")}
    ours.pop("PYTHONDONTWRITEBYTECODE", None)
    return ours


def _is_ready(client: httpx.Client) -> bool:
    try:
        return client.get("/ready").status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
