"""Where a PDF can hold text."""

from collections.abc import Callable

from pypdfium2 import raw
from reportlab.pdfgen.canvas import Canvas

from tests.made_pdfs import drawn, lines, picture, table, with_annotation, with_attachment
from tests.places import Place

PROSE = [
    "The mill stands by the river and grinds barley for three villages, as it did",
    "a hundred years ago.",
]


def _page(draw: Callable[[Canvas, str], None]) -> Callable[[str], bytes]:
    def make(word: str) -> bytes:
        def page(canvas: Canvas) -> None:
            lines(canvas, 60, 700, PROSE)
            draw(canvas, word)

        return drawn(page)

    return make


def _head(at: float) -> Callable[[str], bytes]:
    def make(word: str) -> bytes:
        def page(canvas: Canvas) -> None:
            canvas.drawString(60, at, f"Papers of the {word} society")
            lines(canvas, 60, 700, [f"Page {canvas.getPageNumber()} is about another mill.", *PROSE])

        return drawn(*[page] * 4)

    return make


def _aligned(canvas: Canvas, word: str) -> None:
    table(canvas, 600, [["item", "kilos"], [word, "12"], ["oats", "9"]], [60, 200, 300])


def _ruled(canvas: Canvas, word: str) -> None:
    table(canvas, 600, [["item", "kilos"], [word, "12"], ["oats", "9"]], [60, 200, 300], ruled=True)


def _rotated(canvas: Canvas, word: str) -> None:
    canvas.translate(30, 300)
    canvas.rotate(90)
    canvas.drawString(0, 0, f"stamp {word}")


def _figure(canvas: Canvas, word: str) -> None:
    for step in range(12):
        canvas.bezier(100 + 10 * step, 300, 120, 320 + step, 150, 380, 300, 300 + 8 * step)
    canvas.drawString(180, 340, word)


def _field(canvas: Canvas, word: str) -> None:
    canvas.drawString(60, 600, "Name:")
    canvas.acroForm.textfield(name="n", value=word, x=120, y=594, width=200, height=18)


def _choice(canvas: Canvas, word: str) -> None:
    canvas.acroForm.choice(name="c", value=word, options=[word, "other"], x=120, y=594, width=200, height=18)


def _titled(word: str) -> bytes:
    def page(canvas: Canvas) -> None:
        canvas.setTitle(word)
        lines(canvas, 60, 700, PROSE)

    return drawn(page)


def _outline(canvas: Canvas, word: str) -> None:
    canvas.bookmarkPage("here")
    canvas.addOutlineEntry(word, "here")


def _prose(canvas: Canvas) -> None:
    lines(canvas, 60, 700, PROSE)


def _annotated(subtype: int, key: str, **more: str) -> Callable[[str], bytes]:
    def make(word: str) -> bytes:
        return with_annotation(
            drawn(_prose),
            subtype,
            {**more, key: word},
        )

    return make


PLACES = [
    Place("pdf", "the body", _page(lambda canvas, word: canvas.drawString(60, 600, word))),
    Place(
        "pdf",
        "a table",
        _page(_aligned),
    ),
    Place(
        "pdf",
        "a ruled table",
        _page(_ruled),
    ),
    Place("pdf", "the head of each page", _head(800)),
    Place("pdf", "the foot of each page", _head(30)),
    Place("pdf", "text at the side, turned", _page(_rotated)),
    Place("pdf", "a label of a figure", _page(_figure)),
    Place("pdf", "a field of a form", _page(_field)),
    Place("pdf", "a choice of a form", _page(_choice)),
    Place("pdf", "a text box", _annotated(raw.FPDF_ANNOT_FREETEXT, "Contents")),
    Place("pdf", "a note", _annotated(raw.FPDF_ANNOT_TEXT, "Contents")),
    Place("pdf", "the author of a note", _annotated(raw.FPDF_ANNOT_TEXT, "T", Contents="Check this.")),
    Place("pdf", "a comment on a passage", _annotated(raw.FPDF_ANNOT_HIGHLIGHT, "Contents")),
    Place(
        "pdf",
        "a hidden note",
        lambda word: with_annotation(
            drawn(lambda canvas: canvas.drawString(60, 700, "Seen.")),
            raw.FPDF_ANNOT_TEXT,
            {"Contents": word},
            flags=2,
        ),
        "hidden note",
    ),
    Place(
        "pdf",
        "the address of a link",
        _page(lambda canvas, word: canvas.linkURL(f"https://example.org/{word}", (60, 690, 200, 712))),
    ),
    Place(
        "pdf",
        "an embedded file",
        lambda word: with_attachment(
            drawn(lambda canvas: canvas.drawString(60, 700, "Seen.")), "notes.txt", word.encode()
        ),
    ),
    Place(
        "pdf",
        "an embedded file of another kind",
        lambda word: with_attachment(
            drawn(lambda canvas: canvas.drawString(60, 700, "Seen.")), "a.bin", b"\x00\x01" + word.encode()
        ),
        "attachment",
    ),
    Place("pdf", "the outline", _page(_outline)),
    Place("pdf", "the title of the document", _titled),
    Place(
        "pdf",
        "beyond the edge of the page",
        _page(lambda canvas, word: canvas.drawString(900, 600, word)),
        "word beyond the edge of the page",
    ),
    Place("pdf", "a picture", _page(lambda canvas, word: picture(canvas, 60, 200, 300, 300)), "image"),
    Place(
        "pdf",
        "a page that is a picture",
        lambda word: drawn(
            lambda canvas: canvas.drawString(60, 700, "Seen."), lambda canvas: picture(canvas, 0, 0, 595, 842)
        ),
        "page without text",
    ),
]
