"""Whether answers are of use: what leads, what was judged, what nothing answers, and what confidence is worth."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from eval.benchmarks.yardstick.certainty import calibration_gap, risk_curve
from eval.benchmarks.yardstick.grounded import best_sentences, quoted
from eval.benchmarks.yardstick.judgements import (
    NOT_JUDGED,
    REFUSED,
    RIGHT,
    SILENCE,
    WRONG,
    JudgedAnswer,
    ListedQuestion,
    counts,
    fingerprint_of,
    judged,
    judged_answer,
    read_judgements,
    tally,
    write_listing,
)
from eval.benchmarks.yardstick.languages import FACTS
from eval.benchmarks.yardstick.nearmiss import near_misses
from eval.benchmarks.yardstick.outcomes import Certainty, cites, holds, leads, packed, unpacked
from eval.benchmarks.yardstick.own import JUDGED, OwnQuestion, outcome_of, own_questions
from eval.benchmarks.yardstick.quarters import JUDGED as QUARTERS_JUDGED
from eval.benchmarks.yardstick.rejudge import scored
from eval.reading import leading_text
from eval.report.yardstick import columns_table, parts_table, rows_table
from rag.errors import InvalidInput
from rag.types import Answer, Citation, Ledger, Trace

SENTENCE = "The mill opened in 1911 and closed in 1990."
NOTHING = Answer(
    "", False, 0.1, (), "Nothing near.", (), Ledger(1, 0, 0, 0, 0, 0), Trace("q", {}, {}, (), {})
)


def said(text: str, *quotes: tuple[str, int, int]) -> Answer:
    """An answer whose citations cover the quotes where they stand in the text; start and end are in the document."""
    citations, at = [], 0
    for quote, start, end in quotes:
        at = text.index(quote, at)
        citations.append(
            Citation(at, at + len(quote), 1, "mill.txt", 1, None, start, end, quote, verified=True)
        )
        at += len(quote)
    return replace(NOTHING, text=text, answerable=True, confidence=0.8, citations=tuple(citations))


SHORT = said(f"1911 [1]\n{SENTENCE} [1]", ("1911", 19, 23), (SENTENCE, 0, 43))
LONG = said(f"{SENTENCE} [1] It was sold. [1]", (SENTENCE, 0, 43), ("It was sold.", 44, 56))


def test_a_short_answer_leads_else_the_first_cited_part() -> None:
    assert leading_text(SHORT) == "1911"
    assert leading_text(LONG) == SENTENCE
    assert leading_text(said(f"Yes. {SENTENCE} [1]", (SENTENCE, 0, 43))) == f"Yes. {SENTENCE}"
    assert leading_text(said("One line.\nAnother.")) == "One line."


def test_all_short_answers_lead() -> None:
    both = said(f"1911 [1] 1990 [1]\n{SENTENCE} [1]", ("1911", 19, 23), ("1990", 38, 42), (SENTENCE, 0, 43))

    assert leading_text(both) == "1911 1990"


def test_what_an_answer_holds_and_leads_with() -> None:
    assert holds(SHORT, ["1990"])
    assert not leads(SHORT, ["1990"])
    assert leads(SHORT, ["1990", "1911"])
    assert leads(LONG, ["1990"])
    assert not holds(NOTHING, ["1911"])
    # the label [1] is no part of what is said
    assert not holds(LONG, ["1"])
    assert cites(LONG, "mill.txt")
    assert not cites(LONG, "sea.txt")


def test_a_quote_within_another_is_counted_once() -> None:
    assert quoted(SHORT) == SENTENCE
    assert quoted(LONG) == f"{SENTENCE}\nIt was sold."


def test_the_best_whole_sentences_are_taken_one_by_one() -> None:
    text = "Cats sleep. Dogs bark at night. Birds sing."

    assert best_sentences(text, "Dogs bark at night.", 3) == 1.0
    assert best_sentences(text, "Cats sleep. Birds sing.", 3) == 1.0
    # One sentence of two: precision 1, recall 1/2.
    assert best_sentences(text, "Cats sleep. Birds sing.", 1) == pytest.approx(2 / 3)
    assert best_sentences(text, "fish", 3) == 0.0


def test_certainties_survive_a_line() -> None:
    found = [Certainty(0.913, True), Certainty(0.2, False)]

    assert packed(found) == "0.913+ 0.200-"
    assert unpacked(packed(found)) == found


def test_the_calibration_error_by_hand() -> None:
    found = [Certainty(0.9, True), Certainty(0.7, False), Certainty(0.2, False), Certainty(0.4, True)]

    # Two bins of two: (0.2, 0.4) with 1/2 right, (0.7, 0.9) with 1/2 right.
    assert calibration_gap(found, bins=2) == pytest.approx((abs(0.3 - 0.5) + abs(0.8 - 0.5)) / 2)
    # Four questions in 15 bins: each by itself.
    assert calibration_gap(found) == pytest.approx((0.1 + 0.7 + 0.2 + 0.6) / 4)
    assert risk_curve(found) == pytest.approx([0, 1 / 2, 1 / 3, 2 / 4])


def entry(identity: str, question: str, context: str, answer: str) -> dict[str, object]:
    answers = [{"text": answer, "start": context.index(answer)}]
    return {
        "id": identity,
        "group": "Mills",
        "question": question,
        "context": context,
        "answers": answers,
        "answerable": True,
    }


MILLS = [
    entry("a", "Who bought the stone mill in 1911?", "In 1911 the stone mill was bought by Ada.", "Ada"),
    entry("b", "How much rain fell on the harbour wall?", "In 1950 rain flooded the harbour wall.", "rain"),
]


def test_a_near_miss_has_another_year_that_no_sentence_answers() -> None:
    (miss,) = near_misses(MILLS, 5, seed=1)

    assert miss.question == "Who bought the stone mill in 1950?"
    assert (miss.kind, miss.was, miss.now, miss.made_of) == ("year", "1911", "1950", "a")


def test_no_near_miss_is_made_that_a_sentence_may_answer() -> None:
    answered = entry("c", "Who milled?", "In 1950 the stone mill was bought by Ben.", "Ben")

    assert near_misses([MILLS[0], answered], 5, seed=1) == []


def listed(answer: Answer, expected: str = "1911") -> ListedQuestion:
    return ListedQuestion("q1", "When did the mill open?", expected, "mill.txt", answer)


def test_a_judgement_is_of_one_answer() -> None:
    judgements = {("q1", fingerprint_of(SHORT)): "partly"}

    assert judged(listed(SHORT), judgements) == "partly"
    assert judged(listed(LONG), judgements) == NOT_JUDGED
    assert judged(listed(NOTHING), judgements) == REFUSED
    assert judged(listed(LONG, expected=""), judgements) == WRONG


def test_results_are_judged_again_without_asking() -> None:
    answers = [
        JudgedAnswer("q1", "0a", answerable=True, outcome=NOT_JUDGED, confidence=0.8, unrefused_right=False),
        JudgedAnswer("q2", SILENCE, answerable=True, outcome=REFUSED, confidence=0.1, unrefused_right=True),
        JudgedAnswer("q3", "0c", answerable=False, outcome=WRONG, confidence=0.4, unrefused_right=False),
    ]
    before = {"questions": 3, **tally(answers, "mills"), "p50 ms": 7.0}
    after = scored(
        before, {("q1", "0a"): RIGHT, ("q2", SILENCE): RIGHT, ("q3", "0c"): RIGHT, ("q1", "0d"): WRONG}
    )

    assert before["not judged"] == 1
    assert before["certainties"] == {"mills": "0.800- 0.100+ 0.400-"}
    assert [JudgedAnswer.read(row) for row in before["answers"]] == answers
    assert "not judged" not in after
    assert (after["right"], after["refused"], after["share right"], after["p50 ms"]) == (1, 1, 0.5, 7.0)
    assert after["certainties"] == {"mills": "0.800+ 0.100+ 0.400-"}


def test_words_decide_unless_a_person_did() -> None:
    question = OwnQuestion("q1", "when", "When did the mill open?", "1911", ("1911",), "mill.txt")

    assert outcome_of(question, listed(SHORT), {}) == RIGHT
    assert outcome_of(replace(question, holds=("1912",)), listed(SHORT), {}) == WRONG
    assert outcome_of(replace(question, holds=()), listed(SHORT), {}) == NOT_JUDGED
    assert outcome_of(question, listed(SHORT), {("q1", fingerprint_of(SHORT)): WRONG}) == WRONG


def test_counts_name_what_is_not_judged() -> None:
    assert counts([RIGHT, REFUSED, RIGHT]) == {"right": 2, "partly": 0, "wrong": 0, "refused": 1}
    assert counts([NOT_JUDGED])["not judged"] == 1


def test_a_listing_shows_the_answer_beside_what_is_expected(tmp_path: Path) -> None:
    both = [listed(SHORT), listed(NOTHING)]
    outcomes = (RIGHT, REFUSED)
    answers = [judged_answer(o, r, 0.8, unrefused_right=False) for o, r in zip(both, outcomes, strict=True)]
    write_listing("own", "Mills", both, answers, tmp_path / "new")
    path = tmp_path / "new" / "own.md"
    text = path.read_text(encoding="utf-8")

    assert "## q1: When did the mill open?\n\nexpected: 1911 (mill.txt)\n\n1911 [1]" in text
    assert f"answer {fingerprint_of(SHORT)} · right" in text
    assert "(refused: Nothing near.)" in text


@pytest.mark.parametrize("line", ["{", '{"id": "q1"}', '{"id": "q1", "answer": "0", "judged": "good"}', "[]"])
def test_a_line_that_is_no_judgement_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "judged.jsonl"
    path.write_text(f'{{"id": "q0", "answer": "0", "judged": "right"}}\n{line}\n', encoding="utf-8")

    with pytest.raises(InvalidInput, match=r"judged.jsonl, line 2: .* expected .*right, partly, wrong"):
        read_judgements(path)


def test_the_own_questions_and_judgements_are_sound() -> None:
    questions = own_questions()

    assert len(questions) == len({one.id for one in questions}) == 100
    assert all(bool(one.expected) == bool(one.document) for one in questions)
    assert sum(not one.expected for one in questions) >= 8
    assert {identity for identity, _ in read_judgements(JUDGED)} <= {one.id for one in questions}
    read_judgements(QUARTERS_JUDGED)


def test_every_language_has_fifteen_facts() -> None:
    facts = [json.loads(line) for line in FACTS.read_text(encoding="utf-8").splitlines()]

    assert {fact["language"] for fact in facts} == {"de", "fr", "es", "it", "nl", "pl", "pt", "sv"}
    assert len({fact["fact"] for fact in facts}) == len(facts) == 120
    assert all(fact["question"] and fact["in_english"] for fact in facts)


def test_tables_leave_out_what_is_kept_of_each_question() -> None:
    figures = {"one": {"x": 1, "kinds": {"year": 2}}, "two": {"x": 0.5}, "certainties": {"a": "0.1+"}}

    assert parts_table(figures).splitlines()[2:] == [
        "| one | x | 1 |",
        "| one | kinds | year 2 |",
        "| two | x | 0.5 |",
    ]
    assert "certainties" not in columns_table(figures) + rows_table(figures, "set")
    assert rows_table({"de": {"first": 0.4}}, "language").splitlines()[2] == "| de | 0.4 |"
