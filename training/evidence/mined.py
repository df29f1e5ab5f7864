"""Find for training questions what is read in use: `python -m training.evidence.mined`, about ten minutes.

The documents of several sets become one corpus, passages of one document joined under its title, tables as markdown.
What a search returns for each question is cut into passages as the answer's stage does it, so that the model learns
from what it meets: a few passages, of which at most one or two answer.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from eval.benchmarks.yardstick.lookups import is_lookup
from eval.datasets import records, table_held_back
from eval.trial import CORPUS, text_sources, trial
from rag.answer.sentences import Sentence, answering_sentences, passages_of
from rag.models.evidence import EvidencePassage
from rag.types import Evidence, Hit
from training.evidence.cases import Case, LabelledPassage, Span
from training.evidence.sources import SourcedCase, read_sources
from training.evidence.tables import LabelledTable, as_table
from training.loop import ROOT

MINED = ROOT / "training" / "checkpoints" / "mined.jsonl"
# Questions of each set, and documents that they are drawn from.
QUESTIONS = {
    "squad-train": 900,
    "squadshifts-wiki": 500,
    "qed-train": 700,
    "doc2dial": 300,
    "policyqa-train": 400,
    "fairytaleqa-train": 250,
    "quoref-dev": 200,
}
DOCUMENTS = {
    "squad-train": 70,
    "squadshifts-wiki": 50,
    "qed-train": 900,
    "doc2dial": 250,
    "policyqa-train": 60,
    "fairytaleqa-train": 60,
    "quoref-dev": 100,
}
TABLES = 350
# Passages kept of a question: that answer, and that do not.
MOST_RIGHT, MOST_OTHERS = 2, 4


@dataclass(frozen=True, slots=True)
class Wanted:
    """A question, its document, the words that answer, and where they stand in the document."""

    question: str
    document: str
    answers: tuple[str, ...]
    spans: tuple[Span, ...]


def main() -> None:
    """Write the cases to MINED, one a line."""
    rng = random.Random("mined")
    texts, wanted = dict[str, str](), list[Wanted]()
    by_set: dict[str, list[SourcedCase]] = defaultdict(list)
    for source in read_sources():
        by_set[source.set].append(source)
    for name in QUESTIONS:
        _add_passages(name, by_set[name], texts, wanted, rng)
    _add_tables(texts, wanted, rng)
    MINED.parent.mkdir(parents=True, exist_ok=True)
    with MINED.open("w", encoding="utf-8") as file:
        for case in mine(texts, wanted):
            file.write(json.dumps(stored(case)) + "\n")


def mined_cases(path: Path = MINED) -> list[Case]:
    """Read the cases back; none if they were not made."""
    if not path.is_file():
        return []
    return [_restored(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]


def stored(case: Case) -> dict[str, Any]:
    """Return a case as JSON can hold it; `mined_cases` reads it back."""
    passages = [asdict(one) | {"answering": sorted(one.answering or ())} for one in case.passages]
    return {"question": case.question, "passages": passages}


def _restored(read: Mapping[str, Any]) -> Case:
    passages = (
        LabelledPassage(
            one["place"],
            one["text"],
            tuple(map(tuple, one["units"])),
            frozenset(one["answering"]),
            tuple(map(tuple, one["spans"])),
            one["about"],
            one["rows"],
        )
        for one in read["passages"]
    )
    return Case(read["question"], tuple(passages))


def _add_passages(
    name: str, sources: Sequence[SourcedCase], texts: dict[str, str], wanted: list[Wanted], rng: random.Random
) -> None:
    """Join the passages of each document of a set under its title."""
    groups: dict[str, list[SourcedCase]] = defaultdict(list)
    for source in sources:
        groups[source.document].append(source)
    drawn = rng.sample(sorted(groups), min(DOCUMENTS[name], len(groups)))
    found: list[Wanted] = []
    for group in drawn:
        title = " ".join(group.replace("_", " ").replace("-", " ").replace("/", " ").split())
        document, text, starts = f"{title[:120]}.txt", "", dict[str, int]()
        for source in groups[group]:
            one = source.case.passages[0]
            context = " ".join(one.text.split())
            if context not in starts:
                starts[context] = len(text)
                text += context + "\n\n"
            if one.spans and context == one.text:
                at = starts[context]
                answers = tuple(dict.fromkeys(one.text[s:e] for s, e in one.spans))
                spans = tuple((at + s, at + e) for s, e in dict.fromkeys(one.spans))
                found.append(Wanted(source.case.question, document, answers, spans))
        texts[document] = text
    wanted += rng.sample(found, min(QUESTIONS[name], len(found)))


def _add_tables(texts: dict[str, str], wanted: list[Wanted], rng: random.Random) -> None:
    kept = [r for r in records("tables/wikitablequestions-train.jsonl.gz") if not table_held_back(r["id"])]
    for number, r in enumerate(rng.sample(kept, TABLES)):
        table, heads = as_table(r)
        document = f"{table.label.replace('/', ' ')[:80]} {number}.md"
        texts[document], places = written(table)
        lookups = [q for q in r["questions"] if len(q["cells"]) == 1 and is_lookup(q["question"])]
        for question in lookups[:2]:
            row, column = question["cells"][0]
            if place := places.get((row - heads, column)):
                asked = f"{table.label}: {question['question']}"
                wanted.append(Wanted(asked, document, (texts[document][slice(*place)],), (place,)))


def written(table: LabelledTable) -> tuple[str, dict[tuple[int, int], Span]]:
    """Return a table as markdown under its title, and where its cells stand in that by (row, column)."""
    text, places = f"# {table.label}\n\n", dict[tuple[int, int], Span]()
    lines = [table.header, ("---",) * len(table.header), *table.rows]
    for row, line in enumerate(lines, -2):
        text += "|"
        for column, cell in enumerate(line):
            value = " ".join(cell.replace("|", "/").split())
            if value and row >= 0:
                places[row, column] = (len(text) + 1, len(text) + 1 + len(value))
            text += f" {value} |"
        text += "\n"
    return text, places


def mine(texts: Mapping[str, str], wanted: Iterable[Wanted]) -> Iterator[Case]:
    """Search for each question among all texts; yield what would be read, labelled."""
    with trial(text_sources(texts), {"compressor": "none"}) as made:
        for one in wanted:
            if case := _case(one, made.pipeline.search(CORPUS, one.question).hits):
                yield case


def _case(one: Wanted, hits: Sequence[Hit]) -> Case | None:
    """Return the case of a question; None if nothing is left to read.

    A passage that has the words of the answer elsewhere than where it stands is left out: it may answer too.
    """
    sentences = answering_sentences([Evidence(label, hit, 0) for label, hit in enumerate(hits, 1)])
    answers = [_plain(answer) for answer in one.answers]
    right, others = list[LabelledPassage](), list[tuple[float, LabelledPassage]]()
    remaining = iter(sentences)
    for read in passages_of(sentences):
        run = list(islice(remaining, len(read.units)))
        passage = _labelled(one, read, run)
        if passage.answers:
            right.append(passage)
        elif not any(answer in _plain(read.text) for answer in answers):
            others.append((run[0].evidence.hit.score, passage))
    others.sort(key=lambda other: -other[0])
    shown = [*right[:MOST_RIGHT], *(passage for _, passage in others[:MOST_OTHERS])]
    return Case(one.question, tuple(shown)) if shown else None


def _labelled(one: Wanted, read: EvidencePassage, run: Sequence[Sentence]) -> LabelledPassage:
    about = run[0].evidence.hit.chunk.document == one.document
    rows = run[0].row is not None
    nothing = LabelledPassage(read.place, read.text, read.units, about=about, rows=rows)
    spans = _spans(one, read, run) if about else ()
    holding = (
        number
        for number, (start, end) in enumerate(read.units)
        if any(begin < end and start < stop for begin, stop in spans)
    )
    return replace(nothing, answering=frozenset(holding), spans=spans)


def _spans(one: Wanted, read: EvidencePassage, run: Sequence[Sentence]) -> tuple[Span, ...]:
    """Return where the answer stands in a passage of its document."""
    if run[0].row is None:
        moved = ((s - run[0].start, e - run[0].start) for s, e in one.spans)
        return tuple((s, e) for s, e in moved if s >= 0 and e <= len(read.text))
    found = []
    for (start, end), row in zip(read.units, run, strict=True):
        if any(row.start <= s and e <= row.end for s, e in one.spans):
            places = ((read.text.find(answer, start, end), len(answer)) for answer in one.answers)
            found += [(at, at + length) for at, length in places if at >= 0]
    return tuple(found)


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


if __name__ == "__main__":
    main()
