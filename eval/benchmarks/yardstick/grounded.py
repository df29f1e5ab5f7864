"""Long answers and honest refusals on CLAP NQ: is what is quoted what a person marked as the grounding?

All passages are one corpus. The word F1 compares the quotes of an answer with the marked sentences. The oracle quotes
the whole sentences of the gold passage that reach the best F1, as many as an answer may have.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from eval.benchmarks.yardstick.outcomes import (
    Attempt,
    attempt,
    balanced,
    certainties,
    cites,
    p50_ms,
    packed,
    share,
)
from eval.datasets import records
from eval.reading import answer_f1
from eval.trial import text_sources, trial
from rag.text.sentences import split_sentences
from rag.types import Answer

# Sentences that an answer may quote.
MOST_QUOTED = 3
# An answer is right for calibration from this word F1 against the grounding on.
RIGHT_FROM = 0.5


def measure() -> dict[str, Any]:
    """Return the figures, and the certainties for `calibration`."""
    entries = list(records("generation/clapnq-dev.jsonl.gz"))
    texts, documents = _passages(entries)
    with trial(text_sources(texts), {}) as made:
        tried = attempt(made, [entry["question"] for entry in entries])
    asked = list(zip(entries, documents, tried, strict=True))
    answerable = [one for one in asked if one[0]["answerable"]]
    answered = [one for one in answerable if one[2].answer.answerable]
    return {
        "questions": len(entries),
        "answerable": len(answerable),
        **balanced([entry["answerable"] for entry in entries], tried),
        "gold passage cited": share(cites(one.answer, document) for _, document, one in answerable),
        "word F1, of those answered": _mean(_f1(one.answer, entry) for entry, _, one in answered),
        "word F1, refused ones count 0": _mean(_f1(one.answer, entry) for entry, _, one in answerable),
        "word F1, nothing refused": _mean(_f1(one.unrefused, entry) for entry, _, one in answerable),
        "word F1, oracle of the sentences": _mean(_oracle(entry) for entry, _, _ in answerable),
        "p50 ms": p50_ms(tried),
        "certainties": {
            "CLAP NQ": packed(certainties(tried, [_right(entry, one) for entry, _, one in asked]))
        },
    }


def quoted(answer: Answer) -> str:
    """Return what an answer quotes, each place once: a short answer that lies in a longer quote is left out."""
    places = {(one.document, one.start, one.end): one.quote for one in answer.citations}
    return "\n".join(
        quote
        for (document, start, end), quote in places.items()
        if not any(d == document and s <= start and end <= e and (s, e) != (start, end) for d, s, e in places)
    )


def best_sentences(text: str, gold: str, most: int) -> float:
    """Return the word F1 against a gold text that some whole sentences of a text reach, chosen one by one."""
    sentences = [text[start:end] for start, end in split_sentences(text)]
    taken: list[str] = []
    best = 0.0
    while len(taken) < most:
        left = [sentence for sentence in sentences if sentence not in taken]
        scored = [(answer_f1(" ".join([*taken, sentence]), [gold]), sentence) for sentence in left]
        found, sentence = max(scored, default=(0.0, ""))
        if found <= best:
            break
        best = found
        taken.append(sentence)
    return best


def _passages(entries: Sequence[Mapping[str, Any]]) -> tuple[dict[str, str], list[str]]:
    """Return the passages by document name, and the name of each entry's own."""
    names: dict[str, str] = {}
    counts: dict[str, int] = {}
    documents = []
    for entry in entries:
        passage = entry["passages"][0]
        text = passage["text"]
        if text not in names:
            title = passage["title"].replace("/", "-")
            counts[title] = counts.get(title, 0) + 1
            names[text] = f"{title}.txt" if counts[title] == 1 else f"{title} ({counts[title]}).txt"
        documents.append(names[text])
    return {name: text for text, name in names.items()}, documents


def _f1(answer: Answer, entry: Mapping[str, Any]) -> float:
    gold: str = " ".join(entry["chosen"])
    return answer_f1(quoted(answer), [gold]) if answer.answerable else 0.0


def _oracle(entry: Mapping[str, Any]) -> float:
    return best_sentences(entry["passages"][0]["text"], " ".join(entry["chosen"]), MOST_QUOTED)


def _right(entry: Mapping[str, Any], one: Attempt) -> bool:
    return bool(entry["answerable"]) and _f1(one.unrefused, entry) >= RIGHT_FROM


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return round(sum(listed) / max(1, len(listed)), 3)
