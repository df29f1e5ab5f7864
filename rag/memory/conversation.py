"""Conversations: what was asked and answered in a session, kept in the catalogue for one user and one corpus.

A follow-up is rewritten from what was said before, and only then retrieved for. What the user asked or stated in any
session about the same is recalled beside the answer. A session is forgotten on request, with its corpus, and for good.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from rag.answer.generator import LABEL, Generator
from rag.errors import InvalidInput, NotFound
from rag.memory.about import answer_about_session, is_about_session
from rag.memory.facts import Facts
from rag.memory.recall import TurnIndex, TurnText
from rag.memory.statements import Statement, statements, supersedes
from rag.memory.tiers import Exchange, evict, what_was_said
from rag.models.embed import Embedder
from rag.store.catalog import Catalog
from rag.store.filters import Filter
from rag.store.sessions import ANYBODY, Session, SessionInfo, Turn, TurnRow
from rag.types import Answer, Fact, Ledger, Memory, Recalled, Trace

__all__ = ["ANYBODY", "Conversations", "QuestionPath", "Session", "SessionInfo", "Turn", "check_name"]

RECALLED = 2  # earlier exchanges that are shown beside an answer
EXCHANGE_COSINE = 0.5  # of question and exchange, from which it is shown
MOST_STATED = 20  # facts of the session in its summary, the newest
MOST_SEARCHED = 1_000  # exchanges of a user, the newest; indexing their words takes some 70 ms
LONGEST_NAME = 64  # characters of a session's or user's name


class AnsweringModels(Protocol):
    """The models that memory uses of those that answer: `rag.stages.ModelSet` has them."""

    @property
    def embedder(self) -> Embedder: ...

    @property
    def generator(self) -> Generator: ...

    @property
    def summarize(self) -> Callable[[str], str] | None: ...


class QuestionPath(Protocol):
    """What answers questions: `rag.pipeline.Pipeline` does."""

    @property
    def models(self) -> AnsweringModels: ...

    def check_question(self, question: str, filter_: Filter | None = None) -> None: ...

    def understood(self, corpus: str, question: str, earlier: Sequence[str]) -> str: ...

    def ask(
        self,
        corpus: str,
        question: str,
        *,
        filter_: Filter | None,
        on_stage: Callable[[str, float], None] | None,
        memory: Memory,
    ) -> Answer: ...


class Conversations:
    """The sessions of a catalogue. Safe for several threads and several processes."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog, self._sessions = catalog, catalog.sessions
        self.facts = Facts(catalog)

    def ask(
        self,
        path: QuestionPath,
        session: Session,
        question: str,
        *,
        filter_: Filter | None = None,
        on_stage: Callable[[str, float], None] | None = None,
    ) -> Answer:
        """Answer a question in the light of the session, and remember the exchange.

        The question is remembered as asked before it is answered: a stopped or failed one stays in the session, without
        an answer. One about the session itself is answered from it. Where the documents do not answer, the answer says
        instead what the user stated about it before. Call `tidy` once the answer is given.

        Raises:
            InvalidInput: for a bad name, question or filter; then nothing is remembered.
            What `QuestionPath.ask` raises.
        """
        _check(session)
        path.check_question(question, filter_)  # before anything is recalled for it
        exchanges = self.exchanges(session)
        if said := answer_about_session(question, exchanges):
            turn = Turn(question, question, said, time.time())
            self._begin(session, path.models.embedder, turn, begun=bool(exchanges))
            return _from_session(question, said)
        memory = self._memory(path.models.embedder, session, question, exchanges)
        understood = path.understood(session.corpus, question, memory.earlier)
        turn = Turn(question, understood, "", time.time())
        row, learned = self._begin(session, path.models.embedder, turn, begun=bool(exchanges))
        answer = path.ask(session.corpus, question, filter_=filter_, on_stage=on_stage, memory=memory)
        turn = replace(turn, rewritten=answer.trace.question, answer=_plain(answer.text))
        self._finish(session, path.models.embedder, row, turn, memory.recalled)
        return _with_statements(answer, memory.facts, learned)

    def tidy(self, session: Session, path: QuestionPath) -> None:
        """Move what no longer fits its tier of memory to the one below; a language model, if any, sums it up."""
        moved = evict(self.exchanges(session), path.models.generator.count_tokens, path.models.summarize)
        if moved:
            self._sessions.move((one.row, one.tier, one.gist) for one in moved)

    def recall(
        self, corpus: str, user: str, question: str, vector: np.ndarray, embedder: str, skip: Collection[str]
    ) -> list[Recalled]:
        """Return up to RECALLED exchanges of all the user's sessions that a question is about, the nearest first.

        Args:
            vector: the question's unit vector (dim,).
            embedder: fingerprint of the model that made it.
            skip: questions, as they were understood, whose exchanges are at hand already.
        """
        rows = self._sessions.newest_turns(corpus, user, embedder, MOST_SEARCHED)
        if not rows:
            return []
        vectors = np.stack([row.vector for row in rows]).astype(np.float32)  # (n_turns, dim)
        if (vectors @ vector).max() < EXCHANGE_COSINE:
            return []  # the rule; only otherwise are the words indexed
        turns = TurnIndex([TurnText(row.session, _text(row.turn)) for row in rows], vectors)
        ranked = turns.rank(question, vector, RECALLED + len(skip))
        near = [(rows[n], cosine) for n, _, cosine in ranked if cosine >= EXCHANGE_COSINE]
        found = [_recalled(row, cosine) for row, cosine in near if row.turn.rewritten not in skip]
        return found[:RECALLED]

    def exchanges(self, session: Session) -> list[Exchange]:
        """Return the exchanges of a session as memory holds them, oldest first."""
        _check(session)
        return [_exchange(row) for row in self._sessions.turns(session)]

    def turns(self, session: Session) -> list[Turn]:
        """Return the exchanges of a session, oldest first; none where there is no such session."""
        _check(session)
        return [row.turn for row in self._sessions.turns(session)]

    def sessions(self, *, corpus: str | None = None, user: str | None = None) -> list[SessionInfo]:
        """Return what is known of the sessions, the last used first.

        Args:
            corpus, user: only theirs.
        """
        return self._sessions.infos(corpus=corpus, user=user)

    def forget(self, session: Session) -> int:
        """Delete a session; what it held is overwritten on disk. Return how many exchanges it held.

        Raises:
            NotFound: if there is none.
        """
        turns = len(self.turns(session))
        if not self._sessions.delete(session):
            raise NotFound(
                f"There is no session {session.name!r} about {session.corpus!r}"
                f"{f' of user {session.user!r}' if session.user else ''}; `ibid memory list` shows the sessions."
            )
        return turns

    def _memory(
        self, embedder: Embedder, session: Session, question: str, exchanges: Sequence[Exchange]
    ) -> Memory:
        """Return what is known of the conversation, and of the user, when a question is asked."""
        of, model = (session.corpus, session.user), embedder.fingerprint
        earlier = what_was_said([one for one in exchanges if not is_about_session(one.asked)])
        vector = embedder.encode([question])[0]
        recalled = self.recall(*of, question, vector, model, skip=set(earlier))
        new = statements(question)
        standing = [fact for fact in self.facts.all(*of) if not _is_superseded(fact, new)]
        facts = [fact for fact in self.facts.recall(*of, vector, model) if fact in standing]
        stated = [
            f"Stated: {fact.text}" for fact in standing if fact.session == session.name and fact not in facts
        ]
        active = [one.shown for one in exchanges if one.tier == "active"]
        gists = [one.shown for one in exchanges if one.tier == "session" and one.shown]
        summary = (*gists, *stated[-MOST_STATED:])
        return Memory(tuple(earlier), tuple(active), summary, tuple(recalled), tuple(facts))

    def _begin(
        self, session: Session, embedder: Embedder, turn: Turn, *, begun: bool
    ) -> tuple[int | None, list[str]]:
        """Keep a question and what the user states in it; return its row, and what was stated.

        Nothing is kept, and the row is None, where the session, begun before, was forgotten meanwhile.
        """
        stated = statements(turn.question)
        vectors = embedder.encode([_text(turn), *(one.text for one in stated)])
        model = embedder.fingerprint
        with self._catalog.database.write() as transaction:
            row = self._sessions.add_turn(transaction, session, turn, model, vectors[0], begun=begun)
            if row is None:
                return None, []
            source = (session.corpus, session.user, row, turn.asked)
            self.facts.learn(transaction, source, stated, model, vectors[1:])
        return row, [one.text for one in stated]

    def _finish(
        self, session: Session, embedder: Embedder, row: int | None, turn: Turn, recalled: Sequence[Recalled]
    ) -> None:
        """Keep the answer to a question, unless its session was forgotten meanwhile; what was recalled comes back."""
        vector = embedder.encode([_text(turn)])[0]
        with self._catalog.database.write() as transaction:
            self._sessions.answer_turn(transaction, session.corpus, row, turn, vector)
            self._sessions.count_uses(transaction, [one.turn for one in recalled])


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


def _from_session(question: str, said: str) -> Answer:
    """Return an answer that the session gives: no document is read or cited."""
    trace = Trace(
        question, {}, {}, (), {"total": 0.0}, remarks=("Answered from the session.",), strategy="session"
    )
    return Answer(said, True, 1.0, (), "", (), Ledger(0, 0, 0, 0, 0, 0), trace)


def _with_statements(answer: Answer, facts: Sequence[Fact], learned: Sequence[str]) -> Answer:
    """Add what was remembered now, and to a refusal what the user stated about it before."""
    remarks = (*answer.trace.remarks, *(f"Remembered: {text}" for text in learned))
    reason = answer.reason
    if facts and not answer.answerable:
        when = time.strftime("%Y-%m-%d", time.localtime(facts[0].stated))
        reason = f"{reason} You said on {when}: “{facts[0].text}”"
    return replace(answer, reason=reason, trace=replace(answer.trace, remarks=remarks))


def _is_superseded(fact: Fact, new: Sequence[Statement]) -> bool:
    """Return whether what is being stated takes the place of a fact."""
    old = next(iter(statements(fact.text)), Statement(fact.text, ""))
    return any(supersedes(one, old) for one in new)


def _exchange(row: TurnRow) -> Exchange:
    turn = row.turn
    return Exchange(row.row, turn.question, turn.rewritten, turn.answer, turn.tier, turn.gist, row.uses)


def _recalled(row: TurnRow, cosine: float) -> Recalled:
    turn = row.turn
    return Recalled(row.row, row.name, turn.rewritten, turn.answer, turn.asked, cosine)


def _text(turn: Turn) -> str:
    return f"{turn.rewritten}\n{turn.answer}"


def _plain(text: str) -> str:
    """Return the cited parts of an answer, a line each: joined, "Lund" and "Ada Quill" would make one name."""
    return "\n".join(filter(None, (part.strip() for part in LABEL.split(text))))
