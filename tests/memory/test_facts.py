"""Facts that a user stated are kept with their source, superseded, corrected, recalled, and forgotten for good."""

from pathlib import Path

import pytest

from rag.errors import InvalidInput, NotFound
from rag.memory.conversation import Conversations, Session
from rag.models.embed import Embedder
from rag.pipeline import Pipeline
from rag.settings import Settings
from rag.stages import ModelSet
from rag.store.catalog import Catalog
from tests.made_versions import CORPUS, QUILL
from tests.typed import Ibid

SESSION = Session(CORPUS, "tuesday")


def test_a_fact_has_its_source_and_is_said_where_the_documents_are_silent(
    conversations: Conversations, pipeline: Pipeline, catalog: Catalog
) -> None:
    wary = Settings(home=Path("unused"), refuse_below=0.5)
    pipeline = Pipeline(wary, catalog, ModelSet(wary, pipeline.models.embedder))
    stated = conversations.ask(
        pipeline, SESSION, "The deadline of our project is 14 May. Remember that our project is called Heron."
    )
    [fact] = conversations.facts.all(CORPUS, "")

    assert "Remembered: our project is called Heron" in stated.trace.remarks
    assert (fact.text, fact.session, fact.superseded) == ("our project is called Heron", "tuesday", None)
    asked = conversations.ask(pipeline, Session(CORPUS, "friday"), "What is our project called?")
    assert not asked.answerable
    assert [one.text for one in asked.facts] == ["our project is called Heron"]
    assert asked.reason.endswith("“our project is called Heron”")
    other = conversations.ask(pipeline, Session(CORPUS, "friday", "bo"), "What is our project called?")
    assert (other.facts, "Heron" in other.reason) == ((), False)
    assert conversations.ask(pipeline, SESSION, "Who wrote about fog signals?").facts == ()


def test_a_newer_statement_supersedes_and_the_older_is_history(
    conversations: Conversations, pipeline: Pipeline
) -> None:
    for place in ("Kiel", "Lund", "Lund"):
        conversations.ask(pipeline, SESSION, f"I live in {place}. Who was Ada Quill?")

    assert [one.text for one in conversations.facts.all(CORPUS, "")] == ["I live in Lund"]
    history = conversations.facts.all(CORPUS, "", history=True)
    assert [(one.text, one.superseded is None) for one in history] == [
        ("I live in Kiel", False),
        ("I live in Lund", True),
    ]
    assert history[0].superseded == history[1].stated
    asked = conversations.ask(pipeline, SESSION, "In which town do I live?")
    assert [one.text for one in asked.facts] == ["I live in Lund"]


def test_a_fact_is_corrected(conversations: Conversations, pipeline: Pipeline, embedder: Embedder) -> None:
    conversations.ask(pipeline, SESSION, "My deadline is 14 May. Who was Ada Quill?")
    [wrong] = conversations.facts.all(CORPUS, "")
    right = conversations.facts.correct(embedder, CORPUS, "", wrong.id, "  My deadline is\n21 May. ")

    assert (right.text, right.session, right.superseded) == ("My deadline is 21 May", "tuesday", None)
    assert (wrong.corrected, right.corrected) == (False, True)
    assert conversations.facts.correct(embedder, CORPUS, "", right.id, "My deadline is 21 May.") == right
    assert right.id != wrong.id
    assert [one.id for one in conversations.facts.all(CORPUS, "", history=True)] == [wrong.id, right.id]
    with pytest.raises(NotFound, match=f"no fact {wrong.id}"):
        conversations.facts.correct(embedder, CORPUS, "", wrong.id, "again")  # it is no longer valid
    for text in (" ", "x" * 301, "turned\u202eround"):
        with pytest.raises(InvalidInput, match="expected 1 to 300"):
            conversations.facts.correct(embedder, CORPUS, "", right.id, text)
    conversations.ask(pipeline, SESSION, "My deadline is 28 May. Who was Ada Quill?")
    assert [one.text for one in conversations.facts.all(CORPUS, "")] == ["My deadline is 28 May"]


def test_forgetting_is_real(conversations: Conversations, pipeline: Pipeline, catalog: Catalog) -> None:
    for word in ("zanzibarquartz", "zanzibaropal"):
        conversations.ask(pipeline, Session(CORPUS, word), f"My stone is {word}. Who was Ada Quill?")
    [fact] = conversations.facts.all(CORPUS, "")
    for user, wrong in (("bo", fact.id), ("", fact.id + 1)):
        with pytest.raises(NotFound, match="`ibid memory list --facts`"):
            conversations.facts.forget(CORPUS, user, wrong)
    assert conversations.facts.forget(CORPUS, "", fact.id) == 2

    assert conversations.facts.all(CORPUS, "", history=True) == []
    [turn] = conversations.turns(Session(CORPUS, "zanzibaropal"))  # its exchange stays, without the words
    assert (turn.question, turn.rewritten) == ("[forgotten]. Who was Ada Quill?",) * 2
    files = [path.read_bytes() for path in catalog.home.rglob("*") if path.is_file()]
    assert not any(b"stone is zanzibar" in held for held in files)
    again = conversations.ask(pipeline, Session(CORPUS, "friday"), "What is my stone?")
    assert (again.facts, again.recalled) == ((), ())


def test_what_was_superseded_is_forgotten_alone(conversations: Conversations, pipeline: Pipeline) -> None:
    for place in ("Kiel", "Lund"):
        conversations.ask(pipeline, SESSION, f"I live in {place}. Who was Ada Quill?")
    old, new = conversations.facts.all(CORPUS, "", history=True)
    assert conversations.facts.forget(CORPUS, "", old.id) == 1
    assert conversations.facts.all(CORPUS, "", history=True) == [new]


def test_what_is_superseded_now_is_not_said_any_more(
    conversations: Conversations, pipeline: Pipeline
) -> None:
    conversations.ask(pipeline, SESSION, "My manager is Bo Marsh. Who was Ada Quill?")
    answer = conversations.ask(pipeline, SESSION, "My manager is Eva Lind. Who is my manager?")
    assert (answer.facts, "Bo Marsh" in answer.reason) == ((), False)


def test_a_session_takes_what_was_stated_in_it_along(
    conversations: Conversations, pipeline: Pipeline
) -> None:
    for name, place in (("monday", "Kiel"), ("tuesday", "Lund")):
        conversations.ask(pipeline, Session(CORPUS, name), f"I live in {place}. Who was Ada Quill?")
    conversations.forget(SESSION)

    assert conversations.facts.all(CORPUS, "") == []  # Kiel was known to be wrong, and does not come back
    assert [one.text for one in conversations.facts.all(CORPUS, "", history=True)] == ["I live in Kiel"]


def test_a_correction_goes_with_the_session_of_what_it_corrects(
    conversations: Conversations, pipeline: Pipeline, embedder: Embedder
) -> None:
    conversations.ask(pipeline, SESSION, "My deadline is 14 May. Who was Ada Quill?")
    [fact] = conversations.facts.all(CORPUS, "")
    conversations.facts.correct(embedder, CORPUS, "", fact.id, "My deadline is 21 May")
    conversations.forget(SESSION)
    assert conversations.facts.all(CORPUS, "", history=True) == []


def test_two_hundred_turns_later_the_third_is_still_known(
    conversations: Conversations, pipeline: Pipeline
) -> None:
    for turn in range(1, 201):
        question = (
            "Our project is called Heron. Who was Ada Quill?"
            if turn == 3
            else f"What on earth happened in the old village in {turn}?"
        )
        conversations.ask(pipeline, SESSION, question)
        conversations.tidy(SESSION, pipeline)
    tiers = [one.tier for one in conversations.exchanges(SESSION)]
    asked = conversations.ask(pipeline, SESSION, "What is our project called?")
    again = conversations.ask(pipeline, SESSION, "Tell me who Ada Quill was.")

    assert (len(tiers), tiers[-3:]) == (200, ["active"] * 3)
    assert tiers.count("persistent") > 0
    assert [one.text for one in asked.facts] == ["Our project is called Heron"]
    assert [one.question for one in again.recalled] == ["Our project is called Heron. Who was Ada Quill?"]
    third = conversations.exchanges(SESSION)[2]
    assert (third.uses, third.tier) == (1, "session")  # it came back


def test_on_the_command_line(ibid: Ibid, home: Path) -> None:
    (home / "quill.txt").write_text(QUILL)
    ibid("ingest", home / "quill.txt", "--corpus", "sea")
    ibid("ask", "--corpus", "sea", "--session", "s1", "I live in Kiel. Who was Ada Quill?")
    ibid("ask", "--corpus", "sea", "--session", "s1", "I live in Lund. Who was Ada Quill?")

    listed = ibid("memory", "list", "--corpus", "sea", "--facts", "--history").out
    assert "1  I live in Kiel  (in session s1, " in listed
    assert ", until " in listed.splitlines()[0]
    assert (
        ibid("memory", "list", "--corpus", "sea", "--facts", "--json").json()[0]["text"] == "I live in Lund"
    )
    corrected = ibid("memory", "correct", "--corpus", "sea", "--fact", "2", "I live in Ystad.")
    assert corrected.out.startswith("3  I live in Ystad  (put right, of session s1, ")
    assert "with its history" in ibid("memory", "forget", "--corpus", "sea", "--fact", "3").out
    assert ibid("memory", "list", "--corpus", "sea", "--facts", "--history", "--json").json() == []
    for wrong in (
        ("memory", "list", "--facts"),
        ("memory", "list", "--corpus", "none", "--facts"),
        ("memory", "list", "--corpus", "sea", "--history"),
        ("memory", "forget", "--corpus", "sea"),
        ("memory", "forget", "--corpus", "sea", "--fact", "1", "--session", "s1"),
        ("memory", "forget", "--corpus", "sea", "--fact", "9"),
    ):
        assert ibid(*wrong).code == 1
