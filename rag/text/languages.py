"""Recognise the language of a text by its function words, and English from all others.

"Der Vertrag endet am Freitag."  -> de
"The contract ends on Friday."   -> en
"契約は金曜日に終わる"             -> other     no words of a language that is known here
"ERR-0042 | 17.3 | 2.500"         -> ""        too few words to say
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

ENGLISH, NOT_ENGLISH = "en", "other"
# Function words, question words among them; a word of several languages counts for each.
_WORDS = {
    "en": """
        the of and to in is that for it was with as on be at by this are from or an were which have has not but
        what when where who whom whose why how many much does did do can will would should there their they he
        she his her its you your we our if than then been being these those into about after before under
        between a i my me no all""",
    "de": """
        der die das den dem des ein eine einen einem einer eines und oder aber ist sind war waren wird werden
        wurde wurden hat haben hatte nicht kein keine mit von vom zu zum zur im in am an auf aus bei beim bis
        durch für gegen nach über um unter vor wenn als wie was wer wen wem wann wo woher wohin warum weshalb
        wieso welche welcher welches welchen welchem wieviel viel viele es er sie wir ihr ich man sich auch nur
        noch schon sehr so dass kann muss darf soll ihre seine seinen ihren dieser diese dieses jede jeder jedes
        gibt""",
    "fr": """
        le la les un une des du de et ou mais est sont était étaient sera a ont avait ne pas plus avec par pour
        dans sur sous entre chez vers sans en au aux ce cet cette ces que qui quoi dont où quand comment
        pourquoi combien quel quelle quels quelles il elle ils elles on nous vous je tu se sa son ses leur leurs
        y lui être avoir fait peut doit tout tous toute toutes très aussi comme si après avant depuis pendant
        c'est qu'il d'un d'une""",
    "es": """
        el la los las un una unos unas de del y o pero es son era eran fue fueron será ha han había no con por
        para en entre sobre sin hasta desde al este esta estos estas ese esa que qué quién quiénes cuándo dónde
        cómo cuánto cuánta cuántos cuántas cuál cuáles se su sus le les lo él ella ellos ellas nos yo tú hay
        está están ser tiene tienen puede debe muy también como si más menos según donde cuando""",
    "it": """
        il lo la i gli le un uno una di del della dello dei degli delle e o ma è sono era erano sarà ha hanno
        non con per in nel nella nei nelle su sul sulla da dal dalla tra fra al alla ai alle che chi cosa quando
        dove come perché quanto quanta quanti quante quale quali si suo sua suoi sue ci anche molto più meno
        questo questa questi queste può deve dopo prima""",
    "nl": """
        de het een en of maar is zijn was waren wordt worden werd heeft hebben had niet geen met van voor naar
        in op aan uit bij door over onder tussen tot om te als wat wie wanneer waar hoe waarom hoeveel welke
        welk die dat deze dit er hij zij ze wij we ik je u ook nog al zeer veel kan moet mag hun haar zijn""",
    "pt": """
        o a os as um uma uns umas de do da dos das e ou mas é são era eram foi foram será tem têm não com por
        para em no na nos nas entre sobre sem até desde ao à aos às que quem quando onde como porquê quanto
        quanta quantos quantas qual quais se seu sua seus suas lhe ele ela eles elas nós eu há está estão ser
        pode deve muito também mais menos este esta isso pelo pela""",
    "sv": """
        den det de en ett och eller men är var var vara blir blev har hade inte ingen med av för från till i på
        om ur hos vid genom över under mellan när vad vem vilka vilken vilket hur varför var många mycket som
        att han hon vi ni jag man sig sin sitt sina också bara kan ska måste får efter före detta denna dessa
        finns""",
    "pl": """
        i w z na do od po za o u nie jest są był była było były będzie się że to ten ta te ci co kto kiedy gdzie
        jak dlaczego czemu ile jaki jaka jakie który która które ale lub albo oraz przez dla przed pod nad
        między bez przy czy już tylko także może można musi ma mają jego jej ich go mu tego tej tym tych roku""",
    "da": """
        den det de en et og eller men er var være bliver blev har havde ikke ingen med af for fra til i på om ud
        hos ved gennem over under mellem når hvad hvem hvilke hvilken hvordan hvorfor hvor mange meget som at
        han hun vi jeg man sig sin sit sine også kun kan skal må efter før dette denne disse""",
}
_LANGUAGES: dict[str, list[str]] = {}
for _language, _listed in _WORDS.items():
    for _word in dict.fromkeys(_listed.split()):
        _LANGUAGES.setdefault(_word, []).append(_language)
# Function words of German, French and Spanish that are no words of English.
_TELLING = {word for language in ("de", "fr", "es") for word in _WORDS[language].split()} - {
    *_WORDS["en"].split(),
    *("am", "come", "die", "man", "me", "plus", "pour", "sans", "so", "son", "tout", "war"),
}
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
# Characters of a text that are read.
_SAMPLE = 5000
# Share of a text's words that a language's function words have at least; in prose it is a third to a half.
_LEAST_SHARE = 0.15
# Function words; fewer say nothing: "die casting" is not German.
_LEAST_COUNTED = 2
# Different ones of a long text: a list of countries has "de" and "it" again and again.
_LEAST_DIFFERENT = 5
_LONG = 100


def function_words(language: str) -> list[str]:
    """Return the function words of a language, lower-cased; empty for an unknown language."""
    return _WORDS.get(language, "").split()


def language_of(text: str) -> str:
    """Return the ISO 639-1 code of a text's language, NOT_ENGLISH if no more is sure, or "" if it is not clear."""
    words = [word.lower() for word in _WORD.findall(text[:_SAMPLE])]
    beyond_latin = sum(word[0] > "\u036f" for word in words)
    if beyond_latin > len(words) / 2:
        return NOT_ENGLISH
    counted = Counter(language for word in words for language in _LANGUAGES.get(word.replace("’", "'"), ()))
    ranked = counted.most_common(2)
    if (
        ranked
        and ranked[0][1] >= max(_LEAST_COUNTED, _LEAST_SHARE * len(words))
        and _is_prose(words, ranked[0][0])
    ):
        # A tie with English, as of "in" and "was", decides nothing.
        tied = len(ranked) > 1 and ranked[0][1] == ranked[1][1]
        return "" if tied and counted[ENGLISH] == ranked[0][1] else ranked[0][0]
    accented = sum(not word.isascii() for word in words)
    return NOT_ENGLISH if accented > max(1, len(words) / 5) else ""


def _is_prose(words: Sequence[str], language: str) -> bool:
    """Return whether a text has as many different function words of a language as prose of its length has."""
    return len(words) < _LONG or len({*words} & {*function_words(language)}) >= _LEAST_DIFFERENT


def is_continental(text: str) -> bool:
    """Return whether a text writes numbers as most of Europe does: "1.500,50".

    It decides for short texts too, of which `language_of` says nothing: "Tiene 3.500 habitantes" has a function word
    of Spanish and none of English.
    """
    if found := language_of(text):
        return found != ENGLISH
    words = [word.lower() for word in _WORD.findall(text[:_SAMPLE])]
    others = sum(word in _TELLING for word in words)
    return others > sum(ENGLISH in _LANGUAGES.get(word, ()) for word in words)


def mostly_not_english(texts: Iterable[str]) -> bool:
    """Return whether most of some texts, by length, is in another language; text that is not clear does not count."""
    english = others = 0
    for text in texts:
        if found := language_of(text):
            length = min(len(text), _SAMPLE)
            english += length * (found == ENGLISH)
            others += length * (found != ENGLISH)
    return others > english
