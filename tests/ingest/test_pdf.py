"""PDFs are read by where things stand on the page."""

import io
import unicodedata
from functools import partial

import pypdfium2
import pytest
from pypdfium2 import raw
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

from ingest.formats.file_text import FileText, Omission
from ingest.formats.pdf.hyphens import Hyphens
from ingest.formats.pdf.page.direction import logical_order
from ingest.formats.pdf.render import render_page
from ingest.load import load
from rag.errors import NotFound
from rag.text.boxes import boxes_between, unpack
from tests.made_pdfs import (
    HEIGHT,
    Draw,
    drawn,
    lines,
    picture,
    table,
    unicode_font,
    with_annotation,
    with_attachment,
    wrapped,
)

LEFT = (
    "The garden was laid out by a physician who wanted herbs at hand all year. Its walls keep the wind off, and a pond "
    "warms the beds in spring. Nothing is sold, but seeds are given away on Sundays to those who ask."
)
RIGHT = (
    "The tower was built of brick and lime a century later. A bell of nine hundred kilos hangs in it, cast from coins. "
    "It is rung at noon and when the river rises above the second mark on the bridge."
)


def read(*pages: Draw) -> FileText:
    return load(drawn(*pages), "a.pdf")


# Columns


@pytest.mark.parametrize("shift", [0, 5], ids=["lines level", "lines not level"])
def test_columns_are_read_one_after_the_other(shift: float) -> None:
    def page(canvas: Canvas) -> None:
        left, right = wrapped(canvas, LEFT, 200), wrapped(canvas, RIGHT, 200)
        for at in range(max(len(left), len(right))):  # drawn row by row, across the gutter
            for x, column, off in ((60, left, 0), (280, right, shift)):
                if at < len(column):
                    canvas.drawString(x, 700 - 12 * at - off, column[at])

    assert read(page).text == f"{LEFT}\n\n{RIGHT}"


def test_three_columns_below_a_title_and_above_a_note() -> None:
    texts = [LEFT, RIGHT, "Cats " + LEFT]

    def page(canvas: Canvas) -> None:
        canvas.setFont("Helvetica-Bold", 18)
        canvas.drawString(60, 760, "Notes of a gardener on the garden and the tower")
        canvas.setFont("Helvetica", 10)
        for at, text in enumerate(texts):
            lines(canvas, 50 + 170 * at, 720, wrapped(canvas, text, 150))
        canvas.drawString(
            50,
            500,
            "This sentence stands below the columns, and is as wide as all three of them are together, so.",
        )

    assert read(page).text.split("\n\n") == [
        "# Notes of a gardener on the garden and the tower",
        *texts,
        "This sentence stands below the columns, and is as wide as all three of them are together, so.",
    ]


def test_a_paragraph_goes_on_in_the_next_column_and_on_the_next_page() -> None:
    text = f"{LEFT} {RIGHT} {LEFT} {RIGHT}"

    def pages(number: int) -> Draw:
        def page(canvas: Canvas) -> None:
            every = wrapped(canvas, text, 200)
            size = -(-len(every) // 4)
            for column in (0, 1):
                part = every[size * (2 * number + column) : size * (2 * number + column + 1)]
                lines(canvas, 60 + 220 * column, 700, part)

        return page

    loaded = read(pages(0), pages(1))
    assert loaded.text == text
    assert 0 < loaded.pages[1] < len(text)
    first = unpack(loaded.boxes)[0]
    assert (first.page, first.start) == (1, 0)
    assert {box.page for box in unpack(loaded.boxes) if box.start >= loaded.pages[1]} == {2}


# Tables

SITES = [
    ["Site", "Opened", "Staff", "Energy (MWh)"],
    *[[f"Site {n}", str(1950 + n), str(n * 7), f"{n}.5"] for n in range(1, 61)],
]


@pytest.mark.parametrize("ruled", [True, False], ids=["ruled", "aligned"])
def test_a_table_over_two_pages_is_one(ruled: bool) -> None:
    head, body = SITES[:1], SITES[1:]

    def first(canvas: Canvas) -> None:
        canvas.drawString(60, 740, "Energy is metered at the main switch of each of the sites.")
        table(canvas, 700, [*head, *body[:40]], [60, 180, 260, 340, 440], ruled=ruled)

    def second(canvas: Canvas) -> None:
        table(canvas, 780, [*head, *body[40:]], [60, 180, 260, 340, 440], ruled=ruled)

    text = read(first, second).text
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("|")
    ]
    assert rows == [head[0], ["---"] * 4, *body]


def test_amounts_with_their_signs_and_headers_of_two_levels() -> None:
    def page(canvas: Canvas) -> None:
        canvas.drawCentredString(305, 700, "Three Months Ended")
        canvas.drawCentredString(455, 700, "Nine Months Ended")
        canvas.line(240, 696, 370, 696)
        canvas.line(390, 696, 520, 696)
        for centre, year in ((270, "2023"), (340, "2022"), (420, "2023"), (490, "2022")):
            canvas.drawCentredString(centre, 684, year)
        y = 660.0
        for label, values in (
            ("Net sales:", []),
            ("Products", ["60,584", "63,355", "230,901", "245,241"]),
            ("Loss on the sale of a building and of what", []),
            ("stood in it", ["(265)", "(10)", "(594)", "(97)"]),
            ("Total", ["60,319", "63,345", "", "245,144"]),
        ):
            canvas.drawString(60 + (label == "Products") * 10, y, label)
            for at, value in enumerate(values):
                right = (300, 370, 450, 520)[at]
                if value:
                    canvas.drawString(right - 52, y, "$")
                    canvas.drawRightString(right - 4 * (value[0] != "("), y, value)
            y -= 10 if label.startswith("Loss") else 15

    periods = [f"{months} Months Ended › {year}" for months in ("Three", "Nine") for year in (2023, 2022)]
    assert read(page).text.splitlines() == [
        f"|  | {' | '.join(periods)} |",
        "| --- | --- | --- | --- | --- |",
        "| Net sales: |",
        "| Products | $60,584 | $63,355 | $230,901 | $245,241 |",
        "| Loss on the sale of a building and of what stood in it | $(265) | $(10) | $(594) | $(97) |",
        "| Total | $60,319 | $63,345 |  | $245,144 |",
    ]


def test_rows_in_lower_case_and_a_list() -> None:
    def page(canvas: Canvas) -> None:
        table(
            canvas,
            700,
            [["item", "kilos"], ["apples", "31"], ["barley", "120"], ["dried plums", "14"]],
            [60, 160, 220],
        )
        lines(
            canvas, 60, 620, ["The watch is relieved in this order:", "a) the cook", "b) the carpenter"], 14
        )

    assert read(page).text == (
        "| item | kilos |\n| --- | --- |\n| apples | 31 |\n| barley | 120 |\n| dried plums | 14 |\n\n"
        "The watch is relieved in this order:\n\n- a) the cook\n- b) the carpenter"
    )


def test_spans_of_a_ruled_table_are_filled() -> None:
    def page(canvas: Canvas) -> None:
        for x, y, text in (
            (62, 690, "Zone"), (162, 690, "Ticket"), (162, 670, "day"), (262, 670, "month"), (62, 650, "inner"),
            (162, 650, "3.00"), (262, 650, "41.00"), (62, 630, "outer"), (162, 630, "2.20"), (262, 630, "35.00"),
        ):  # fmt: skip
            canvas.drawString(x, y, text)
        for y in (705, 665, 645, 625):
            canvas.line(60, y, 360, y)
        canvas.line(160, 685, 360, 685)
        for x in (60, 160, 360):
            canvas.line(x, 705, x, 625)
        canvas.line(260, 685, 260, 625)

    assert read(page).text.splitlines()[0] in (
        "| Zone | Ticket › day | Ticket › month |",
        "| Zone | Ticket | Ticket |",
    )
    assert "| inner | 3.00 | 41.00 |" in read(page).text


# Lines, words, hyphens


def test_heads_and_feet_cut_no_sentence_and_are_kept_once() -> None:
    def pages(number: int) -> Draw:
        def page(canvas: Canvas) -> None:
            canvas.drawString(60, 810, "HARBOUR RULES - DRAFT")
            canvas.drawString(60, 30, f"Version 0.9 / Page {number} of 3")
            every = wrapped(canvas, " ".join([LEFT, RIGHT] * 6), 450)
            third = -(-len(every) // 3)
            lines(canvas, 60, 760, every[third * (number - 1) : third * number])

        return page

    text = read(*map(pages, (1, 2, 3))).text
    assert " ".join([LEFT, RIGHT] * 6) in text
    assert text.count("HARBOUR RULES - DRAFT") == text.count("Version 0.9") == 1


def test_different_heads_of_facing_pages_cut_no_sentence() -> None:
    every = " ".join([LEFT, RIGHT] * 3)

    def left(canvas: Canvas) -> None:
        canvas.drawString(60, 810, "14")
        canvas.drawRightString(530, 810, "J. ORR")
        lines(canvas, 60, 760, wrapped(canvas, every, 450)[:5])

    def right(canvas: Canvas) -> None:
        canvas.drawString(60, 810, "THE MILLS OF THE VALLEY")
        canvas.drawRightString(530, 810, "15")
        lines(canvas, 60, 760, wrapped(canvas, every, 450)[5:])

    assert read(left, right).text == f"14 J. ORR\n\nTHE MILLS OF THE VALLEY 15\n\n{every}"


def test_a_slanted_letter_over_a_space_joins_no_words() -> None:
    text = "Four of four friends of Faith find all of it."

    def page(canvas: Canvas) -> None:
        canvas.setFont("Times-Italic", 10)
        canvas.drawString(60, 700, text)

    assert read(page).text == text


@pytest.mark.parametrize(
    ("before", "after", "others", "keeps"),
    [
        ("state-", "owned", ["state-owned"], True),
        ("state-", "owned", ["stateowned", "Stateowned."], False),
        ("inspec-", "tor", [], False),
        ("low-", "pressure", [], True),
        ("24-", "hour", [], True),
        ("Smith-", "Jones", [], True),
        ("north-", "eastern", [], False),
        ("north\u00ad", "sea", ["north-sea"], False),
        ("third-", "party", [], True),
    ],
)
def test_a_hyphen_is_decided_by_the_document_then_by_words(
    before: str, after: str, others: list[str], keeps: bool
) -> None:
    assert Hyphens(others).keeps(before, after) is keeps


def test_hyphens_at_the_ends_of_lines() -> None:
    texts = [
        "The inspec-",
        "tor is appointed by the state-",
        "owned board. The state-owned",
        "board meets monthly.",
    ]
    text = read(partial(lines, x=60, y=700, texts=texts)).text
    assert text.startswith("The inspector is appointed by the state-owned board.")


def test_arabic_and_hebrew_are_read_from_the_right() -> None:
    arabic, hebrew = "تفتح المكتبة في الساعة 9 صباحا.", "הספרייה (הישנה) נפתחת בשעה 10 בבוקר."

    def page(canvas: Canvas) -> None:
        unicode_font(canvas)
        for y, text in ((700, arabic), (650, hebrew)):
            # As a page shows it: mirrored, numbers kept
            shown = text[::-1].translate(str.maketrans("()", ")(")).replace("01", "10")
            canvas.drawRightString(540, y, shown)
        canvas.drawString(60, 600, "The reading room seats 64.")

    text = unicodedata.normalize("NFKC", read(page).text)
    assert arabic in text
    assert hebrew in text
    assert "The reading room seats 64." in text


def test_a_line_follows_the_direction_of_its_paragraph() -> None:
    def page(canvas: Canvas) -> None:
        unicode_font(canvas)
        canvas.drawRightString(540, 700, "הספרייה נפתחת בשעה תשע בבוקר ונסגרת בערב, ולשאלות כתבו"[::-1])
        words = ["אל"[::-1], "reading-room@library.example", "או"[::-1]]
        canvas.drawRightString(540, 680, " ".join(reversed(words)))

    assert read(page).text.endswith("כתבו אל reading-room@library.example או")


def test_lines_of_chinese_are_joined_without_a_space() -> None:
    def page(canvas: Canvas) -> None:
        pdfmetrics.registerFont(UnicodeCIDFont("STSong-Light"))
        canvas.setFont("STSong-Light", 12)
        lines(
            canvas,
            60,
            700,
            ["游泳馆须知", "成人票价三十元，一米二以下儿童", "免费。储物柜押金是二十元人民"],
            18,
        )

    assert read(page).text == "游泳馆须知\n成人票价三十元，一米二以下儿童免费。储物柜押金是二十元人民"


def test_the_order_of_words_of_two_directions() -> None:
    assert logical_order(["64", "דלת", "הספרייה"]) == [2, 1, 0]
    assert logical_order(["The", "word", "שלום", "לכם", "here"]) == [0, 1, 3, 2, 4]


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


# Pages as people make them


def test_an_invoice_keeps_addresses_apart_from_the_table() -> None:
    def page(canvas: Canvas) -> None:
        lines(canvas, 60, 750, ["Heron Supplies Ltd", "14 Quay Street", "Port Ellis"])
        lines(canvas, 340, 750, ["Marsh & Sons", "3 Hill Road", "Upper Fenwick"])
        rows = [
            ["Item", "Qty", "Unit price", "Amount"],
            ["Pump seal, 40 mm", "12", "4.50", "54.00"],
            ["Delivery", "1", "9.00", "9.00"],
        ]
        table(canvas, 640, rows, [60, 260, 330, 420, 520])
        canvas.drawString(332, 590, "Total due")
        canvas.drawRightString(516, 590, "63.00")

    text = read(page).text
    assert "| Item | Qty | Unit price | Amount |" in text
    assert "| Pump seal, 40 mm | 12 | 4.50 | 54.00 |" in text
    assert text.index("Port Ellis") < text.index("Marsh") < text.index("| Item")


def test_a_box_at_the_side_is_read_after_the_text() -> None:
    def page(canvas: Canvas) -> None:
        lines(canvas, 60, 780, wrapped(canvas, f"{LEFT} {RIGHT}", 300))
        canvas.setFont("Helvetica", 8)
        lines(canvas, 400, 776, ["Founded in 1703", "Nine beds", "Open on Sundays", "No dogs"], 10)

    assert read(page).text.startswith(f"{LEFT} {RIGHT}\n\n")


def test_columns_far_apart_are_read_one_after_the_other() -> None:
    left, right = f"{LEFT} {RIGHT}", "in brief: oil the hinges in May. " * 4 + "Call the smith first."

    def page(canvas: Canvas) -> None:
        lines(canvas, 60, 780, wrapped(canvas, left, 240))
        lines(canvas, 400, 780, wrapped(canvas, right, 100))

    assert read(page).text.split("\n\n") == [left, right]


def test_short_paragraphs_under_headings_in_columns() -> None:
    left = [
        "# Opening hours",
        "The tower is open daily from",
        "ten to five. The last ascent",
        "begins at four.",
    ]
    left += ["# Tickets", "Adults pay 7 marks, pupils", "pay 3. Groups of ten or more", "get one free."]
    right = [
        "# Arrival",
        "Take tram 9 to the stop",
        "Old Weir. From there it is",
        "a walk of six minutes along",
    ]
    right += ["the bank.", "# Safety", "Close the trapdoor. In a", "thunderstorm nobody may stay", "aloft."]

    def page(canvas: Canvas) -> None:
        for at in range(9):
            for x, column in ((60, left), (212, right)):
                if at < len(column):
                    canvas.setFont("Helvetica-Bold" if column[at][0] == "#" else "Helvetica", 10)
                    canvas.drawString(x, 760 - 13 * at, column[at].removeprefix("# "))

    text = read(page).text
    assert "The last ascent begins at four." in text
    assert text.index("get one free.") < text.index("Arrival") < text.index("nobody may stay aloft.")


def test_a_large_title_over_a_table_names_no_column() -> None:
    def page(canvas: Canvas) -> None:
        canvas.setFont("Helvetica-Bold", 18)
        canvas.drawCentredString(300, 720, "Hazard register")
        canvas.setFont("Helvetica", 10)
        rows = [["Ref", "Hazard", "Days"], ["H1", "Slates", "4"], ["H2", "Ice", "9"]]
        table(canvas, 698, rows, [60, 200, 400, 480])

    assert read(page).text == (
        "Hazard register\n\n| Ref | Hazard | Days |\n| --- | --- | --- |\n| H1 | Slates | 4 |\n| H2 | Ice | 9 |"
    )


def test_the_bars_of_a_chart_are_no_cells() -> None:
    def page(canvas: Canvas) -> None:
        canvas.line(80, 560, 480, 560)
        canvas.line(80, 560, 80, 700)
        for at, visitors in enumerate((1204, 1530, 2811, 3015)):
            canvas.rect(100 + at * 90, 560, 50, visitors / 30)
            canvas.drawCentredString(125 + at * 90, 565 + visitors / 30, str(visitors))
            canvas.drawCentredString(125 + at * 90, 548, f"Q{at + 1}")

    text = read(page).text
    assert "|" not in text
    assert "Q1 Q2 Q3 Q4" in text


def test_listings_and_leaders_and_line_numbers() -> None:
    def listing(canvas: Canvas) -> None:
        lines(canvas, 60, 780, wrapped(canvas, LEFT, 400))
        canvas.setFont("Courier", 10)
        lines(canvas, 60, 700, ["def mill(grain):", "    return grain * 2", "print(mill(4))"])

    assert "```\ndef mill(grain):\n    return grain * 2\nprint(mill(4))\n```" in read(listing).text

    def contents(canvas: Canvas) -> None:
        for y, title, number in ((700, "Seeds", 3), (680, "Beds and walls", 9), (660, "The tower", 14)):
            canvas.drawString(60, y, title + " ." * (60 - len(title)) + f" {number}")

    assert [line.split("|")[1:3] for line in read(contents).text.splitlines()[-2:]] == [
        [" Beds and walls ", " 9 "],
        [" The tower ", " 14 "],
    ]

    def transcript(canvas: Canvas) -> None:
        for at, line in enumerate(wrapped(canvas, f"{LEFT} {RIGHT} {LEFT}", 250)):
            canvas.drawRightString(70, 700 - 20 * at, str(at + 1))
            canvas.drawString(90, 700 - 20 * at, line)

    assert read(transcript).text == f"{LEFT} {RIGHT} {LEFT}"


def test_names_of_several_lines_stand_over_their_columns() -> None:
    def page(canvas: Canvas) -> None:
        canvas.drawCentredString(370, 730, "July 1, 2023")
        for x0, x1 in ((240, 310), (315, 425), (430, 500)):  # the rule is cut
            canvas.line(x0, 727, x1, 727)
        for right, names in ((300, ["Cost"]), (410, ["Cash and", "Equivalents"]), (490, ["Fair", "Value"])):
            for at, name in enumerate(reversed(names)):
                canvas.drawRightString(right, 700 + 11 * at, name)
        for y, row in ((680, ["Bonds", "1,250", "31", "1,281"]), (660, ["Notes", "420", "7", "427"])):
            canvas.drawString(60, y, row[0])
            for right, value in zip((300, 410, 490), row[1:], strict=True):
                canvas.drawRightString(right, y, value)

    names = ["Cost", "Cash and Equivalents", "Fair Value"]
    assert (
        read(page).text.splitlines()[0] == f"|  | {' | '.join(f'July 1, 2023 › {name}' for name in names)} |"
    )


def test_long_documents_are_read_in_parts() -> None:
    def pages(number: int) -> Draw:
        def page(canvas: Canvas) -> None:
            canvas.drawString(60, 810, "Papers of the society")
            lines(
                canvas,
                60,
                700,
                wrapped(canvas, f"part {number * 7} begins with this. {LEFT} And it ends within", 400),
            )
            canvas.drawString(60, 30, str(number))

        return page

    loaded = read(*[pages(number) for number in range(1, 200)])
    assert loaded.text.count("Papers of the society") == 1
    assert all(
        loaded.text[start:].startswith(f"part {at * 7 + 7} begins")
        for at, start in enumerate(loaded.pages)
        if at
    )
    assert loaded.text.count("ends within part") == 198


def test_what_only_looks_like_a_head_is_kept() -> None:
    def pages(number: int) -> Draw:
        return lambda canvas: lines(
            canvas, 60, 780, [f"Order {number * 31}", "", f"Total due: {number * 12}.50"], 30
        )

    text = read(*[pages(number) for number in range(1, 9)]).text
    assert all(
        f"Order {number * 31}" in text and f"Total due: {number * 12}.50" in text for number in range(1, 9)
    )
