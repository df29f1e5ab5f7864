"""How often languages write the letters that ASCII has not; tells apart code pages of the same script.

Rough percentages of all letters, from counts of running text. Only their order of size matters.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

# Language -> its letters with their percentage; capitals count as the small letter.
_PERCENT = {
    "Danish": "å1.2 ø.9 æ.9 é.03",
    "Dutch": "ë.08 é.05 ï.03 è.02 ü.02 ö.02 ó.01",
    "Finnish": "ä3.6 ö.4 å.01",
    "French": "é1.9 à.5 è.3 ê.2 ç.1 â.05 î.05 û.06 ù.06 ô.03 œ.02 ë.01 ï.01",
    "German": "ü1 ä.6 ö.4 ß.3 é.02",
    "Icelandic": "ð4.4 á1.8 í1.6 þ1.4 ó1 æ.9 ö.8 é.7 ú.6 ý.2",
    "Italian": "à.6 è.3 ù.2 é.1 ò.1 ì.05",
    "Portuguese": "ã.7 ç.5 á.5 é.4 í.3 ó.3 ê.3 õ.2 à.15 ú.15 â.1 ô.1",
    "Spanish": "ó.8 í.7 á.5 é.4 ñ.3 ú.2 ü.01 ¿.05 ¡.02",
    "Swedish": "ä1.8 å1.3 ö1.3 é.05",
    "Croatian": "č1 š1 ć.9 ž.6 đ.3",
    "Czech": "í3.1 á2 ě1.2 ř1.2 é1 ý1 č.9 ž.9 š.8 ů.5 ú.1 ť.05 ó.03 ď.02 ň.02",
    "Hungarian": "á3.4 é3.4 ö.9 ő.9 ó.9 ü.6 í.5 ú.3 ű.2",
    "Polish": "ł2.1 ę1.1 ą1 ó1 ś.8 ż.7 ć.5 ń.3 ź.1",
    "Romanian": "ă2.4 î1.2 ş1.2 ţ1 â.9 ș1.2 ț1",
    "Slovak": "á2 í1.5 é1 č1 š1 ž1 ý1 ú.8 ľ.4 ô.2 ť.4 ň.2 ä.1 ď.1 ó.1 ĺ.02 ŕ.01",
    "Turkish": "ı5.1 ü1.9 ş1.8 ğ1.1 ç1.2 ö.8 i\u03071 â.03 î.01",
    "Estonian": "ä1 õ1 ü.6 ö.2 š.02 ž.02",
    "Latvian": "ā3.9 ē1.8 ī1.7 š1 ņ.6 ū.5 ļ.4 ķ.3 ž.3 ģ.2 č.1",
    "Lithuanian": "ė1.6 ų1.4 š1.3 ž.8 ą.7 į.6 ū.5 č.4 ę.2",
}
_WESTERN = (
    "Danish",
    "Dutch",
    "Finnish",
    "French",
    "German",
    "Icelandic",
    "Italian",
    "Portuguese",
    "Spanish",
    "Swedish",
)
_CENTRAL = ("Croatian", "Czech", "German", "Hungarian", "Polish", "Romanian", "Slovak")
# Code page -> the languages that are written in it, and how likely it is before any evidence (a logarithm).
_PAGES = {
    "cp1252": (_WESTERN, 0.0),
    "cp1250": (_CENTRAL, -2.0),
    "cp1254": (("Turkish",), -2.0),
    "cp1257": (("Estonian", "Latvian", "Lithuanian"), -3.0),
    "iso8859-2": (_CENTRAL, -3.0),
    "mac_roman": (_WESTERN, -5.0),
    "cp850": (_WESTERN, -5.0),
    "cp852": (_CENTRAL, -6.0),
}
_SIGNS = frozenset("‘’‚“”„«»‹›–—…•·€£§°©®™²³½¼¾µ×±†‰¶¨´ \u00a0\u00ad")
_SIGN, _STRANGE = math.log(1e-3), math.log(1e-6)
_MOST_CHARACTERS = 4_000
# Letters of ASCII that count for each other letter: enough to tell Italian from Czech, whose accents are more, and
# not so many that an English text with Czech names is none.
_PLAIN_PER_LETTER = 20


def likeliest_page(data: bytes, known: str = "") -> str | None:
    """Return the code page of Latin letters in which some bytes read most like a language.

    Args:
        data: with bytes above 0x7F.
        known: text of the same file that is certain; its letters show the language.

    Returns:
        None if the bytes are text in none of them.
    """
    scores = {page: _score(data, page, known) for page in _PAGES}
    page = max(scores, key=lambda page: scores[page])
    return page if scores[page] > -math.inf else None


def _score(data: bytes, page: str, known: str) -> float:
    try:
        text = data.decode(page)
    except UnicodeDecodeError:
        return -math.inf
    languages, prior = _PAGES[page]
    places = [at for at, char in enumerate(text) if char > "\x7f"][:_MOST_CHARACTERS]
    shapes = sum(_shape(text, at) for at in places)
    letters = [text[at].lower() for at in places if text[at].isalpha() or text[at] in "¿¡"]
    letters += [char.lower() for char in known if char.isalpha() and "\x7f" < char < "\u0250"]
    plain = min(sum(char.isalpha() for char in text) - len(letters), _PLAIN_PER_LETTER * len(letters))
    return prior + shapes + max(_likelihood(language, letters, plain) for language in languages)


def _likelihood(language: str, letters: Sequence[str], plain: int) -> float:
    """Return the logarithm of how likely a language writes these letters among so many of ASCII."""
    frequencies = _frequencies(language)
    rest = math.log1p(-sum(map(math.exp, frequencies.values())))
    return sum(frequencies.get(letter, _STRANGE) for letter in letters) + rest * max(0, plain)


def _shape(text: str, at: int) -> float:
    """Return how likely a character is where it stands: signs stand beside words, capitals do not end them."""
    char, before, after = text[at], text[at - 1 : at], text[at + 1 : at + 2]
    if char.isalpha() or char in "¿¡":
        return -4.0 if char.isupper() and before.islower() else 0.0
    within = before.isalpha() and after.isalpha() and char not in "’\u00ad"
    return _SIGN if char in _SIGNS and not within else _STRANGE


@cache
def _frequencies(language: str) -> dict[str, float]:
    frequencies = {}
    for entry in _PERCENT[language].split():
        letter, percent = (entry[:2], entry[2:]) if entry.startswith("i\u0307") else (entry[0], entry[1:])
        frequencies[letter] = math.log(float(percent) / 100)
    return frequencies
