"""Word documents (docx): running heads, the body in order, comments, notes and embedded files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ingest.formats import markdown
from ingest.formats.archive import Archive
from ingest.formats.file_text import FileLimits, FileText, from_text
from ingest.formats.office.attachment import Attachments
from ingest.formats.office.notice import Notices
from ingest.formats.office.package import Package, qn
from ingest.formats.office.word.body import Body
from ingest.formats.office.word.numbering import WordNumbering
from ingest.formats.office.word.part import WordPart
from ingest.formats.office.word.styles import Styles

_KINDS = {"first": "of the first page", "default": "", "even": "of even pages"}


def read(data: bytes, name: str, limits: FileLimits) -> FileText:
    """Convert to markdown; Word files have no fixed pages.

    Headers stand first, footers last, each distinct one once; comments follow the paragraph that they are about.
    """
    package = Package(Archive(data, name, limits))
    part = _main_part(package)
    root = package.xml(part.name)
    body = root.find(qn("w:body"))
    part.comments.update(_comments(part))
    headers = list(_running_heads(root, part, "header"))
    blocks = [*headers, *(Body(part).blocks(body) if body is not None else [])]
    blocks += [*_notes(part, "footnote"), *_notes(part, "endnote")]
    # What nothing in the text refers to
    blocks += part.comments.values()
    blocks += [*_running_heads(root, part, "footer"), *part.attachments.texts()]
    if any(member.endswith("vbaProject.bin") for member in package.archive.names):
        part.notices.note("macro", "")
    return from_text(markdown.join_blocks(blocks), package.properties(), part.notices.omissions())


def _main_part(package: Package) -> WordPart:
    name = package.main
    notices = Notices()
    styles = Styles(_first(package, name, "styles"))
    numbering = WordNumbering(_first(package, name, "numbering"), styles)
    return WordPart(package, name, styles, numbering, notices, Attachments(package.archive, notices), {})


def _first(package: Package, part: str, kind: str) -> Any:
    found = next(package.related(part, kind), None)
    return None if found is None else package.xml(found)


def _running_heads(root: Any, part: WordPart, kind: str) -> Iterator[str]:
    """Yield the sections' headers or footers, each distinct text once: first, other and even pages."""
    seen = set()
    for section in root.iter(qn("w:sectPr")):
        references = section.findall(qn(f"w:{kind}Reference"))
        for which, place in _KINDS.items():
            for reference in references:
                target = part.target(reference.get(qn("r:id")))
                if reference.get(qn("w:type"), "default") != which or not part.package.first_time(target):
                    continue
                where = " ".join(f"the {kind} {place}".split())
                blocks = Body(part.of(target, where)).blocks(part.package.xml(target))
                text = markdown.join_blocks(blocks)
                if text and text not in seen:
                    seen.add(text)
                    yield text


def _notes(part: WordPart, kind: str) -> Iterator[str]:
    """Yield the foot- or endnotes in the order of their marks, "[^1]: Source"."""
    target = next(part.package.related(part.name, f"{kind}s"), None)
    root = None if target is None else part.package.xml(target)
    if target is None or root is None:
        return
    inner = part.of(target, f"the {kind}s")
    marks = part.footnotes if kind == "footnote" else part.endnotes
    notes = {note.get(qn("w:id"), ""): note for note in root if note.get(qn("w:type"), "normal") == "normal"}
    for name in dict.fromkeys([*marks.order(), *notes]):
        if name in notes:
            text = " ".join(" ".join(Body(inner).blocks(notes[name])).split())
            if text:
                yield f"{marks.mark(name)}: {text}"


def _comments(part: WordPart) -> Iterator[tuple[str, str]]:
    """Yield each comment's id and text, "Comment (Ann): Really?"."""
    for target in part.package.related(part.name, "comments"):
        inner = part.of(target, "the comments")
        for comment in part.package.xml(target):
            text = " ".join(" ".join(Body(inner).blocks(comment)).split())
            author = " ".join(comment.get(qn("w:author"), "").split())
            if text:
                yield (
                    comment.get(qn("w:id"), ""),
                    f"Comment ({author}): {text}" if author else f"Comment: {text}",
                )
