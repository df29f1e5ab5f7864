"""Numbers in the formats of spreadsheets, each with what Excel shows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.formats.office.number_format import displayed, displayed_text, general

EURO = '_-* #,##0.00 [$€-407]_-;-* #,##0.00 [$€-407]_-;_-* "-"?? [$€-407]_-;_-@_-'


@pytest.mark.parametrize(
    ("value", "code", "shown"),
    [
        (90, "00000", "00090"),
        (-3.256, "0.00", "-3.26"),
        (2.5, "0", "3"),
        (-0.4, "0", "0"),
        (0.175, "0.0%", "17.5%"),
        (1234.5, '#,##0.00 "EUR"', "1,234.50 EUR"),
        (1_000_000, "#,##0", "1,000,000"),
        (-3, "#,##0;(#,##0)", "(3)"),
        (0, '#,##0;(#,##0);"-"', "-"),
        (0, "0;0;;", ""),
        (5, "#.##", "5."),
        (0.5, "#.##", ".5"),
        (1_234_567, "#,##0,", "1,235"),
        (1_234_567, '0.0,,"M"', "1.2M"),
        (123_456_789, "000-00-0000", "123-45-6789"),
        (4_155_551_234, "(000) 000-0000", "(415) 555-1234"),
        (1234.5, "[$€-407] #,##0.00", "€ 1,234.50"),
        (1234.5, EURO, "1,234.50 €"),
        (-1234.5, EURO, "-1,234.50 €"),
        (0, EURO, "- €"),
        (12_345_678, "0.00E+00", "1.23E+07"),
        (0.00012, "##0.0E+0", "120.0E-6"),
        (1.75, "# ?/?", "1 3/4"),
        (1.75, "?/?", "7/4"),
        (1.75, "# ?/8", "1 6/8"),
        (150, '[>100]"big";"small"', "big"),
        (50, '[>100]"big";"small"', "small"),
        (5, 'General" kg"', "5 kg"),
        (123, "@", "123"),
        (1 / 3, "General", "0.3333333333"),
        (0.1 + 0.2, "General", "0.3"),
        (12.0, "General", "12"),
        (1e300, "#,##0", "1e+300"),
        (1.260416666666667, "[h]:mm", "30:15"),
        (1.5, "[hh]:mm:ss", "36:00:00"),
        (0.5868055555555556, "h:mm:ss", "14:05:00"),
        (0.0423, "mm:ss.0", "00:54.7"),
        (44197.75, "[$-409]m/d/yy h:mm AM/PM;@", "1/1/21 6:00 PM"),
        (44197, "[$-F800]dddd, mmmm dd, yyyy", "Friday, January 01, 2021"),
        (48031, "dd/mm/yyyy", "02/07/2031"),
        (0.5, 'h" Uhr "mm', "12 Uhr 00"),
        # The day that only spreadsheets know
        (60, "yyyy-mm-dd", "1900-02-29"),
        (61, "yyyy-mm-dd", "1900-03-01"),
        # Excel shows ####
        (-1, "yyyy-mm-dd", "-1"),
        (1e9, "yyyy-mm-dd", "1000000000"),
    ],
)
def test_displayed(value: float, code: str, shown: str) -> None:
    assert displayed(value, code) == shown


def test_dates_from_1904() -> None:
    assert displayed(0, "yyyy-mm-dd", from_1904=True) == "1904-01-01"
    assert displayed(44197 - 1462, "yyyy-mm-dd", from_1904=True) == displayed(44197, "yyyy-mm-dd")


def test_text_in_a_format() -> None:
    assert displayed_text("7", '"No. "@') == "No. 7"
    assert displayed_text("7", "0.00") == "7"


@given(
    st.floats(allow_nan=False, allow_infinity=False),
    st.text('0#?.,%/E+-;@[]h:mys"\\_*$ General>', max_size=12),
)
def test_any_format_writes_any_number(value: float, code: str) -> None:
    assert isinstance(displayed(value, code), str)


@given(st.integers(-(10**14), 10**14))
def test_whole_numbers_keep_their_digits(value: int) -> None:
    assert general(float(value)) == str(value)
    assert displayed(value, "#,##0").replace(",", "") == str(value)
