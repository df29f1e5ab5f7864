"""Waiting for an event or a condition, never for a time."""

import time
from collections.abc import Callable

# A wait of this length is a hang; nothing normal takes a tenth of it
HANG_S = 240


def wait_until(holds: Callable[[], object]) -> None:
    """Wait for a condition, or fail if it never becomes true."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < HANG_S, "it never happened"
        time.sleep(0.02)
