"""The measures of a question: standard ones equal the library's, spans and answers equal hand calculations."""

import math
import random
from dataclasses import replace

import ir_measures
import pytest
from ir_measures import RR, nDCG

from eval.measures import answer_values, covers, found_items, graded_items, holds_answer, retrieval_values
from eval.metrics import ndcg_at_k, reciprocal_rank
from eval.questions import EvalQuestion, Gold
from rag.types import Answer, Chunk, Citation, Hit, Ledger, Trace

FIRST, SECOND = Gold("a", 0, 10, "0123456789"), Gold("b", 0, 4, "gold", relevance=3)
EITHER = Gold("c", 0, 10, "alternativ", alternative=True)


def hit(document: str, start: int, end: int, score: float = 1.0) -> Hit:
    chunk = Chunk(document, document, 1, start, end, "x" * (end - start))
    return Hit(chunk, start, end, chunk.text, score, "fused")


def answer(text: str, *, given: bool = True, cited: tuple[tuple[str, int, int], ...] = ()) -> Answer:
    citations = tuple(Citation(0, len(text), 1, d, 1, None, s, e, "q", True) for d, s, e in cited)
    trace = Trace(
        "q",
        {"context": (hit("a", 0, 18), hit("b", 0, 2))},
        {},
        (),
        {"total": 1.0},
        shown=("It is 40 EUR.", "n"),
    )
    return Answer(text if given else "", given, 0.5, citations, "", (), Ledger(1, 1, 0, 0, 0, 0), trace)


def test_half_of_an_excerpt_finds_it() -> None:
    assert covers([("a", 5, 40)], [FIRST])
    assert not covers([("a", 6, 40)], [FIRST])
    assert not covers([("b", 0, 10)], [FIRST])
    assert not covers([("a", 0, 4), ("a", 6, 10)], [FIRST])  # each alone is less than half
    assert not covers([], [FIRST])
    assert not covers([("a", 0, 10)], [])


def test_all_excerpts_are_needed_or_one_alternative() -> None:
    gold = [FIRST, SECOND, EITHER]

    assert not covers([("a", 0, 10)], gold)
    assert covers([("a", 0, 10), ("b", 0, 4)], gold)
    assert covers([("c", 0, 10)], gold)
    assert graded_items(gold) == {"gold 0": 1, "gold 1": 3}
    assert graded_items([EITHER]) == {"gold 0": 1}
    assert covers([("c", 0, 10)], [EITHER])


def test_a_hit_finds_what_none_before_it_has_found() -> None:
    hits = [hit("x", 0, 9), hit("b", 0, 9), hit("b", 0, 5), hit("a", 0, 9)]

    assert found_items(hits, [FIRST, SECOND]) == [[], ["gold 1"], [], ["gold 0"]]


def test_one_hit_that_finds_all_is_perfect() -> None:
    both = (replace(FIRST, document="b", start=10, end=20), SECOND)
    values = retrieval_values([EvalQuestion("q", "Q?", both)], [{"fused": [hit("b", 0, 30)]}])[0]

    assert values["fused R@5"] == values["fused nDCG@10"] == values["fused RR"] == 1.0
    assert values["fused P@5"] == 1 / 5


def test_recall_is_of_the_first_hits_whatever_they_hold() -> None:
    many = tuple(Gold("a", 10 * n, 10 * n + 10, "0123456789") for n in range(5))
    values = retrieval_values(
        [EvalQuestion("q", "Q?", (*many, SECOND))], [{"fused": [hit("a", 0, 50), hit("b", 0, 9)]}]
    )[0]

    assert values["fused R@5"] == 1.0


def test_an_alternative_that_is_found_counts_in_spans_too() -> None:
    other = replace(EITHER, document="d")
    for gold in ((EITHER, other), (FIRST, other)):
        values = retrieval_values([EvalQuestion("q", "Q?", gold)], [{"fused": [hit("d", 0, 10)]}])[0]
        assert values["fused R@5"] == values["fused span recall"] == values["fused span IoU"] == 1.0


def test_standard_measures_by_hand() -> None:
    question = EvalQuestion("q", "Q?", (FIRST, SECOND))
    hits = [hit("x", 0, 9), hit("b", 0, 9), hit("y", 0, 5), hit("a", 0, 9)]
    values = retrieval_values([question], [{"fused": hits}])[0]

    assert values["fused P@5"] == pytest.approx(2 / 5)
    assert values["fused R@5"] == values["fused R@10"] == 1.0
    assert values["fused RR"] == pytest.approx(1 / 2)
    gained, best = 3 / math.log2(3) + 1 / math.log2(5), 3 / math.log2(2) + 1 / math.log2(3)
    assert values["fused nDCG@10"] == pytest.approx(gained / best)
    assert values["fused span recall"] == 13 / 14  # nine of ten characters, and all of four
    assert values["fused span precision"] == pytest.approx(13 / (9 + 9 + 5 + 9))
    assert values["fused span IoU"] == pytest.approx(13 / (32 + 1))


def test_a_question_for_which_nothing_was_found_scores_0_and_one_without_evidence_not_at_all() -> None:
    asked = [EvalQuestion("q", "Q?", (FIRST,)), EvalQuestion("u", "U?", answerable=False)]
    found, none = retrieval_values(
        asked, [{"dense": [], "fused": [hit("x", 0, 3)]}, {"dense": [hit("a", 0, 9)]}]
    )

    assert found["dense R@10"] == found["dense RR"] == found["fused R@10"] == 0.0
    assert none == {}


def test_our_measures_equal_the_library_s() -> None:
    rng = random.Random(3)
    for _ in range(60):
        documents = [f"d{n}" for n in range(30)]
        relevance = {d: float(rng.randint(0, 3)) for d in rng.sample(documents, rng.randint(1, 12))}
        ranking = rng.sample(documents, rng.randint(1, 30))
        run = {"q": {d: -float(rank) for rank, d in enumerate(ranking)}}
        qrels = {"q": {d: int(grade) for d, grade in relevance.items()}}
        theirs = ir_measures.calc_aggregate([nDCG @ 10, RR], qrels, run)

        assert ndcg_at_k(ranking, relevance, 10) == pytest.approx(theirs[nDCG @ 10])
        assert reciprocal_rank(ranking, [d for d, g in relevance.items() if g]) == pytest.approx(theirs[RR])


def test_a_question_that_ended_in_an_error_scores_0_where_others_are_measured() -> None:
    asked = [EvalQuestion("q", "Q?", (FIRST,)), EvalQuestion("e", "E?", (FIRST,))]
    values = retrieval_values(asked, [{"dense": [hit("a", 0, 9)]}, {}])

    assert values[0]["dense R@10"] == 1.0
    assert values[1]["dense R@10"] == values[1]["dense nDCG@10"] == 0.0
    assert set(values[0]) == set(values[1])


def test_an_expected_answer_is_held_whatever_its_case_and_spacing() -> None:
    question = EvalQuestion("q", "Q?", (FIRST,), ("40 EUR", "forty"))

    assert holds_answer(question, "It is  40\neur.")
    assert not holds_answer(question, "It is 41 EUR")
    assert not holds_answer(replace(question, tags=("list",)), "It is 40 EUR")
    assert holds_answer(replace(question, tags=("list",)), "40 EUR, in words forty")
    assert not holds_answer(replace(question, answers=()), "anything")
    assert not holds_answer(replace(question, answers=("no",)), "It is not so, nobody knows.")
    assert not holds_answer(replace(question, answers=("1",)), "It is 12.")
    assert holds_answer(replace(question, answers=("東京",)), "首都は東京です。")


def test_an_answer_is_right_cited_and_in_the_prompt() -> None:
    question = EvalQuestion("q", "Q?", (FIRST,), ("40 EUR",))
    values = answer_values(question, answer("40 EUR [1]", cited=(("a", 0, 10), ("z", 0, 3))))

    assert values == {
        "evidence kept": 14 / 20,
        "answered": 1.0,
        "gold cited": 1.0,
        "citations in gold": 0.5,
        "right": 1.0,
        "right in the lead": 1.0,
        "exact match": 1.0,
        "F1": 1.0,
        "answer in prompt": 1.0,
    }


def test_a_refusal_answers_nothing() -> None:
    question = EvalQuestion("q", "Q?", (FIRST,), ("40 EUR",))
    values = answer_values(question, answer("", given=False))

    assert values["answered"] == values["right"] == values["F1"] == values["gold cited"] == 0.0
    assert "citations in gold" not in values
    unanswerable = EvalQuestion("u", "U?", answerable=False)
    assert answer_values(unanswerable, answer("", given=False)) == {"refused": 1.0}
    assert answer_values(unanswerable, answer("40 EUR")) == {"refused": 0.0}


def test_a_label_is_no_answer_and_a_list_has_no_f1() -> None:
    question = EvalQuestion("q", "Q?", (FIRST,), ("1",))

    assert answer_values(question, answer("The house is blue. [1]"))["right"] == 0.0
    several = answer_values(replace(question, answers=("40 EUR", "30"), tags=("list",)), answer("40 EUR [1]"))
    assert several["right"] == 0.0
    assert "F1" not in several
