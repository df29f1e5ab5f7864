"""Find what a user states in a message and should be remembered. By rules, in English.

A statement is in the first person or about what is the user's ("my", "our"), or one that the user asks to remember; one
about a password or the like is none. Its slot says what it is about: "my deadline", "i live in". A newer statement of a
slot supersedes the older one; where there is no slot, one that gives another value of the same does. What is negated,
or switched from, is taken back.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rag.text.sentences import split_sentences
from rag.text.words import question_terms

LEAST_STATED_WORDS = 3  # "I do."
LONGEST_STATEMENT = 300  # characters; a longer sentence is a pasted text

_QUESTION = (
    r"(?:how|what|when|where|who|whom|whose|which|why|can|could|do|does|did|may|must|should|will|would|is|are|am)"
    r"\b"
)
_ASIDE = re.compile(  # said before a statement, and no part of it
    r"^(?:(?:hi|hello|hey|ok|okay|thanks|thank you|well|so|and|also|but|by the way|btw|actually|now|please|sorry|no|"
    r"yes)\b[\s,.!:;-]*)+",
    re.IGNORECASE,
)
_TO_REMEMBER = re.compile(
    r"^(?:remember|note|keep in mind|bear in mind|don['’]t forget|for the record|fyi|from now on)\b[\s,:-]*"
    r"(?:that\b\s*)?",
    re.IGNORECASE,
)
_THEN_ASKED = re.compile(
    rf"(?:(?:,|;|\s[-–—])\s*(?:and\s+|but\s+|so\s+)?|\s+and\s+)(?={_QUESTION})", re.IGNORECASE
)
_AND_ASKED = re.compile(r"\s+and\s+(?=(?:how|what|which|when|where|can|may)\b)", re.IGNORECASE)
_BEGINS_ASKING = re.compile(rf"^{_QUESTION}", re.IGNORECASE)
_ADVERB = (
    r"(?:(?:now|currently|still|also|just|recently|always|usually|already|really|actually|both|all)\s+)*"
)
_SUBJECT = re.compile(rf"^(?:I|we)(?:['’](?P<short>m|re|ve|d|ll))?\s+{_ADVERB}(?P<rest>\S.*)$", re.IGNORECASE)
_OWN = re.compile(
    rf"^(?:my|our)\s+(?P<what>\w[\w' -]{{0,60}}?)\s+{_ADVERB}"
    r"(?P<verb>is|are|was|were|will be|starts?|ends?|has been)\b(?=\s+\S)",
    re.IGNORECASE,
)
_OF_OURS = re.compile(
    r"^\S.{0,60}?\s(?:is|are)\s+(?:my|our)\s+(?P<what>\w[\w' -]{0,40}?)(?=[.,;!]|$)", re.IGNORECASE
)
_NO_FACT = re.compile(  # what is of the talk, not of the user
    r"\b(?:questions?|guess|point|request|problem|issue|bad|apolog\w+|mistake|understanding|thanks|thought|answer)$",
    re.IGNORECASE,
)
_SECRET = re.compile(
    r"\b(?:password|passphrase|passcode|pin|secret|token|api key|credentials?)\b", re.IGNORECASE
)
_CALL_ME = re.compile(r"^call me\s+\S", re.IGNORECASE)
_TO_ASK = (
    "know|understand|see|ask|asking|find|learn|hear|hearing|check|look|looking|search|searching|wonder|wondered|"
    "wondering|curious|interested|confused|unsure|not sure|sure|mean|meant|guess|think|thought|suppose|believe|assume|"
    "said|told|asked|read|heard|noticed|need|want|forgot|talking|agree|disagree|appreciate|would|could|wish|got it|seem"
)
_OF_THE_TALK = re.compile(  # what one says in order to ask, or of the talk itself
    r"^(?:(?:want|like|love|have|hope|try|trying|going|keep|am|was|do|did|don['’]?t|didn['’]?t)\s+)?"
    rf"(?:(?:to|not|very|so)\s+)*(?:{_TO_ASK})\b"
    r"|^(?:have|had|got|do have)\b.{0,20}\b(?:questions?|idea|doubt|clue)\b"
    r"|^(?:can['’]?t|cannot|couldn['’]?t|could not|will|have to|am done|are done|am not happy|am (?:very )?happy)\s"
    r"|^(?:love|like|hate|enjoyed?)\s+(?:this|that|your|it)\b",
    re.IGNORECASE,
)
_FEELING = re.compile(  # a person feels one way about a thing
    r"^(?:(?:really|absolutely|do|also|quite)\s+)*(?:(?:don['’]?t|do not|can['’]?t|cannot|no longer|never)\s+)?"
    r"(?:(?:really|even|much)\s+)?(?:love|like|adore|enjoy|hate|dislike|detest|loathe|stand|care for|am fond of|"
    r"am allergic to)\s+(?P<what>\S.*)$",
    re.IGNORECASE,
)
_SINCE = re.compile(
    r"[\s,]+(?:since(?: then)?|now|(?:any ?more|no more)|very much|a lot|so much|at all|as well|too)$",
    re.IGNORECASE,
)
_SWITCHED = re.compile(
    r"\b(?:switched|moved|changed|migrated|went|upgraded|converted)\b.{0,40}?\bfrom (?P<old>.{1,60}?) (?:over )?to \S"
    r"|\b(?:replaced|swapped|exchanged|dropped) (?P<gone>.{1,60}?) (?:with|by|for) \S",
    re.IGNORECASE,
)
_ENDED = re.compile(
    r"\b(?:no longer|any ?more|no more|(?:stopped|quit|gave up|given up|finished|left|cancelled|canceled)\b)",
    re.IGNORECASE,
)
_HAVING = frozenset(
    question_terms("use uses using have has work works live lives drive own run runs employ stay am is are")
)
_NOT = re.compile(
    r"\b(?:not|no longer|never|don['’]t|do not|doesn['’]t|didn['’]t|isn['’]t|aren['’]t|any ?more|no more)\b\s*",
    re.IGNORECASE,
)
_SHORT_FORMS = {"m": "am ", "re": "are ", "ve": "have ", "d": "would ", "ll": "will "}
_SAME_VERB = {  # what a verb says for a slot, where another says the same
    "moved to": "live in", "have moved to": "live in", "relocated to": "live in", "have relocated to": "live in",
    "moved back to": "live in", "now live in": "live in", "am living in": "live in", "reside in": "live in",
    "am based in": "live in", "am located in": "live in",
    "joined": "work for", "am working for": "work for", "work at": "work for", "am employed at": "work for",
    "am employed by": "work for", "am called": "name", "go by": "name",
}  # fmt: skip
_FEELS = "i feel about"
_PRONOUNS = frozenset(("i", "we", "i'm", "my", "our"))
_ONE_VALUE = ("live in", "work for", "report to", "name")  # a person may prefer, and be, several things
_IS = re.compile(r"(?:is|are|will be)$", re.IGNORECASE)
_CHOSEN = frozenset(
    ("use", "uses", "using", "chose", "chosen", "picked", "selected")
)  # of which there is one
_BEING = frozenset(("is", "are"))
_WORD = re.compile(r"\w[\w'’.-]*\w|\w")


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement in the user's words, and what it is about."""

    text: str
    slot: str  # "" where the rules do not tell


def statements(message: str) -> list[Statement]:
    """Return what a message states, in order.

    "I'm a contractor in Kiel, how long is my leave?"  -> "I'm a contractor in Kiel"
    "Remember that the audit is on 3 May."             -> "the audit is on 3 May"
    "I want to know who Ada is." "Thanks, I see."      -> nothing
    """
    return [found for sentence in _sentences(message) if (found := _statement(sentence)) is not None]


def supersedes(new: Statement, old: Statement) -> bool:
    """Return whether a newer statement takes the place of an older one, by another user's or day's word of the same.

    "I live in Lund" takes that of "I live in Kiel"; "We use SQLite for the catalogue" that of "We use Postgres for
    the catalogue"; "I like tea" not that of "I like coffee". What is negated takes the place of what it negates, what
    is said again that of its negation, and what was switched to that of what it was switched from.
    """
    if switched := _SWITCHED.search(new.text):
        left = _content(switched["old"] or switched["gone"])
        if left <= _content(old.text) and _content(old.text) - left - _HAVING <= _content(new.text):
            return True
    if is_negated(new) or is_negated(old):
        return _negates(new, old)
    if new.slot or old.slot:
        return new.slot == old.slot
    return _differ_in_one_place(_words(new.text), _words(old.text))


def is_negated(statement: Statement) -> bool:
    """Return whether a statement denies something or ends it. A feeling does not count: it is about its object."""
    said = _NOT.search(statement.text) or _ENDED.search(statement.text)
    return said is not None and not statement.slot.startswith(_FEELS)


def _negates(new: Statement, old: Statement) -> bool:
    """Return whether a statement and its negation, in either order, are about the same.

    What ended may be said in fewer words: "I don't work for Nordlicht any more" takes back "... as a welder".
    """
    now, before = _content(new.text), _content(old.text)
    if is_negated(new) and is_negated(old):
        return now == before
    return before <= now or (_ENDED.search(new.text) is not None and bool(now) and now <= before)


def _sentences(message: str) -> Iterator[str]:
    """Yield the parts of a message that ask nothing."""
    for start, end in split_sentences(message):
        sentence = message[start:end].strip()
        asks = sentence.endswith("?")
        parted = (_THEN_ASKED if asks else _AND_ASKED).split(sentence, maxsplit=1)
        if asks and len(parted) < 2:
            continue
        yield parted[0].rstrip(" .!,;")


def _statement(sentence: str) -> Statement | None:
    said = _ASIDE.sub("", sentence)
    remembered = _TO_REMEMBER.match(said)
    text = said[remembered.end() :].strip() if remembered else said
    if _SECRET.search(text):
        return None  # it is not for keeping
    if (
        len(_words(text)) < LEAST_STATED_WORDS
        or len(text) > LONGEST_STATEMENT
        or "\n" in text
        or _BEGINS_ASKING.match(text)
    ):
        return None
    slot = _slot(text)
    return Statement(text, slot or "") if remembered or slot is not None else None


def _slot(text: str) -> str | None:
    """Return what a text is about; "" where it states something of no slot, None where it is no statement."""
    if _CALL_ME.match(text):
        return "my name"
    if own := _OWN.match(text):
        if _NO_FACT.search(own["what"]):
            return None
        slot = f"my {_plain(own['what'])}"
        return slot if _IS.match(own["verb"]) else f"{slot} {own['verb'].lower()}"
    if ours := _OF_OURS.match(text):
        return f"my {_plain(ours['what'])}"
    subject = _SUBJECT.match(text)
    if subject is None:
        return None
    said = _plain(_SHORT_FORMS.get((subject["short"] or "").lower(), "") + subject["rest"])
    if _OF_THE_TALK.match(said):
        return None
    if feeling := _FEELING.match(said):
        return f"{_FEELS} {_plain(_SINCE.sub('', feeling['what']))}"
    bare = _plain(_NOT.sub("", said))
    meant = next((same for words, same in _SAME_VERB.items() if _begins(bare, words)), bare)
    slot = next((words for words in _ONE_VALUE if _begins(meant, words)), "")
    return {"": "", "name": "my name"}.get(slot, f"i {slot}")


def _differ_in_one_place(new: list[str], old: list[str]) -> bool:
    """Return whether two statements give different values for the same thing.

    "the audit is on 4 May" and "the audit is on 3 May" do: they differ after the verb. Statements of a choice, such as
    "we use SQLite for the catalogue", begin and end alike. A person may be several things at once.
    """
    if new == old:
        return True
    shorter = min(len(new), len(old))
    begins = next((n for n in range(shorter) if new[n] != old[n]), shorter)
    ends = next((n for n in range(shorter - begins) if new[-1 - n] != old[-1 - n]), 0)
    same = set(new[:begins])
    if same & _CHOSEN:
        return ends >= 1
    return bool(same & _BEING) and new[0] not in ("i", "i'm", "we", "we're")


def _begins(text: str, words: str) -> bool:
    return text == words or text.startswith(f"{words} ")


def _plain(text: str) -> str:
    return " ".join(text.lower().replace("’", "'").split())


def _content(text: str) -> set[str]:
    """Return the words of a statement beside its subject, its verb's endings and its negation."""
    return set(question_terms(_ENDED.sub(" ", _NOT.sub(" ", text)))) - _PRONOUNS


def _words(text: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(text)]
