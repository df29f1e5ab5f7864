"""Collect what a reader saw in a file and did not take."""

from collections import Counter

from ingest.formats.file_text import Omission


class Notices:
    """What was not taken, counted by its kind and place, in the order in which it was seen."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()

    def note(self, kind: str, place: str, count: int = 1) -> None:
        """Count something that is not taken."""
        self._counts[kind, place] += count

    def omissions(self) -> tuple[Omission, ...]:
        """Return what was noted."""
        return tuple(Omission(kind, place, count) for (kind, place), count in self._counts.items() if count)
