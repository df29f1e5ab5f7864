"""Rewrite a question so that it stands alone, without the turns before it. There is no memory yet."""

from __future__ import annotations

from collections.abc import Sequence


def rewrite(question: str, history: Sequence[str] = ()) -> str:
    """Return the question as it is: one without earlier turns stands alone already.

    Args:
        history: earlier questions, oldest first; not read until there is a memory that keeps them.
    """
    return question
