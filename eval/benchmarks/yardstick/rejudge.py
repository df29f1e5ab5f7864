"""Score the newest results of what people judge again, with the judgements of now: nothing is asked.

`python -m eval.benchmarks.yardstick.rejudge [NAME ...]`, after judgements were added; rewrites the results.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

from eval.benchmarks.yardstick import own, quarters
from eval.benchmarks.yardstick.judgements import (
    NOT_JUDGED,
    JudgedAnswer,
    Judgements,
    read_judgements,
    tally,
)
from eval.report.tables import newest_path

JUDGED = {"own": own.JUDGED, "sec10q": quarters.JUDGED}


def main() -> None:
    """Score the named results, or all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(JUDGED)}")
    names = parser.parse_args().names or list(JUDGED)
    if unknown := set(names) - set(JUDGED):
        parser.error(f"{', '.join(unknown)} is not judged by reading; expected of {', '.join(JUDGED)}")
    for name in names:
        try:
            path = newest_path(name)
        except FileNotFoundError as missing:
            parser.error(str(missing))
        results = json.loads(path.read_text(encoding="utf-8"))
        results["figures"] = scored(results["figures"], read_judgements(JUDGED[name]))
        path.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        print(f"{name}: {results['figures']['share right']} right -> {path.name}")


def scored(figures: dict[str, Any], judgements: Judgements) -> dict[str, Any]:
    """Return figures with the outcomes that a person gives the answers by now."""
    answers = [JudgedAnswer.read(row).judged_again(judgements) for row in figures["answers"]]
    fresh = tally(answers, next(iter(figures["certainties"])))
    # In the order of the figures, without what is not counted any more.
    kept = {name: fresh.get(name, value) for name, value in figures.items() if name != NOT_JUDGED}
    return kept | fresh


if __name__ == "__main__":
    main()
