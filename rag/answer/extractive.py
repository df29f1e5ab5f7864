"""Generate an answer from an assembled context, and from nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import accumulate

from rag.answer.codes import absent_codes, absent_names
from rag.answer.generator import OnPart, ignored
from rag.answer.relevance import Signs, Weighed, confidence, weigh_sentences
from rag.answer.sentences import Sentence, introduced, sentences_of
from rag.answer.strategy import SUMMARY, asks_for_overview
from rag.models.embed import Embedder
from rag.models.evidence import EvidenceModel
from rag.models.reader import Reader, Reading
from rag.text.names import place_before, place_of
from rag.text.questions import asks_for_list, asks_several
from rag.text.sentences import refers_back
from rag.text.tables import Row, original_span, spelled_hit, spelled_row
from rag.text.words import question_terms, text_terms
from rag.types import Citation, Context, Draft

# A sentence joins the answer if its log-odds are less than this below the best one's.
NEAR_BEST = 1.2
# Confidence in the summary of a document that the question names.
NAMED = 0.9
# A span leads the answer from this probability on; see eval.reading.short_answers.
SHORT_FROM = 0.4
SHORT_WORDS, SHORT_CHARS = 12, 120
# A row with more is shown in part.
MOST_ROW_WORDS = 40
MOST_SHORT = 5
_ENDS = ".,;:!?"


class Extractive:
    """Composes the answer from verbatim sentences of the evidence, so it cannot say what no document says.

    Args:
        sentences: the most sentences of an answer.
        words: the most words of an answer.
    """

    writes = False

    def __init__(
        self,
        embedder: Embedder,
        evidence: EvidenceModel,
        reader: Reader | None = None,
        *,
        sentences: int = 3,
        words: int = 120,
    ) -> None:
        self._embedder, self._evidence, self._reader = embedder, evidence, reader
        self._most_sentences, self._most_words = sentences, words

    def over(self, embedder: Embedder) -> Extractive:
        """Return the same generator with another embedding model."""
        return Extractive(
            embedder, self._evidence, self._reader, sentences=self._most_sentences, words=self._most_words
        )

    def count_tokens(self, text: str) -> int:
        return len(self._embedder.token_offsets(text))

    def generate(self, context: Context, on_part: OnPart = ignored) -> Draft:
        weighed = weigh_sentences(context, self._embedder, self._evidence)
        if not weighed:
            return Draft("", (), 0.0, _why_nothing(context))
        signs = Signs(absent_names(context.question, context.evidence))
        if summary := [one for one in weighed if one.sentence.evidence.hit.stage == SUMMARY]:
            chosen = summary_sentences(summary, sentences=self._most_sentences, words=self._most_words)
            named = asks_for_overview(context.question)
            return _compose(context, [], chosen, NAMED if named else confidence(weighed, signs))
        if absent := absent_codes(context):
            return Draft("", (), 0.0, _not_mentioned(absent))
        chosen = choose_sentences(
            context.question, weighed, sentences=self._most_sentences, words=self._most_words
        )
        short: list[Sentence] = []
        if self._reader is not None:
            readings = read_around(context.question, chosen, self._reader)
            short = short_answers(context.question, chosen, readings)
            best = max(weighed, key=lambda one: one.log_odds).sentence  # always among the chosen
            if self._reader.calibrated:
                signs = replace(signs, here=1 - readings[_read_with(best)].no_answer)
        shown = with_antecedents(chosen, [one.sentence for one in weighed], self._most_words)
        draft = _compose(context, short, shown, confidence(weighed, signs))
        return replace(draft, reason=_not_mentioned(signs.absent) if signs.absent else "")


def _not_mentioned(names: Sequence[str]) -> str:
    return f"Nothing that was found mentions {', '.join(names)}."


def choose_sentences(
    question: str, weighed: Sequence[Weighed], *, sentences: int, words: int
) -> list[Sentence]:
    """Take the best sentence and those near it, within the limits, best first; a list or table whole and in order.

    A sentence that contains, or lies within, one already taken is skipped.

    Args:
        weighed: in reading order.
    """
    ranked = sorted(weighed, key=lambda one: -one.log_odds)
    if listed := _whole_list(question, ranked[0], weighed, words):
        return listed
    chosen: list[Sentence] = []
    used = 0
    for one in ranked:
        if len(chosen) == sentences or one.log_odds < ranked[0].log_odds - NEAR_BEST:
            break
        # Without its list, an introduction says nothing
        if chosen and one.sentence.introduces:
            continue
        text = one.sentence.text
        repeated = any(text in other.text or other.text in text for other in chosen)
        length = len(text.split())
        if not chosen or (not repeated and used + length <= words):
            chosen.append(_cut_to_words(one.sentence, words))
            used += length
    return chosen


def _whole_list(question: str, best: Weighed, weighed: Sequence[Weighed], words: int) -> list[Sentence]:
    """Return the list or table that a sentence introduces, or the list that it is in if the question asks for one.

    In order, with what introduces it, up to so many words; nothing if it is in none.
    """
    one = best.sentence
    in_list = one.listed and one.row is None and asks_for_list(question)
    if not one.introduces and not in_list:
        return []
    every = [each.sentence for each in weighed]
    first = last = next(at for at, each in enumerate(every) if each is one)
    while first and in_list and introduced(every[first - 1], every[first]):
        first -= 1
    while last + 1 < len(every) and introduced(every[last], every[last + 1]):
        last += 1
    used = accumulate(len(each.text.split()) for each in every[first : last + 1])
    listed = [each for each, so_far in zip(every[first : last + 1], used, strict=True) if so_far <= words]
    return listed if len(listed) > 1 and one in listed else []


def with_antecedents(chosen: Sequence[Sentence], every: Sequence[Sentence], words: int) -> list[Sentence]:
    """Return the chosen sentences, each that begins with a pronoun after the one that says what it stands for.

    Args:
        every: all that can answer, in reading order.
        words: the most of an answer; beyond them no sentence is added.
    """
    shown: list[Sentence] = []
    room = words - sum(len(one.text.split()) for one in chosen)
    for one in chosen:
        if any(_holds(other, one) for other in shown):
            continue
        named = _antecedent(one, every)
        if named is None or any(_holds(other, named) for other in shown):
            shown.append(one)
            continue
        added = 0 if any(_holds(other, named) for other in chosen) else len(named.text.split())
        fits = added <= room
        room -= added if fits else 0
        shown += _joined(named, one) if fits else [one]
    return shown


def _antecedent(one: Sentence, every: Sequence[Sentence]) -> Sentence | None:
    """Return the last sentence before one, under the same heading, that does not begin with a pronoun as it does."""
    if one.row or not refers_back(one.text):
        return None
    before = [
        other
        for other in every
        if other.evidence is one.evidence and other.end <= one.start and other.above == one.above
    ]
    return next((each for each in reversed(before) if not each.row and not refers_back(each.text)), None)


def _joined(named: Sentence, one: Sentence) -> list[Sentence]:
    """Return two sentences as one if they touch."""
    hit = one.evidence.hit
    if one.start - named.end > 2:
        return [named, one]
    return [replace(one, start=named.start, text=hit.text[named.start - hit.start : one.end - hit.start])]


def _holds(whole: Sentence, part: Sentence) -> bool:
    return whole.evidence is part.evidence and whole.start <= part.start and part.end <= whole.end


def summary_sentences(summary: Sequence[Weighed], *, sentences: int, words: int) -> list[Sentence]:
    """Take the sentences of a summary nearest to the centre of their document, within the limits, in document order."""
    chosen: list[Sentence] = []
    used = 0
    for one in sorted(summary, key=lambda one: -one.sentence.evidence.hit.score)[:sentences]:
        sentence = _cut_to_words(one.sentence, words)
        length = len(sentence.text.split())
        if not chosen or used + length <= words:
            chosen.append(sentence)
            used += length
    return sorted(chosen, key=lambda sentence: sentence.start)


def _cut_to_words(sentence: Sentence, most: int) -> Sentence:
    """Keep the first `most` words of a sentence; a longer one is a list that never ends. A row stays whole."""
    words = list(re.finditer(r"\S+", sentence.text))
    if len(words) <= most or sentence.row:
        return sentence
    text = sentence.text[: words[most - 1].end()]
    return replace(sentence, end=sentence.start + len(text), text=text)


def _why_nothing(context: Context) -> str:
    if context.cut and not context.evidence:
        return (
            "The evidence that was found does not fit into the prompt; raise IBID_BUDGET_TOKENS or "
            "IBID_EVIDENCE_TOKENS, or shorten the question."
        )
    return "No document of the corpus comes near the question."


# What is read in one go: the label of a piece of evidence and, of a table in it, the start of a row, else -1.
Read = tuple[int, int]


def read_around(question: str, chosen: Sequence[Sentence], reader: Reader) -> dict[Read, Reading]:
    """Read the pieces of evidence that contain the chosen sentences, and of tables the chosen rows one by one."""
    wanted = {_read_with(sentence): sentence for sentence in chosen}
    texts = [_spelled(sentence, question) for sentence in wanted.values()]
    readings = reader.read_all(question, [text for text, _ in texts])
    return {
        read: _in_the_original(reading, origins)
        for read, reading, (_, origins) in zip(wanted, readings, texts, strict=True)
    }


def _read_with(sentence: Sentence) -> Read:
    return sentence.evidence.label, sentence.row.start if sentence.row else -1


def _spelled(sentence: Sentence, question: str) -> tuple[str, list[tuple[int, int, int]]]:
    """Return what the reader reads of a sentence's evidence, and where its parts stand in the hit's text.

    It begins with what the document is called, the heading and, of a row, its table's caption, if the question has
    words of these that the text lacks.
    """
    hit, place = sentence.evidence.hit, place_of(sentence.evidence.hit)
    if sentence.row is None:
        text, origins = spelled_hit(hit)
    else:
        text, origins = spelled_row(sentence.row.moved(-hit.start))
        if sentence.row.caption not in place:
            place = f"{place}. {sentence.row.caption}" if place else sentence.row.caption
    before = place_before(question, text, place)
    return before + text, [(start + len(before), end + len(before), origin) for start, end, origin in origins]


def _in_the_original(reading: Reading, origins: Sequence[tuple[int, int, int]]) -> Reading:
    """Move a reading of a text that was spelled out to the text itself; spans of column names alone are dropped."""
    places = [(span, original_span(origins, span.start, span.end)) for span in reading.spans]
    spans = [replace(span, start=place[0], end=place[1]) for span, place in places if place]
    start, end = original_span(origins, reading.start, reading.end) or (0, 0)
    return replace(reading, start=start, end=end, spans=tuple(spans))


def short_answers(
    question: str, chosen: Sequence[Sentence], readings: Mapping[Read, Reading]
) -> list[Sentence]:
    """Return the words that answer directly, each as part of its sentence, likeliest first; often none.

    Short answers lead only if they are short and the reader is sure enough. There is one, from a chosen sentence,
    unless the question asks for several things: then any sentence of the evidence that was read may contain one.
    """
    several = asks_several(question)
    found: list[tuple[float, Sentence]] = []
    for label, piece in {sentence.evidence.label: sentence.evidence for sentence in chosen}.items():
        own = [sentence for sentence in chosen if sentence.evidence.label == label]
        if several:
            own += [
                s for s in sentences_of(piece) if not any(s.start < o.end and o.start < s.end for o in own)
            ]
        for span in [
            span for (read, _), reading in readings.items() if read == label for span in reading.spans
        ]:
            start, end = piece.hit.start + span.start, piece.hit.start + span.end
            for one in own:
                words = one.text[start - one.start : end - one.start]
                if one.start <= start and end <= one.end and _is_short(words, one, chosen):
                    found.append((span.score, replace(one, start=start, end=end, text=words)))
    found.sort(key=lambda each: -each[0])
    if not found or found[0][0] < SHORT_FROM:
        return []
    least = SHORT_FROM / 2 if several else SHORT_FROM
    distinct: dict[str, Sentence] = {}
    for score, short in found:
        said = f" {' '.join(short.text.casefold().split())} "
        if score >= least and not any(said in other or other in said for other in distinct):
            distinct[said] = short
    return list(distinct.values())[: MOST_SHORT if several else 1]


def _is_short(words: str, sentence: Sentence, chosen: Sequence[Sentence]) -> bool:
    """Return whether words can lead: a few on one line, and not the whole of a sentence that follows anyway."""
    repeats = sentence in chosen and words.rstrip(_ENDS) == sentence.text.rstrip(_ENDS)
    return (
        len(words.split()) <= SHORT_WORDS and len(words) <= SHORT_CHARS and "\n" not in words and not repeats
    )


def _compose(
    context: Context, short: Sequence[Sentence], chosen: Sequence[Sentence], probability: float
) -> Draft:
    """Write the short answers on one line and their supporting sentences on the next."""
    text, citations = "", []
    for line in (short, chosen):
        for sentence in line:
            row = None if line is short else sentence.row
            shown = shown_row(row, context.question, short) if row else sentence.text
            citations.append(_cite(sentence, shown, len(text)))
            text += f"{shown} [{sentence.evidence.label}] "
        text = text.rstrip() + "\n" if text else ""
    return Draft(text.rstrip(), tuple(citations), probability)


def shown_row(row: Row, question: str, short: Sequence[Sentence] = ()) -> str:
    """Return a row as the answer shows it.

    Of one with many words in its cells, these are the cells that have to do with the question or hold a short answer;
    all if there are none.
    """
    whole = row.shown()
    if sum(len(value.text.split()) for value in row.values) <= MOST_ROW_WORDS:
        return whole
    asked = set(question_terms(question))
    wanted = [
        value
        for value in row.values
        if any(one.start < value.end and value.start < one.end for one in short)
        or (value is not row.label and asked & {*text_terms(value.column), *text_terms(value.text)})
    ]
    return row.shown(wanted) if wanted else whole


def _cite(sentence: Sentence, shown: str, at: int) -> Citation:
    chunk = sentence.evidence.hit.chunk
    return Citation(
        answer_start=at,
        answer_end=at + len(shown),
        label=sentence.evidence.label,
        document=chunk.document,
        version=chunk.version,
        page=sentence.evidence.hit.page,
        start=sentence.start,
        end=sentence.end,
        quote=sentence.text,
        verified=False,
    )
