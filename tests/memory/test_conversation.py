"""Conversations: follow-ups are understood, exchanges remembered, sessions kept separate and forgotten for good."""

import io
from pathlib import Path

import pytest

from rag.errors import InvalidInput, NotFound
from rag.memory.conversation import RECALLED, Conversations, Session
from rag.pipeline import Pipeline
from rag.store.catalog import Catalog
from tests.made_versions import CORPUS, QUILL
from tests.typed import Ibid

SESSION = Session(CORPUS, "tuesday")


def test_a_follow_up_is_understood_and_both_are_remembered(
    conversations: Conversations, pipeline: Pipeline
) -> None:
    conversations.ask(pipeline, SESSION, "Who was Ada Quill?")
    answer = conversations.ask(pipeline, SESSION, "Where was she born?")

    assert answer.trace.question == "Where was Ada Quill born?"
    assert "Rewritten to stand alone: Where was Ada Quill born?" in answer.trace.remarks
    assert "rewrite" in answer.trace.timings_ms
    assert "Lund" in answer.text
    turns = conversations.turns(SESSION)
    assert [(turn.question, turn.rewritten) for turn in turns] == [
        ("Who was Ada Quill?", "Who was Ada Quill?"),
        ("Where was she born?", "Where was Ada Quill born?"),
    ]
    assert "keeper" in turns[0].answer
    assert "[1]" not in turns[0].answer


def test_a_first_question_is_not_rewritten(conversations: Conversations, pipeline: Pipeline) -> None:
    answer = conversations.ask(pipeline, SESSION, "Where was she born?")

    assert answer.trace.question == "Where was she born?"
    assert "rewrite" not in answer.trace.timings_ms


def test_sessions_users_and_corpora_are_kept_apart(conversations: Conversations, pipeline: Pipeline) -> None:
    conversations.ask(pipeline, SESSION, "Who was Ada Quill?")
    for other in (Session(CORPUS, "monday"), Session(CORPUS, "tuesday", "bo")):
        assert conversations.turns(other) == []
        answer = conversations.ask(pipeline, other, "Where was she born?")
        assert answer.trace.question == "Where was she born?"
    assert {(info.name, info.user, info.turns) for info in conversations.sessions(corpus=CORPUS)} == {
        ("tuesday", "", 1),
        ("monday", "", 1),
        ("tuesday", "bo", 1),
    }
    assert [info.user for info in conversations.sessions(user="bo")] == ["bo"]
    assert conversations.sessions(corpus="none") == []


def test_what_fails_is_not_remembered(conversations: Conversations, pipeline: Pipeline) -> None:
    # There is something to recall
    conversations.ask(pipeline, Session(CORPUS, "begun"), "Who was Ada Quill?")
    for question in ("", " ", "x" * 9_000, "half \ud800"):
        with pytest.raises(InvalidInput):
            conversations.ask(pipeline, SESSION, question)
    with pytest.raises(NotFound):
        conversations.ask(pipeline, Session("none", "tuesday"), "Who was Ada Quill?")

    assert [info.name for info in conversations.sessions()] == ["begun"]


@pytest.mark.parametrize("name", ["", "  ", "x" * 65, "two\nlines", "\x00", "a/b", "..", "\udcff"])
def test_a_bad_name_is_refused(conversations: Conversations, pipeline: Pipeline, name: str) -> None:
    with pytest.raises(InvalidInput, match="name of a session"):
        conversations.ask(pipeline, Session(CORPUS, name), "Who was Ada Quill?")


def test_a_forgotten_session_leaves_nothing_on_disk(
    conversations: Conversations, pipeline: Pipeline, catalog: Catalog
) -> None:
    conversations.ask(pipeline, SESSION, "Who was Ada Quill, and is zanzibarquartz hers?")
    assert conversations.forget(SESSION) == 1
    assert conversations.turns(SESSION) == []
    assert conversations.sessions() == []
    with pytest.raises(NotFound, match="There is no session 'tuesday'"):
        conversations.forget(SESSION)

    assert not [p for p in catalog.home.rglob("*") if p.is_file() and b"zanzibarquartz" in p.read_bytes()]


def test_what_is_forgotten_while_it_is_answered_stays_forgotten(
    conversations: Conversations, pipeline: Pipeline
) -> None:
    conversations.ask(pipeline, SESSION, "Who was Ada Quill?")

    def forget(stage: str, ms: float) -> None:
        if stage == "verify":
            conversations.forget(SESSION)

    conversations.ask(pipeline, SESSION, "Where was she born?", on_stage=forget)
    assert conversations.sessions() == []


def test_a_stopped_question_is_remembered_as_asked(conversations: Conversations, pipeline: Pipeline) -> None:
    class StopError(Exception):
        """What a client that leaves causes."""

    def stop(stage: str, ms: float) -> None:
        raise StopError

    conversations.ask(pipeline, SESSION, "Who was Ada Quill?")
    with pytest.raises(StopError):
        conversations.ask(pipeline, SESSION, "When did she light the lamp? I live in Kiel.", on_stage=stop)

    [_, stopped] = conversations.turns(SESSION)
    assert stopped.question.startswith("When did she light")
    assert stopped.rewritten.startswith("When did Ada Quill light")
    assert stopped.answer == ""
    assert [fact.text for fact in conversations.facts.all(CORPUS, "")] == ["I live in Kiel"]
    last = conversations.ask(pipeline, SESSION, "What did I ask before?").text
    assert last == "Your last question was: “When did she light the lamp? I live in Kiel.”"


def test_why_is_about_the_question_that_was_stopped(conversations: Conversations, pipeline: Pipeline) -> None:
    def stop(stage: str, ms: float) -> None:
        raise KeyboardInterrupt

    conversations.ask(pipeline, SESSION, "When does the canteen open?")
    with pytest.raises(KeyboardInterrupt):
        conversations.ask(pipeline, SESSION, "When is the lift out of order?", on_stage=stop)

    why = conversations.ask(pipeline, SESSION, "Why?")
    assert why.trace.question == "Why is the lift out of order?"


def test_a_corpus_deleted_while_it_is_asked_is_said(
    conversations: Conversations, pipeline: Pipeline, catalog: Catalog
) -> None:
    def delete(stage: str, ms: float) -> None:
        if stage == "verify":
            catalog.delete_corpus(CORPUS)

    with pytest.raises(NotFound, match="There is no corpus"):
        conversations.ask(pipeline, SESSION, "Who was Ada Quill?", on_stage=delete)


def test_what_was_asked_long_ago_is_recalled(conversations: Conversations, pipeline: Pipeline) -> None:
    for question in (
        "Where was Ada Quill born?",
        "How many books did Ada Quill write?",
        "Who was the miller?",
    ):
        conversations.ask(pipeline, Session(CORPUS, "monday"), question)
    asked = conversations.ask(pipeline, SESSION, "In which town was Ada Quill born?")

    assert [(one.session, one.question) for one in asked.recalled][:1] == [
        ("monday", "Where was Ada Quill born?")
    ]
    assert "Lund" in asked.recalled[0].answer
    assert len(asked.recalled) <= RECALLED
    other = conversations.ask(pipeline, Session(CORPUS, "s", "bo"), "In which town was Ada Quill born?")
    assert other.recalled == ()
    assert conversations.ask(pipeline, SESSION, "What is the price of tin?").recalled == ()


def test_a_corpus_takes_its_sessions_with_it(
    conversations: Conversations, pipeline: Pipeline, catalog: Catalog
) -> None:
    conversations.ask(pipeline, SESSION, "Who was Ada Quill?")
    catalog.delete_corpus(CORPUS)

    assert conversations.sessions() == []


def test_a_forgotten_session_s_place_is_never_another_s(
    conversations: Conversations, pipeline: Pipeline, catalog: Catalog
) -> None:
    conversations.ask(pipeline, SESSION, "Who was Ada Quill?")
    [before] = conversations.exchanges(SESSION)
    conversations.forget(SESSION)
    conversations.ask(pipeline, Session(CORPUS, "wednesday", "bo"), "Who was the miller?")
    [after] = conversations.exchanges(Session(CORPUS, "wednesday", "bo"))

    assert after.row > before.row


def test_on_the_command_line(ibid: Ibid, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "quill.txt").write_text(QUILL)
    ibid("ingest", home / "quill.txt", "--corpus", "sea")
    monkeypatch.setattr(
        "sys.stdin",
        io.StringIO(f"Who was Ada Quill?\n{'x' * 9_000}\nWhere was she born?\n\nnot asked\n"),
    )
    chatted = ibid("chat", "--corpus", "sea", "--session", "s1")
    assert chatted.code == 0
    assert "(Where was Ada Quill born?)" in chatted.out
    assert "Lund" in chatted.out
    assert "expected at most" in chatted.err

    asked = ibid("ask", "--corpus", "sea", "--session", "s1", "--json", "What did she write?")
    assert asked.json()["question"] == "What did Ada Quill write?"
    listed = ibid("memory", "list", "--json").json()
    assert [(one["name"], one["corpus"], one["turns"]) for one in listed] == [("s1", "sea", 3)]
    assert "s1  about sea: 3 exchanges" in ibid("memory", "list").out
    turns = ibid("memory", "list", "--corpus", "sea", "--session", "s1").out
    assert "What did she write?  (What did Ada Quill write?)" in turns
    assert ibid("memory", "forget", "--corpus", "sea", "--session", "s1").out == "s1: 3 exchanges forgotten\n"
    assert ibid("memory", "list", "--json").json() == []
    gone = ibid("memory", "forget", "--corpus", "sea", "--session", "s1")
    assert (gone.code, "There is no session 's1'" in gone.err) == (1, True)
    assert ibid("chat", "--corpus", "none").code == 1
