"""Plots of a report, as SVG that scales with the page: no pixels, no scripts, nothing loaded from elsewhere."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK, MAIN, OTHER = "#1f2933", "#2563a6", "#c9d4e0"


def bars(rows: Mapping[str, float], before: Mapping[str, float] | None = None, *, unit: str = "") -> str:
    """Draw a horizontal bar for each row, in order, with the baseline's bar pale behind it."""
    figure = Figure(figsize=(6.4, 0.34 * len(rows) + 0.7), layout="constrained")
    axes = figure.add_subplot()
    places = np.arange(len(rows))[::-1]
    if before:
        axes.barh(places, [before.get(name, np.nan) for name in rows], 0.82, color=OTHER, label="baseline")
    axes.barh(places, list(rows.values()), 0.5, color=MAIN, label="now")
    axes.set_yticks(places, list(rows))
    for place, value in zip(places, rows.values(), strict=True):
        axes.annotate(f" {value:.3g}{unit}", (max(value, 0), place), va="center", fontsize=8, color=INK)
    axes.margins(x=0.12)
    if before:
        axes.legend(fontsize=8, frameon=False)
    return _svg(figure, axes)


def differences(rows: Sequence[tuple[str, float, float, float]]) -> str:
    """Draw the cost or gain of each change: (name, mean difference, low, high) with its interval."""
    figure = Figure(figsize=(6.4, 0.34 * len(rows) + 0.7), layout="constrained")
    axes = figure.add_subplot()
    places = np.arange(len(rows))[::-1]
    values = np.array([[value, value - low, high - value] for _, value, low, high in rows])
    axes.barh(
        places, values[:, 0], 0.55, xerr=np.maximum(values[:, 1:].T, 0), color=MAIN, ecolor=INK, capsize=2
    )
    axes.set_yticks(places, [name for name, *_ in rows])
    axes.axvline(0, color=INK, linewidth=0.8)
    return _svg(figure, axes)


def waterfall(times: Mapping[str, float]) -> str:
    """Draw the stages one after another, each starting where the previous one ends, in milliseconds."""
    figure = Figure(figsize=(6.4, 0.34 * len(times) + 0.7), layout="constrained")
    axes = figure.add_subplot()
    places, starts = np.arange(len(times))[::-1], np.cumsum([0.0, *times.values()])[:-1]
    axes.barh(places, list(times.values()), 0.55, left=starts, color=MAIN)
    axes.set_yticks(places, list(times))
    for place, start, taken in zip(places, starts, times.values(), strict=True):
        axes.annotate(f" {taken:.1f} ms", (start + taken, place), va="center", fontsize=8, color=INK)
    axes.margins(x=0.15)
    return _svg(figure, axes)


def calibration(confidence: Sequence[float], right: Sequence[float], bins: int = 10) -> str:
    """Draw how often answers of each confidence are right; on the diagonal, confidence is calibrated."""
    figure = Figure(figsize=(4.6, 3.6), layout="constrained")
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color=OTHER, linewidth=1)
    said, true = np.array(confidence), np.array(right)
    places = np.minimum((said * bins).astype(int), bins - 1)
    for place in np.unique(places):
        held = places == place
        axes.scatter(said[held].mean(), true[held].mean(), s=12 + 4 * held.sum(), color=MAIN, alpha=0.85)
    axes.set(xlim=(0, 1), ylim=(-0.03, 1.03), xlabel="confidence", ylabel="share right")
    return _svg(figure, axes)


def lines(series: Mapping[str, Mapping[str, float]], ylabel: str) -> str:
    """Draw one line for each series over the same named positions."""
    figure = Figure(figsize=(6.4, 3.2), layout="constrained")
    axes = figure.add_subplot()
    for name, points in series.items():
        axes.plot(list(points), list(points.values()), marker="o", markersize=4, label=name)
    axes.set_ylabel(ylabel)
    axes.legend(fontsize=8, frameon=False)
    return _svg(figure, axes)


def over_time(series: Mapping[str, Sequence[float]], xlabel: str, ylabel: str) -> str:
    """Draw one line for each series, its values at 1, 2, 3 and so on."""
    figure = Figure(figsize=(6.4, 3.2), layout="constrained")
    axes = figure.add_subplot()
    for name, values in series.items():
        axes.plot(np.arange(1, len(values) + 1), list(values), linewidth=1.2, label=name)
    axes.set(xlabel=xlabel, ylabel=ylabel)
    axes.legend(fontsize=8, frameon=False)
    return _svg(figure, axes)


def risk_over_coverage(curves: Mapping[str, Sequence[float]]) -> str:
    """Draw for each set the share wrong among its surest answers, over the share of questions answered.

    Args:
        curves: of n questions, the risk of the 1, 2, ... n surest.
    """
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.add_subplot()
    for name, risks in curves.items():
        # At most 100 points: a curve of every question is a large file that shows no more.
        kept = np.unique(np.linspace(0, len(risks) - 1, 100).round().astype(int))
        axes.plot((kept + 1) / len(risks), np.array(risks)[kept], linewidth=1.2, label=name)
    axes.set(
        xlim=(0, 1),
        ylim=(0, 1),
        xlabel="share of the questions answered, the surest first",
        ylabel="share wrong",
    )
    axes.legend(fontsize=7, frameon=False)
    return _svg(figure, axes)


def _svg(figure: Figure, axes: Axes) -> str:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.tick_params(labelsize=8)
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    drawn = buffer.getvalue()
    drawn = drawn[drawn.index("<svg") :]
    head, rest = drawn.split(">", 1)
    return re.sub(r' (?:width|height)="[^"]*"', "", head) + ' role="img">' + rest
