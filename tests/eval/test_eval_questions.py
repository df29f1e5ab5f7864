"""Question sets: malformed lines are named; dead spans and leaks are found."""

import json
from pathlib import Path
from typing import Any

import pytest

from eval.drafts import DRAFT, draft_questions
from eval.questions import (
    EvalQuestion,
    Gold,
    drawn,
    find_leaks,
    find_problems,
    fingerprint,
    read_lines,
    read_questions,
    write_questions,
)
from eval.trial import CORPUS, Trial, text_sources, trial
from rag.errors import InvalidInput, NotFound

TEXT = "Backups are kept for 35 days. The vault is a cave below Svalbard. It opened in February 2008 with a feast."
LINE: dict[str, Any] = {
    "id": "q1",
    "question": "How long are backups kept?",
    "answers": ["35 days"],
    "evidence": [{"document": "a.txt", "start": 0, "end": 29, "quote": TEXT[:29]}],
}


@pytest.fixture(scope="module")
def made() -> Any:
    with trial(
        text_sources({"a.txt": TEXT, "b.txt": "Whales sing. How many whales sing in the deep sea?"}), {}
    ) as made:
        yield made


def written(folder: Path, *lines: object) -> Path:
    path = folder / "set.jsonl"
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
    return path


def test_a_set_is_read_and_written_alike(tmp_path: Path) -> None:
    questions = read_questions(written(tmp_path, LINE, "", LINE | {"id": "q2", "tags": ["hard"]}))

    assert [question.id for question in questions] == ["q1", "q2"]
    assert questions[0].evidence == (Gold("a.txt", 0, 29, TEXT[:29]),)
    again = tmp_path / "again.jsonl"
    again.write_text(write_questions(questions))
    assert read_questions(again) == questions


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{", "line 2: the line: invalid JSON"),
        ("[1]", "line 2: the line"),
        (LINE | {"id": ""}, "line 2: id: expected some text, not ''"),
        (LINE | {"question": 7}, "line 2: question: input should be a valid string, not 7"),
        ({k: v for k, v in LINE.items() if k != "question"}, "line 2: question: field required"),
        (LINE | {"answer": "x"}, "line 2: answer: unexpected keyword argument"),
        (
            LINE | {"evidence": [LINE["evidence"][0] | {"start": -1}]},
            "line 2: evidence.0.start: input should be greater than or equal to 0",
        ),
        (
            LINE | {"evidence": [LINE["evidence"][0] | {"start": "0"}]},
            "line 2: evidence.0.start: input should be a valid int",
        ),
        (LINE, "line 2: the id 'q1' is already on line 1"),
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, line: object, complaint: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        read_questions(written(tmp_path, LINE, line))
    assert complaint.lower() in str(raised.value).lower()


def test_every_malformed_line_is_named_at_once_up_to_a_limit(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as raised:
        read_questions(written(tmp_path, *["{"] * 30))
    assert "line 1:" in str(raised.value)
    assert "line 20:" in str(raised.value)
    assert "and 10 more" in str(raised.value)


def test_a_line_may_hold_what_ends_lines_elsewhere(tmp_path: Path) -> None:
    odd = EvalQuestion("q", "What\u2028is\x85this?", (Gold("a", 0, 3, "a\x0cb"),))
    (tmp_path / "odd.jsonl").write_text(write_questions([odd, EvalQuestion("r", "R?")]), encoding="utf-8")

    assert read_lines(tmp_path / "odd.jsonl") == {1: odd, 2: EvalQuestion("r", "R?")}


def test_an_empty_or_missing_set_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="ibid eval generate"):
        read_questions(written(tmp_path, "", " "))
    with pytest.raises(InvalidInput, match="cannot be read"):
        read_questions(tmp_path / "none.jsonl")
    (tmp_path / "latin.jsonl").write_bytes(b"\xe9\xff")
    with pytest.raises(InvalidInput, match="UTF-8"):
        read_questions(tmp_path / "latin.jsonl")


def test_a_fingerprint_is_of_the_content_alone() -> None:
    first, second = EvalQuestion("a", "A?", ()), EvalQuestion("b", "B?", ())

    assert fingerprint([first, second]) == fingerprint([second, first])
    assert fingerprint([first]) != fingerprint([EvalQuestion("a", "A!", ())])


def test_the_same_seed_draws_the_same() -> None:
    questions = [EvalQuestion(str(n), f"{n}?", ()) for n in range(50)]

    assert drawn(questions, 9, 1) == drawn(questions, 9, 1) != drawn(questions, 9, 2)
    assert drawn(questions, 99, 1) == questions == drawn(questions, None, 1)


def problems(made: Trial, **changed: Any) -> list[str]:
    entry = EvalQuestion(**({"id": "q", "question": "How long?", "evidence": (), "answers": ()} | changed))
    return [f"{'!' if p.serious else ''}{p.what}" for p in find_problems([entry], made.catalog, CORPUS)]


def test_what_is_right_has_no_problem(made: Trial) -> None:
    gold = Gold("a.txt", 0, 29, TEXT[:29])

    assert problems(made, evidence=(gold,), answers=("35 DAYS",)) == []
    assert problems(made, answerable=False) == []


@pytest.mark.parametrize(
    ("gold", "complaint"),
    [
        (Gold("gone.txt", 0, 3, "abc"), "!gone.txt is not in the corpus"),
        (Gold("a.txt", 5, 34, TEXT[:29]), "!a.txt, characters 5 to 34: the quote has moved to 0-29"),
        (Gold("a.txt", 0, 9_999, "A quote."), "(the document has 106)"),
        (
            Gold("a.txt", 0, 9_999, TEXT),
            "!a.txt, characters 0 to 9999 (the document has 106): the quote has moved to 0-106",
        ),
        (Gold("a.txt", 0, 3, "are"), "the quote has moved to 8-11"),
        (Gold("a.txt", 0, 1, "e"), "occurs in"),
        (Gold("a.txt", 0, 9, "penguins!"), "is no longer in the document"),
    ],
)
def test_dead_spans_say_where_the_quote_went(made: Trial, gold: Gold, complaint: str) -> None:
    assert complaint in problems(made, evidence=(gold,))[0]


def test_contradictions_and_leaks_are_found(made: Trial) -> None:
    gold = Gold("a.txt", 0, 29, TEXT[:29])

    assert "!is answerable and has no evidence" in problems(made)[0]
    assert "!is not answerable and has evidence" in problems(made, answerable=False, answers=("x",))[0]
    assert "is not in its evidence" in problems(made, evidence=(gold,), answers=("36 days",))[0]
    away = problems(made, question="Are 35 days enough?", evidence=(gold,), answers=("35 days",))
    assert "gives its answer" in away[0]
    twice = problems(made, evidence=(gold, Gold("a.txt", 20, 29, TEXT[20:29])), answers=("35 days",))
    assert twice == ["a.txt, characters 20 to 29, overlaps another excerpt; join them."]
    leaked = EvalQuestion("l", "How many whales sing in the deep sea?", (), answerable=False)
    found = find_leaks([leaked, EvalQuestion("m", "Whales?", ())], made.catalog, CORPUS)
    assert [p.what for p in found] == ["occurs verbatim in b.txt; was the set ingested?"]
    same = [EvalQuestion(i, "What for?", (), answerable=False) for i in "ab"]
    assert [p.what for p in find_problems(same, made.catalog, CORPUS)] == ["asks the same as a; drop one."]


def test_drafts_are_verbatim_and_the_same_for_a_seed(made: Trial) -> None:
    drafts = draft_questions(made.catalog, CORPUS, 10)
    asked = {draft.question: draft.answers for draft in drafts}

    assert asked['How many days: "Backups are kept for ... days"?'] == ("35",)
    assert asked["What is the vault?"] == ("a cave below Svalbard",)
    assert asked['When: "It opened in ... with a feast"?'] == ("February 2008",)
    assert all(draft.tags == (DRAFT,) for draft in drafts)
    assert [p for p in find_problems(drafts, made.catalog, CORPUS) if p.serious] == []
    assert draft_questions(made.catalog, CORPUS, 10) == drafts
    assert len(draft_questions(made.catalog, CORPUS, 2)) == 2


def test_a_year_or_a_little_word_is_no_count(made: Trial) -> None:
    text = "It was founded in 2019 by Ada Orr of Kiel. Since 1999 the fleet has sailed. They own 12 of the boats."
    texts = {"a.txt": text}
    with trial(text_sources(texts), {}) as other:
        asked = [draft.question for draft in draft_questions(other.catalog, CORPUS, 9)]
    assert set(asked) == {
        'When: "It was founded in ... by Ada Orr of Kiel"?',
        'When: "Since ... the fleet has sailed"?',
    }


def test_nothing_to_draft_from_is_said() -> None:
    with (
        trial(text_sources({"a.txt": "Hm. Well. So."}), {}) as made,
        pytest.raises(NotFound, match="by hand"),
    ):
        draft_questions(made.catalog, CORPUS, 3)
