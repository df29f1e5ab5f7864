"""Which words of a question are codes or versions, so that their absence means no."""

import pytest

from rag.answer.codes import absent_codes, absent_names, codes_of, names_of
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


@pytest.mark.parametrize(
    ("question", "names"),
    [
        ("How many vacation days do employees in Canada get?", ["Canada"]),
        ("What was the hotel limit for Germany in 2022?", ["Germany", "2022"]),
        ("My contract is German. How long may I stay in Portugal?", ["German", "Portugal"]),
        ("Is an iPhone 14 covered?", ["iPhone", "14"]),
        ("What did Mr. Dalton say?", ["Mr", "Dalton"]),
        # Small numbers and amounts
        ("What are the top 5 risks, in 2 sentences?", []),
        ("Is it more than 100km away?", []),
        # Documents write quarters and dates in many ways; the year is the year
        ("What was Intel's margin in Q3 2023, and on 3 October?", ["Intel's", "2023"]),
        ("May I leave on a Monday in April?", []),
        ("Ab welchem Pegel muss ich am Windkanal einen Ohrenschützer tragen?", []),
        # Capitals that say nothing
        ("who wrote the hobbit", []),
        ("What Is The Capital Of France?", []),
        ("WHAT IS THE LIMIT IN PARIS?", []),
        ('Who wrote it? And when? "Nobody" is no answer.', []),
        ("", []),
    ],
)
def test_names_of_a_question(question: str, names: list[str]) -> None:
    assert list(names_of(question)) == names


@pytest.mark.parametrize(
    ("question", "text", "absent"),
    [
        ("How long is leave in Canada?", "Leave in Germany is 30 days.", ["Canada"]),
        ("How long is leave in Germany?", "German staff have 30 days.", []),
        ("What was the limit in 2022?", "The limit is 135 EUR from 2026 on.", ["2022"]),
        ("What does Ada's lamp burn?", "The lamp of Ada burns oil.", []),
        ("How long is leave?", "The lamp burns oil.", []),
        # A few words may be of any language
        (
            "Preis der Pumpen?",
            "Die Kosten sind in der Liste zu finden, und sie gelten auch für das nächste Jahr.",
            [],
        ),
    ],
)
def test_names_that_nothing_mentions(question: str, text: str, absent: list[str]) -> None:
    assert absent_names(question, context_of(question, text).evidence) == absent
