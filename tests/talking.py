"""A real HTTP server that speaks OpenAI's chat protocol, and says what a test tells it to."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Talker:
    """What the server says, how, and what it was asked."""

    says: str = ""
    fails: int = 0  # how many requests are answered with 500 before it speaks
    malformed: bool = False
    raw: str = ""  # sent as it is, instead of what it says
    pause_s: float = 0.0  # before each piece of text
    asked: list[dict[str, Any]] = field(default_factory=list)
    tries: int = 0
    left: threading.Event = field(default_factory=threading.Event)  # set when the client hung up
    url: str = ""


@contextmanager
def talking(talker: Talker) -> Iterator[Talker]:
    """Serve on loopback until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            talker.tries += 1
            talker.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            if talker.tries <= talker.fails:
                self.send_error(500, "out of order")
                return
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            try:
                if talker.raw:
                    self.wfile.write(f"data: {talker.raw}\n\n".encode())
                for word in talker.says.split(" "):
                    time.sleep(talker.pause_s)
                    self._event({"choices": [{"index": 0, "delta": {"content": f"{word} "}}]})
                self.wfile.write(b"data: [DONE]\n\n")
            except OSError:
                talker.left.set()

        def _event(self, piece: dict[str, Any]) -> None:
            whole = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m", **piece}
            said = "{ no json" if talker.malformed else json.dumps(whole)
            self.wfile.write(f"data: {said}\n\n".encode())
            self.wfile.flush()

        def log_message(self, *arguments: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    talker.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield talker
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
