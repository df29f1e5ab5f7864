"""What lies on the pages of a PDF besides its text, what is not taken, and where words stand."""

import io

import pypdfium2
import pytest
from pypdfium2 import raw
from reportlab.pdfgen.canvas import Canvas

from ingest.formats.file_text import FileText, Omission
from ingest.formats.pdf.render import render_page
from ingest.load import load
from rag.errors import NotFound
from rag.text.boxes import boxes_between
from tests.made_boxes import unpack
from tests.made_pdfs import (
    HEIGHT,
    LEFT,
    RIGHT,
    SITES,
    Draw,
    drawn,
    lines,
    picture,
    table,
    with_annotation,
    with_attachment,
    wrapped,
)


def read(*pages: Draw) -> FileText:
    return load(drawn(*pages), "a.pdf")


# What lies on pages, and what is not taken


def test_the_values_of_a_form_stand_beside_their_labels() -> None:
    def page(canvas: Canvas) -> None:
        canvas.drawString(60, 600, "Return date:")
        canvas.acroForm.textfield(name="d", value="14 November 2031", x=160, y=594, width=200, height=18)
        canvas.drawString(60, 560, "Insured")
        canvas.acroForm.checkbox(name="i", checked=True, x=160, y=556, size=14)
        canvas.drawString(60, 520, "Urgent")
        canvas.acroForm.checkbox(name="u", checked=False, x=160, y=516, size=14)

    assert read(page).text.split("\n\n") == ["Return date: 14 November 2031", "Insured [x]", "Urgent [ ]"]


def test_labels_above_and_below_fields_and_tables_of_fields() -> None:
    def page(canvas: Canvas) -> None:
        field = canvas.acroForm.textfield
        canvas.setFont("Helvetica", 9)
        for x, label, value in ((60, "Company", "Plover Pictures"), (300, "Contact", "Edda Noor")):
            canvas.drawString(x, 750, label)
            field(name=label, value=value, x=x, y=726, width=200, height=18)
            canvas.drawString(x, 680, f"{label} signs")
            field(name=f"{label} s", value=value.split()[0], x=x, y=690, width=200, height=18)
        canvas.drawString(60, 650, "Remarks")
        field(
            name="r", value="Two vans.\nOne lamp.", x=160, y=610, width=200, height=50, fieldFlags="multiline"
        )
        for at, row in enumerate((("Goods", "Boxes"), ("Honey", "14"), ("Mead", "9"))):
            for x, text in zip((60, 300), row, strict=True):
                if at:
                    field(name=text, value=text, x=x, y=560 - 20 * at, width=100, height=18)
                else:
                    canvas.drawString(x, 564, text)

    assert read(page).text.split("\n\n") == [
        "Company: Plover Pictures Contact: Edda Noor",
        "Company signs: Plover Contact signs: Edda",
        "Remarks: Two vans. One lamp.",
        "| Goods | Boxes |\n| --- | --- |\n| Honey | 14 |\n| Mead | 9 |",
    ]


def test_a_note_bears_its_author() -> None:
    data = drawn(lambda canvas: canvas.drawString(60, 700, "Seen."))
    noted = with_annotation(data, raw.FPDF_ANNOT_TEXT, {"Contents": "Ask the\nboard.", "T": "Ann"})
    assert load(noted, "a.pdf").text == "Seen.\n\nNote (Ann): Ask the\nboard."


def test_an_embedded_file_is_read_by_its_own_reader() -> None:
    data = drawn(lambda canvas: canvas.drawString(60, 700, "Seen."))
    loaded = load(with_attachment(data, "prices.csv", b"item,price\npump,12\n"), "a.pdf")
    assert loaded.text == "Seen.\n\n# a.pdf › prices.csv\n\n| item | price |\n| --- | --- |\n| pump | 12 |"
    inner = with_attachment(data, "b.txt", b"deep")
    for _ in range(6):
        inner = with_attachment(data, "c.pdf", inner)
    deep = load(inner, "a.pdf")
    assert "deep" not in deep.text
    assert "attachment" in {omission.kind for omission in deep.omissions}


def test_pages_and_pictures_that_are_not_read_are_named() -> None:
    def beside(canvas: Canvas) -> None:
        picture(canvas, 60, 100, 300, 300)
        canvas.drawString(60, 700, "Also seen.")

    loaded = read(
        lambda canvas: canvas.drawString(60, 700, "Seen."),
        lambda canvas: picture(canvas, 0, 0, 595, 842),
        beside,
        lambda canvas: None,
    )
    assert loaded.omissions == (Omission("page without text", "page 2"), Omission("image", "page 3"))
    assert loaded.pages == (0, 7, 7, len(loaded.text))


# Boxes


def test_every_word_stands_where_its_box_says() -> None:
    def page(canvas: Canvas) -> None:
        lines(canvas, 60, 780, wrapped(canvas, LEFT, 200))
        lines(canvas, 300, 780, wrapped(canvas, RIGHT, 200))
        table(canvas, 600, SITES[:12], [60, 180, 260, 340, 440])

    data = drawn(page)
    loaded = load(data, "a.pdf")
    words = unpack(loaded.boxes)
    document = pypdfium2.PdfDocument(data)
    on_page = document[0].get_textpage()
    for word in words:
        seen = on_page.get_text_bounded(
            word.x0 - 0.5, HEIGHT - word.y1 - 0.5, word.x1 + 0.5, HEIGHT - word.y0 + 0.5
        )
        assert loaded.text[word.start : word.end] in seen
    covered = {at for word in words for at in range(word.start, word.end)}
    assert all(at in covered or loaded.text[at] in " \n|-" for at in range(len(loaded.text)))
    assert len(loaded.boxes) < 3_000


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_boxes_follow_a_rotated_page(quarters: int) -> None:
    data = drawn(lambda canvas: canvas.drawString(100, 700, "Hello there"))
    document = pypdfium2.PdfDocument(data)
    document[0].set_rotation(90 * quarters)
    stream = io.BytesIO()
    document.save(stream)
    loaded = load(stream.getvalue(), "a.pdf")
    assert loaded.text == "Hello there"
    (mark,) = boxes_between(loaded.boxes, 0, 5)
    picture_of = pypdfium2.PdfDocument(stream.getvalue())[0].render(scale=1).to_numpy()
    inside = picture_of[int(mark.y0) : int(mark.y1) + 1, int(mark.x0) : int(mark.x1) + 1]
    assert inside.min() < 128, "the word's ink is in its box"


def test_a_page_is_rendered_with_marks() -> None:
    data = drawn(lambda canvas: canvas.drawString(100, 700, "Hello there"))
    loaded = load(data, "a.pdf")
    marks = boxes_between(loaded.boxes, 0, 5)
    plain, marked = render_page(data, 1, [], 1.0), render_page(data, 1, marks, 1.0)
    assert plain.startswith(b"\x89PNG")
    assert plain != marked
    with pytest.raises(NotFound, match="Page 2 does not exist"):
        render_page(data, 2, [], 1.0)
