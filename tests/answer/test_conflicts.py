"""Sources that disagree: what counts as a conflict and what does not, through the real question path."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from rag.pipeline import Pipeline
from rag.settings import Settings
from rag.stages import ModelSet
from rag.types import Answer, Conflict
from tests.browsed import browsed, needs_chromium
from tests.made_versions import CORPUS, Library
from tests.served import served
from tests.typed import Ibid


def ask(library: Library, question: str, documents: dict[str, str], **settings: Any) -> Answer:
    for name, text in documents.items():
        library.put(name, text)
    configured = Settings(**{"home": Path("unused"), "refuse_below": 0.0, **settings})
    return Pipeline(configured, library.catalog, ModelSet(configured, library.embedder)).ask(CORPUS, question)


def sides(conflict: Conflict) -> list[tuple[str, str]]:
    """Return the document and the words of each side, in the order shown."""
    return [
        (side.document, conflict.text[side.answer_start : side.answer_end]) for side in conflict.citations
    ]


CLAIMS = "Until when are travel claims accepted after a trip?"
OLD = (
    "Valid from: 1 January 2024\n\nTravel claims must reach finance within 60 days after the end of the trip."
)
NEW = "Valid from: 1 March 2026\n\nTravel claims must be submitted within 30 days after the end of the trip."


def test_two_dates_of_one_policy_are_shown_newest_first_each_with_its_verified_words(
    library: Library,
) -> None:
    answer = ask(library, CLAIMS, {"claims-2024.md": OLD, "claims-2026.md": NEW})

    [conflict] = answer.conflicts
    assert conflict.kind == "dates"
    assert conflict.text == "By date: 30 days (2026-03-01); 60 days (2024-01-01)."
    assert sides(conflict) == [("claims-2026.md", "30 days"), ("claims-2024.md", "60 days")]
    for side, text in zip(conflict.citations, (NEW, OLD), strict=True):
        assert side.verified
        assert side.quote == text[side.start : side.end] == text.splitlines()[2]


@pytest.mark.parametrize(
    ("question", "documents", "kind", "expected"),
    [
        (  # amounts, with no explanation
            "What does a day of parking cost?",
            {
                "notice.txt": "A day of parking in the yard costs 12 EUR.",
                "guide.txt": "A day of parking in the yard costs 15 EUR.",
            },
            "values",
            [("guide.txt", "15 EUR"), ("notice.txt", "12 EUR")],
        ),
        (  # one unit written in two ways
            "How late may the evening call be?",
            {
                "rule.txt": "Rescue is called when the evening call is 90 minutes late.",
                "card.txt": "Rescue is called when the evening call is two hours late.",
            },
            "values",
            [("rule.txt", "90 minutes"), ("card.txt", "two hours")],
        ),
        (  # days of a year, by region
            "When does unused leave lapse?",
            {
                "leave-uk.txt": "Unused leave of last year lapses on 31 March.",
                "leave-us.txt": "Unused leave of last year lapses on June 30.",
            },
            "regions",
            [("leave-uk.txt", "31 March"), ("leave-us.txt", "June 30")],
        ),
        (  # dates with a year are values if a date is asked for
            "When does the office move?",
            {
                "plan.txt": "The office moves to the harbour on 3 May 2026.",
                "mail.txt": "The office moves to the harbour on 10 June 2026.",
            },
            "values",
            [("plan.txt", "3 May 2026"), ("mail.txt", "10 June 2026")],
        ),
        (  # versions, the higher first
            "How strong must the clamp be tightened?",
            {
                "manual-v2.txt": "The clamp of the mast must be tightened to 8 Nm.",
                "manual-v3.txt": "The clamp of the mast must be tightened to 6 Nm.",
            },
            "versions",
            [("manual-v3.txt", "6 Nm"), ("manual-v2.txt", "8 Nm")],
        ),
        (  # one document says that it replaces the other
            "How long is the trial period?",
            {
                "rules.txt": "Document: HR-11. Supersedes HR-07.\nThe trial period of new staff is six months.",
                "staff.txt": "Document: HR-07.\nThe trial period of new staff is three months.",
            },
            "versions",
            [("rules.txt", "six months"), ("staff.txt", "three months")],
        ),
        (  # allowed or not
            "Is first class allowed on trains?",
            {
                "trains-2024.txt": "Travelling first class is not allowed on trains.",
                "trains-2026.txt": "Travelling first class is allowed on trains.",
            },
            "dates",
            [("trains-2026.txt", "affirmed"), ("trains-2024.txt", "denied")],
        ),
    ],
)
def test_worked_conflicts(
    library: Library, question: str, documents: dict[str, str], kind: str, expected: list[tuple[str, str]]
) -> None:
    answer = ask(library, question, documents)

    [conflict] = answer.conflicts
    assert conflict.kind == kind
    told = sides(conflict)
    assert told == expected if kind in ("dates", "versions") else sorted(told) == sorted(expected)
    assert all(side.verified for side in conflict.citations)


TABLE = """# Hotels

| Country | {column} |
| --- | --- |
| Germany | {germany} |
| Italy | 90 EUR |"""


def rows(germany: str, column: str = "Limit per night") -> str:
    return TABLE.format(germany=germany, column=column)


def test_rows_are_compared_by_their_name_and_column(library: Library) -> None:
    documents = {"hotels-2024.md": rows("110 EUR"), "hotels-2026.md": rows("135 EUR")}
    for name, text in documents.items():
        header = text.splitlines()[2]
        library.put(name, text, context=f"Hotels\n{header}")
    answer = ask(library, "What is the limit per night for hotels in Germany?", {})

    [conflict] = answer.conflicts
    assert sides(conflict) == [("hotels-2026.md", "135 EUR"), ("hotels-2024.md", "110 EUR")]


def test_rows_of_other_columns_are_not_compared(library: Library) -> None:
    # The same row name, another column
    library.put("hotels.md", rows("110 EUR"), context="Hotels\n| Country | Limit per night |")
    library.put("meals.md", rows("28 EUR", "Full day"), context="Meals\n| Country | Full day |")

    assert ask(library, "What is the limit per night for hotels in Germany?", {}).conflicts == ()


def test_rows_of_other_names_are_not_compared(library: Library) -> None:
    head = "Hotels\n| Country | Limit per night |"
    library.put("hotels-2024.md", rows("110 EUR"), context=head)
    library.put("hotels-2026.md", rows("135 EUR").replace("Germany", "Portugal"), context=head)

    answer = ask(library, "What is the limit per night for hotels in Germany or Portugal?", {})
    assert {"hotels-2024.md", "hotels-2026.md"} == {side.document for side in answer.citations}
    assert answer.conflicts == ()


def test_three_regions_are_one_conflict(library: Library) -> None:
    line = "Full-time staff receive {} days of annual leave in a year."
    documents = {
        f"leave-{code}.txt": line.format(days) for code, days in (("de", 30), ("uk", 26), ("us", 20))
    }
    answer = ask(library, "How many days of annual leave do full-time staff receive in a year?", documents)

    [conflict] = answer.conflicts
    assert conflict.kind == "regions"
    assert dict(sides(conflict)) == {
        "leave-de.txt": "30 days",
        "leave-uk.txt": "26 days",
        "leave-us.txt": "20 days",
    }
    for region in ("Germany", "United Kingdom", "United States"):
        assert region in conflict.text


@pytest.mark.parametrize(
    ("question", "first", "second"),
    [
        (  # the same in other words
            CLAIMS,
            "Travel claims must reach finance within 60 days after the end of the trip.",
            "After the end of the trip, travel claims must be with finance within sixty (60) days.",
        ),
        (  # the same amount in another unit
            "How late may the evening call be?",
            "Rescue is called when the evening call is 120 minutes late.",
            "Rescue is called when the evening call is two hours late.",
        ),
        (  # each for somebody else
            "What does the crossing cost?",
            "The crossing to the island costs 12 EUR for adults.",
            "The crossing to the island costs 6 EUR for children.",
        ),
        (  # a lower and an upper bound
            "How much may a gift cost?",
            "A gift to the host has to cost at least 20 EUR.",
            "A gift to the host has to cost at most 60 EUR.",
        ),
        (  # other units, other things
            "What does the battery weigh?",
            "The battery of the station weighs 3 kg.",
            "The battery of the station lasts 9 hours.",
        ),
        (  # another subject
            "Within how many days does support answer?",
            "Support answers questions about repairs within 2 days.",
            "The kitchen orders fresh fruit within 5 days.",
        ),
        (  # many of the same words, another matter
            "Within how many working days does my manager answer?",
            "Your manager answers within three working days.",
            "The laundry answers on two working days.",
        ),
        (  # two products, each named
            "How strong must the clamp be tightened?",
            "The clamp of the Petrel S2 must be tightened to 8 Nm.",
            "The clamp of the Kestrel S3 must be tightened to 6 Nm.",
        ),
        (  # a number without a unit
            "In which section are claims described?",
            "Claims for travel costs are described in section 4.",
            "Claims for travel costs are described in section 7.",
        ),
        (  # each is about two years of its own
            "How many stations were sold?",
            "Sales rose from 40 stations in 2021 to 55 stations in 2022.",
            "Sales rose from 60 stations in 2023 to 70 stations in 2024.",
        ),
    ],
)
def test_what_is_no_conflict(library: Library, question: str, first: str, second: str) -> None:
    answer = ask(library, question, {"paper.txt": first, "letter.txt": second})

    assert {hit.chunk.document for hit in answer.trace.rankings["context"]} == {"paper.txt", "letter.txt"}
    assert answer.conflicts == ()


def test_guides_of_two_products_do_not_contradict_each_other(library: Library) -> None:
    line = "The clamp of the mast must be tightened to {} Nm."
    question = "How strong must the clamp be tightened?"
    guides = {"petrel-s2-guide.txt": line.format(8), "petrel-s3-guide.txt": line.format(6)}

    assert ask(library, question, guides).conflicts == ()


def test_one_document_does_not_contradict_itself(library: Library) -> None:
    assert ask(library, CLAIMS, {"claims.md": f"{OLD}\n{NEW}"}).conflicts == ()


def test_a_refusal_shows_no_conflict(library: Library) -> None:
    answer = ask(library, CLAIMS, {"claims-2024.md": OLD, "claims-2026.md": NEW}, refuse_below=1.0)

    assert not answer.answerable
    assert answer.conflicts == ()


def test_what_the_answer_does_not_quote_is_not_compared(library: Library) -> None:
    apart = {"a.txt": "The mill grinds rye for 3 hours.", "b.txt": "The mill grinds rye for 5 hours."}
    answer = ask(library, CLAIMS, {"claims-2026.md": NEW, **apart}, answer_sentences=1)

    assert {citation.document for citation in answer.citations} == {"claims-2026.md"}
    assert answer.conflicts == ()


def test_a_side_that_changes_meanwhile_is_asked_again(library: Library) -> None:
    def change(done: str, _: float) -> None:
        if done == "verify" and library.catalog.documents.get(CORPUS, "claims-2024.md").version == 1:
            library.put("claims-2024.md", OLD.replace("60", "45"))

    for name, text in (("claims-2024.md", OLD), ("claims-2026.md", NEW)):
        library.put(name, text)
    settings = Settings(home=Path("unused"), refuse_below=0.0, answer_sentences=1)
    answer = Pipeline(settings, library.catalog, ModelSet(settings, library.embedder)).ask(
        CORPUS, CLAIMS, on_stage=change
    )

    [conflict] = answer.conflicts
    assert sides(conflict) == [("claims-2026.md", "30 days"), ("claims-2024.md", "45 days")]


# where it is shown

NEWS = "These sources differ. By date: 30 days (2026-03-01); 60 days (2024-01-01)."


@pytest.fixture
def policies(ibid: Ibid, home: Path) -> Path:
    for name, text in (("claims-2024.md", OLD), ("claims-2026.md", NEW)):
        (home / name).write_text(text)
    assert ibid("ingest", home / "claims-2024.md", home / "claims-2026.md", "--corpus", "sea").code == 0
    return home


def test_the_command_line_shows_a_conflict_with_both_sources(ibid: Ibid, policies: Path) -> None:
    shown = ibid("ask", "--corpus", "sea", CLAIMS).out
    block = shown[shown.index(NEWS) :]
    assert block.index("claims-2026.md") < block.index("claims-2024.md")

    [conflict] = ibid("ask", "--corpus", "sea", CLAIMS, "--json").json()["conflicts"]
    assert conflict["kind"] == "dates"
    for side, text in zip(conflict["citations"], (NEW, OLD), strict=True):
        assert side["verified"] is True
        assert text[side["start"] : side["end"]] == side["quote"]


def test_a_conversation_names_the_sources_that_differ(
    ibid: Ibid, policies: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{CLAIMS}\n\n"))
    said = " ".join(ibid("chat", "--corpus", "sea").out.split())  # as wide as the console is

    assert NEWS in said
    assert {"claims-2024.md", "claims-2026.md"} <= set(said.split())


def test_http_tells_a_conflict_plain_and_streamed(policies: Path) -> None:
    with served(Settings(home=policies / "home")) as site:
        plain = site.client.post("/v1/corpora/sea/ask", json={"question": CLAIMS}).json()
        streamed = site.client.post("/v1/corpora/sea/ask", json={"question": CLAIMS, "stream": True}).text

    [conflict] = plain["conflicts"]
    assert [side["document"] for side in conflict["citations"]] == ["claims-2026.md", "claims-2024.md"]
    assert NEWS.endswith(conflict["text"])
    assert json.loads(streamed.rsplit("event: done\ndata: ", 1)[1])["conflicts"] == plain["conflicts"]


@needs_chromium
def test_the_page_shows_a_conflict_in_a_browser(policies: Path) -> None:
    with served(Settings(home=policies / "home")) as site, browsed() as page:
        page.goto(f"http://{site.address[0]}:{site.address[1]}/#sea")
        page.fill("#question", CLAIMS)
        page.click("#ask button.main")
        block = page.locator("#answer section")
        text = block.inner_text()
        block.locator("summary").first.click()
        quoted = block.locator("mark").first.inner_text()

    assert text.startswith(NEWS)
    assert text.index("claims-2026.md") < text.index("claims-2024.md")
    assert quoted == NEW.splitlines()[2]
