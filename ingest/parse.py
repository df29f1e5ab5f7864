"""Parse files in a child process, so that no file can exhaust or crash this one.

A child starts with the first file and serves the ones after it. Where it exceeds a bound or ends, its file fails and
the next file gets a fresh child. A child inherits nothing: no socket, lock or database of this process.
"""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, astuple, dataclass, replace
from pathlib import Path
from typing import IO, Any

from ingest.formats.file_text import RECOGNISABLE, FileLimits, FileText, Omission
from ingest.load import printable
from ingest.parse_process import OUT_OF_MEMORY, receive, send
from rag.errors import NotFound, ProcessError, UnreadableFile
from rag.types import MarkBox

_ROOT = Path(__file__).resolve().parents[1]
_PROGRAM = "import sys; sys.path.insert(0, sys.argv[1]); from ingest.parse_process import main; main()"
_PIECE_BYTES = 1 << 20
_POLL_S = 0.3  # how soon a file that is no longer wanted is given up
_START_S = 60  # how long a child may take to start, on a busy machine
_ENDING_S = 5  # how long a child that closed its socket may take to end
_OCR_MEMORY_BYTES = 4_000_000_000  # the models of recognition take hundreds of MB
_OCR_S = 1800  # a page takes about a second


@dataclass(frozen=True, slots=True)
class Bounds:
    """What parsing one file may take: bytes of memory, libraries included, and seconds."""

    memory_bytes: int = 1_000_000_000
    seconds: float = 180

    @property
    def memory(self) -> str:
        """The bound on memory, as messages show it."""
        return f"{self.memory_bytes // 1_000_000} MB of memory (IBID_PARSE_MEMORY_MB)"


# The kernel ends a child with the thread that started it, so one thread that lives as long as the process starts all.
_starter = ThreadPoolExecutor(1, "parse")


class Parser:
    """Reads one file at a time, each as `ingest.load.load` does. Safe for several threads, which take turns."""

    def __init__(self, limits: FileLimits, bounds: Bounds) -> None:
        self._limits = replace(limits, ocr=False)
        self._bounds = bounds
        self._lock = threading.Lock()
        self._child: _Child | None = None

    def parse(self, data: bytes, name: str, *, wanted: Callable[[], bool] | None = None) -> FileText:
        """Return what a file holds.

        Args:
            wanted: called while the file is read; reading ends once it returns false.

        Raises:
            UnreadableFile: if the file cannot be read, or not within the bounds.
            ProcessError: if no child can be started.
            NotFound: if it is no longer wanted.
        """
        with self._lock:
            head, body = self._ask(data, {"name": name}, wanted)
        if head.get("scanned"):
            head, body = self._recognise(data, name, wanted)
        elif _is_recognisable(head):
            head, body = self._with_recognised_pages(head, body, data, name, wanted)
        if "error" in head:
            shortage = f" Or it needs more than {self._bounds.memory} to be read." if head.get("grew") else ""
            raise UnreadableFile(head["error"] + shortage)
        return _file_text(head, body)

    def render(self, data: bytes, page: int, boxes: Sequence[MarkBox], scale: float) -> bytes:
        """Return a page of a PDF as PNG, the boxes marked; see `ingest.formats.pdf.render.render_page`.

        Raises:
            NotFound: if there is no such page.
            UnreadableFile: if it cannot be shown, or not within the bounds.
            ProcessError: if no child can be started.
        """
        asked = {"page": page, "boxes": [astuple(box) for box in boxes], "scale": scale}
        with self._lock:
            head, body = self._ask(data, {"name": f"Page {page}", "render": asked}, None)
        if head.get("missing"):
            raise NotFound(head["error"])
        if "error" in head:
            raise UnreadableFile(head["error"])
        return body

    def _ask(
        self, data: bytes, request: dict[str, Any], wanted: Callable[[], bool] | None
    ) -> tuple[dict[str, Any], bytes]:
        """Ask the child that lives, or a fresh one, and keep it for the next request if all goes well."""
        if self._child is None or not self._child.lives:
            self._child = _Child(self._limits, self._bounds)
        child, self._child = self._child, None
        head, body = child.ask(data, request, wanted)
        if head.get("spent"):
            child.end()
        else:
            self._child = child
        return head, body

    def close(self) -> None:
        """End the child."""
        with self._lock:
            if self._child is not None:
                self._child.end()
            self._child = None

    def _with_recognised_pages(
        self,
        head: dict[str, Any],
        body: bytes,
        data: bytes,
        name: str,
        wanted: Callable[[], bool] | None,
    ) -> tuple[dict[str, Any], bytes]:
        """Read a file again with OCR; where that fails, its text is what was read without."""
        try:
            its_head, its_body = self._recognise(data, name, wanted)
        except UnreadableFile:
            return head, body
        return (head, body) if "error" in its_head else (its_head, its_body)

    def _recognise(
        self, data: bytes, name: str, wanted: Callable[[], bool] | None
    ) -> tuple[dict[str, Any], bytes]:
        """Read a scan by OCR, which takes more memory and time, in a child of its own."""
        memory_bytes, seconds = self._bounds.memory_bytes, self._bounds.seconds
        more = Bounds(max(memory_bytes, _OCR_MEMORY_BYTES), max(seconds, _OCR_S))
        child = _Child(replace(self._limits, ocr=True), more)
        try:
            return child.ask(data, {"name": name}, wanted)
        finally:
            child.end()


def _is_recognisable(head: Mapping[str, Any]) -> bool:
    """Return whether OCR is installed and could read pages that were not."""
    unread = any(kind in RECOGNISABLE for kind, *_ in head.get("omissions", ()))
    return unread and importlib.util.find_spec("rapidocr") is not None


def _file_text(head: Mapping[str, Any], body: bytes) -> FileText:
    """Put together what `ingest.parse_process.answer` took apart."""
    text_bytes = int(head["text_bytes"])
    return FileText(
        body[:text_bytes].decode("utf-8", "surrogatepass"),
        tuple(head["pages"]),
        head["metadata"],
        tuple(Omission(*one) for one in head["omissions"]),
        body[text_bytes:],
    )


class _Child:
    """A process of `ingest/parse_process.py`, ended with this object at the latest."""

    def __init__(self, limits: FileLimits, bounds: Bounds) -> None:
        self._bounds, self._most_bytes = bounds, 4 * limits.max_characters  # in UTF-8
        stated = [str(os.getpid()), str(bounds.memory_bytes), json.dumps(asdict(limits))]
        self._channel, theirs = socket.socketpair()
        with theirs, tempfile.TemporaryFile() as said:

            def start() -> subprocess.Popen[bytes]:
                return subprocess.Popen(
                    [sys.executable, "-P", "-c", _PROGRAM, str(_ROOT), *stated],
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=said,
                )

            try:
                self._process = _starter.submit(start).result()
            except OSError as error:
                self._channel.close()
                raise ProcessError(f"The process that reads files does not start ({error}).") from error
            theirs.close()
            self.end = weakref.finalize(self, _end, self._process, self._channel)
            self._await_start(said)

    def _await_start(self, said: IO[bytes]) -> None:
        """Wait for the child's first message.

        Args:
            said: what it writes to its standard error.
        """
        self._channel.settimeout(_START_S)
        try:
            receive(lambda count: self._channel.recv(count, socket.MSG_WAITALL), 0)
        except (OSError, EOFError, ValueError, struct.error) as error:
            self.end()
            said.seek(0)
            last = (said.read().decode(errors="replace").strip().splitlines() or ["it says nothing"])[-1]
            raise ProcessError(f"The process that reads files does not start ({last[:300]}).") from error

    @property
    def lives(self) -> bool:
        return self._process.poll() is None

    def ask(
        self, data: bytes, request: dict[str, Any], wanted: Callable[[], bool] | None
    ) -> tuple[dict[str, Any], bytes]:
        """Return the reply about a file, head and body; on any error the child is ended."""
        name = str(request["name"])
        deadline = time.monotonic() + self._bounds.seconds
        try:
            self._channel.settimeout(self._bounds.seconds)
            send(self._channel, request, data)
            self._channel.settimeout(_POLL_S)
            return receive(lambda count: self._read(count, name, deadline, wanted), self._most_bytes)
        except TimeoutError:
            reason = f"took longer than {self._bounds.seconds:g} s to be read (IBID_PARSE_TIMEOUT_S)"
        except (EOFError, ConnectionError, ValueError):
            reason = self._how_it_ended()
        except BaseException:
            self.end()
            raise
        self.end()
        raise UnreadableFile(
            f"{printable(name)} {reason}; it is damaged, inflated or very large. Save it again in its own program, "
            "or split it, and upload that."
        )

    def _read(self, count: int, name: str, deadline: float, wanted: Callable[[], bool] | None) -> bytes:
        received = bytearray()
        while len(received) < count:
            if time.monotonic() > deadline:
                raise TimeoutError
            if wanted is not None and not wanted():
                raise NotFound(f"{name!r} was cancelled or deleted while it was being read.")
            try:
                part = self._channel.recv(min(count - len(received), _PIECE_BYTES))
            except TimeoutError:
                continue
            if not part:
                raise EOFError
            received += part
        return bytes(received)

    def _how_it_ended(self) -> str:
        try:
            code = self._process.wait(_ENDING_S)
        except subprocess.TimeoutExpired:
            code = 0
        if code == OUT_OF_MEMORY:
            return f"needs more than {self._bounds.memory} to be read"
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return f"ended the process that read it ({how}), which may have {self._bounds.memory}"


def _end(process: subprocess.Popen[bytes], channel: socket.socket) -> None:
    channel.close()
    process.kill()
    process.wait()
