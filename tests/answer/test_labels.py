"""Labels of an answer: [1] is the source cited first, once each; the words of quotes are left alone."""

from rag.answer.labels import Sources
from rag.types import Citation


def cited(text: str, quote: str, label: int, document: str) -> Citation:
    at = text.index(quote)
    return Citation(at, at + len(quote), label, document, 1, None, 0, len(quote), quote, True)


def test_sources_count_from_one_in_order_of_use() -> None:
    text = "whale oil [7]\nThe lamp burns whale oil. [7] It was lit in 1820. [12] Ada kept it. [3]"
    citations = [
        cited(text, "whale oil", 7, "lamp.md"),
        cited(text, "The lamp burns whale oil.", 7, "lamp.md"),
        cited(text, "It was lit in 1820.", 12, "history.md"),
        cited(text, "Ada kept it.", 3, "lamp.md"),
    ]
    made, moved = Sources().renumber(text, citations)
    assert made == "whale oil [1]\nThe lamp burns whale oil. [1] It was lit in 1820. [2] Ada kept it. [1]"
    assert [one.label for one in moved] == [1, 1, 2, 1]
    assert [made[one.answer_start : one.answer_end] for one in moved] == [one.quote for one in citations]


def test_the_words_of_a_quote_keep_their_marks() -> None:
    text = "As Ada said [3], it burns. [2]"
    made, [moved] = Sources().renumber(text, [cited(text, "As Ada said [3], it burns.", 2, "a.md")])
    assert made == "As Ada said [3], it burns. [1]"
    assert made[moved.answer_start : moved.answer_end] == moved.quote


def test_a_source_named_twice_in_a_row_is_named_once() -> None:
    text = "It burns. [1] [2]"
    citations = [cited(text, "It burns.", 1, "a.md"), cited(text, "It burns.", 2, "a.md")]
    made, moved = Sources().renumber(text, citations)
    assert made == "It burns. [1]"
    assert {one.label for one in moved} == {1}


def test_an_answer_without_citations_is_left_as_it_is() -> None:
    assert Sources().renumber("See [4].", []) == ("See [4].", ())
