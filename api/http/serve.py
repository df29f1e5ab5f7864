"""Run the HTTP server in this process: everything that can be wrong at its start is one clear error."""

from __future__ import annotations

import os
import socket
import sys
from contextlib import suppress
from typing import Any

import uvicorn
from uvicorn.config import LOGGING_CONFIG

from api.http.app import create_app
from api.service import Service
from rag.errors import IbidError, InvalidSettings
from rag.settings import Settings

# A question asks for the interpreter some fifty times; by default it waits up to 5 ms each time.
SWITCH_S = 0.0005
# How long requests at work may take to end once the server is told to stop.
REQUEST_S = 3


def run_server(settings: Settings) -> None:
    """Serve until interrupted or terminated; then end the process.

    Raises:
        StorageError: if the data folder cannot be used.
        InvalidSettings: if the address cannot be bound.
        IbidError: if the server ended without having started; its log says more.
    """
    Service(settings).close()  # opening it here keeps a broken data folder from ending in a traceback
    sys.setswitchinterval(SWITCH_S)
    with listen(settings) as listening:
        config = uvicorn.Config(
            create_app(settings),
            log_config=_logging(),
            log_level="info",
            timeout_graceful_shutdown=REQUEST_S,
        )
        server = uvicorn.Server(config)
        with suppress(KeyboardInterrupt):  # which is how one stops it
            server.run(sockets=[listening])
    if not server.started:
        raise IbidError("The server did not start; its log says more.")
    sys.stderr.flush()
    os._exit(0)  # not waiting for a file that is still being ingested: its job goes on at the next start


def _logging() -> dict[str, Any]:
    """Return uvicorn's logging with ours in it, so that what the service did on its own is seen."""
    loggers = {**LOGGING_CONFIG["loggers"], "api": {"handlers": ["default"], "level": "INFO"}}
    return {**LOGGING_CONFIG, "loggers": loggers}


def listen(settings: Settings) -> socket.socket:
    """Return a socket that listens on the address of the settings.

    Raises:
        InvalidSettings: if the address cannot be bound.
    """
    family = socket.AF_INET6 if ":" in settings.service.host else socket.AF_INET
    try:
        listening = socket.create_server(
            (settings.service.host.strip("[]"), settings.service.port), family=family
        )
        # asyncio sets this only on sockets of a declared protocol; without it each answer waits 40 ms for an ACK
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listening
    except OSError as error:
        raise InvalidSettings(
            f"{settings.service.host}:{settings.service.port} cannot be listened on ({error.strerror or error}); "
            "stop what uses it, or set IBID_HOST and IBID_PORT."
        ) from error
