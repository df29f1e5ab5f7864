"""What a request must pass before it is read: the host it names, the page that sent it, its size.

The service has no passwords, so a web page must not get at it: a foreign name that resolves to its
address (DNS rebinding) is refused by its Host, whatever address the service is bound to, since a
container's port may be published on the loopback; a form or script of another site is refused by its
Origin. Browsers set both headers and pages cannot.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, MutableMapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.problems import ProblemResponse, problem, problem_of
from rag.settings import Settings

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
FORM_OVERHEAD = 1_000_000  # bytes that part headers and fields of an upload may take beside the files
# Longest JSON body, beside the longest question at 12 bytes a character (\\ud83d\\ude00).
JSON_BYTES = 1_000_000
_LARGE = ("/documents", "/sync")  # uploads, and lists of many files
DRAIN_S = 3  # how long an over-large body is read on and discarded, so that its sender sees the answer
_HEADERS: Mapping[str, str] = {
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}


class Guard:
    """ASGI middleware that refuses foreign hosts, foreign origins and bodies over the limit."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._hosts = _allowed(settings.service.allowed_hosts)
        self._upload_bytes = settings.limits.max_file_bytes + FORM_OVERHEAD
        self._json_bytes = JSON_BYTES + 12 * settings.limits.max_question_chars

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers, limit = Headers(scope=scope), self._limit(scope)
        refusal = self._refusal(scope, headers)
        if refusal is None and _content_length(headers) > limit:
            await _drain(receive, headers)
            refusal = HTTPException(413, _too_large(limit))
        if refusal is not None:
            document = problem(refusal.status_code, refusal.detail, path=scope["path"])
            await ProblemResponse(document, refusal.status_code)(scope, receive, _with_headers(send))
            return
        await self._serve(scope, _limited(receive, limit, headers), _with_headers(send))

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, and answer an unexpected error here: beyond, the server would cut the connection."""
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Exception as error:
            if started:
                raise
            document = problem_of(error, scope["path"])
            await ProblemResponse(document, document["status"])(scope, receive, send)

    def _limit(self, scope: Scope) -> int:
        is_large = scope["path"].startswith("/v1/corpora/") and scope["path"].endswith(_LARGE)
        return self._upload_bytes if is_large else self._json_bytes

    def _refusal(self, scope: Scope, headers: Headers) -> HTTPException | None:
        hosts = headers.getlist("host")
        if self._hosts is not None:
            if len(hosts) != 1:
                return HTTPException(400, f"The request has {len(hosts)} Host headers; expected one.")
            if _hostname(hosts[0]) not in self._hosts:
                expected = ", ".join(sorted(self._hosts))
                return HTTPException(
                    HTTPStatus.MISDIRECTED_REQUEST,
                    f"The request is for host {hosts[0][:80]!r}; this service answers for {expected}. "
                    "Set IBID_ALLOWED_HOSTS to the names that it goes by.",
                )
        origin = headers.get("origin")
        foreign = origin is not None and [_authority(origin)] != [host.lower() for host in hosts]
        if foreign and scope["method"] not in SAFE_METHODS:
            return HTTPException(403, f"A page of {str(origin)[:80]!r} may not change or ask anything here.")
        return None


def _limited(receive: Receive, limit: int, headers: Headers) -> Receive:
    """Count the body's bytes while they are read; raise 413 once they exceed the limit."""
    received = 0

    async def counted() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > limit:
            await _drain(receive, headers)
            raise HTTPException(413, _too_large(limit))
        return message

    return counted


async def _drain(receive: Receive, headers: Mapping[str, str]) -> None:
    """Discard what is still coming: a client that is cut off while it sends never reads the answer."""
    if headers.get("expect", "").lower() == "100-continue":
        return  # it waits for our word and has sent nothing
    message: MutableMapping[str, Any] = {"more_body": True}
    try:
        async with asyncio.timeout(DRAIN_S):
            while message.get("more_body"):
                message = await receive()
    except TimeoutError:
        return


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sending


def _content_length(headers: Mapping[str, str]) -> int:
    stated = headers.get("content-length", "0")
    return int(stated) if stated.isdecimal() else 0


def _allowed(hosts: str) -> frozenset[str] | None:
    """Return `LocalHost, [::1]` as {"localhost", "::1"}, and None for any host."""
    names = frozenset(host.strip().strip("[]").rstrip(".").lower() for host in hosts.split(",")) - {""}
    return None if "*" in names else names


def _hostname(host: str) -> str:
    """Return `[::1]:8000` as `::1`, `LocalHost.:8000` as `localhost`; empty where it is malformed."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _authority(origin: str) -> str:
    """Return `http://localhost:8000` as `localhost:8000`; empty where it is malformed."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _too_large(limit: int) -> str:
    return f"The body exceeds {limit:,} bytes, the most in one request; send less, or fewer files at a time."
