"""Which language a text is in: facts in eight languages, and English that must not be taken for another."""

import json
from collections import Counter

import pytest

from eval.benchmarks.yardstick.languages import FACTS
from rag.text.languages import language_of, mostly_not_english
from rag.text.words import question_terms, text_terms


def test_facts_are_not_english_and_questions_in_english_are() -> None:
    facts = [json.loads(line) for line in FACTS.read_text(encoding="utf-8").splitlines()]
    told = [fact["fact"] for fact in facts]
    found = Counter((fact["language"], language_of(fact["fact"])) for fact in facts)

    assert "en" not in {language for _, language in found}
    for language in ("de", "fr", "es"):
        assert found[language, language] >= 14, found
    assert mostly_not_english(told)
    assert {language_of(fact["in_english"]) for fact in facts} <= {"en", ""}
    assert not mostly_not_english([fact["in_english"] for fact in facts])


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Der Vertrag endet am Freitag.", "de"),
        ("The contract ends on Friday.", "en"),
        ("契約は金曜日に終わる", "other"),
        ("Договор заканчивается в пятницу.", "other"),
        ("ERR-0042 | 17.3 | 2.500", ""),
        ("die casting machine", ""),
        ("", ""),
    ],
)
def test_worked_examples(text: str, language: str) -> None:
    assert language_of(text) == language


def test_most_is_by_length_and_what_is_unclear_does_not_count() -> None:
    german, english = "Der Vertrag endet am Freitag. ", "The contract ends on the Friday. "
    assert mostly_not_english([german * 3, english * 2, "ERR-0042 " * 99])
    assert not mostly_not_english([german * 2, english * 3, "ERR-0042 " * 99])
    assert not mostly_not_english(["ERR-0042"])


def test_stop_words_of_a_question_are_those_of_its_language() -> None:
    assert question_terms("Wie viel kostet der Tee?") == ["kostet", "tee"]
    assert question_terms("¿Cuánto pesa la tetera de acero?") == ["pesa", "tetera", "acero"]
    assert question_terms("die casting machine")[0] == "die"
    assert question_terms("What is the die for?") == ["die"]


def test_a_number_is_one_term_however_it_is_written() -> None:
    assert text_terms("1.234,56") == text_terms("1,234.56") == ["1234.56"]
    assert text_terms("192.168.100.200") == ["192.168.100.200"]
