from __future__ import annotations

import pytest

from eval.datasets import available, records
from rag.text.protect import FACT, NAME, find_blocks, find_words, protection


def ranked(text: str, rank: int) -> list[str]:
    words = find_words(text)
    return [text[s:e] for (s, e), own in zip(words, protection(text, words), strict=True) if own == rank]


def blocks(text: str) -> list[str]:
    return [text[start:end].strip("\n") for start, end in find_blocks(text)]


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        ("she paid 3,100 EUR on 3 May 2021 for it", ["3,100", "EUR", "3", "2021"]),
        ("seven of twelve members left in july", ["seven", "twelve", "july"]),
        ("a rise of 4.5 percent after two years", ["4.5", "percent", "two", "years"]),
        ("we did not approve the plan and never will", ["not", "approve", "never", "will"]),
        ("it doesn't work without power", ["doesn't", "work", "without", "power"]),
        ("he said no, and left", ["no,"]),
        ("nothing here", ["nothing", "here"]),
        ("knots and notes of the nonesuch", []),
    ],
)
def test_facts(text: str, facts: list[str]) -> None:
    assert ranked(text, FACT) == facts


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Yesterday the painter met Ada Lovelace in Turin.", ["Ada", "Lovelace", "Turin."]),
        ("Marie Curie was born in Warsaw.", ["Marie", "Curie", "Warsaw."]),
        ("The house was red. Nobody lived in it.", []),
        ("Bees live in hives. Honey is sold.", []),
        ("We asked Turin. Turin did answer.", ["Turin.", "Turin"]),
        ("He and I saw it", []),
        ("set max_tokens in ibid.toml or call parseHeader() at https://example.org/x", [
            "max_tokens", "ibid.toml", "parseHeader()", "https://example.org/x",
        ]),
        ("the NASA probe and the `rate` flag", ["NASA", "`rate`"]),
        ("How To Keep Your Bees Warm In Cold Winters", []),
    ],
)  # fmt: skip
def test_names_and_identifiers(text: str, names: list[str]) -> None:
    assert ranked(text, NAME) == names


BEFORE, AFTER = (
    "The figures are shown below and speak for themselves.",
    "They were checked by the committee (twice).",
)
TABLE = "| city | inhabitants |\n|---|---|\n| Bonn | 330,000 |"
TABS = "city\tinhabitants\tarea\nBonn\t330000\t141"
COLUMNS = "city        inhabitants\nBonn        330,000"
CSV = "city,inhabitants,area\nBonn,330000,141"
JSON = '{\n  "city": "Bonn",\n  "areas": [\n    "Mitte",\n    "Beuel"\n  ]\n}'
JSON_LINE = '{"city": "Bonn", "inhabitants": 330000}'
PYTHON = "def area(city):\n    total = 0\n    for part in city.parts:\n        total += part.area\n    return total"
FENCED = "```\nany words at all\n\nand more\n```"
C = '#include <stdio.h>\nint main(void) {\n    printf("hello");\n}'
SHELL = "$ make install\n$ ibid serve"
SQL = "SELECT name, area\nFROM cities\nWHERE area > 100\nORDER BY name;"
INSERT = "INSERT INTO cities (name) VALUES ('Bonn');"


@pytest.mark.parametrize(
    "block", [TABLE, TABS, COLUMNS, CSV, JSON, JSON_LINE, FENCED, C, SHELL, SQL, INSERT], ids=lambda b: b[:12]
)
def test_blocks_are_found_whole_and_prose_around_them_is_not(block: str) -> None:
    assert blocks(f"{BEFORE}\n{block}\n{AFTER}") == [block]
    assert blocks(block) == [block]


def test_python_is_found_but_for_bare_words() -> None:
    found = "\n".join(blocks(f"{BEFORE}\n{PYTHON}\n{AFTER}"))
    assert {"def area(city):", "    total = 0", "        total += part.area"} <= set(found.split("\n"))
    assert BEFORE not in found
    assert AFTER not in found


def test_json_and_sql_within_a_line() -> None:
    assert blocks('Set it to {"a": 1, "b": "x"} and go on.') == ['{"a": 1, "b": "x"}']
    assert blocks("Run SELECT a FROM b; and look.") == ["SELECT a FROM b;"]


@pytest.mark.parametrize(
    "prose",
    [
        "The following applies: the buyer pays (in full).",
        "(a) the Seller shall deliver the goods (as defined above) to the Buyer;",
        "for example:\nwith effect from the date of delivery:\nif applicable:",
        '"Come in," said the fox.\n"I will," said the hen.\n"Never."',
        "- one thing, and another\n- a third thing",
        "Select the right answer from the list.\nReturn the form to us.\nImport duties rose. Class was dismissed.",
        "Dear Sir,\n\nthank you for your letter.\n\nYours",
        "",
        " \n\n ",
    ],
)
def test_prose_is_no_block(prose: str) -> None:
    assert blocks(prose) == []


def test_blocks_are_disjoint_and_ordered_and_words_lie_outside() -> None:
    text = f"{BEFORE}\n{TABLE}\n{AFTER}\n{SQL}\n\n{JSON}\n{BEFORE}"
    found = find_blocks(text)
    ends = [0]
    for start, end in found:
        assert ends[-1] <= start < end
        ends.append(end)
    inside = set().union(*(range(s, e) for s, e in found))
    words = find_words(text, found)
    assert not any(place in inside for s, e in words for place in range(s, e))
    outside = "".join(c for place, c in enumerate(text) if place not in inside)
    assert "".join(text[s:e] for s, e in words) == "".join(outside.split())


def test_words_of_scripts_without_spaces_and_of_endless_runs() -> None:
    assert [e - s for s, e in find_words("東京 is big")] == [1, 1, 2, 3]
    assert [e - s for s, e in find_words("x" * 450)] == [200, 200, 50]
    assert find_words(" \n\t") == []


@pytest.mark.skipif(not available("reading"), reason="the public data sets are not beside this checkout")
def test_public_prose_has_hardly_any_blocks() -> None:
    contexts = list(dict.fromkeys(r["context"] for r in records("reading/squad-dev.jsonl.gz")))
    share = sum(e - s for c in contexts for s, e in find_blocks(c)) / sum(map(len, contexts))
    assert share < 0.005, [c[s:e] for c in contexts for s, e in find_blocks(c)][:5]
