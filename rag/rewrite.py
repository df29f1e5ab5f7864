"""Rewrite a follow-up question so that it stands alone, before anything is retrieved for it. In English.

Rules propose edits (rag/followup/edits.py) and a small model chooses (rag/followup/scorer.py): a pronoun becomes what
it means, "And in Graz?" becomes the last question with its place exchanged, "Why?" takes the last question along. A
question that stands alone stays as it is: a wrong name finds worse documents than no name.
"""

from __future__ import annotations

from collections.abc import Sequence

from rag.followup.mentions import read_conversation
from rag.followup.scorer import load_scorer

# Edits of one question; a third seldom helps.
MOST_EDITS = 2


def rewrite_within(question: str, earlier: Sequence[str], *, most_chars: int) -> str:
    """Return the question rewritten to stand alone, or unchanged if the rewritten one would be too long."""
    alone = rewrite(question, earlier)
    return alone if len(alone) <= most_chars else question


def rewrite(question: str, earlier: Sequence[str] = ()) -> str:
    """Return the question with omitted references filled in, or unchanged if nothing was said before.

    "Where was she born?"  after "Who was Marie Curie?"               -> "Where was Marie Curie born?"
    "And in Graz?"         after "When does the office in Lund open?" -> "When does the office in Graz open?"
    "Why?"                 after "Is the lamp lit at dusk?"           -> "Why is the lamp lit at dusk?"

    Args:
        earlier: previous questions and answers, oldest first.
    """
    if not question.strip() or not any(text.strip() for text in earlier):
        return question
    said, alone = read_conversation([text for text in earlier if text.strip()]), question
    for _ in range(MOST_EDITS):
        edit = load_scorer().best_edit(alone, said)
        if edit is None:
            break
        alone = edit.text
    return alone
