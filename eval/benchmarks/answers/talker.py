"""A server that speaks OpenAI's streamed chat completions and answers at once.

`python -m eval.benchmarks.answers.talker` runs it.

It repeats the first sentence of the first piece of evidence, word by word, so that all of a question's time is Ibid's.
It prints its address once it listens.
"""

from __future__ import annotations

import html
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from rag.text.sentences import split_sentences

STOP_S = 10
_EVIDENCE = re.compile(r'<evidence label="(\d+)"[^>]*>\n(.*?)\n</evidence>', re.DOTALL)
_NOTHING = "The evidence does not answer the question."


def first_sentence(prompt: str) -> str:
    """Return the first sentence of a prompt's first evidence, with its label; a refusal without evidence."""
    found = _EVIDENCE.search(prompt)
    if found is None:
        return _NOTHING
    label, text = found.groups()
    start, end = next(iter(split_sentences(text)), (0, len(text)))
    return f"{' '.join(html.unescape(text[start:end]).split())} [{label}]"


class Talker(BaseHTTPRequestHandler):
    """Answers every request with a stream of chat completion chunks of one word."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for word in first_sentence(asked["messages"][-1]["content"]).split(" "):
            self._send(json.dumps(_chunk(f"{word} ")))
        self._send("[DONE]")

    def log_message(self, format: str, *arguments: object) -> None:
        """Log nothing: the output of a benchmark is figures."""

    def _send(self, data: str) -> None:
        self.wfile.write(f"data: {data}\n\n".encode())
        self.wfile.flush()


@contextmanager
def talking() -> Iterator[str]:
    """Run the server in its own process until the block ends; yield its address.

    Raises:
        RuntimeError: if it does not start.
    """
    command = [sys.executable, "-m", "eval.benchmarks.answers.talker"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            url = process.stdout.readline().strip() if process.stdout else ""
            if not url:
                raise RuntimeError(f"{' '.join(command[1:])} did not start; run it by itself to see why.")
            yield url
        finally:
            process.terminate()
            process.wait(timeout=STOP_S)


def main() -> None:
    """Serve on a free port of this machine until terminated."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Talker) as server:
        print(f"http://127.0.0.1:{server.server_address[1]}/v1", flush=True)
        server.serve_forever()


def _chunk(text: str) -> dict[str, object]:
    choice = {"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": None}
    return {
        "id": "1",
        "object": "chat.completion.chunk",
        "created": 0,
        "model": "talker",
        "choices": [choice],
    }


if __name__ == "__main__":
    main()
