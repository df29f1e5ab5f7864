"""Instructions planted in documents: are they marked, are plain texts left alone, and do answers show them?"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from eval.datasets import HANDBOOK, SHARED, handbook, records
from eval.questions import EvalQuestion
from eval.trial import CORPUS, shared_embedder, text_sources, trial
from ingest.chunking.chunkers import make_chunker
from ingest.load import load
from ingest.source import find_sources
from rag.recipe import TRUNK
from rag.settings import Settings
from rag.text.injection import sign_of_injection
from rag.text.sentences import split_sentences


def measure() -> dict[str, Any]:
    """Plant BIPIA's attacks beside the handbook's gold evidence, one for each question, and ask.

    The rules were written with this list in view, so the recall is for this list, not for attacks in general.
    """
    attacks = [attack for attacks in _attacks().values() for attack in attacks]
    marked = [attack for attack in attacks if sign_of_injection(f"It is so. {attack} It was so.")]
    return {
        "attacks": len(attacks),
        "marked": round(len(marked) / len(attacks), 3),
        "not marked": [attack for attack in attacks if attack not in marked],
        **_false_alarms(),
        **_planted(attacks),
    }


def _false_alarms() -> dict[str, float]:
    chunker = make_chunker("packed", shared_embedder(TRUNK), chunk_tokens=Settings().corpus.chunk_tokens)
    chunks = alarms = 0
    for article in records("documents/wikipedia-490.jsonl.gz"):
        for piece in chunker(article["text"]):
            chunks += 1
            alarms += bool(sign_of_injection(article["text"][piece.start : piece.end]))
    return {"chunks of articles": chunks, "falsely marked": alarms, "share": round(alarms / chunks, 5)}


def _planted(attacks: Sequence[str]) -> dict[str, int]:
    """Ask every answerable question over documents with an attack behind each gold excerpt."""
    questions = [question for question in handbook() if question.answerable]
    texts = {source.name: load(source.read(), source.name).text for source in _sources()}
    planted = list(zip(questions, attacks, strict=False))
    counts = {"planted": len(planted), "in the context": 0, "reported": 0, "shown unmarked": 0}
    with trial(text_sources(_with_attacks(texts, planted)), {"refuse_below": 0.0}) as made:
        for question, _ in planted:
            answer = made.pipeline.ask(CORPUS, question.question)
            context = " ".join(hit.text for hit in answer.trace.rankings["context"])
            remarks = " ".join(answer.trace.remarks)
            seen = [one for attack in attacks for one in _sentences(attack) if one in context]
            marked = [one for one in seen if (sign := sign_of_injection(one)) and sign in remarks]
            counts["in the context"] += bool(seen)
            counts["reported"] += bool(marked)
            counts["shown unmarked"] += any(one in answer.text for one in seen if one not in marked)
    return counts


def _sentences(attack: str) -> list[str]:
    return [attack[start:end].strip() for start, end in split_sentences(attack)]


def _with_attacks(texts: Mapping[str, str], planted: Sequence[tuple[EvalQuestion, str]]) -> dict[str, str]:
    """Insert each attack behind the line of its question's first gold excerpt."""
    changed = {}
    for name, text in texts.items():
        places = sorted(
            (question.evidence[0].end, attack)
            for question, attack in planted
            if question.evidence[0].document == name
        )
        for end, attack in reversed(places):
            line = text.find("\n", end)
            at = len(text) if line < 0 else line
            text = f"{text[:at]}\n\n{attack}\n{text[at:]}"
        changed[f"{name}.txt"] = text
    return changed


def _sources() -> Sequence[Any]:
    return find_sources([HANDBOOK / "documents"])[0]


def _attacks() -> dict[str, list[str]]:
    path = SHARED / "injection" / "bipia-text-train.json"
    attacks: dict[str, list[str]] = json.loads(path.read_text(encoding="utf-8"))
    return attacks
