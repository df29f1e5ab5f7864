"""Routes of health, readiness, and the pages for people."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse
from starlette.responses import JSONResponse

from api.http import schemas
from api.http.ready import Readiness

router = APIRouter(tags=["operation"])


@router.get("/", include_in_schema=False)
def page() -> HTMLResponse:
    """Serve the page to upload, ask and read with."""
    return _page("page.html")


@router.get("/docs", include_in_schema=False)
def docs() -> HTMLResponse:
    """Serve the description of the API, readable without a network."""
    return _page("docs.html")


@router.get("/health", response_model=schemas.Health)
def health() -> dict[str, str]:
    """Report that the process lives."""
    return {"status": "ok"}


@router.get("/ready", response_model=schemas.Ready, responses={503: {"model": schemas.Ready}})
def ready(request: Request) -> Response:
    """Report whether questions and uploads are served now: 200, or 503 with the reasons."""
    readiness: Readiness = request.app.state.readiness
    reasons = readiness.reasons()
    body: dict[str, Any] = {"ready": not reasons, "reasons": reasons, "warnings": list(readiness.warnings)}
    return JSONResponse(body, 503 if reasons else 200)


@cache
def _page(name: str) -> HTMLResponse:
    """Return a page that may run its own script and style and nothing else, whatever an uploaded text holds."""
    html = (Path(__file__).parents[1] / name).read_text(encoding="utf-8")
    policy = (
        f"default-src 'none'; script-src {_hashes(html, 'script')}; style-src {_hashes(html, 'style')}; "
        "connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return HTMLResponse(html, headers={"Content-Security-Policy": policy})


def _hashes(html: str, tag: str) -> str:
    """Name the content of each inline element as a content security policy does."""
    contents = re.findall(f"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
    digests = [base64.b64encode(hashlib.sha256(content.encode()).digest()).decode() for content in contents]
    return " ".join(f"'sha256-{digest}'" for digest in digests)
