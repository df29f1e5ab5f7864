"""The nodes of SmartArt as a nested list, in the order in which the diagram shows them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from ingest.formats import markdown
from ingest.formats.office.package import qn, whole_number

_MOST_DEPTH = 20
# Points that are not the user's: transitions between nodes, and how the layout presents them.
_OTHER_POINTS = frozenset({"parTrans", "sibTrans", "pres"})


def write_diagram(root: Any) -> str:
    """Write a diagram's data part (dgm:dataModel) as list items; a text on an arrow follows its node."""
    points = {point.get("modelId"): point for point in root.iter(qn("dgm:pt"))}
    children: dict[str, list[tuple[int, str, str]]] = defaultdict(list)
    for link in root.iter(qn("dgm:cxn")):
        if link.get("type", "parOf") == "parOf":
            place = (whole_number(link.get("srcOrd")), link.get("destId", ""), link.get("sibTransId", ""))
            children[link.get("srcId", "")].append(place)
    tops = [name for name, point in points.items() if point.get("type") == "doc"]
    seen: set[str] = set()
    items = [item for top in tops for item in _items(top, 0, points, children, seen)]
    # A damaged tree: what it does not reach is still text
    for name, point in points.items():
        if name not in seen and point.get("type") not in _OTHER_POINTS:
            items.append(markdown.list_item(_text(point)) if _text(point) else "")
    return markdown.join_blocks(items)


def _items(
    name: str,
    depth: int,
    points: dict[str, Any],
    children: dict[str, list[tuple[int, str, str]]],
    seen: set[str],
) -> Iterator[str]:
    seen.add(name)
    for _, child, arrow in sorted(children[name]):
        if child in seen or child not in points or depth > _MOST_DEPTH:
            continue
        text = _text(points[child])
        if text:
            yield markdown.list_item(text, depth)
        yield from _items(child, depth + 1 if text else depth, points, children, seen)
        if arrow in points and _text(points[arrow]):
            yield markdown.list_item(_text(points[arrow]), depth)


def _text(point: Any) -> str:
    paragraphs = ("".join(run.text or "" for run in one.iter(qn("a:t"))) for one in point.iter(qn("a:p")))
    return " ".join(" ".join(paragraphs).split())
