"""What the evidence model learns from: cases whose spans answer, rows, what a search finds, and windows."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.benchmarks.yardstick.lookups import is_lookup
from eval.datasets import table_held_back
from rag.models.evidence import EVIDENCE_WINDOW, PLACE_TOKENS
from rag.text.tables import find_rows
from tests.training.made_cases import LAMP, assert_sound, lamp_case, needs_data
from training.evidence.__main__ import SHARES
from training.evidence.cases import Case, LabelledPassage, passage, silent, units_of
from training.evidence.mined import Wanted, mine, mined_cases, stored, written
from training.evidence.records import FORMS, Attribute, record_cases
from training.evidence.sources import READ, SourcedCase
from training.evidence.tables import SETS, LabelledTable, as_table, shown, spell, table_sources
from training.evidence.vary import Varied
from training.evidence.windows import LabelledWindow, collate, encode, tokens

# cases


def test_units_with_a_span_answer() -> None:
    made = passage("lamp", LAMP, [(0, 8), (26, 30), (0, 8)])
    assert [LAMP[start:end] for start, end in made.units] == [
        part.strip(" ") for part in re.split(r"(?<=\.) ", LAMP)
    ]
    assert (made.answering, made.spans, made.about) == (frozenset({0, 1}), ((0, 8), (26, 30)), True)
    # A span over two sentences makes both answer
    assert passage("", LAMP, [(20, 30)]).answering == frozenset({0, 1})
    nothing = silent("lamp", LAMP, None)
    assert (nothing.answers, nothing.spans, nothing.units) == (False, (), units_of(LAMP))
    assert LabelledPassage("", LAMP, units_of(LAMP), None).answers
    assert Case("?", (nothing, made)).answerable
    assert not Case("?", (nothing,)).answerable


@needs_data
@pytest.mark.parametrize("name", [name for name in SHARES if name not in SETS])
def test_the_spans_of_each_set_stand_in_units_that_answer(name: str) -> None:
    sources = list(islice(READ[name](name), 25))
    assert sources
    for source in sources:
        assert source.set == name
        assert_sound(source.case)


@needs_data
def test_varied_cases_are_sound() -> None:
    sources = [
        source
        for name in ("squad-train", "policyqa-train", "boolq-train", "nomiracl-en")
        for source in islice(READ[name](name), 40)
    ]
    varied, rng = Varied(sources), random.Random(3)
    made = [varied.vary(source, rng) for source in sources * 3]
    for case in made:
        assert_sound(case)
    assert 0.1 < sum(not case.answerable for case in made) / len(made) < 0.6
    assert sum(len(case.passages) > 1 for case in made) > len(made) / 4


# made documents


@pytest.fixture(scope="module")
def made() -> list[Case]:
    return list(record_cases(random.Random("test"), 200))


def asked_in(case: Case) -> Iterator[tuple[str, Attribute]]:
    """Yield the subject of a question and the attribute asked for, in each way that it can be understood."""
    for form in FORMS:
        for attribute in form.attributes:
            for template in attribute.asked:
                before, after = template.split("{s}")
                pattern = f"{re.escape(before)}(.+){re.escape(after)}"
                if found := re.fullmatch(pattern, case.question, re.IGNORECASE):
                    yield found[1], attribute


def plain(text: str) -> str:
    return text.casefold().removeprefix("the ").replace(" in ", " ")


def names(one: LabelledPassage, subject: str) -> bool:
    return plain(subject) in plain(f"{one.place}\n{one.text}")


def value_pattern(attribute: Attribute) -> str:
    kind, *bounds = attribute.kind
    if kind in ("number", "decimal", "money", "date", "time"):
        return r"[^.]*\d[^;]*"
    if kind in ("person", "city"):
        return r"[A-Z]\w+( [A-Z]\w+)?"
    return "|".join(re.escape(str(bound)) for bound in bounds)


def holds(unit: str, attribute: Attribute) -> bool:
    """Return whether a line states a value of an attribute."""
    value = f"({value_pattern(attribute)})"
    patterns = [rf"(- )?{re.escape(attribute.key)}: .+", rf".*[:;] {re.escape(attribute.key)} {value}(;.*)?"]
    for said in attribute.said:
        pattern = re.escape(said).replace(r"\{s\}", ".+").replace(r"\{v\}", value)
        patterns.append(pattern)
    return any(re.fullmatch(pattern, unit, re.IGNORECASE) for pattern in patterns)


@needs_data
def test_made_answers_are_verbatim_and_about_the_subject(made: Sequence[Case]) -> None:
    answerable = [case for case in made if case.answerable]
    assert 0.5 < len(answerable) / len(made) < 0.8
    for case in answerable:
        assert_sound(case)
        [one] = [one for one in case.passages if one.answers]
        [span], [number] = one.spans, list(one.answering or ())
        begin, end = one.units[number]
        assert begin <= span[0] < span[1] <= end
        assert one.text[slice(*span)].strip() == one.text[slice(*span)] != ""
        understood = list(asked_in(case))
        assert any(
            names(one, subject) and holds(one.text[begin:end], attribute) for subject, attribute in understood
        )


@needs_data
def test_made_near_misses_do_not_answer(made: Sequence[Case]) -> None:
    others = [case for case in made if not case.answerable]
    for case in others:
        assert_sound(case)
        understood = list(asked_in(case))
        assert understood
        for one in case.passages:
            for subject, attribute in understood:
                said = [
                    one.text[start:end] for start, end in one.units if holds(one.text[start:end], attribute)
                ]
                assert not (names(one, subject) and said), (case.question, one.place, said)


# tables


CELL = st.text(st.sampled_from("ab 1|,é\\"), max_size=6)


@settings(max_examples=60)
@given(st.integers(2, 4).flatmap(lambda n: st.tuples(*[st.lists(CELL, min_size=n, max_size=n)] * 4)))
def test_rows_are_spelled_as_the_question_path_spells_them(lines: tuple[list[str], ...]) -> None:
    # A first cell alone heads a group of rows, and a lone backslash reads as part of a bar
    lines = tuple([" ".join(cell.replace("\\", "").split()) for cell in line] for line in lines)
    header, *rows = ([f"{n}{cell}" if n < 2 else cell for n, cell in enumerate(line)] for line in lines)
    table = LabelledTable("label", tuple(header), tuple(map(tuple, rows)))
    written = "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |"
        for line in (header, ["---"] * len(header), *rows)
    )
    found = find_rows(written)
    assert [spell(table, number)[0] for number in range(len(rows))] == [row.spelled for row in found]
    for number in range(len(rows)):
        text, places = spell(table, number)
        assert {n: text[start:end] for n, (start, end) in places.items()} == {
            n: cell for n, cell in enumerate(rows[number]) if cell
        }


def test_a_row_by_hand() -> None:
    table = LabelledTable("Wells", ("Well", "", "Depth m"), (("W-1", "old", "193"), ("", "new", " 7\n m ")))
    assert spell(table, 0) == ("Well W-1: old; Depth m 193", {0: (5, 8), 1: (10, 13), 2: (23, 26)})
    assert spell(table, 1) == ("new: Depth m 7 m", {1: (0, 3), 2: (13, 16)})


def test_rows_are_shown_with_those_around_them() -> None:
    table = LabelledTable("Wells", ("Well", "Depth"), tuple((f"W-{n}", f"{n + 500} m") for n in range(40)))
    rng = random.Random(1)
    for number in (0, 20, 39):
        one = shown(table, [(number, 1)], rng)
        assert one
        assert_sound(Case("How deep?", (one,)))
        assert [one.text[start:end] for start, end in one.spans] == [f"{number + 500} m"]
        [answering] = list(one.answering or ())
        assert one.text[slice(*one.units[answering])] == f"Well W-{number}: Depth {number + 500} m"
        assert 3 <= len(one.units) <= 12
    nothing = shown(table, [], rng)
    assert nothing
    assert not nothing.answers


def test_headers_of_several_rows_become_one() -> None:
    rows = [["", "2019", "2019"], ["", "Sales", "Profit"], ["North", "1", "2"], ["South", "3", "4"]]
    table, heads = as_table({"title": "t", "header": [], "rows": rows})
    assert (table.header, heads, len(table.rows)) == (("", "2019 › Sales", "2019 › Profit"), 2, 2)
    assert spell(table, 0)[0] == "North: 2019 › Sales 1; 2019 › Profit 2"


def test_what_needs_more_than_a_look_up_is_known() -> None:
    assert is_lookup("Who scored for Leeds?")
    assert not any(
        map(is_lookup, ("Who scored the most?", "How many scored?", "Which is larger, Leeds or York?"))
    )
    # Sets that share tables agree on what is measured
    assert table_held_back("204-csv/12.csv") == table_held_back("csv/204-csv/12") == table_held_back("204-12")
    share = sum(table_held_back(f"204-csv/{n}.csv") for n in range(500)) / 500
    assert 0.1 < share < 0.3


@needs_data
def test_cells_of_public_tables_stand_in_their_rows() -> None:
    sources: list[SourcedCase] = list(islice(table_sources(), 300))
    for source in sources:
        assert source.set in SETS
        assert_sound(source.case)
        assert source.case.answerable
        assert source.case.passages[0].spans


# what a search finds


def test_cells_stand_where_they_are_written() -> None:
    table = LabelledTable("Wells", ("Well", "Depth"), (("W-1", " 193\n m"), ("", "a|b")))
    text, places = written(table)
    assert text == "# Wells\n\n| Well | Depth |\n| --- | --- |\n| W-1 | 193 m |\n|  | a/b |\n"
    assert {at: text[slice(*place)] for at, place in places.items()} == {
        (0, 0): "W-1", (0, 1): "193 m", (1, 1): "a/b",
    }  # fmt: skip


WELLS = LabelledTable("wells", ("Well", "Depth"), (("Ash", "193 m"), ("Elm", "204 m"), ("Oak", "193 m")))
HARBOUR = "The ferry leaves the harbour at noon. Tickets are sold on board."


@pytest.fixture(scope="module")
def found() -> list[Case]:
    table, places = written(WELLS)
    texts = {"lighthouse notes.txt": LAMP, "harbour.txt": HARBOUR, "wells.md": table}
    at = LAMP.index("Ada Quill")
    wanted = [
        Wanted("Who lit the lamp?", "lighthouse notes.txt", ("Ada Quill",), ((at, at + 9),)),
        Wanted("How deep is the well Oak?", "wells.md", ("193 m",), (places[2, 1],)),
        # The words are there, but not where the answer stands
        Wanted("Who lit the lamp?", "pier.txt", ("Ada Quill",), ((0, 9),)),
    ]
    return list(mine(texts, wanted))


def test_what_a_search_finds_is_labelled_by_where_the_answer_stands(found: Sequence[Case]) -> None:
    for case in found:
        assert_sound(case)
    lit, deep, elsewhere = found
    [right] = [one for one in lit.passages if one.answers]
    assert [right.text[slice(*span)] for span in right.spans] == ["Ada Quill"]
    assert [right.text[slice(*right.units[n])] for n in right.answering or ()] == [
        "It was lit in 1820 by Ada Quill."
    ]
    assert (right.place, right.about) == ("lighthouse notes", True)
    # Of two rows with the same words, the one that was asked for
    [rows] = [one for one in deep.passages if one.answers]
    assert [rows.text[slice(*rows.units[n])] for n in rows.answering or ()] == ["Well Oak: Depth 193 m"]
    assert [rows.text[slice(*span)] for span in rows.spans] == ["193 m"]
    assert not elsewhere.answerable
    assert all("Ada" not in one.text for one in elsewhere.passages)


def test_mined_cases_are_read_back(found: Sequence[Case], tmp_path: Path) -> None:
    path = tmp_path / "mined.jsonl"
    assert mined_cases(path) == []
    path.write_text("".join(json.dumps(stored(case)) + "\n" for case in found), encoding="utf-8")
    assert mined_cases(path) == found


# windows


def decoded(window: LabelledWindow, span: tuple[int, int]) -> list[int]:
    """Return the tokens of a span of a window, which counts [CLS], question, [SEP], place and [SEP] before its text."""
    before = len(window.asked) + len(window.place) + 3
    return list(window.text[span[0] - before : span[1] + 1 - before])


@pytest.mark.parametrize("before", [0, 3, 60])
@pytest.mark.parametrize("after", [0, 60])
def test_the_answer_stays_in_the_window(before: int, after: int) -> None:
    filler = "The ferry leaves the harbour at noon. "
    case = lamp_case("Ada Quill", text=filler * before + LAMP + " " + filler * after, place="a place " * 40)
    case = replace(case, question="and then " * 60 + "who lit it?")
    wanted = tokens("Ada Quill").ids
    for seed in range(12):
        [window] = encode(case, random.Random(seed)).windows
        assert len(window) <= EVIDENCE_WINDOW
        assert len(window.place) == PLACE_TOKENS
        assert list(window.asked) == tokens(case.question).ids[-len(window.asked) :]
        [span] = window.spans
        assert decoded(window, span) == wanted
        # The window begins with a unit, one of which answers, and it holds the span
        assert window.units[0][0] == len(window.asked) + len(window.place) + 3
        [answering] = [unit for unit, label in zip(window.units, window.labels, strict=True) if label == 1]
        assert answering[0] <= span[0] <= span[1] <= answering[1]
        assert (window.answers, window.about, window.some) == (1, 1, False)
        [collated] = collate([window])["input_ids"]
        assert collated[span[0] : span[1] + 1].tolist() == wanted


def test_what_is_not_known_is_marked() -> None:
    one = LabelledPassage("", LAMP, units_of(LAMP), None)
    [window] = encode(Case("What?", (one,)), random.Random(0)).windows
    assert (window.labels, window.some, window.answers, window.about) == ([-1, -1, -1], True, 1, -1)
    case = Case("Is it lit?", (silent("", LAMP, False), passage("", LAMP, [(0, 8)])), yes=False)
    first, second = encode(case, random.Random(0)).windows
    assert (first.yes, first.answers, first.about, first.labels) == (-1, 0, 0, [0, 0, 0])
    assert (second.yes, second.answers, second.about, second.labels) == (0, 1, 1, [1, 0, 0])
    assert encode(Case("What?", (silent("", "", None),)), random.Random(0)).windows == ()


@needs_data
def test_made_documents_keep_their_answers(made: Sequence[Case]) -> None:
    rng = random.Random(5)
    for case in made:
        group = encode(case, rng)
        assert len(group) <= EVIDENCE_WINDOW
        found = [decoded(window, span) for window in group.windows for span in window.spans]
        wanted = [tokens(one.text[s:e]).ids for one in case.passages for s, e in one.spans]
        assert found == wanted
        assert any(1 in window.labels for window in group.windows) == case.answerable
