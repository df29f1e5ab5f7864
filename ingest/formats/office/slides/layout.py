"""Where a shape stands; a placeholder that does not say so stands where its layout or master puts it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ingest.formats.office.package import qn, short, whole_number
from ingest.formats.office.slides.order import Frame

_TITLES = frozenset({"title", "ctrTitle"})
_FRAMES = ("p:spPr/a:xfrm", "p:grpSpPr/a:xfrm", "p:xfrm")
_NOWHERE = Frame(0, 0, 0, 0)


def placeholder(shape: Any) -> Any:
    """Return a shape's p:ph; None if it is no placeholder."""
    for child in shape:
        if short(child.tag).startswith("p:nv"):
            return child.find(f"{qn('p:nvPr')}/{qn('p:ph')}")
    return None


def placeholder_kind(shape: Any) -> str:
    """Return what a placeholder is for, "title", "body", "obj"; "" for other shapes."""
    found = placeholder(shape)
    return "" if found is None else str(found.get("type", "obj"))


def is_title(shape: Any) -> bool:
    """Return whether a shape is the title of its slide."""
    return placeholder_kind(shape) in _TITLES


def place_of(shape: Any, above: Sequence[Any]) -> Frame:
    """Return a shape's box in EMU; one that nothing places stands at the top left.

    Args:
        shape: a shape of a slide.
        above: the roots of the slide's layout and master.
    """
    frame = _frame(shape)
    for parent in [one for root in above for one in inherited(shape, root)] if frame is None else []:
        frame = _frame(parent)
        if frame is not None:
            break
    if frame is None:
        return _NOWHERE
    offset, extent = frame.find(qn("a:off")), frame.find(qn("a:ext"))
    if offset is None or extent is None:
        return _NOWHERE
    numbers = (whole_number(offset.get("x")), whole_number(offset.get("y")))
    return Frame(*numbers, whole_number(extent.get("cx")), whole_number(extent.get("cy")))


def inherited(shape: Any, root: Any) -> list[Any]:
    """Return the placeholders of a layout or master that a placeholder takes after, the closest first."""
    own = placeholder(shape)
    if own is None or root is None:
        return []
    kind, index = own.get("type", "obj"), own.get("idx")
    candidates = [one for one in root.iter(qn("p:sp")) if placeholder(one) is not None]
    same_index = [one for one in candidates if index is not None and placeholder(one).get("idx") == index]
    same_kind = [one for one in candidates if _alike(placeholder_kind(one), kind)]
    return [*same_index, *same_kind]


def _alike(one: str, other: str) -> bool:
    both = {one, other}
    return len(both) == 1 or both <= _TITLES or both <= {"obj", "body"}


def _frame(shape: Any) -> Any:
    for path in _FRAMES:
        found = shape.find("/".join(map(qn, path.split("/"))))
        if found is not None:
            return found
    return None
