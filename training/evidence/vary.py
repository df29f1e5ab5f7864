"""Vary cases: add passages that do not answer, make questions unanswerable, and ask as people do."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

from eval.benchmarks.yardstick.kinds import find_named
from training.evidence.cases import Case, LabelledPassage
from training.evidence.names import COMPANIES
from training.evidence.sources import SourcedCase

# Shares of the cases that are changed in each way.
EXCHANGED, REMOVED, FRAMED, SCOPED = 0.10, 0.10, 0.12, 0.30
NO_PLACE, PRONOUN = 0.2, 0.3
KEY_WORDS, TYPO, CHATTY, BARE = 0.05, 0.04, 0.04, 0.12
# Sets whose texts seldom name what they are about, so that another place makes another subject.
SCOPELESS = ("policyqa-train", "tatqa", "aitqa", "doc2dial", "squadshifts-amazon", "hitab-train")
_NAME = re.compile(r"(?<!^)(?<![.?!] )\b(?:[A-Z][\w'-]+(?: [A-Z][\w'-]+)*|\d[\d,.]*\d|\d)\b")
_CONTENT = re.compile(r"[a-z0-9]{4,}")
_STOP = frozenset(
    [
        "a",
        "an",
        "the",
        "of",
        "in",
        "on",
        "at",
        "to",
        "for",
        "is",
        "are",
        "was",
        "were",
        "be",
        "been",
        "do",
        "does",
        "did",
        "what",
        "which",
        "who",
        "whom",
        "how",
        "when",
        "where",
        "why",
        "it",
        "its",
        "this",
        "that",
    ]
)
_FRAMES = (
    "In {place}, {q}",
    "According to {place}, {q}",
    "{place}: {q}",
    "{q} (see {place})",
    "What does {place} say: {q}",
    "In the document {place}: {q}",
)
_BEFORE = (
    "Hi, I have a question. ",
    "Hello! I have been looking through our papers all morning and cannot find this. ",
    "Sorry to bother you, my colleague asked me this and I do not know. ",
    "Quick one: ",
    "I am preparing for a meeting. Could you tell me, ",
    "Hey there, we talked about this last week but I forgot. ",
    "Please help me with this: ",
)
_AFTER = (" Thanks!", " Thank you in advance.", " Please keep it short.", "", "")
_PERIODS = tuple(f"Q{q} {year}" for q in range(1, 5) for year in range(2016, 2026)) + tuple(
    map(str, range(2012, 2026))
)
_KINDS = ("10-Q", "annual report", "policy", "handbook", "contract", "report", "manual", "terms")


class Varied:
    """The passages of all sources, from which others are drawn."""

    def __init__(self, sources: Sequence[SourcedCase]) -> None:
        self._siblings: dict[tuple[str, str], dict[str, LabelledPassage]] = defaultdict(dict)
        self._by_term: dict[str, list[LabelledPassage]] = defaultdict(list)
        known: set[str] = set()
        for source in sources:
            for one in source.case.passages:
                self._siblings[source.set, source.document].setdefault(one.text, one)
                if one.text not in known:
                    known.add(one.text)
                    for term in _content(one.text[:2_000]):
                        self._by_term[term].append(one)

    def vary(self, source: SourcedCase, rng: random.Random) -> Case:
        """Return the case in one of many forms."""
        case, drawn = source.case, rng.random()
        first = case.passages[0]
        changed = _exchanged(case, rng) if case.yes is None and first.spans and drawn < EXCHANGED else ""
        if changed:
            return self._asked(replace(case, question=changed, passages=(_emptied(first),)), rng)
        if source.set in SCOPELESS and rng.random() < SCOPED:
            return self._asked(_scoped(case, rng), rng)
        others = self._others(source, rng)
        if first.answers and others and EXCHANGED < drawn < EXCHANGED + REMOVED:
            return self._asked(Case(case.question, tuple(others)), rng)
        if first.place and first.answers and first.spans and rng.random() < PRONOUN:
            first = _with_pronoun(first, rng)
        if rng.random() < NO_PLACE:
            first = replace(first, place=rng.choice(("", "", "document 7", "scan", "notes")))
        elif first.place and rng.random() < FRAMED:
            case = replace(case, question=_framed(case.question, first.place, rng))
        return self._asked(replace(case, passages=(first, *case.passages[1:], *others)), rng)

    def near_miss(self, source: SourcedCase, rng: random.Random) -> Case | None:
        """Return the case with a name or number of its question exchanged, so that its passage does not answer.

        The new words are of the same kind, such as a year or a place, from the passage or others of its document; None
        if none fit. Of a table, one row that answered is left.
        """
        case = source.case
        one = case.passages[0]
        if case.yes is not None or not one.spans:
            return None
        own = [text for text in self._siblings[source.set, source.document] if text != one.text]
        answers = " ".join(one.text[s:e] for s, e in one.spans).casefold()
        taken = case.question.casefold()
        named = list(find_named(case.question))
        for old in rng.sample(named, len(named)):
            texts = [one.text, *rng.sample(own, min(3, len(own)))]
            others = [
                new.words
                for new in find_named("\n".join(texts))
                if new.kind == old.kind
                and new.words.casefold() not in taken
                and new.words.casefold() not in answers
                and old.words not in new.words
            ]
            if others:
                changed = case.question[: old.start] + rng.choice(others) + case.question[old.end :]
                return Case(changed, (_emptied(_one_row(one) if one.rows else one),))
        return None

    def _others(self, source: SourcedCase, rng: random.Random) -> list[LabelledPassage]:
        """Draw up to two passages without the answer: the likest of the document, and the likest of another."""
        case = source.case
        own = case.passages[0]
        answers = {own.text[s:e].casefold() for s, e in own.spans}
        asked = _content(case.question)
        found = []
        siblings = [
            p for p in self._siblings[source.set, source.document].values()
            if p.text != own.text and not any(a in p.text.casefold() for a in answers)
        ]  # fmt: skip
        if siblings and own.spans and rng.random() < 0.6:
            likest = sorted(siblings, key=lambda p: -len(asked & _content(p.text)))[:3]
            found.append(_emptied(rng.choice(likest)))
        if len(case.passages) == 1 and rng.random() < 0.55:
            pool = [p for term in sorted(asked) for p in _some(self._by_term.get(term, ()), rng)]
            pool = [
                p for p in pool if p.text != own.text and not any(a in p.text.casefold() for a in answers)
            ]
            if pool and (own.spans or own.answering == frozenset()):
                likest = sorted(pool, key=lambda p: -len(asked & _content(p.text[:2_000])))[:2]
                found.append(_emptied(rng.choice(likest), about=False))
            elif pool:  # what a paragraph answers is not known in words: take one from afar
                found.append(_emptied(rng.choice(pool), about=False))
        return found

    def _asked(self, case: Case, rng: random.Random) -> Case:
        """Ask as people do: in key words, with typos, at length, without capitals or question marks."""
        question, drawn = case.question.strip(), rng.random()
        if drawn < KEY_WORDS:
            words = [w for w in re.findall(r"[\w'-]+", question) if w.lower() not in _STOP]
            question = " ".join(words) if len(words) > 1 else question
        elif drawn < KEY_WORDS + TYPO:
            question = _typo(question, rng)
        elif drawn < KEY_WORDS + TYPO + CHATTY:
            question = rng.choice(_BEFORE) + question + rng.choice(_AFTER)
        elif drawn < KEY_WORDS + TYPO + CHATTY + BARE:
            question = question.lower().rstrip("?. ")
        order = rng.sample(list(case.passages), len(case.passages))
        return replace(case, question=question, passages=tuple(order))


def _emptied(one: LabelledPassage, about: bool | None = True) -> LabelledPassage:
    return replace(one, answering=frozenset(), spans=(), about=about)


def _one_row(one: LabelledPassage) -> LabelledPassage:
    """Return the first row that answers, alone."""
    start, end = one.units[min(one.answering or {0})]
    return LabelledPassage(one.place, one.text[start:end], ((0, end - start),), about=one.about, rows=True)


def _exchanged(case: Case, rng: random.Random) -> str:
    """Exchange a name or number of the question for another of the passage, of the same kind; "" if none fits."""
    question, one = case.question, case.passages[0]
    found = list(_NAME.finditer(question))
    if not found or not one.answers:
        return ""
    old = rng.choice(found)
    number = old[0][0].isdigit()
    answers = " ".join(one.text[s:e] for s, e in one.spans)
    others = [
        text for text in {m[0] for m in _NAME.finditer(one.text)}
        if text[0].isdigit() == number and text not in question and text not in answers and old[0] not in text
    ]  # fmt: skip
    if number and len(old[0]) == 4 and rng.random() < 0.5:
        others = [str(int(old[0].replace(",", "0").replace(".", "0")) + rng.choice((-3, -2, -1, 1, 2, 5)))]
        others = [other for other in others if other not in one.text]
    if not others:
        return ""
    return question[: old.start()] + rng.choice(sorted(others)) + question[old.end() :]


def _scoped(case: Case, rng: random.Random) -> Case:
    """Ask for one company and period; a text of the same form under another name does not answer."""
    own = rng.choice(COMPANIES), rng.choice(_PERIODS), rng.choice(_KINDS)
    part = rng.randrange(2)
    other = tuple(rng.choice((COMPANIES, _PERIODS)[n]) if n == part else own[n] for n in range(2)) + own[2:]
    frame = rng.choice((
        "In {c}'s {p} {k}, {q}", "{q} ({c}, {p})", "For {c} in {p}: {q}", "According to the {k} of {c} for {p}, {q}",
    ))  # fmt: skip
    question = frame.format(c=own[0], p=own[1], k=own[2], q=_lowered(case.question))
    one = case.passages[0]
    right, wrong = (
        replace(one, place=_called(own, rng)),
        replace(_emptied(one, False), place=_called(other, rng)),
    )
    drawn = rng.random()
    shown = (wrong,) if drawn < 0.3 else (right,) if drawn < 0.5 else (right, wrong)
    return Case(question, shown, case.yes if right in shown else None)


def _called(scope: tuple[str, ...], rng: random.Random) -> str:
    parts = [scope[0], scope[1], scope[2]]
    if rng.random() < 0.7:
        rng.shuffle(parts)
    text = rng.choice((" ", " ", ", ")).join(parts)
    return text.lower().replace("-", " ") if rng.random() < 0.5 else text


def _with_pronoun(one: LabelledPassage, rng: random.Random) -> LabelledPassage:
    """Where the answering sentence begins with the title, put a pronoun in its place: the place names the subject."""
    if one.answering is None or len(one.answering) != 1:
        return one
    start, _ = one.units[next(iter(one.answering))]
    found = re.match(
        rf"(?:The )?{re.escape(one.place)}(?= (?:is|was|were|has|had|are|can|will|would|also|became)\b)",
        one.text[start:],
    )
    if not found or any(s < start + found.end() and e > start for s, e in one.spans):
        return one
    lower = one.text.casefold()
    pronoun = "She" if lower.count(" she ") > 2 else "He" if lower.count(" he ") > 2 else "It"
    by = len(pronoun) - found.end()
    text = one.text[:start] + pronoun + one.text[start + found.end() :]
    units = tuple((s + by * (s > start), e + by * (e > start)) for s, e in one.units)
    spans = tuple((s + by * (s > start), e + by * (e > start)) for s, e in one.spans)
    return replace(one, text=text, units=units, spans=spans)


def _framed(question: str, place: str, rng: random.Random) -> str:
    frame = rng.choice(_FRAMES)
    return frame.format(place=place, q=_lowered(question) if not frame.startswith("{q}") else question)


def _lowered(question: str) -> str:
    first = question.split(" ", 1)[0]
    return (
        question[0].lower() + question[1:]
        if first.lower()
        in (
            "what",
            "who",
            "when",
            "where",
            "which",
            "how",
            "why",
            "is",
            "are",
            "does",
            "did",
            "do",
            "was",
            "can",
            "the",
            "in",
        )
        else question
    )


def _typo(question: str, rng: random.Random) -> str:
    words = question.split()
    long = [n for n, word in enumerate(words) if len(word) > 4]
    if not long:
        return question
    at = rng.choice(long)
    word, place = words[at], rng.randrange(1, len(words[at]) - 2)
    kind = rng.randrange(3)
    words[at] = (
        word[:place] + word[place + 1] + word[place] + word[place + 2 :] if kind == 0
        else word[:place] + word[place + 1 :] if kind == 1 else word[:place] + word[place] + word[place:]
    )  # fmt: skip
    return " ".join(words)


def _some(found: Sequence[LabelledPassage], rng: random.Random) -> list[LabelledPassage]:
    return rng.sample(list(found), min(3, len(found))) if len(found) < 3_000 else []


@cache
def _content(text: str) -> frozenset[str]:
    return frozenset(_CONTENT.findall(text.lower()))
