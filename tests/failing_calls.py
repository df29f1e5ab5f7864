"""Let the k-th write, flush or rename of a process fail, or kill it there (Linux, seccomp's notifications).

A filter in the child stops it before each such call, including SQLite's own, and asks this process, which lets the call
proceed, answers it with an error as a disk would, or kills the child.
"""

import ctypes
import errno
import fcntl
import os
import platform
import select
import signal
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass

KILL = 0  # instead of an error number
ERRORS = {"ENOSPC": errno.ENOSPC, "EIO": errno.EIO, "kill": KILL}
_X86 = {
    "write": 1, "pwrite64": 18, "writev": 20, "fsync": 74, "fdatasync": 75, "ftruncate": 77, "rename": 82,
    "renameat": 264, "renameat2": 316, "pwritev": 296, "sendfile": 40, "copy_file_range": 326,
}  # fmt: skip
_ARM = {
    "write": 64, "pwrite64": 68, "writev": 66, "fsync": 82, "fdatasync": 83, "ftruncate": 46,
    "renameat": 38, "renameat2": 276, "pwritev": 70, "sendfile": 71, "copy_file_range": 285,
}  # fmt: skip
_MACHINES = {"x86_64": (0xC000003E, _X86, 317), "aarch64": (0xC00000B7, _ARM, 277)}
_ARCHITECTURE, CALLS, _SECCOMP = _MACHINES.get(platform.machine(), (0, {}, 0))
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06  # of the filter's machine
_ALLOW, _ASK = 0x7FFF0000, 0x7FC00000
_NO_NEW_PRIVILEGES, _FILTER, _NEW_LISTENER = 38, 1, 8
_RECEIVE, _SEND = 0xC0502100, 0xC0182101
_GO_ON = 1
WAIT_MS = 20_000


@dataclass(frozen=True)
class Ended:
    """How a child ended: its message and its calls up to the failing one."""

    said: str  # "" when it was killed
    calls: list[str]
    struck: bool  # whether it reached the call that was to fail


def attempt(act: Callable[[], str], fail_at: int, error: int) -> Ended:
    """Run `act` in a fork of this process, its call number `fail_at` (from 1) failing; return what it returned."""
    here, there = socket.socketpair()
    child = os.fork()
    if child == 0:
        here.close()
        _run(act, there)
    there.close()
    with here:
        _, [listener], _, _ = socket.recv_fds(here, 1, 1)
        calls = _answer(listener, child, fail_at, error)
        os.close(listener)
        said = b"".join(iter(lambda: here.recv(65536), b"")).decode()
    os.waitpid(child, 0)
    return Ended(said, calls, len(calls) >= fail_at)


def _run(act: Callable[[], str], parent: socket.socket) -> None:
    """In the child: install the filter, act, and report the outcome; never returns."""
    listener = _install()
    socket.send_fds(parent, [b"."], [listener])
    os.close(listener)
    try:
        said = act()
    except BaseException as raised:  # whatever it is, the test sees it
        said = f"{type(raised).__name__}: {raised}"
    parent.send(said.encode())
    os._exit(0)


def _install() -> int:
    """Install the filter in this thread and return the descriptor on which it asks."""
    library = ctypes.CDLL(None, use_errno=True)
    numbers = list(CALLS.values())
    program = [
        (_LOAD, 0, 0, 4),
        (_JUMP_IF_EQUAL, 1, 0, _ARCHITECTURE),
        (_RETURN, 0, 0, _ALLOW),
        (_LOAD, 0, 0, 0),
    ]
    program += [(_JUMP_IF_EQUAL, len(numbers) - place, 0, number) for place, number in enumerate(numbers)]
    program += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _ASK)]
    encoded = b"".join(struct.pack("HBBI", *step) for step in program)
    described = struct.pack(
        "HxxxxxxQ", len(program), ctypes.addressof(kept := ctypes.create_string_buffer(encoded))
    )
    assert library.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0
    listener = int(library.syscall(_SECCOMP, _FILTER, _NEW_LISTENER, described))
    assert listener >= 0, os.strerror(ctypes.get_errno())
    del kept
    return listener


def _answer(listener: int, child: int, fail_at: int, error: int) -> list[str]:
    """Answer the child's calls until it has ended; return their names."""
    names = {number: name for name, number in CALLS.items()}
    calls: list[str] = []
    waiting = select.poll()
    waiting.register(listener, select.POLLIN)
    while True:
        [(_, event)] = waiting.poll(WAIT_MS)
        if not event & select.POLLIN:  # hung up: no process has the filter any more
            return calls
        asked = bytearray(80)
        fcntl.ioctl(listener, _RECEIVE, asked)
        identity, _, _, number = struct.unpack_from("QIIi", asked)
        calls.append(names[number])
        fails = len(calls) == fail_at
        if fails and error == KILL:
            os.kill(child, signal.SIGKILL)
            continue
        answer = struct.pack("QqiI", identity, 0, -error if fails else 0, 0 if fails else _GO_ON)
        fcntl.ioctl(listener, _SEND, bytearray(answer))
