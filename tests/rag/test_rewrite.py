"""Rewriting: follow-ups get the name that the conversation is about, and nothing else is touched."""

import statistics

import pytest

from eval.datasets import available, held_back, records
from eval.reading import answer_f1
from rag.rewrite import names_in, rewrite

CURIE = ("Who was Marie Curie?", "Marie Curie was a physicist. She was born in Warsaw in 1867.")


@pytest.mark.parametrize(
    ("question", "earlier", "alone"),
    [
        (" What does it burn? ", (), " What does it burn? "),
        ("Where was she born?", CURIE, "Where was Marie Curie born?"),
        ("What was her first prize?", CURIE, "What was Marie Curie's first prize?"),
        ("Who met her in Paris?", CURIE, "Who met Marie Curie in Paris?"),
        ("When did she say that he's gone?", CURIE, "When did Marie Curie say that Marie Curie's gone?"),
        ("What is it like?", CURIE, "What is Warsaw like?"),  # about a person: "it" is the thing named last
        ("Is it true that Bohr knew?", CURIE, "Is it true that Bohr knew?"),
        (
            "How high is it?",
            ("What is the Eiffel Tower?", "An iron tower in Paris."),
            "How high is Eiffel Tower?",
        ),
        ("Why?", ("Is the lamp lit at dusk?",), "Why is the lamp lit at dusk?"),
        ("Why?", ("Who lights the lamp?", "Ada Quill."), "Why, who lights the lamp?"),
        ("And the costs?", ("What is the limit?", "40 euros."), "And the costs?"),
        ("What about it?", ("what comes up", "nothing at all"), "What about it?"),  # no name to use
        ("", CURIE, ""),
    ],
)
def test_a_follow_up_stands_alone(question: str, earlier: tuple[str, ...], alone: str) -> None:
    assert rewrite(question, earlier) == alone


def test_the_topic_outweighs_what_was_named_in_between() -> None:
    earlier = [
        *CURIE,
        "Did she work with Pierre Curie?",
        "Yes, in Paris. Pierre taught there.",
        "And with Bohr?",
        "No.",
    ]

    assert rewrite("When did she die?", earlier) == "When did Marie Curie die?"


def test_names_are_told_by_their_capitals() -> None:
    assert list(names_in("The Bank of England met on 4 May. What did Ada's friend say?")) == [
        "Bank of England",
        "Ada",
    ]
    assert list(names_in("In May 1920 it rained. Monday, too.")) == []
    assert list(names_in("")) == []


@pytest.mark.parametrize(
    "said", ["🙂", "ÀÉ Œ", "東京は", "A" * 5000, "It's He's Its", "\x00", "(.*[", "The the The"]
)
def test_odd_texts_do_no_harm(said: str) -> None:
    assert rewrite("Where is it?", [said])
    assert rewrite(said, [said]) is not None


@pytest.mark.skipif(not available("conversation"), reason="needs ../shared/data/conversation")
def test_rewrites_come_near_people_s() -> None:
    """Token F1 on CANARD's questions that need rewriting; `python -m eval.bench rewriting` has the figures."""
    rows = [
        row for row in records("conversation/canard-dev.jsonl.gz") if held_back(" ".join(row["history"][:2]))
    ]
    needy = [row for row in rows if row["question"].lower() != row["rewrite"].lower()][:400]
    ours = statistics.mean(
        answer_f1(rewrite(row["question"], row["history"]), [row["rewrite"]]) for row in needy
    )
    same = statistics.mean(answer_f1(row["question"], [row["rewrite"]]) for row in needy)

    assert ours >= 0.70
    assert ours > same + 0.05
