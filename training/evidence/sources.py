"""Read cases from the public sets: one passage each, to which `vary.py` adds others."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from eval.datasets import records
from training.evidence.cases import Case, LabelledPassage, Span, passage, silent, units_of

# Longer passages are cut around the answer by windows.py; beyond this many characters they are left out.
_LONGEST = 12_000
_HISTORY = re.compile(r"(?:^|\t)user:([^\t]*)$")


@dataclass(frozen=True, slots=True)
class SourcedCase:
    """A case of a set and the document it comes from."""

    set: str
    document: str
    case: Case


def asked_elsewhere() -> set[str]:
    """Return the questions of the sets that measure, which no training may see."""
    measured = ("reading/nq-train", "reading/squad-dev", "generation/clapnq-dev")
    return {r["question"].casefold().strip(" ?") for part in measured for r in records(f"{part}.jsonl.gz")}


def read_sources() -> list[SourcedCase]:
    """Return the cases of every set that may go into weights."""
    hidden = asked_elsewhere()
    return [
        source
        for name, read in READ.items()
        for source in read(name)
        if source.case.question.casefold().strip(" ?") not in hidden
    ]


def _titled(name: str) -> Iterator[SourcedCase]:
    for r in _reading(name):
        place = unquote(r["group"]).replace("_", " ").replace("-", " ")
        yield SourcedCase(name, r["group"], _read(r, place))


def _untitled(name: str) -> Iterator[SourcedCase]:
    for r in _reading(name):
        yield SourcedCase(name, r["group"], _read(r, ""))


def _reviews(name: str) -> Iterator[SourcedCase]:
    """Reviews are read without a title, for theirs are numbers."""
    for number, r in enumerate(_reading(name)):
        if number % 2 == 0:
            yield SourcedCase(name, r["group"], _read(r, ""))


def _dialogues(name: str) -> Iterator[SourcedCase]:
    """Only first turns: later ones need the dialogue, which rewriting resolves before it is asked."""
    for r in _reading(name):
        if "agent:" in r["question"]:
            continue
        question = _HISTORY.sub(r"\1", r["question"]).strip()
        place = r["group"].split("#")[0]
        yield SourcedCase(name, place, _read({**r, "question": question}, place))


def _sentences(name: str) -> Iterator[SourcedCase]:
    """QAMR asks about single sentences; those of one paragraph are put together again."""
    rows = list(_reading(name))
    paragraphs: dict[str, dict[int, str]] = defaultdict(dict)
    for r in rows:
        paragraph, _, number = r["group"].rpartition(":")
        paragraphs[paragraph][int(number)] = r["context"]
    for number, r in enumerate(rows):
        if number % 4:
            continue
        paragraph, _, own = r["group"].rpartition(":")
        texts = [text for _, text in sorted(paragraphs[paragraph].items())]
        before = sum(len(text) + 1 for at, text in sorted(paragraphs[paragraph].items()) if at < int(own))
        spans = [_span(a, before) for a in r["answers"]]
        yield SourcedCase(name, paragraph, Case(r["question"], (passage("", " ".join(texts), spans),)))


def _spans(name: str) -> Iterator[SourcedCase]:
    """Sets where all spans together make the answer."""
    for r in records(f"spans/{name}.jsonl.gz"):
        if len(r["context"]) <= _LONGEST and r.get("answerable", True):
            place = "" if r["group"].startswith("drop-") else unquote(r["group"]).replace("_", " ")
            found = [_span(span) for span in r["spans"]]
            yield SourcedCase(name, r["group"], Case(r["question"], (passage(place, r["context"], found),)))


def _yes_or_no(name: str) -> Iterator[SourcedCase]:
    for r in records(f"reading/{name}.jsonl.gz"):
        if r["answer"] not in ("yes", "no") or r.get("history") or r.get("scenario"):
            continue
        place = r["group"] if name in ("boolq-train", "strategyqa-train") else ""
        deciding = _one_of(place, r["context"])
        yield SourcedCase(name, r["group"], Case(r["question"], (deciding,), r["answer"] == "yes"))


def _paragraphs(name: str) -> Iterator[SourcedCase]:
    """Questions whose answer is a paragraph."""
    for number, r in enumerate(records(f"ranking/{name}.jsonl.gz")):
        if name == "medquad" and number % 6:
            continue
        text = r["answer"][:1_500]
        place = r["group"] if name == "nq-paragraphs" and not str(r["group"]).isdigit() else ""
        yield SourcedCase(name, str(r["group"]), Case(r["question"], (_one_of(place, text),)))


def _candidates(name: str) -> Iterator[SourcedCase]:
    """Questions with candidate sentences, which together are the passage."""
    for r in records(f"ranking/{name}.jsonl.gz"):
        text, units = "", []
        for candidate in r["candidates"]:
            units.append((len(text), len(text) + len(candidate)))
            text += candidate + "\n"
        made = LabelledPassage("", text, tuple(units), frozenset(r["relevant"]), about=True)
        yield SourcedCase(name, r["id"], Case(r["question"], (made,)))


def _refusals(name: str) -> Iterator[SourcedCase]:
    """Questions to which none of the passages found answers."""
    for r in records(f"generation/{name}.jsonl.gz"):
        if not r["answerable"]:
            found = tuple(silent(p["title"], p["text"], None) for p in r["passages"])
            for begin in (0, 3):
                yield SourcedCase(name, r["id"], Case(r["question"], found[begin : begin + 3]))


READ: dict[str, Callable[[str], Iterator[SourcedCase]]] = {
    "squad-train": _titled,
    "squadshifts-wiki": _titled,
    "squadshifts-amazon": _reviews,
    "policyqa-train": _titled,
    "fairytaleqa-train": _titled,
    "doc2dial": _dialogues,
    "qamr": _sentences,
    "qed-train": _spans,
    "quoref-dev": _spans,
    "drop-spans": _spans,
    "maud": _spans,
    "boolq-train": _yes_or_no,
    "condaqa": _yes_or_no,
    "strategyqa-train": _yes_or_no,
    "nq-paragraphs": _paragraphs,
    "medquad": _paragraphs,
    "selqa-dev": _candidates,
    "multihop-pieces": _candidates,
    "nomiracl-en": _refusals,
}


def _reading(name: str) -> Iterator[dict[str, Any]]:
    return (r for r in records(f"reading/{name}.jsonl.gz") if len(r["context"]) <= _LONGEST)


def _read(r: dict[str, Any], place: str) -> Case:
    if not r["answerable"]:
        return Case(r["question"], (silent(place, r["context"], True),))
    return Case(r["question"], (passage(place, r["context"], map(_span, r["answers"])),))


def _one_of(place: str, text: str) -> LabelledPassage:
    return LabelledPassage(place, text, units_of(text), None, about=True)


def _span(answer: dict[str, Any], before: int = 0) -> Span:
    return answer["start"] + before, answer["start"] + before + len(answer["text"])
