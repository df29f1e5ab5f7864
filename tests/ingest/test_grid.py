"""A table of any format as a grid: where its cells stand, and how it is written."""

import re

from hypothesis import given
from hypothesis import strategies as st

from ingest.formats.grid import (
    Cell,
    header_row_count,
    is_number,
    lay_out,
    write_inline,
    write_rows,
    write_table,
)

WORDS = st.lists(
    st.lists(
        st.tuples(st.integers(0, 4), st.integers(1, 3), st.integers(1, 3), st.booleans()),
        min_size=1,
        max_size=4,
    ),
    min_size=1,
    max_size=5,
)


@given(WORDS)
def test_every_text_is_written(drawn: list[list[tuple[int, int, int, bool]]]) -> None:
    """Whatever is a title, a header or a value: nothing is lost."""
    cells = [
        [
            Cell(f"w{row}x{at}x" if filled else "", rows, columns, heads)
            for at, (filled, rows, columns, heads) in enumerate(line)
        ]
        for row, line in enumerate(drawn)
    ]
    texts = {cell.text for line in cells for cell in line if cell.text}
    grid = lay_out(cells)
    reached = {cell.text for line in grid for cell in line if cell.text}
    assert reached == texts
    for written in (write_table(grid), write_rows(grid), write_inline(grid)):
        assert set(re.findall(r"w\dx\dx", written)) == texts


def test_spans_are_filled() -> None:
    a, b, c, d = Cell("a", rows=2), Cell("b", columns=2), Cell("c"), Cell("d")
    assert lay_out([[a, b], [c, d]]) == [[a, b, b], [a, c, d]]


def test_titles_header_levels_and_empty_cells() -> None:
    year = Cell("2018", columns=2)
    rows = lay_out(
        [
            [Cell("Net sales"), Cell("")],
            [Cell("Site", rows=2), year],
            [Cell("Q1"), Cell("Q2")],
            [Cell("Elm"), Cell(""), Cell("4")],
        ]
    )
    assert write_table(rows, caption="Table 1") == (
        "Table 1\nNet sales\n\n| Site | 2018 › Q1 | 2018 › Q2 |\n| --- | --- | --- |\n| Elm |  | 4 |"
    )


def test_a_row_over_the_whole_width_heads_its_group_of_rows() -> None:
    names = [Cell(text, heads=True) for text in ("Room", "2030", "2031")]
    groups = [[Cell(floor, columns=3, heads=True)] for floor in ("Ground floor", "Upper floor")]
    hall, attic = [Cell("Hall"), Cell("12"), Cell("14")], [Cell("Attic"), Cell("3"), Cell("4")]
    assert write_table(lay_out([names, groups[0], hall, groups[1], attic])).split("\n") == [
        "| Room | 2030 | 2031 |",
        "| --- | --- | --- |",
        "| Ground floor |  |",
        "| Hall | 12 | 14 |",
        "| Upper floor |  |",
        "| Attic | 3 | 4 |",
    ]


def test_a_header_of_one_name_is_no_title() -> None:
    rows = [[Cell("", heads=True), Cell("Adults", heads=True)], [Cell("2029"), Cell("7")]]
    assert write_table(rows, header_rows=1) == "|  | Adults |\n| --- | --- |\n| 2029 | 7 |"


def test_single_rows_and_inner_tables_are_lines() -> None:
    assert write_rows([[Cell("Issued by"), Cell("Grebe")]]) == "Issued by: Grebe"
    assert write_rows([[Cell("Name:"), Cell("Ann")]]) == "Name: Ann"
    assert write_rows([[Cell(text) for text in "abc"]], caption="T") == "T\n\na, b, c"
    assert write_inline([[Cell("Size"), Cell("3")], [Cell("Weight"), Cell("4")]]) == "Size: 3; Weight: 4"
    three = [
        [Cell(text) for text in row]
        for row in (["Part", "Size", "Weight"], ["Pump", "", "4"], ["Seal", "2", ""])
    ]
    assert write_inline(three) == "Part: Pump, Weight: 4; Part: Seal, Size: 2"


def test_rows_that_already_hold_values_are_no_header() -> None:
    assert header_row_count([[Cell("Elm"), Cell("3")], [Cell("Oak"), Cell("4")]]) == 0
    assert header_row_count([[Cell("Site"), Cell("2018")], [Cell("Oak"), Cell("4")]]) == 1


def test_numbers() -> None:
    assert all(map(is_number, ["1,250", "(3.5)", "$ 12", "40 kg", "17.5%", "-3"]))
    assert not any(map(is_number, ["2018", "FY 2018", "K-0333", "Elm", ""]))


def test_spans_without_end_are_not_believed() -> None:
    spanning = [[Cell("x", rows=10_000, columns=10_000)] for _ in range(1_000)]
    assert sum(map(len, lay_out(spanning))) < 400_000
