"""PDFs are read by where things stand on the page."""

import unicodedata
from functools import partial

import pytest
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

from ingest.formats.file_text import FileText
from ingest.formats.pdf.hyphens import Hyphens
from ingest.formats.pdf.page.direction import logical_order
from ingest.load import load
from tests.made_boxes import unpack
from tests.made_pdfs import LEFT, RIGHT, SITES, Draw, drawn, lines, table, unicode_font, wrapped


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
