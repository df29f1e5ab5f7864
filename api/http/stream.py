"""Server-sent events: work in a thread emits them, a response sends them as they come.

An error before the first event is raised, so that it becomes an answer with a true status code; a
later one becomes the last event. When the client is gone, the next emission ends the work.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import pairwise
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from api.http.problems import problem_of
from api.render import answer_to_json, explain_to_json
from rag.types import Answer

Event = tuple[str, dict[str, Any]]
Emit = Callable[[Event], None]
KEEP_ALIVE_S = 15.0  # proxies and browsers drop a connection that is silent for longer


class ClientGone(Exception):
    """Raised in the work when it emits something after the client is gone."""


async def stream_events(work: Callable[[Emit], None], path: str) -> StreamingResponse:
    """Run `work` in a thread and return a response of the events that it emits.

    Args:
        path: of the request, for the problem document of a late error.

    Raises:
        Exception: whatever `work` raises before its first event.
    """
    events = _Events(work, path)
    first = await events.first()
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # the latter for nginx
    return StreamingResponse(events.after(first), media_type="text/event-stream", headers=headers)


def stage_event(stage: str, ms: float) -> Event:
    """Return the event of a stage that is done."""
    return "stage", {"stage": stage, "ms": round(ms, 3)}


def answer_events(answer: Answer, *, explain: bool) -> Iterator[Event]:
    """Yield the events of an answer: its text by cited sentences, citations, and the whole.

    The texts of the `answer` events, joined, are the answer.
    """
    starts = sorted({0, *(citation.answer_start for citation in answer.citations)}) if answer.text else []
    for start, end in pairwise([*starts, len(answer.text)]):
        yield "answer", {"text": answer.text[start:end]}
    whole = answer_to_json(answer)
    yield "citations", {"citations": whole["citations"]}
    yield "done", whole | ({"explain": explain_to_json(answer.trace)} if explain else {})


class _Events:
    """A queue between the thread that works and the event loop that sends."""

    def __init__(self, work: Callable[[Emit], None], path: str) -> None:
        self._work, self._path = work, path
        self._queue: asyncio.Queue[Event | Exception | None] = asyncio.Queue()  # None: nothing more comes
        self._loop = asyncio.get_running_loop()
        self._gone = threading.Event()
        self._task = asyncio.create_task(run_in_threadpool(self._run))

    async def first(self) -> Event | None:
        """Return the first event, or raise what happened instead."""
        try:
            event = await self._queue.get()
        except asyncio.CancelledError:
            self._gone.set()
            raise
        if isinstance(event, Exception):
            raise event
        return event

    async def after(self, event: Event | Exception | None) -> AsyncIterator[str]:
        """Yield the given event and those that follow, encoded."""
        try:
            while event is not None:
                if isinstance(event, Exception):
                    event = ("error", problem_of(event, self._path))
                yield _encode(event)
                while not (waiting := await self._next()):
                    yield ": still at work\n\n"
                event = waiting[0]
        finally:
            self._gone.set()

    async def _next(self) -> tuple[Event | Exception | None] | None:
        try:
            return (await asyncio.wait_for(self._queue.get(), KEEP_ALIVE_S),)
        except TimeoutError:
            return None

    def _run(self) -> None:
        try:
            self._work(self._emit)
            self._put(None)
        except ClientGone:
            return
        except Exception as error:
            self._put(error)
            self._put(None)

    def _emit(self, event: Event) -> None:
        if self._gone.is_set():
            raise ClientGone
        self._put(event)

    def _put(self, item: Event | Exception | None) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._queue.put_nowait, item)


def _encode(event: Event) -> str:
    name, data = event
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"
