"""Find what a conversation mentions: names by their capitals, other noun phrases by the function words around them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

# Mentions that a question may be completed with, the likeliest.
MOST_MENTIONS = 40
# Words of a noun phrase; a longer run of words is no phrase.
LONGEST_PHRASE = 5
# Texts, the newest, whose noun phrases without capitals count.
PHRASES_OF = 4
# Characters at the beginning of a text in which they are looked for.
PHRASES_WITHIN = 250

_FUNCTION_WORDS = (
    "a an the in on at of to by for with and or but if so when while what who whom whose which where why how "
    "do does did done is are was were be been being am has have had having can could will would should may might must "
    "shall i he she it they we you me him us them his her hers its their theirs my mine our ours your yours himself "
    "herself itself themselves this that these those there here then than after before since as from also yes no not "
    "other others another else any anything some something nothing everything nobody everybody everyone "
    "someone all both each every many much most more less few "
    "several one ones two three please tell name list give show find explain describe besides during into over under "
    "about between against through within without until till upon around near across along among because although "
    "though however just only even ever never still yet already again too very really now today let let's thanks thank "
    "ok okay yeah hi hello well up down out off back away get got go goes going went come comes came make makes made "
    "take takes took know known knew see seen saw say says said think thought want wants wanted need needs like use "
    "used i'm it's he's she's that's what's who's there's don't doesn't didn't isn't aren't wasn't weren't can't won't "
    "i'd i've i'll you're they're we're kind kinds type types sort sorts such same own interesting article aspects "
    "happen happens happened mean means called"
)
FUNCTION_WORDS = frozenset(_FUNCTION_WORDS.split())
_INSIDE = "of|the|and|for|de|la|van|von|in|on|to|a|&|to the|of the|in the|on the"
_NAME = re.compile(
    rf"(?:[A-Z]|\d[\w.]*(?= [A-Z]))[\w'’.&/-]*(?:(?: (?:{_INSIDE}))? [A-Z][\w'’.&/-]*| \d[\w'’.&/-]*)*"
)
# Between names that stand side by side: of an owner and the owned, and of two sentences.
_PARTING = re.compile(r"(?<=['’]s)(?= )|(?<=[a-z]{3}\.)(?= )|(?<=\d\.)(?= )")
_MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
_DAYS = "Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday"
_DATE = re.compile(rf"(?:(?:{_MONTHS}|{_DAYS})[ ,\d]*)+")
WORD = re.compile(r"[^\W_](?:[\w'’&/-]|\.(?=\w))*")
_POSSESSIVE = re.compile(r"['’]s?$")
_ASKS = re.compile(
    r"^(?:(?:and|so|but|ok|okay|well|hi|also)[,\s]+)*(?:who|whom|whose|what|which|where|when|why|how|do|does|did|is|are|"
    r"was|were|has|have|had|can|could|will|would|should|may|must|tell|name|list|give|describe|explain)\b",
    re.IGNORECASE,
)


@dataclass(slots=True)
class Mention:
    """Something named in a conversation, and the places where it was."""

    text: str  # as it was named first, without article
    name: bool  # by its capitals
    places: list[Occurrence] = field(default_factory=list)

    @property
    def put_in(self) -> str:
        """How a question refers to it: "the Eiffel Tower", if it mostly has an article."""
        determined = sum(place.before in ("the", "this") for place in self.places)
        indefinite = sum(place.before in ("a", "an") for place in self.places if not self.name)
        return f"the {self.text}" if 2 * (determined + indefinite) > len(self.places) else self.text


@dataclass(frozen=True, slots=True)
class Occurrence:
    """Where something was named."""

    age: int  # of the text: 0 for the newest
    text: int  # its number
    start: int  # in the text
    before: str  # the word before it, in lower case; "" at the start of a text
    after: str  # the word after it


@dataclass(frozen=True, slots=True)
class Transcript:
    """A conversation: its texts, which of them are questions, and what they mention, the likeliest first."""

    texts: tuple[str, ...]  # oldest first
    asks: tuple[bool, ...]
    mentions: tuple[Mention, ...]

    @property
    def asked(self) -> str:
        """The last question; "" if none."""
        return next(
            (t for t, asks in zip(reversed(self.texts), reversed(self.asks), strict=True) if asks), ""
        )


def read_conversation(texts: Sequence[str]) -> Transcript:
    """Read a conversation, oldest text first."""
    asks = tuple(text.rstrip().endswith("?") or _ASKS.match(text.strip()) is not None for text in texts)
    found: dict[str, Mention] = {}
    for number, text in enumerate(texts):
        age = len(texts) - 1 - number
        spans = [(start, end, True) for start, end in name_spans(text)]
        if age < PHRASES_OF:
            spans += [
                (start, end, False)
                for start, end in phrase_spans(text[:PHRASES_WITHIN])
                if not any(start < e and s < end for s, e, _ in spans)
            ]
        for start, end, name in spans:
            mention = found.setdefault(_plain(text[start:end]), Mention(text[start:end], name))
            mention.name |= name
            mention.places.append(_place(text, number, age, start, end))
    _merge_short_names(found)
    ranked = sorted(found.values(), key=weight, reverse=True)
    return Transcript(tuple(texts), asks, tuple(ranked[:MOST_MENTIONS]))


def weight(mention: Mention) -> float:
    """Return how likely a mention is meant, whatever the question: more so if it is frequent, recent or a name."""
    texts = {place.text: place.age for place in mention.places}
    first = 1.0 if 0 in texts else 0.0
    return sum(0.9**age for age in texts.values()) * (2.0 if mention.name else 1.0) + first


def name_spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield where the capitalised names of a text stand, without function words before them, and without dates.

    An owner and what is owned are two: "James May" and "Toy Stories".
    """
    for found in _NAME.finditer(text):
        start = found.start()
        for part in _PARTING.split(found[0]):
            span = _trimmed(text, start, start + len(part))
            start += len(part)
            name = text[slice(*span)]
            if len(name) > 1 and not _DATE.fullmatch(name) and any(map(str.isalpha, name)):
                yield span


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """Leave out function words and numbers that begin a name, and marks and a possessive that end it."""
    while start < end:
        first = text[start:end].split(" ", 1)[0]
        word = first.lower().rstrip(".,'’")
        if word and word not in FUNCTION_WORDS and not word[0].isdigit():
            break
        start += len(first) + 1
    name = _POSSESSIVE.sub("", text[start:end].rstrip(".,'’&/- "))
    return start, start + len(name.rstrip(".,'’&/- "))


def phrase_spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield where runs of words stand between function words and marks: noun phrases, and some verbs among them."""
    run: list[re.Match[str]] = []
    for word in [*WORD.finditer(text), None]:
        gap = text[run[-1].end() : word.start()] if run and word else ""
        if run and (word is None or gap != " " or word[0].lower() in FUNCTION_WORDS):
            if len(run) <= LONGEST_PHRASE and len(run[-1].group()) > 2:
                yield (
                    run[0].start(),
                    run[0].start() + len(_POSSESSIVE.sub("", text[run[0].start() : run[-1].end()])),
                )
            run = []
        if word and word[0].lower() not in FUNCTION_WORDS and not word[0].isdigit():
            run.append(word)


def _place(text: str, number: int, age: int, start: int, end: int) -> Occurrence:
    before = WORD.findall(text[max(0, start - 30) : start])
    after = WORD.findall(text[end : end + 30])
    return Occurrence(
        age, number, start, before[-1].lower() if before else "", after[0].lower() if after else ""
    )


def _merge_short_names(found: dict[str, Mention]) -> None:
    """Count "Curie" for "Marie Curie"."""
    for short in sorted(found, key=len):
        longer = [
            name
            for name, mention in found.items()
            if name != short and mention.name and re.search(rf"\b{re.escape(short)}\b", name)
        ]
        if longer and found[short].name:
            best = max(longer, key=lambda name: weight(found[name]))
            found[best].places.extend(found.pop(short).places)


def _plain(text: str) -> str:
    return text.casefold().replace("’", "'")
