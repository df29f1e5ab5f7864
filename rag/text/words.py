"""Turn text into the terms of the lexical index, the same way for chunks and for questions.

"The café's self-hosted API"  -> the, cafe, self, host, api      folded, stemmed, hyphens opened
"RFC 2616", "RFC2616"         -> rfc2616, rfc, 2616              a compound and its parts
"user_id", "parseHeader"      -> user_id, user, id; parsehead, pars, header
"v2.3.1", "1,000.50"          -> v2.3.1, 2.3.1; 1000.50
"1.000,50"                    -> 1000.50
"U.S."                        -> u.s, us
"全文検索"                     -> 全文, 文検, 検索                  two characters each; Thai and Khmer three
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import cache
from itertools import chain

import Stemmer

from rag.text.languages import ENGLISH, function_words, language_of

# Raise it with every change of the terms: an index of other terms has to be rebuilt.
VERSION = 2
# Code points; a longer run (base64, a line of underscores) is cut, and still finds itself.
LONGEST_TERM = 64

# Scripts written without spaces. Hangul has spaces, but its particles are attached to words, so pairs work
# better.
_PAIRED = (
    "\u2e80-\u2fdf\u3005-\u3007\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003ffff"
)
_TRIPLED = "\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0ece\u1000-\u103f\u1780-\u17d3"  # Thai, Lao, Burmese, Khmer
# Combining marks and vowel signs: `\w` omits them, which would split Hindi and Hebrew words.
_MARKS = (
    "\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed"
    "\u0730-\u074a\u0900-\u0963\u0971-\u0dff\u0f71-\u0f84"
)


def _surface_pattern(run: str, other_scripts: str = "") -> re.Pattern[str]:
    """Match one surface form: runs of letters and digits joined within a word, or an acronym and its number."""
    return re.compile(
        rf"{run}(?:(?:['’.\-‐]|(?<=[0-9]),(?=[0-9])){run})*"
        r"(?: (?<=[A-Z][A-Z] )[0-9]+(?!\w|[.,][0-9])|\+\+|#(?!\w))?"  # RFC 2616, C++, C#
        rf"{other_scripts}"
    )


_SPACED = rf"[^\W{_PAIRED}{_TRIPLED}]"
# Fits most text, and is a third faster than the general pattern.
_ASCII_SURFACE = _surface_pattern("[0-9A-Z_a-z]+")
_SURFACE = _surface_pattern(rf"{_SPACED}+(?:[{_MARKS}]+{_SPACED}*)*", f"|[{_PAIRED}]+|[{_TRIPLED}]+")
# Soft hyphens and joiners do not split a word.
_INVISIBLE = re.compile("[\u00ad\u200c\u200d\u2060\ufeff]")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
# A number as German, French and Spanish write it: "1.234,56".
_CONTINENTAL = re.compile(r"\d{1,3}(?:\.\d{3})+,\d+")
# Possessives and contractions.
_ENDING = re.compile(r"'(?:s|ve|ll|re|d|m)?$", re.IGNORECASE)
# A number with its dots, an acronym with its plural s, a word with its capital, a lone capital.
_PIECE = re.compile(r"\d+(?:\.\d+)*|[A-Z]{2,}s?(?![^\dA-Z_.,\-+# ])|[A-Z]?[^\dA-Z_.,\-+# ]+|[A-Z]")
_LATIN_MARKS = re.compile(r"(?<=[a-z\u0370-\u03ff])[\u0300-\u036f]+")
_UNDECOMPOSED = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i"}
)

_STOP_WORDS = """
    a about above after again against all also am an and any are as at be because been before
    being below between both but by can could did do does doing down during each few for from further had has
    have having he her here hers herself him himself his how i if in into is it its itself me more most my myself
    no nor not now of off on once only or other our ours ourselves out over own same she should so some such
    than that the their theirs them themselves then there these they this those through to too under until up
    very was we were what when where which while who whom whose why will with would you your yours yourself
    dont doesnt didnt isnt arent wasnt werent cant couldnt wont wouldnt shouldnt havent hasnt hadnt"""

# 0 turns off its own cache, which would be a second one.
_stem: Callable[[str], str] = Stemmer.Stemmer("english", 0).stemWord


def text_terms(text: str) -> list[str]:
    """List the terms of a chunk in reading order, repeats included; BM25 uses the list's length."""
    return list(chain.from_iterable(map(_known.__getitem__, _surfaces(text))))


def question_terms(text: str) -> list[str]:
    """List the terms of a question, repeats included; each occurrence counts once in a BM25 sum.

    Like `text_terms`, except that
    - stop words, those of the question's language, are dropped if other words remain; an acronym (`WHO`) in a
      question that is not all in capitals is not a stop word;
    - the whole of an identifier is listed once per part, so that a chunk with `user_id` ranks before
      one with many occurrences of `user` and `id`: the whole is at least as rare as each part, and a part
      gains at most k1 + 1 = 2.2 times its idf by being frequent;
    - a word before a number is also tried as a compound: `rfc 2616` finds the chunk with `RFC2616`.
    """
    kept: list[str] = []
    every: list[str] = []
    shouted, stop_terms = text.isupper(), _stop_terms(language_of(text))
    before = ""
    for surface in _surfaces(text):
        terms = list(_known[surface])
        if surface in _known.wholes:
            terms += terms[:1] * (len(terms) - 2)
        if before and surface.isdecimal():
            terms.append(f"{before}{terms[0]}")
        every += terms
        stops = _is_stop_word(surface, terms, stop_terms, shouted=shouted)
        kept += [] if stops else terms
        before = _fold(surface) if surface.isalpha() and not stops else ""
    return kept or every


def content_words(text: str) -> list[tuple[int, int, str]]:
    """List (start, end, term) of the words of a question in plain characters that are no stop words.

    The term of a compound is its whole, that of a version its number: "10-Q" is 10q, "v1.4" is 1.4.
    """
    found: list[tuple[int, int, str]] = []
    shouted, stop_terms = text.isupper(), _stop_terms(language_of(text))
    for match in (_ASCII_SURFACE if text.isascii() else _SURFACE).finditer(text):
        terms = _known[match[0]]
        if not terms or _is_stop_word(match[0], terms, stop_terms, shouted=shouted):
            continue
        version = terms[1:] == (terms[0].removeprefix("v"),)
        found.append((*match.span(), terms[-1] if version else terms[0]))
    return found


def _is_stop_word(surface: str, terms: Sequence[str], stop_terms: frozenset[str], *, shouted: bool) -> bool:
    return bool(terms) and terms[0] in stop_terms and (shouted or len(surface) < 2 or not surface.isupper())


def plain_characters(text: str) -> str:
    """Return a text without compatibility characters and invisible ones, as the index reads it."""
    return text if text.isascii() else _INVISIBLE.sub("", unicodedata.normalize("NFKC", text))


def _surfaces(text: str) -> list[str]:
    return (_ASCII_SURFACE if text.isascii() else _SURFACE).findall(plain_characters(text))


class _SurfaceTerms(dict[str, tuple[str, ...]]):
    """Surface form -> its terms, computed once: a text has many words, a language few."""

    LIMIT = 500_000  # surface forms, about 100 MB; beyond that, the cache starts over

    def __init__(self) -> None:
        super().__init__()
        self.wholes: set[str] = set()  # the surface forms whose first term is their whole

    def __missing__(self, surface: str) -> tuple[str, ...]:
        whole, parts = _split(surface)
        terms = tuple(dict.fromkeys(term[:LONGEST_TERM] for term in [whole, *parts] if term))
        if len(self) >= self.LIMIT:
            self.clear()
            self.wholes.clear()
        if len(surface) <= LONGEST_TERM:
            self[surface] = terms
            self.wholes |= {surface} if whole else set()
        return terms


_known = _SurfaceTerms()
_first_of = re.compile(f"(?P<paired>[{_PAIRED}])|(?P<tripled>[{_TRIPLED}])").match


def _split(surface: str) -> tuple[str, list[str]]:
    """Return the whole of a surface form ("" if its parts suffice) and its parts, folded and stemmed."""
    if script := _first_of(surface):
        return "", _grams(surface, 2 if script["paired"] else 3)
    word = _ENDING.sub("", surface.replace("’", "'").replace("‐", "-")).strip("_")
    head, _, tail = word.partition("'")
    if _CONTINENTAL.fullmatch(word):
        word = word.replace(".", "").replace(",", ".")
    word = _THOUSANDS.sub("", word.replace("'", ""))
    if word.isupper() and not word.isascii():  # CAFÉ: a piece's capitals are A to Z
        word = word.lower()
    pieces = _PIECE.findall(word)
    if len(head) == 1 and len(tail) > 1:  # l'homme, O'Brien
        return _normalise(word), [_normalise(tail.replace("'", ""))]
    if len(pieces) == 1 and len(pieces[0]) == len(word):
        return "", [_normalise(word)]
    return _split_compound(word, pieces)


def _split_compound(word: str, pieces: list[str]) -> tuple[str, list[str]]:
    numbers = [piece[0].isdecimal() for piece in pieces]
    hyphenated = "-" in word and not any(numbers[1:]) and len(pieces) == word.count("-") + 1
    if hyphenated and not all(piece[0].isupper() for piece in pieces):  # an X-Request-Id is a name
        glued = [_normalise("".join(pieces))] if len(pieces) == 2 and min(map(len, pieces)) == 1 else []
        # self-hosted = self hosted, e-mail = email
        return "", [_normalise(piece) for piece in pieces] + glued
    if len(pieces) == 2 and numbers[0] != numbers[1] and word[-1] not in "+#":
        return _fold("".join(pieces)), [_normalise(piece) for piece in pieces if len(piece) > 1]
    if pieces and max(map(len, pieces)) == 1 and "." in word:
        return _fold(word), [_fold("".join(pieces))]  # U.S. = US
    if "," in word:
        return "", [_fold(piece) for piece in pieces]  # 1,2,3: a list
    if len(pieces) > 8 or (sum(numbers) > 1 and not re.search(r"[-_.,]", word)):
        return _fold(word), []  # a hash or base64: its pieces mean nothing
    return _normalise(word), [_normalise(piece) for piece in pieces if len(piece) > 1]


def _grams(run: str, size: int) -> list[str]:
    """Cut a run into every `size` neighbouring characters; a shorter run is one term."""
    return [run[i : i + size] for i in range(max(1, len(run) - size + 1))]


def _normalise(word: str) -> str:
    """Fold a word, and stem it if it is Latin without digits or signs."""
    folded = _fold(word)
    return _stem(folded) if folded.isascii() and folded.isalpha() else folded


def _fold(word: str) -> str:
    """Lower-case a word and strip the marks from Latin and Greek letters: `Café` -> `cafe`."""
    word = word.casefold()
    if word.isascii():
        return word
    bare = _LATIN_MARKS.sub("", unicodedata.normalize("NFKD", word.translate(_UNDECOMPOSED)))
    bare = unicodedata.normalize("NFKC", bare)
    return "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in bare)


@cache
def _stop_terms(language: str) -> frozenset[str]:
    words = function_words(language) if language != ENGLISH else []
    return frozenset(text_terms(word)[0] for word in words or _STOP_WORDS.split())
