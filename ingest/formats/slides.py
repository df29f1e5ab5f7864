"""Presentations: a page per slide, with title, text in reading order, tables and speaker notes."""

from collections.abc import Iterable, Iterator
from typing import Any

from pptx import Presentation
from pptx.enum.shapes import MSO_SHAPE_TYPE, PP_PLACEHOLDER

from ingest.formats import markdown
from ingest.formats.archive import clean_archive
from ingest.formats.file_text import FileLimits, FileText, from_pages
from rag.errors import UnreadableFile

_BULLETED = frozenset({PP_PLACEHOLDER.BODY, PP_PLACEHOLDER.OBJECT})  # bullets come from the layout
_FURNITURE = frozenset({PP_PLACEHOLDER.SLIDE_NUMBER, PP_PLACEHOLDER.DATE, PP_PLACEHOLDER.FOOTER})


def read(data: bytes, name: str, limits: FileLimits) -> FileText:
    """Convert each slide to markdown under a second-level heading; a slide without text is empty.

    Raises:
        UnreadableFile: if there are more slides than `limits` allow.
    """
    presentation = Presentation(clean_archive(data, name, limits))
    slides = list(presentation.slides)
    if len(slides) > limits.max_pages:
        raise UnreadableFile(
            f"{name} has {len(slides):,} slides; expected at most {limits.max_pages:,}. Split it."
        )
    pages = [_slide(slide, number) for number, slide in enumerate(slides, start=1)]
    stated = presentation.core_properties
    metadata = {"title": stated.title, "author": stated.author, "subject": stated.subject}
    created = stated.created.isoformat() if stated.created else None
    return from_pages(pages, {**metadata, "created": created})


def _slide(slide: Any, number: int) -> str:
    title = slide.shapes.title
    heading = title.text_frame.text.strip() if title is not None else ""
    title_id = title.shape_id if title is not None else None
    blocks = [block for shape in _in_order(slide.shapes) for block in _shape(shape, title_id)]
    if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
        notes = slide.notes_slide.notes_text_frame.text.strip()
        blocks.append(f"Notes: {notes}" if notes else "")
    body = markdown.join_blocks(blocks)
    if not heading and not body:
        return ""
    return markdown.join_blocks([markdown.heading(heading or f"Slide {number}", 2), body])


def _in_order(shapes: Iterable[Any]) -> list[Any]:
    """Sort shapes from top to bottom, then left to right; one without a place inherits it and comes first."""
    return sorted(shapes, key=lambda shape: (shape.top or 0, shape.left or 0))


def _shape(shape: Any, title_id: int | None) -> Iterator[str]:
    if shape.shape_id == title_id:
        return
    kind = shape.placeholder_format.type if shape.is_placeholder else None
    if kind in _FURNITURE:
        return
    if shape.shape_type == MSO_SHAPE_TYPE.GROUP:
        for member in _in_order(shape.shapes):
            yield from _shape(member, title_id)
    elif shape.has_text_frame:
        yield from _paragraphs(shape.text_frame.paragraphs, bulleted=kind in _BULLETED)
    elif getattr(shape, "has_table", False):
        yield markdown.table([[cell.text for cell in row.cells] for row in shape.table.rows])


def _paragraphs(paragraphs: Iterable[Any], *, bulleted: bool) -> Iterator[str]:
    for paragraph in paragraphs:
        text = paragraph.text.replace("\v", "\n").strip()  # \v is python-pptx's line break
        if text:
            yield markdown.list_item(text, paragraph.level) if bulleted or paragraph.level else text
