"""What makes an answer of a context, and what a language model has to offer for it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Protocol

from rag.types import Context, Draft

# A citation's label, as it stands in an answer.
LABEL = re.compile(r" ?\[\d{1,4}\]")
# Called with each piece of text as it is written; what it raises ends the writing.
OnPart = Callable[[str], None]


def ignored(part: str) -> None:
    """Take a piece of text and do nothing with it."""


class Generator(Protocol):
    """Makes a draft from a context; counts tokens as its own model does."""

    @property
    def writes(self) -> bool:
        """Whether a language model writes: it reads what is remembered, and documents whole."""

    def generate(self, context: Context, on_part: OnPart = ignored) -> Draft:
        """Answer from the context's evidence, or return a draft without text and with the reason.

        Args:
            on_part: called with each piece of text as it is written, before it is checked: not to be shown.
        """

    def count_tokens(self, text: str) -> int:
        """Return the length of a text in the generator's tokens."""


class LanguageModel(Protocol):
    """Continues a conversation. Safe for several threads."""

    name: str

    def complete(self, system: str, prompt: str, on_part: OnPart) -> str:
        """Return what the model writes; a last sentence that its limit of tokens cut off is left out.

        Args:
            system: the same for every question, so that what is computed for it can be kept.
            on_part: called with each piece of the text as it comes.

        Raises:
            ModelError: if the model fails; the message says what to do.
        """

    def count_tokens(self, text: str) -> int:
        """Return the length of a text in the model's own tokens, or an estimate from above."""


def whole_sentences(text: str) -> str:
    """Return a text that was cut off up to the end of its last whole sentence; "" where it has none."""
    ends = [found.end() for found in re.finditer(r"[.!?][\"'”’)]*(?:\s*\[[\d,; ]+\])*(?=\s|$)", text)]
    return text[: ends[-1]] if ends else ""
