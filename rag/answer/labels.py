"""Number the sources of an answer: [1] is the document cited first, and a document has one number."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from rag.types import Citation

_LABELS = re.compile(r"(?:[ \t]*\[(\d{1,4})\])+")
_LABEL = re.compile(r"\[(\d{1,4})\]")


class Sources:
    """The numbers of documents in order of first use."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, int], int] = {}

    def number(self, citation: Citation) -> int:
        """Return the number of a citation's document."""
        source = citation.document, citation.version
        return self._numbers.setdefault(source, len(self._numbers) + 1)

    def renumber(self, text: str, citations: Sequence[Citation]) -> tuple[str, tuple[Citation, ...]]:
        """Return a text whose labels name evidence with labels that name sources, and its citations moved along.

        Args:
            citations: their labels are those in the text; their ranges may nest, but labels stand outside them.
        """
        numbers = {one.label: self.number(one) for one in sorted(citations, key=lambda one: one.answer_start)}
        made, moved, read = "", dict[int, int](), 0
        inside = sorted({(one.answer_start, one.answer_end) for one in citations})
        for found in _LABELS.finditer(text):
            if any(start <= found.start() < end for start, end in inside):
                continue  # the words of a quote
            labels = [int(label) for label in _LABEL.findall(found[0])]
            if any(label not in numbers for label in labels):
                continue
            moved |= {at: at - read + len(made) for at in range(read, found.start() + 1)}
            made += text[read : found.start()]
            made += "".join(f" [{n}]" for n in dict.fromkeys(numbers[label] for label in labels))
            read = found.end()
        moved |= {at: at - read + len(made) for at in range(read, len(text) + 1)}
        made += text[read:]
        return made, tuple(
            replace(
                one,
                label=self.number(one),
                answer_start=moved[one.answer_start],
                answer_end=moved[one.answer_end],
            )
            for one in citations
        )
