"""Make pairs of statement and evidence from the reading sets: passages, and questions with their answers.

A question with its answer becomes a statement that is true for its own passage. False pairs are the statement with
another answer, or altered, or extended by a second one that the evidence does not support, and the true statement with
evidence that lacks its supporting sentence.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from urllib.parse import unquote

from eval.datasets import records
from rag.models.runtime import trunk_tokenizer
from rag.text.sentences import split_sentences
from training.statements import NAME, SMALL, WORD, alter, declare, join

# Tokens of statement and evidence together.
WINDOW = 236
# Most of them for the statement.
STATEMENT = 96
READING = ("squad-train", "squadshifts-wiki", "squadshifts-amazon", "fairytaleqa-train", "policyqa-train")
KINDS = {  # weights of the kinds of passage pairs
    "answered": 32,
    "sentence": 11,
    "both": 7,
    "other answer": 14,
    "other passage": 9,
    "sentence missing": 10,
    "altered": 11,
    "stretched": 6,
}
SUPPORTED = ("answered", "sentence", "both")
# Statement, evidence, supported.
Pair = tuple[str, str, bool]


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage of the reading sets with the questions asked of it."""

    title: str
    sentences: tuple[str, ...]
    asked: list[tuple[str, tuple[str, ...], int]] = field(default_factory=list)  # its answers, a sentence


Passages = dict[tuple[str, str], list[Passage]]  # by set and document


def for_calibration(text: str) -> bool:
    """Return whether a premise or passage is in the twentieth that only calibration sees."""
    return bucket(text) % 20 == 3


def passage_pairs(passages: Passages, count: int, rng: random.Random, *, calibration: bool) -> list[Pair]:
    """Make pairs from passages drawn at random, by the weights of KINDS."""
    pool = [
        (key, passage)
        for key, found in passages.items()
        for passage in found
        if for_calibration(" ".join(passage.sentences)) == calibration
        # Encyclopaedias teach more than tales and reviews.
        for _ in passage.asked[: 4 if passage.title else 1]
    ]
    pairs: list[Pair] = []
    while len(pairs) < count:
        key, passage = rng.choice(pool)
        kind = rng.choices(list(KINDS), list(KINDS.values()))[0]
        others = [one for one in passages[key] if one is not passage]
        if len(others) < 2:
            others += [rng.choice(passages[rng.choice(_keys(passages, key[0]))]) for _ in "12"]
        pair = passage_pair(kind, passage, rng.sample(others, min(12, len(others))), rng)
        if pair:
            pairs.append(pair)
    return pairs


def reading_passages() -> Passages:
    """Gather the passages of the reading sets by document, each with the questions about it."""
    passages: Passages = defaultdict(list)
    known: dict[str, Passage] = {}
    for name in READING:
        for r in records(f"reading/{name}.jsonl.gz"):
            spans = split_sentences(r["context"])
            passage = known.get(r["context"])
            if passage is None:
                title = unquote(r["group"]).replace("_", " ") if name[0] == "s" and "am" not in name else ""
                passage = Passage(title, tuple(r["context"][s:e].strip() for s, e in spans))
                known[r["context"]] = passage
                passages[name, r["group"]].append(passage)
            if r["answerable"]:
                first = r["answers"][0]["start"]
                inside = next(i for i, (s, e) in enumerate(spans) if first < e)
                passage.asked.append((r["question"].strip(), tuple(a["text"] for a in r["answers"]), inside))
    return passages


def passage_pair(kind: str, passage: Passage, others: Sequence[Passage], rng: random.Random) -> Pair | None:
    """Make one pair of a kind, or None if the passage is unsuitable."""
    made = _sentence(passage, rng) if kind == "sentence" or not passage.asked else _answered(passage, rng)
    if kind in ("sentence missing", "altered", "stretched") and rng.random() < 0.35:
        made = _sentence(passage, rng)
    if made is None:
        return None
    statement, needed, answers = made
    if kind == "other answer":
        return _other_answer(passage, others, rng)
    if kind == "altered":
        changed = alter(statement, " ".join(passage.sentences), rng)
        shown = evidence(passage, {needed}, others, statement, rng)
        return (changed, shown, False) if changed else None
    if kind in ("both", "stretched"):
        second = _answered(passage if kind == "both" else rng.choice(others), rng)
        if second is None or second[0] == statement:
            return None
        held = {needed, second[1]} if kind == "both" else {needed}
        parts = [statement, second[0]] if rng.random() < 0.6 else [second[0], statement]
        both = join(parts, rng)
        return both, evidence(passage, held, others if kind == "both" else [], both, rng), kind == "both"
    if kind in SUPPORTED:
        return statement, evidence(passage, {needed}, others, statement, rng), True
    lacking = [one for one in others if not _mentions(" ".join(one.sentences), answers)]
    if kind == "other passage":
        alike = sorted(lacking, key=lambda one: -_overlap(statement, " ".join(one.sentences)))[:2]
        return (
            (statement, evidence(rng.choice(alike), set(), lacking, statement, rng), False) if alike else None
        )
    rest = tuple(
        s for i, s in enumerate(passage.sentences) if abs(i - needed) > 0 and not _mentions(s, answers)
    )
    if not rest:
        return None
    return statement, evidence(Passage(passage.title, rest), set(), lacking, statement, rng), False


def evidence(
    passage: Passage, needed: set[int], others: Sequence[Passage], statement: str, rng: random.Random
) -> str:
    """Show a passage, or the needed part of it, among some other text, within the window.

    The ways are: the needed sentences alone or with their neighbours; the whole passage; with sentences of other
        passages before or after; or, as the judge gathers them, the sentences most similar to the statement from
        several passages.
    """
    own, way = list(passage.sentences), rng.random()
    room = WINDOW - 3 - min(STATEMENT, _length(statement)) - 12
    kept = set(needed or {rng.randrange(len(own))})
    if way < 0.45:
        reach = rng.choice([0, 1, 1, 2])
        kept |= {i for k in kept for i in range(k - reach, k + reach + 1) if 0 <= i < len(own)}
        chosen = [own[i] for i in sorted(kept)]
    elif way < 0.85 or not others:
        chosen = _around(own, kept, room)
        if way > 0.7 and others:
            more = list(rng.choice(others).sentences)[: rng.randint(1, 4)]
            chosen = [*more, *chosen] if rng.random() < 0.5 else [*chosen, *more]
    else:
        pool = [(s, i in needed) for i, s in enumerate(own)]
        pool += [(s, False) for one in others[:4] for s in one.sentences]
        ranked = sorted(range(len(pool)), key=lambda i: (not pool[i][1], -_overlap(statement, pool[i][0])))
        chosen = [pool[i][0] for i in sorted(ranked[: rng.randint(2, 6)])]
    text = " ".join(_fitting(chosen, room, [own[i] for i in needed]))
    if passage.title and rng.random() < 0.3:
        text = rng.choice(["Title: {}\nText: {}", "{}\n{}", "Title: {} Section: {}", "{}: {}"]).format(
            passage.title, text
        )
    return text


def _answered(passage: Passage, rng: random.Random) -> tuple[str, int, Sequence[str]] | None:
    """Return a statement made from a question and an answer, its supporting sentence, and all answers."""
    if not passage.asked:
        return None
    question, answers, sentence = rng.choice(passage.asked)
    answer = answers[0] if len(answers[0]) > 1 else max(answers, key=len)
    stated = f"{question} {answer}" if rng.random() < 0.12 else declare(question, answer)
    return (stated, sentence, answers) if _length(stated) <= STATEMENT and len(stated.split()) > 2 else None


def _sentence(passage: Passage, rng: random.Random) -> tuple[str, int, Sequence[str]] | None:
    """Return a sentence of the passage, usually shortened by an aside or its first or last clause."""
    place = rng.randrange(len(passage.sentences))
    text = passage.sentences[place]
    if not 6 <= len(text.split()) <= 45:
        return None
    text = re.sub(r" ?\([^()]*\)", "", text)
    if rng.random() < 0.5:
        text = re.sub(r"^[^,]{3,50}, (?=(?:the|a|an|he|she|it|they|his|her)\b)", "", text)
    if rng.random() < 0.6:
        text = re.sub(r",? (?:which|who|although|while|because|where|but|and then) [^,]*[.]$", ".", text)
    text = text.strip()
    if len(text.split()) < 4:
        return None
    return text[:1].upper() + text[1:], place, (passage.sentences[place],)


def _other_answer(passage: Passage, others: Sequence[Passage], rng: random.Random) -> Pair | None:
    """Answer a question with the answer to another one of the same kind, here or elsewhere in the document."""
    if not passage.asked:
        return None
    question, answers, sentence = rng.choice(passage.asked)
    kind = _kind(answers[0])
    near = [a[0] for q, a, _ in passage.asked if q != question]
    near += (
        [m[0] for s in passage.sentences for m in NAME.finditer(s) if m.start()] if kind != "words" else []
    )
    far = [a[0] for one in others for _, a, _ in one.asked]
    right = set(WORD.findall(" ".join(answers).lower())) - SMALL
    for pool in (near, far) if rng.random() < 0.75 else (far, near):
        fitting = sorted({a for a in pool if _kind(a) == kind and not right & set(WORD.findall(a.lower()))})
        fitting = [a for a in fitting if a.lower() not in question.lower()]
        if fitting:
            stated = declare(question, rng.choice(fitting))
            return stated, evidence(passage, {sentence}, others, stated, rng), False
    return None


def _kind(answer: str) -> str:
    if any(map(str.isdigit, answer)):
        return "number"
    return "name" if answer[:1].isupper() and len(answer.split()) < 5 else "words"


def _mentions(text: str, answers: Iterable[str]) -> bool:
    return any(answer.lower() in text.lower() for answer in answers)


@cache
def _content(text: str) -> frozenset[str]:
    return frozenset(WORD.findall(text.lower())) - SMALL


def _overlap(statement: str, text: str) -> float:
    return len(_content(statement) & _content(text))


def _around(own: Sequence[str], kept: set[int], room: int) -> list[str]:
    """Take as many sentences around the kept ones as fit."""
    low, high = min(kept), max(kept)
    used = sum(_length(s) for s in own[low : high + 1])
    while True:
        before = _length(own[low - 1]) if low else room
        after = _length(own[high + 1]) if high + 1 < len(own) else room
        if used + min(before, after) > room:
            return list(own[low : high + 1])
        low, high, used = (low - 1, high, used + before) if before <= after else (low, high + 1, used + after)


def _fitting(chosen: Sequence[str], room: int, needed: Sequence[str]) -> list[str]:
    """Drop sentences from the end until the rest fits, the needed ones last."""
    left = list(chosen)
    for sentence in reversed(chosen):
        if sum(map(_length, left)) <= room:
            break
        if sentence not in needed:
            left.remove(sentence)
    return left


def _keys(passages: Passages, name: str) -> list[tuple[str, str]]:
    return [key for key in passages if key[0] == name]


def bucket(text: str) -> int:
    """Return a number determined by the text alone, for taking remainders."""
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16)


@cache
def tokens_of(text: str) -> tuple[int, ...]:
    """Return a text's tokens, without special ones."""
    return tuple(trunk_tokenizer().encode(text, add_special_tokens=False).ids)


def _length(text: str) -> int:
    return len(tokens_of(text))
