"""Conversations: what was asked and answered in a session, kept in the catalogue for one user and one corpus.

A follow-up is rewritten from what was said before, and only then retrieved for. A session is forgotten on request,
with its corpus, and for good.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

from rag.catalog import Catalog
from rag.errors import InvalidInput, NotFound
from rag.filters import Filter
from rag.pipeline import Pipeline
from rag.recorder import OnStage
from rag.types import Answer

RECENT = 3  # exchanges that a follow-up is rewritten from, besides the first question
LONGEST_NAME = 64  # characters of a session's or user's name
ANYBODY = ""  # the user where none is named
_LABEL = re.compile(r" ?\[\d{1,4}\]")


@dataclass(frozen=True, slots=True)
class Session:
    """A conversation: its name, and whose and about which corpus it is."""

    corpus: str
    name: str
    user: str = ANYBODY


@dataclass(frozen=True, slots=True)
class Turn:
    """One exchange."""

    question: str  # as asked
    rewritten: str  # as retrieved with
    answer: str  # without the labels of its citations; "" for a refusal
    asked: float  # seconds since the epoch


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """What a listing says of a session."""

    corpus: str
    name: str
    user: str
    turns: int
    last: float  # seconds since the epoch


class Conversations:
    """The sessions of a catalogue. Safe for several threads and several processes."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def ask(
        self,
        pipeline: Pipeline,
        session: Session,
        question: str,
        *,
        filter_: Filter | None = None,
        on_stage: OnStage | None = None,
    ) -> Answer:
        """Answer a question in the light of the session, and remember the exchange.

        Raises:
            InvalidInput: for a bad name; and what `Pipeline.ask` raises. Then nothing is remembered.
        """
        check_name("session", session.name)
        check_name("user", session.user)
        earlier = what_was_said(self.turns(session))
        answer = pipeline.ask(session.corpus, question, filter_=filter_, on_stage=on_stage, earlier=earlier)
        self._remember(session, Turn(question, answer.trace.question, _plain(answer.text), time.time()))
        return answer

    def turns(self, session: Session) -> list[Turn]:
        """Return the exchanges of a session, oldest first; none where there is no such session."""
        rows = self._catalog.read().execute(
            "SELECT t.question, t.rewritten, t.answer, t.asked FROM turns t JOIN sessions s ON s.row = t.session "
            "WHERE s.corpus = ? AND s.user = ? AND s.name = ? ORDER BY t.row",
            (session.corpus, session.user, session.name),
        )
        return [Turn(*tuple(row)) for row in rows]

    def sessions(self, *, corpus: str | None = None, user: str | None = None) -> list[SessionInfo]:
        """Return what is known of the sessions, the last used first.

        Args:
            corpus, user: only theirs.
        """
        rows = self._catalog.read().execute(
            "SELECT s.corpus, s.name, s.user, count(t.row), max(t.asked) FROM sessions s "
            "JOIN turns t ON t.session = s.row WHERE (?1 IS NULL OR s.corpus = ?1) AND (?2 IS NULL OR s.user = ?2) "
            "GROUP BY s.row ORDER BY max(t.asked) DESC",
            (corpus, user),
        )
        return [SessionInfo(*tuple(row)) for row in rows]

    def forget(self, session: Session) -> int:
        """Delete a session; what it held is overwritten on disk. Return how many exchanges it held.

        Raises:
            NotFound: if there is none.
        """
        held = len(self.turns(session))
        with self._catalog.write() as transaction:
            gone = transaction.execute(
                "DELETE FROM sessions WHERE corpus = ? AND user = ? AND name = ?",
                (session.corpus, session.user, session.name),
            )
            if not gone.rowcount:
                raise NotFound(
                    f"There is no session {session.name!r} about {session.corpus!r}"
                    f"{f' of user {session.user!r}' if session.user else ''}; `ibid memory list` shows the sessions."
                )
        return held

    def _remember(self, session: Session, turn: Turn) -> None:
        with self._catalog.write() as transaction:
            key = (session.corpus, session.user, session.name)
            transaction.execute("INSERT OR IGNORE INTO sessions (corpus, user, name) VALUES (?, ?, ?)", key)
            transaction.execute(
                "INSERT INTO turns (session, question, rewritten, answer, asked) "
                "SELECT row, ?, ?, ?, ? FROM sessions WHERE corpus = ? AND user = ? AND name = ?",
                (turn.question, turn.rewritten, turn.answer, turn.asked, *key),
            )


def what_was_said(turns: Sequence[Turn]) -> list[str]:
    """Return what a follow-up is rewritten from, oldest first: the first question, and the last few exchanges.

    Questions as they were understood: "where was she born?" says less than what it was rewritten to.
    """
    recent = turns[-RECENT:]
    first = [turns[0].rewritten] if len(turns) > len(recent) else []
    return first + [text for turn in recent for text in (turn.rewritten, turn.answer) if text]


def check_name(kind: str, name: str) -> None:
    """Raise InvalidInput unless a session or user may have this name."""
    if (kind == "session" and not name.strip()) or len(name) > LONGEST_NAME or not name.isprintable():
        raise InvalidInput(
            f"{name[:80]!r} is no name of a {kind}; expected 1 to {LONGEST_NAME} printable characters."
        )


def _plain(text: str) -> str:
    """Return the cited parts of an answer, a line each: joined, "Lund" and "Ada Quill" would make one name."""
    return "\n".join(filter(None, (part.strip() for part in _LABEL.split(text))))
