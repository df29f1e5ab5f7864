"""Rows of CSV files as they are written by people and programs."""

import json

import pytest

from ingest.formats.file_text import Omission
from ingest.load import load
from rag.errors import UnreadableFile


def rows(text: str) -> str:
    return load(text.encode(), "a.csv").text


def test_open_quote_swallows_no_rows() -> None:
    loaded = load(b'Article,Size,Stock\nHose,"3 inch,14\nClamp,2 inch,55\nNozzle,1 inch,70\n', "a.csv")
    assert loaded.text == (
        '| Article | Size | Stock |\n| --- | --- | --- |\n| Hose | "3 inch | 14 |\n'
        "| Clamp | 2 inch | 55 |\n| Nozzle | 1 inch | 70 |"
    )
    named = Omission("quote without an end, read as a character", "line 2, cell 2 (Size)")
    assert loaded.omissions == (named,)


def test_quotes_within_quotes() -> None:
    text = rows('a,b,c\n1,"x "y, z" w",3\n2,"3" pipe,4\n5,"ok, ""fine""",6\n9,"two\nlines",10\n')
    assert text.split("\n")[2:] == [
        '| 1 | x "y, z" w | 3 |',
        '| 2 | "3" pipe | 4 |',
        '| 5 | ok, "fine" | 6 |',
        "| 9 | two lines | 10 |",
    ]


@pytest.mark.parametrize(
    ("source", "first"),
    [
        ("1,5;2,5\n3,5;4,5\n", "|  |  |"),
        ("sep=;\r\na;b\r\n1,5;2\r\n", "| a | b |"),
        ("\ufeffa,b\n1,2\n", "| a | b |"),
        ("Wells of the valley;;\n\nWell;Depth;Note\nW1;1,5;ok, dry\nW2;2,5;x\n", "Wells of the valley"),
        ("Report, all sites\nid,name,n\n1,A,3\n2,B,4\n", "Report, all sites"),
        ("id\tname\n1\ta, b\n2\tc, d\n", "| id | name |"),
    ],
)
def test_first_lines(source: str, first: str) -> None:
    assert rows(source).split("\n")[0] == first


def test_row_of_units_belongs_to_the_header() -> None:
    assert rows("Station,Depth,Temp\n,m,[°C]\nA,3,4\n") == (
        "| Station | Depth › m | Temp › [°C] |\n| --- | --- | --- |\n| A | 3 | 4 |"
    )
    assert rows("Code,Sex\nA,m\nB,f\n").startswith("| Code | Sex |\n")


def test_tables_of_one_width_stay_apart() -> None:
    assert rows("Name;Wage;\nAda;12;\n;;\nReturns;;\nArticle;Date;Kind\nRope;2031-05-01;new\n") == (
        "| Name | Wage |\n| --- | --- |\n| Ada | 12 |\n\n"
        "Returns\n\n| Article | Date | Kind |\n| --- | --- | --- |\n| Rope | 2031-05-01 | new |"
    )
    assert rows("Name,Wage\nAda,12\n\nBo,13\nCy,14\n").endswith("| Ada | 12 |\n| Bo | 13 |\n| Cy | 14 |")


def test_several_tables_in_a_file() -> None:
    text = rows("Sites\nName,Depth\nA,3\nB,4\n\n\nStaff\nName,Role,Since\nAnn,Chief,2030\nBob,Cook,2031\n")
    assert text == (
        "Sites\n\n| Name | Depth |\n| --- | --- |\n| A | 3 |\n| B | 4 |\n\n"
        "Staff\n\n| Name | Role | Since |\n| --- | --- | --- |\n| Ann | Chief | 2030 |\n| Bob | Cook | 2031 |"
    )


def test_bad_json_line_is_named() -> None:
    lines = b'{"a":"one"}\n{"a":"two"}\n{"a": "broken\n{"a":"four"}\n'
    for name in ("a.jsonl", "a.json"):
        with pytest.raises(
            UnreadableFile, match="not valid JSON Lines: Unterminated string at line 3, column 7"
        ):
            load(lines, name)


def test_json_rows_and_nested_records() -> None:
    grid = {"data": [["Well", "Depth"], ["W1", 3], ["W2", 4]]}
    expected = "## data\n\n| Well | Depth |\n| --- | --- |\n| W1 | 3 |\n| W2 | 4 |"
    assert load(json.dumps(grid).encode(), "a.json").text == expected
    people = [{"name": "Ann", "at": {"city": "Bonn"}}, {"name": "Bob", "at": {"city": "Ulm"}}]
    expected = "## Ann\n\nname: Ann\nat.city: Bonn\n\n## Bob\n\nname: Bob\nat.city: Ulm"
    assert load(json.dumps(people).encode(), "a.json").text == expected
