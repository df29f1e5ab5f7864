"""The extractive answer: verbatim, cited, within its limits, and without sentences that say nothing."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
import pytest

from rag.answer.extractive import (
    MOST_SHORT,
    SHORT_CHARS,
    SHORT_FROM,
    SHORT_WORDS,
    Extractive,
    choose_sentences,
    read_around,
    short_answers,
    shown_row,
    with_antecedents,
)
from rag.answer.relevance import Weighed, read_features, unread_features
from rag.answer.sentences import Sentence, answering_sentences, introduced, sentences_of
from rag.answer.verify import verify
from rag.assemble import Limits, assemble
from rag.models.embed import Embedder
from rag.models.evidence import EvidenceModel
from rag.models.reader import NOTHING, Reading, ScoredSpan
from rag.text.names import heading_above
from rag.text.tables import find_rows
from rag.types import Chunk, Context, Draft, Evidence, Hit
from tests.made_versions import CORPUS, Library

LAMP = "# Lighthouse\n\nThe lamp burns whale oil. It was lit in 1820 by Ada Quill. The stairs have 199 steps."
PRICES = (
    "## Hotels\n\n| Country | Limit per night |\n| --- | --- |\n| Germany | 135 EUR |\n| Japan | 190 EUR |"
)
CODES = """Codes are shown in the app.
ERR-0012 Clock not set, wait
ERR-0042 No charging current for 3 days, clean the panel"""


def hit_of(text: str, name: str = "a.md", score: float = 1.0) -> Hit:
    chunk = Chunk(name, name, 1, 0, len(text), text)
    return Hit(chunk, 0, len(text), text, score, "trimmed")


def context_of_hits(question: str, hits: Sequence[Hit]) -> Context:
    """Assemble hits in the given order; all of them fit."""
    return assemble(question, hits, hits, limits=Limits(4000, 2000), count=lambda text: len(text.split()))


def test_of_a_long_row_the_cells_asked_for_are_shown() -> None:
    names = ["Ship", "Mass kg", *(f"{a}{b}" for a in "xyz" for b in "abcdefghijkmn")]
    lines = [names, ["---"] * 41, ["Orca", "7100", *(f"cell {number}" for number in range(39))]]
    text = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    [row] = find_rows(text)
    assert shown_row(row, "What is the yc of the Orca?") == "Orca · yc: cell 15"
    # What the reader read, although the question has none of its words
    [piece] = context_of("How heavy is the Orca?", text).evidence
    at = text.index("7100")
    mass = Sentence(piece, at, at + 4, "7100", "", row)
    assert shown_row(row, "How heavy is the Orca?", [mass]) == "Orca · Mass kg: 7100"
    assert shown_row(row, "How heavy is it?") == row.shown()
    [cell] = find_rows(f"| Ship |\n|---|\n| {'very ' * 50}old |")
    assert shown_row(cell, "Which boats are there?") == cell.shown()


def context_of(question: str, *texts: str) -> Context:
    hits = [hit_of(text, f"{number}.md", 1 - number / 10) for number, text in enumerate(texts)]
    return context_of_hits(question, hits)


class Answer(Protocol):
    def __call__(self, question: str, *texts: str, sentences: int = 3, words: int = 120) -> Draft: ...


@pytest.fixture(scope="module")
def answer(embedder: Embedder, evidence: EvidenceModel) -> Answer:
    def generate(question: str, *texts: str, sentences: int = 3, words: int = 120) -> Draft:
        return Extractive(embedder, evidence, sentences=sentences, words=words).generate(
            context_of(question, *texts)
        )

    return generate


def test_the_sentence_that_answers_leads(answer: Answer) -> None:
    assert answer("What does the lamp burn?", LAMP).text.startswith("The lamp burns whale oil. [1]")
    shown = "Germany · Limit per night: 135 EUR"
    assert shown in answer("What is the hotel limit in Germany?", LAMP, PRICES).text
    assert "ERR-0042 No charging current" in answer("ERR-0042 meaning", CODES, LAMP).text


def test_the_best_sentence_comes_first_wherever_it_stands(answer: Answer) -> None:
    text = "The lamp was lit by Ada Quill. The stairs are steep. The lamp was lit in 1820."
    quotes = [citation.quote for citation in answer("When was the lamp lit?", text).citations]
    assert quotes[0] == "The lamp was lit in 1820."


def test_every_citation_is_the_words_at_its_place(answer: Answer) -> None:
    texts = (LAMP, PRICES, CODES)
    draft = answer("Who lit the lamp, and when?", *texts)

    assert draft.citations
    for citation in draft.citations:
        assert texts[int(citation.document[0])][citation.start : citation.end] == citation.quote
        assert draft.text[citation.answer_start : citation.answer_end] == citation.quote
        assert citation.label == int(citation.document[0]) + 1
        assert not citation.verified


def test_the_limits_hold(answer: Answer) -> None:
    many = " ".join(f"The lamp number {number} burns whale oil from barrel {number}." for number in range(30))

    assert len(answer("What does the lamp burn?", many, sentences=2).citations) <= 2
    assert len(answer("What does the lamp burn?", many, words=25).text.split()) <= 25 + 3  # and the labels
    endless = "The lamp burns " + ", ".join(f"oil number {number}" for number in range(500))
    [citation] = answer("What does the lamp burn?", endless, words=40).citations
    assert len(citation.quote.split()) == 40


def test_repeated_sentences_are_said_once(answer: Answer) -> None:
    draft = answer("What does the lamp burn?", LAMP, LAMP)

    assert draft.text.count("The lamp burns whale oil.") == 1


def test_without_evidence_nothing_is_said(answer: Answer) -> None:
    for texts in ((), ("# Only a heading",), ("---\n\n|---|---|",)):
        draft = answer("What does the lamp burn?", *texts)
        assert (draft.text, draft.citations, draft.confidence) == ("", (), 0.0)
        assert draft.reason


def test_evidence_that_does_not_fit_is_not_called_absent(embedder: Embedder, evidence: EvidenceModel) -> None:
    hits = [hit_of(LAMP)]
    context = assemble("What?", hits, hits, limits=Limits(4000, 3), count=lambda text: len(text.split()))
    reason = Extractive(embedder, evidence).generate(context).reason
    assert "IBID_EVIDENCE_TOKENS" in reason
    assert "does not fit" in reason


def test_a_code_that_nothing_mentions_is_not_answered_for(answer: Answer) -> None:
    for asked in ("ERR-0042 meaning", "What does err0042 mean?", "What does ERR 0042 mean?"):
        assert "ERR-0042" in answer(asked, CODES).text
    draft = answer("ERR-0043 meaning", CODES)
    assert (draft.text, draft.confidence) == ("", 0.0)
    assert draft.reason == "Nothing that was found mentions ERR-0043."
    # Years, amounts and short names are no codes
    assert answer("Who lit the lamp in 1821 in Q3?", LAMP).text


def test_confidence_is_higher_where_the_answer_stands(answer: Answer) -> None:
    there = answer("What does the lamp of the lighthouse burn?", LAMP)
    absent = answer("What is the boiling point of ethanol?", LAMP)

    assert 0 < absent.confidence < 0.3 < there.confidence < 1


def test_what_says_nothing_is_no_sentence() -> None:
    assert [s.text for s in sentences_of(Evidence(1, hit_of(PRICES), 0))] == [
        "Germany | 135 EUR",
        "Japan | 190 EUR",
    ]
    listed = "- First point.\n2. Second point.\n```\ncode\n```\n> Quoted words."
    assert [s.text for s in sentences_of(Evidence(1, hit_of(listed), 0))][:2] == [
        "First point.",
        "Second point.",
    ]


def test_a_table_row_knows_its_heading_and_header() -> None:
    rows = list(sentences_of(Evidence(1, hit_of(PRICES, "travel.md"), 0)))

    assert all(
        "Hotels" in row.above and "Limit per night" in row.above and "travel.md" in row.above for row in rows
    )


def test_features_by_hand(embedder: Embedder) -> None:
    sentences = list(
        sentences_of(Evidence(1, hit_of("The lamp burns oil. Ada lit it in 1820.", score=0.7), 0))
    )

    burns, lit = unread_features("When was the lamp lit?", sentences, embedder)

    cosine, coverage, kind, news, hit_score = range(5)
    assert (burns[kind], lit[kind]) == (-1, 1)  # a year was asked for
    # "lamp" and "lit" are each in one of two sentences, so each weighs half
    assert (burns[coverage], lit[coverage]) == (0.5, 0.5)
    assert burns[news] == pytest.approx(2 / 6)  # burn, oil
    assert burns[hit_score] == lit[hit_score] == 0.7
    vectors = embedder.encode(["When was the lamp lit?", "The lamp burns oil."])
    assert burns[cosine] == pytest.approx(float(vectors[0] @ vectors[1]), abs=1e-6)


def test_introductions_to_nothing_and_headings_in_capitals_cannot_answer() -> None:
    for text, expected in (
        ("The costs were as follows:\n\nNothing else.", ["Nothing else."]),
        ("NOTE 10: INCOME TAXES\n\nThe rate was 18%.", ["The rate was 18%."]),
        ("The board:\n\n- Ada\n- Bo", ["The board:", "Ada", "Bo"]),
        ("Please check:\n\n- Is it paid?\n- Who pays?", []),
        ("**May I return it?**\n\nNo.", ["No."]),
    ):
        assert answering(text) == expected


def test_capitals_answer_where_they_are_no_heading() -> None:
    for text, expected in (
        ("THE ALARM RINGS\nAT 11:00", ["THE ALARM RINGS", "AT 11:00"]),
        ("The seller says:\n\nIN NO EVENT ARE WE LIABLE.", ["IN NO EVENT ARE WE LIABLE."]),
        (
            "Pay the bill to this account.\n\nIBAN: AT61 1904",
            ["Pay the bill to this account.", "IBAN: AT61 1904"],
        ),
        ("It has the ports\n\n- USB-C\n- HDMI", ["It has the ports", "USB-C", "HDMI"]),
        (
            "| Tax | Rate |\n| --- | --- |\n| VAT | 20 |\n\nOther taxes are not due.",
            ["VAT | 20", "Other taxes are not due."],
        ),
    ):
        assert answering(text) == expected


def test_a_list_ends_where_another_kind_of_mark_follows_a_blank_line() -> None:
    for text, continues in (
        ("- Ada\n- Bo", True),
        ("- Ada\n\n3. Next meeting", False),
        ("(a) the first;\n(b) the second.", True),
        ("(b) the second.\n\n4. Liability", False),
        ("1. Open it:\n\n   - pull\n\n2. Close it.", True),
        ("1. Open it.\n\n2. Close it.", True),
        ("- Ada\n\n## Guests\n\n- Bo", False),
    ):
        *_, before, last = sentences_of(Evidence(1, hit_of(text), 0))
        assert introduced(before, last) is continues, text


def test_an_underlined_heading_is_above_its_text_and_does_not_answer() -> None:
    text = "date: 3 May\n---\n2.8.1   1 April\n===========\nIt was withdrawn.\n"
    found = list(sentences_of(Evidence(1, hit_of(text), 0)))
    assert [one.text for one in found] == ["date: 3 May\n---", "It was withdrawn."]
    assert found[1].above.split("\n")[-2:] == ["2.8.1   1 April", ""]
    below = replace(hit_of(text), start=text.index("It was"))
    assert heading_above(below) == "2.8.1 1 April"


def test_what_stands_above_a_unit() -> None:
    text = "# Tarn\n\nIt is grey.\n\n| Part | Price |\n| --- | --- |\n| Lid | 4 |\n\nIt holds.\n\n## Care\n\n- Wipe."
    above = [one.above.split("\n")[-2:] for one in sentences_of(Evidence(1, hit_of(text), 0))]
    assert above == [["Tarn", ""], ["Tarn", "| Part | Price |"], ["Tarn", ""], ["Care", ""]]


def answering(text: str) -> list[str]:
    return [one.text for one in answering_sentences([Evidence(1, hit_of(text), 0)])]


def test_a_list_is_shown_whole_and_in_order_after_what_introduces_it(answer: Answer) -> None:
    text = "To reset the logger:\n\n1. Hold the button.\n2. Wait for green.\n3. Release it."
    quotes = [citation.quote for citation in answer("How do I reset the logger?", text).citations]
    assert quotes == ["To reset the logger:", "Hold the button.", "Wait for green.", "Release it."]
    assert len(answer("How do I reset the logger?", text, words=8).citations) == 2


def test_a_further_sentence_is_no_introduction_without_its_list() -> None:
    text = "The notice is one month. It is shorter if:\n\n- he is ill\n- he moves"
    sentences = answering_sentences([Evidence(1, hit_of(text), 0)])
    weighed = [
        Weighed(one, np.zeros(2), odds) for one, odds in zip(sentences, (2.0, 1.9, -9, -9), strict=True)
    ]
    chosen = choose_sentences("What is the notice?", weighed, sentences=3, words=99)
    assert [one.text for one in chosen] == ["The notice is one month."]


def test_what_a_pronoun_stands_for_comes_first_even_if_it_was_chosen_later() -> None:
    text = "It is grey. Shipping costs 9 euros. It takes three to six days."
    _, cost, days = every = answering_sentences([Evidence(1, hit_of(text), 0)])
    shown = with_antecedents([days, cost], every, words=99)
    assert [one.text for one in shown] == ["Shipping costs 9 euros. It takes three to six days."]


def test_a_table_is_shown_after_what_introduces_it(answer: Answer) -> None:
    text = "Sales by kind of product were:\n\n| Kind | 2023 |\n|---|---|\n| Phones | 51 |\n| Tablets | 7 |"
    shown = answer("What were the sales by kind of product?", text).text
    assert "Phones · 2023: 51 [1] Tablets · 2023: 7 [1]" in shown


def test_features_of_sentences_that_were_read(evidence: EvidenceModel) -> None:
    sentences = answering_sentences([Evidence(1, hit_of(LAMP, score=0.7), 0)])
    features = read_features("What does the lamp burn?", sentences, evidence)
    assert features.shape == (3, 2)
    assert features[:, 0].argmax() == 0
    assert set(features[:, 1]) == {0.7}


# short answers


KEEPERS = (
    "Ada Quill kept the lamp from 1820. After her came Bo Finch, who stayed for nine winters. "
    "The last keeper was Cy Marsh. The stairs have 199 steps."
)


class Phrases:
    """A stand-in for the reader that finds given phrases, with their probabilities."""

    calibrated = True

    def __init__(self, chances: dict[str, float]) -> None:
        self._chances = sorted(chances.items(), key=lambda one: -one[1])

    def read(self, question: str, context: str) -> Reading:
        places = [(context.find(phrase), phrase, chance) for phrase, chance in self._chances]
        spans = tuple(ScoredSpan(at, at + len(phrase), chance) for at, phrase, chance in places if at >= 0)
        if not spans:
            return NOTHING
        best = spans[0]
        answer = context[best.start : best.end]
        return Reading(answer, best.start, best.end, best.score, 1 - best.score, spans)

    def read_all(self, question: str, contexts: Sequence[str]) -> list[Reading]:
        return [self.read(question, context) for context in contexts]


def shorts(question: str, chances: dict[str, float], text: str = KEEPERS) -> list[str]:
    chosen = list(sentences_of(Evidence(1, hit_of(text), 0)))
    found = short_answers(question, chosen, read_around(question, chosen, Phrases(chances)))
    return [words.text for words in found]


THREE = {"Bo Finch": 0.8, "Ada Quill": 0.5, "Cy Marsh": 0.4}


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Who kept the lamp?", ["Bo Finch"]),
        ("When was the lamp lit?", ["Bo Finch"]),
        ("Which keepers were there?", ["Bo Finch", "Ada Quill", "Cy Marsh"]),
        ("List the keepers.", ["Bo Finch", "Ada Quill", "Cy Marsh"]),
        ("What are the names of the keepers?", ["Bo Finch", "Ada Quill", "Cy Marsh"]),
        ("Who were the keepers?", ["Bo Finch", "Ada Quill", "Cy Marsh"]),
        ("Which keepers of the lamp were there?", ["Bo Finch", "Ada Quill", "Cy Marsh"]),
        ("Who is on the guest list?", ["Bo Finch"]),
        ("Which bus do I take?", ["Bo Finch"]),
        ("Which class must I take?", ["Bo Finch"]),
    ],
)
def test_several_answers_only_where_several_are_asked_for(question: str, expected: list[str]) -> None:
    assert shorts(question, THREE) == expected


def test_an_unsure_reader_does_not_lead() -> None:
    assert shorts("Who kept the lamp?", {"Ada Quill": SHORT_FROM - 0.01}) == []
    assert shorts("Which keepers were there?", dict.fromkeys(THREE, SHORT_FROM - 0.01)) == []
    assert shorts("Who kept the lamp?", {}) == []
    assert shorts("Who kept the lamp?", {"Ada Quill": SHORT_FROM}) == ["Ada Quill"]
    # further answers need only half as much
    sure, half, less = SHORT_FROM, SHORT_FROM / 2, SHORT_FROM / 2 - 0.01
    chances = {"Ada Quill": sure, "Bo Finch": half, "Cy Marsh": less}
    assert shorts("Which keepers were there?", chances) == ["Ada Quill", "Bo Finch"]


def test_a_short_answer_is_short_and_said_once() -> None:
    long = " ".join(f"word{n}" for n in range(SHORT_WORDS + 1))
    assert shorts("Who kept the lamp?", {long: 0.9}, f"It was {long}.") == []
    fits = " ".join(f"word{n}" for n in range(SHORT_WORDS))
    assert shorts("Who kept the lamp?", {fits: 0.9}, f"It was {fits}.") == [fits]
    twice = "Ada Quill kept it. Then ADA QUILL came back. Bo Finch followed."
    found = shorts("Which keepers were there?", {"ADA QUILL": 0.9, "Ada Quill": 0.8, "Bo Finch": 0.7}, twice)
    assert found == ["ADA QUILL", "Bo Finch"]


def test_what_would_only_repeat_or_run_on_does_not_lead() -> None:
    assert (
        shorts("What burns?", {"The lamp burns whale oil": 0.9}, "The lamp burns whale oil. It smokes.") == []
    )
    assert shorts("Who kept it?", {"Ada\nQuill": 0.9}, "Then came Ada\nQuill from Leeds.") == []
    assert (
        shorts("Where is it?", {"x" * (SHORT_CHARS + 1): 0.9}, f"See {'x' * (SHORT_CHARS + 1)} there.") == []
    )
    within = {"Ada Quill of Leeds": 0.9, "Ada Quill": 0.8}
    assert (
        shorts("Who were the keepers?", within, "Ada Quill of Leeds kept it. Ada Quill was old.")
        == list(within)[:1]
    )


def test_a_list_keeps_to_the_limits_of_an_answer(embedder: Embedder, evidence: EvidenceModel) -> None:
    hits = [hit_of(KEEPERS, "keepers.md")]
    context = context_of_hits("Which keepers were there?", hits)
    draft = Extractive(embedder, evidence, Phrases(THREE), sentences=1).generate(context)
    lead, *rest = draft.text.split("\n")
    assert lead == "Bo Finch [1] Ada Quill [1] Cy Marsh [1]"
    assert len(rest) == 1
    assert rest[0].count("[1]") == 1


def test_confidence_hears_a_calibrated_reader_only(embedder: Embedder, evidence: EvidenceModel) -> None:
    hits = [hit_of(LAMP, "lamp.md", 0.9)]
    context = context_of_hits("What does the lamp burn?", hits)

    def confidence(reader: Phrases | None) -> float:
        return Extractive(embedder, evidence, reader).generate(context).confidence

    foreign = Phrases({"whale oil": 0.9})
    foreign.calibrated = False
    assert confidence(foreign) == confidence(None)
    assert confidence(Phrases({"whale oil": 0.9})) > confidence(Phrases({"whale oil": 0.1}))


def test_short_answers_are_few_and_rest_on_what_is_shown() -> None:
    many = {f"Keeper{n} Quill": 0.9 - n / 100 for n in range(MOST_SHORT + 3)}
    text = " ".join(f"In winter {n} came {name}." for n, name in enumerate(many))
    assert shorts("Which keepers were there?", many, text) == list(many)[:MOST_SHORT]

    sentences = list(sentences_of(Evidence(1, hit_of(KEEPERS), 0)))
    reader = Phrases({"Ada Quill": 0.9})
    readings = read_around("Who?", sentences, reader)
    assert [one.text for one in short_answers("Who?", sentences[:1], readings)] == ["Ada Quill"]
    assert short_answers("Who?", sentences[1:], readings) == []  # its sentence was not chosen


def test_a_short_answer_leads_with_its_own_verified_citation(
    library: Library, embedder: Embedder, evidence: EvidenceModel
) -> None:
    library.put("lamp.md", LAMP)
    library.put("keepers.md", KEEPERS)
    hits = [hit_of(LAMP, "lamp.md", 0.9), hit_of(KEEPERS, "keepers.md", 0.8)]
    context = context_of_hits("What does the lamp burn?", hits)
    reader = Phrases({"whale oil": 0.9, "199 steps": 0.1})

    draft = Extractive(embedder, evidence, reader).generate(context)

    assert draft.text.split("\n")[0] == "whale oil [1]"
    assert "The lamp burns whale oil. [1]" in draft.text.split("\n")[1]
    citations = verify(draft, context, CORPUS, library.catalog)
    assert all(citation.verified for citation in citations)
    first = citations[0]
    assert (first.answer_start, first.answer_end, first.quote) == (0, 9, "whale oil")
    assert LAMP[first.start : first.end] == "whale oil"
    assert "whale oil" in citations[1].quote

    without = Extractive(embedder, evidence, Phrases({"whale oil": 0.1})).generate(context)
    assert "\n" not in without.text
    assert not without.text.startswith("whale oil")


def test_several_short_answers_are_cited_one_by_one(
    library: Library, embedder: Embedder, evidence: EvidenceModel
) -> None:
    library.put("keepers.md", KEEPERS)
    hits = [hit_of(KEEPERS, "keepers.md")]
    context = context_of_hits("Which keepers were there?", hits)

    draft = Extractive(embedder, evidence, Phrases(THREE)).generate(context)

    lead = draft.text.split("\n")[0]
    citations = verify(draft, context, CORPUS, library.catalog)
    leading = [citation for citation in citations if citation.answer_end <= len(lead)]
    assert len(leading) >= 2
    assert lead == " ".join(f"{citation.quote} [1]" for citation in leading)
    assert [c.quote for c in leading] == sorted((c.quote for c in leading), key=lambda name: -THREE[name])
