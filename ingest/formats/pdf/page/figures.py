"""Labels within drawn figures, kept apart from prose."""

from __future__ import annotations

from collections.abc import Sequence

from ingest.formats.pdf.page.drawings import Drawings
from ingest.formats.pdf.page.lines import Line, make_line
from ingest.formats.pdf.page.words import Box

_FEWEST_CURVES = 6
_MOST_CURVES = 3_000
_NEAR = 14.0  # points between parts of one figure
_SMALLEST, _LARGEST = 900.0, 0.7  # square points; share of the page
_LONGEST_LABEL = 8  # words
_MOST_PROSE = 0.5


def take_figures(lines: Sequence[Line], drawings: Drawings, page_area: float) -> list[Line]:
    """Return the lines of a page, the labels of each figure replaced by one line that holds them all."""
    rest = list(lines)
    for box in _figures(drawings, page_area):
        inside = [line for line in rest if _holds(box, line)]
        if not inside or not _are_labels(inside):
            continue
        taken = set(map(id, inside))
        rest = [line for line in rest if id(line) not in taken]
        inside.sort(key=lambda line: (round(line.base / 6), line.x0))
        label = make_line([word for line in inside for word in line.words])
        label.figure = True
        rest.append(label)
    return rest


def _figures(drawings: Drawings, page_area: float) -> list[Box]:
    """Return the boxes of groups of curves."""
    curves = drawings.curves[:_MOST_CURVES]
    if len(curves) < _FEWEST_CURVES:
        return []
    groups: list[tuple[Box, int]] = []
    for curve in sorted(curves):
        box, count = curve, 1
        merged = True
        while merged:
            merged = False
            for at, (other, its_count) in enumerate(groups):
                if _are_near(box, other):
                    box, count = _union(box, other), count + its_count
                    del groups[at]
                    merged = True
                    break
        groups.append((box, count))
    return [
        (x0 - _NEAR, y0 - _NEAR, x1 + _NEAR, y1 + _NEAR)
        for (x0, y0, x1, y1), count in groups
        if count >= _FEWEST_CURVES and _SMALLEST <= (x1 - x0) * (y1 - y0) <= _LARGEST * page_area
    ]


def _are_near(one: Box, other: Box) -> bool:
    return (
        one[0] - _NEAR <= other[2]
        and other[0] - _NEAR <= one[2]
        and one[1] - _NEAR <= other[3]
        and other[1] - _NEAR <= one[3]
    )


def _union(one: Box, other: Box) -> Box:
    return min(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3])


def _holds(box: Box, line: Line) -> bool:
    x, y = (line.x0 + line.x1) / 2, (line.y0 + line.y1) / 2
    return (
        box[0] <= x <= box[2] and box[1] <= y <= box[3] and line.x0 >= box[0] - 20 and line.x1 <= box[2] + 20
    )


def _are_labels(lines: Sequence[Line]) -> bool:
    prose = sum(len(line.words) > _LONGEST_LABEL for line in lines)
    return prose <= _MOST_PROSE * len(lines) and (prose < 3 or prose * 4 < len(lines))
