"""Reading order of boxes on a page: rows and columns by the widest gap between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# Of a box's size: frames of neighbouring texts may overlap a little.
_OVERLAP = 0.1
_MOST_BOXES = 400


@dataclass(frozen=True, slots=True)
class Frame:
    """A rectangle, in any unit, from the top left."""

    left: float
    top: float
    width: float
    height: float


def reading_order(boxes: Sequence[Frame]) -> list[int]:
    """Return the boxes' indices in the order in which a person reads them.

    The page is cut at the widest gap that runs through all of it, first above then below, or left then right, and its
    parts in turn. Boxes that no gap parts are read from top to bottom, then left to right.
    """
    everything = list(range(len(boxes)))
    if len(boxes) > _MOST_BOXES:
        return sorted(everything, key=lambda at: (boxes[at].top, boxes[at].left))
    return _ordered(everything, boxes)


def _ordered(members: list[int], boxes: Sequence[Frame]) -> list[int]:
    if len(members) < 2:
        return members
    rows = _widest_gap([_extent(boxes[at].top, boxes[at].height) for at in members])
    columns = _widest_gap([_extent(boxes[at].left, boxes[at].width) for at in members])
    if rows is None and columns is None:
        return sorted(members, key=lambda at: (boxes[at].top, boxes[at].left))
    if columns is None or (rows is not None and rows[0] >= columns[0]):
        first = [at for at in members if rows and _middle(boxes[at].top, boxes[at].height) < rows[1]]
    else:
        first = [at for at in members if _middle(boxes[at].left, boxes[at].width) < columns[1]]
    rest = [at for at in members if at not in first]
    return [*_ordered(first, boxes), *_ordered(rest, boxes)]


def _extent(start: float, length: float) -> tuple[float, float]:
    return start + length * _OVERLAP, start + length * (1 - _OVERLAP)


def _middle(start: float, length: float) -> float:
    return start + length / 2


def _widest_gap(extents: list[tuple[float, float]]) -> tuple[float, float] | None:
    """Return the size and middle of the widest gap between extents; None if there is none."""
    ordered = sorted(extents)
    end = ordered[0][1]
    found: tuple[float, float] | None = None
    for start, stop in ordered[1:]:
        if start > end and (found is None or start - end > found[0]):
            found = start - end, (start + end) / 2
        end = max(end, stop)
    return found
