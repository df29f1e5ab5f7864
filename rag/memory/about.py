"""Answer questions about the conversation itself from the session, by rules: "What was my first question?"."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag.memory.tiers import Exchange

LISTED = 20  # questions that an answer lists, the newest
_WHICH = r"(?P<which>very first|first|second|third|last|latest|previous|original|earlier|most recent)"
_NUMBERS = {"very first": 0, "first": 0, "original": 0, "second": 1, "third": 2}
_OPENING = r"^(?:(?:and|so|ok|okay|sorry|please|wait|hm+)\b[\s,.]*)*(?:(?:can|could) you (?:please )?)?"
_ENDING = (
    r"(?:\s+(?:(?:that )?i (?:have )?(?:just )?asked(?: you)?|to you|again|so far|here|today|in this (?:session|chat|"
    r"conversation)))*\s*[?.!]*$"
)
_ONE = re.compile(
    rf"{_OPENING}(?:(?:what|which)(?: was| were|['’]s| is)|repeat|remind me (?:of|what)|tell me(?: what was)?|show me) "
    rf"(?:my|the) {_WHICH} question{_ENDING}",
    re.IGNORECASE,
)
_BEFORE = re.compile(
    rf"{_OPENING}(?:(?:what|which question) (?:did i (?:just )?ask|have i (?:just )?asked)|"
    r"(?:remind|tell) me (?:of )?what i (?:just )?asked)(?: you)?"
    r"(?P<when> (?:first|at first|at the beginning|initially|second|before|before that|previously|earlier|last|"
    r"just now|a moment ago|so far|until now|up to now|all together))?"
    r"(?: in this (?:session|chat|conversation))?\s*[?.!]*$",
    re.IGNORECASE,
)
_ALL = re.compile(
    rf"{_OPENING}(?:what (?:are|were)|list|show(?: me)?|repeat|give me) (?:all )?(?:of )?(?:my|the) "
    rf"(?:previous |earlier |last )?questions{_ENDING}",
    re.IGNORECASE,
)
_COUNT = re.compile(
    rf"{_OPENING}how many questions (?:did i ask|have i asked)(?: you)?{_ENDING}", re.IGNORECASE
)
_ANSWER = re.compile(
    rf"{_OPENING}(?:(?:what was|what['’]s|repeat|tell me|show me) your {_WHICH} answer|"
    r"what did you (?:just )?(?:say|answer|reply)"
    r"(?P<when> (?:first|at first|before|previously|earlier|last|just now))?|"
    rf"repeat (?:that|the (?:last )?answer|your answer)){_ENDING}",
    re.IGNORECASE,
)
_FIRST = frozenset(("first", "at first", "at the beginning", "initially"))
_EVERY = frozenset(("so far", "until now", "up to now", "all together"))


def is_about_session(question: str) -> bool:
    """Return whether a question asks about the conversation itself, and nothing else."""
    asked = question.strip()
    return any(pattern.match(asked) for pattern in (_ONE, _BEFORE, _ALL, _COUNT, _ANSWER))


def answer_about_session(question: str, exchanges: Sequence[Exchange]) -> str:
    """Return the answer to a question about the conversation; "" for any other question.

    "What was my first question?"    -> "Your first question was: “When does the canteen open?”"
    "What did I ask so far?"         -> "You asked 2 questions: 1. “...” 2. “...”"

    Args:
        exchanges: of the session before the question, oldest first.
    """
    if not is_about_session(question):
        return ""
    earlier = [one for one in exchanges if not is_about_session(one.asked)]
    if not earlier:
        return "You have asked nothing before in this session."
    asked = question.strip()
    if found := _ONE.match(asked):
        return _question(earlier, found["which"].lower())
    if found := _BEFORE.match(asked):
        when = (found["when"] or " last").strip().lower()
        if when in _EVERY:
            return _all(earlier)
        return _question(earlier, "first" if when in _FIRST else "second" if when == "second" else "last")
    if found := _ANSWER.match(asked):
        which = (found["which"] or (found["when"] or "last").strip()).lower()
        return _given(earlier, "first" if which in _FIRST else which)
    return _all(earlier)


def _question(earlier: Sequence[Exchange], which: str) -> str:
    number = _NUMBERS.get(which, len(earlier) - 1)
    if number >= len(earlier):
        return f"You have not asked a {which} question yet. {_all(earlier)}"
    shown = which if which in _NUMBERS else "last"
    return f"Your {shown} question was: “{earlier[number].asked.strip()}”"


def _given(earlier: Sequence[Exchange], which: str) -> str:
    number = min(_NUMBERS.get(which, len(earlier) - 1), len(earlier) - 1)
    one = earlier[number]
    if not one.answer:
        return f"I gave no answer to “{one.asked.strip()}”."
    return f"To “{one.asked.strip()}” I answered: “{one.answer}”"


def _all(earlier: Sequence[Exchange]) -> str:
    count = len(earlier)
    first = max(0, count - LISTED)
    listed = " ".join(f"{n}. “{one.asked.strip()}”" for n, one in enumerate(earlier[first:], first + 1))
    return f"You asked {count} question{'s' if count > 1 else ''}{', the last of them' if first else ''}: {listed}"
