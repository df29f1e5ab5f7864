"""Find what a compressor must not touch: words that carry the facts, and blocks that are not prose.

"She did not pay 3,100 EUR to Ada."  -> not, pay, 3,100, EUR are facts; Ada is a name
tables, JSON, code, SQL              -> blocks, which pass through unchanged

Names are found by their capitals and negations by English words: the packaged compressor is for English.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rag.text.sentences import Span, split_sentences

FACT, NAME = 2, 1  # ranks of protection; 0 means none

_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
# Characters; a longer run without spaces (base64, an endless laugh) is cut.
_LONGEST = 200
_WORD = re.compile(rf"[{_HAN}]|[^\s{_HAN}]{{1,{_LONGEST}}}")
_NEGATIONS = """
    not no never none nobody nothing nowhere neither nor cannot without unless except hardly scarcely"""
_NUMERALS = """
    two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
    nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million billion trillion dozen
    first second third fourth fifth sixth seventh eighth ninth tenth half twice hundreds thousands millions billions"""
_UNITS = """
    % percent per cent points km m cm mm miles feet ft kg g mg lb lbs tons tonnes litres liters ml l seconds second s
    ms minutes minute min hours hour h days day weeks week months month years year am pm a.m p.m usd eur gbp dollars
    euros pounds cents degrees °c °f mb gb tb kb mhz ghz w kw mw v"""
_DATES = """
    january february march april june july august september october november december
    monday tuesday wednesday thursday friday saturday sunday today yesterday tomorrow"""
_HEAD_WORDS = """
    The A An In On At It He She They We You This That These Those His Her Its Their Our My When While As If After
    Before For From By With But And Or However There During Although Since To Under What Who How Why Where Is Are
    Was Were Do Does Did Both Each Some Many Most All Of Not No Until Like So Because Also Then"""
_HEADS = frozenset(_HEAD_WORDS.split())
_NO = frozenset(_NEGATIONS.split())
_NUMBERED = frozenset(_NUMERALS.split()) | frozenset(_DATES.split())
_UNIT = frozenset(_UNITS.split())
_NOT_NAMES = frozenset(["i", "i'm", "i've", "i'd", "i'll", "ok"])
_NEGATED = re.compile(r"n['’]t$")
_IDENTIFIER = re.compile(  # an underscore, a dot or slash inside, camelCase, an address, a tag, quoted code
    r"_|\w[./\\@:]+\w|[a-z][A-Z]|[A-Z]{2}|^[@#$/~-]{1,2}\w|`|\w\(\)"
)
_EDGES = "\"'“”‘’«»()[]{}<>*_.,;:!?…-–—"
# Share of capitalised words in a sentence beyond which capitals no longer mean names.
_SHOUTED = 0.6
# Words; in a sentence of at most this many, capitals always mean names.
_FEW = 4

_FENCE = re.compile(r"[ \t]*(```|~~~)")
_SQL_BEGINS = re.compile(
    r"\s*(?:SELECT\b|select .+ from\b|INSERT INTO\b|UPDATE \S+ SET\b|DELETE FROM\b|MERGE INTO\b"
    r"|(?:CREATE|ALTER|DROP)(?: OR REPLACE)?(?: UNIQUE)? (?:TABLE|INDEX|VIEW|DATABASE|FUNCTION|TRIGGER)\b"
    r"|WITH \w+ AS \()"
)
_SQL_GOES_ON = re.compile(r"\s|[A-Z]{2,}\b|[()]")
_ROW = re.compile(r"\s*\||[^|\n]{1,80}\|[^|\n]{1,80}\||[^\t\n]{1,60}\t[^\t\n]{0,60}\t|\s*[-+=]{3,}[-+= ]*$")
# Columns set with spaces; two such lines make a table.
_COLUMNS = re.compile(r"\s*\S(?:[^\n]*?\S)?(?: {3,}|\t+)\S")
_SEPARATED = re.compile(r"[^,;\n]{1,60}(?:[,;](?! )[^,;\n]{0,60}){2,}$")  # commas without spaces
_JSON = re.compile(
    r'\s*(?:[\[{].*[\]}],?|[\[\]{}]+[,;]?|"[^"\n]{1,100}"\s*:.*|"[^"\n]*",|.*"\s*:\s*[\[{])\s*$'
)
_CODE = re.compile(
    r"""\s*(?:
        (?:async\ )?def\ \w+\( | class\ \w+\s*[:({] | (?:from\ [\w.]+\ )?import\ [\w.*{"'][^.]*(?:\.\w[^.]*)*$
      | \#include | \#! | @\w+(?:\(.*\))?$ | >>>\  | \$\ [a-z] | //\ | /\*
      | (?:public|private|protected|static|final|func|fn|function|package|using|namespace|impl|struct)\ .*[({;]\s*$
      | (?:const|let|var|val|auto|int|float|double|char|bool|void|String)\ \w+\s*[=;(]
      | for\ \w+(?:,\ ?\w+)*\ in\ \S+:\s*$ | (?:if|elif|while|for|switch|catch|with)\ ?\(.*[{;]\s*$
      | (?:if|elif|while|with)\ [^.?!]*[()=<>\[\]_][^.?!]*:\s*$ | (?:else|try|finally|do)\s*[:{]\s*$
      | return\b[^.?!]*;\s*$ | return\ [\w.]*[(\[]\S*.*$
      | [\w.\[\]"'$]+\s*(?:[-+*/|&:]?=|=>|:=)\s*\S.*$
      | [\w.]+\([^)]*\)\s*[;{]?\s*$
      | .*(?:\w\(|[{}=]|->|::).*[;{]\s*$ | [})\]]+[;,)]*\s*$ | </?\w[^>]*>.*</?\w+>\s*$ | <[\w/!?][^>]*>\s*$
    )""",
    re.VERBOSE,
)
_INLINE = re.compile(r'\{[^{}\n]{0,2000}"[^{}\n"]{1,200}"\s*:[^{}\n]{0,2000}\}|\bSELECT\b[^\n;]{1,999};')


def find_words(text: str, blocks: Sequence[Span] = ()) -> list[Span]:
    """Return the words outside the blocks: runs without white space, or single Chinese characters."""
    words, begin = list[Span](), 0
    for start, end in [*blocks, (len(text), len(text))]:
        words += [match.span() for match in _WORD.finditer(text, begin, start)]
        begin = end
    return words


def find_blocks(text: str) -> list[Span]:
    """Return the tables, JSON, code and SQL of a text: disjoint spans in order, of whole lines if possible.

    A block of lines includes the line breaks around it, so it stays on its own lines.
    """
    inline = [m.span() for m in _INLINE.finditer(text)] if '"' in text or "SELECT" in text else []
    return _joined(sorted([*_line_blocks(text), *inline]))


def protection(text: str, words: Sequence[Span]) -> list[int]:
    """Rank words by the facts they carry.

    The ranks are FACT for numbers with their units, dates, and negations with the word they negate; NAME for names
    and identifiers; 0 for all others.
    """
    shown = [text[start:end] for start, end in words]
    bare = [word.strip(_EDGES) for word in shown]
    names = _names(text, words, bare)
    ranks = []
    denied = counted = False
    for word, core, name in zip(shown, bare, names, strict=True):
        low = core.lower()
        number = low in _NUMBERED or any(map(str.isdecimal, word))
        negation = low in _NO or bool(_NEGATED.search(low))
        unit = counted and (low in _UNIT or word.startswith("%"))
        if number or negation or denied or unit:
            ranks.append(FACT)
        else:
            ranks.append(NAME if name or _is_identifier(core, word) else 0)
        denied, counted = negation and word[-1] not in ",.;:!?", number
    return ranks


def _is_identifier(core: str, word: str) -> bool:
    return bool(core) and (not core.isalpha() or not core.islower()) and bool(_IDENTIFIER.search(word))


def _names(text: str, words: Sequence[Span], bare: Sequence[str]) -> list[bool]:
    """Return which words are names: those capitalised within a sentence. The first word of a sentence is a name if it
    is one elsewhere or precedes another."""
    begins = {start for start, _ in split_sentences(text)}
    capital = [word[:1].isupper() and word.lower() not in _NOT_NAMES for word in bare]
    head, names = list[bool](), [False] * len(words)
    for number, (start, _) in enumerate(words):
        head.append(number == 0 or start in begins)
    starts = [number for number, first in enumerate(head) if first]
    for first, after in zip(starts, [*starts[1:], len(words)], strict=False):
        share = sum(capital[first:after]) / (after - first)
        if after - first <= _FEW or share <= _SHOUTED:
            names[first + 1 : after] = capital[first + 1 : after]
    known = {bare[number] for number, name in enumerate(names) if name}
    for first in starts:
        followed = first + 1 < len(words) and names[first + 1]
        names[first] = capital[first] and (bare[first] in known or (followed and bare[first] not in _HEADS))
    return names


def _line_blocks(text: str) -> Iterator[Span]:
    """Yield spans of lines that are not prose: one per line, or to the end of a fence or SQL statement."""
    lines = _lines(text)
    kinds = [_kind(text[start:end]) for start, end in lines]
    number = 0
    while number < len(lines):
        last = _reach(text, lines, kinds, number)
        if last is None:
            number += 1
            continue
        yield max(0, lines[number][0] - 1), min(len(text), lines[last][1] + 1)
        number = last + 1


def _kind(line: str) -> str:
    """Return what a line looks like: fence, sql, sure (a table row, JSON, code), inner (indented), likely (columns)."""
    if not line or line.isspace():
        return ""
    if _FENCE.match(line):
        return "fence"
    if _SQL_BEGINS.match(line):
        return "sql"
    # The patterns below look far ahead. No line of code is so long, and JSON begins with its bracket.
    if len(line) > 2000:
        return "sure" if line.lstrip()[:2] in ('{"', "[{", "[[", '["') and line.rstrip()[-1] in "]}" else ""
    if _ROW.match(line) or _JSON.match(line) or _CODE.match(line):
        return "sure"
    if line.startswith(("  ", "\t")):
        return "inner"
    return "likely" if _COLUMNS.match(line) or _SEPARATED.match(line) else ""


def _reach(text: str, lines: Sequence[Span], kinds: Sequence[str], number: int) -> int | None:
    """Return the last line of the block that begins at a line, or None if none does."""
    kind, last = kinds[number], number
    if kind == "fence":
        return next((i for i in range(number + 1, len(lines)) if kinds[i] == "fence"), len(lines) - 1)
    if kind == "sql":
        while last + 1 < len(lines) and _sql_goes_on(
            text[slice(*lines[last])], text[slice(*lines[last + 1])]
        ):
            last += 1
        return last
    alike = ("sure", "inner") if kind == "sure" else (kind,)
    while last + 1 < len(lines) and kinds[last + 1] in alike:
        last += 1
    return last if kind == "sure" or (kind == "likely" and last > number) else None


def _sql_goes_on(line: str, following: str) -> bool:
    if line.rstrip().endswith(";") or not following.strip():
        return False
    return line.rstrip().endswith((",", "(")) or bool(_SQL_GOES_ON.match(following))


def _lines(text: str) -> list[Span]:
    ends = [match.start() for match in re.finditer("\n", text)] + [len(text)]
    return list(zip([0, *(end + 1 for end in ends)], ends, strict=False))


def _joined(spans: Sequence[Span]) -> list[Span]:
    joined: list[Span] = []
    for start, end in spans:
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined
