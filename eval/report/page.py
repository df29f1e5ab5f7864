"""One self-contained HTML page about a run: what was measured, how it compares, and the worst questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from eval.gate import Gate, paired
from eval.measures import CUTS
from eval.metrics import percentile
from eval.report import plots
from eval.report.render import VERDICT_HEADER, run_rows, token_rows, verdict_rows, warnings
from eval.run import QuestionOutcome, Run, confidence_and_truth, means, overall

WORST = 12
STAGE_MEASURES = ("R@10", "nDCG@10", "span recall", "span IoU")
ANSWER_MEASURES = (
    "answered", "right", "F1", "exact match", "gold cited", "citations in gold", "answer in prompt", "refused",
    "citations support", "faithfulness", "answer relevancy", "context precision", "context recall",
)  # fmt: skip
ABLATED = ("context R@10", "context span IoU", "right", "gold cited", "refused")
_LEFT_OUT = ("total",)


def run_page(
    run: Run, before: Run | None = None, gate: Gate | None = None, ablation: Mapping[str, Any] | None = None
) -> str:
    """Return the page.

    Args:
        before: the baseline, drawn behind the run.
        gate: the gate's result.
        ablation: the output of `ibid eval ablate`.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined
    )
    now, then = means(run), _means_before(before, run) if before else None
    answers = {name: now[name] for name in ANSWER_MEASURES if name in now}
    return environment.get_template("page.html").render(
        run=run,
        before=before,
        gate=gate,
        header=VERDICT_HEADER,
        verdicts=verdict_rows(gate) if gate else [],
        warnings=warnings(gate) if gate else [],
        stages=[(name, _stage_plot(name, now, then)) for name in STAGE_MEASURES],
        answers=plots.bars(answers, then),
        calibration=_calibration(run),
        waterfall=plots.waterfall(stage_medians(run)),
        tokens=token_rows(run),
        ablation=_ablation(ablation["variants"]) if ablation else [],
        positions=_lines(ablation["positions"]) if ablation else "",
        orders=ablation["orders"] if ablation else {},
        overall=overall(run),
        rows=run_rows(run),
        worst=worst(run)[:WORST],
        more=max(0, len(worst(run)) - WORST),
    )


def _means_before(before: Run, run: Run) -> dict[str, float]:
    """Return the baseline's means over the questions that the run also asked."""
    return means(replace(before, outcomes=tuple(old for old, _ in paired(before, run))))


def stage_medians(run: Run) -> dict[str, float]:
    """Return the median time of each stage, in milliseconds, in the order of the stages."""
    taken: dict[str, list[float]] = {}
    for outcome in run.outcomes:
        for stage, time in outcome.timings_ms.items():
            if stage not in _LEFT_OUT:
                taken.setdefault(stage, []).append(time)
    return {stage: percentile(times, 0.5) for stage, times in taken.items()}


def worst(run: Run) -> Sequence[tuple[str, QuestionOutcome]]:
    """Return the worst questions, each with what went wrong, wrong answers before refusals."""
    complaints = [(_complaint(outcome), outcome) for outcome in run.outcomes]
    found = [(rank, what, outcome) for (rank, what), outcome in complaints if what]
    return [(what, outcome) for _, what, outcome in sorted(found, key=lambda one: one[0])]


def _complaint(outcome: QuestionOutcome) -> tuple[int, str]:
    values = outcome.values
    if not outcome.answerable:
        return (0, "answered, but unanswerable") if outcome.answered else (9, "")
    if outcome.answered and values.get("right", values.get("gold cited")) == 0:
        found = values.get("context R@10") == 1
        return (
            (1, "answered wrongly from the right evidence") if found else (2, "answered from other evidence")
        )
    if not outcome.answered:
        found = values.get("context R@10") == 1
        return (
            (3, "refused with the evidence at hand") if found else (4, "refused; its evidence was not found")
        )
    return 9, ""


def _stage_plot(measure: str, now: dict[str, float], then: dict[str, float] | None) -> str:
    rows = {cut: now[f"{cut} {measure}"] for cut in CUTS if f"{cut} {measure}" in now}
    before = {cut: then[f"{cut} {measure}"] for cut in rows if f"{cut} {measure}" in then} if then else None
    return plots.bars(rows, before) if rows else ""


def _calibration(run: Run) -> str:
    judged = confidence_and_truth(run)
    return plots.calibration([said for said, _ in judged], [right for _, right in judged]) if judged else ""


def _ablation(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Return (measure, plot) of each variant's changes, with intervals."""
    drawn = []
    for name in ABLATED:
        changed = [
            (row["question path"], *(row["differences"][name][key] for key in ("mean", "low", "high")))
            for row in rows
            if name in row["differences"]
        ]
        if changed:
            drawn.append((name, plots.differences(changed)))
    return drawn


def _lines(positions: Mapping[str, Mapping[str, float]]) -> str:
    names = [name for name in ("gold cited", "right") if all(name in values for values in positions.values())]
    series = {name: {place: values[name] for place, values in positions.items()} for name in names}
    return plots.lines(series, "share of answers") if positions else ""
