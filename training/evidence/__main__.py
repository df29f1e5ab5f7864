"""Train the evidence model: `make train JOB=evidence`, half an hour on two cores, after `training.evidence.mined`.

It starts from the packaged reranker, which ranks texts it has not seen better than the bare trunk. The encoder learns
but its embeddings and lowest layers. `nq-train`, `squad-dev`, `clapnq-dev`, `covidqa`, `duorc-dev`, `bioasq` and
`emanual` are held out as sets, and of the tables a fifth (tables.py). `export.py` makes the pack's file of the
checkpoint.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Sequence

from training.evidence.losses import evidence_loss
from training.evidence.mined import mined_cases
from training.evidence.network import fresh_network
from training.evidence.records import record_cases
from training.evidence.sources import SourcedCase, read_sources
from training.evidence.tables import table_sources
from training.evidence.vary import Varied
from training.evidence.windows import WindowGroup, encode
from training.loop import Plan, options, train

PLAN = Plan("evidence", epochs=1, batch=56, rate=1e-4, head_rate=5e-4)
SHARES = {  # cases of each set in an epoch
    "squad-train": 4_500,
    "squadshifts-wiki": 2_500,
    "squadshifts-amazon": 1_200,
    "policyqa-train": 1_200,
    "fairytaleqa-train": 900,
    "doc2dial": 500,
    "qamr": 1_500,
    "qed-train": 3_500,
    "quoref-dev": 900,
    "drop-spans": 900,
    "maud": 300,
    "boolq-train": 1_500,
    "condaqa": 900,
    "strategyqa-train": 300,
    "nq-paragraphs": 900,
    "medquad": 500,
    "selqa-dev": 400,
    "multihop-pieces": 200,
    "nomiracl-en": 350,
    "hitab-train": 900,
    "fetaqa": 700,
    "sqa-train": 700,
    "hybridqa-dev": 500,
    "wikitablequestions-train": 700,
    "tatqa": 500,
    "aitqa": 300,
}
# From the last, names for made documents.
DATA = (*SHARES, "wikipedia-490")
# Cases over made documents in an epoch.
RECORDS = 2_400


def main() -> None:
    """Train."""
    plan = options("evidence", PLAN)
    train(fresh_network(), plan, drawing(), evidence_loss, rows=lambda group: len(group.windows))


def drawing() -> Callable[[int], Sequence[WindowGroup]]:
    """Read the sets; return what draws the groups of an epoch by its number."""
    sources = [*read_sources(), *table_sources()]
    varied, mined = Varied(sources), mined_cases()
    by_set: dict[str, list[SourcedCase]] = defaultdict(list)
    for source in sources:
        by_set[source.set].append(source)

    def draw(epoch: int) -> list[WindowGroup]:
        rng = random.Random(f"evidence {epoch}")
        drawn = [
            source
            for name, count in SHARES.items()
            for source in rng.sample(by_set[name], min(count, len(by_set[name])))
        ]
        cases = [
            *mined,
            *(varied.vary(source, rng) for source in drawn),
            *record_cases(rng, RECORDS),
        ]
        return [group for group in (encode(case, rng) for case in cases) if group.windows]

    return draw


if __name__ == "__main__":
    main()
