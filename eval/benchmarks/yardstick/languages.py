"""120 everyday facts in eight languages, asked for in their own language and in English: is the right one found first?

`eval/language_facts.jsonl` is our own writing. Every fact is a document; all are one corpus. The trunk embeds it and,
where the extra is installed, the multilingual model.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from eval.benchmarks.yardstick.outcomes import cites, share
from eval.datasets import ROOT
from eval.trial import CORPUS, Trial, text_sources, trial
from rag.models.multilingual.prepare import is_available
from rag.recipe import MULTILINGUAL, TRUNK

FACTS = ROOT / "eval" / "language_facts.jsonl"
# Hits that count as near.
NEAR = 3
ASKED = {"question": "own language", "in_english": "English"}


def measure() -> dict[str, Any]:
    """Return the shares for each language, and for all; those of the multilingual model under names that say so."""
    facts = [json.loads(line) for line in FACTS.read_text(encoding="utf-8").splitlines()]
    measured = _by_language(facts, TRUNK)
    if is_available():
        other = _by_language(facts, MULTILINGUAL)
        measured |= {f"{name}, {MULTILINGUAL}": shares for name, shares in other.items()}
    return measured


def _by_language(facts: Sequence[Mapping[str, str]], embedder: str) -> dict[str, dict[str, float]]:
    names = [f"{fact['language']}-{number}.txt" for number, fact in enumerate(facts)]
    texts = {name: fact["fact"] for name, fact in zip(names, facts, strict=True)}
    with trial(text_sources(texts), {"embedder": embedder}) as made:
        found = [_found(made, fact, name) for fact, name in zip(facts, names, strict=True)]
    languages = dict.fromkeys(fact["language"] for fact in facts)
    rows = {
        language: [one for one, fact in zip(found, facts, strict=True) if fact["language"] == language]
        for language in languages
    }
    return {name: _shares(row) for name, row in {**rows, "all": found}.items()}


def _found(made: Trial, fact: Mapping[str, str], document: str) -> dict[str, bool]:
    """Return what holds of a fact: found first, found near, and quoted, for each way of asking."""
    held: dict[str, bool] = {}
    for way, named in ASKED.items():
        hits = [hit.chunk.document for hit in made.pipeline.search(CORPUS, fact[way]).hits]
        held[f"{named}: first"] = hits[:1] == [document]
        held[f"{named}: among {NEAR}"] = document in hits[:NEAR]
        held[f"{named}: quoted"] = cites(made.pipeline.ask(CORPUS, fact[way]), document)
    return held


def _shares(found: Sequence[Mapping[str, bool]]) -> dict[str, float]:
    return {name: share(one[name] for one in found) for name in found[0]}
