"""Rewriting: without earlier turns a question stands alone already."""

from rag.rewrite import rewrite


def test_a_first_question_is_left_as_it_is() -> None:
    assert rewrite(" What does it burn? ") == " What does it burn? "
