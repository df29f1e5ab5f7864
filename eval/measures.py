"""The measures of one question, from its answer and trace: retrieval after every stage, answer, citations.

A value that a question cannot have, such as recall without evidence, is left out. Higher is better, except for
"evidence kept", the share of the evidence that compression kept. Means over questions are taken last.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from eval.metrics import DocumentSpan, SpanScores, span_scores
from eval.questions import EvalQuestion, Gold, plain
from eval.reading import answer_f1, exact_match, lead, leading_text
from rag.answer.generator import LABEL
from rag.types import Answer, Hit

CUTS = ("dense", "lexical", "fused", "reranked", "trimmed", "evidence", "context")
DEPTHS = (5, 10)  # hits
# Hits whose spans are compared with the gold spans.
SPANS_AT = 5
# Share of a gold excerpt that must be covered for it to count as found.
ENOUGH = 0.5
# Tags of questions that need every answer.
ALL_NEEDED = frozenset({"list", "multi-document"})
Values = dict[str, float]
LegRankings = Mapping[str, Sequence[Hit]]


def retrieval_values(questions: Sequence[EvalQuestion], rankings: Sequence[LegRankings]) -> list[Values]:
    """Return for each question "<stage> P@5", "R@5", "R@10", "nDCG@10" and "RR", and the overlap of spans.

    A gold excerpt is found by the first hit that covers half of it. Precision counts hits that find an excerpt, recall
    counts excerpts; if one hit finds several, nDCG and reciprocal rank take the better first. ir-measures computes
    them. A question that ended in an error has no ranking and scores 0 at every stage that others have.
    """
    values: list[Values] = [{} for _ in questions]
    for cut in CUTS:
        if not any(cut in ranking for ranking in rankings):
            continue
        asked = {
            str(number): (rankings[number].get(cut, ()), question.evidence)
            for number, question in enumerate(questions)
            if question.evidence and (cut in rankings[number] or not rankings[number])
        }
        for number, measure, value in _standard(asked):
            values[int(number)][f"{cut} {measure}"] = value
        for number, (hits, gold) in asked.items():
            best = _span_scores(hits, gold)
            named = {"recall": best.recall, "precision": best.precision, "IoU": best.iou}
            values[int(number)] |= {f"{cut} span {name}": value for name, value in named.items()}
    return values


def answer_values(question: EvalQuestion, answer: Answer) -> Values:
    """Return the measures of the answer as a whole and of its citations."""
    if not question.answerable:
        return {"refused": float(not answer.answerable)}
    cited = [(one.document, one.start, one.end) for one in answer.citations]
    items = graded_items(question.evidence)
    values: Values = {"answered": float(answer.answerable)}
    if items:
        values["gold cited"] = len(_items_covered(cited, question.evidence)) / len(items)
        if answer.answerable:
            values["citations in gold"] = _share(_touches_gold(one, question.evidence) for one in cited)
    if whole := sum(len(hit.text) for hit in answer.trace.rankings.get("context", ())):
        values["evidence kept"] = sum(map(len, answer.trace.shown)) / whole
    if question.answers:
        said = LABEL.sub("", answer.text)
        values["right"] = float(answer.answerable and holds_answer(question, said))
        values["right in the lead"] = float(
            answer.answerable and holds_answer(question, leading_text(answer))
        )
        values["answer in prompt"] = float(holds_answer(question, "\n".join(answer.trace.shown)))
        if not ALL_NEEDED & set(question.tags):
            first = lead(answer) or said
            values["exact match"] = exact_match(first, question.answers) if answer.answerable else 0.0
            values["F1"] = answer_f1(first, question.answers) if answer.answerable else 0.0
    return values


def holds_answer(question: EvalQuestion, text: str) -> bool:
    """Return whether a text contains an expected answer as whole words, or all answers if all are needed.

    Case, spacing and table bars are ignored.
    """
    held = held_answers(question.answers, text)
    return bool(held) and (all(held) if ALL_NEEDED & set(question.tags) else any(held))


def held_answers(answers: Iterable[str], text: str) -> list[bool]:
    """Return for each answer whether a text contains it as whole words, case, spacing and table bars ignored."""
    said = plain(text)
    return [_holds(said, plain(words)) for words in answers]


def covers(spans: Iterable[DocumentSpan], gold: Sequence[Gold]) -> bool:
    """Return whether spans cover the gold evidence: every excerpt, or one marked as an alternative."""
    return bool(gold) and len(_items_covered(list(spans), gold)) == len(graded_items(gold))


def graded_items(gold: Sequence[Gold]) -> dict[str, int]:
    """Return the items to find, with their grades: one for each required excerpt.

    If every excerpt is an alternative, they are one item.
    """
    needed = [one for one in gold if not one.alternative]
    if not needed and gold:
        return {"gold 0": max(one.relevance for one in gold)}
    return {f"gold {number}": one.relevance for number, one in enumerate(needed)}


def found_items(hits: Sequence[Hit], gold: Sequence[Gold]) -> list[list[str]]:
    """Return for each hit the items that it is the first to find, the best first; often none."""
    grades, seen = graded_items(gold), set[str]()
    found: list[list[str]] = []
    for hit in hits:
        fresh = _items_covered([_span(hit)], gold) - seen
        seen |= fresh
        found.append(sorted(fresh, key=lambda item: -grades[item]))
    return found


def _holds(said: str, words: str) -> bool:
    """Look for whole words; in scripts without spaces, word boundaries are not required."""
    edges = ["(?<!\\w)" if words[:1].isascii() else "", "(?!\\w)" if words[-1:].isascii() else ""]
    return bool(words) and re.search(f"{edges[0]}{re.escape(words)}{edges[1]}", said) is not None


def _items_covered(spans: Sequence[DocumentSpan], gold: Sequence[Gold]) -> set[str]:
    items = graded_items(gold)
    if any(_is_covered(one, spans) for one in gold if one.alternative):
        return set(items)
    needed = [one for one in gold if not one.alternative]
    return {name for name, one in zip(items, needed, strict=False) if _is_covered(one, spans)}


def _is_covered(excerpt: Gold, spans: Sequence[DocumentSpan]) -> bool:
    enough = ENOUGH * (excerpt.end - excerpt.start)
    return any(
        document == excerpt.document and min(end, excerpt.end) - max(start, excerpt.start) >= enough
        for document, start, end in spans
    )


def _touches_gold(span: DocumentSpan, gold: Sequence[Gold]) -> bool:
    document, start, end = span
    return any(one.document == document and start < one.end and one.start < end for one in gold)


def _span_scores(hits: Sequence[Hit], gold: Sequence[Gold]) -> SpanScores:
    """Compare with all required excerpts, or with the alternative that agrees best."""
    needed = [one for one in gold if not one.alternative]
    choices = [[needed]] if needed else []
    choices.append([[one] for one in gold if one.alternative])
    found = [_span(hit) for hit in hits[:SPANS_AT]]
    scores = [
        span_scores(found, [(one.document, one.start, one.end) for one in excerpts])
        for choice in choices
        for excerpts in choice
    ]
    return max(scores, key=lambda one: (one.recall, one.iou))


def _standard(
    asked: Mapping[str, tuple[Sequence[Hit], Sequence[Gold]]],
) -> Iterator[tuple[str, str, float]]:
    """Yield (question, measure, value); a question for which nothing was found scores 0."""
    from ir_measures import RR, P, R, nDCG  # imported here: it takes a while

    found = {number: found_items(hits, gold) for number, (hits, gold) in asked.items()}
    grades = {number: graded_items(gold) for number, (_, gold) in asked.items()}
    useful = {number: {f"hit {i}": 1 for i, items in enumerate(f) if items} for number, f in found.items()}
    each = {number: [f"hit {i}" for i in range(len(f))] for number, f in found.items()}
    for depth in DEPTHS:
        first = {number: [item for items in f[:depth] for item in items] for number, f in found.items()}
        for number, value in _counted([R @ 1000], grades, first)[0].items():
            yield number, f"R@{depth}", value
    ranked = {
        number: [one for i, items in enumerate(f) for one in items or [f"hit {i}"]]
        for number, f in found.items()
    }
    for measure, values in zip((nDCG @ 10, RR), _counted([nDCG @ 10, RR], grades, ranked), strict=True):
        for number, value in values.items():
            yield number, str(measure), value
    for number, value in _counted([P @ 5], useful, each)[0].items():
        yield number, "P@5", value


def _counted(
    measures: Sequence[Any],
    wanted: Mapping[str, Mapping[str, int]],
    ranked: Mapping[str, Sequence[str]],
) -> list[dict[str, float]]:
    """Return each measure's value for each question."""
    import ir_measures

    runs = {
        number: {item: -float(rank) for rank, item in enumerate(items)}
        for number, items in ranked.items()
        if items and wanted[number]
    }
    counted = [dict.fromkeys(ranked, 0.0) for _ in measures]
    if runs:
        names = [str(measure) for measure in measures]
        qrels = {number: wanted[number] for number in runs}
        for one in ir_measures.iter_calc(measures, qrels, runs):
            counted[names.index(str(one.measure))][one.query_id] = float(one.value)
    return counted


def _span(hit: Hit) -> DocumentSpan:
    return hit.chunk.document, hit.start, hit.end


def _share(outcomes: Iterable[bool]) -> float:
    listed = list(outcomes)
    return sum(listed) / len(listed) if listed else 0.0
