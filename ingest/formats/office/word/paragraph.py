"""What stands in a paragraph: its runs, the results of its fields, links' targets, and marks of notes."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from ingest.formats.office.drawing import link_target
from ingest.formats.office.equation import linear
from ingest.formats.office.package import attribute, is_on, qn, short
from ingest.formats.office.page_number import PAGE_MARK, without_page_numbers
from ingest.formats.office.word.fields import Fields, is_page_field
from ingest.formats.office.word.graphic import Graphics, read_alternatives, read_graphic
from ingest.formats.office.word.part import WordPart
from ingest.formats.office.word.symbol import readable, symbol

_DELETED = frozenset({"w:del", "w:moveFrom"})
_NO_TEXT = frozenset({"w:pPr", "w:rPr", "w:sdtPr", "w:sdtEndPr", "w:smartTagPr", "w:customXmlPr", "w:rubyPr"})
# Around what is struck out; where one run ends and the next goes on, there is none.
_STRUCK, _SAME_STRUCK = "~~", re.compile("~~(\\s*)~~")
_GRAPHICS = frozenset({"w:drawing", "w:pict", "w:object"})


@dataclass(slots=True)
class WordParagraph:
    """A paragraph's text, and what its marks and drawings add after it."""

    text: str
    graphics: Graphics
    comments: list[str]  # ids
    sequences: list[str]  # what its fields count: "Table"


@dataclass(slots=True)
class ParagraphReader:
    """Reads paragraphs of one part in order: a field may run over several of them."""

    part: WordPart
    fields: Fields = field(default_factory=lambda: Fields(are_balanced=True))
    _begun: bool = False
    _graphics: Graphics = field(default_factory=Graphics)
    _comments: list[str] = field(default_factory=list)

    def read(self, element: Any) -> WordParagraph:
        """Return what a w:p holds."""
        if not self._begun:
            self._begun = True
            self.fields = Fields(are_balanced=_fields_end(element.getroottree().getroot()))
        self._graphics, self._comments, self.fields.sequences = Graphics(), [], []
        pieces: list[str] = []
        self._take(element, pieces)
        text = without_page_numbers(_SAME_STRUCK.sub(r"\1", "".join(pieces)))
        return WordParagraph(text, self._graphics, self._comments, self.fields.sequences)

    def _take(self, element: Any, pieces: list[str]) -> None:
        for child in element:
            tag = short(child.tag)
            if tag == "w:r":
                self._run(child, pieces)
            elif tag == "w:hyperlink":
                self._link(child, pieces)
            elif tag == "w:fldSimple":
                self._simple_field(child, pieces)
            elif tag in ("m:oMath", "m:oMathPara"):
                pieces.append(linear(child))
            elif tag == "mc:AlternateContent":
                self._alternatives(child, pieces)
            elif tag in _DELETED:
                self._leave_out(child, "deleted passage" if tag == "w:del" else "")
            elif tag not in _NO_TEXT:
                self._take(child, pieces)

    def _run(self, run: Any, pieces: list[str]) -> None:
        properties = run.find(qn("w:rPr"))
        if properties is not None and self._is_hidden(properties):
            self._leave_out(run, "hidden passage")
            return
        font = attribute(properties, "w:rFonts", "w:ascii")
        before = len(pieces)
        for child in run:
            self._piece(child, short(child.tag), font, pieces)
        text = "".join(pieces[before:])
        if properties is not None and text.strip() and _is_struck(properties):
            start, end = len(text) - len(text.lstrip()), len(text.rstrip())
            pieces[before:] = [text[:start], _STRUCK, text[start:end], _STRUCK, text[end:]]

    def _piece(self, child: Any, tag: str, font: str, pieces: list[str]) -> None:
        match tag:
            case "w:fldChar":
                pieces.append(self.fields.mark(child))
            case "w:instrText":
                self.fields.instruct(child.text or "")
            case "w:ruby":
                self._ruby(child, pieces)
            case "w:commentReference":
                self._comments.append(child.get(qn("w:id"), ""))
            case "mc:AlternateContent":
                self._alternatives(child, pieces)
            case _ if tag in _GRAPHICS:
                read_graphic(child, self.part, self._graphics)
            case _ if not self.fields.hides:
                pieces.append(self._text(child, tag, font))

    def _text(self, child: Any, tag: str, font: str) -> str:
        match tag:
            case "w:t" | "m:t":
                return readable(child.text or "", font) if font else child.text or ""
            case "w:tab" | "w:ptab":
                return "\t"
            case "w:br" | "w:cr":
                return "\n"
            case "w:noBreakHyphen":
                return "-"
            case "w:sym":
                number = int(child.get(qn("w:char"), "FFFD"), 16)
                return symbol(child.get(qn("w:font"), ""), min(number, 0x10FFFF))
            case "w:footnoteReference":
                return self.part.footnotes.mark(child.get(qn("w:id"), ""))
            case "w:endnoteReference":
                return self.part.endnotes.mark(child.get(qn("w:id"), ""))
            case "w:contentPart":
                self.part.note("drawing in ink")
        return ""

    def _alternatives(self, element: Any, pieces: list[str]) -> None:
        """Take the first of several renderings of the same content that holds anything."""
        if not any(short(child.tag) in ("w:r", "w:t") for alternative in element for child in alternative):
            read_alternatives(element, self.part, self._graphics)
            return
        for alternative in element:
            before = len(pieces)
            self._take(alternative, pieces)
            for child in alternative:
                self._piece(child, short(child.tag), "", pieces)
            if any(pieces[before:]):
                return

    def _link(self, element: Any, pieces: list[str]) -> None:
        """Write a link's target after its text, unless the text is the target."""
        before = len(pieces)
        self._take(element, pieces)
        relation = self.part.package.relations(self.part.name).get(element.get(qn("r:id"), ""))
        shown = "".join(pieces[before:])
        if relation is not None and relation.external and shown.strip():
            pieces.append(link_target(shown, relation.target))

    def _simple_field(self, element: Any, pieces: list[str]) -> None:
        if is_page_field(self.fields.simple(element.get(qn("w:instr"), ""))):
            pieces.append(PAGE_MARK)
            return
        data = element.find(qn("w:fldData"))
        if data is None or len(element) > 1:
            self._take(element, pieces)

    def _ruby(self, element: Any, pieces: list[str]) -> None:
        base: list[str] = []
        above: list[str] = []
        for child in element:
            if short(child.tag) in ("w:rubyBase", "w:rt"):
                self._take(child, base if short(child.tag) == "w:rubyBase" else above)
        pieces.append("".join(base) + (f" ({''.join(above)})" if above else ""))

    def _is_hidden(self, properties: Any) -> bool:
        found = properties.find(qn("w:vanish"))
        if found is not None:
            return is_on(found)
        style = attribute(properties, "w:rStyle", "w:val")
        return bool(style) and self.part.styles.facts(style).is_hidden

    def _leave_out(self, element: Any, kind: str) -> None:
        """Skip text that does not stand on the page; the fields within it are still followed."""
        for mark in element.iter(qn("w:fldChar"), qn("w:instrText")):
            if short(mark.tag) == "w:fldChar":
                self.fields.mark(mark)
            else:
                self.fields.instruct(mark.text or "")
        if kind and any((text.text or "").strip() for text in element.iter(qn("w:t"), qn("w:delText"))):
            self.part.note(kind)


def _is_struck(properties: Any) -> bool:
    return any(
        mark is not None and is_on(mark)
        for mark in (properties.find(qn("w:strike")), properties.find(qn("w:dstrike")))
    )


def _fields_end(root: Any) -> bool:
    """Return whether each field of a part that begins also ends."""
    marks = [mark.get(qn("w:fldCharType")) for mark in root.iter(qn("w:fldChar"))]
    return marks.count("begin") == marks.count("end")
