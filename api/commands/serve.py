"""The command that serves HTTP."""

from __future__ import annotations

from typing import Annotated

import typer

from api.http.serve import run_server
from rag.settings import load_settings


def serve(
    host: Annotated[str | None, typer.Option(help="Address to bind to; default 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to bind to; default 8000.")] = None,
) -> None:
    """Serve HTTP until interrupted."""
    run_server(load_settings(host=host, port=port))
