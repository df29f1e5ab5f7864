"""The tables of whether answers are of use to people, from the figures of their measurements."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eval.report.markdown import markdown_table

# What results keep of each question, for other measurements and for reading.
OF_EACH_QUESTION = frozenset({"certainties", "answers"})
Figures = Mapping[str, Any]


def parts_table(figures: Figures) -> str:
    """Return one table of figures that are grouped by part, groups within groups included; lists are left out."""
    rows: list[tuple[str, str, object]] = []
    for part, found in figures.items():
        if part in OF_EACH_QUESTION or not isinstance(found, Mapping):
            continue
        for name, value in found.items():
            if not isinstance(value, Mapping):
                rows.append((part, name, value))
                continue
            whole = all(isinstance(count, int) for count in value.values())
            inner = (
                [("", counts_cell(value))] if whole else [(f": {key}", cell) for key, cell in value.items()]
            )
            rows += [(part, name + key, cell) for key, cell in inner]
    return markdown_table(("part", "measure", "figure"), rows)


def columns_table(figures: Figures) -> str:
    """Return a table with a column for each group of figures."""
    groups = {name: found for name, found in figures.items() if _is_group(name, found)}
    names = dict.fromkeys(name for found in groups.values() for name in found)
    rows = [(name, *(found.get(name, "") for found in groups.values())) for name in names]
    return markdown_table(("", *groups), rows)


def rows_table(figures: Figures, what: str) -> str:
    """Return a table with a row for each group of figures.

    Args:
        what: the groups are, in the singular.
    """
    groups = {name: found for name, found in figures.items() if _is_group(name, found)}
    names = dict.fromkeys(name for found in groups.values() for name in found)
    rows = [(group, *(found.get(name, "") for name in names)) for group, found in groups.items()]
    return markdown_table((what, *names), rows)


def calibration_table(figures: Figures) -> str:
    """Return the table of calibration and the picture below it."""
    plot = f"![The share wrong over the share answered](../eval/results/{figures['plot']})"
    return f"{rows_table(figures['sets'], 'set')}\n{plot}\n"


def counts_cell(counts: Mapping[str, int]) -> str:
    """Return counts as one cell: "place 12, year 4"."""
    return ", ".join(f"{name} {count}" for name, count in counts.items()) or "none"


def _is_group(name: str, found: object) -> bool:
    return name not in OF_EACH_QUESTION and isinstance(found, Mapping)
