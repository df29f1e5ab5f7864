"""Questions that stand alone, put after other turns: a rewriter must leave every one as it is."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from eval.datasets import held_back, records
from eval.reading import normalise_answer
from rag.followup.edits import pronouns_in
from rag.followup.mentions import name_spans, phrase_spans
from rag.rewrite import rewrite

SEED = 23
# Questions of each kind: of Wikipedia passages, of a search engine, and of dialogues where a person changed nothing.
PASSAGES, SEARCHES, DIALOGUES = 80, 70, 50
LONGEST_SENTENCE = 400  # characters
Row = Mapping[str, Any]


def measure() -> dict[str, Any]:
    """Return how many of 200 standing questions are changed, and which; none was trained on."""
    changed = []
    asked = list(standing_questions())
    for history, question in asked:
        if (alone := rewrite(question, history)) != question:
            changed.append({"question": question, "became": alone, "after": list(history)[-2:]})
    return {"questions": len(asked), "changed": len(changed), "which": changed}


def standing_questions() -> Iterator[tuple[Sequence[str], str]]:
    """Yield (history, question): SQuAD's and Natural Questions' after turns of their own sets, and CANARD's."""
    rng = random.Random(SEED)
    passages = [
        row for row in records("reading/squad-dev.jsonl.gz") if row["answerable"] and stands(row["question"])
    ]
    searches = [row for row in records("reading/nq-train.jsonl.gz") if held_back(row["question"])]
    yield from standing_after(rng.sample(passages, PASSAGES), passages, rng)
    yield from standing_after(rng.sample(searches, SEARCHES), searches, rng)
    dialogues = [
        row
        for row in records("conversation/canard-dev.jsonl.gz")
        if held_back(" ".join(row["history"][:2]))
        and normalise_answer(row["question"]) == normalise_answer(row["rewrite"])
    ]
    for row in rng.sample(dialogues, min(DIALOGUES, len(dialogues))):
        yield row["history"], row["question"]


def standing_after(
    chosen: Sequence[Row], rows: Sequence[Row], rng: random.Random
) -> Iterator[tuple[list[str], str]]:
    """Put questions after one to three turns, each a question and the sentence that answers it.

    About half of them come after turns about the same article.
    """
    of_article: dict[str, list[Row]] = {}
    for row in rows:
        of_article.setdefault(row["group"], []).append(row)
    for row in chosen:
        near = [other for other in of_article[row["group"]] if other["question"] != row["question"]]
        pool = near if near and rng.random() < 0.5 else rows
        turns = [turn for other in rng.choices(pool, k=rng.randint(1, 3)) for turn in exchange_of(other)]
        yield turns, row["question"]


def exchange_of(row: Row) -> list[str]:
    """Return a question and the sentence around its answer."""
    answer = next(iter(row["answers"]), None)
    if answer is None:
        return [row["question"]]
    context, at = row["context"], answer["start"]
    start = max(context.rfind(". ", 0, at) + 2, 0) if ". " in context[:at] else 0
    end = context.find(". ", at + len(answer["text"]) - 1)
    return [row["question"], context[start : end + 1 if end >= 0 else None][:LONGEST_SENTENCE]]


def stands(question: str) -> bool:
    """Return whether a question of a passage hardly refers to it: no pronoun before its own noun, nothing "this"."""
    first = next(iter(pronouns_in(question)), None)
    before = question[: first.start()] if first else question
    if first and not (list(name_spans(before[:1].lower() + before[1:])) or list(phrase_spans(before))):
        return False
    return (
        re.search(r"\b(?:this|that|these|those|there|passage|paragraph|article)\b", question.lower()) is None
    )
