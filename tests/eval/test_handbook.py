"""The sample corpus: every gold excerpt is the words at its place."""

from collections import Counter
from functools import cache

from eval.benchmarks.answers.conflicts import real_conflicts
from eval.benchmarks.answers.handbook import judge_questions, summarise
from eval.datasets import HANDBOOK, handbook
from ingest.load import load

QUESTIONS = handbook()


@cache
def text_of(document: str) -> str:
    return load((HANDBOOK / "documents" / document).read_bytes(), document).text


def test_every_excerpt_is_verbatim() -> None:
    for question in QUESTIONS:
        for gold in question.evidence:
            assert text_of(gold.document)[gold.start : gold.end] == gold.quote, question.id


def test_the_sides_of_every_real_conflict_stand_once_in_different_documents() -> None:
    for question, sides in real_conflicts().items():
        assert question in {one.id for one in QUESTIONS}
        assert len({side["document"] for side in sides}) == len(sides) > 1, question
        assert all(text_of(side["document"]).count(side["quote"]) == 1 for side in sides), question


def test_answerable_questions_have_evidence_and_answers_in_it() -> None:
    for question in QUESTIONS:
        assert question.answerable == bool(question.evidence) == bool(question.answers), question.id
        evidence = " ".join(
            " ".join(gold.quote.replace("|", " ").split()) for gold in question.evidence
        ).casefold()
        for answer in question.answers:
            assert " ".join(answer.replace("|", " ").split()).casefold() in evidence, (question.id, answer)


def test_the_set_is_large_and_varied() -> None:
    tags = Counter(tag for question in QUESTIONS for tag in question.tags)
    suffixes = {path.suffix for path in (HANDBOOK / "documents").rglob("*.*")}

    assert len(QUESTIONS) >= 60
    assert len({question.id for question in QUESTIONS}) == len(QUESTIONS)
    assert sum(not question.answerable for question in QUESTIONS) >= 10
    assert len(suffixes) >= 5
    assert all(tags[tag] for tag in ("table", "region", "superseded", "identifier", "multi-document"))


def test_the_question_path_finds_cites_and_refuses() -> None:
    """Floors a little below the measured figures, which are in docs/benchmarks.md."""
    judged = judge_questions()
    figures = summarise(judged)

    assert figures["gold evidence in the context"] >= 0.75
    assert figures["of the answers given, right evidence"] >= 0.5
    assert figures["refused rightly"] >= 0.33
    for one in judged:
        assert one.answer.answerable or one.answer.reason
        for citation in one.answer.citations:
            assert citation.verified
            assert text_of(citation.document)[citation.start : citation.end] == citation.quote
