"""Statements of a user are found, questions and small talk are not, and a newer statement replaces an older one."""

import pytest

from rag.memory.statements import LONGEST_STATEMENT, Statement, statements, supersedes


@pytest.mark.parametrize(
    ("message", "stated"),
    [
        ("My name is Ada. Where was she born?", [("My name is Ada", "my name")]),
        ("I'm a contractor in Kiel, how long is my leave?", [("I'm a contractor in Kiel", "")]),
        ("I work as a nurse and how much leave do I get?", [("I work as a nurse", "")]),
        ("Remember that the audit is on 3 May.", [("the audit is on 3 May", "")]),
        (
            "By the way, our deadline for Heron is 14 May 2027!",
            [("our deadline for Heron is 14 May 2027", "my deadline for heron")],
        ),
        ("Bo Marsh is our miller.", [("Bo Marsh is our miller", "my miller")]),
        ("Thanks. Call me Bo.", [("Call me Bo", "my name")]),
        ("I moved to Lund last week.", [("I moved to Lund last week", "i live in")]),
        ("We decided to use SQLite for the catalogue.", [("We decided to use SQLite for the catalogue", "")]),
        ("I am vegetarian. I lost my badge.", [("I am vegetarian", ""), ("I lost my badge", "")]),
    ],
)
def test_statements_are_found(message: str, stated: list[tuple[str, str]]) -> None:
    assert [(one.text, one.slot) for one in statements(message)] == stated


@pytest.mark.parametrize(
    "message",
    [
        "",
        "Where was she born?",
        "Is my deadline met?",
        "Who is my manager?",
        "Tell me about the leave policy.",
        "I want to know who Ada is.",
        "I'd like a list of the sites.",
        "I need the nightly hotel cap.",
        "I was wondering what the limit is.",
        "I don't understand that.",
        "I have a question about leave.",
        "I am looking at the travel policy.",
        "I read that the lamp burns oil. Is that true?",
        "Thanks, I see. Yes, I do.",
        "The lamp of the lighthouse burns whale oil.",
        "I " + "very " * LONGEST_STATEMENT + "much agree.",
        "My notes\nare long",
        "My question is about hotels.",
        "My guess is that it is 30 days.",
        "I have to go now.",
        "I love this answer.",
        "My password is hunter2.",
    ],
)
def test_what_only_asks_or_talks_states_nothing(message: str) -> None:
    assert statements(message) == []


@pytest.mark.parametrize(
    ("new", "old", "taken"),
    [
        ("I live in Lund", "I live in Kiel", True),
        ("I moved to Lund", "I live in Kiel", True),
        ("I no longer live in Kiel", "I live in Kiel", True),
        ("I no longer live in Kiel", "I live in Lund", False),  # of another place
        ("I'm not vegetarian any more", "I am vegetarian", True),
        ("My deadline is 4 May", "My deadline is 3 May", True),
        ("My cat is old", "My dog is old", False),
        ("We use SQLite for the catalogue", "We use Postgres for the catalogue", True),
        ("We use SQLite for the catalogue", "We use Redis for sessions", False),
        ("I like tea in the morning", "I like coffee in the morning", False),  # one may like both
        ("I'm a bit late", "I'm a contractor", False),  # one may be both
        ("I'm in a hurry", "I'm in the Lund office", False),
        ("I prefer tea", "I prefer short answers", False),
        ("I work in accounting", "I work in Lund", False),
        ("My laptop was stolen", "My laptop is a ThinkPad", False),
        ("My contract ends on 3 May", "My contract is part-time", False),
        ("We meet Bob on Monday", "We meet Ada on Monday", False),
        ("Remember that the audit is on 10 June", "Remember that the audit is on 3 May", True),
        ("Note that the door code is 5678", "Note that the door code is 1234", True),
        ("Note the audit in Lund is on 3 May", "Note the audit in Kiel is on 3 May", False),
        ("Note the budget for Q2 is 300", "Note the budget for Q1 is 300", False),
    ],
)
def test_the_newer_of_the_same_takes_its_place(new: str, old: str, taken: bool) -> None:
    [newer], [older] = statements(new), statements(old)
    assert supersedes(newer, older) is taken


def test_without_slots_what_is_said_to_be_may_differ() -> None:
    def said(text: str) -> Statement:
        return Statement(text, "")

    assert supersedes(said("the audit is soon"), said("the audit is on 3 May"))
    assert supersedes(said("so be it"), said("so be it"))
    assert not supersedes(said("the audit is on 4 May"), said("the yearly party is on 4 May"))
    assert not supersedes(said("so it"), said("so be"))


@pytest.mark.parametrize(
    ("dialogue", "standing"),
    [
        (["I love Chinese food.", "I hate Chinese food."], ["I hate Chinese food"]),
        (["I like tea.", "I like ale.", "I don't like tea any more."], ["I like ale", "I don't like tea any more"]),
        (["I can't stand jazz.", "I really enjoy jazz now."], ["I really enjoy jazz now"]),
        (
            ["I use Postgres for the catalogue.", "Actually I switched from Postgres to SQLite for the catalogue."],
            ["I switched from Postgres to SQLite for the catalogue"],
        ),
        (["We use Teams.", "We replaced Teams with Zoom."], ["We replaced Teams with Zoom"]),
        (["I wrote a book about Postgres.", "I switched from Postgres to SQLite."], 2),
        (["We moved to Lund in May.", "We have moved to Graz since."], ["We have moved to Graz since"]),
        (
            ["I work for Nordlicht as a welder.", "I don't work for Nordlicht any more.", "I now work at Sonnfeld."],
            ["I don't work for Nordlicht any more", "I now work at Sonnfeld"],
        ),
        (["I no longer work for Nordlicht.", "I work for Nordlicht again."], ["I work for Nordlicht again"]),
        (["My deadline is 3 May.", "Sorry, my deadline is 10 May."], ["my deadline is 10 May"]),
        (["I am vegetarian.", "I am no longer vegetarian."], ["I am no longer vegetarian"]),
        (["I am vegetarian.", "I am a nurse.", "I quit smoking."], 3),
        # One statement takes back several
        (
            ["I have a dog.", "I use Postgres.", "We use Postgres now.", "I use Postgres for the tests.",
             "I switched from Postgres to SQLite."],
            ["I have a dog", "I use Postgres for the tests", "I switched from Postgres to SQLite"],
        ),
        (
            ["I work for Nordlicht.", "I work for Nordlicht as a welder.", "I no longer work for Nordlicht."],
            ["I no longer work for Nordlicht"],
        ),
    ],
)  # fmt: skip
def test_what_is_taken_back_holds_no_longer(dialogue: list[str], standing: list[str] | int) -> None:
    held: list[Statement] = []
    for message in dialogue:
        for one in statements(message):
            held = [old for old in held if not supersedes(one, old)] + [one]

    texts = [one.text for one in held]
    assert (len(texts) if isinstance(standing, int) else texts) == standing
