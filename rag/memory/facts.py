"""What a user stated, kept across sessions: each fact with its source and time, the older ones as history.

A newer statement about the same supersedes the older one. A user can list, correct and delete what is remembered; a
fact goes with the turn it was stated in, with its corpus, and on request with its history and its words in that turn.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence

import numpy as np

from rag.errors import InvalidInput, NotFound
from rag.memory.statements import LONGEST_STATEMENT, Statement, statements, supersedes
from rag.models.embed import Embedder
from rag.store.catalog import Catalog
from rag.store.sessions import FactRow, NewFact
from rag.types import Fact

FACTS_SHOWN = 3  # beside an answer
FACT_COSINE = 0.4  # of question and fact, from which it is shown; facts are short
FactSource = tuple[str, str, int, float]
"""Corpus and user whose a fact is, and the row and time of the turn in which it was stated."""


class Facts:
    """The facts of a catalogue. Safe for several threads and several processes."""

    def __init__(self, catalog: Catalog) -> None:
        self._database, self._stored = catalog.database, catalog.facts

    def recall(
        self, corpus: str, user: str, vector: np.ndarray, embedder: str, *, k: int = FACTS_SHOWN
    ) -> list[Fact]:
        """Return up to k facts that hold now and that a question is about, the nearest first.

        Args:
            vector: the question's unit vector (dim,).
            embedder: fingerprint of the model that made it.
        """
        rows = self._stored.embedded(corpus, user, embedder)
        if not rows:
            return []
        cosines = np.stack([row.vector for row in rows]).astype(np.float32) @ vector  # (n_facts,)
        nearest = np.argsort(-cosines, kind="stable")[:k]
        return [rows[n].fact for n in nearest if cosines[n] >= FACT_COSINE]

    def all(self, corpus: str, user: str, *, history: bool = False) -> list[Fact]:
        """Return a user's facts about a corpus, in the order in which they were first stated.

        Args:
            history: superseded ones too, each before the one that took its place.
        """
        return [row.fact for row in self._stored.of(corpus, user, history=history)]

    def learn(
        self,
        transaction: sqlite3.Connection,
        source: FactSource,
        found: Sequence[Statement],
        embedder: str,
        vectors: np.ndarray,
    ) -> None:
        """Keep what was stated in a turn; what it supersedes becomes history.

        Args:
            embedder: fingerprint of the model that made the vectors.
            vectors: unit vectors (n_statements, dim).
        """
        corpus, user, turn, stated = source
        for statement, vector in zip(found, vectors, strict=True):
            standing = sorted(self._stored.of(corpus, user), key=lambda row: row.fact.id, reverse=True)
            if any(row.fact.text.casefold() == statement.text.casefold() for row in standing):
                continue
            replaced = [row for row in standing if supersedes(statement, Statement(row.fact.text, row.slot))]
            new = NewFact(statement.text, statement.slot, turn, stated, False, embedder, vector)
            self._stored.add(transaction, corpus, user, new, instead_of=replaced)

    def correct(self, embedder: Embedder, corpus: str, user: str, fact: int, text: str) -> Fact:
        """Put a fact right in the user's words; the wrong one is kept as history, until the fact is forgotten.

        Raises:
            NotFound: if there is no such fact that holds now.
            InvalidInput: for a text that is empty, too long to be a fact, or of characters that cannot be seen.
        """
        text = " ".join(text.split()).rstrip(" .")
        if not text or len(text) > LONGEST_STATEMENT or not text.isprintable():
            raise InvalidInput(
                f"The corrected fact has {len(text)} characters; expected 1 to {LONGEST_STATEMENT}, all printable."
            )
        vector = embedder.encode([text])[0]
        with self._database.write() as transaction:
            old = _numbered(fact, self._stored.of(corpus, user))
            if old is None:
                raise _no_fact(corpus, user, fact)
            if old.fact.text == text:
                return old.fact
            slot = next((one.slot for one in statements(text)), old.slot)
            new = NewFact(text, slot, old.turn, time.time(), True, embedder.fingerprint, vector)
            row = self._stored.add(transaction, corpus, user, new, instead_of=[old])
        return next(one for one in self.all(corpus, user) if one.id == row)

    def forget(self, corpus: str, user: str, fact: int) -> int:
        """Delete a fact, and with one that holds its history; return how many texts that were.

        Their words are taken out of the exchanges that they were stated in too, and overwritten on disk.

        Raises:
            NotFound: if there is none.
        """
        with self._database.write() as transaction:
            known = self._stored.of(corpus, user, history=True)
            named = _numbered(fact, known)
            if named is None:
                raise _no_fact(corpus, user, fact)
            chain = [row.fact for row in known if row.chain == named.chain]
            gone = [named.fact] if named.fact.superseded else chain
            self._stored.delete(transaction, corpus, user, gone)
        self._database.empty_log()
        return len(gone)


def _numbered(fact: int, rows: Sequence[FactRow]) -> FactRow | None:
    return next((row for row in rows if row.fact.id == fact), None)


def _no_fact(corpus: str, user: str, fact: int) -> NotFound:
    whose = f" of user {user!r}" if user else ""
    return NotFound(
        f"There is no fact {fact} about {corpus!r}{whose}; `ibid memory list --facts` shows them."
    )
