"""Which words of a question are codes or versions, so that their absence means no."""

import pytest

from rag.answer.codes import absent_codes, codes_of
from tests.answer.test_generate import context_of


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
        ("Is it more than 100km, or a 250ml bottle of the 500-page book for 1500USD?", []),
        ("Does the 2000W heater or the 500GB disk fit the 200-EUR budget?", []),
        ("Kostet es mehr als 1.234.567 Euro?", []),
        ("Are pre-2019 leases exempt since mid-2024?", []),
        ("What was revenue in 1H23 and H2-2023?", []),
        ("Which host is 10.0.0.1?", ["10.0.0.1"]),
        ("What is ERR-2001, and the parts 4711X and 4711A?", ["ERR-2001", "4711X", "4711A"]),
    ],
)
def test_codes_of_a_question(question: str, codes: list[str]) -> None:
    assert codes_of(question) == codes


@pytest.mark.parametrize(
    ("question", "text", "absent"),
    [
        ("What did 2.7.2 fix?", "Part 12720 was in 2072.", ["2.7.2"]),
        ("What did 2.7.2 fix?", "12.7.2 and 1.2.7.2 and 2.7.21 differ.", ["2.7.2"]),
        ("What did 2.7.2 fix?", "Firmware v2.7.2.", []),
        ("What did v1.4 fix?", "Since 2014 it is mended.", ["1.4"]),
        ("What does ERR-0063 mean?", "Err 0063: no paper.", []),
    ],
)
def test_codes_that_nothing_mentions(question: str, text: str, absent: list[str]) -> None:
    assert absent_codes(context_of(question, text)) == absent
