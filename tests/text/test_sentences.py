import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.text.sentences import refers_back, split_sentences, strip_span


def sentences(text: str) -> list[str]:
    return [text[start:end].strip() for start, end in split_sentences(text)]


@given(st.text(st.sampled_from(list('aB1 .!?。\n\t|#-*:)("”…é')), max_size=60) | st.text(max_size=60))
def test_spans_are_consecutive_and_lose_nothing(text: str) -> None:
    spans = split_sentences(text)
    assert "".join(text[start:end] for start, end in spans) == text
    assert all(text[start:end].strip() for start, end in spans) or not text.strip()
    assert all(not text[start].isspace() for start, _ in spans[1:])


def test_empty_and_blank_texts() -> None:
    assert split_sentences("") == []
    assert split_sentences(" \n\n ") == [(0, 4)]
    assert split_sentences("\n\nOne. Two.") == [(0, 7), (7, 11)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("He left. She stayed! Why?", ["He left.", "She stayed!", "Why?"]),
        ("“Yes.” He left (early.) Then 5 came.", ["“Yes.”", "He left (early.)", "Then 5 came."]),
        ("It costs 3.50 euros, e.g. Monday.", ["It costs 3.50 euros, e.g. Monday."]),
        ("Dr. Smith met J. K. Rowling.", ["Dr. Smith met J. K. Rowling."]),
        ("At 5 p.m. The shop shuts. U.S. Army.", ["At 5 p.m.", "The shop shuts.", "U.S. Army."]),
        ("The U.A.E. Army won.", ["The U.A.E. Army won."]),
        ("Apple Inc. The firm grew. Apple Inc. Chief", ["Apple Inc.", "The firm grew.", "Apple Inc. Chief"]),
        ("The answer is no. He left. See No. 5.", ["The answer is no.", "He left.", "See No. 5."]),
        ("1. Pay. 2. Leave.", ["1. Pay.", "2. Leave."]),
        ("1.2. Plots are small.\n\nIV. Fire is banned.", ["1.2. Plots are small.", "IV. Fire is banned."]),
        (
            "Take version 2.8. Then ask Henry IV. He knows.",
            ["Take version 2.8.", "Then ask Henry IV.", "He knows."],
        ),
        ("It was 1990. Then it rained.", ["It was 1990.", "Then it rained."]),
        ("Wait ... what? No... Yes", ["Wait ... what?", "No...", "Yes"]),
        ("今日は。明日も！終わり", ["今日は。", "明日も！", "終わり"]),
        ("यह है। वह था।", ["यह है।", "वह था।"]),
        ("# Title\nText here\n\nMore", ["# Title", "Text here", "More"]),
        ("One.\n\nNews\n====\nTwo.\n---\nThree.", ["One.", "News\n====", "Two.", "---", "Three."]),
        ("Buy:\n- milk\n- eggs\n1) go\n(a) stay", ["Buy:", "- milk", "- eggs", "1) go", "(a) stay"]),
        ("| a | b |\n| c | d |\nAfter", ["| a | b |", "| c | d |", "After"]),
        ("Name: Ann\nDue date: 5 May\nwrapped\nline", ["Name: Ann", "Due date: 5 May\nwrapped\nline"]),
        ("a wrapped\nline of text", ["a wrapped\nline of text"]),
        (
            "Hr. Dr. Ott kam am 3. Oktober, z. B. Abends. Im 2. Weltkrieg auch. Es waren 25. Sie blieben.",
            [
                "Hr. Dr. Ott kam am 3. Oktober, z. B. Abends.",
                "Im 2. Weltkrieg auch.",
                "Es waren 25.",
                "Sie blieben.",
            ],
        ),
        (
            "Er rief: „Nein.“ Dann »Ja.« Vgl. Abs. 3. Das gilt.",
            ["Er rief: „Nein.“", "Dann »Ja.«", "Vgl. Abs. 3.", "Das gilt."],
        ),
        (
            "« Bonjour ! » dit M. Roy. « Entrez. » Il partit le 3 janv. 2024. Pourquoi ? Parce que.",
            [
                "« Bonjour ! » dit M. Roy.",
                "« Entrez. »",
                "Il partit le 3 janv. 2024.",
                "Pourquoi ?",
                "Parce que.",
            ],
        ),
        (
            "La Sra. Pérez vive en EE. UU. desde 1990. ¿Por qué? ¡Hola! Véase pág. 5.",
            ["La Sra. Pérez vive en EE. UU. desde 1990.", "¿Por qué?", "¡Hola!", "Véase pág. 5."],
        ),
        ("Приходите завтра, т. е. послезавтра. Łódź.", ["Приходите завтра, т. е. послезавтра.", "Łódź."]),
        (
            "Das Haus, Goethestr. 12, ist alt. Die Goethestr. Ist lang.",
            ["Das Haus, Goethestr. 12, ist alt.", "Die Goethestr.", "Ist lang."],
        ),
        ("Il a dit : « Oui. »", ["Il a dit : « Oui. »"]),
        ("On day 5. March was cold.", ["On day 5.", "March was cold."]),
    ],
)
def test_worked_examples(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


def test_text_without_capitals_ends_sentences_all_the_same() -> None:
    assert sentences("the rent is due. it rose by 3.5 percent. pay it.") == [
        "the rent is due.",
        "it rose by 3.5 percent.",
        "pay it.",
    ]
    assert sentences("The firm (est. in 1990) grew. but slowly.") == [
        "The firm (est. in 1990) grew. but slowly."
    ]


@pytest.mark.parametrize(
    "unit", ["a", ".", "\n", " ", ". ", '."', "\n ", "|", "#", "\n#", "A:", "。", "|\n", ".*"]
)
def test_time_is_linear_on_hostile_text(unit: str) -> None:
    began = time.process_time()
    split_sentences(unit * (300_000 // len(unit)))
    assert time.process_time() - began < 3  # a quadratic pattern takes minutes


def test_strip_span() -> None:
    assert strip_span("  ab \n", 0, 6) == (2, 4)
    assert strip_span("  ab   ", 4, 7) == (4, 4)
    assert strip_span("ab", 0, 2) == (0, 2)
    assert strip_span("a  b", 1, 3) == (1, 1)


def test_words_that_stand_for_what_was_named_before() -> None:
    for sentence in (
        "It weighs 1.3 kilograms.",
        "This is why.",
        "These fees rise.",
        "HIS EXTENSION IS 4471.",
    ):
        assert refers_back(sentence)
    for sentence in (
        "It is important to rest.",
        "This Agreement ends in May.",
        "Italy won.",
        "The lamp burns.",
    ):
        assert not refers_back(sentence)
