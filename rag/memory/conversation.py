"""Conversations: what was asked and answered in a session, kept in the catalogue for one user and one corpus.

A follow-up is rewritten from what was said before, and only then retrieved for. What the user asked or stated in any
session about the same is recalled beside the answer. A session is forgotten on request, with its corpus, and for good.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from rag.answer.generator import LABEL
from rag.errors import InvalidInput, NotFound
from rag.memory import tiers as memory
from rag.memory.facts import Facts
from rag.memory.recall import Said, Turns
from rag.memory.statements import Statement, statements, supersedes
from rag.models.embed import Embedder
from rag.pipeline import Pipeline
from rag.recorder import OnStage
from rag.store.catalog import Catalog
from rag.store.filters import Filter
from rag.types import Answer, Fact, Memory, Recalled

RECALLED = 2  # earlier exchanges that are shown beside an answer
ABOUT_THE_SAME = 0.5  # cosine of question and exchange from which it is shown
MOST_STATED = 20  # facts of the session in its summary, the newest
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
    tier: str = "active"  # of memory
    gist: str = ""  # what the session's tier shows of it


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
        self.facts = Facts(catalog)

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

        Where the documents do not answer, what the user stated about it before is said instead. Call `tidy` when
        the answer was given.

        Raises:
            InvalidInput: for a bad name; and what `Pipeline.ask` raises. Then nothing is remembered.
        """
        _check(session)
        pipeline.check_question(question)  # before anything is recalled for it
        held = self.held(session)
        known = self._known(pipeline.models.embedder, session, question, held)
        answer = pipeline.ask(session.corpus, question, filter_=filter_, on_stage=on_stage, memory=known)
        turn = Turn(question, answer.trace.question, _plain(answer.text), time.time())
        learned = self._remember(session, pipeline.models.embedder, turn, known.recalled, begun=bool(held))
        return _with_what_was_stated(answer, known.facts, learned)

    def tidy(self, session: Session, pipeline: Pipeline) -> None:
        """Move what no longer fits its tier of memory to the one below; a language model, if any, sums it up."""
        moved = memory.evict(
            self.held(session), pipeline.models.generator.count_tokens, pipeline.models.summarize
        )
        if not moved:
            return
        with self._catalog.write() as transaction:
            transaction.executemany(
                "UPDATE turns SET tier = ?, gist = ? WHERE row = ?",
                [(one.tier, one.gist, one.row) for one in moved],
            )

    def recall(
        self, corpus: str, user: str, question: str, vector: np.ndarray, embedder: str, skip: Collection[str]
    ) -> list[Recalled]:
        """Return up to RECALLED exchanges of all the user's sessions that a question is about, the nearest first.

        Args:
            vector: the question's unit vector (dim,).
            embedder: fingerprint of the model that made it.
            skip: questions, as they were understood, whose exchanges are at hand already.
        """
        rows = self._rows(corpus, user, embedder)
        if not rows:
            return []
        stored = np.frombuffer(b"".join(row["vector"] for row in rows), np.float16).astype(np.float32)
        vectors = stored.reshape(len(rows), -1)  # (n_turns, dim)
        if (vectors @ vector).max() < ABOUT_THE_SAME:
            return []  # the rule; only otherwise are the words indexed
        turns = Turns([Said(row["session"], _exchange(row)) for row in rows], vectors)
        ranked = turns.rank(question, vector, RECALLED + len(skip))
        found = [
            Recalled(row["row"], row["name"], row["rewritten"], row["answer"], row["asked"], cosine)
            for n, _, cosine in ranked
            if cosine >= ABOUT_THE_SAME and (row := rows[n])["rewritten"] not in skip
        ]
        return found[:RECALLED]

    def held(self, session: Session) -> list[memory.Held]:
        """Return the exchanges of a session as memory holds them, oldest first."""
        _check(session)
        rows = self._catalog.read().execute(
            "SELECT t.row, t.question, t.rewritten, t.answer, t.tier, t.gist, t.uses FROM turns t "
            "JOIN sessions s ON s.row = t.session WHERE s.corpus = ? AND s.user = ? AND s.name = ? ORDER BY t.row",
            (session.corpus, session.user, session.name),
        )
        return [memory.Held(*tuple(row)) for row in rows]

    def turns(self, session: Session) -> list[Turn]:
        """Return the exchanges of a session, oldest first; none where there is no such session."""
        _check(session)
        rows = self._catalog.read().execute(
            "SELECT t.question, t.rewritten, t.answer, t.asked, t.tier, t.gist FROM turns t "
            "JOIN sessions s ON s.row = t.session WHERE s.corpus = ? AND s.user = ? AND s.name = ? ORDER BY t.row",
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
        self._catalog.empty_log()
        return held

    def _known(
        self, embedder: Embedder, session: Session, question: str, held: Sequence[memory.Held]
    ) -> Memory:
        of, model = (session.corpus, session.user), embedder.fingerprint
        earlier = memory.what_was_said(held)
        vector = embedder.encode([question])[0]
        recalled = self.recall(*of, question, vector, model, skip=set(earlier))
        new = statements(question)
        holding = [fact for fact in self.facts.all(*of) if not _is_superseded(fact, new)]
        facts = [fact for fact in self.facts.recall(*of, vector, model) if fact in holding]
        stated = [
            f"Stated: {fact.text}" for fact in holding if fact.session == session.name and fact not in facts
        ]
        active = [one.shown for one in held if one.tier == "active"]
        gists = [one.shown for one in held if one.tier == "session" and one.shown]
        summary = (*gists, *stated[-MOST_STATED:])
        return Memory(tuple(earlier), tuple(active), summary, tuple(recalled), tuple(facts))

    def _rows(self, corpus: str, user: str, embedder: str) -> list[sqlite3.Row]:
        """Return the newest exchanges of a user, oldest first, as far as this model embedded them."""
        rows = self._catalog.read().execute(
            "SELECT t.row, t.session, s.name, t.rewritten, t.answer, t.asked, t.vector FROM turns t "
            "JOIN sessions s ON s.row = t.session WHERE s.corpus = ? AND s.user = ? AND t.embedder = ? "
            "ORDER BY t.row DESC LIMIT ?",
            (corpus, user, embedder, MOST_SEARCHED),
        )
        return sorted(rows.fetchall(), key=lambda row: (row["session"], row["row"]))

    def _remember(
        self, session: Session, embedder: Embedder, turn: Turn, recalled: Sequence[Recalled], *, begun: bool
    ) -> list[str]:
        """Keep an exchange and what the user stated in it; what was recalled comes back. Return what was stated.

        Nothing is kept where the session, begun before, was forgotten while the question was answered.
        """
        stated = statements(turn.question)
        vectors = embedder.encode([f"{turn.rewritten}\n{turn.answer}", *(one.text for one in stated)])
        with self._catalog.write() as transaction:
            key = (session.corpus, session.user, session.name)
            self._catalog.require_corpus(session.corpus)  # it may have been deleted while it was asked
            if not begun:
                transaction.execute(
                    "INSERT OR IGNORE INTO sessions (corpus, user, name) VALUES (?, ?, ?)", key
                )
            inserted = transaction.execute(
                "INSERT INTO turns (session, question, rewritten, answer, asked, embedder, vector) "
                "SELECT row, ?, ?, ?, ?, ?, ? FROM sessions WHERE corpus = ? AND user = ? AND name = ? RETURNING row",
                (turn.question, turn.rewritten, turn.answer, turn.asked, embedder.fingerprint,
                 vectors[0].astype(np.float16).tobytes(), *key),
            ).fetchone()  # fmt: skip
            if inserted is None:
                return []
            self.facts.learn(transaction, inserted["row"], stated, vectors[1:], embedder)
            transaction.executemany(
                "UPDATE turns SET uses = uses + 1, tier = CASE WHEN tier = 'persistent' THEN 'session' ELSE tier END "
                "WHERE row = ?",
                [(one.turn,) for one in recalled],
            )
        return [one.text for one in stated]


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


def _with_what_was_stated(answer: Answer, facts: Sequence[Fact], learned: Sequence[str]) -> Answer:
    """Add what was remembered now, and to a refusal what the user stated about it before."""
    remarks = (*answer.trace.remarks, *(f"Remembered: {text}" for text in learned))
    reason = answer.reason
    if facts and not answer.answerable:
        when = time.strftime("%Y-%m-%d", time.localtime(facts[0].stated))
        reason = f"{reason} You said on {when}: “{facts[0].text}”"
    return replace(answer, reason=reason, trace=replace(answer.trace, remarks=remarks))


def _is_superseded(fact: Fact, new: Sequence[Statement]) -> bool:
    """Tell whether what is being stated takes the place of a fact."""
    old = next(iter(statements(fact.text)), Statement(fact.text, ""))
    return any(supersedes(one, old) for one in new)


def _exchange(row: sqlite3.Row) -> str:
    return f"{row['rewritten']}\n{row['answer']}"


def _plain(text: str) -> str:
    """Return the cited parts of an answer, a line each: joined, "Lund" and "Ada Quill" would make one name."""
    return "\n".join(filter(None, (part.strip() for part in LABEL.split(text))))
