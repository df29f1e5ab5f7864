"""The tiers of a conversation's memory: which exchanges are kept ready, and in what form.

active: the last exchanges, word for word. session: the gist of older ones. persistent: all else, which is searched for
when a question is about it. From 70 % of its quota on a tier gives up what is least useful to the tier below; what is
recalled from there comes back (after MemGPT: Packer et al., 2023). The exchanges themselves are never changed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from rag.memory.statements import statements
from rag.store.sessions import Tier
from rag.text.sentences import split_sentences

CountTokens = Callable[[str], int]
Summarize = Callable[[str], str]  # an exchange to what a language model makes of it; "" where nothing stands

ACTIVE_TOKENS, SESSION_TOKENS, PERSISTENT_TOKENS = 500, 2_000, 500  # the quotas
EVICT_FROM = 0.7  # share of its quota from which a tier gives something up
MOST_ACTIVE = 3  # exchanges
RECENT = 3  # exchanges that a follow-up is rewritten from, besides the first question
LONG = 80  # tokens of an exchange from which a language model, where there is one, sums it up
MOST_SUMMED_UP = 3  # exchanges that a language model sums up at a time; more wait for nobody
_ASKED_WORDS, _ANSWER_WORDS = 80, 160  # of the active tier: one exchange stays within its quota
_GIST_WORDS = 30  # of a question or an answer
_STATED, _OPEN, _USED = 2.0, 1.0, 1.0  # added to an exchange's usefulness of 1
_FADES = 0.98  # usefulness of each older exchange


@dataclass(frozen=True, slots=True)
class Exchange:
    """An exchange as memory holds it."""

    row: int
    asked: str  # the user's own words
    understood: str  # the question, rewritten to stand alone
    answer: str  # "" for a refusal
    tier: Tier = "active"
    gist: str = ""  # "" while it is active
    uses: int = 0  # how often it was recalled

    @property
    def shown(self) -> str:
        """What its tier shows of it; of a long exchange the beginning."""
        if self.tier == "active":
            return (
                f"{first_words(self.asked, _ASKED_WORDS)}\n{first_words(self.answer, _ANSWER_WORDS)}".rstrip()
            )
        return (self.gist or gist_of(self)) if self.tier == "session" else ""


def evict(
    exchanges: Sequence[Exchange], count: CountTokens, summarize: Summarize | None = None
) -> list[Exchange]:
    """Return the exchanges that have to leave their tier, as they are in the next.

    The oldest leaves the active tier, the least useful the session's; the last exchange stays.

    Args:
        exchanges: of one session, oldest first.
        summarize: makes the gist of a long exchange; otherwise, and where it fails, rules do.
    """
    kept = {one.row: one for one in exchanges}
    active = [one for one in exchanges if one.tier == "active"]
    leaving: list[Exchange] = []
    while len(active) > MOST_ACTIVE or (
        len(active) > 1 and _tokens(active, count) >= EVICT_FROM * ACTIVE_TOKENS
    ):
        leaving.append(active.pop(0))
    for left, one in enumerate(reversed(leaving)):
        gist = _summed_up(one, count, summarize if left < MOST_SUMMED_UP else None)
        kept[one.row] = replace(one, tier="session", gist=gist)
    session = [one for one in kept.values() if one.tier == "session"]
    useful = {one.row: usefulness(one, age) for age, one in enumerate(reversed(session))}
    tokens = {one.row: count(one.shown) for one in session}
    for row in sorted(useful, key=useful.__getitem__):
        if sum(tokens.values()) < EVICT_FROM * SESSION_TOKENS:
            break
        del tokens[row]
        kept[row] = replace(kept[row], tier="persistent")
    return [kept[one.row] for one in exchanges if kept[one.row] != one]


def tier_tokens(exchanges: Sequence[Exchange], count: CountTokens) -> dict[Tier, int]:
    """Return the tokens that the active and the session tier hold."""
    tiers: tuple[Tier, ...] = ("active", "session")
    return {tier: _tokens([one for one in exchanges if one.tier == tier], count) for tier in tiers}


def usefulness(one: Exchange, age: int) -> float:
    """Return how useful an exchange is to keep: what it states, leaves open, and how often it was wanted; it fades.

    Args:
        age: how many exchanges of its tier are newer.
    """
    worth = 1 + _USED * one.uses + (_STATED if statements(one.asked) else 0) + (0 if one.answer else _OPEN)
    return worth * _FADES**age


def gist_of(one: Exchange) -> str:
    """Return an exchange in a line: what was asked, and the first sentence of the answer; "" where nothing was.

    What the user stated is left to the facts, which know when it holds no longer.
    """
    asked = _question_in(one.understood)
    if statements(one.asked) and not asked and not one.answer:
        return ""
    asked = first_words(asked or one.understood, _GIST_WORDS)
    answer = first_words(_first_sentence(one.answer), _GIST_WORDS)
    return f"Asked: {asked} {answer}" if answer else f"Open: {asked}"


def what_was_said(exchanges: Sequence[Exchange]) -> list[str]:
    """Return what a follow-up is rewritten from, oldest first: the first question, and the last few exchanges.

    Questions as they were understood: "where was she born?" says less than what it was rewritten to.
    """
    recent = exchanges[-RECENT:]
    first = [exchanges[0].understood] if len(exchanges) > len(recent) else []
    return first + [text for one in recent for text in (one.understood, one.answer) if text]


def first_words(text: str, most: int) -> str:
    """Return at most so many words of a text, and dots where there are more."""
    words = re.findall(r"\S+\s*", text)
    return text if len(words) <= most else "".join(words[:most]).rstrip() + " ..."


def _summed_up(one: Exchange, count: CountTokens, summarize: Summarize | None) -> str:
    exchange = f"{one.asked}\n{one.answer}"
    written = summarize(exchange) if summarize and one.answer and count(exchange) >= LONG else ""
    return written or gist_of(one)


def _tokens(exchanges: Sequence[Exchange], count: CountTokens) -> int:
    return sum(count(one.shown) for one in exchanges)


def _question_in(message: str) -> str:
    """Return the sentences of a message that ask."""
    sentences = [message[start:end].strip() for start, end in split_sentences(message)]
    return " ".join(sentence for sentence in sentences if sentence.endswith("?"))


def _first_sentence(answer: str) -> str:
    start, end = next(iter(split_sentences(answer.strip())), (0, 0))
    return answer.strip()[start:end].rstrip()
