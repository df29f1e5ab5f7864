"""Routes of search and ask."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from api import schemas
from api.problems import problem_responses
from api.render import answer_to_json, explain_to_json, search_to_json
from api.service import Service
from api.stream import ClientGone, Emit, answer_events, stage_event, stream_events
from rag.conversation import Session
from rag.errors import NotFound
from rag.recorder import OnStage
from rag.types import Answer


def serving(request: Request) -> Service:
    """Return the service of the running application."""
    service: Service = request.app.state.service
    return service


def body_of_type(expected: str) -> Callable[[Request], None]:
    """Return a dependency that refuses a body of another media type (415)."""

    def check(request: Request) -> None:
        found = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if found != expected:
            raise HTTPException(415, f"The body is of type {found[:80] or 'unstated'!r}; send {expected}.")

    return check


Serving = Annotated[Service, Depends(serving)]
router = APIRouter(
    prefix="/v1/corpora/{corpus}",
    tags=["questions"],
    responses=dict(problem_responses()),
)
WATCH_S = 0.5  # between two looks at whether the client is still there
_JSON = [Depends(body_of_type("application/json"))]


@router.post(
    "/search", response_model=schemas.SearchResponse, response_model_exclude_unset=True, dependencies=_JSON
)
def search(service: Serving, corpus: str, asked: schemas.SearchRequest) -> dict[str, Any]:
    """Find the passages nearest to a question, best first."""
    found = service.pipeline.search(corpus, asked.question, k=asked.k, filter_=asked.filter)
    return search_to_json(found) | ({"explain": explain_to_json(found.trace)} if asked.explain else {})


@router.post(
    "/ask",
    response_model=schemas.AskResponse,
    response_model_exclude_unset=True,
    dependencies=_JSON,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)
async def ask(
    service: Serving, request: Request, corpus: str, asked: schemas.AskRequest
) -> Response | dict[str, Any]:
    """Answer from the documents, every citation verified, or say that they do not answer it.

    With `stream`, server-sent events: `stage` {stage, ms} as each is done; `answer` {text}, sentence by sentence;
    `citations` {citations}; `done` with the whole answer; `error` with a problem document.
    """
    if not asked.stream:
        return await _unless_gone(request, partial(_answer, service, corpus, asked))

    def work(emit: Emit) -> None:
        def on_stage(stage: str, ms: float) -> None:
            emit(stage_event(stage, ms))

        answer = _ask(service, corpus, asked, on_stage)
        for event in answer_events(answer, explain=asked.explain):
            emit(event)

    return await stream_events(work, request.scope["path"])


@router.get("/sessions", response_model=schemas.SessionList)
def list_sessions(service: Serving, corpus: str, user: str = "") -> dict[str, Any]:
    """List a user's sessions about a corpus, the last used first."""
    service.catalog.require_corpus(corpus)
    found = service.conversations.sessions(corpus=corpus, user=user)
    return {"sessions": [asdict(info) for info in found]}


@router.get("/sessions/{session}", response_model=schemas.SessionTurns)
def read_session(service: Serving, corpus: str, session: str, user: str = "") -> dict[str, Any]:
    """Return the exchanges of a session, oldest first."""
    service.catalog.require_corpus(corpus)
    turns = service.conversations.turns(Session(corpus, session, user))
    if not turns:
        raise NotFound(f"There is no session {session!r} about {corpus!r}.")
    return {"turns": [asdict(turn) for turn in turns]}


@router.delete("/sessions/{session}", status_code=204)
def forget_session(service: Serving, corpus: str, session: str, user: str = "") -> None:
    """Forget a session, for good."""
    service.catalog.require_corpus(corpus)
    service.conversations.forget(Session(corpus, session, user))


async def _unless_gone(
    request: Request, work: Callable[[OnStage], dict[str, Any]]
) -> Response | dict[str, Any]:
    """Do work in a thread; when the client hangs up, end it at its next report."""
    gone = threading.Event()

    def on_stage(stage: str, ms: float) -> None:
        if gone.is_set():
            raise ClientGone

    task = asyncio.ensure_future(run_in_threadpool(work, on_stage))
    while not task.done():
        await asyncio.wait({task}, timeout=WATCH_S)
        if not task.done() and await request.is_disconnected():
            gone.set()
    try:
        return await task
    except ClientGone:
        return Response(status_code=499)  # nobody reads it; nginx's number for a client that hung up


def _answer(service: Service, corpus: str, asked: schemas.AskRequest, on_stage: OnStage) -> dict[str, Any]:
    answer = _ask(service, corpus, asked, on_stage)
    return answer_to_json(answer) | ({"explain": explain_to_json(answer.trace)} if asked.explain else {})


def _ask(service: Service, corpus: str, asked: schemas.AskRequest, on_stage: OnStage | None = None) -> Answer:
    if asked.session is None:
        return service.pipeline.ask(corpus, asked.question, filter_=asked.filter, on_stage=on_stage)
    session = Session(corpus, asked.session, asked.user)
    return service.conversations.ask(
        service.pipeline, session, asked.question, filter_=asked.filter, on_stage=on_stage
    )
