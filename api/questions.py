"""Routes of search and ask."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from api import schemas
from api.problems import problem_responses
from api.render import answer_to_json, explain_to_json, search_to_json
from api.service import Service
from api.stream import Emit, answer_events, stage_event, stream_events


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
    dependencies=[Depends(body_of_type("application/json"))],
)


@router.post("/search", response_model=schemas.SearchResponse, response_model_exclude_unset=True)
def search(service: Serving, corpus: str, asked: schemas.SearchRequest) -> dict[str, Any]:
    """Find the passages nearest to a question, best first."""
    found = service.pipeline.search(corpus, asked.question, k=asked.k, filter_=asked.filter)
    return search_to_json(found) | ({"explain": explain_to_json(found.trace)} if asked.explain else {})


@router.post(
    "/ask",
    response_model=schemas.AskResponse,
    response_model_exclude_unset=True,
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
        return await run_in_threadpool(_answer, service, corpus, asked)

    def work(emit: Emit) -> None:
        def on_stage(stage: str, ms: float) -> None:
            emit(stage_event(stage, ms))

        answer = service.pipeline.ask(corpus, asked.question, filter_=asked.filter, on_stage=on_stage)
        for event in answer_events(answer, explain=asked.explain):
            emit(event)

    return await stream_events(work, request.scope["path"])


def _answer(service: Service, corpus: str, asked: schemas.AskRequest) -> dict[str, Any]:
    answer = service.pipeline.ask(corpus, asked.question, filter_=asked.filter)
    return answer_to_json(answer) | ({"explain": explain_to_json(answer.trace)} if asked.explain else {})
