"""Measure quality and speed: `python -m eval.bench [NAME ...]`; without a name, everything.

Each measurement writes `eval/results/<name>-<commit>.json`; `python -m eval.report.tables` fills the tables of `docs/`
from the newest ones. A measurement whose public data is missing is skipped with a message.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.benchmarks.answers import (
    ablation,
    conflicts,
    documents,
    faithfulness,
    faults,
    first_token,
    handbook,
    injection,
    rows,
    shorter_evidence,
)
from eval.benchmarks.conversation import memory, multiturn, recall, rewriting, standing
from eval.benchmarks.filings import joins, speed, tables
from eval.benchmarks.models import pack
from eval.benchmarks.operations import crash, ingest_load, ingest_rate, restore, scale, startup, stop, sync
from eval.benchmarks.retrieval import chroma, lexical, nfcorpus, peers, siblings
from eval.benchmarks.yardstick import certainty, grounded, languages, lookups, natural, own, quarters
from eval.datasets import available
from eval.trial import processor, save_results


@dataclass(frozen=True, slots=True)
class Measurement:
    """Something to measure, and the public data that it needs (a path below shared/data, or none)."""

    run: Callable[..., Any]
    needs: str | None
    part: bool = False  # part of another one, or very long: measured only if named


MEASUREMENTS: Mapping[str, Measurement] = {
    "handbook": Measurement(handbook.measure, None),
    "first-token": Measurement(first_token.measure, None),
    "shorter-evidence": Measurement(shorter_evidence.measure, None),
    "gate": Measurement(faults.measure, None),
    "ablation": Measurement(ablation.measure, None),
    "documents": Measurement(documents.measure, "../cases/docs"),
    "rows": Measurement(rows.measure, None),
    "pdf-tables": Measurement(tables.measure, "endtoend/sec-10q"),
    "pdf-joins": Measurement(joins.measure, "endtoend/sec-10q"),
    "pdf-speed": Measurement(speed.measure, "endtoend/sec-10q"),
    "faithfulness": Measurement(faithfulness.measure, "entailment"),
    "answers": Measurement(natural.measure, "reading"),
    "lookups": Measurement(lookups.measure, "tables"),
    "clapnq": Measurement(grounded.measure, "generation"),
    "sec10q": Measurement(quarters.measure, "endtoend/sec-10q"),
    "own": Measurement(own.measure, "documents/wikipedia-490.jsonl.gz"),
    "languages": Measurement(languages.measure, None),
    # reads the results of those above
    "calibration": Measurement(certainty.measure, None),
    "chroma": Measurement(chroma.through_the_command_line, "endtoend/chroma"),
    "chroma-stages": Measurement(chroma.by_chunker_and_stage, "endtoend/chroma"),
    "nfcorpus": Measurement(nfcorpus.by_stage, "ranking/nfcorpus"),
    "siblings": Measurement(siblings.measure, None),
    "conflicts": Measurement(conflicts.measure, "endtoend"),
    "peers": Measurement(peers.compare, "endtoend/chroma"),
    "injection": Measurement(injection.measure, "injection"),
    "multiturn": Measurement(multiturn.measure, "conversation"),
    "memory": Measurement(memory.measure, None),
    "recall": Measurement(recall.measure, "conversation"),
    "rewriting": Measurement(rewriting.measure, "conversation"),
    "standing": Measurement(standing.measure, "conversation"),
    "restore": Measurement(restore.measure, None),
    "stop": Measurement(stop.measure, None),
    "crash": Measurement(crash.measure, None, part=True),
    "lexical": Measurement(lexical.measure, "documents/wikipedia-490.jsonl.gz"),
    "scale-10000": Measurement(lambda: scale.measure(10_000), "documents/wikipedia-490.jsonl.gz"),
    "scale-100000": Measurement(lambda: scale.measure(100_000), "documents/wikipedia-490.jsonl.gz"),
    "startup": Measurement(startup.measure, "documents/wikipedia-490.jsonl.gz"),
    "ingest-load": Measurement(ingest_load.measure, "documents/wikipedia-490.jsonl.gz"),
    "ingest-rate": Measurement(ingest_rate.measure, "documents/wikipedia-490.jsonl.gz", part=True),
    "sync": Measurement(sync.measure, "documents/wikipedia-490.jsonl.gz"),
    "pack": Measurement(pack.measure, "reading"),
    **{f"pack-{part}": Measurement(run, "reading", part=True) for part, run in pack.PARTS.items()},
}


def main() -> None:
    """Run the named measurements."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(MEASUREMENTS)}")
    parser.add_argument("--cases", type=Path, help="the folder that `documents` reads")
    given = parser.parse_args()
    names = given.names or [n for n, m in MEASUREMENTS.items() if not m.part]
    if unknown := set(names) - set(MEASUREMENTS):
        parser.error(f"{', '.join(unknown)} is not measured here; expected of {', '.join(MEASUREMENTS)}")
    for name in names:
        measurement = MEASUREMENTS[name]
        own_cases = given.cases is not None and name == "documents"
        if measurement.needs and not own_cases and not available(measurement.needs):
            print(f"{name}: skipped, ../shared/data/{measurement.needs} is not here")
            continue
        began = time.perf_counter()
        try:
            figures = measurement.run(given.cases) if own_cases else measurement.run()
        except peers.NoPeers as error:
            print(f"{name}: skipped, {error}")
            continue
        machine = {"cores": os.cpu_count(), "processor": processor(), "date": time.strftime("%Y-%m-%d")}
        path = save_results(name, {"figures": figures, "machine": machine})
        print(f"{name}: {figures}\n  -> {path.name} in {time.perf_counter() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
