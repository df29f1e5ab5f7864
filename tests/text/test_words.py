"""The terms of real words, identifiers, numbers and scripts, in texts and in questions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.text import words
from rag.text.words import LONGEST_TERM, question_terms, text_terms


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("The café's self-hosted API", ["the", "cafe", "self", "host", "api"]),
        ("self hosted", ["self", "host"]),
        ("Łódź Straße İstanbul Ὀδυσσεύς", ["lodz", "strass", "istanbul", "οδυσσευσ"]),
        ("ｆｕｌｌ ﬁeld co\u00adoperate", ["full", "field", "cooper"]),
        ("dogs' dog's I'm don’t", ["dog", "dog", "i", "dont"]),
        ("l'homme O'Brien", ["lhomm", "homm", "obrien", "brien"]),
        ("e-mails T-cell", ["e", "mail", "email", "t", "cell", "tcell"]),
        ("user_id __init__ ___", ["user_id", "user", "id", "init"]),
        ("a.b.c example.com", ["a.b.c", "abc", "example.com", "exampl", "com"]),
        ("v2.3.1 2.3.1", ["v2.3.1", "2.3.1", "2.3.1"]),
        ("X-Request-Id", ["x-request-id", "request", "id"]),
        ("camelCase HTTPServer URLs", ["camelcas", "camel", "case", "httpserver", "http", "server", "url"]),
        ("iPhones iphone", ["iphon", "phone", "iphon"]),
        ("C++, C# and C; b2++", ["c++", "c#", "and", "c", "b2++"]),
        ("H2O mp3 21st 1960s", ["h2o", "mp3", "mp", "21st", "21", "st", "1960s", "1960"]),
        ("1,000.50 1000.50 1,234,567", ["1000.50", "1000.50", "1234567"]),
        ("1,2,3 2021-03-04", ["1", "2", "3", "2021-03-04", "2021", "03", "04"]),
        ("cats,dogs page#top", ["cat", "dog", "page", "top"]),
        ("1995–2003", ["1995", "2003"]),
        ("٢٠٢٣ 2023", ["2023", "2023"]),
        ("U.S. US U.S.A.", ["u.s", "us", "us", "u.s.a", "usa"]),
        ("550e8400-e29b-41d4-a716-446655440000", ["550e8400-e29b-41d4-a716-446655440000"]),
        (
            "90-day USD 1,000.50 ISO 9001:2015",
            ["90", "day", "usd", "1000.50", "iso9001", "iso", "9001", "2015"],
        ),
        ("全文検索。水", ["全文", "文検", "検索", "水"]),
        ("サーバーのログ", ["サー", "ーバ", "バー", "ーの", "のロ", "ログ"]),
        ("ﾛｸﾞ 日本語abc", ["ログ", "日本", "本語", "abc"]),
        ("검색엔진", ["검색", "색엔", "엔진"]),
        ("ภาษา", ["ภาษ", "าษา"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("", []),
        (" \n.,-–'\"()…", []),
    ],
)
def test_the_terms_of_a_text(text: str, terms: list[str]) -> None:
    assert text_terms(text) == terms


@pytest.mark.parametrize(
    "spellings",
    [
        ("RFC 2616", "RFC2616", "RFC-2616", "RFC_2616", "RFC\u00a02616"),
        ("ERR-0042", "ERR_0042", "ERR 0042", "err-0042"),
        ("self\u2010hosted", "self-hosted", "self\u2011hosted"),
        ("cafe\u0301", "caf\u00e9", "CAFÉ"),
    ],
)
def test_spellings_agree(spellings: tuple[str, ...]) -> None:
    assert len({tuple(text_terms(spelling)) for spelling in spellings}) == 1


def test_a_number_after_a_sentence_or_before_more_digits_is_no_compound() -> None:
    assert text_terms("the NHS. 2004") == ["the", "nhs", "2004"]
    assert text_terms("GBP 12.50") == ["gbp", "12.50"]


@pytest.mark.parametrize(
    ("question", "terms"),
    [
        ("What is the capital of France?", ["capit", "franc"]),
        ("to be or not to be", ["to", "be", "or", "not", "to", "be"]),
        ("What is the WHO?", ["who"]),
        ("WHAT IS THE TIME", ["time"]),
        ("dogs and dogs", ["dog", "dog"]),
        ("where is user_id", ["user_id", "user", "id", "user_id"]),  # the whole once per part
        ("rfc 2616", ["rfc", "2616", "rfc2616"]),
        ("in 1973", ["1973"]),  # not in1973
        ("mother-in-law", ["mother", "in", "law"]),
        ("", []),
        ("?!", []),
    ],
)
def test_the_terms_of_a_question(question: str, terms: list[str]) -> None:
    assert question_terms(question) == terms


@given(st.text(max_size=80))
def test_any_text_gives_clean_terms(text: str) -> None:
    for term in text_terms(text) + question_terms(text):
        assert term
        assert len(term) <= LONGEST_TERM + 10  # a question's compound: a word and a number
        assert not any(c.isspace() for c in term)  # RankBm25Index keeps them joined by spaces
        assert term == term.lower() or not term.isascii()


@given(st.text(st.characters(codec="ascii"), max_size=80))
def test_the_ascii_pattern_is_the_general_one(text: str) -> None:
    assert words._ASCII_SURFACE.findall(text) == words._SURFACE.findall(text)


def test_a_long_run_is_cut_and_not_remembered() -> None:
    run = "a" * 100_000
    assert text_terms(run) == ["a" * LONGEST_TERM]
    assert run not in words._known


def test_the_memory_of_words_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    known = words._SurfaceTerms()
    monkeypatch.setattr(words._SurfaceTerms, "LIMIT", 10)
    for number in range(100):
        assert known[f"word{number}"][0] == f"word{number}"
        assert len(known) <= 10
        assert known.wholes <= known.keys()
