"""What lies on top of a page: the values of a form's fields, text boxes, notes, and where links lead."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pypdfium2 import raw

from ingest.formats.file_text import Omission
from ingest.formats.pdf.page.lines import Line
from ingest.formats.pdf.page.words import Box, View, Word

_MOST_ANNOTATIONS = 5_000  # on a page
_MOST_OPTIONS = 1_000  # of a list
_MOST_CHARACTERS = 100_000  # of one value
_HIDDEN = raw.FPDF_ANNOT_FLAG_HIDDEN | raw.FPDF_ANNOT_FLAG_NOVIEW
_CHECKED, _UNCHECKED = "[x]", "[ ]"
_MOST_LABEL_WORDS = 12
_MOST_BESIDE = 200  # characters of a value that joins the line of its label
_SIZE = 11.0  # points, of words whose font is not asked for
_NOTES = {
    raw.FPDF_ANNOT_TEXT,
    raw.FPDF_ANNOT_HIGHLIGHT,
    raw.FPDF_ANNOT_UNDERLINE,
    raw.FPDF_ANNOT_SQUIGGLY,
    raw.FPDF_ANNOT_STRIKEOUT,
    raw.FPDF_ANNOT_CARET,
    raw.FPDF_ANNOT_INK,
    raw.FPDF_ANNOT_LINE,
    raw.FPDF_ANNOT_SQUARE,
    raw.FPDF_ANNOT_CIRCLE,
    raw.FPDF_ANNOT_POLYGON,
    raw.FPDF_ANNOT_POLYLINE,
    raw.FPDF_ANNOT_STAMP,
    raw.FPDF_ANNOT_FILEATTACHMENT,
}
# Of these the file holds what no text can say.
_UNTAKEN = {
    raw.FPDF_ANNOT_SOUND: "sound",
    raw.FPDF_ANNOT_MOVIE: "film",
    raw.FPDF_ANNOT_SCREEN: "film",
    raw.FPDF_ANNOT_RICHMEDIA: "film",
    raw.FPDF_ANNOT_THREED: "3D model",
}


@dataclass(slots=True)
class Annotations:
    """What lies on one page: words that belong into its lines, and texts beside it."""

    values: list[Word] = field(default_factory=list)  # of a form, where they are shown
    texts: list[tuple[str, Box]] = field(default_factory=list)  # text boxes, and notes with their authors
    links: list[tuple[str, Box]] = field(default_factory=list)  # addresses
    omissions: list[Omission] = field(default_factory=list)


def read_annotations(page: Any, view: View, form: Any, lines: list[Line], index: int) -> Annotations:
    """Return what lies on an open page.

    Args:
        form: the document's form in PDFium; None if it has none.
        lines: the page's own, which the values of fields beside them join.
    """
    found = Annotations()
    fields: list[tuple[str, Box]] = []
    place = f"page {index + 1}"
    for annotation in _annotations(page):
        kind = raw.FPDFAnnot_GetSubtype(annotation)
        hidden = bool(raw.FPDFAnnot_GetFlags(annotation) & _HIDDEN)
        if kind == raw.FPDF_ANNOT_WIDGET:
            text = _value(annotation, form)
            if text and hidden:
                found.omissions.append(Omission("hidden form field", place))
            elif text:
                fields.append((text, _rectangle(annotation, view)))
        elif kind == raw.FPDF_ANNOT_LINK:
            if address := _address(annotation, page):
                found.links.append((address, _rectangle(annotation, view)))
        elif kind in _UNTAKEN:
            found.omissions.append(Omission(_UNTAKEN[kind], place))
        elif kind == raw.FPDF_ANNOT_FREETEXT or kind in _NOTES:
            text = _string(annotation, "Contents").strip()
            if text and hidden:
                found.omissions.append(Omission("hidden note", place))
            elif text:
                found.texts.append((_as_note(annotation, kind, text), _rectangle(annotation, view)))
            elif kind == raw.FPDF_ANNOT_STAMP:
                found.omissions.append(Omission("stamp", place))
    boxes = [box for _, box in fields]
    for text, box in fields:
        found.values += _value_words(text, box, boxes, lines, index)
    return found


def _annotations(page: Any) -> Iterator[Any]:
    for index in range(min(_MOST_ANNOTATIONS, max(0, raw.FPDFPage_GetAnnotCount(page.raw)))):
        annotation = raw.FPDFPage_GetAnnot(page.raw, index)
        if not annotation:
            continue
        try:
            yield annotation
        finally:
            raw.FPDFPage_CloseAnnot(annotation)


def _as_note(annotation: Any, kind: int, text: str) -> str:
    """Return the text of a box as it is, that of a note with its author before it."""
    if kind == raw.FPDF_ANNOT_FREETEXT:
        return text
    author = " ".join(_string(annotation, "T").split())
    return f"Note ({author}): {text}" if author else f"Note: {text}"


def _value(annotation: Any, form: Any) -> str:
    """Return what a field of a form shows; "" for an empty one, and for buttons."""
    if form is None:
        return _string(annotation, "V").strip()
    kind = raw.FPDFAnnot_GetFormFieldType(form, annotation)
    if kind in (raw.FPDF_FORMFIELD_CHECKBOX, raw.FPDF_FORMFIELD_RADIOBUTTON):
        return _CHECKED if raw.FPDFAnnot_IsChecked(form, annotation) else _UNCHECKED
    if kind in (raw.FPDF_FORMFIELD_PUSHBUTTON, raw.FPDF_FORMFIELD_SIGNATURE):
        return ""
    if kind == raw.FPDF_FORMFIELD_LISTBOX:
        chosen = [
            _option(form, annotation, at)
            for at in range(min(_MOST_OPTIONS, max(0, raw.FPDFAnnot_GetOptionCount(form, annotation))))
            if raw.FPDFAnnot_IsOptionSelected(form, annotation, at)
        ]
        if chosen:
            return ", ".join(chosen)
    return _wide(lambda buffer, size: raw.FPDFAnnot_GetFormFieldValue(form, annotation, buffer, size)).strip()


def _option(form: Any, annotation: Any, at: int) -> str:
    return _wide(lambda buffer, size: raw.FPDFAnnot_GetOptionLabel(form, annotation, at, buffer, size))


def _value_words(text: str, box: Box, fields: Sequence[Box], lines: list[Line], index: int) -> list[Word]:
    """Return the words of a field's value where the field stands, on the line of text beside it if there is one."""
    x0, y0, x1, y1 = box
    rows = [" ".join(row.split()) for row in text.splitlines() if row.strip()]
    if text in (_CHECKED, _UNCHECKED):
        rows = [text]
    beside = [
        line for line in lines if min(line.y1, y1) - max(line.y0, y0) > 0.4 * min(line.y1 - line.y0, y1 - y0)
    ]
    label = _label(box, fields, beside, lines)
    if label is not None and len(rows) * len(text) <= _MOST_BESIDE:
        return _beside_label(rows, box, label, index)
    height = (y1 - y0) / max(1, len(rows))
    words: list[Word] = []
    for number, row in enumerate(rows):
        base, size = y0 + (number + 0.75) * height, min(_SIZE, max(4.0, height))
        if number == 0 and beside and len(rows) == 1:
            near = min(beside, key=lambda line: max(line.x0 - x1, x0 - line.x1, 0.0))
            base, size = near.base, near.size
        top = y0 + number * height
        words += _row_words(row, (x0, top, x1, top + height), base, size, index)
    return words


def _label(box: Box, fields: Sequence[Box], beside: Sequence[Line], lines: Sequence[Line]) -> Line | None:
    """Return the line that names a field: at its left, or else close above or below its left end.

    Fields next to each other, or below each other, without a text between them are cells of a table: they have none.
    """
    x0, y0, x1, y1 = box
    if beside:
        left = max((line for line in beside if line.x1 <= x0 + 2), key=lambda line: line.x1, default=None)
        if left is None or len(left.words) > _MOST_LABEL_WORDS:
            return None
        after = min((line.x0 for line in beside if line.x0 >= x1 - 2), default=1e9)
        level = [its for its in fields if its != box and min(its[3], y1) - max(its[1], y0) > 0]
        return None if any(left.x1 <= its[0] + 2 and its[0] < after for its in level) else left
    flush = [line for line in lines if line.words and abs(line.x0 - x0) < line.size and line.x1 < x1]
    for its in fields:
        between = any(y1 - 2 < line.y0 and line.y1 < its[1] + 2 for line in flush)
        if its != box and abs(its[0] - x0) < _SIZE and y1 - 2 < its[1] < y1 + 0.8 * (y1 - y0) and not between:
            return None
    above = [line for line in flush if -2 < y0 - line.y1 < 0.8 * line.size]
    below = [line for line in flush if -2 < line.y0 - y1 < 0.5 * line.size]
    return next(iter([*above, *below]), None)


def _beside_label(rows: Sequence[str], box: Box, label: Line, index: int) -> list[Word]:
    """Return the words of a value on the line of its label, to which a colon is put."""
    row = " ".join(rows)
    last = label.words[-1]
    if row not in (_CHECKED, _UNCHECKED) and (last.text[-1].isalnum() or last.text[-1] in ")]"):
        last.text += ":"
    x0 = max(box[0], label.x1 + 0.5 * label.size) if label.x0 > box[0] - label.size else box[0]
    return _row_words(row, (min(x0, box[2] - 1), label.y0, box[2], label.y1), label.base, label.size, index)


def _row_words(row: str, box: Box, base: float, size: float, index: int) -> list[Word]:
    x0, y0, x1, y1 = box
    parts = [row] if row in (_CHECKED, _UNCHECKED) else row.split()
    step = min(0.5 * size, (x1 - x0) / max(1, len(row)))
    words, at = [], x0
    for part in parts:
        words.append(Word(part, at, y0, at + step * len(part), y1, base, size, field=True, page=index))
        at += step * (len(part) + 1)
    return words


def _address(annotation: Any, page: Any) -> str:
    """Return the address that a link leads to; "" for one within the document."""
    link = raw.FPDFAnnot_GetLink(annotation)
    action = raw.FPDFLink_GetAction(link) if link else None
    if not action or raw.FPDFAction_GetType(action) != raw.PDFACTION_URI:
        return ""
    document = page.pdf.raw
    size = raw.FPDFAction_GetURIPath(document, action, None, 0)
    if not 1 < size < _MOST_CHARACTERS:
        return ""
    buffer = ctypes.create_string_buffer(size)
    raw.FPDFAction_GetURIPath(document, action, buffer, size)
    return "".join(buffer.value.decode("utf-8", "replace").split())


def _rectangle(annotation: Any, view: View) -> Box:
    its = raw.FS_RECTF()
    if not raw.FPDFAnnot_GetRect(annotation, its):
        return 0.0, 0.0, 0.0, 0.0
    left, right = sorted((its.left, its.right))
    bottom, top = sorted((its.bottom, its.top))
    return view.box(left, bottom, right, top)


def _string(annotation: Any, key: str) -> str:
    return _wide(lambda buffer, size: raw.FPDFAnnot_GetStringValue(annotation, key.encode(), buffer, size))


def _wide(call: Callable[[Any, int], Any]) -> str:
    """Return the UTF-16 text of a function of PDFium that fills a buffer of so many bytes."""
    size = int(call(None, 0))
    if not 2 < size <= 2 * _MOST_CHARACTERS:
        return ""
    buffer = (ctypes.c_ushort * (size // 2 + 1))()
    call(buffer, size)
    return bytes(buffer)[: size - 2].decode("utf-16-le", "replace")
