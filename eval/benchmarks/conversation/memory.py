"""A conversation of 200 turns: does memory stay within its budget, and does it still know what the third turn stated?

The questions are the handbook's, in a shuffled order, repeated; in the third turn the user also states something that
no document mentions. A random network writes, so memory goes into its prompts; its text is never supported, and the
extractive answer replaces it.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from eval.benchmarks.answers.tiny_causal import tiny_causal
from eval.datasets import HANDBOOK, handbook
from eval.report import plots
from eval.trial import CORPUS, RESULTS, commit, file_sources, reconfigured, trial
from rag.answer.prompts import SYSTEM
from rag.memory.conversation import Conversations, Session
from rag.memory.tiers import ACTIVE_TOKENS, EVICT_FROM, PERSISTENT_TOKENS, SESSION_TOKENS, tier_tokens

TURNS = 200
STATED = "Our project is called Heron and its audit is on 14 May."
PROBES = ("What is our project called?", "When is the audit of our project?")
WRITTEN_TOKENS = 16
SESSION = Session(CORPUS, "long")


def measure() -> dict[str, Any]:
    """Talk for 200 turns, record the content of each tier after each turn, and draw it."""
    asked = questions(TURNS)
    with trial(file_sources([HANDBOOK / "documents"]), {}) as made, tempfile.TemporaryDirectory() as folder:
        model = tiny_causal(Path(folder), " ".join([SYSTEM, *asked]))
        pipeline = reconfigured(made, {"generator": str(model), "generator_tokens": WRITTEN_TOKENS})
        conversations = Conversations(made.catalog)
        held, prompts = list[dict[str, int]](), list[tuple[int, int]]()
        for question in asked:
            ledger = conversations.ask(pipeline, SESSION, question).ledger
            conversations.tidy(SESSION, pipeline)
            tokens = tier_tokens(conversations.exchanges(SESSION), pipeline.models.generator.count_tokens)
            held.append({tier: tokens[tier] for tier in tokens} | {"prompt": ledger.memory})
            prompts.append((ledger.used, ledger.budget))
        known = [conversations.ask(pipeline, SESSION, probe) for probe in PROBES]
    (RESULTS / plot_name()).write_text(drawn(held) + "\n", encoding="utf-8")
    return {
        "turns": TURNS,
        "most tokens, active": max(tokens["active"] for tokens in held),
        "most tokens, session": max(tokens["session"] for tokens in held),
        "most tokens of memory in a prompt": max(tokens["prompt"] for tokens in held),
        "prompts beyond the budget": sum(used > budget for used, budget in prompts),
        "what the third turn stated is known": [
            STATED.rstrip(".") in (fact.text for fact in answer.facts) for answer in known
        ],
        "plot": plot_name(),
        "tokens": {tier: [tokens[tier] for tokens in held] for tier in held[0]},
    }


def questions(turns: int) -> list[str]:
    """Return a conversation's questions; the third follows a statement."""
    every = [question.question for question in handbook()]
    random.Random(3).shuffle(every)
    asked = list(islice(cycle(every), turns))
    asked[2] = f"{STATED} {asked[2]}"
    return asked


def drawn(held: Sequence[dict[str, int]]) -> str:
    """Draw the tiers' tokens over the turns."""
    series = {
        f"active (evicts from {EVICT_FROM * ACTIVE_TOKENS:.0f})": [one["active"] for one in held],
        f"session (evicts from {EVICT_FROM * SESSION_TOKENS:.0f})": [one["session"] for one in held],
        f"in the prompt (at most {ACTIVE_TOKENS + SESSION_TOKENS + PERSISTENT_TOKENS})": [
            one["prompt"] for one in held
        ],
    }
    return plots.over_time(series, "turn", "tokens")


def plot_name() -> str:
    """Return the name of the plot's file."""
    return f"memory-{commit()}.svg"
