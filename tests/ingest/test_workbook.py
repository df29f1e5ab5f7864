"""Excel workbooks: values as displayed, tables as a person tells them apart."""

import datetime
import time
from typing import Any

import openpyxl
import pytest
from openpyxl.comments import Comment
from openpyxl.worksheet.table import Table

from ingest.load import load
from tests.made_files import saved, with_member
from tests.made_office import SHEET


def sheet_text(rows: dict[str, Any], **formats: str) -> str:
    """Return the text of a sheet with values at cells, without its heading."""
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    for place, value in rows.items():
        sheet[place] = value
    for place, code in formats.items():
        sheet[place].number_format = code
    return load(saved(book.save), "a.xlsx").text.removeprefix("## Sheet\n\n")


def block(top: int, left: str, *rows: list[Any]) -> dict[str, Any]:
    return {
        f"{chr(ord(left) + at)}{top + down}": v for down, row in enumerate(rows) for at, v in enumerate(row)
    }


def test_values_as_displayed() -> None:
    values = {
        **block(1, "A", ["Contract", "Start", "Hour", "Duration", "Share", "Amount", "Code"]),
        **block(
            2,
            "A",
            ["Knot", datetime.date(2031, 7, 2), 0.5868055555555556, 1.260416666666667, 0.175, 1234.5, 90],
        ),
    }
    text = sheet_text(
        values, B2="dd/mm/yyyy", C2="h:mm:ss", D2="[h]:mm", E2="0.0%", F2='#,##0.00 "EUR"', G2="00000"
    )
    assert text.splitlines()[2] == "| Knot | 02/07/2031 | 14:05:00 | 30:15 | 17.5% | 1,234.50 EUR | 00090 |"


def test_months_name_columns() -> None:
    months = [datetime.date(2031, month, 1) for month in (1, 2)]
    rows = block(1, "A", ["Task", *months], ["Dig", 3, 4], ["Pour", 2, 5])
    assert sheet_text(rows, B1="mmm yyyy", C1="mmm yyyy") == (
        "| Task | Jan 2031 | Feb 2031 |\n| --- | --- | --- |\n| Dig | 3 | 4 |\n| Pour | 2 | 5 |"
    )


def test_twelve_hundred_rows_below_titles_are_one_table() -> None:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.append(["Register of wells"])
    sheet.append(["State of 1 May 2031"])
    sheet.append([])
    sheet.append(["Well", "Depth m", "Inspected"])
    for number in range(1200):
        sheet.append([f"K-{number:04}", number % 400, datetime.date(2020, 1, 1 + number % 28)])
    loaded = load(saved(book.save), "a.xlsx")
    lines = loaded.text.splitlines()
    assert lines[:7] == [
        *("## Sheet", "", "Register of wells", "State of 1 May 2031", ""),
        *("| Well | Depth m | Inspected |", "| --- | --- | --- |"),
    ]
    assert lines[7 + 333] == "| K-0333 | 333 | 2020-01-26 |"
    assert len(lines) == 7 + 1200


def test_tables_below_and_beside_each_other() -> None:
    cells = block(1, "A", ["Name", "Price"], ["Pump", 3], ["Valve", 4])
    cells |= block(1, "D", ["Name", "Phone"], ["Ann", "11"], ["Bob", "12"])
    cells |= {"A6": "Staff of 2031"} | block(7, "A", ["Site", "Staff"], ["Elm", 5])
    assert sheet_text(cells).split("\n\n") == [
        "| Name | Price |\n| --- | --- |\n| Pump | 3 |\n| Valve | 4 |",
        "| Name | Phone |\n| --- | --- |\n| Ann | 11 |\n| Bob | 12 |",
        "Staff of 2031",
        "| Site | Staff |\n| --- | --- |\n| Elm | 5 |",
    ]


def test_blank_rows_and_columns_inside_a_table() -> None:
    cells = block(1, "A", ["Item", "2023"]) | block(1, "D", ["2024"]) | block(3, "A", ["Pump", 3]) | {"D3": 4}
    cells |= block(5, "A", ["Sum", 7]) | {"D5": 8}
    assert (
        sheet_text(cells) == "| Item | 2023 | 2024 |\n| --- | --- | --- |\n| Pump | 3 | 4 |\n| Sum | 7 | 8 |"
    )


def test_a_total_below_a_blank_row_belongs_to_its_table() -> None:
    cells = block(2, "B", ["Code", "Item", "Value"], ["00417", "Pump", 3]) | block(5, "C", ["Total", 3])
    assert sheet_text(cells) == (
        "| Code | Item | Value |\n| --- | --- | --- |\n| 00417 | Pump | 3 |\n|  | Total | 3 |"
    )


def test_a_remark_below_a_table_is_no_row() -> None:
    cells = block(
        1, "A", ["a", "b", "c"], ["x", 1, 2], ["y", 3, 4], ["* Source: survey of the water office, 2031"]
    )
    table, remark = sheet_text(cells).split("\n\n")
    assert table.count("\n") == 3
    assert remark == "* Source: survey of the water office, 2031"


def test_merged_cells_comments_and_hidden_parts() -> None:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    for row in [["Region", "Sales", None], [None, "2018", "2019"], ["North", 1, 2], [None, 3, 4]]:
        sheet.append(row)
    for area in ("A1:A2", "B1:C1", "A3:A4"):
        sheet.merge_cells(area)
    sheet["B4"].comment = Comment("measured in drought", "Ann")
    sheet.row_dimensions[4].hidden = True
    book.create_sheet("Old")["A1"] = "kept"
    book["Old"].sheet_state = "hidden"
    assert load(saved(book.save), "a.xlsx").text == (
        "## Sheet\n\n(Hidden: row 4)\n\n"
        "| Region | Sales › 2018 | Sales › 2019 | Comments |\n| --- | --- | --- | --- |\n"
        "| North | 1 | 2 |\n| North | 3 | 4 | B4, Ann: measured in drought |\n\n"
        "## Old\n\n(Hidden sheet)\n\nkept"
    )


def test_a_table_that_the_workbook_defines() -> None:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    for row in [["Name", "Price"], ["Pump", 3], ["below", 4]]:
        sheet.append(row)
    sheet.add_table(Table(displayName="Price_list", ref="A1:B2"))
    text = load(saved(book.save), "a.xlsx").text
    assert text == "## Sheet\n\nPrice list\n\n| Name | Price |\n| --- | --- |\n| Pump | 3 |\n\nbelow: 4"


def test_stored_values_of_formulas() -> None:
    book = openpyxl.Workbook()
    book.worksheets[0].append(["sum", "=1+1"])
    data = saved(book.save)
    loaded = load(data, "a.xlsx")
    assert loaded.text == "## Sheet\n\nsum: =1+1"
    assert [omission.kind for omission in loaded.omissions] == ["formula without a stored value"]
    cells = '<c r="A1" t="str"><f>"s"</f><v>sum</v></c><c r="B1"><f>1+1</f><v>2</v></c>'
    space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    sheet = f'<worksheet xmlns="{space}"><sheetData><row r="1">{cells}</row></sheetData></worksheet>'
    assert load(with_member(data, SHEET, sheet.encode()), "a.xlsx").text == "## Sheet\n\nsum: 2"


@pytest.mark.parametrize("area", ["A1:XFD1048576", "A1:A1048576"])
def test_a_huge_merged_area_costs_nothing(area: str) -> None:
    book = openpyxl.Workbook()
    book.worksheets[0].append(["a", "b"])
    book.worksheets[0].append(["c", "d"])
    book.worksheets[0].merged_cells.add(area)
    started = time.thread_time()
    assert "a" in load(saved(book.save), "a.xlsx").text
    assert time.thread_time() - started < 2


def test_a_hundred_thousand_cells_take_seconds() -> None:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("S")
    sheet.append([f"c{at}" for at in range(20)])
    for row in range(5000):
        sheet.append([row * 20 + at for at in range(20)])
    data = saved(book.save)
    started = time.thread_time()
    text = load(data, "a.xlsx").text
    assert time.thread_time() - started < 10  # ten times the usual
    assert text.count("\n") == 5003
