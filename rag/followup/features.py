"""Describe edits in numbers: the question, what is edited in it, what is put in, and how the two go together."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np

from rag.followup.edits import KINDS, PREPOSITIONS, Edit, fragment_of, is_plural, pronouns_in
from rag.followup.mentions import (
    FUNCTION_WORDS,
    WORD,
    Mention,
    Occurrence,
    Transcript,
    name_spans,
    phrase_spans,
)

_PRONOUNS = ("he", "him", "his", "she", "her", "it", "its", "they", "them", "their")
_GROUP = {
    "he": "he", "him": "he", "his": "he", "she": "she", "her": "she", "hers": "she", "it": "it", "its": "it",
    "they": "they", "them": "they", "their": "they", "theirs": "they",
}  # fmt: skip
_GROUPS = ("he", "she", "it", "they")
_OPENERS = ("who", "what", "which", "where", "when", "why", "how")
_NEAR = 90  # characters after a mention in which a pronoun may mean it
_PRONOUN = re.compile(r"\b(?:he|him|his|she|her|hers|it|its|they|them|their|theirs)\b", re.IGNORECASE)
_PLACED = frozenset(["in", "at", "near", "from", "to"])
_DETERMINERS = frozenset(["the", "a", "an", "his", "her", "its", "their", "this", "that", "my", "our"])
_SUBJECT = frozenset(
    (
        "did",
        "does",
        "do",
        "is",
        "are",
        "was",
        "were",
        "has",
        "have",
        "had",
        "can",
        "could",
        "will",
        "would",
        "should",
    )
)
_AT_END = frozenset(("of", "in", "for", "by", "about", "with", "on", "at", "to", "from"))
_CONNECTED = re.compile(r" (?:of|the|and|for|in|on|to|a|&) ")
_THING = re.compile(  # of a name that is no person's
    r"\b(?:University|School|College|Company|Records|Band|Album|Tour|Award|Awards|Prize|Club|League|Party|Church|War|"
    r"Act|Show|Festival|Park|Museum|Institute|Hospital|Street|City|County|River|Island|Bridge|Tower|Theatre|Theater|"
    r"Times|Cup|Series|Championship|Championships|Orchestra|Army|Council|Court|Plan|Policy|Project|Team)\b",
    re.IGNORECASE,
)
_INDEFINITE = re.compile(r"\b(?:an?|the|my|our|your|every|each|any|no|some|all)\s+\w", re.IGNORECASE)
_PREPOSED = re.compile(
    r"^(?:in|at|on|for|of|from|to|by|with|during|after|before|under|near|without)\b", re.IGNORECASE
)
_ASKED_ABOUT = tuple(  # in a question
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"\b(?:this|that|these|those)\b",
        r"\bthe\b",
        r"\b(?:other|others|else|another)\b",
        r"\barticle\b",
    )
)


def edit_features(question: str, transcript: Transcript, edits: Sequence[Edit]) -> np.ndarray:
    """Return (n_edits, FEATURES) float32, in the order of the edits."""
    mentions = {id(m): _mention(m, n, transcript) for n, m in enumerate(transcript.mentions)}
    asked = _question(question, transcript)
    slots: dict[tuple[str, int, int, str], list[float]] = {}
    nothing = [0.0] * MENTION_FEATURES
    rows = []
    for edit in edits:
        key = (edit.kind, edit.start, edit.end, edit.word)
        if key not in slots:
            slots[key] = _slot(question, edit, transcript)
        put_in = mentions[id(edit.mention)] if edit.mention else nothing
        rows.append(asked + slots[key] + put_in + _pair(question, edit))
    return np.array(rows, np.float32)


def _question(question: str, transcript: Transcript) -> list[float]:
    """Describe the question: its length, its opening, and how much of it was said before."""
    words = [word.lower() for word in WORD.findall(question)]
    content = [word for word in words if word not in FUNCTION_WORDS]
    before, last = _stems(" ".join(transcript.texts)), _stems(transcript.asked)
    known = [word for word in content if word[:5] in before]
    names = list(name_spans(question[:1].lower() + question[1:]))
    pronouns = pronouns_in(question)
    first = next(iter(words), "")
    return [
        min(len(words), 20) / 10,
        min(len(content), 8) / 4,
        float(len(content) == 0),
        float(len(content) == 1),
        float(len(words) <= 3),
        float(bool(names)),
        float(len(names) > 1),
        float(bool(pronouns)),
        float(len(pronouns) > 1),
        len(known) / max(1, len(content)),
        min(len(content) - len(known), 5) / 3,
        len([word for word in content if word[:5] in last]) / max(1, len(content)),
        *(float(first == opener) for opener in _OPENERS),
        float(first in _SUBJECT),
        float(bool(words) and words[-1] in _AT_END),
        *(float(pattern.search(question) is not None) for pattern in _ASKED_ABOUT),
        float(bool(fragment_of(question))),
        min(len(transcript.texts), 8) / 8,
        float(re.search(r"\d", question) is not None),
        float(re.search(r"\b(?:a|an|my|our|your)\b", question, re.IGNORECASE) is not None),
        float(re.search(r"\w of (?:the |a )?\w", question, re.IGNORECASE) is not None),
    ]


def _slot(question: str, edit: Edit, transcript: Transcript) -> list[float]:
    """Describe what is edited: the kind, the word, and whether the question itself says what it means."""
    word = edit.word
    before, after = question[: edit.start], question[edit.end :]
    replaced = edit.kind in ("pronoun", "this", "there")
    names = [before[s:e] for s, e in name_spans(before[:1].lower() + before[1:])] if replaced else []
    phrases = [before[s:e] for s, e in phrase_spans(before)] if replaced else []
    nouns = [p for p in phrases if not p.lower().endswith(("ed", "ing"))]
    following = next(iter(WORD.findall(after)), "").lower() if replaced else ""
    group = _GROUP.get(word, "")
    texts = " ".join(transcript.texts).casefold()
    return [
        *(float(edit.kind == kind) for kind in KINDS),
        *(float(edit.kind == "pronoun" and word == one) for one in _PRONOUNS),
        *(float(edit.kind == "append" and word == one) for one in PREPOSITIONS),
        *(float(edit.kind == "this" and re.match(rf"{one}\b", question[edit.start :], re.IGNORECASE) is not None)
          for one in ("this", "that", "these", "those")),
        len(before) / max(1, len(question)) if replaced else 0.0,
        float(bool(names)),
        float(any(is_plural(p) for p in nouns)),
        float(bool(nouns) and not all(is_plural(p) for p in nouns)),
        float(bool(nouns) and is_plural(nouns[-1])),
        float(_INDEFINITE.search(before) is not None) if replaced else 0.0,
        float(bool(re.search(r"[.!?,;]", before))) if replaced else 0.0,
        min(len(nouns), 4) / 4,
        float(group == "they" and any(is_plural(p) for p in nouns)),
        float(group == "it" and bool(nouns) and not is_plural(nouns[-1])),
        float(group in ("he", "she") and bool(names)),
        float(following in FUNCTION_WORDS),
        float(not following) if replaced else 0.0,
        float(edit.kind == "this" and bool(word) and word in texts),
        float(edit.kind == "this" and word == "article"),
        float(edit.kind == "this" and not word),
        *_exchanged(edit, transcript),
    ]  # fmt: skip


def _exchanged(edit: Edit, transcript: Transcript) -> list[float]:
    """Describe how words of the last question, and those that take their place, go together."""
    if edit.kind != "exchange":
        return [0.0] * EXCHANGE_FEATURES
    asked, fragment = transcript.asked.strip(), edit.word
    part, before = asked[edit.start : edit.end], asked[: edit.start]
    inner = _PREPOSED.sub("", part).strip()
    put_in = _PREPOSED.sub("", fragment).strip()
    shown = edit.text[edit.start : len(edit.text) - (len(asked) - edit.end)]
    capital, was = _PREPOSED.sub("", shown).strip()[:1].isupper(), inner[:1].isupper()
    word_before = next(iter(reversed(WORD.findall(before))), "").lower()
    word_after = next(iter(WORD.findall(asked[edit.end :])), "").lower()
    cut_before = bool(before) and word_before not in FUNCTION_WORDS and before.endswith(" ")
    cut_after = bool(word_after) and word_after not in FUNCTION_WORDS
    both = _PREPOSED.match(fragment), _PREPOSED.match(part)
    return [
        float(edit.start == edit.end),
        float(bool(both[0])),
        float(bool(both[0] and both[1])),
        float(bool(both[0] and both[1] and both[0][0].lower() == both[1][0].lower())),
        float(capital and was),
        float(capital and not was),
        float(not capital and was),
        float(not capital and not was),
        float(is_plural(put_in) and is_plural(inner)),
        float(is_plural(put_in) and not is_plural(inner)),
        float(not is_plural(put_in) and is_plural(inner)),
        float(len(put_in.split()) == len(inner.split())),
        min(len(inner.split()), 4) / 4,
        float(cut_before),
        float(cut_after),
        float(word_before in _SUBJECT),
        float(word_before in _AT_END),
        float(word_before in _DETERMINERS),
        float(word_before in ("many", "much", "which", "what")),
        edit.start / max(1, len(asked)),
        float(not word_after),
        float(bool(re.search(r"\d", inner)) == bool(re.search(r"\d", put_in))),
        float(bool(re.search(r"\d", put_in))),
        float(re.match(r"(?:the|a|an|my|our|their|all)\b", put_in) is not None),
        float(inner.lower().endswith(("ed", "ing"))),
    ]


EXCHANGE_FEATURES = 25


def _mention(mention: Mention, rank: int, transcript: Transcript) -> list[float]:
    """Describe something named: how often, when, where, as what."""
    places, text = mention.places, mention.text
    ages = [place.age for place in places]
    numbers = {place.text for place in places}
    newest = max(places, key=lambda place: (place.text, -place.start))
    near = [_near(transcript, place.text, place.start + len(text)) for place in places]
    last = transcript.texts[-1]
    asked = max((n for n, asks in enumerate(transcript.asks) if asks), default=-1)
    return [
        1.0,
        1 / (1 + rank),
        math.log1p(len(places)) / 2,
        math.log1p(len(numbers)) / 2,
        min(ages) / 6,
        float(min(ages) == 0),
        float(min(ages) <= 1),
        float(0 in numbers),
        float(numbers == {0}),
        float(asked in numbers),
        float(asked + 1 in numbers),
        float(mention.name),
        min(len(text.split()), 5) / 4,
        float(len(text.split()) == 1),
        float(is_plural(text)),
        float(" and " in text),
        float(bool(re.search(r"\d", text))),
        float(text.isupper()),
        float(len(text) / max(1, len(last)) > 0.6 and text in last),
        float(any(len(text) / max(1, len(transcript.texts[n])) > 0.8 for n in numbers)),
        sum(place.before in _PLACED for place in places) / len(places),
        sum(place.before in _DETERMINERS for place in places) / len(places),
        sum(place.before in _SUBJECT for place in places) / len(places),
        sum(place.start == 0 for place in places) / len(places),
        sum(place.before == "by" for place in places) / len(places),
        sum(place.after in _SUBJECT for place in places) / len(places),
        newest.start / max(1, len(transcript.texts[newest.text])),
        float(text.lower().endswith(("ed", "ing", "ly"))),
        float(mention.name and len(text.split()) in (2, 3) and text.replace(" ", "").replace(".", "").isalpha()
              and not _CONNECTED.search(text)),
        float(_CONNECTED.search(text) is not None),
        float(_THING.search(text) is not None),
        float(text.istitle() and " " not in text and all(_begins_sentence(transcript, place) for place in places)),
        *(sum(group in found for found in near) / len(near) for group in _GROUPS),
    ]  # fmt: skip


MENTION_FEATURES = 36


def _begins_sentence(transcript: Transcript, place: Occurrence) -> bool:
    before = transcript.texts[place.text][: place.start].rstrip()
    return not before or before[-1] in ".?!:"


def _near(transcript: Transcript, number: int, at: int) -> set[str]:
    """Return the groups of pronouns that follow a place: in its text nearby, or in a question after it."""
    text = transcript.texts[number][at : at + _NEAR]
    following = (
        transcript.texts[number + 1][:_NEAR]
        if number + 1 < len(transcript.texts) and transcript.asks[number + 1]
        else ""
    )
    return {_GROUP[found.lower()] for found in _PRONOUN.findall(f"{text} {following}")}


def _pair(question: str, edit: Edit) -> list[float]:
    """Describe how what is put in goes with the question and with the word whose place it takes."""
    if edit.mention is None:
        return [0.0] * PAIR_FEATURES
    text, group = edit.mention.text, _GROUP.get(edit.word, "")
    own, asked = _stems(text), _stems(question)
    return [
        len(own & asked) / max(1, len(own)),
        float(text.casefold() in question.casefold()),
        float(group == "they" and is_plural(text)),
        float(group == "it" and not is_plural(text)),
        float(group in ("he", "she") and edit.mention.name),
        float(group in ("he", "she") and edit.mention.name and len(text.split()) in (2, 3)),
        float(group in ("it", "they") and edit.mention.name),
        float(edit.kind == "this" and bool(edit.word) and edit.word[:5] in own),
        float(edit.kind == "this" and bool(edit.word) and is_plural(edit.word) == is_plural(text)),
    ]


PAIR_FEATURES = 9


def _stems(text: str) -> set[str]:
    return {word.lower()[:5] for word in WORD.findall(text) if word.lower() not in FUNCTION_WORDS}


# Of an edit, in all.
FEATURES = 141
