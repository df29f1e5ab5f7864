"""Make statements from questions and answers, and make true statements false; by rules, in English."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

NAME = re.compile(r"\b(?:[A-Z][\w'-]+(?: (?:of |the )?[A-Z][\w'-]+)*|\d[\d,.]*\d|\d)\b")
WORD = re.compile(r"\w+")
_SMALL_WORDS = (
    "the a an of in on at to for by with and or is are was were be been it its his her their this that as "
    "from did do does what who when where which how why many much has have had"
)
SMALL = frozenset(_SMALL_WORDS.split())
_BEING, _HELPING = "is are was were", "do does did can could will would has have had should may might must"
_BE = frozenset(_BEING.split())
_AUXILIARY = _BE | frozenset(_HELPING.split())
_CLAUSE_WORDS = "when once while because after before if"
_CLAUSES = frozenset(_CLAUSE_WORDS.split())
_VERB_WORDS = (
    "accept achieve act add affect allow appear apply ask attack attend be become begin believe belong break "
    "bring build buy call carry cause change choose claim collect come compare complete consider consist "
    "contain continue contribute control cover create cut deal decide define demand depend describe design "
    "destroy develop die differ direct discover divide do draw drink drive drop earn eat employ end enter "
    "establish estimate exist expect experience explain face fail fall feature feed feel fight fill find "
    "finish flow focus follow force form gain get give go govern grow happen hate have hear help hide hold "
    "hope hurt identify include increase influence introduce invade invent join keep kill know lack land lead "
    "learn leave lie like limit listen live look lose love maintain make marry mean measure meet mention move "
    "name need occur offer open operate order own pass pay place plan play point prefer prevent produce "
    "promise protect prove provide publish put reach read receive recommend record reduce refer refuse reject "
    "release rely remain remove replace report represent require respond rest result retain return reveal "
    "rise rule run say see seek seem sell send serve set share show sign sing sit sleep speak spend stand "
    "start state stay stop study suffer suggest support surround take talk teach tell think throw touch trade "
    "train travel treat try turn use view visit wait walk want watch wear win wish work worry write"
)
_VERBS = frozenset(_VERB_WORDS.split())
_PARTICIPLE = re.compile(
    r"(?:\w{2,}ed|born|built|made|written|held|known|found|given|taken|called|sold|won|led|left|kept|seen|set|"
    r"sent|spent|put|paid|lost|begun|broken|chosen|drawn|driven|shown|said|told|thought|brought|bought|caught|"
    r"fought|taught|understood|spoken|worn|grown|thrown|hidden|cut|split|fed|\w{3,}ing)"
)
_PAST = re.compile(
    _PARTICIPLE.pattern + r"|wrote|became|began|came|gave|took|ran|saw|went|grew|knew|fell|rose|drew|drove|"
    r"broke|chose|spoke|stood|threw|wore|had|has|contains?|includes?"
)
_PREPOSITIONS = (
    "in on at to from by for with of during under through into about as after before since until near upon"
)
_QUESTION = re.compile(
    rf"^(?:(?P<before>{_PREPOSITIONS.replace(' ', '|')}) )?"
    r"(?P<asks>who|whom|whose|what|which|when|where|why|how many|how much|how)(?:'s)? (?P<rest>.+?)\s*\?*$",
    re.IGNORECASE,
)
_LEAD = re.compile(
    r"^(.{3,70}?), ((?:in |on |at |to |by |for )?(?:who|what|which|when|where|why|how)\b.*)$", re.I
)
_LAST = re.compile(
    r"^(.*\S) (?:what|who|whom|where|when|which(?: \w+)?|how many(?: \w+)?|what \w+)\s*\?+$", re.I
)
_OPPOSITE_WORDS = (
    "first/last more/less before/after north/south east/west increased/decreased largest/smallest won/lost "
    "older/younger higher/lower all/none always/never early/late male/female good/bad most/fewest "
    "increase/decrease begins/ends began/ended northern/southern eastern/western major/minor "
    "with/without can/cannot best/worst above/below"
)
_OPPOSITES = dict(
    pair.split("/")
    for both in _OPPOSITE_WORDS.split()
    for pair in (both, "/".join(reversed(both.split("/"))))
)


def declare(question: str, answer: str) -> str:
    """Combine a question and its answer into a statement, by rules; if no rule fits, join them.

    "Who wrote Emma?", "Jane Austen"     -> "Jane Austen wrote Emma."
    "When was Emma published?", "1815"   -> "Emma was published in 1815."
    "What did Emma want?", "a friend"    -> "Emma did want a friend."
    """
    question, answer = " ".join(question.split()), answer.strip().rstrip(".,;")
    stated = _declared(question, answer)
    if stated is None:
        return f"{question} {answer}"
    stated = " ".join(stated.split())
    return stated[:1].upper() + stated[1:] + "."


def _declared(question: str, answer: str) -> str | None:
    if len(answer.split()) > 25:
        return None
    if lead := _LEAD.match(question):
        rest = _declared(lead[2], answer)
        return rest and f"{lead[1]}, {rest}"
    if last := _LAST.match(question):
        return f"{last[1]} {answer}"
    match = _QUESTION.match(question)
    if match is None:
        return None
    asks, words = match["asks"].lower(), match["rest"].split()
    at = next((i for i, word in enumerate(words[:6]) if word in _AUXILIARY), None)
    if at is None:
        verb = next((i for i, word in enumerate(words) if _PAST.fullmatch(word)), 0 if asks == "who" else -1)
        counted = " ".join(words[:verb]) if asks == "how many" else ""
        return None if verb < 0 or asks in ("how", "why") else f"{answer} {counted} {' '.join(words[verb:])}"
    noun, auxiliary, tail = words[:at], words[at], words[at + 1 :]
    if not tail:
        return None
    said = _adverbial(asks, noun, answer, match["before"])
    subject_first = asks == "who" or (bool(noun) and not match["before"])
    return _ordered(said, auxiliary, tail, subject_first=subject_first)


def _ordered(said: str, auxiliary: str, tail: list[str], *, subject_first: bool) -> str | None:
    """Move the auxiliary to its place in a statement: before the verb, or between subject and answer."""
    wanted = (
        _PARTICIPLE.fullmatch
        if auxiliary in _BE or auxiliary in ("has", "have", "had")
        else _VERBS.__contains__
    )
    articles = ("the", "a", "an")
    verb = next((i for i, w in enumerate(tail) if wanted(w) and (not i or tail[i - 1] not in articles)), None)
    if verb == 0:
        return f"{said} {auxiliary} {' '.join(tail)}"
    if verb is not None:
        clause = next((i for i, word in enumerate(tail) if i > verb and word in _CLAUSES), len(tail))
        subject, rest, end = (" ".join(words) for words in (tail[:verb], tail[verb:clause], tail[clause:]))
        return f"{subject} {said} {end}" if rest == "do" else f"{subject} {auxiliary} {rest} {said} {end}"
    if auxiliary not in _BE:
        return None
    # "what is it good for", "what is it available in"
    if len(tail) > 2 and tail[-1] in _PREPOSITIONS.split():
        return f"{' '.join(tail[:-2])} {auxiliary} {' '.join(tail[-2:])} {said}"
    return f"{said} {auxiliary} {' '.join(tail)}" if subject_first else f"{' '.join(tail)} {auxiliary} {said}"


def _adverbial(asks: str, noun: list[str], answer: str, before: str | None) -> str:
    """Give the answer the preposition or noun that its place in a statement needs."""
    opening = answer.split()[0].lower() if answer else ""
    if before:
        return answer if opening == before.lower() else f"{before.lower()} {answer}"
    if asks in ("how many", "how much") and noun and noun[-1].lower() not in answer.lower():
        return f"{answer} {' '.join(noun)}"
    if opening in _PREPOSITIONS.split() or opening in ("because", "when", "between"):
        return answer
    if asks == "when" or "year" in noun:
        return (
            f"on {answer}"
            if re.search(r"[A-Z]\w+ \d{1,2}\b(?!\d)|\b\d{1,2} [A-Z]", answer)
            else f"in {answer}"
        )
    if asks == "where":
        return f"in {answer}"
    return f"because {answer}" if asks == "why" else answer


def join(statements: Sequence[str], rng: random.Random) -> str:
    """Join two statements into one."""
    first, second = statements
    if first.endswith("?") or rng.random() < 0.4 or not first.endswith("."):
        return f"{first} {second}"
    small = second[:1].lower() + second[1:] if second.split()[0].lower() in SMALL else second
    return f"{first[:-1]}, and {small}"


def alter(statement: str, text: str, rng: random.Random) -> str | None:
    """Make a true statement false: another number or name of the text, a negation, or a word's opposite."""
    ways = [_exchange, _exchange, _negate, _oppose]
    rng.shuffle(ways)
    return next((changed for way in ways if (changed := way(statement, text, rng))), None)


def _exchange(statement: str, text: str, rng: random.Random) -> str | None:
    found = [m for m in NAME.finditer(statement) if m[0].lower() not in SMALL and m.start()]
    if not found:
        return None
    old = rng.choice(found)
    others = {m[0] for m in NAME.finditer(text) if m[0].lower() not in SMALL and m.start()}
    numeric = old[0][0].isdigit()
    fitting = sorted(
        o for o in others if o[0].isdigit() == numeric and o not in statement and old[0] not in o
    )
    if numeric and (not fitting or rng.random() < 0.5):
        fitting = [_other_number(old[0], rng)]
    if not fitting:
        return None
    return statement[: old.start()] + rng.choice(fitting) + statement[old.end() :]


def _other_number(number: str, rng: random.Random) -> str:
    """Change one digit, never to a leading zero."""
    places = [i for i, sign in enumerate(number) if sign.isdigit()]
    place = rng.choice(places[1:] or places)
    return number[:place] + rng.choice([d for d in "123456789" if d != number[place]]) + number[place + 1 :]


def _negate(statement: str, text: str, rng: random.Random) -> str | None:
    if re.search(r"\b(?:not|never)\b ?", statement):
        return re.sub(r"\b(?:not|never)\b ?", "", statement, count=1)
    changed = re.sub(
        r"\b(is|are|was|were|can|could|will|would|has|had|did|does)\b(?! not)", r"\1 not", statement, count=1
    )
    return changed if changed != statement and "?" not in statement else None


def _oppose(statement: str, text: str, rng: random.Random) -> str | None:
    found = [m for m in WORD.finditer(statement) if m[0] in _OPPOSITES]
    if not found:
        return None
    old = rng.choice(found)
    return statement[: old.start()] + _OPPOSITES[old[0]] + statement[old.end() :]
