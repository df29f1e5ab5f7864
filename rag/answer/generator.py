"""The interfaces of a generator of answers and of a language model."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Protocol

from rag.types import Context, Draft

# A citation's label, as it appears in an answer.
LABEL = re.compile(r" ?\[\d{1,4}\]")
# Called with each piece of text as it is written; an exception from it ends the writing.
OnPart = Callable[[str], None]


def ignored(part: str) -> None:
    """Ignore a piece of text."""


class Generator(Protocol):
    """Writes a draft from a context; counts tokens as its own model does."""

    @property
    def writes(self) -> bool:
        """Whether a language model writes: it is given the memory, and whole documents."""

    def generate(self, context: Context, on_part: OnPart = ignored) -> Draft:
        """Answer from the context's evidence, or return a draft without text that states the reason.

        Args:
            on_part: called with each piece of text as it is written; it is unchecked and must not be shown.
        """

    def count_tokens(self, text: str) -> int:
        """Return the length of a text in the generator's tokens."""


class LanguageModel(Protocol):
    """Continues a conversation. Safe for several threads."""

    name: str

    def complete(self, system: str, prompt: str, on_part: OnPart) -> str:
        """Return what the model writes, without a last sentence that the token limit cut off.

        Args:
            system: the same for every question, so its computation can be cached.
            on_part: called with each piece of the text as it arrives.

        Raises:
            ModelError: if the model fails; the message says what to do.
        """

    def count_tokens(self, text: str) -> int:
        """Return the length of a text in the model's own tokens, or an estimate from above."""


def whole_sentences(text: str) -> str:
    """Return a truncated text up to the end of its last complete sentence, or "" if it has none."""
    ends = [found.end() for found in re.finditer(r"[.!?][\"'”’)]*(?:\s*\[[\d,; ]+\])*(?=\s|$)", text)]
    return text[: ends[-1]] if ends else ""
