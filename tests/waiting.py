"""Waiting for what is to happen: an event or a condition, never a time."""

import time
from collections.abc import Callable

# Whoever waits so long waits for ever; nothing usual takes a tenth of it
HANG_S = 240


def wait_until(holds: Callable[[], object]) -> None:
    """Wait for a condition, or fail where it never holds."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < HANG_S, "it never happened"
        time.sleep(0.02)
