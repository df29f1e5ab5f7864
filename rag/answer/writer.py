"""Answers that a language model writes: each sentence is matched to its evidence, judged, and dropped if unsupported.

A model is told to cite but not trusted to. A sentence is kept only if the judge finds that evidence supports it and the
evidence contains its numbers; a label that does not support it is corrected if another piece does. If no sentence is
kept, or the model fails, the extractive answer replaces it, and the trace says so.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from rag.answer.extractive import Extractive
from rag.answer.generator import LanguageModel, OnPart, ignored
from rag.answer.prompts import MEMORY_TEMPLATE, SUMMARIZE, unfenced
from rag.answer.sentences import sentences_of
from rag.errors import ModelError
from rag.models.embed import Embedder
from rag.models.judge import Judge
from rag.text.injection import sign_of_injection
from rag.text.sentences import split_sentences
from rag.text.tables import spelled_hit
from rag.text.words import question_terms, text_terms
from rag.types import Citation, Context, Draft, Evidence

# A sentence is kept from this probability of the judge on.
SUPPORTED_FROM = 0.5
# The same for a sentence with a word that is not in the evidence: judges miss that "petrol" is not "whale
# oil".
SURER_FROM = 0.7
# Most sentences of a written answer; the rest is dropped unjudged.
MOST_SENTENCES = 20
_LABELS = re.compile(r"\s*\[(\d{1,4}(?:\s*[,;]\s*\d{1,4})*)\]")
_AFTER_END = re.compile(r"([.!?][\"'”’)]*)((?:\s*\[\d{1,4}(?:\s*[,;]\s*\d{1,4})*\])+)")  # "It is. [1]"
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_LIST_MARK = re.compile(r"^\s*(?:[-*•]|\d{1,2}[.)])\s+")
_THOUGHTS = re.compile(  # some templates open the thoughts in the prompt
    r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)|\A(?:(?!<think).)*?</think(?:ing)?>",
    re.DOTALL | re.IGNORECASE,
)
_REFUSES = re.compile(
    r"\b(?:evidence|documents?|context|sources?|passages?)\b[^.]{0,40}\b(?:does|do|did) not\b"
    r"|\bnot (?:stated|mentioned|given)\b|\bno (?:information|evidence|answer|mention)\b"
    r"|\b(?:can(?:no|')t|unable to|not able to) (?:be )?(?:answer|find|determine)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class _JudgedSentence:
    """A sentence of the model that is kept, with the pieces of evidence that support it."""

    text: str
    support: float
    evidence: tuple[Evidence, ...]


class Writer:
    """Answers with a language model, as far as the evidence supports it. Safe for several threads."""

    writes = True

    def __init__(
        self, model: LanguageModel, judge: Judge, embedder: Embedder, extractive: Extractive
    ) -> None:
        self._model, self._judge, self._embedder, self._extractive = model, judge, embedder, extractive

    def over(self, embedder: Embedder) -> Writer:
        """Return the same generator with another embedding model."""
        return Writer(self._model, self._judge, embedder, self._extractive.over(embedder))

    def count_tokens(self, text: str) -> int:
        return self._model.count_tokens(text)

    def generate(self, context: Context, on_part: OnPart = ignored) -> Draft:
        if not context.evidence:
            return self._extractive.generate(context)
        system, asked = context.prompt.split("\n", 1)
        try:
            said = self._model.complete(system, asked, on_part)
        except ModelError as error:
            return self._instead(context, f"{self._model.name} failed: {error}")
        sentences = split_answer(said)
        if not sentences:
            return self._instead(context, f"{self._model.name} wrote nothing.")
        judged = self._judged(sentences[:MOST_SENTENCES], context.evidence)
        judged += [None] * (len(sentences) - len(judged))
        kept = [one for one in judged if one is not None]
        if not kept and any(_REFUSES.search(text) for text, _ in sentences):
            return Draft("", (), 0.0, f"{self._model.name} finds no answer in the evidence.")
        if not kept:
            what = f"Nothing that {self._model.name} wrote is supported by the evidence"
            return self._instead(context, f"{what}: {sentences[0][0][:200]}")
        dropped = [text for (text, _), one in zip(sentences, judged, strict=True) if one is None]
        notes = tuple(f"Dropped, for no evidence supports it: {text}" for text in dropped)
        sure = float(np.mean([one.support for one in kept])) * len(kept) / len(sentences)
        text, citations = self._compose(kept)
        return Draft(text, citations, sure, verbatim=False, notes=notes)

    def summarize(self, exchange: str) -> str:
        """Return the sentences of the model's summary that the exchange supports; "" if none."""
        exchange = without_instructions(exchange)
        try:
            said = self._model.complete(SUMMARIZE, MEMORY_TEMPLATE.format(said=unfenced(exchange)), ignored)
        except ModelError:
            return ""
        written = [text for text, _ in split_answer(said)][:MOST_SENTENCES]
        chances = self._judge.support([(exchange, text) for text in written])
        return " ".join(
            text
            for text, chance in zip(written, chances, strict=True)
            if stands(float(chance), text, exchange)
        )

    def _instead(self, context: Context, why: str) -> Draft:
        draft = self._extractive.generate(context)
        return replace(draft, notes=(f"{why.rstrip('.')}. The extractive answer stands in.",))

    def _judged(
        self, sentences: Sequence[tuple[str, tuple[int, ...]]], evidence: Sequence[Evidence]
    ) -> list[_JudgedSentence | None]:
        """Judge every sentence against the pieces that it cites and, if none supports it, against the others."""
        texts = {piece.label: without_instructions(_read(piece)) for piece in evidence}
        wanted = [{label for label in labels if label in texts} for _, labels in sentences]
        cited = self._supporting(sentences, evidence, texts, wanted)
        others = [set() if found else texts.keys() - own for found, own in zip(cited, wanted, strict=True)]
        second = self._supporting(sentences, evidence, texts, others)
        judged: list[_JudgedSentence | None] = []
        for (text, _), first, rest in zip(sentences, cited, second, strict=True):
            found = first or sorted(rest, key=lambda one: -one[0])[:1]
            pieces = tuple(piece for _, piece in found)
            judged.append(
                _JudgedSentence(text, max(chance for chance, _ in found), pieces) if found else None
            )
        return judged

    def _supporting(
        self,
        sentences: Sequence[tuple[str, tuple[int, ...]]],
        evidence: Sequence[Evidence],
        texts: dict[int, str],
        wanted: Sequence[Collection[int]],
    ) -> list[list[tuple[float, Evidence]]]:
        """Return for each sentence the wanted pieces that support it, with the probability."""
        pairs = [
            (number, piece)
            for number, labels in enumerate(wanted)
            for piece in evidence
            if piece.label in labels
        ]
        chances = self._judge.support([(texts[piece.label], sentences[n][0]) for n, piece in pairs])
        found: list[list[tuple[float, Evidence]]] = [[] for _ in sentences]
        for (number, piece), chance in zip(pairs, chances, strict=True):
            if stands(float(chance), sentences[number][0], texts[piece.label]):
                found[number].append((float(chance), piece))
        return found

    def _compose(self, kept: Sequence[_JudgedSentence]) -> tuple[str, tuple[Citation, ...]]:
        text, citations = "", list[Citation]()
        for one in kept:
            start = len(text)
            citations += [self._cite(one.text, piece, start) for piece in one.evidence]
            text += one.text + "".join(f" [{piece.label}]" for piece in one.evidence) + " "
        return text.rstrip(), tuple(citations)

    def _cite(self, said: str, piece: Evidence, at: int) -> Citation:
        """Cite the evidence sentence nearest to the statement if it alone supports the statement, else the whole
        piece."""
        hit = piece.hit
        start, end, quote = hit.start, hit.end, hit.text
        sentences = [one for one in sentences_of(piece) if not sign_of_injection(one.text, strong=True)]
        if sentences:
            vectors = self._embedder.encode([said, *(one.spelled for one in sentences)])
            best = sentences[int(np.argmax(vectors[1:] @ vectors[0]))]
            if stands(float(self._judge.support([(best.spelled, said)])[0]), said, best.spelled):
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


def _read(piece: Evidence) -> str:
    """Return what the model read of a piece of evidence."""
    return piece.shown if piece.kept else spelled_hit(piece.hit)[0]


def split_answer(text: str) -> list[tuple[str, tuple[int, ...]]]:
    """Return the sentences of a model's answer, without its thoughts and labels, each with the labels it cites.

    "It is lit. [1] Ada lights it [2, 3]."  -> ("It is lit.", (1,)), ("Ada lights it.", (2, 3))
    """
    sentences = []
    for line in _THOUGHTS.sub("", text).splitlines():
        moved = _AFTER_END.sub(lambda found: f"{found[2]}{found[1]}", _LIST_MARK.sub("", line))
        for start, end in split_sentences(moved):
            sentence = moved[start:end]
            labels = [int(n) for found in _LABELS.finditer(sentence) for n in re.findall(r"\d+", found[1])]
            plain = _LABELS.sub("", sentence).strip()
            if re.search(r"[^\W_]", plain):
                sentences.append((plain, tuple(dict.fromkeys(labels))))
    return sentences


def stands(chance: float, sentence: str, evidence: str) -> bool:
    """Return whether this evidence is enough to show a sentence.

    Args:
        chance: the judge's probability that the evidence supports it.
    """
    new = set(question_terms(sentence)) - set(text_terms(evidence))
    return chance >= (SURER_FROM if new else SUPPORTED_FROM) and has_its_numbers(sentence, evidence)


def has_its_numbers(sentence: str, evidence: str) -> bool:
    """Return whether every number of a sentence is in the evidence: judges overlook a digit."""
    held = set(_NUMBER.findall(_THOUSANDS.sub("", evidence)))
    return all(number in held for number in _NUMBER.findall(_THOUSANDS.sub("", sentence)))


def without_instructions(text: str) -> str:
    """Return a text without the sentences that address a model: they support nothing."""
    parts = [text[start:end] for start, end in split_sentences(text)]
    return "".join(part for part in parts if not sign_of_injection(part, strong=True))
