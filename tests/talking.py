"""A real HTTP server that speaks OpenAI's chat protocol and replies as a test specifies."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.loopback import on_loopback


@dataclass
class Talker:
    """The server's replies and how it sends them, and its requests."""

    says: str = ""
    fails: int = 0  # requests that are answered with 500 before it replies
    malformed: bool = False
    raw: str = ""  # sent verbatim instead of a reply
    pause_s: float = 0.0  # before each piece of text
    asked: list[dict[str, Any]] = field(default_factory=list)
    tries: int = 0
    left: threading.Event = field(default_factory=threading.Event)  # set when the client disconnects
    url: str = ""


@contextmanager
def talking(talker: Talker) -> Iterator[Talker]:
    """Serve on loopback until the block ends."""

    def answer(request: BaseHTTPRequestHandler, body: bytes) -> None:
        talker.tries += 1
        talker.asked.append(json.loads(body))
        if talker.tries <= talker.fails:
            request.send_error(500, "out of order")
            return
        request.send_response(200)
        request.send_header("Content-Type", "text/event-stream")
        request.end_headers()
        try:
            if talker.raw:
                request.wfile.write(f"data: {talker.raw}\n\n".encode())
            for word in talker.says.split(" "):
                time.sleep(talker.pause_s)
                _send(request, word, malformed=talker.malformed)
            request.wfile.write(b"data: [DONE]\n\n")
        except OSError:
            talker.left.set()

    with on_loopback(answer) as address:
        talker.url = f"{address}/v1"
        yield talker


def _send(request: BaseHTTPRequestHandler, word: str, *, malformed: bool) -> None:
    piece = {"choices": [{"index": 0, "delta": {"content": f"{word} "}}]}
    whole = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m", **piece}
    said = "{ no json" if malformed else json.dumps(whole)
    request.wfile.write(f"data: {said}\n\n".encode())
    request.wfile.flush()
