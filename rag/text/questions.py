"""What a question asks for: several things, the steps of a procedure."""

from __future__ import annotations

import re

# Excludes bus, class and basis.
_PLURAL = r"[\w-]+(?<![ius])s"
_SEVERAL = re.compile(
    rf"\b(which|what)\b(\s+[\w-]+){{0,2}}?\s+{_PLURAL}(\s+[\w-]+){{0,4}}?\s+(are|were|do|did|have|can|may|must)\b"
    r"|\bwho\s+(are|were)\b|^\s*(please\s+)?(list|name (all|the|two|three|four|five))\b|\bnames of\b",
    re.IGNORECASE,
)
_STEPS = re.compile(
    r"\bhow (?:do|does|can|could|should|must|would) (?:i|we|you|one|somebody|someone)\b|\bhow to\b"
    r"|\bsteps?\b|\bprocedure\b|\binstructions\b|\bwhat (?:should|must|do|can|has|have) (?:i|we|you|one)\b",
    re.IGNORECASE,
)


def asks_several(question: str) -> bool:
    """Return whether a question asks for several things."""
    return _SEVERAL.search(question) is not None


def asks_for_list(question: str) -> bool:
    """Return whether a list answers a question as a whole: several things are asked for, or how to do something."""
    return asks_several(question) or _STEPS.search(question) is not None
