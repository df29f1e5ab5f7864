"""A real HTTP server that accepts posts, and fails as often as a test wants."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from tests.loopback import on_loopback


@dataclass
class Receiver:
    """What was posted: headers and body of each request."""

    fails: int = 0  # requests that are answered with 503 first
    posts: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""


@contextmanager
def receiving(receiver: Receiver) -> Iterator[Receiver]:
    """Serve on loopback until the block ends."""

    def answer(request: BaseHTTPRequestHandler, body: bytes) -> None:
        receiver.posts.append((dict(request.headers.items()), body))
        request.send_response(503 if len(receiver.posts) <= receiver.fails else 204)
        request.end_headers()

    with on_loopback(answer) as address:
        receiver.url = f"{address}/hook"
        yield receiver
