"""Answers that a language model writes: each sentence is matched to its evidence, judged, and dropped if unsupported.

A model is told to cite; it is not trusted to. A sentence stands only with evidence that the judge finds to support
it, and whose numbers are the sentence's; a label that does not support it is corrected where another piece does. If
nothing stands, or the model fails, the extractive answer stands in, and the trace says so.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from rag.assemble import SYSTEM
from rag.embed import Embedder
from rag.errors import ModelError
from rag.generate import Extractive, OnPart, ignored
from rag.judge import Judge
from rag.relevance import sentences_of
from rag.sentences import split_sentences
from rag.types import Citation, Context, Draft, Evidence

SUPPORTED_FROM = 0.5  # the judge's probability from which a sentence stands
_LABELS = re.compile(r"\s*\[(\d{1,4}(?:\s*[,;]\s*\d{1,4})*)\]")
_AFTER_END = re.compile(r"([.!?][\"'”’)]*)((?:\s*\[\d{1,4}(?:\s*[,;]\s*\d{1,4})*\])+)")  # "It is. [1]"
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_LIST_MARK = re.compile(r"^\s*(?:[-*•]|\d{1,2}[.)])\s+")
_REFUSES = re.compile(
    r"\b(?:evidence|documents?|context|sources?|passages?)\b[^.]{0,40}\b(?:does|do|did) not\b"
    r"|\bnot (?:stated|mentioned|given)\b|\bno (?:information|evidence|answer)\b"
    r"|\b(?:can(?:no|')t|unable to|not able to) (?:be )?(?:answer|find|determine)",
    re.IGNORECASE,
)


class LanguageModel(Protocol):
    """Continues a conversation. Safe for several threads."""

    name: str

    def complete(self, system: str, prompt: str, on_part: OnPart) -> str:
        """Return what the model writes.

        Args:
            system: the same for every question, so that what is computed for it can be kept.
            on_part: called with each piece of the text as it comes.

        Raises:
            ModelError: if the model fails; the message says what to do.
        """

    def count_tokens(self, text: str) -> int:
        """Return the length of a text in the model's own tokens, or an estimate from above."""


@dataclass(frozen=True, slots=True)
class _Judged:
    """A sentence of the model's that stands, with the pieces of evidence that support it."""

    text: str
    support: float
    evidence: tuple[Evidence, ...]


class Writer:
    """Answers with a language model, within what the evidence supports. Safe for several threads."""

    def __init__(
        self, model: LanguageModel, judge: Judge, embedder: Embedder, extractive: Extractive
    ) -> None:
        self._model, self._judge, self._embedder, self._extractive = model, judge, embedder, extractive

    def count_tokens(self, text: str) -> int:
        return self._model.count_tokens(text)

    def generate(self, context: Context, on_part: OnPart = ignored) -> Draft:
        if not context.evidence:
            return self._extractive.generate(context)
        asked = context.prompt.removeprefix(SYSTEM).lstrip("\n")
        try:
            said = self._model.complete(SYSTEM, asked, on_part)
        except ModelError as error:
            return self._instead(context, f"{self._model.name} failed: {error}")
        sentences = split_answer(said)
        if not sentences:
            return self._instead(context, f"{self._model.name} wrote nothing.")
        if _REFUSES.search(sentences[0][0]):
            return Draft("", (), 0.0, f"{self._model.name} finds no answer in the evidence.")
        judged = self._judged(sentences, context.evidence)
        kept = [one for one in judged if one is not None]
        if not kept:
            what = f"Nothing that {self._model.name} wrote is supported by the evidence"
            return self._instead(context, f"{what}: {sentences[0][0][:200]}")
        dropped = [text for (text, _), one in zip(sentences, judged, strict=True) if one is None]
        notes = tuple(f"Dropped, for no evidence supports it: {text}" for text in dropped)
        sure = float(np.mean([one.support for one in kept])) * len(kept) / len(sentences)
        text, citations = self._compose(kept)
        return Draft(text, citations, sure, verbatim=False, notes=notes)

    def _instead(self, context: Context, why: str) -> Draft:
        draft = self._extractive.generate(context)
        return replace(draft, notes=(f"{why.rstrip('.')}. The extractive answer stands in.",))

    def _judged(
        self, sentences: Sequence[tuple[str, tuple[int, ...]]], evidence: Sequence[Evidence]
    ) -> list[_Judged | None]:
        """Judge every sentence against every piece; of those that support it the cited ones count first."""
        pairs = [(piece.shown, text) for text, _ in sentences for piece in evidence]
        support = np.asarray(self._judge.support(pairs)).reshape(len(sentences), len(evidence))
        found: list[_Judged | None] = []
        for (text, labels), chances in zip(sentences, support, strict=True):
            standing = [
                (float(chance), piece)
                for chance, piece in zip(chances, evidence, strict=True)
                if chance >= SUPPORTED_FROM and has_its_numbers(text, piece.shown)
            ]
            cited = [one for one in standing if one[1].label in labels]
            best = cited or sorted(standing, key=lambda one: -one[0])[:1]
            found.append(
                _Judged(text, max(one[0] for one in best), tuple(one[1] for one in best)) if best else None
            )
        return found

    def _compose(self, kept: Sequence[_Judged]) -> tuple[str, tuple[Citation, ...]]:
        text, citations = "", list[Citation]()
        for one in kept:
            start = len(text)
            citations += [self._cite(one.text, piece, start) for piece in one.evidence]
            text += one.text + "".join(f" [{piece.label}]" for piece in one.evidence) + " "
        return text.rstrip(), tuple(citations)

    def _cite(self, said: str, piece: Evidence, at: int) -> Citation:
        """Cite the sentence of a piece of evidence that comes nearest to what is said."""
        hit, sentences = piece.hit, list(sentences_of(piece))
        start, end, quote = hit.start, hit.end, hit.text
        if sentences:
            vectors = self._embedder.encode([said, *(one.text for one in sentences)])
            best = sentences[int(np.argmax(vectors[1:] @ vectors[0]))]
            start, end, quote = best.start, best.end, best.text
        return Citation(
            answer_start=at,
            answer_end=at + len(said),
            label=piece.label,
            document=hit.chunk.document,
            version=hit.chunk.version,
            page=hit.page,
            start=start,
            end=end,
            quote=quote,
            verified=False,
        )


def split_answer(text: str) -> list[tuple[str, tuple[int, ...]]]:
    """Return the sentences of a model's answer, without their labels, each with the labels it cites.

    "It is lit. [1] Ada lights it [2, 3]."  -> ("It is lit.", (1,)), ("Ada lights it.", (2, 3))
    """
    sentences = []
    for line in text.splitlines():
        moved = _AFTER_END.sub(lambda found: f"{found[2]}{found[1]}", _LIST_MARK.sub("", line))
        for start, end in split_sentences(moved):
            sentence = moved[start:end]
            labels = [int(n) for found in _LABELS.finditer(sentence) for n in re.findall(r"\d+", found[1])]
            plain = _LABELS.sub("", sentence).strip()
            if re.search(r"[^\W_]", plain):
                sentences.append((plain, tuple(dict.fromkeys(labels))))
    return sentences


def has_its_numbers(sentence: str, evidence: str) -> bool:
    """Tell whether every number of a sentence stands in the evidence: judges overlook a digit."""
    held = {number.replace(",", "") for number in _NUMBER.findall(evidence)}
    return all(number.replace(",", "") in held for number in _NUMBER.findall(sentence))
