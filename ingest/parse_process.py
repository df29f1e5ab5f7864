"""The process in which files are parsed: a file comes in through a socket, its text goes out.

The operating system enforces the bound on memory, the caller the one on time. The process imports little and starts
in a tenth of a second; a format's library is imported with the first file of that format.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import signal
import socket
import struct
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any

from ingest.formats.file_text import FileLimits, ScannedPdf
from ingest.load import load
from rag.errors import NotFound, UnreadableFile
from rag.types import MarkBox

OUT_OF_MEMORY = 3  # the exit code of a process whose file needed more than it may have
_SIZES = struct.Struct(">IQ")  # bytes of the head, which is JSON, and of the body
_MOST_HEAD_BYTES = 50_000_000
_NICENESS = 10  # questions are answered first
_LARGE_SHARE = 0.4  # of the memory: the next doubling of a buffer would exceed it
# A process that grew beyond this is not used again: it would not give the memory back.
_SPENT_BYTES = 150_000_000
_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG


def main() -> None:
    """Answer requests on standard input, a socket, until that is closed.

    `sys.argv[2:]` holds the caller's process number, the most bytes of memory, and the limits as JSON.
    """
    parent, memory_bytes, limits = int(sys.argv[2]), int(sys.argv[3]), FileLimits(**json.loads(sys.argv[4]))
    _end_with(parent)
    os.nice(_NICENESS)
    _limit_memory(memory_bytes)
    channel = socket.socket(fileno=0)
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)  # nobody reads the warnings of libraries
        send(channel, {}, b"")  # it has started
        while True:
            head, data = receive(lambda count: _exactly(channel, count), limits.max_file_bytes)
            if "render" in head:
                send(channel, *picture(data, **head["render"]))
            else:
                send(channel, *answer(data, str(head["name"]), limits, memory_bytes))
    except MemoryError:
        os._exit(OUT_OF_MEMORY)  # nothing more may be allocated
    except (EOFError, ConnectionError):
        return  # the caller has ended


def answer(data: bytes, name: str, limits: FileLimits, memory_bytes: int) -> tuple[dict[str, Any], bytes]:
    """Return what to reply about a file: a head, and its text in UTF-8 followed by its boxes.

    The head has "spent" (whether to use this process no more), and the other fields of `FileText` with "text_bytes",
    or else "error"; with "scanned", whether OCR could read the file, and "grew": libraries report damage when memory
    runs out.
    """
    try:
        loaded = load(data, name, limits=limits)
    except UnreadableFile as error:
        grew = _peak_bytes() > memory_bytes * _LARGE_SHARE
        return {
            "error": str(error),
            "scanned": isinstance(error, ScannedPdf),
            "grew": grew,
            "spent": grew,
        }, b""
    text = loaded.text.encode("utf-8", "surrogatepass")
    head = {
        "pages": loaded.pages,
        "metadata": dict(loaded.metadata),
        "omissions": [astuple(one) for one in loaded.omissions],
        "text_bytes": len(text),
        "spent": _peak_bytes() > _SPENT_BYTES,
    }
    return head, text + loaded.boxes


def picture(
    data: bytes, page: int, boxes: Sequence[Sequence[float]], scale: float
) -> tuple[dict[str, Any], bytes]:
    """Return what to reply about a page of a PDF: a head, and the page as PNG.

    The head has "spent", and where it cannot be shown "error", with "missing" if there is no such page.
    """
    from ingest.formats.pdf.render import render_page

    spent = {"spent": _peak_bytes() > _SPENT_BYTES}
    try:
        marks = [MarkBox(int(number), *edges) for number, *edges in boxes]
        return spent, render_page(data, page, marks, scale)
    except (NotFound, UnreadableFile) as error:
        return {**spent, "error": str(error), "missing": isinstance(error, NotFound)}, b""


def send(channel: socket.socket, head: Mapping[str, Any], body: bytes) -> None:
    """Send a message: its sizes, its head as JSON, its body."""
    encoded = json.dumps(dict(head)).encode()
    channel.sendall(_SIZES.pack(len(encoded), len(body)) + encoded)
    channel.sendall(body)


def receive(read: Callable[[int], bytes], most_body_bytes: int) -> tuple[dict[str, Any], bytes]:
    """Receive a message as `send` sends it.

    Args:
        read: returns exactly so many bytes.

    Raises:
        ValueError: if it is not such a message, or too large: a file may have taken the other process over.
    """
    head_bytes, body_bytes = _SIZES.unpack(read(_SIZES.size))
    if head_bytes > _MOST_HEAD_BYTES or body_bytes > most_body_bytes:
        raise ValueError(f"a message of {head_bytes:,} + {body_bytes:,} bytes")
    head = json.loads(read(head_bytes))
    return head, read(body_bytes)


def _exactly(channel: socket.socket, count: int) -> bytes:
    received = bytearray(count)
    view = memoryview(received)
    while view:
        taken = channel.recv_into(view)
        if not taken:
            raise EOFError
        view = view[taken:]
    return bytes(received)


def _end_with(parent: int) -> None:
    """Let the kernel end this process when the caller ends; elsewhere it ends after the current file."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before that call
        os._exit(0)


def _limit_memory(memory_bytes: int) -> None:
    import resource

    os.putenv("OPENBLAS_NUM_THREADS", "1")  # numpy, which openpyxl imports, takes memory for each
    # PDFium aborts when memory runs out; no core dump of that.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    allowed = memory_bytes if hard == resource.RLIM_INFINITY else min(memory_bytes, hard)
    resource.setrlimit(resource.RLIMIT_AS, (allowed, hard))


def _peak_bytes() -> int:
    """Return the most memory that this process has held; 0 where the system does not say."""
    try:
        status = Path("/proc/self/status").read_text()  # getrusage counts the caller's own memory too
    except OSError:
        return 0
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) * 1024 if found else 0
