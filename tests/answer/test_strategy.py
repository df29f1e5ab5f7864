"""Which parts of the documents a prompt shows: retrieved spans, whole documents that fit, or a summary and then
detail."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rag.answer.strategy import (
    SUMMARY,
    SUMMARY_PARTS,
    Selection,
    asks_for_overview,
    central_sentences,
    names_document,
)
from rag.assemble import reading_order
from rag.models.embed import Embedder
from rag.pipeline import Pipeline
from rag.settings import Settings
from rag.stages import ModelSet
from rag.types import Chunk, Hit
from tests.made_versions import CORPUS, Library
from tests.talking import Talker, talking

LINES = [
    "The lamp of the lighthouse burns whale oil through the night.",
    "The tower of the lighthouse is 41 metres high and painted white.",
    "Ada Quill lights the lamp of the lighthouse at dusk each day.",
    "A second keeper relieves Ada Quill on Sundays and on holidays.",
    "The stores of whale oil are filled twice a year by the tender.",
    "Visitors may climb the tower on Saturdays in the summer months.",
]
MILL = [f"The mill grinds rye on day {n} of the month, {n} sacks in all." for n in range(40)]


@pytest.fixture
def filled(library: Library) -> Library:
    library.put("lighthouse.txt", "\n".join(LINES))
    library.put("mill.txt", "\n".join(MILL))
    return library


def pipeline(library: Library, talker: Talker | None = None, **settings: Any) -> Pipeline:
    if talker:
        settings |= {"generator": "openai", "generator_url": talker.url, "generator_model": "m"}
    configured = Settings(home=Path("unused"), **settings)
    return Pipeline(configured, library.catalog, ModelSet(configured, library.embedder))


@pytest.mark.parametrize(
    ("question", "overview"),
    [
        ("Summarise the travel policy.", True),
        ("Could you summarize travel-policy.md?", True),
        ("Give me a short overview of the runbook.", True),
        ("What are the main points of the minutes?", True),
        ("What is the remote work policy about?", True),
        ("Give me a summary.", True),
        ("What does plan-team.md say?", True),
        ("What's in the glossary?", True),
        ("Fasse den Mietvertrag bitte kurz zusammen.", True),
        ("Worum geht es in handbuch.pdf?", True),
        ("Résume le contrat de travail", True),
        ("De quoi parle rapport-annuel.pdf ?", True),
        ("¿De qué trata el informe anual?", True),
        ("Hazme un resumen de contrato.docx, por favor", True),
        ("Wer fasst das zusammen und wann?", False),
        ("Wo steht der Überblick über die Preise?", False),
        ("Qui rédige le résumé ?", False),
        ("¿Quién firma el resumen?", False),
        ("What is the hotel limit in London?", False),
        ("What does the policy say about hotels?", False),
        ("What does the warranty cover?", False),
        ("What is known about the lamp of the tower?", False),
        ("When is the main meeting?", False),
        ("Who receives the executive summary?", False),
        ("What is the main point of contact for a lost laptop?", False),
        ("Where is the overview of prices kept?", False),
    ],
)
def test_a_question_for_an_overview_is_told(question: str, overview: bool) -> None:
    assert asks_for_overview(question) is overview


def test_a_document_is_named_by_all_that_is_asked_of() -> None:
    assert names_document("Give me an overview of the escalation runbook.", "support/escalation-runbook.md")
    assert not names_document(
        "A brief summary of the hotel limits in London", "policies/travel-policy-2026.md"
    )
    assert names_document("Summarise travel policy 2026", "policies/travel-policy-2026.md")
    assert not names_document("Summarise travel policy 2024", "policies/travel-policy-2026.md")
    assert names_document("Summarise the team plan in two sentences", "plan-team.md")
    assert names_document("TL;DR of plan-team.md please", "plan-team.md")
    assert names_document("What is the e-mail from Ada about?", "0001.eml Ada Quill Move to Graz")
    assert not names_document("Summarise the history of Rome", "support/escalation-runbook.md")
    assert names_document("Fasse die Reiserichtlinie 2026 zusammen.", "reiserichtlinie-2026.md")
    assert names_document("Hazme un resumen de contrato.docx, por favor", "contrato.docx")
    assert not names_document("Résume le contrat de travail", "contrat-de-bail.pdf")
    assert not names_document("Give me a summary", "support/escalation-runbook.md")


def test_a_document_that_fits_is_given_whole_to_a_model(filled: Library) -> None:
    with talking(Talker("Ada Quill lights the lamp of the lighthouse at dusk each day.")) as talker:
        answer = pipeline(filled, talker, evidence_tokens=400).ask(CORPUS, "Who lights the lamp?")

    prompt = talker.asked[-1]["messages"][1]["content"]
    assert answer.trace.strategy == "whole_document"
    places = [prompt.index(line) for line in LINES]
    assert places == sorted(places)  # in document order
    assert answer.ledger.evidence <= 400
    assert answer.citations[0].quote == LINES[2]
    scores = [hit.score for hit in answer.trace.rankings["evidence"]]
    assert all(earlier >= later for earlier, later in pairwise(scores))


def test_one_that_does_not_fit_is_not_cut_to_fit(filled: Library) -> None:
    with talking(Talker("It grinds rye.")) as talker:
        answer = pipeline(filled, talker, evidence_tokens=400).ask(
            CORPUS, "What does the mill grind on day 7?"
        )

    assert answer.trace.strategy == "retrieval"
    assert answer.trace.rankings["evidence"][0].chunk.document == "mill.txt"


def test_an_extractive_answer_is_given_what_was_retrieved(filled: Library) -> None:
    answer = pipeline(filled).ask(CORPUS, "Who lights the lamp?")
    assert answer.trace.strategy == "retrieval"
    whole = pipeline(filled, strategy="whole_document").ask(CORPUS, "Who lights the lamp?")
    assert whole.trace.strategy == "whole_document"
    assert len(whole.trace.rankings["context"]) == len(LINES)
    assert "Ada Quill" in whole.text


def test_an_overview_is_of_the_named_document_and_quotes_its_parts(filled: Library) -> None:
    answer = pipeline(filled).ask(CORPUS, "Give me an overview of the mill.")

    assert answer.trace.strategy == "summary_then_detail"
    summary = [hit for hit in answer.trace.rankings["context"] if hit.stage == SUMMARY]
    assert len(summary) == SUMMARY_PARTS
    assert {hit.chunk.document for hit in summary} == {"mill.txt"}
    assert [hit.start for hit in summary] == sorted(hit.start for hit in summary)
    assert answer.answerable
    assert {citation.document for citation in answer.citations} == {"mill.txt"}
    assert all(citation.verified for citation in answer.citations)
    nothing = pipeline(filled).ask(CORPUS, "Summarise the constitution of France.")
    assert not nothing.answerable
    off = pipeline(filled, strategy="retrieval").ask(CORPUS, "Give me an overview of the mill.")
    assert off.trace.strategy == "retrieval"


NAMED = {
    "plan-team.md": "# Pricing\n\nThe Team plan has twenty seats. It costs 49 euros a month.\n",
    "plan-solo.md": "# Pricing\n\nThe Solo plan has one seat. It costs 9 euros a month.\n",
    "policy-2024.md": "# Remote work\n\nEmployees may work at home two days a week. Equipment is paid.\n",
    "glossary.md": "# Glossary\n\nSLA: service level agreement. RTO: recovery time objective.\n",
    "0001.eml": "From: Ada Quill <ada@example.org>\nSubject: The lift\n\nThe lift is repaired on Monday at nine.\n",
}


@pytest.mark.parametrize(
    ("document", "ways"),
    [
        (
            "plan-team.md",
            ["Summarise plan-team.md", "Summarise the team plan", "What does plan team.md say?"],
        ),
        (
            "policy-2024.md",
            ["Summarise policy-2024.md", "Summarise policy 2024", "Summarise the remote work policy"],
        ),
        (
            "glossary.md",
            ["What is glossary.md about?", "Summarise the glossary", "Give me the gist of the glossary."],
        ),
        (
            "0001.eml",
            ["Summarise the e-mail from Ada", "Summarise the mail about the lift", "Summarise 0001.eml"],
        ),
    ],
)
def test_a_document_is_summarised_the_same_however_it_is_named(
    library: Library, document: str, ways: list[str]
) -> None:
    for name, text in NAMED.items():
        library.put(name, text, metadata={"title": "The lift"} if name == "0001.eml" else None)
    path = pipeline(library)
    answers = [path.ask(CORPUS, way) for way in ways]

    assert {citation.document for answer in answers for citation in answer.citations} == {document}
    assert {citation.verified for answer in answers for citation in answer.citations} == {True}
    assert len({answer.text for answer in answers}) == 1
    assert path.ask(CORPUS, "Summarise policy-2023.md").text == ""
    assert path.ask(CORPUS, "Summarise the document").text == ""  # which?


def test_the_only_document_needs_no_name(library: Library) -> None:
    library.put("plan-team.md", NAMED["plan-team.md"])

    assert "49 euros" in pipeline(library).ask(CORPUS, "What is this document about?").text


def test_the_central_sentence_of_each_part(embedder: Embedder) -> None:
    texts = [*["The cat sat on the mat today."] * 3, "Stocks fell on Monday in New York."] * SUMMARY_PARTS
    chunks = [Chunk("d", "d.txt", 1, 100 * n, 100 * n + len(text), text) for n, text in enumerate(texts)]
    vectors = np.array(embedder.encode(texts))
    summary = central_sentences(chunks, vectors, embedder)

    assert [hit.text for hit in summary] == ["The cat sat on the mat today."] * SUMMARY_PARTS
    assert all(0 <= hit.score <= 1 for hit in summary)
    short = [Chunk("d", "d.txt", 1, 0, 5, "Hello")]
    assert central_sentences(short, vectors[:1], embedder) == []


def test_reading_order() -> None:
    def hit(document: str, start: int, stage: str = "fused") -> Hit:
        chunk = Chunk(document, document, 1, start, start + 5, "words")
        return Hit(chunk, start, start + 5, "words", 0.5, stage)

    retrieved = [hit("b", 10), hit("a", 5), hit("b", 0)]
    assert reading_order(Selection("retrieval", retrieved), attention=False) == retrieved
    assert reading_order(Selection("retrieval", retrieved), attention=True) == [
        retrieved[0],
        retrieved[2],
        retrieved[1],
    ]
    whole = reading_order(Selection("whole_document", retrieved), attention=True)
    assert [(one.chunk.document, one.start) for one in whole] == [("b", 0), ("b", 10), ("a", 5)]
    summed = [hit("b", 10), hit("b", 3, SUMMARY)]
    assert reading_order(Selection("summary_then_detail", summed), attention=True) == summed[::-1]
