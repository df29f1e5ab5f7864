"""The HTTP application: `create_app(settings)`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from api.http import schemas
from api.http.guard import Guard
from api.http.problems import install_handlers
from api.http.ready import Readiness
from api.http.routes import documents, jobs, questions, sessions, status, sync
from api.http.schedule import Scheduler
from api.service import Service
from rag.settings import Settings

_DESCRIPTION = (
    "Ask questions over your own documents; see the exact words each answer rests on. "
    "Errors are problem documents (RFC 9457, `application/problem+json`)."
)


class Application(FastAPI):
    """A FastAPI application whose OpenAPI documents describe the problem documents too."""

    def openapi(self) -> dict[str, Any]:
        described = super().openapi()
        described["components"]["schemas"].setdefault("Problem", schemas.Problem.model_json_schema())
        return described


def create_app(settings: Settings) -> FastAPI:
    """Return the application; it opens the data folder when it starts.

    Starting fails with StorageError if the data folder cannot be used. Models and indexes load in the
    background; `/ready` tells when they are there, and a question that comes before waits for them.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        service = await run_in_threadpool(Service, settings)
        app.state.service, app.state.readiness = service, Readiness(service)
        app.state.readiness.start()
        service.start_jobs()
        scheduler = Scheduler(service)
        scheduler.start()
        try:
            yield
        finally:
            stops = (app.state.readiness.stop, scheduler.stop)
            idle = all(await asyncio.gather(*map(run_in_threadpool, stops)))
            await run_in_threadpool(service.stop, idle=idle)

    app = Application(
        title="Ibid",
        description=_DESCRIPTION,
        version=version("ibid"),
        lifespan=lifespan,
        docs_url=None,  # FastAPI's pages load their scripts from another site; /docs is our own
        redoc_url=None,
    )
    app.add_middleware(Guard, settings=settings)
    install_handlers(app)
    for routes in (status, documents, jobs, sync, questions, sessions):
        app.include_router(routes.router)
    return app
