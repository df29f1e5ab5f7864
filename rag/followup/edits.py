"""Propose the edits that would complete a follow-up question: of each, what it replaces or adds, and the result."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from rag.followup.mentions import FUNCTION_WORDS, WORD, Mention, Transcript, name_spans, phrase_spans

EditKind = Literal["leave", "pronoun", "this", "there", "append", "exchange", "bare"]
KINDS: tuple[EditKind, ...] = ("leave", "pronoun", "this", "there", "append", "exchange", "bare")
PREPOSITIONS = ("of", "in", "for", "by")
# Words of a question that is no sentence of its own: "And in Graz?"
MOST_FRAGMENT_WORDS = 6
# Most characters of a question that a fragment can continue; a longer message is a pasted text.
LONGEST_ASKED = 300

_PRONOUN = re.compile(
    r"\b(?P<word>he|him|his|she|her|hers|they|them|their|theirs|it|its)\b(?P<rest>['’](?:s|ll|d|re|ve)\b)?(?!['’-]\w)",
    re.IGNORECASE,
)
_OWNING = frozenset(["his", "its", "their", "theirs", "hers"])
_NO_NOUN = re.compile(  # what follows a "her" that is not possessive
    r"\s*(?:$|[?.,!;:]|(?:in|on|at|of|to|by|for|with|and|or|but|from|about|as|when|while|after|before|during|because|"
    r"into|do|be|a|an|the|that|this|is|was|become|go|get|have|being|win|make)\b)",
    re.IGNORECASE,
)
_IMPERSONAL = re.compile(  # an "it" that refers to nothing
    r"\bit(?= (?:is |was |be )?(?:true|possible|important|likely|common|known|said|rain\w*|snow\w*|take|takes|allowed|"
    r"permitted|necessary|required|enough|safe|legal|worth|mandatory|okay|ok|fine|late|dark|cold|time|better|best|hard|"
    r"easy)\b)",
    re.IGNORECASE,
)
_SINGULAR = re.compile(
    r"\b(?:an?|the|my|our|your|each|every|this|that)\s+"
    r"(?P<noun>[a-z][\w-]*(?: (?!(?:if|when|that|who|is|was)\b)[a-z][\w-]*)?)",
    re.IGNORECASE,
)
_CLAUSE = re.compile(  # what opens another clause
    r"[.!?,;:]|\b(?:if|when|whenever|after|before|because|until|once|while|since|unless|although|though|as|that|who|which|"
    r"where|and|but|or|so)\b",
    re.IGNORECASE,
)
_PLURALS = frozenset(("people", "children", "men", "women", "staff", "police"))
# What a question may say of the documents themselves; nothing of the conversation completes it.
_DOCUMENT = re.compile(r"\b(?:article|document|page|file|passage|text)s?\b", re.IGNORECASE)
_SUPERLATIVE = re.compile(r"\b(?:\w+est|most|least)\s+$", re.IGNORECASE)  # "the coldest it has ever been"
_THIS = re.compile(
    r"\b(?:this|that|these|those)\b(?: (?P<noun>[a-z][\w-]*(?: [a-z][\w-]*)?))?", re.IGNORECASE
)
_THERE = re.compile(r"\bthere\b", re.IGNORECASE)
_THERE_IS = re.compile(
    r"\b(?:is|are|was|were|be|been|has|have|had|will|would|there) there\b|\bthere (?:is|are|was|were|a|an|any)\b",
    re.IGNORECASE,
)
_OPENING = re.compile(
    r"^(?:(?:and|but|so|or|ok|okay|well|then|also)\b[\s,]*)*(?:(?:what|how) about\b\s*|and\b\s*)?",
    re.IGNORECASE,
)
_PREPOSITION = re.compile(
    r"^(in|at|on|for|of|from|to|by|with|during|after|before|under|near|without)\b", re.IGNORECASE
)
_DETERMINED = re.compile(r"(?:the|a|an|my|our|their|all)\b", re.IGNORECASE)
_BARE = frozenset(["why", "how", "when", "where", "who"])
# Question words that the same sentence may follow.
_ADVERBS = frozenset(("why", "when", "where", "how"))
_ASKING = frozenset(("who", "whom", "whose", "what", "which", "where", "when", "why", "how"))
_VERBS = frozenset(
    ("do", "does", "did", "is", "are", "was", "were", "has", "have", "had", "can", "could", "will", "would", "should",
     "may", "might", "must", "be", "am")
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Edit:
    """An edit of a question."""

    kind: EditKind
    text: str  # the question after it
    start: int = 0  # what is replaced, in the question; of words appended, its end
    end: int = 0
    word: str = ""  # the pronoun, the preposition or the noun, in lower case
    mention: Mention | None = None


def edits_of(question: str, transcript: Transcript) -> list[Edit]:
    """Return the edits that could complete a question; the first leaves it alone."""
    found = [Edit("leave", question)]
    for proposed in (_exchanges, _bare, _pronouns, _demonstratives, _appended):
        found.extend(proposed(question, transcript))
    distinct = {edit.text: edit for edit in reversed(found)}
    return [edit for edit in found if distinct[edit.text] is edit]


def pronouns_in(question: str) -> list[re.Match[str]]:
    """Return the pronouns that may refer to something said before, not to a noun of the question itself."""
    return [
        found
        for found in _PRONOUN.finditer(question)
        if found[0] != "IT"
        and not _IMPERSONAL.match(question, found.start())
        and not (found["word"].lower() == "it" and _SUPERLATIVE.search(question[: found.start()]))
        and not _has_own_noun(question, found)
    ]


def _has_own_noun(question: str, pronoun: re.Match[str]) -> bool:
    """Return whether a noun before a pronoun is what it means: "What happens to a parcel if it is too heavy?".

    It must agree in number. Within one clause only an owner means the noun before it: "Do drivers pay for their fuel?",
    but not "Did the critics like it?".
    """
    word = pronoun["word"].lower()
    before = question[: pronoun.start()]
    opened = list(_CLAUSE.finditer(before))
    within = before if word in _OWNING else before[: opened[-1].start()] if opened else ""
    if word in ("it", "its"):
        return any(not is_plural(found["noun"]) for found in _SINGULAR.finditer(within))
    if word in ("they", "them", "their", "theirs"):
        phrases = [within[start:end] for start, end in phrase_spans(within)]
        return any(is_plural(one) for phrase in phrases for one in phrase.split())
    return bool(list(name_spans(within[:1].lower() + within[1:])))


def is_plural(noun: str) -> bool:
    """Return whether a noun, or the last word of a phrase, looks like a plural."""
    last = noun.split()[-1].lower() if noun.split() else ""
    return (
        len(last) > 3 and last.endswith("s") and not last.endswith(("ss", "us", "is"))
    ) or last in _PLURALS


def fragment_of(question: str) -> str:
    """Return what a question that is no sentence of its own asks for: "in Graz" of "And in Graz?"; "" if it is one."""
    bare = question.strip().rstrip(" ?!.")
    opening = _OPENING.match(bare)
    rest = bare[opening.end() :] if opening else bare
    words = [word.lower() for word in WORD.findall(rest)]
    if not words or len(words) > MOST_FRAGMENT_WORDS or words[0] in _ASKING | _VERBS:
        return ""
    if all(word.lower() in FUNCTION_WORDS and not word[1:].isupper() for word in WORD.findall(rest)):
        return ""  # "What about it?", but not "the US"
    opened = bool(opening and opening[0])
    if any(word in _VERBS for word in words) or (not opened and len(words) > 3):
        return ""
    return rest


def _pronouns(question: str, transcript: Transcript) -> Iterator[Edit]:
    """Propose what the first pronoun of each kind means."""
    seen: set[str] = set()
    for found in pronouns_in(question):
        word = found["word"].lower()
        group = {"him": "he", "his": "he", "her": "she", "hers": "she", "its": "it"}.get(word, word[:3])
        if group in seen:
            continue
        seen.add(group)
        owning = word in _OWNING or (word == "her" and not _NO_NOUN.match(question, found.end()))
        for mention in transcript.mentions:
            filled = possessive(mention.put_in) if owning else f"{mention.put_in}{found['rest'] or ''}"
            yield Edit("pronoun", _put(question, found.span(), filled), *found.span(), word, mention)


def _demonstratives(question: str, transcript: Transcript) -> Iterator[Edit]:
    """Propose what "this", "this album" or "there" means."""
    meant = [
        one for one in _THIS.finditer(question) if not _is_relative(one) and not _DOCUMENT.search(one[0])
    ]
    for found in meant[:1]:
        first, *others = (found["noun"] or "").lower().split(" ")
        told = first and first not in FUNCTION_WORDS
        ends = [found.start("noun") + len(first) if told else found.start() + len(found[0].split(" ")[0])]
        if told and others and others[0] not in FUNCTION_WORDS:
            ends.append(found.end())
        for end in ends:
            for mention in transcript.mentions:
                span = (found.start(), end)
                yield Edit("this", _put(question, span, mention.put_in), *span, first, mention)
    for found in list(_THERE.finditer(question))[:1]:
        if not _THERE_IS.search(question[max(0, found.start() - 6) : found.end() + 6]):
            for mention in transcript.mentions:
                filled = f"in {mention.put_in}"
                yield Edit("there", _put(question, found.span(), filled), *found.span(), "there", mention)


def _is_relative(found: re.Match[str]) -> bool:
    """Return whether a "that" opens a clause about the noun before it: "the songs that he wrote"."""
    before = WORD.findall(found.string[: found.start()])
    ends = not found.string[found.start() + len("that") :].strip(" ?!.,;")
    return (
        found[0].lower().startswith("that")
        and not ends
        and bool(before)
        and before[-1].lower() not in FUNCTION_WORDS
    )


def _appended(question: str, transcript: Transcript) -> Iterator[Edit]:
    """Propose what the question leaves out: "What was the cost of the Eiffel Tower?"."""
    at = len(question.rstrip(" ?!."))
    for mention in () if _DOCUMENT.search(question) else transcript.mentions:
        if mention.text.casefold() in question.casefold():
            continue
        for preposition in PREPOSITIONS:
            added = f" {preposition} {mention.put_in}"
            yield Edit("append", question[:at] + added + question[at:], at, at, preposition, mention)


def _exchanges(question: str, transcript: Transcript) -> Iterator[Edit]:
    """Propose the last question with a part of it exchanged for the follow-up: "And in Graz?"."""
    fragment, asked = fragment_of(question), transcript.asked.strip()
    if not fragment or not asked or len(asked) > LONGEST_ASKED:
        return
    preposition = _PREPOSITION.match(fragment)
    bare = re.sub(r"^(?:the|an?)\s+", "", fragment[preposition.end() :].strip() if preposition else fragment)
    parts = _parts(asked)
    if names := [part for part in parts if asked[part[0]].isupper()] if bare[:1].isupper() else []:
        parts = names  # a name for a name
    for start, end in parts:
        before = asked[:start].rstrip()
        word = before.split(" ")[-1]
        if preposition and _PREPOSITION.fullmatch(word):
            start = len(before) - len(word)
        elif preposition:
            continue
        article = re.search(r"\b(?:the|a|an) $", asked[:start], re.IGNORECASE)
        if article and _DETERMINED.match(fragment):
            start = article.start()
        yield Edit("exchange", _put(asked, (start, end), fragment), start, end, fragment.lower())
    at = len(asked.rstrip(" ?!."))
    joined = fragment if preposition else f"for {fragment}"
    yield Edit("exchange", f"{asked[:at]} {joined}{asked[at:] or '?'}", at, at, fragment.lower())


def _parts(asked: str) -> list[tuple[int, int]]:
    """Return the spans of a question that a follow-up may exchange: names, phrases, and the beginnings of phrases."""
    names = list(name_spans(asked))
    spans = dict.fromkeys(names)
    for start, end in phrase_spans(asked):
        if any(start < e and s < end for s, e in names):
            continue
        spans[start, end] = None
        for word in WORD.finditer(asked, start, end):
            spans[start, word.end()] = None
            spans[word.start(), end] = None
    for number in re.finditer(r"(?<![\w.])\d[\w.,]*\w|(?<![\w.])\d(?![\w.])", asked):
        spans[number.span()] = None
    return list(spans)


def _bare(question: str, transcript: Transcript) -> Iterator[Edit]:
    """Propose the last question after a bare question word: "Why?"."""
    bare, asked = question.strip(" ?!."), transcript.asked.strip()
    first = bare.lower().removeprefix("and ").removeprefix("but ").strip()
    if not asked or first not in _BARE:
        return
    rest = asked[:1].lower() + asked[1:] if asked.split()[0].lower().strip(",") in _ASKING | _VERBS else asked
    opening, *others = rest.split(" ")
    opening = opening.strip(",")
    if opening == first:
        completed = asked
    elif opening in _ADVERBS and first in _ADVERBS and others and others[0] in _VERBS:
        completed = f"{bare} {' '.join(others)}"  # "Why?" after "When is the lift out of order?"
    else:
        completed = f"{bare}{',' if opening in _ASKING else ''} {rest}"
    yield Edit("bare", completed, 0, len(question), first)


def possessive(name: str) -> str:
    """Return a name as an owner: "Marie Curie's"."""
    return f"{name}'s"


def _put(text: str, span: tuple[int, int], filled: str) -> str:
    if span[0] == 0 and filled[:1].islower():
        filled = filled[:1].upper() + filled[1:] if text[:1].isupper() else filled
    return f"{text[: span[0]]}{filled}{text[span[1] :]}"
