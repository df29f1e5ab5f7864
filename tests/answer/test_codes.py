"""Which words of a question are codes or versions, so that their absence means no."""

import pytest

from rag.answer.codes import codes_of


@pytest.mark.parametrize(
    ("question", "codes"),
    [
        ("What does ERR-0063 mean?", ["ERR-0063"]),
        ("what is compound p4010", ["p4010"]),
        ("What was fixed in firmware 2.7.2?", ["2.7.2"]),
        ("Does v1.4 have it?", ["1.4"]),
        ("Is it in version 2.1 too?", ["2.1"]),
        ("When will Skylark 5.2.0 be released?", ["5.2.0"]),
        ("Is 2.5 litres enough?", []),
        ("What did Oskel earn in 2Q23, FY2023 and Q3'23?", []),
        ("What happened on 30.09.2023 and 2023-09-30?", []),
        ("Which A4 sheets?", []),
    ],
)
def test_codes_of_a_question(question: str, codes: list[str]) -> None:
    assert codes_of(question) == codes
