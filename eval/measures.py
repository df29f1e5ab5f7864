"""What is measured of one question, from its answer and trace: retrieval after every stage, answer, citations.

A value that a question cannot have, as the recall of one without evidence, is left out. All are better when
higher; means over questions are taken last, by whoever reports them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from eval.metrics import DocumentSpan, span_scores
from eval.questions import EvalQuestion, Gold
from eval.reading import answer_f1, exact_match, lead
from rag.types import Answer, Hit

CUTS = ("dense", "lexical", "fused", "reranked", "trimmed", "evidence", "context")
SPANS_AT = 5  # hits whose spans are compared with the gold spans
ENOUGH = 0.5  # share of a gold excerpt that must be covered for it to count as found
ALL_NEEDED = frozenset({"list", "multi-document"})  # tags of questions of which every answer is needed
Values = dict[str, float]
LABEL = re.compile(r" ?\[\d{1,4}\]")  # of a citation, in an answer


def retrieval_values(
    questions: Sequence[EvalQuestion], rankings: Sequence[Mapping[str, Sequence[Hit]]]
) -> list[Values]:
    """Return for each question "<stage> P@5", "R@5", "R@10", "nDCG@10" and "RR", and the overlap of spans.

    A gold excerpt is found by the first hit that covers half of it. The first five are ir-measures' own, over
    excerpts found (by their grades) and hits that find nothing.
    """
    values: list[Values] = [{} for _ in questions]
    answerable = [number for number, question in enumerate(questions) if question.evidence]
    for cut in CUTS:
        asked = [number for number in answerable if cut in rankings[number]]
        found = {number: found_items(rankings[number][cut], questions[number].evidence) for number in asked}
        wanted = {number: graded_items(questions[number].evidence) for number in asked}
        for number, measure, value in _standard(wanted, found):
            values[number][f"{cut} {measure}"] = value
        for number in asked:
            values[number] |= _span_values(cut, rankings[number][cut], questions[number].evidence)
    return values


def answer_values(question: EvalQuestion, answer: Answer) -> Values:
    """Return what can be said of the answer as a whole, and of its citations."""
    if not question.answerable:
        return {"refused": float(not answer.answerable)}
    cited = [(one.document, one.start, one.end) for one in answer.citations]
    items = graded_items(question.evidence)
    values = {
        "evidence kept": sum(answer.trace.kept) / max(1, len(answer.trace.kept)),
        "answered": float(answer.answerable),
        "gold cited": len(_items_covered(cited, question.evidence)) / len(items) if items else 0.0,
    }
    if answer.answerable and items:
        values["citations in gold"] = _share(_touches_gold(one, question.evidence) for one in cited)
    if question.answers:
        said = lead(answer) or LABEL.sub("", answer.text)
        values["right"] = float(answer.answerable and holds_answer(question, answer.text))
        values["exact match"] = exact_match(said, question.answers) if answer.answerable else 0.0
        values["F1"] = answer_f1(said, question.answers) if answer.answerable else 0.0
        values["answer in prompt"] = float(holds_answer(question, answer.trace.prompt))
    return values


def holds_answer(question: EvalQuestion, text: str) -> bool:
    """Tell whether a text holds an expected answer, or all where all are needed; case and spacing ignored."""
    said = plain(text)
    held = [plain(words) in said for words in question.answers]
    return bool(held) and (all(held) if ALL_NEEDED & set(question.tags) else any(held))


def covers(spans: Iterable[DocumentSpan], gold: Sequence[Gold]) -> bool:
    """Tell whether spans cover the gold evidence: every excerpt, or one that is marked as an alternative."""
    return bool(gold) and len(_items_covered(list(spans), gold)) == len(graded_items(gold))


def graded_items(gold: Sequence[Gold]) -> dict[str, int]:
    """Return what is to be found, with its grade: an item for each excerpt that is needed.

    Where every excerpt is an alternative they are one item.
    """
    needed = [one for one in gold if not one.alternative]
    if not needed and gold:
        return {"gold 0": max(one.relevance for one in gold)}
    return {f"gold {number}": one.relevance for number, one in enumerate(needed)}


def found_items(hits: Sequence[Hit], gold: Sequence[Gold]) -> list[str]:
    """Return a ranking of items: for each hit those that it is the first to find, or a name of its own."""
    ranking: list[str] = []
    for place, hit in enumerate(hits):
        fresh = sorted(_items_covered([_span(hit)], gold) - set(ranking))
        ranking += fresh or [f"hit {place}"]
    return ranking


def plain(text: str) -> str:
    """Return a text without case, table bars and superfluous spaces."""
    return " ".join(text.casefold().replace("|", " ").split())


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


def _span_values(cut: str, hits: Sequence[Hit], gold: Sequence[Gold]) -> Values:
    needed = [one for one in gold if not one.alternative] or gold[:1]
    scores = span_scores(
        [_span(hit) for hit in hits[:SPANS_AT]], [(one.document, one.start, one.end) for one in needed]
    )
    named = {"recall": scores.recall, "precision": scores.precision, "IoU": scores.iou}
    return {f"{cut} span {name}": value for name, value in named.items()}


def _standard(
    wanted: Mapping[int, Mapping[str, int]], found: Mapping[int, Sequence[str]]
) -> Iterable[tuple[int, str, float]]:
    """Yield (question, measure, value); a question for which nothing was found scores 0."""
    import ir_measures  # here: it takes a while to import
    from ir_measures import RR, P, R, nDCG

    measures = (P @ 5, R @ 5, R @ 10, nDCG @ 10, RR)
    qrels = {str(number): dict(items) for number, items in wanted.items()}
    runs = {
        str(number): {item: -float(rank) for rank, item in enumerate(items)}
        for number, items in found.items()
        if items
    }
    if runs:
        for one in ir_measures.iter_calc(measures, qrels, runs):
            yield int(one.query_id), str(one.measure), float(one.value)
    for number in wanted.keys() - {int(number) for number in runs}:
        for measure in measures:
            yield number, str(measure), 0.0


def _span(hit: Hit) -> DocumentSpan:
    return hit.chunk.document, hit.start, hit.end


def _share(outcomes: Iterable[bool]) -> float:
    listed = list(outcomes)
    return sum(listed) / len(listed) if listed else 0.0
