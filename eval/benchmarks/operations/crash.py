"""Kill a server again and again while clients use it, and count broken promises.

`python -m eval.benchmarks.operations.crash --kills 1000 --seed 1 --tally crash.jsonl`: lives of LIFE kills, each with
its own data folder and seed. A finished life is a line of the tally; the same command continues with the next one. Two
in five kills strike while the server starts or stops (when it writes the snapshots of its indexes), the others at any
moment of its work; during a third of these another process rebuilds the corpus
(`eval/benchmarks/operations/renewing.py`), and is killed too.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eval.benchmarks.operations.promises import CORPUS, Client, wait_for
from eval.benchmarks.operations.server import Server, free_port, running_server, start_server
from rag.store.catalog import Catalog

LIFE = 50  # kills per data folder
CLIENTS = 3
STARTING, STOPPING, WORKING = "while it starts", "while it stops", "while it works"
# The kill comes within this time, drawn uniformly.
MOMENT_S = {STARTING: 2.5, STOPPING: 0.4, WORKING: 2.5}
CHANCES = {STARTING: 25, STOPPING: 15, WORKING: 60}
RENEWING = 1 / 3
# The process takes most of this to start.
RENEWING_S = 4.0
TALLY = Path("crash.jsonl")
KINDS = ("lost", "returned from the dead", "wrong", "refused", "given up")


@dataclass
class Life:
    """What happened to one data folder."""

    seed: int
    kills: Counter[str] = field(default_factory=Counter)  # by moment
    operations: int = 0
    generations: int = 0  # generations begun
    findings: Counter[str] = field(default_factory=Counter)  # by kind
    examples: list[str] = field(default_factory=list)
    seconds: float = 0.0


def live(home: Path, seed: int, kills: int) -> Life:
    """Start, use and kill a server repeatedly; check every promise after each kill."""
    life, chance, began = Life(seed), random.Random(seed), time.perf_counter()
    clients = [Client(number, seed) for number in range(CLIENTS)]
    while life.kills.total() < kills:
        moment = chance.choices(list(CHANCES), list(CHANCES.values()))[0]
        after_s = chance.random() * MOMENT_S[moment]
        if moment == STARTING:
            killed = _kill_at_start(home, after_s)
        else:
            renewal = chance.randrange(1 << 30) if chance.random() < RENEWING else None
            killed = _kill_at_work(home, clients, after_s, stopping=moment == STOPPING, renewal=renewal)
        life.kills[moment] += killed
    with running_server(home, compressor="none") as server:
        _verify(server, clients, everything=True)
    for client in clients:
        life.operations += client.operations
        life.findings += client.findings
        life.examples += client.examples
    life.generations, wrong = _what_is_in(home)
    if wrong:
        life.findings["wrong"] += 1
        life.examples.append(wrong)
    life.seconds = round(time.perf_counter() - began, 1)
    return life


def _kill_at_start(home: Path, after_s: float) -> bool:
    process = start_server(home, free_port(), compressor="none")
    time.sleep(after_s)
    return _kill(process)


def _kill_at_work(
    home: Path, clients: list[Client], after_s: float, *, stopping: bool, renewal: int | None
) -> bool:
    """Verify, let the clients work, and kill the server after some seconds, or that long after telling it to stop.

    Args:
        renewal: seed of a process that rebuilds the corpus meanwhile; None for none.
    """
    with running_server(home, compressor="none") as server, _renewed(home, renewal):
        _verify(server, clients)
        address = str(server.client.base_url)
        threads = [threading.Thread(target=client.work, args=(address,)) for client in clients]
        for thread in threads:
            thread.start()
        if renewal is not None:
            time.sleep(RENEWING_S)
        if stopping:
            time.sleep(MOMENT_S[WORKING] / 2)
            server.process.send_signal(signal.SIGTERM)
        time.sleep(after_s)
        killed = _kill(server.process)
        for thread in threads:
            thread.join()
    return killed


@contextmanager
def _renewed(home: Path, seed: int | None) -> Iterator[None]:
    """Let another process rebuild the corpus until the block ends, then kill it."""
    if seed is None:
        yield
        return
    command = [sys.executable, "-m", "eval.benchmarks.operations.renewing", str(home), CORPUS, str(seed)]
    with (home / "renewing.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield
    finally:
        if not _kill(process):
            raise RuntimeError(f"The renewal ended by itself:\n{(home / 'renewing.log').read_text()[-4000:]}")


def _kill(process: subprocess.Popen[bytes]) -> bool:
    """Kill a process at once; return whether it was still running."""
    ran = process.poll() is None
    process.kill()
    process.wait()
    return ran


def _verify(server: Server, clients: list[Client], *, everything: bool = False) -> None:
    for job in server.client.get("/v1/jobs?limit=1000").json()["jobs"]:
        if not job["finished"]:
            wait_for(server.client, job["id"])
    for client in clients:
        client.verify(server.client, everything=everything)


def _what_is_in(home: Path) -> tuple[int, str]:
    """Check a data folder while no server has it open.

    Returns: The number of generations begun, and what is wrong, or "".
    """
    with closing(Catalog(home)) as catalog:
        damage, begun = catalog.database.damage(), catalog.generations.begun()
        corpora = [info.name for info in catalog.corpora.infos()]
        named = {info.sha256 for corpus in corpora for info in catalog.documents.infos(corpus)}
        serving = [catalog.generations.serving(corpus) for corpus in corpora]
        lacking = sum(catalog.generations.extent(one).missing for one in serving)
    kept = {path.name for path in (home / "originals").iterdir()}
    if not damage and kept == named and not lacking:
        return begun, ""
    return begun, (
        f"SQLite says {damage or 'ok'}; {len(named)} originals are named and {len(kept)} kept; "
        f"what serves lacks {lacking}"
    )


def measure(kills: int = 1000, seed: int = 1, tally: Path = TALLY) -> dict[str, Any]:
    """Continue the lives of a tally up to a number of kills; return the totals."""
    lives = _read(tally)
    while (left := kills - sum(life.kills.total() for life in lives)) > 0:
        with tempfile.TemporaryDirectory() as home:
            life = live(Path(home), seed + len(lives), min(left, LIFE))
        lives.append(life)
        with tally.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(vars(life)) + "\n")
        print(
            f"{sum(life.kills.total() for life in lives)} kills", _summary(lives), file=sys.stderr, flush=True
        )
    return _summary(lives)


def _read(tally: Path) -> list[Life]:
    if not tally.exists():
        return []
    entries = map(json.loads, tally.read_text(encoding="utf-8").splitlines())
    return [Life(**{**e, "kills": Counter(e["kills"]), "findings": Counter(e["findings"])}) for e in entries]


def _summary(lives: list[Life]) -> dict[str, Any]:
    kills = sum((life.kills for life in lives), Counter[str]())
    findings = sum((life.findings for life in lives), Counter[str]())
    return {
        "kills": kills.total(),
        **{f"of them {moment}": kills[moment] for moment in CHANCES},
        "operations": sum(life.operations for life in lives),
        "generations": sum(life.generations for life in lives),
        **{kind: findings[kind] for kind in KINDS},
        "minutes": round(sum(life.seconds for life in lives) / 60, 1),
        "examples": [example for life in lives for example in life.examples][:20],
    }


def main() -> None:
    """Run from the command line; exit code 1 if anything was not kept."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tally", type=Path, default=TALLY)
    given = parser.parse_args()
    figures = measure(given.kills, given.seed, given.tally)
    print(json.dumps(figures, indent=1))
    if any(figures[kind] for kind in KINDS[:-1]):
        sys.exit(1)


if __name__ == "__main__":
    main()
