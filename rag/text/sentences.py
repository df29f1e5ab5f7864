"""Split text into sentences as spans that lose nothing: joined, they are the text again.

A sentence ends at `.`, `!` or `?` before a space and a likely beginning, at their full-width and
Indic counterparts anywhere, and at a structural line break: a blank line, a heading, a list item,
a table row, a labelled line, a row that begins with a code or is set in columns. Rules, not a model:
15 MB per second matter more here than the last per cent, and a wrong split costs a citation a few words.
"""

from __future__ import annotations

import re

Span = tuple[int, int]

# English, German, French and Spanish; where the next word is not capitalised, none of them is needed.
_TITLES = (
    "mr mrs ms dr prof st gen col lt sgt capt rev hon gov sen rep messrs mme vs e.g i.e cf ca al approx z.b d.h "
    "hr hrn fr frl fa dipl ing bsp vgl sog evtl geb gest zzgl mlle mgr av sr sra srta dra dña lic gral "
    "profa ud uds ee avda sig dott avv dhr mevr"
)
_NUMBERED = (
    "no nos vol fig figs eq sec ch pp p art abs nr bd ed eds jan feb mar apr jun jul aug sep sept oct nov dec "
    "kap ziff rn str mär okt dez tel núm pág págs cap janv févr avr juil déc ene abr"
)
_ENDING = (
    "jr sr etc inc ltd co corp dept est u.s u.k u.n a.m p.m bzw ggf usw inkl ph.d "
    "usf mio mrd jh ff u.a o.ä s.a uu cía"
)
_BEGINNERS = (
    "the a an it he she they we i you this that these those in on at as if when while after before for from by "
    "however but and there its his her their our my no not all some many most both each since during although "
    "under with to what who why how where das die der es er sie wir im in am "
    "und aber dann danach dort hier bei mit für nach auch wenn wie was wer man ein eine "
    "le les un une il elle ils elles nous vous ce cette ces dans pour par mais et en au el la una los las por para "
    "pero y se con"
)
_MONTHS = "januar februar märz april mai juni juli august september oktober november dezember"
_NAME_FOLLOWS = frozenset(_TITLES.split())  # never end a sentence
# Ordinary words unless a number follows: "No. 5", "no. He".
_NUMBER_FOLLOWS = frozenset(_NUMBERED.split())
# End a sentence only if the next word is one that often begins a sentence.
_MAY_END = frozenset(_ENDING.split())
_STARTERS = frozenset(_BEGINNERS.split())
# "am 3. Oktober", "der 2. Weltkrieg": German writes an ordinal with a stop.
_ORDINALS_FOLLOW = re.compile(
    r"(?:^|\s)(?:der|die|das|den|dem|des|im|vom|zum|zur|beim|seit|jede[mnrs]?)\s$", re.IGNORECASE
)
_ORDINAL_MONTHS = frozenset(_MONTHS.split())
_END = re.compile(  # begins with one set of characters, which lets the scanner skip all others quickly
    r"""[.!?…。！？｡؟۔।॥։።\n\#](?:
        (?<=[.!?…]) (?<![.!?…]{2})                                          # western end, before a space
        (?P<stop>[.!?…]*+[\])"'“”‘’«»‹›*_]*+ (?:[ \u00a0\u202f][»›])?) (?=\s|\Z)
      | (?<=[。！？｡؟۔।॥։።]) [。！？｡؟۔।॥։።]*+[」』”’）]*+                   # ends that need no space
      | (?<=^\#) \#{0,5}[ ][^\n]*+\n                                      # a heading ends
      | (?<=\n) (?: [ \t\r]*+(?=\n)                                       # blank line
                 | (?:={3,}+|-{3,}+)[ \t\r]*+(?:\n|\Z)                     # an underlined heading ends, or a rule
                 | (?<=\|\n)                                               # a table row ends
                 | (?=[ \t]*+(?:[-*+•–][ \t] | \(?[0-9A-Za-z]{1,3}[.)][ \t] | \#{1,6}[ ] | \| | > | ``` | ~~~))
                 | (?=[A-Z]\w{0,15}(?:[ ]\w{1,15}){0,2}:[ ])               # labelled line: "Invoice date: 3 May"
                 | (?=[a-z]\w{0,15}[._]\w{1,24}:[ ] | [a-z]{1,16}:[ ])      # the same in a file of keys: "unit_s: 3"
                 | (?=[A-Z]{1,6}[-_ ]?\d{1,6}\b)                            # a row of codes: "ERR-0042 No current"
                 | (?=\w[^\n]{0,40}?[ ]{3,}\S)                              # columns set with spaces
                 ))""",
    re.VERBOSE | re.MULTILINE,
)
_SPACE = re.compile(r"\s*+")
_OPENING = r"\s+[\[(\"'“‘„‚«»‹›¿¡*_#>|–—-]*\s*"
_BEGINNING = re.compile(_OPENING + r"(?:([^\W\d_])|\d|$)")  # and the letter is not a small one
# For text without capitals.
_ANY_BEGINNING = re.compile(_OPENING + r"(?:\w|$)")
_LAST_WORD = re.compile(r"[\w.]+$")
_NEXT_WORD = re.compile(r"\W*(\w*)")
# "1.2. Item" and "IV. Item" at the beginning of a line.
_LABEL = re.compile(r"\d+(?:\.\d+)+|[IVXLC]{2,6}")
_LETTER_FOLLOWS = re.compile(r"\s?[^\W\d_]\.")
_ACRONYM = re.compile(r"(?:[^\W\d_]\.)+[^\W\d_]")
_LOOK_BACK, _LOOK_AHEAD = 16, 16  # characters: the longest abbreviation, the longest starter
# "It is important to ..." and "This Agreement ..." refer to nothing before them.
_REFERS_BACK = re.compile(
    r"\s*(?:(?:This|These|That|Those)\b(?! [A-Z])|(?:It|He|She|They|Its|His|Her|Their|Such)\b)"
    r"(?! (?:is|was) (?:not )?\w+ (?:to|that)\b)"
)


def split_sentences(text: str) -> list[Span]:
    """Return consecutive spans that together are the text; white space belongs to the sentence before it.

    Text of only white space gives one span; empty text gives none.
    """
    if not text:
        return []
    beginning = _BEGINNING if _has_capitals(text) else _ANY_BEGINNING
    cuts, reached = [0], _skip_space(text, 0)  # leading white space goes to the first sentence
    for match in _END.finditer(text):
        if match.end() <= reached or not _ends_sentence(text, match, beginning):
            continue
        reached = _skip_space(text, match.end())
        if reached < len(text):
            cuts.append(reached)
    return list(zip(cuts, [*cuts[1:], len(text)], strict=True))


def strip_span(text: str, start: int, end: int) -> Span:
    """Shrink a span so that it neither begins nor ends with white space; an empty one is at `start`."""
    while end > start and text[end - 1].isspace():
        end -= 1
    first = _skip_space(text, start)
    return (first, end) if first < end else (start, start)


def _has_capitals(text: str) -> bool:
    """Return whether a capital marks the beginning of a sentence here; lower-cased exports have none."""
    sample = text[:20_000]
    upper = sum(map(str.isupper, sample))
    return upper * 200 > sum(map(str.islower, sample))


def _ends_sentence(text: str, match: re.Match[str], beginning: re.Pattern[str]) -> bool:
    if match.group("stop") is None:
        return True
    following = text[match.end() : match.end() + _LOOK_AHEAD]
    if not following:
        return False
    if following[0] != "\n":
        begun = beginning.match(following)
        if begun is None or (beginning is _BEGINNING and (begun[1] or "").islower()):
            return False
    if match.group() != ".":
        return True
    before = text[max(0, match.start() - _LOOK_BACK) : match.start()]
    word = _LAST_WORD.search(before)
    return word is None or _ends_after(word.group(), before[: word.start()], following)


def _ends_after(word: str, before: str, following: str) -> bool:
    """Return whether the stop after `word` ends a sentence rather than an abbreviation or a list number."""
    if word.isdigit():
        if _is_ordinal(word, before, _next_word(following).lower()):
            return False
        named = _LAST_WORD.search(before.rstrip(" \t."))
        if named and before.rstrip(" \t").endswith(".") and named.group().lower() in _NUMBER_FOLLOWS:
            return True  # "see No. 5."
        # "12. Item" at the beginning of a sentence is a list number.
        return before.rstrip(" \t")[-1:] not in ("\n", "", ".", "!", "?")
    if _LABEL.fullmatch(word) and before.rstrip(" \t")[-1:] in ("\n", ""):
        return False
    lowered, upcoming = word.lower(), _next_word(following)
    if len(word) == 1 and _LETTER_FOLLOWS.match(following):  # "z. B."
        return False
    if lowered in _NAME_FOLLOWS or (len(word) == 1 and word.isupper() and word != "I"):
        return False
    if lowered in _NUMBER_FOLLOWS or lowered.endswith("str"):  # "Goethestr. 12"
        return not upcoming[:1].isdigit()
    if lowered in _MAY_END or _ACRONYM.fullmatch(word):
        return upcoming.lower() in _STARTERS or not upcoming
    return True


def _is_ordinal(number: str, before: str, upcoming: str) -> bool:
    """Return whether a number and its stop are a German ordinal."""
    if len(number) > 2:
        return False
    followed = upcoming not in _STARTERS and upcoming.isalpha()
    return upcoming in _ORDINAL_MONTHS or (followed and _ORDINALS_FOLLOW.search(before) is not None)


def _next_word(following: str) -> str:
    match = _NEXT_WORD.match(following)
    return match.group(1) if match else ""


def _skip_space(text: str, offset: int) -> int:
    match = _SPACE.match(text, offset)
    return match.end() if match else offset


def refers_back(sentence: str) -> bool:
    """Return whether an English sentence begins with a word for what was named before it: "It weighs 1.3 kilograms"."""
    return _REFERS_BACK.match(sentence.strip().capitalize() if sentence.isupper() else sentence) is not None
