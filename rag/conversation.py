"""Conversations: what was asked and answered in a session, kept in the catalogue for one user and one corpus.

A follow-up is rewritten from what was said before, and only then retrieved for. What the user asked in any session
about the same is recalled beside the answer. A session is forgotten on request, with its corpus, and for good.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from rag.catalog import Catalog
from rag.embed import Embedder
from rag.errors import InvalidInput, NotFound
from rag.filters import Filter
from rag.generate import LABEL
from rag.pipeline import Pipeline
from rag.recall import Said, Turns
from rag.recorder import OnStage
from rag.types import Answer, Recalled

RECENT = 3  # exchanges that a follow-up is rewritten from, besides the first question
RECALLED = 2  # earlier exchanges that are shown beside an answer
ABOUT_THE_SAME = 0.5  # cosine of question and exchange from which it is shown
MOST_SEARCHED = 1_000  # exchanges of a user, the newest; indexing their words takes some 70 ms
LONGEST_NAME = 64  # characters of a session's or user's name
ANYBODY = ""  # the user where none is named


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
        _check(session)
        pipeline.check_question(question)  # before anything is recalled for it
        said = self.turns(session)
        earlier, embedder = what_was_said(said), pipeline.embedder
        recalled = self.recall(embedder, session.corpus, session.user, question, skip=set(earlier))
        answer = pipeline.ask(
            session.corpus, question, filter_=filter_, on_stage=on_stage, earlier=earlier, recalled=recalled
        )
        turn = Turn(question, answer.trace.question, _plain(answer.text), time.time())
        self._remember(session, embedder, turn, begun=bool(said))
        return answer

    def recall(
        self,
        embedder: Embedder,
        corpus: str,
        user: str,
        question: str,
        *,
        k: int = RECALLED,
        skip: Collection[str] = (),
    ) -> list[Recalled]:
        """Return up to k exchanges of all the user's sessions that a question is about, the nearest first.

        Args:
            skip: questions, as they were understood, whose exchanges are at hand already.
        """
        rows = self._rows(corpus, user, embedder.fingerprint)
        if not rows or not question.strip():
            return []
        stored = np.frombuffer(b"".join(row["vector"] for row in rows), np.float16).astype(np.float32)
        vectors = stored.reshape(len(rows), -1)  # (n_turns, dim)
        vector = embedder.encode([question])[0]
        if (vectors @ vector).max() < ABOUT_THE_SAME:
            return []  # the rule; only otherwise are the words indexed
        turns = Turns([Said(row["session"], _exchange(row)) for row in rows], vectors)
        ranked = turns.rank(question, vector, k + len(skip))
        found = [
            Recalled(row["name"], row["rewritten"], row["answer"], row["asked"], cosine)
            for n, _, cosine in ranked
            if cosine >= ABOUT_THE_SAME and (row := rows[n])["rewritten"] not in skip and row["answer"]
        ]
        return found[:k]

    def turns(self, session: Session) -> list[Turn]:
        """Return the exchanges of a session, oldest first; none where there is no such session."""
        _check(session)
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
        _check(session)
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
        self._catalog.read().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()  # the log holds it too
        return held

    def _rows(self, corpus: str, user: str, embedder: str) -> list[sqlite3.Row]:
        """Return the newest exchanges of a user, oldest first, as far as this model embedded them."""
        rows = self._catalog.read().execute(
            "SELECT t.row, t.session, s.name, t.rewritten, t.answer, t.asked, t.vector FROM turns t "
            "JOIN sessions s ON s.row = t.session WHERE s.corpus = ? AND s.user = ? AND t.embedder = ? "
            "ORDER BY t.row DESC LIMIT ?",
            (corpus, user, embedder, MOST_SEARCHED),
        )
        return sorted(rows.fetchall(), key=lambda row: (row["session"], row["row"]))

    def _remember(self, session: Session, embedder: Embedder, turn: Turn, *, begun: bool) -> None:
        """Keep an exchange, unless the session, begun before, was forgotten while it was answered."""
        vector = embedder.encode([f"{turn.rewritten}\n{turn.answer}"])[0].astype(np.float16).tobytes()
        with self._catalog.write() as transaction:
            key = (session.corpus, session.user, session.name)
            self._catalog.require_corpus(session.corpus)  # it may have been deleted while it was asked
            if not begun:
                transaction.execute(
                    "INSERT OR IGNORE INTO sessions (corpus, user, name) VALUES (?, ?, ?)", key
                )
            transaction.execute(
                "INSERT INTO turns (session, question, rewritten, answer, asked, embedder, vector) "
                "SELECT row, ?, ?, ?, ?, ?, ? FROM sessions WHERE corpus = ? AND user = ? AND name = ?",
                (turn.question, turn.rewritten, turn.answer, turn.asked, embedder.fingerprint, vector, *key),
            )


def what_was_said(turns: Sequence[Turn]) -> list[str]:
    """Return what a follow-up is rewritten from, oldest first: the first question, and the last few exchanges.

    Questions as they were understood: "where was she born?" says less than what it was rewritten to.
    """
    recent = turns[-RECENT:]
    first = [turns[0].rewritten] if len(turns) > len(recent) else []
    return first + [text for turn in recent for text in (turn.rewritten, turn.answer) if text]


def check_name(kind: str, name: str) -> None:
    """Raise InvalidInput unless a session or user may have this name; a user's may be empty.

    A session's name stands in addresses, so it holds no slash and is not `.` or `..`.
    """
    odd = len(name) > LONGEST_NAME or not name.isprintable() or not _encodable(name)
    unfit = kind == "session" and (not name.strip() or "/" in name or name in (".", ".."))
    if odd or unfit:
        raise InvalidInput(
            f"{name[:80]!r} is no name of a {kind}; expected 1 to {LONGEST_NAME} printable characters without '/'."
        )


def _check(session: Session) -> None:
    check_name("session", session.name)
    check_name("user", session.user)


def _encodable(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _exchange(row: sqlite3.Row) -> str:
    return f"{row['rewritten']}\n{row['answer']}"


def _plain(text: str) -> str:
    """Return the cited parts of an answer, a line each: joined, "Lund" and "Ada Quill" would make one name."""
    return "\n".join(filter(None, (part.strip() for part in LABEL.split(text))))
