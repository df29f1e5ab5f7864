"""What is drawn on a page beside its text: rules, shaded areas, figures and images, where they stand."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pypdfium2 import raw

from ingest.formats.pdf.page.words import Box, View

# Points. A rectangle thinner than this is a rule.
_THIN = 2.6
_SHORTEST_RULE = 2.7
# Bounds on hostile pages; what lies beyond is drawn, not read.
_MOST_OBJECTS, _MOST_SEGMENTS, _DEEPEST_FORM = 20_000, 4_000, 4
_SIMPLE = 6  # segments of a line or a rectangle, whose bounds say it all

Matrix = tuple[float, float, float, float, float, float]
_IDENTITY: Matrix = (1, 0, 0, 1, 0, 0)


@dataclass(slots=True)
class Drawings:
    """Boxes of what is drawn, in points from the top left."""

    across: list[Box] = field(default_factory=list)  # horizontal rules
    down: list[Box] = field(default_factory=list)  # vertical rules
    shades: list[Box] = field(default_factory=list)  # filled rectangles
    curves: list[Box] = field(default_factory=list)  # any other path: parts of figures
    images: list[Box] = field(default_factory=list)


def read_drawings(page: Any, view: View) -> Drawings:
    """Return what is drawn on an open page."""
    found = Drawings()
    for left, (item, kind, matrix) in enumerate(_objects(page)):
        if left > _MOST_OBJECTS:
            break
        if kind == raw.FPDF_PAGEOBJ_IMAGE:
            if box := _bounds(item, matrix, view):
                found.images.append(box)
        elif kind == raw.FPDF_PAGEOBJ_PATH:
            _take_path(item, matrix, view, found)
    return found


def _objects(page: Any) -> Iterator[tuple[Any, int, Matrix]]:
    """Yield images and paths, also those within forms, with the matrix that brings them onto the page."""
    wanted = {raw.FPDF_PAGEOBJ_PATH, raw.FPDF_PAGEOBJ_IMAGE, raw.FPDF_PAGEOBJ_FORM}
    get, kind_of = raw.FPDFPage_GetObject, raw.FPDFPageObj_GetType
    for index in range(raw.FPDFPage_CountObjects(page.raw)):
        item = get(page.raw, index)
        kind = kind_of(item)
        if kind == raw.FPDF_PAGEOBJ_FORM:
            yield from _within(item, _IDENTITY, 1)
        elif kind in wanted:
            yield item, kind, _IDENTITY


def _within(form: Any, outer: Matrix, depth: int) -> Iterator[tuple[Any, int, Matrix]]:
    matrix = _product(_matrix(form), outer)
    for index in range(min(_MOST_OBJECTS, max(0, raw.FPDFFormObj_CountObjects(form)))):
        item = raw.FPDFFormObj_GetObject(form, index)
        kind = raw.FPDFPageObj_GetType(item)
        if kind == raw.FPDF_PAGEOBJ_FORM:
            if depth < _DEEPEST_FORM:
                yield from _within(item, matrix, depth + 1)
        elif kind in (raw.FPDF_PAGEOBJ_PATH, raw.FPDF_PAGEOBJ_IMAGE):
            yield item, kind, matrix


def _take_path(item: Any, matrix: Matrix, view: View, found: Drawings) -> None:
    fill, stroke = ctypes.c_int(), ctypes.c_int()
    raw.FPDFPath_GetDrawMode(item, fill, stroke)
    if not fill.value and not stroke.value:
        return
    box = _bounds(item, matrix, view)
    if box is None:
        return
    count = raw.FPDFPath_CountSegments(item)
    if count <= _SIMPLE or box[2] - box[0] <= _THIN or box[3] - box[1] <= _THIN:
        if not _take_rule(box, found):
            _take_area(box, count, bool(stroke.value), found)
        return
    lines = _straight_lines(item, _product(_matrix(item), matrix), view)
    if lines is None:
        found.curves.append(box)
    for line in lines or ():
        _take_rule(line, found)


def _take_rule(box: Box, found: Drawings) -> bool:
    width, height = box[2] - box[0], box[3] - box[1]
    if height <= _THIN and width >= _SHORTEST_RULE:
        found.across.append(box)
    elif width <= _THIN and height >= _SHORTEST_RULE:
        found.down.append(box)
    else:
        return width <= _THIN and height <= _THIN  # a dot
    return True


def _take_area(box: Box, segments: int, stroked: bool, found: Drawings) -> None:
    if segments < 4:
        found.curves.append(box)  # a slanting line
        return
    if not stroked:
        found.shades.append(box)
        return
    x0, y0, x1, y1 = box
    found.across += [(x0, y0, x1, y0), (x0, y1, x1, y1)]
    found.down += [(x0, y0, x0, y1), (x1, y0, x1, y1)]


def _straight_lines(item: Any, matrix: Matrix, view: View) -> list[Box] | None:
    """Return the lines of a path made of horizontal and vertical ones only; None for any other."""
    x, y = ctypes.c_float(), ctypes.c_float()
    lines: list[Box] = []
    start = last = (0.0, 0.0)
    for index in range(min(_MOST_SEGMENTS, raw.FPDFPath_CountSegments(item))):
        segment = raw.FPDFPath_GetPathSegment(item, index)
        kind = raw.FPDFPathSegment_GetType(segment)
        raw.FPDFPathSegment_GetPoint(segment, x, y)
        point = _moved(x.value, y.value, matrix)
        if kind == raw.FPDF_SEGMENT_BEZIERTO:
            return None
        if kind == raw.FPDF_SEGMENT_MOVETO:
            start = point
        elif kind == raw.FPDF_SEGMENT_LINETO:
            if min(abs(point[0] - last[0]), abs(point[1] - last[1])) > _THIN:
                return None
            lines.append(_line(last, point, view))
        last = point
        if raw.FPDFPathSegment_GetClose(segment):
            lines.append(_line(last, start, view))
    return lines


def _line(one: tuple[float, float], other: tuple[float, float], view: View) -> Box:
    (ax, ay), (bx, by) = one, other
    return view.box(min(ax, bx), min(ay, by), max(ax, bx), max(ay, by))


def _bounds(item: Any, matrix: Matrix, view: View) -> Box | None:
    left, bottom, right, top = ctypes.c_float(), ctypes.c_float(), ctypes.c_float(), ctypes.c_float()
    if not raw.FPDFPageObj_GetBounds(item, left, bottom, right, top):
        return None
    if matrix is _IDENTITY:
        return view.box(left.value, bottom.value, right.value, top.value)
    ax, ay = _moved(left.value, bottom.value, matrix)
    bx, by = _moved(right.value, top.value, matrix)
    return view.box(min(ax, bx), min(ay, by), max(ax, bx), max(ay, by))


def _matrix(item: Any) -> Matrix:
    its = raw.FS_MATRIX()
    if not raw.FPDFPageObj_GetMatrix(item, its):
        return _IDENTITY
    return its.a, its.b, its.c, its.d, its.e, its.f


def _product(first: Matrix, then: Matrix) -> Matrix:
    a, b, c, d, e, f = first
    p, q, r, s, t, u = then
    return a * p + b * r, a * q + b * s, c * p + d * r, c * q + d * s, e * p + f * r + t, e * q + f * s + u


def _moved(x: float, y: float, matrix: Matrix) -> tuple[float, float]:
    a, b, c, d, e, f = matrix
    return a * x + c * y + e, b * x + d * y + f
