"""Rows of tables: found, spelled out for models, shown to people, and traced back to the words of the text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.chunking.blocks import markdown_blocks
from ingest.formats.markdown import table_row
from rag.text.tables import (
    cells_of,
    find_rows,
    is_rule,
    is_shown,
    original_span,
    row_at,
    rows_of,
    spelled_hit,
    spelled_out,
    split_units,
    unescaped,
)
from rag.types import Chunk, Hit

WATER = """# Sites

Use of water, 2031

| Site | Water m³ | Staff |
| --- | --- | --- |
| North |  |  |
| Walnut | 49,064 | 280 |
| Tulip |  | 12 \\| 3 |

Figures by A. B. Quill. They are checked.
"""


def test_a_row_reads_with_its_columns_section_and_caption() -> None:
    north, walnut, tulip = find_rows(WATER)

    assert WATER[walnut.start : walnut.end] == "Walnut | 49,064 | 280"
    assert (walnut.section, walnut.caption) == ("North", "Use of water, 2031")
    assert walnut.spelled == "North, Site Walnut: Water m³ 49,064; Staff 280"
    assert walnut.shown() == "Walnut · Water m³: 49,064 · Staff: 280"
    # An empty cell moves no other under its heading, and a bar within a cell is none
    assert tulip.shown() == "Tulip · Staff: 12 | 3"
    assert (north.spelled, north.section) == ("Site North", "")
    assert walnut.shown([walnut.values[2]]) == "Walnut · Staff: 280"


def test_rows_far_from_their_header_get_it_from_above() -> None:
    [row] = find_rows("| W-0777 | 193 |\n", "Wells of the district\n| Well | Depth m |\n", start=40)
    assert (row.spelled, row.start, row.caption) == (
        "Well W-0777: Depth m 193",
        42,
        "Wells of the district",
    )
    [bare] = find_rows("| W-0777 | 193 |\n")
    assert bare.spelled == "W-0777: 193"
    [first, second] = find_rows("| a | b |\n| --- | --- |\n| 1 | 2 |\n\n| c | d |\n|:-:|--|\n| 3 | 4 |")
    assert (first.spelled, second.spelled) == ("a 1: b 2", "c 3: d 4")


def test_a_spelled_text_is_traced_back_to_the_original() -> None:
    made, origins = spelled_out(WATER, find_rows(WATER))

    assert "North, Site Walnut: Water m³ 49,064; Staff 280\n" in made
    assert "---" not in made
    for words in ("280", "Walnut", "They are checked.", "Use of water"):
        at = made.index(words)
        start, end = original_span(origins, at, at + len(words)) or (0, 0)
        assert WATER[start:end] == words
    # From cell to cell, what stands between them in the text
    at = made.index("49,064; Staff 280")
    start, end = original_span(origins, at, at + len("49,064; Staff 280")) or (0, 0)
    assert WATER[start:end] == "49,064 | 280"
    name = made.index("Water m³")
    assert original_span(origins, name, name + len("Water m³")) is None


def test_a_hit_knows_its_rows_by_its_chunk() -> None:
    chunk = Chunk("id", "a.md", 1, 9, len(WATER), WATER[9:])
    header = WATER.index("| Site")
    # The header without its rule, as trimming may leave it
    cut = Hit(chunk, header, header + 30, WATER[header : header + 30], 1.0, "trimmed")
    assert rows_of(cut) == []
    row = WATER.index("| Walnut")
    # Over the end of its chunk
    short = Chunk("id", "a.md", 1, 9, row, WATER[9:row])
    [walnut] = rows_of(Hit(short, row, row + 27, WATER[row : row + 27], 1.0, "trimmed"))
    assert walnut.spelled == "North, Site Walnut: Water m³ 49,064; Staff 280"
    assert WATER[walnut.start : walnut.end] == "Walnut | 49,064 | 280"
    made, origins = spelled_hit(Hit(chunk, row, len(WATER), WATER[row:], 1.0, "trimmed"))
    assert made.startswith("North, Site Walnut: Water m³ 49,064; Staff 280\nNorth, Site Tulip")
    start, end = original_span(origins, made.index("280"), made.index("280") + 3) or (0, 0)
    assert WATER[row + start : row + end] == "280"


def test_a_row_of_a_document_is_known_by_its_span() -> None:
    walnut = find_rows(WATER)[1]
    found = row_at(WATER, walnut.start, walnut.end)
    assert found is not None
    assert found.values == walnut.values
    # A span may end within a cell, but not within another row
    cut = row_at(WATER, walnut.start, walnut.end - 1)
    assert cut is not None
    assert cut.shown() == "Walnut · Water m³: 49,064 · Staff: 28"
    assert row_at(WATER, walnut.start, walnut.end + 4) is None
    assert row_at(WATER, 3, 8) is None
    for shown in (walnut.shown(), "Walnut · Staff: 280", "Walnut · 49,064", "Site: Walnut"):
        assert is_shown(walnut, shown)
    for wrong in (
        "Walnut · Staff: 49,064",
        "Walnut · Water m³: 49,06",
        "Staff: 280 · Walnut",
        "Walnut · ",
        "Walnut · Water m³: 49,064 · Staff: 280 · and more",
        "",
    ):
        assert not is_shown(walnut, wrong)


def test_a_shown_cell_may_begin_another() -> None:
    [row] = find_rows("|  |  |  |\n|---|---|---|\n| ship | 1 | 12 |\n")
    assert row.shown([row.values[2]]) == "ship · 12"
    assert is_shown(row, "ship · 12")
    [row] = find_rows("|  |  |  |\n|---|---|---|\n| ship | a | a · b |\n")
    assert is_shown(row, "ship · a · b")
    assert not is_shown(row, "ship · b")


TABLE = "| Site | Water |\n|---|---|\n| Walnut | 49 |\n| - | - |\n| Tulip | 12 |\n"


@pytest.mark.parametrize(
    "text",
    [
        TABLE,
        f"# Sites\n{TABLE}",  # no blank line above
        f"Use of water\n \n{TABLE}",
        f"# Sites\n\nA text.\n\n{TABLE}".replace("\n", "\r\n"),
        f"| A | B |\n|---|---|\n| 1 | 2 |\n{TABLE}",  # two tables, nothing between them
        f"| Use of water |  |\n{TABLE}",
    ],
)
def test_a_row_has_the_names_of_its_columns_wherever_its_table_stands(text: str) -> None:
    rows = find_rows(text)
    walnut, tulip = (next(row for row in rows if row.values[0].text == name) for name in ("Walnut", "Tulip"))
    assert (walnut.shown(), tulip.shown()) == ("Walnut · Water: 49", "Tulip · Water: 12")
    for row in rows:
        found = row_at(text, row.start, row.end)
        assert found is not None
        assert found.values == row.values


def test_a_text_may_begin_within_a_row() -> None:
    [x, y] = find_rows("| Staff |\n|---|---|\n| Walnut | 280 |\n")
    assert (x.shown(), y.shown()) == ("Staff", "Walnut · 280")


def test_a_context_holds_for_its_chunk_alone() -> None:
    text = "| a | b |\n|---|---|\n| 1 | 2 |\n\nProse.\n\n| x | y |\n|---|---|\n| 5 | 6 |\n| 7 | 8 |\n"
    at = text.index("| 7")
    chunk = Chunk("id", "a.md", 1, at, len(text), text[at:], context="| x | y |")
    for start, shown in ((text.index("| 1"), ["1 · 2", "5 · y: 6", "7 · y: 8"]), (0, None)):
        rows = rows_of(Hit(chunk, start, len(text), text[start:], 1.0, "trimmed"))
        assert [row.shown() for row in rows] == (shown or ["1 · b: 2", "5 · y: 6", "7 · y: 8"])


def test_a_bar_in_a_cell_is_read_as_it_is_written() -> None:
    cells = ["C:\\", "a\\|b", "|", "x"]
    assert [unescaped(text) for _, _, text in cells_of(table_row(cells))] == cells


def test_long_lines_of_dashes_take_linear_time() -> None:
    line = "|" + "- " * 200_000 + "x"
    assert not is_rule(line)
    assert [row.values[0].text[:3] for row in find_rows(line)] == ["- -"]
    assert len(markdown_blocks(f"a | b\n- | -{' ' * 200_000}x\n")) == 1


def test_a_row_is_one_unit_whatever_stands_in_it() -> None:
    text = (
        "Before. After it.\n| A | No. 5. It is red. Then |\n| --- | --- |\n| B | x. Y. Z |\nThe end. Is here."
    )
    units = split_units(text)
    assert "".join(text[start:end] for start, end in units) == text
    assert [text[start:end].strip() for start, end in units] == [
        "Before.",
        "After it.",
        "| A | No. 5. It is red. Then |",
        "| --- | --- |",
        "| B | x. Y. Z |",
        "The end.",
        "Is here.",
    ]


def test_cells_keep_their_places() -> None:
    assert cells_of("| a |  | b\\|c |") == [(2, 3, "a"), (7, 7, ""), (9, 13, "b\\|c")]
    assert [text for _, _, text in cells_of("|a|b")] == ["a", "b"]


LINES = st.lists(
    st.sampled_from(["| a | b |", "|---|---|", "| 1 |  | x \\| y |", "Prose. More.", "", "# Head", "|", "||"])
)


@given(LINES, LINES)
def test_spelling_out_never_loses_a_place(above: list[str], lines: list[str]) -> None:
    text = "\n".join(lines)
    made, origins = spelled_out(text, find_rows(text, "\n".join(above)))
    for start, end, origin in origins:
        assert made[start:end] == text[origin : origin + end - start]
    for row in find_rows(text):
        assert (at := row_at(text, row.start, row.end)) is not None
        assert is_shown(at, row.shown())
    for row in find_rows(text, "\n".join(above)):
        assert is_shown(row, row.shown())
        for value in row.values:
            assert text[value.start : value.end].replace("\\|", "|") == value.text
    assert "".join(text[start:end] for start, end in split_units(text)) == text
