"""Questions about the conversation itself are answered from the session, and only those."""

import pytest

from rag.memory.about import answer_about_session, is_about_session
from rag.memory.conversation import Conversations, Session
from rag.memory.tiers import Exchange
from rag.pipeline import Pipeline
from tests.made_versions import CORPUS

SESSION = Session(CORPUS, "tuesday")
EXCHANGES = [
    Exchange(1, "Who was Ada Quill?", "Who was Ada Quill?", "A keeper."),
    Exchange(2, "Where was she born?", "Where was Ada Quill born?", "In Lund."),
    Exchange(3, "Why?", "Why was Ada Quill born in Lund?", ""),
]
FIRST, SECOND, LAST = (f"“{one.asked}”" for one in EXCHANGES)


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What was my first question?", f"Your first question was: {FIRST}"),
        ("what's the first question I asked you", f"Your first question was: {FIRST}"),
        ("Can you tell me what was my very first question?", f"Your very first question was: {FIRST}"),
        ("And what was my second question?", f"Your second question was: {SECOND}"),
        ("What was my previous question?", f"Your last question was: {LAST}"),
        ("What did I ask before?", f"Your last question was: {LAST}"),
        ("What did I just ask?", f"Your last question was: {LAST}"),
        ("What did I ask you first?", f"Your first question was: {FIRST}"),
        ("Remind me what I asked", f"Your last question was: {LAST}"),
        ("What have I asked so far?", f"You asked 3 questions: 1. {FIRST} 2. {SECOND} 3. {LAST}"),
        ("List all my questions", f"You asked 3 questions: 1. {FIRST} 2. {SECOND} 3. {LAST}"),
        ("How many questions have I asked?", f"You asked 3 questions: 1. {FIRST} 2. {SECOND} 3. {LAST}"),
        ("What was your first answer?", f"To {FIRST} I answered: “A keeper.”"),
        ("What did you say before?", f"I gave no answer to {LAST}."),
    ],
)
def test_the_session_answers(question: str, expected: str) -> None:
    assert answer_about_session(question, EXCHANGES) == expected


@pytest.mark.parametrize(
    "question",
    [
        "What was the first question of the exam?",
        "What did I ask the landlord before moving in?",
        "Which questions are asked in the interview?",
        "What should I ask first?",
        "What was Ada's first question?",
        "How many questions has the form?",
        "What did you say about the lamp?",
        "",
    ],
)
def test_other_questions_are_for_the_documents(question: str) -> None:
    assert not is_about_session(question)
    assert answer_about_session(question, EXCHANGES) == ""


def test_an_empty_session_says_so() -> None:
    assert (
        answer_about_session("What did I ask before?", []) == "You have asked nothing before in this session."
    )


def test_a_session_is_asked_about_itself(conversations: Conversations, pipeline: Pipeline) -> None:
    conversations.ask(pipeline, SESSION, "Who was Ada Quill?")
    conversations.ask(pipeline, SESSION, "Where was she born?")
    answer = conversations.ask(pipeline, SESSION, "What was my first question?")

    assert answer.text == "Your first question was: “Who was Ada Quill?”"
    assert answer.answerable
    assert (answer.citations, answer.trace.strategy) == ((), "session")
    again = conversations.ask(pipeline, SESSION, "What did I ask before?")
    assert again.text == "Your last question was: “Where was she born?”"
    # A follow-up is not about the questions about the session
    assert (
        conversations.ask(pipeline, SESSION, "What did she write?").trace.question
        == "What did Ada Quill write?"
    )
    assert [turn.question for turn in conversations.turns(SESSION)][2:4] == [
        "What was my first question?",
        "What did I ask before?",
    ]
