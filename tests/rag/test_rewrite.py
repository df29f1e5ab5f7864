"""Rewriting: follow-ups get what they left out, and a question that stands alone is never touched."""

import statistics
import time

import pytest

from eval.benchmarks.conversation.standing import standing_questions
from eval.datasets import available, held_back, records
from eval.reading import answer_f1
from rag.rewrite import rewrite, rewrite_within

CURIE = ("Who was Marie Curie?", "Marie Curie was a physicist. She was born in Warsaw in 1867.")
BERG = ("Who leads the laboratory in Lund?", "Ida Berg leads the laboratory in Lund.")


@pytest.mark.parametrize(
    ("question", "earlier", "alone"),
    [
        (" What does it burn? ", (), " What does it burn? "),
        ("Where was she born?", CURIE, "Where was Marie Curie born?"),
        ("What was her first prize?", CURIE, "What was Marie Curie's first prize?"),
        ("Who met her in Paris?", CURIE, "Who met Marie Curie in Paris?"),
        ("Is it true that Bohr knew?", CURIE, "Is it true that Bohr knew?"),
        ("Why?", ("Is the lamp lit at dusk?",), "Why is the lamp lit at dusk?"),
        ("Why?", ("Who lights the lamp?", "Ada Quill."), "Why, who lights the lamp?"),
        ("What about it?", ("what comes up", "nothing at all"), "What about it?"),  # no name to use
        ("", CURIE, ""),
    ],
)
def test_a_follow_up_stands_alone(question: str, earlier: tuple[str, ...], alone: str) -> None:
    assert rewrite(question, earlier) == alone


@pytest.mark.parametrize(
    ("earlier", "question", "alone"),
    [
        (("How many desks does the office in Lund have?", "forty"), "And in Graz?", "office in Graz"),
        (("How many desks does the office in Lund have?", "forty"), "What about Porto?", "office in Porto"),
        (("When does the office in Graz open?", "It opens at eight."), "what about lund?", "office in lund"),
        (
            ("What is the rent of the office in Porto?", "1,900 euros."),
            "And Lund?",
            "rent of the office in Lund",
        ),
        (("What do members pay?", "Members pay 40 euros."), "and students?", "What do students pay?"),
        (("How long is the warranty in Germany?",), "What about the US?", "warranty in the US"),
        (("What is the speed limit for cars?", "130 km/h"), "And for trucks?", "speed limit for trucks"),
    ],
)
def test_a_part_is_exchanged(earlier: tuple[str, ...], question: str, alone: str) -> None:
    assert alone in rewrite(question, earlier)


@pytest.mark.parametrize(
    "question",
    [
        "Whom do drivers call when they arrive?",
        "What happens to a parcel if it is too heavy?",
        "When must employees return their laptop?",
        "A laptop was stolen. Who is it reported to?",
        "What is the hotel limit in London?",
        "Who approves first class on trains?",
        "How do I reset my password?",
        "Wie hoch ist der Turm?",
    ],
)
@pytest.mark.parametrize("earlier", [BERG, CURIE, ("What do members pay?", "Members pay 40 euros a year.")])
def test_a_question_on_another_topic_is_asked_as_it_is(question: str, earlier: tuple[str, ...]) -> None:
    assert rewrite(question, earlier) == question


def test_what_becomes_too_long_is_asked_as_it_is() -> None:
    assert rewrite_within("Where was she born?", CURIE, most_chars=20) == "Where was she born?"


@pytest.mark.parametrize(
    "said", ["🙂", "ÀÉ Œ", "東京は", "A" * 5000, "It's He's Its", "\x00", "(.*[", "The the The", "?", " - "]
)
def test_odd_texts_do_no_harm(said: str) -> None:
    assert rewrite("Where is it?", [said])
    assert rewrite(said, [said]) is not None
    assert rewrite("And in Graz?", [said, said])


@pytest.mark.skipif(not available("conversation"), reason="needs ../shared/data/conversation")
def test_a_standing_question_is_never_touched() -> None:
    """`python -m eval.bench standing` names those that are."""
    touched = [
        question for history, question in standing_questions() if rewrite(question, history) != question
    ]

    assert touched == []


@pytest.mark.skipif(not available("conversation"), reason="needs ../shared/data/conversation")
def test_rewrites_come_near_people_s() -> None:
    """Token F1 on CANARD's questions that need rewriting; `python -m eval.bench rewriting` has the figures."""
    rows = [
        row for row in records("conversation/canard-dev.jsonl.gz") if held_back(" ".join(row["history"][:2]))
    ]
    needy = [row for row in rows if row["question"].lower() != row["rewrite"].lower()][:300]
    began = time.process_time()
    ours = statistics.mean(
        answer_f1(rewrite(row["question"], row["history"]), [row["rewrite"]]) for row in needy
    )
    ms = 1000 * (time.process_time() - began) / len(needy)
    same = statistics.mean(answer_f1(row["question"], [row["rewrite"]]) for row in needy)

    assert ours >= 0.75
    assert ours > same + 0.08
    assert ms < 30
