"""Recalling turns of long conversations, on LoCoMo: is an evidence turn among the ten found?"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from eval.datasets import records
from eval.trial import shared_embedder
from rag.memory.conversation import EXCHANGE_COSINE, RECALLED
from rag.memory.recall import TurnIndex, TurnText
from rag.recipe import TRUNK

FOUND = 10


def measure() -> dict[str, Any]:
    """Return the share of questions for which an evidence turn is recalled, by meaning alone and as Ibid does.

    The last figure is for what the question path shows: those of the best two that are near enough.
    """
    embedder = shared_embedder(TRUNK)
    hybrid, dense, shown = list[bool](), list[bool](), list[set[str]]()
    right = list[bool]()
    for conversation in records("conversation/locomo.jsonl.gz"):
        names, said = zip(*_turns(conversation["conversation"]), strict=True)
        vectors = embedder.encode([turn.text for turn in said])
        turns = TurnIndex(said, vectors)
        for asked in conversation["qa"]:
            wanted = {name for part in asked.get("evidence", ()) for name in re.findall(r"D\d+:\d+", part)}
            if not wanted & set(names):
                continue
            vector = embedder.encode([asked["question"]])[0]
            ranked = turns.rank(asked["question"], vector, FOUND)
            hybrid.append(any(names[n] in wanted for n, _, _ in ranked))
            shown.append({names[n] for n, _, cosine in ranked[:RECALLED] if cosine >= EXCHANGE_COSINE})
            right.append(bool(shown[-1] & wanted))
            dense.append(any(names[int(n)] in wanted for n in (-(vectors @ vector)).argsort()[:FOUND]))
    return {
        "questions": len(hybrid),
        "evidence turn among ten": round(sum(hybrid) / len(hybrid), 4),
        "by meaning alone": round(sum(dense) / len(dense), 4),
        "something is shown": round(sum(map(bool, shown)) / len(shown), 4),
        "an evidence turn is shown": round(sum(right) / len(right), 4),
    }


def _turns(conversation: Mapping[str, Any]) -> Iterator[tuple[str, TurnText]]:
    """Yield every turn's name and text, with its speaker, session by session."""
    number = 1
    while f"session_{number}" in conversation:
        for turn in conversation[f"session_{number}"]:
            shown = f" [{turn['blip_caption']}]" if turn.get("blip_caption") else ""
            yield turn["dia_id"], TurnText(number, f"{turn['speaker']}: {turn['text']}{shown}")
        number += 1
