"""Order evidence for a reader whose attention sags in the middle of a long prompt."""

from __future__ import annotations

from collections.abc import Sequence

from rag.types import Hit


def order_for_attention(hits: Sequence[Hit]) -> list[Hit]:
    """Put the best hit first, the second best last, and the rest inward; the weakest lands in the middle.

    Ranks 1 2 3 4 5 become 1 3 5 4 2 (the U-shaped curve of Liu et al., "Lost in the Middle", TACL 2024).
    """
    return [*hits[::2], *reversed(hits[1::2])]
