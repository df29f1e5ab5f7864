"""What a user stated, kept across sessions: each fact with its source and time, the older ones as history.

A newer statement about the same supersedes the older one. A user can list, correct and delete what is remembered; a
fact goes with the turn it was stated in, with its corpus, and on request with its history and its words in that turn.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rag.errors import InvalidInput, NotFound
from rag.memory.statements import LONGEST, Statement, statements, supersedes
from rag.models.embed import Embedder
from rag.store.catalog import Catalog
from rag.types import Fact

SHOWN = 3  # facts beside an answer
ABOUT_THE_SAME = 0.4  # cosine of question and fact from which it is shown; facts are short
_SELECT = (
    "SELECT f.row, f.text, s.name, f.stated, f.superseded, f.corrected, f.chain, f.slot, f.turn, f.vector "
    "FROM facts f JOIN turns t ON t.row = f.turn JOIN sessions s ON s.row = t.session "
    "WHERE f.corpus = ? AND f.user = ?"
)


class Facts:
    """The facts of a catalogue. Safe for several threads and several processes."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def recall(
        self, corpus: str, user: str, vector: np.ndarray, embedder: str, *, k: int = SHOWN
    ) -> list[Fact]:
        """Return up to k facts that hold now and that a question is about, the nearest first.

        Args:
            vector: the question's unit vector (dim,).
            embedder: fingerprint of the model that made it.
        """
        query = f"{_SELECT} AND f.superseded IS NULL AND f.embedder = ?"
        rows = self._catalog.read().execute(query, (corpus, user, embedder)).fetchall()
        if not rows:
            return []
        stored = np.frombuffer(b"".join(row["vector"] for row in rows), np.float16).astype(np.float32)
        cosines = stored.reshape(len(rows), -1) @ vector  # (n_facts,)
        nearest = np.argsort(-cosines, kind="stable")[:k]
        return [_fact(rows[n]) for n in nearest if cosines[n] >= ABOUT_THE_SAME]

    def all(self, corpus: str, user: str, *, history: bool = False) -> list[Fact]:
        """Return a user's facts about a corpus, in the order in which they were first stated.

        Args:
            history: superseded ones too, each before the one that took its place.
        """
        now = "" if history else "AND f.superseded IS NULL "
        rows = self._catalog.read().execute(f"{_SELECT} {now}ORDER BY f.chain, f.row", (corpus, user))
        return list(map(_fact, rows.fetchall()))

    def learn(
        self,
        transaction: sqlite3.Connection,
        turn: int,
        found: Sequence[Statement],
        vectors: np.ndarray,
        embedder: Embedder,
    ) -> None:
        """Keep what was stated in a turn; what it supersedes becomes history.

        Args:
            turn: its row.
            vectors: unit vectors (n_statements, dim).
        """
        for statement, vector in zip(found, vectors, strict=True):
            corpus, user, stated = transaction.execute(
                "SELECT s.corpus, s.user, t.asked FROM turns t JOIN sessions s ON s.row = t.session WHERE t.row = ?",
                (turn,),
            ).fetchone()
            query = f"{_SELECT} AND f.superseded IS NULL ORDER BY f.row DESC"
            held = transaction.execute(query, (corpus, user)).fetchall()
            if any(row["text"].casefold() == statement.text.casefold() for row in held):
                continue
            old = next(
                (row for row in held if supersedes(statement, Statement(row["text"], row["slot"]))), None
            )
            source = _Source(corpus, user, turn, stated)
            _insert(transaction, source, statement, old, (embedder.fingerprint, vector))

    def correct(self, embedder: Embedder, corpus: str, user: str, fact: int, text: str) -> Fact:
        """Put a fact right in the user's words; the wrong one is kept as history, until the fact is forgotten.

        Raises:
            NotFound: if there is no such fact that holds now.
            InvalidInput: for a text that is empty, too long to be a fact, or of characters that cannot be seen.
        """
        text = " ".join(text.split()).rstrip(" .")
        if not text or len(text) > LONGEST or not text.isprintable():
            raise InvalidInput(
                f"The corrected fact has {len(text)} characters; expected 1 to {LONGEST}, all printable."
            )
        vector = embedder.encode([text])[0]
        with self._catalog.write() as transaction:
            query = f"{_SELECT} AND f.row = ? AND f.superseded IS NULL"
            old = transaction.execute(query, (corpus, user, fact)).fetchone()
            if old is None:
                raise _no_fact(corpus, user, fact)
            if old["text"] == text:
                return _fact(old)
            slot = next((one.slot for one in statements(text)), old["slot"])
            source = _Source(corpus, user, old["turn"], time.time(), corrected=True)
            row = _insert(transaction, source, Statement(text, slot), old, (embedder.fingerprint, vector))
        return next(one for one in self.all(corpus, user) if one.id == row)

    def forget(self, corpus: str, user: str, fact: int) -> int:
        """Delete a fact, and with one that holds its history; return how many texts that were.

        Their words are taken out of the exchanges that they were stated in too, and overwritten on disk.

        Raises:
            NotFound: if there is none.
        """
        with self._catalog.write() as transaction:
            query = (
                f"{_SELECT} AND f.chain = (SELECT chain FROM facts WHERE row = ? AND corpus = ? AND user = ?)"
            )
            chain = transaction.execute(query, (corpus, user, fact, corpus, user)).fetchall()
            named = next((row for row in chain if row["row"] == fact), None)
            if named is None:
                raise _no_fact(corpus, user, fact)
            gone = [named] if named["superseded"] else chain
            for row in gone:
                transaction.execute("DELETE FROM facts WHERE row = ?", (row["row"],))
                _redact(transaction, corpus, user, row["text"])
        self._catalog.empty_log()
        return len(gone)


@dataclass(frozen=True, slots=True)
class _Source:
    """Whose a fact is, and where and when it was stated."""

    corpus: str
    user: str
    turn: int
    stated: float
    corrected: bool = False


def _insert(
    transaction: sqlite3.Connection,
    source: _Source,
    statement: Statement,
    old: sqlite3.Row | None,
    embedded: tuple[str, np.ndarray],
) -> int:
    """Insert a fact, in the place of an old one; return its row."""
    row = transaction.execute(
        "INSERT INTO facts (corpus, user, turn, corrected, stated, text, slot, chain, embedder, vector) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (source.corpus, source.user, source.turn, source.corrected, source.stated, statement.text, statement.slot,
         old["chain"] if old else 0, embedded[0], embedded[1].astype(np.float16).tobytes()),
    ).lastrowid  # fmt: skip
    if old:
        transaction.execute("UPDATE facts SET superseded = ? WHERE row = ?", (source.stated, old["row"]))
    else:
        transaction.execute("UPDATE facts SET chain = row WHERE row = ?", (row,))
    return int(row or 0)


def _redact(transaction: sqlite3.Connection, corpus: str, user: str, text: str) -> None:
    """Take a text out of the user's exchanges; what held it is no longer at hand, nor found."""
    transaction.execute(
        "UPDATE turns SET question = replace(question, ?1, '[forgotten]'), gist = '', tier = 'persistent', "
        "rewritten = replace(question, ?1, '[forgotten]'), vector = zeroblob(length(vector)) "
        "WHERE session IN (SELECT row FROM sessions WHERE corpus = ?2 AND user = ?3) "
        "AND (instr(question, ?1) OR instr(rewritten, ?1))",
        (text, corpus, user),
    )


def _fact(row: sqlite3.Row) -> Fact:
    return Fact(
        row["row"], row["text"], row["name"], row["stated"], row["superseded"], bool(row["corrected"])
    )


def _no_fact(corpus: str, user: str, fact: int) -> NotFound:
    whose = f" of user {user!r}" if user else ""
    return NotFound(
        f"There is no fact {fact} about {corpus!r}{whose}; `ibid memory list --facts` shows them."
    )
