"""Routes of what is remembered: sessions and their exchanges, and what a user stated."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path

from api.http import schemas
from api.http.depends import Serving, body_of_type
from api.http.problems import problem_responses
from rag.errors import NotFound
from rag.memory.conversation import Session

FactNumber = Annotated[int, Path(ge=1, le=2**63 - 1)]
router = APIRouter(
    prefix="/v1/corpora/{corpus}",
    tags=["memory"],
    responses=dict(problem_responses()),
)


@router.get("/sessions", response_model=schemas.SessionList)
def list_sessions(service: Serving, corpus: str, user: str = "") -> dict[str, Any]:
    """List a user's sessions about a corpus, the last used first."""
    service.catalog.corpora.require(corpus)
    found = service.conversations.sessions(corpus=corpus, user=user)
    return {"sessions": [asdict(info) for info in found]}


@router.get("/sessions/{session}", response_model=schemas.SessionTurns)
def read_session(service: Serving, corpus: str, session: str, user: str = "") -> dict[str, Any]:
    """Return the exchanges of a session, oldest first, each with the tier of memory that it is in."""
    service.catalog.corpora.require(corpus)
    turns = service.conversations.turns(Session(corpus, session, user))
    if not turns:
        raise NotFound(f"There is no session {session!r} about {corpus!r}.")
    return {"turns": [asdict(turn) for turn in turns]}


@router.delete("/sessions/{session}", status_code=204)
def forget_session(service: Serving, corpus: str, session: str, user: str = "") -> None:
    """Forget a session and what was stated in it, for good."""
    service.catalog.corpora.require(corpus)
    service.conversations.forget(Session(corpus, session, user))


@router.get("/facts", response_model=schemas.FactList)
def list_facts(service: Serving, corpus: str, user: str = "", history: bool = False) -> dict[str, Any]:
    """List what a user stated in conversations about a corpus; with `history` also what was superseded."""
    service.catalog.corpora.require(corpus)
    found = service.conversations.facts.all(corpus, user, history=history)
    return {"facts": [asdict(fact) for fact in found]}


@router.put(
    "/facts/{fact}",
    response_model=schemas.Fact,
    dependencies=[Depends(body_of_type("application/json"))],
)
def correct_fact(
    service: Serving, corpus: str, fact: FactNumber, corrected: schemas.CorrectedFact, user: str = ""
) -> dict[str, Any]:
    """Put a fact right; the wrong one is kept as history, until the fact is forgotten."""
    service.catalog.corpora.require(corpus)
    return asdict(service.conversations.facts.correct(service.embedder, corpus, user, fact, corrected.text))


@router.delete("/facts/{fact}", status_code=204)
def forget_fact(service: Serving, corpus: str, fact: FactNumber, user: str = "") -> None:
    """Forget a fact and its history, for good: its words are taken out of the exchanges it was stated in too."""
    service.catalog.corpora.require(corpus)
    service.conversations.facts.forget(corpus, user, fact)
