"""Periods mean the same however they are written."""

import pytest

from rag.text.names import document_label, names_in
from rag.text.periods import periods_in


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Q3 2023", {"Q3", "2023"}),
        ("2023 Q3 INTC", {"Q3", "2023"}),
        ("the third quarter of 2023", {"Q3", "2023"}),
        ("first-quarter 2024", {"Q1", "2024"}),
        ("the 2nd fiscal quarter", {"Q2"}),
        ("3Q23", {"Q3", "2023"}),
        ("3Q2023", {"Q3", "2023"}),
        ("Q3'23", {"Q3", "2023"}),
        ("FY23", {"2023"}),
        ("Q3 FY2023", {"Q3", "2023"}),
        ("September 30, 2023", {"09-30", "2023"}),
        ("30 Sept. 2023", {"09-30", "2023"}),
        ("2023-09-30", {"09-30", "2023"}),
        ("2023 09 30 minutes", {"09-30", "2023"}),
        ("the first half of 2023", {"H1", "2023"}),
        ("1H23", {"H1", "2023"}),
        ("H2-2023", {"H2", "2023"}),
        ("second-half 2023", {"H2", "2023"}),
        ("H1 of 2023", {"H1", "2023"}),
        ("2023 H1 and 2H'24", {"H1", "H2", "2023", "2024"}),
        ("an H2 tank within 2h", set()),
        ("the 4th of July", set()),
        ("Q33, 13Q, A4 and 9999-99-99", set()),
        ("20230 and 12023", set()),
        ("May I come?", set()),
    ],
)
def test_a_period_has_one_name(text: str, names: set[str]) -> None:
    assert {period.name for period in periods_in(text)} == names


def test_a_period_stands_where_it_is_found() -> None:
    text = "Was the margin in the third quarter of 2023 higher?"
    assert [text[one.start : one.end] for one in periods_in(text)] == ["third quarter", "2023"]


def test_names_of_an_opening() -> None:
    opening = (
        "QUARTERLY REPORT\n\nThe report of Oskel (OSKL) for the quarter ended June 30, 2023. However, short."
    )
    assert names_in(opening).split() == [
        *("QUARTERLY", "REPORT", "Oskel", "(OSKL)", "June", "30,", "2023.", "06-30", "2023"),
    ]


def test_a_label_keeps_the_number_of_a_version() -> None:
    assert document_label("manuals/heron-x2_v1.4.pdf", {}) == "manuals heron x2 v1.4"
