"""A chart of any Office program as a table: a row for each category, a column for each series."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ingest.formats.grid import Cell, write_table
from ingest.formats.office.number_format import GENERAL, displayed
from ingest.formats.office.package import attribute, qn, short, whole_number

_MOST_POINTS = 20_000
_MOST_SERIES = 256
_LEVELS = " › "
_VALUES = ("c:val", "c:yVal", "c:bubbleSize")


@dataclass(slots=True)
class ChartSeries:
    """A chart's series: its name, and texts by the number of the point."""

    name: str
    categories: dict[int, str] = field(default_factory=dict)
    values: dict[int, str] = field(default_factory=dict)


def write_chart(root: Any) -> str:
    """Write a chart part (c:chartSpace or cx:chartSpace) as a caption and a table; the caption alone if it has no data.

    Values are written as their number format shows them.
    """
    extended = short(root.tag) == "cx:chartSpace"
    series = list(_extended_series(root) if extended else _series(root))[:_MOST_SERIES]
    axes = [] if extended else list(_axis_titles(root))
    caption = chart_title(root)
    if len(axes) > 1:
        caption = f"{caption} ({'; '.join(axes[1:])})" if caption else "; ".join(axes[1:])
    points = sorted({point for one in series for point in (*one.categories, *one.values)})[:_MOST_POINTS]
    labels = {point: label for one in reversed(series) for point, label in one.categories.items()}
    head = [Cell(axes[0] if axes else "", heads=True), *(Cell(one.name, heads=True) for one in series)]
    rows = [
        [Cell(labels.get(point, "")), *(Cell(one.values.get(point, "")) for one in series)]
        for point in points
    ]
    table = write_table([head, *rows], caption=caption, header_rows=1) if rows else caption
    notes = "\n".join(_texts_on_points(root))
    return "\n\n".join(filter(None, [table, notes]))


def chart_title(root: Any) -> str:
    """Return the title of a chart; "" if it has none."""
    for tag in ("c:chart/c:title", "cx:chart/cx:title"):
        found = root.find("/".join(map(qn, tag.split("/"))))
        if found is not None:
            return _text(found)
    return ""


def series_names(root: Any) -> list[str]:
    """Return the names of a chart's series."""
    return [one.name for one in _series(root) if one.name]


def _series(root: Any) -> Iterator[ChartSeries]:
    for number, element in enumerate(root.iter(qn("c:ser")), start=1):
        name = _text(element.find(qn("c:tx")))
        categories = _points(
            next((c for c in map(element.find, (qn("c:cat"), qn("c:xVal"))) if c is not None), None)
        )
        for tag in _VALUES:
            found = element.find(qn(tag))
            if found is not None:
                shown = name or f"Series {number}"
                yield ChartSeries(
                    f"{shown} (size)" if tag == "c:bubbleSize" else shown, categories, _points(found)
                )


def _points(element: Any) -> dict[int, str]:
    """Return the cached texts of a reference or literal; categories of several levels are joined from the outermost."""
    if element is None:
        return {}
    levels = list(element.iter(qn("c:lvl")))
    if levels:
        inner, *outer = (_cached(level) for level in levels)
        return {
            at: _LEVELS.join([*(_before(level, at) for level in reversed(outer)), label])
            for at, label in inner.items()
        }
    for cache in ("c:numCache", "c:strCache", "c:numLit", "c:strLit"):
        found = next(element.iter(qn(cache)), None)
        if found is not None:
            return _cached(found)
    return {}


def _cached(cache: Any) -> dict[int, str]:
    code = cache.findtext(qn("c:formatCode")) or GENERAL
    points = {}
    for point in cache.findall(qn("c:pt"))[:_MOST_POINTS]:
        text = point.findtext(qn("c:v")) or ""
        points[whole_number(point.get("idx"))] = _value(text, point.get("formatCode") or code)
    return points


def _value(text: str, code: str) -> str:
    try:
        return displayed(float(text), code) if code != GENERAL or "E" in text or "." in text else text
    except (ValueError, OverflowError):
        return text


def _before(level: dict[int, str], at: int) -> str:
    """Return the outer category that holds a point: the last one that begins at it or before it."""
    begun = [start for start in level if start <= at]
    return level[max(begun)] if begun else ""


def _axis_titles(root: Any) -> Iterator[str]:
    """Yield the title of the category axis, "" if it has none, then those of the other axes."""
    titles: dict[bool, list[str]] = {True: [], False: []}
    for axis in root.iter(qn("c:catAx"), qn("c:dateAx"), qn("c:valAx"), qn("c:serAx")):
        text = _text(axis.find(qn("c:title")))
        if text:
            below = attribute(axis, "c:axPos", "val") in ("b", "t")
            is_category = short(axis.tag) in ("c:catAx", "c:dateAx") or (
                short(axis.tag) == "c:valAx" and below
            )
            titles[is_category and not titles[True]].append(text)
    yield titles[True][0] if titles[True] else ""
    yield from titles[False]


def _texts_on_points(root: Any) -> Iterator[str]:
    """Yield the texts that somebody wrote on single points instead of their values."""
    for label in root.iter(qn("c:dLbl")):
        text = _text(label.find(qn("c:tx")))
        if text:
            yield text


def _extended_series(root: Any) -> Iterator[ChartSeries]:
    """Yield the series of the charts that came with Office 2016: waterfall, treemap, funnel."""
    data = {element.get("id"): element for element in root.iter(qn("cx:data"))}
    for number, element in enumerate(root.iter(qn("cx:series")), start=1):
        name = _text(element.find(qn("cx:tx"))) or f"Series {number}"
        held = data.get(attribute(element, "cx:dataId", "val"))
        if held is not None:
            yield ChartSeries(name, _dimension(held, "cx:strDim"), _dimension(held, "cx:numDim"))


def _dimension(data: Any, tag: str) -> dict[int, str]:
    found = data.find(qn(tag))
    levels = [] if found is None else found.findall(qn("cx:lvl"))
    texts: dict[int, str] = {}
    for level in reversed(levels):
        code = level.get("formatCode") or GENERAL
        for point in level.findall(qn("cx:pt"))[:_MOST_POINTS]:
            at, text = whole_number(point.get("idx")), _value(point.text or "", code)
            texts[at] = f"{texts[at]}{_LEVELS}{text}" if at in texts else text
    return texts


def _text(element: Any) -> str:
    """Return a title's text, typed into the chart or cached from a cell."""
    if element is None:
        return ""
    paragraphs = ["".join(run.text or "" for run in one.iter(qn("a:t"))) for one in element.iter(qn("a:p"))]
    if not paragraphs:
        paragraphs = [one.text or "" for one in element.iter(qn("c:v"), qn("cx:v"))]
    return " ".join(" ".join(paragraphs).split())
