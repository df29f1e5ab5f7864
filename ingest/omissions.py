"""Say what readers did not take of a file."""

from __future__ import annotations

from collections.abc import Iterable

from rag.types import Omission

# Places that a message names; of more it gives the number.
MOST_PLACES = 4


def omissions_text(omissions: Iterable[Omission]) -> str:
    """Return what is missing, such as `read in part: 2 pages without text (page 2, page 5), 1 chart (slide 3)`.

    Kinds keep their order. Returns "" if nothing is missing.
    """
    places: dict[str, list[str]] = {}
    counts: dict[str, int] = {}
    for one in omissions:
        counts[one.kind] = counts.get(one.kind, 0) + one.count
        if one.place and one.place not in places.setdefault(one.kind, []):
            places[one.kind].append(one.place)
    if not counts:
        return ""
    return "read in part: " + ", ".join(
        f"{count:,} {_plural(kind) if count > 1 else kind}{_shown(places.get(kind, []))}"
        for kind, count in counts.items()
    )


def _shown(places: list[str]) -> str:
    if not places:
        return ""
    more = len(places) - MOST_PLACES
    return f" ({', '.join(places[:MOST_PLACES])}{f' and {more:,} more places' if more > 0 else ''})"


def _plural(kind: str) -> str:
    """Put the first noun of a kind into the plural: "page without text" becomes "pages without text"."""
    for word in (" without ", " of ", " in ", " with ", " that ", " from ", " as ", " beyond ", " repaired "):
        if word in kind:
            noun, rest = kind.split(word, 1)
            return f"{_plural(noun)}{word}{rest}"
    if kind.endswith(("s", "x", "ch", "sh")):
        return f"{kind}es"
    return f"{kind[:-1]}ies" if kind.endswith("y") and kind[-2:-1] not in "aeiou" else f"{kind}s"
