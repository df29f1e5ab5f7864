"""What the routes depend on: the service, and a body of the right media type."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Request
from starlette.exceptions import HTTPException

from api.service import Service


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
