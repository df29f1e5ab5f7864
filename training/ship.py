"""Put trained weights into the pack: `python -m training.ship reader judge`.

Takes each job's weights and calibration from the folder of checkpoints and describes them in `rag/pack/pack.json`.
`--figures FILE...` adds results of `python -m eval.bench pack-JOB` to it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

from eval.benchmarks.models.pack import figures
from rag.models.pack import JOBS, PACK_FOLDER, described, pack
from rag.models.prepare import prepared
from rag.models.runtime import Runner, probe
from rag.models.trunk import trunk_sha256
from training import compressor, judge, pairs, reader, reranker
from training.evidence import __main__ as evidence
from training.loop import SEED, Plan, commit

LICENCES = {  # as stated by the sources; NOTICE names the authors
    "squad-train": "CC BY-SA 4.0",
    "squad-dev": "CC BY-SA 4.0",
    "squadshifts-wiki": "CC BY 4.0",
    "squadshifts-amazon": "CC BY 4.0",
    "policyqa-train": "MIT",
    "doc2dial": "CC BY 3.0",
    "fairytaleqa-train": "Apache-2.0",
    "medquad": "CC BY 4.0",
    "selqa-dev": "Apache-2.0",
    "wikipedia-490": "CC BY-SA",
    "snli-subset-train": "CC BY-SA 4.0 / MIT",
    "counterfactual-train": "Apache-2.0",
    "mnli-dev": "OANC and CC",
    "fever-dev": "CC BY-SA 3.0",
    "google-train": "as is",
    "qamr": "MIT",
    "qed-train": "CC BY-SA 3.0",
    "quoref-dev": "CC BY 4.0",
    "drop-spans": "CC BY-SA 4.0",
    "maud": "CC BY 4.0",
    "boolq-train": "CC BY-SA 3.0",
    "condaqa": "Apache-2.0",
    "strategyqa-train": "MIT",
    "nq-paragraphs": "CC BY-SA 3.0",
    "multihop-pieces": "CC BY-SA 4.0; CC BY 4.0",
    "nomiracl-en": "Apache-2.0",
    "hitab-train": "C-UDA 1.0",
    "fetaqa": "CC BY-SA 4.0",
    "sqa-train": "CC BY-SA 4.0",
    "hybridqa-dev": "MIT",
    "wikitablequestions-train": "CC BY-SA 4.0",
    "tatqa": "CC BY 4.0",
    "aitqa": "CDLA-Sharing 1.0",
    "covidqa": "Apache-2.0",
    "duorc-dev": "MIT",
}
PLANS: dict[str, tuple[Plan, tuple[str, ...]]] = {  # how each job was trained, and on what
    "reranker": (reranker.PLAN, reranker.DATA),
    "evidence": (evidence.PLAN, evidence.DATA),
    "reader": (reader.PLAN, reader.DATA),
    "compressor": (compressor.PLAN, ("google-train", *compressor.ASKED)),
    "judge": (judge.PLAN, ("fever-dev", *judge.SENTENCE_PAIRS, *pairs.READING)),
}


def main() -> None:
    """Ship the named jobs."""
    parser = argparse.ArgumentParser(prog="python -m training.ship")
    parser.add_argument("jobs", nargs="*", help=f"of {', '.join(JOBS)}")
    parser.add_argument(
        "--figures", nargs="*", default=(), type=Path, help="results of `python -m eval.bench pack-JOB`"
    )
    parser.add_argument("--folder", type=Path, default=reader.PLAN.folder)
    given = parser.parse_args()
    at = commit()  # before the new pack changes the tree
    for job in given.jobs:
        ship(job, given.folder, at)
    for path in given.figures:
        found = json.loads(path.read_text(encoding="utf-8"))["figures"]
        part = path.name.split("-")[1]  # pack-reader-COMMIT.json, or all of them: pack-COMMIT.json
        for job, headlines in figures({part: found} if part in JOBS else found).items():
            _write(job, {**described(job), "figures": headlines})


def ship(job: str, folder: Path, at: str) -> None:
    """Copy a job's weights into the pack and describe them, as shipped from a commit."""
    source, target = folder / f"{job}.safetensors", PACK_FOLDER / f"{job}.safetensors"
    shutil.copyfile(source, target)
    fitted = folder / f"{job}.json"  # steps and calibration
    plan, data = PLANS[job]
    entry: dict[str, Any] = {
        "sha256": hashlib.sha256(target.read_bytes()).hexdigest(),
        "data": {name: LICENCES[name] for name in data},
        "seed": SEED,
        "epochs": plan.epochs,
        "rate": plan.rate,
        "batch": plan.batch,
        "commit": at,
        **json.loads(fitted.read_text(encoding="utf-8")),
    }
    _write(job, entry)
    _write(job, {**entry, "probe": probe(Runner(prepared(job), threads=1))})
    print(f"{job}: shipped, prepared as {prepared(job)}")


def _write(job: str, entry: dict[str, Any]) -> None:
    path = PACK_FOLDER / "pack.json"
    whole = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"models": {}}
    whole["trunk_sha256"] = trunk_sha256()
    whole["models"][job] = entry
    whole["models"] = {name: whole["models"][name] for name in JOBS if name in whole["models"]}
    path.write_text(json.dumps(whole, indent=1, sort_keys=False) + "\n", encoding="utf-8")
    pack.cache_clear()


if __name__ == "__main__":
    main()
