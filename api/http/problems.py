"""Errors as RFC 9457 problem documents: what was found, what was expected, and a true status code.

404  no such corpus, document, job or path       422  well-formed, but cannot be done as asked
400  the body does not parse                      500  our own fault; the log says more
403, 405, 413, 415, 421  as HTTP defines them     503  busy; try again
409  another embedding model, a job's state,       507  the disk is full
     or a sync that is running
"""

from __future__ import annotations

import errno
import logging
import re
import secrets
import sqlite3
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from rag.errors import (
    IbidError,
    InvalidInput,
    NotFound,
    OtherEmbedder,
    StorageError,
    SyncRunning,
    UnreadableFile,
    WrongState,
)

log = logging.getLogger(__name__)
MEDIA_TYPE = "application/problem+json"
_STATUS = {  # first match counts
    NotFound: 404,
    OtherEmbedder: 409,
    SyncRunning: 409,
    WrongState: 409,
    InvalidInput: 422,
    UnreadableFile: 422,
}
_FULL = (errno.ENOSPC, errno.EDQUOT)


class ProblemResponse(JSONResponse):
    """A problem document with its own media type."""

    media_type = MEDIA_TYPE


def problem(status: int, detail: str, *, path: str, kind: str = "", **more: Any) -> dict[str, Any]:
    """Return a problem document.

    Args:
        path: of the request, decoded.
        kind: name of the class of problem, such as InvalidName; empty where the status says it all.
        more: extension members.
    """
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind).capitalize()
    return {
        "type": f"urn:ibid:problem:{words.lower().replace(' ', '-')}" if kind else "about:blank",
        "title": words or HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": quote(path),
        **more,
    }


def problem_of(error: Exception, path: str) -> dict[str, Any]:
    """Return the problem document of any exception; an unexpected one shows nothing of its inside."""
    if isinstance(error, HTTPException):
        if error.__cause__ is None:
            return problem(error.status_code, error.detail, path=path)
        if _disk_is_full(error):  # uploads are spooled
            return problem(507, "The disk for temporary files is full.", path=path)
        return problem(error.status_code, f"The body does not parse: {error.__cause__}.", path=path)
    if isinstance(error, RequestValidationError):
        return _validation_problem(error.errors(), path)
    if isinstance(error, StorageError | sqlite3.Error):
        return _storage_problem(error, path)
    status = next((status for kind, status in _STATUS.items() if isinstance(error, kind)), 500)
    if isinstance(error, IbidError):
        return problem(status, str(error), path=path, kind=type(error).__name__)
    incident = secrets.token_hex(4)
    log.error("Incident %s at %s: %s", incident, ascii(path), type(error).__name__, exc_info=error)
    return problem(500, f"The service failed; its log says more under incident {incident}.", path=path)


def install_handlers(app: FastAPI) -> None:
    """Answer the expected exceptions with their problem documents; the guard answers all others."""
    for kind in (IbidError, HTTPException, RequestValidationError, sqlite3.Error):
        app.add_exception_handler(kind, _answer)


async def _answer(request: Request, error: Exception) -> ProblemResponse:
    document = problem_of(error, request.scope["path"])
    headers = dict(getattr(error, "headers", None) or {})
    if document["status"] == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = "1"
    return ProblemResponse(document, document["status"], headers)


def _validation_problem(errors: Sequence[Any], path: str) -> dict[str, Any]:
    """Name each bad field; the values are not repeated, they may be large or private."""
    if any(error["type"] == "json_invalid" for error in errors):
        reason, place = errors[0]["ctx"]["error"], errors[0]["loc"][-1]
        return problem(
            400, f"The body is not JSON: {reason} at character {place}.", path=path, kind="MalformedJson"
        )
    fields = [{"field": _field(error["loc"]), "message": error["msg"]} for error in errors[:20]]
    detail = "; ".join(f"{field['field']}: {field['message']}" for field in fields)
    return problem(422, detail, path=path, kind="InvalidRequest", errors=fields)


def _field(location: Sequence[str | int]) -> str:
    """Return ("body", "filter", "year") as `filter.year`."""
    shown = [str(part)[:80].encode("ascii", "backslashreplace").decode() for part in location]
    return ".".join(shown[1:] or shown)


def _storage_problem(error: Exception, path: str) -> dict[str, Any]:
    if _disk_is_full(error):
        status = HTTPStatus.INSUFFICIENT_STORAGE
    else:
        status = HTTPStatus.SERVICE_UNAVAILABLE if _is_busy(error) else HTTPStatus.INTERNAL_SERVER_ERROR
    log.error("Storage at %s: %s", ascii(path), error)
    shown = (
        str(error) if isinstance(error, IbidError) else "The catalogue could not be read; see `ibid doctor`."
    )
    return problem(status, shown, path=path, kind="StorageError")


def _disk_is_full(error: BaseException | None) -> bool:
    """Return whether a full disk is the error or the cause of it."""
    while error is not None:
        code = getattr(error, "sqlite_errorcode", None)
        if code == sqlite3.SQLITE_FULL or (isinstance(error, OSError) and error.errno in _FULL):
            return True
        error = error.__cause__
    return False


def _is_busy(error: BaseException | None) -> bool:
    while error is not None:
        code = getattr(error, "sqlite_errorcode", None)
        if code is not None and code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return True
        error = error.__cause__
    return False


def problem_responses() -> Mapping[int | str, dict[str, Any]]:
    """Return the OpenAPI description that every route shares."""
    schema = {"$ref": "#/components/schemas/Problem"}
    described = {"description": "A problem document", "content": {MEDIA_TYPE: {"schema": schema}}}
    return {422: described, "default": described}
