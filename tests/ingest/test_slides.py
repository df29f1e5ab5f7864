"""Presentations: each slide as a person reads it."""

import pptx
import pytest
from pptx.util import Emu

from ingest.formats.office.slides.order import Frame, reading_order
from ingest.load import load
from tests.made_files import saved
from tests.made_office import Extra, chart, graphic_frame, shape, slide_file


def test_groups_and_columns_are_read_in_order() -> None:
    group = (
        '<p:grpSp><p:nvGrpSpPr/><p:grpSpPr><a:xfrm><a:off x="{}" y="{}"/><a:ext cx="{}" cy="{}"/></a:xfrm>'
        "</p:grpSpPr>{}</p:grpSp>"
    )
    steps = shape("2 checks", 3600, 1800, 2200, 900) + shape("1 signs", 900, 1800, 2200, 900)
    inner = group.format(3600, 3600, 2200, 900, shape("Above 80,000", 3600, 3600, 2200, 900))
    columns = shape("Right", 4700, 4990, 3000, 900) + shape("Left", 400, 5000, 3000, 900)
    text = load(slide_file(columns + group.format(900, 1800, 7700, 2700, steps + inner)), "a.pptx").text
    assert text == "## Slide 1\n\n1 signs\n\n2 checks\n\nAbove 80,000\n\nLeft\n\nRight"


@pytest.mark.parametrize(
    ("boxes", "order"),
    [
        # Two columns with a head each
        ([(0, 0, 4, 1), (5, 0, 4, 1), (0, 1, 4, 5), (5, 1, 4, 5)], [0, 2, 1, 3]),
        # Two rows of cards, wider apart than the cards of a row
        ([(0, 0, 2, 2), (3, 0, 2, 2), (0, 4, 2, 2), (3, 4, 2, 2)], [0, 1, 2, 3]),
        # A banner over two columns
        ([(5, 2, 4, 5), (0, 2, 4, 5), (0, 0, 9, 1)], [2, 1, 0]),
        # Overlapping boxes
        ([(0, 2, 9, 9), (0, 0, 9, 9)], [1, 0]),
    ],
)
def test_reading_order(boxes: list[tuple[int, int, int, int]], order: list[int]) -> None:
    assert reading_order([Frame(*box) for box in boxes]) == order


def test_a_chart_is_a_table() -> None:
    frame = graphic_frame('<c:chart r:id="x1"/>')
    loaded = load(slide_file(frame, Extra("chart", "../charts/c.xml", chart(value="23310"))), "a.pptx")
    assert loaded.text == "## Slide 1\n\nSales\n\n| Year | Adults |\n| --- | --- |\n| 2029 | 23310 |"


def test_merged_cells_stand_at_each_of_their_places() -> None:
    deck = pptx.Presentation()
    table = deck.slides.add_slide(deck.slide_layouts[6]).shapes.add_table(3, 3, 0, 0, Emu(9), Emu(9)).table
    for at, text in enumerate(
        ["Hall", "Weekday", "Weekend", "Glass", "10", "12", "Maps", "8 on all days", ""]
    ):
        table.cell(at // 3, at % 3).text = text
    table.cell(2, 1).merge(table.cell(2, 2))
    text = load(saved(deck.save), "a.pptx").text
    assert text.endswith("| Glass | 10 | 12 |\n| Maps | 8 on all days | 8 on all days |")


def test_numbered_paragraphs_and_hidden_slides() -> None:
    item = '<a:p><a:pPr><a:buAutoNum type="{}"/></a:pPr><a:r><a:t>{}</a:t></a:r></a:p>'
    items = item.format("arabicPeriod", "sign") + item.format("arabicPeriod", "check")
    items += "<a:p><a:r><a:t>then</a:t></a:r></a:p>" + item.format("alphaLcParenR", "vote")
    box = shape("X").replace("<a:p><a:r><a:t>X</a:t></a:r></a:p>", items)
    loaded = load(slide_file(box, attributes=' show="0"'), "a.pptx")
    assert loaded.text == "## Slide 1\n\n(Hidden slide)\n\n1. sign\n2. check\n\nthen\n\na) vote"


def test_footers_stand_once() -> None:
    footer = (
        '<p:sp><p:nvSpPr><p:cNvPr id="2" name="F"/><p:cNvSpPr/><p:nvPr><p:ph type="{}"/></p:nvPr></p:nvSpPr>'
        "<p:txBody><a:p><a:r><a:t>{}</a:t></a:r></a:p></p:txBody></p:sp>"
    )
    shapes = footer.format("ftr", "Avocet museum") + footer.format("sldNum", "7") + shape("Body")
    assert load(slide_file(shapes), "a.pptx").text == "## Slide 1\n\nBody\n\nAvocet museum"
