"""Conversations as rows of the catalogue: sessions, their turns, and the facts that a user stated in them.

Rows are numbered once for good: what is forgotten never meets another's number.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rag.store.corpora import Corpora
from rag.store.database import Database
from rag.types import Fact

Tier = Literal["active", "session", "persistent"]  # of memory
ANYBODY = ""  # the user where none is named
_FACTS = (
    "SELECT f.row, f.text, s.name, f.stated, f.superseded, f.corrected, f.chain, f.slot, f.turn, f.vector "
    "FROM facts f JOIN turns t ON t.row = f.turn JOIN sessions s ON s.row = t.session "
    "WHERE f.corpus = ? AND f.user = ?"
)
_TURNS = "FROM turns t JOIN sessions s ON s.row = t.session WHERE s.corpus = ? AND s.user = ?"


@dataclass(frozen=True, slots=True)
class Session:
    """A conversation: its name, and whose and about which corpus it is."""

    corpus: str
    name: str
    user: str = ANYBODY


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """What a listing says of a session."""

    corpus: str
    name: str
    user: str
    turns: int
    last: float  # seconds since the epoch


@dataclass(frozen=True, slots=True)
class Turn:
    """One exchange."""

    question: str  # as asked
    rewritten: str  # as retrieved with
    answer: str  # without the labels of its citations; "" for a refusal
    asked: float  # seconds since the epoch
    tier: Tier = "active"
    gist: str = ""  # what the session's tier shows of it


@dataclass(frozen=True, slots=True)
class TurnRow:
    """A turn as it is stored."""

    row: int
    session: int  # the session's row
    name: str  # the session's
    turn: Turn
    uses: int  # how often it was recalled
    vector: np.ndarray  # (dim,) float16, of question and answer


@dataclass(frozen=True, slots=True)
class FactRow:
    """A fact as it is stored; a chain is a fact and what it superseded, named by the first."""

    fact: Fact
    chain: int
    slot: str  # what it is a value of; "" if unknown
    turn: int  # the row of the turn that it was stated in
    vector: np.ndarray  # (dim,) float16


@dataclass(frozen=True, slots=True)
class NewFact:
    """A fact to be stored."""

    text: str
    slot: str
    turn: int  # the row of the turn that it was stated in
    stated: float  # seconds since the epoch
    corrected: bool  # put right by the user outside of the conversation
    embedder: str  # fingerprint of the model that made the vector
    vector: np.ndarray  # unit vector (dim,)


class Sessions:
    """The sessions of a catalogue and their turns."""

    def __init__(self, database: Database, corpora: Corpora) -> None:
        self._database, self._corpora = database, corpora

    def infos(self, *, corpus: str | None = None, user: str | None = None) -> list[SessionInfo]:
        """Return what is known of the sessions, the last used first.

        Args:
            corpus, user: only theirs.
        """
        rows = self._database.read().execute(
            "SELECT s.corpus, s.name, s.user, count(t.row), max(t.asked) FROM sessions s "
            "JOIN turns t ON t.session = s.row WHERE (?1 IS NULL OR s.corpus = ?1) AND (?2 IS NULL OR s.user = ?2) "
            "GROUP BY s.row ORDER BY max(t.asked) DESC",
            (corpus, user),
        )
        return [SessionInfo(*tuple(row)) for row in rows]

    def turns(self, session: Session) -> list[TurnRow]:
        """Return the turns of a session, oldest first; none where there is no such session."""
        where = "AND s.name = ? ORDER BY t.row"
        return self._select(where, session.corpus, session.user, session.name)

    def newest_turns(self, corpus: str, user: str, embedder: str, limit: int) -> list[TurnRow]:
        """Return the newest turns of all of a user's sessions, as far as this model embedded them.

        Each session's are together, oldest first.
        """
        found = self._select("AND t.embedder = ? ORDER BY t.row DESC LIMIT ?", corpus, user, embedder, limit)
        return sorted(found, key=lambda turn: (turn.session, turn.row))

    def add_turn(
        self,
        transaction: sqlite3.Connection,
        session: Session,
        turn: Turn,
        embedder: str,
        vector: np.ndarray,
        *,
        begun: bool,
    ) -> int | None:
        """Add a turn; return its row, or None where the session, begun before, was forgotten meanwhile.

        Args:
            embedder: fingerprint of the model that made the vector.
            vector: unit vector (dim,) of question and answer.
            begun: whether the session has turns already; otherwise it begins.

        Raises:
            NotFound: if there is no such corpus.
        """
        self._corpora.require(session.corpus)
        key = (session.corpus, session.user, session.name)
        if not begun:
            transaction.execute("INSERT OR IGNORE INTO sessions (corpus, user, name) VALUES (?, ?, ?)", key)
        inserted = transaction.execute(
            "INSERT INTO turns (session, question, rewritten, answer, asked, embedder, vector) "
            "SELECT row, ?, ?, ?, ?, ?, ? FROM sessions WHERE corpus = ? AND user = ? AND name = ? RETURNING row",
            (turn.question, turn.rewritten, turn.answer, turn.asked, embedder, _float16(vector), *key),
        ).fetchone()
        return None if inserted is None else int(inserted["row"])

    def answer_turn(
        self, transaction: sqlite3.Connection, corpus: str, row: int | None, turn: Turn, vector: np.ndarray
    ) -> None:
        """Put the answer to a turn's question, and how it was understood; nothing where the turn was forgotten.

        Args:
            vector: unit vector (dim,) of question and answer.

        Raises:
            NotFound: if there is no such corpus any more.
        """
        self._corpora.require(corpus)
        transaction.execute(
            "UPDATE turns SET rewritten = ?, answer = ?, vector = ? WHERE row = ?",
            (turn.rewritten, turn.answer, _float16(vector), row),
        )

    def move(self, tiers: Iterable[tuple[int, str, str]]) -> None:
        """Put turns into other tiers of memory; each is (row, tier, gist)."""
        with self._database.write() as transaction:
            transaction.executemany("UPDATE turns SET tier = ?2, gist = ?3 WHERE row = ?1", tiers)

    def count_uses(self, transaction: sqlite3.Connection, turns: Sequence[int]) -> None:
        """Count turns as recalled once more; from the persistent tier they come back to the session's."""
        transaction.executemany(
            "UPDATE turns SET uses = uses + 1, tier = CASE WHEN tier = 'persistent' THEN 'session' ELSE tier END "
            "WHERE row = ?",
            [(turn,) for turn in turns],
        )

    def delete(self, session: Session) -> bool:
        """Delete a session and overwrite its content on disk. Return False if it does not exist."""
        with self._database.write() as transaction:
            gone = transaction.execute(
                "DELETE FROM sessions WHERE corpus = ? AND user = ? AND name = ?",
                (session.corpus, session.user, session.name),
            ).rowcount
        if gone:
            self._database.empty_log()
        return gone > 0

    def _select(self, where: str, *values: object) -> list[TurnRow]:
        rows = self._database.read().execute(
            "SELECT t.question, t.rewritten, t.answer, t.asked, t.tier, t.gist, t.row, t.session, s.name, t.uses, "
            f"t.vector {_TURNS} {where}",
            values,
        )
        return [_turn(row) for row in rows]


class StatedFacts:
    """The facts of a catalogue, each with the turn that it was stated in."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, corpus: str, user: str, *, history: bool = False) -> list[FactRow]:
        """Return a user's facts about a corpus that hold now, in the order in which they were first stated.

        Args:
            history: superseded ones too, each before the one that took its place.
        """
        now = "" if history else "AND f.superseded IS NULL "
        rows = self._database.read().execute(f"{_FACTS} {now}ORDER BY f.chain, f.row", (corpus, user))
        return [_fact(row) for row in rows]

    def embedded(self, corpus: str, user: str, embedder: str) -> list[FactRow]:
        """Return those facts of a user that hold now and that this model embedded, oldest first."""
        query = f"{_FACTS} AND f.superseded IS NULL AND f.embedder = ? ORDER BY f.row"
        return [_fact(row) for row in self._database.read().execute(query, (corpus, user, embedder))]

    def add(
        self,
        transaction: sqlite3.Connection,
        corpus: str,
        user: str,
        new: NewFact,
        *,
        instead_of: Sequence[FactRow] = (),
    ) -> int:
        """Add a fact, which may supersede others; return its row. All of them are one chain from now on."""
        row = transaction.execute(
            "INSERT INTO facts (corpus, user, turn, corrected, stated, text, slot, chain, embedder, vector) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (corpus, user, new.turn, new.corrected, new.stated, new.text, new.slot,
             min((one.chain for one in instead_of), default=0), new.embedder, _float16(new.vector)),
        ).lastrowid  # fmt: skip
        for one in instead_of:
            transaction.execute("UPDATE facts SET superseded = ? WHERE row = ?", (new.stated, one.fact.id))
            joined = (min(other.chain for other in instead_of), one.chain)
            transaction.execute("UPDATE facts SET chain = ? WHERE chain = ?", joined)
        if not instead_of:
            transaction.execute("UPDATE facts SET chain = row WHERE row = ?", (row,))
        return int(row or 0)

    def delete(self, transaction: sqlite3.Connection, corpus: str, user: str, facts: Sequence[Fact]) -> None:
        """Delete facts, and take their words out of the user's exchanges, which are then no longer found."""
        for fact in facts:
            transaction.execute("DELETE FROM facts WHERE row = ?", (fact.id,))
            transaction.execute(
                "UPDATE turns SET question = replace(question, ?1, '[forgotten]'), gist = '', tier = 'persistent', "
                "rewritten = replace(question, ?1, '[forgotten]'), vector = zeroblob(length(vector)) "
                "WHERE session IN (SELECT row FROM sessions WHERE corpus = ?2 AND user = ?3) "
                "AND (instr(question, ?1) OR instr(rewritten, ?1))",
                (fact.text, corpus, user),
            )


def _turn(row: sqlite3.Row) -> TurnRow:
    turn, vector = Turn(*tuple(row)[:6]), np.frombuffer(row["vector"], np.float16)
    return TurnRow(row["row"], row["session"], row["name"], turn, row["uses"], vector)


def _fact(row: sqlite3.Row) -> FactRow:
    fact = Fact(
        row["row"], row["text"], row["name"], row["stated"], row["superseded"], bool(row["corrected"])
    )
    return FactRow(fact, row["chain"], row["slot"], row["turn"], np.frombuffer(row["vector"], np.float16))


def _float16(vector: np.ndarray) -> bytes:
    return vector.astype(np.float16).tobytes()
