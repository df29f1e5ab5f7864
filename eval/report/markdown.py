"""Figures as Markdown tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

# Measures that an ablation's table shows.
ABLATION_MEASURES = ("context R@10", "context span IoU", "gold cited", "right", "refused")
# Significance level of a marked difference, before it is divided by the number of variants.
MARKED_BELOW = 0.05


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table; only what would break it is escaped."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(map(_in_cell, line))} |\n" for line in lines)


def ablation_markdown(rows: Sequence[Mapping[str, Any]], shown: Sequence[str] = ABLATION_MEASURES) -> str:
    """Return a table: the means of the first variant and the changes of each other one; * if p < 0.05.

    p is multiplied by the number of variants (Bonferroni).

    Args:
        rows: the result of `ablation_json`.
    """
    names = [name for name in shown if name in rows[0]["means"]]
    cells = [[difference_cell(row, name, len(rows) - 1) for name in names] for row in rows]
    times = [[f"{row[f'ms {share}']:.0f}" for share in ("p50", "p95")] for row in rows]
    listed = [(row["question path"], *c, *t) for row, c, t in zip(rows, cells, times, strict=True)]
    return markdown_table(("question path", *names, "ms p50", "ms p95"), listed)


def difference_cell(row: Mapping[str, Any], name: str, variants_tried: int) -> str:
    """Return the first variant's mean, or another's change with its interval and * if p < 0.05; "" without a value."""
    if not row["settings"]:
        return f"{row['means'][name]:.3f}" if name in row["means"] else ""
    if name not in row["differences"]:
        return ""
    found = row["differences"][name]
    star = "*" if found["p"] * variants_tried < MARKED_BELOW else ""
    return f"{found['mean']:+.3f}{star} ({found['low']:+.3f} to {found['high']:+.3f})"


def _in_cell(value: object) -> str:
    return re.sub(r"[\r\n]+", " ", str(value).replace("|", "/"))
