"""Routes of search and ask."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from fastapi import APIRouter, BackgroundTasks, Depends, Request, Response
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool

from api.http import schemas
from api.http.depends import Serving, body_of_type
from api.http.problems import problem_responses
from api.http.stream import ClientGone, Emit, answer_events, stage_event, stream_events
from api.render import answer_to_json, explain_to_json, search_to_json
from api.service import Service
from rag.memory.conversation import Session
from rag.recorder import OnStage
from rag.types import Answer

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
    """Find the evidence nearest to a question, best first."""
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
    service: Serving, request: Request, afterwards: BackgroundTasks, corpus: str, asked: schemas.AskRequest
) -> Response | dict[str, Any]:
    """Answer from the documents, every citation verified, or say that they do not answer it.

    With `stream`, server-sent events: `stage` {stage, ms} as each is done; `answer` {text}, sentence by sentence;
    `citations` {citations}; `done` with the whole answer; `error` with a problem document.
    """
    if not asked.stream:
        afterwards.add_task(_tidy, service, corpus, asked)
        return await _unless_gone(request, partial(_answer, service, corpus, asked))

    def work(emit: Emit) -> None:
        def on_stage(stage: str, ms: float) -> None:
            emit(stage_event(stage, ms))

        answer = _ask(service, corpus, asked, on_stage)
        for event in answer_events(answer, explain=asked.explain):
            emit(event)

    response = await stream_events(work, request.scope["path"])
    response.background = BackgroundTask(_tidy, service, corpus, asked)
    return response


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
    session = _session(corpus, asked)
    if session is None:
        return service.pipeline.ask(corpus, asked.question, filter_=asked.filter, on_stage=on_stage)
    return service.conversations.ask(
        service.pipeline, session, asked.question, filter_=asked.filter, on_stage=on_stage
    )


def _tidy(service: Service, corpus: str, asked: schemas.AskRequest) -> None:
    """Put the memory of the session in order, once nobody waits for it."""
    session = _session(corpus, asked)
    if session is not None:
        service.conversations.tidy(session, service.pipeline)


def _session(corpus: str, asked: schemas.AskRequest) -> Session | None:
    return None if asked.session is None else Session(corpus, asked.session, asked.user)
