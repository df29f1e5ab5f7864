"""Is confidence what it says? Expected calibration error, and the risk of answers over the share that is answered.

Nothing is asked here: the other measurements of this room and the handbook's keep for each question how sure the answer
was that nothing refused, and whether it was right. An answer to a question that nothing answers is never right.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from eval.benchmarks.yardstick.outcomes import Certainty, unpacked
from eval.report import plots
from eval.report.tables import newest
from eval.trial import RESULTS, commit

BINS = 15
# Shares of the questions, the surest first, whose risk is reported.
COVERAGES = (0.25, 0.5, 0.75, 1.0)
SOURCES = ("handbook", "answers", "lookups", "clapnq", "sec10q", "own")


def measure() -> dict[str, Any]:
    """Return the figures of each set, and draw the risk over coverage."""
    sets = dict(_sets())
    plot = f"calibration-{commit()}.svg"
    curves = {name: risk_curve(found) for name, found in sets.items() if any(one.right for one in found)}
    (RESULTS / plot).write_text(plots.risk_over_coverage(curves) + "\n", encoding="utf-8")
    return {"sets": {name: _figures(found) for name, found in sets.items()}, "plot": plot}


def calibration_gap(found: Sequence[Certainty], bins: int = BINS) -> float:
    """Return the expected calibration error over bins of equal mass: mean |confidence - share right|, weighed by size.

    Fewer questions than bins make a bin of each.
    """
    ranked = sorted(found, key=lambda one: one.confidence)
    parts = [part for part in np.array_split(np.arange(len(ranked)), bins) if len(part)]
    said, right = _columns(ranked)
    gaps = [abs(said[part].mean() - right[part].mean()) * len(part) for part in parts]
    return float(sum(gaps) / max(1, len(ranked)))


def risk_curve(found: Sequence[Certainty]) -> list[float]:
    """Return the share of wrong answers among the n surest, for n = 1, 2 and so on."""
    _, right = _columns(sorted(found, key=lambda one: -one.confidence))
    return [float(risk) for risk in np.cumsum(1 - right) / np.arange(1, len(right) + 1)]


def _figures(found: Sequence[Certainty]) -> dict[str, Any]:
    risks = risk_curve(found)
    said, right = _columns(found)
    return {
        "questions": len(found),
        "mean confidence": round(float(said.mean()), 3),
        "share right": round(float(right.mean()), 3),
        "calibration error": round(calibration_gap(found), 3),
        **{
            f"risk at {share:.0%}": round(risks[max(1, round(share * len(risks))) - 1], 3)
            for share in COVERAGES
        },
        "area under the risk": round(float(np.mean(risks)), 3),
    }


def _columns(found: Sequence[Certainty]) -> tuple[np.ndarray, np.ndarray]:
    """Return confidence and right as arrays: (n,) float64 each."""
    said = np.array([one.confidence for one in found], np.float64)
    return said, np.array([one.right for one in found], np.float64)


def _sets() -> Iterator[tuple[str, list[Certainty]]]:
    """Yield the sets of the newest results; a measurement without results is left out, with a message."""
    for source in SOURCES:
        try:
            lines: Mapping[str, str] = newest(source)["figures"].get("certainties", {})
        except FileNotFoundError as missing:
            print(f"left out: {re.sub(r'^No ', 'no ', str(missing))}")
            continue
        for name, line in lines.items():
            yield name, unpacked(line)
