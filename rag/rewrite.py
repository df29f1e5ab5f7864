"""Rewrite a follow-up question so that it stands alone, before anything is retrieved for it. By rules, in English.

A pronoun is replaced by the name that the conversation is about: the one in its first turn, or the most frequent
one. "He" and "she" take a different name from "it": if a person is the topic, "it" is the thing named last. A
question without a pronoun that is hardly more than a question word is completed from the question before it. If
nothing fits, the question stays as it is: a wrong name finds worse documents than no name.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence

# Pronouns replaced in one question; a third one seldom refers to the same name.
MOST_REPLACED = 2
# Factor on a name's weight for each older turn.
_FADES = 0.9
# Extra weight of a name in the first turn.
_TOPIC = 1.0
# Extra weight of a name repeated within a turn.
_REPEATED = 0.5
# "It" refers only to things named within this many turns.
_LATELY = 3
# A question of at most this many words is completed from the one before.
_SHORT = 3

_SMALL_WORDS = (
    "a an the in on at of to by for with and or but if so when while what who whom whose which where why how did "
    "does do is are was were has have had can could will would should may might must i he she it they we you his "
    "her its their my our your this that these those there then after before since as from also yes no not other "
    "any some all both each many most one two three please tell name list give aside besides during into over under "
    "about between more else now today let thanks"
)
_SMALL = frozenset(_SMALL_WORDS.split())
_INSIDE = "of|the|and|for|de|la|van|von|in|on|to|a|&"
_NAME = re.compile(rf"[A-Z][\w'’.&-]*(?:(?: (?:{_INSIDE}))* [A-Z][\w'’.&-]*| \d[\w'’.&-]*)*")
_MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
_DAYS = "Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday"
_DATE = re.compile(rf"(?:(?:{_MONTHS}|{_DAYS})[ ,\d]*)+")
_PRONOUN = re.compile(
    r"\b(?:(?P<person>he|him|his|she|her|hers)|(?P<many>they|them|their|theirs)|(?P<thing>it|its))\b"
    r"(?P<rest>['’](?:s|ll|d|re|ve))?",
    re.IGNORECASE,
)
# Before a name that is a place
_PLACED = r"\b(?:in|at|near|from|to) (?:the )?"
_PERSONAL = re.compile(r"\b(?:he|she|his|her|him)\b", re.IGNORECASE)
_OWNING = frozenset(["his", "its", "their", "theirs", "hers"])
_NO_NOUN = re.compile(  # what follows a "her" that is not possessive
    r"\s*(?:$|[?.,!;:]|(?:in|on|at|of|to|by|for|with|and|or|but|from|about|as|when|while|after|before|during|because|"
    r"into|do|be|a|an|the|that|this|is|was|become|go|get|have|being|win|make)\b)",
    re.IGNORECASE,
)
_IMPERSONAL = re.compile(  # an "it" that refers to nothing
    r"\bit(?= (?:is |was |be )?(?:true|possible|important|likely|common|known|said|rain\w*|snow\w*|take|takes|allowed|"
    r"permitted|necessary|required|enough|safe|legal|worth|mandatory|okay|ok|fine|late|dark|cold|time|better|best|hard|easy)\b)",
    re.IGNORECASE,
)


def rewrite_within(question: str, earlier: Sequence[str], *, most_chars: int) -> str:
    """Return the question rewritten to stand alone, or unchanged if the rewritten one would be too long."""
    alone = rewrite(question, earlier)
    return alone if len(alone) <= most_chars else question


def rewrite(question: str, earlier: Sequence[str] = ()) -> str:
    """Return the question with omitted references filled in, or unchanged if nothing was said before.

    "Where was she born?"  after "Who was Marie Curie?"     -> "Where was Marie Curie born?"
    "Why?"                 after "Is the lamp lit at dusk?" -> "Why is the lamp lit at dusk?"

    Args:
        earlier: previous questions and answers, oldest first.
    """
    if not earlier or not question.strip():
        return question
    ranked, lately = _names_by_weight(earlier)
    places = {
        name for text in earlier for name in names_in(text) if re.search(_PLACED + re.escape(name), text)
    }
    personal = any(_PERSONAL.search(text) for text in (*earlier, question))
    done = 0

    def name_for(found: re.Match[str]) -> str:
        nonlocal done
        name = _choose(found, ranked, lately, places, personal=personal)
        before = question[: found.start()]
        known = found[0] == "IT" or any(True for _ in names_in(before[:1].lower() + before[1:]))
        if name is None or known or done == MOST_REPLACED or _IMPERSONAL.match(question, found.start()):
            return found[0]
        done += 1
        word = found[0].lower()
        owning = word in _OWNING or (word == "her" and not _NO_NOUN.match(question, found.end()))
        return f"{name}'s" if owning else f"{name}{found['rest'] or ''}"

    replaced = _PRONOUN.sub(name_for, question)
    return replaced if done else _continued(question, earlier)


def names_in(text: str) -> Iterator[str]:
    """Yield the capitalised names of a text, without function words at the start of a sentence, and without dates."""
    for found in _NAME.finditer(text):
        words = found[0].split()
        while words and words[0].lower().rstrip(".") in _SMALL:
            words.pop(0)
        name = re.sub(r"['’]s$", "", " ".join(words).rstrip(".,'’&-"))
        if len(name) > 1 and not name[0].isdigit() and not _DATE.fullmatch(name):
            yield name


def _names_by_weight(earlier: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the names mentioned, heaviest first, and those of the last few turns, newest first."""
    weights: defaultdict[str, float] = defaultdict(float)
    ages: dict[str, int] = {}
    for age, text in enumerate(reversed(earlier)):
        seen: set[str] = set()
        for name in names_in(text):
            weights[name] += _FADES**age * (_REPEATED if name in seen else 1.0)
            weights[name] += _TOPIC if age == len(earlier) - 1 and name not in seen else 0.0
            ages.setdefault(name, age)
            seen.add(name)
    for short in sorted(weights, key=len):  # "Curie" counts for "Marie Curie"
        longer = [n for n in weights if n != short and re.search(rf"\b{re.escape(short)}\b", n)]
        if longer:
            weights[max(longer, key=weights.__getitem__)] += weights.pop(short)
    ranked = sorted(weights, key=lambda name: -weights[name])
    lately = sorted((name for name in ranked if ages[name] < _LATELY), key=ages.__getitem__)
    return ranked, lately


def _choose(
    found: re.Match[str],
    ranked: Sequence[str],
    lately: Sequence[str],
    places: Collection[str],
    *,
    personal: bool,
) -> str | None:
    """Return the name that a pronoun refers to, or None if none is likely. A place is never he, she or they."""
    if not found["thing"]:
        ranked = [name for name in ranked if name not in places]
    if not ranked:
        return None
    if found["thing"] and personal:
        return next((name for name in lately if name != ranked[0]), None)
    return ranked[0]


def _continued(question: str, earlier: Sequence[str]) -> str:
    """Complete a bare question word from the question before it."""
    bare = question.rstrip(" ?!.")
    asked = next((text for text in reversed(earlier) if text.rstrip().endswith("?")), None)
    if (
        asked is None
        or len(bare.split()) > _SHORT
        or any(True for _ in names_in(bare[:1].lower() + bare[1:]))
    ):
        return question
    first = bare.split()[0].lower()
    if first not in ("why", "how", "when", "where", "who") or len(bare.split()) > 1:
        return question
    rest = asked.strip()
    words = rest.split()
    if words[0].lower().strip(",") == first:
        return rest
    if words[0].lower().strip(",") in ("who", "what", "which", "where", "when", "why", "how"):
        return f"{bare}, {rest[:1].lower()}{rest[1:]}"
    return f"{bare} {rest[:1].lower()}{rest[1:]}"
