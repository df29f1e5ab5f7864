"""Assemble the context: evidence in reading order, fenced as data, inside one budget of tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from rag.answer.generator import Generator
from rag.answer.prompts import MEMORY_TEMPLATE, QUESTION_TEMPLATE, SYSTEM, fenced, unfenced
from rag.answer.strategy import SUMMARY, Selection, Selector
from rag.errors import InvalidInput
from rag.memory.tiers import ACTIVE_TOKENS, PERSISTENT_TOKENS, SESSION_TOKENS, CountTokens, first_words
from rag.models.compress import Compressed, should_compress
from rag.text.injection import last_if_planted
from rag.text.tables import spelled_hit
from rag.types import Context, Cut, Evidence, Hit, Ledger, Memory

# A text and the share of it to keep
Compress = Callable[[str, float], Compressed]

MOST_MEMORY = ACTIVE_TOKENS + SESSION_TOKENS + PERSISTENT_TOKENS  # H
# Words shown of a recalled question or answer: two exchanges and the facts fit their quota.
_RECALLED_WORDS = 60
# Share of the budget that memory may take from evidence.
_MEMORY_SHARE = 1 / 4
# Compressing below this rate loses too many answers; evidence that still does not fit is cut.
LEAST_RATE = 1 / 3
# Factor on the share that would fit: compression works on characters, but the budget counts tokens.
_SPARE = 0.95


@dataclass(frozen=True, slots=True)
class Limits:
    """The token budget of a prompt, and how far its evidence is compressed."""

    budget: int  # B, the whole prompt
    evidence: int  # R, fences included
    compression: float = 1.0  # long prose is made this many times shorter, even if it fits

    def rate(self, needed: int, room: int) -> float:
        """Return the share of the evidence to keep, from LEAST_RATE to 1.

        Args:
            needed: tokens that the evidence takes uncompressed.
            room: tokens available.
        """
        fitting = _SPARE * room / needed if needed > room else 1.0
        return max(LEAST_RATE, min(fitting, 1 / self.compression))


class Assembler:
    """Chooses what the prompt shows of the evidence, and assembles the prompt.

    Args:
        generator: returns the generator whose tokens are counted; first called with the first question.
        compress: shortens a text for a question; None if evidence is only cut.
        attention: whether retrieved evidence is ordered with the best at both ends.
    """

    def __init__(
        self,
        limits: Limits,
        selector: Selector,
        generator: Callable[[], Generator],
        compress: Callable[[str, float, str], Compressed] | None,
        *,
        attention: bool = True,
        system: str = SYSTEM,
    ) -> None:
        self._limits, self._selector, self._generator = limits, selector, generator
        self._compress, self._attention, self._system = compress, attention, system

    def select(self, question: str, evidence: Sequence[Hit], fused: Sequence[Hit]) -> Selection:
        """Choose which parts of the documents the prompt shows; text that clearly addresses a model comes last.

        Args:
            evidence: what was retrieved, best first.
            fused: every chunk found; an overview may need more than the evidence.
        """
        generator = self._generator()
        count = generator.count_tokens
        room = room_for_evidence(question, self._limits, self._system, count)
        selection = self._selector.select(
            question, evidence, fused, room=room, count=count, writes=generator.writes
        )
        hits, remarks = last_if_planted(selection.hits)
        return replace(selection, hits=hits, remarks=tuple(remarks))

    def assemble(self, question: str, selection: Selection, memory: Memory) -> Context:
        """Fit a selection into the budget, together with the memory if a language model writes."""
        generator, compress = self._generator(), self._compress
        return assemble(
            question,
            selection.hits,
            reading_order(selection, attention=self._attention),
            limits=self._limits,
            count=generator.count_tokens,
            compress=compress and (lambda text, rate: compress(text, rate, question)),
            memory=memory_pieces(memory) if generator.writes else (),
            system=self._system,
        )


def assemble(
    question: str,
    ranked: Sequence[Hit],
    ordered: Sequence[Hit],
    *,
    limits: Limits,
    count: CountTokens,
    compress: Compress | None = None,
    memory: Sequence[str] = (),
    system: str = SYSTEM,
) -> Context:
    """Fit the evidence into its share of the budget; whatever does not fit is cut, the weakest first.

    If the evidence exceeds its share, its long prose is compressed before anything is cut, every piece alike. With
    `limits.compression` above 1, evidence that fits is compressed too.

    Args:
        ranked: the hits, best first; those at the end are cut first.
        ordered: the same hits in reading order.
        count: counts tokens as the generator's own tokenizer does.
        compress: shortens a text; without it, evidence is only cut.
        memory: remembered texts, of which at most H tokens are shown; the first is left out first.

    Raises:
        InvalidInput: if the question alone exceeds the budget.
    """
    rules, asked = count(f"{system}\n"), count("\n" + QUESTION_TEMPLATE.format(question=question))
    free = limits.budget - rules - asked
    if free < 0:
        raise InvalidInput(
            f"The question takes {asked} tokens; expected at most {limits.budget - rules} of the {limits.budget} in "
            "the budget. Shorten it, or raise IBID_BUDGET_TOKENS."
        )
    said, left_out = _remembered(
        memory, min(MOST_MEMORY, max(int(_MEMORY_SHARE * free), free - limits.evidence)), count
    )
    remembered = count(said) if said else 0
    room = min(limits.evidence, free - remembered)
    pieces = [_whole(hit, count, len(ranked)) for hit in ranked]
    needed = sum(piece.tokens for piece in pieces)
    if compress and (rate := limits.rate(needed, room)) < 1:
        pieces = [_compressed(piece, rate, compress, count, len(ranked)) for piece in pieces]
    kept, cut = _fit(pieces, room)
    placed = [kept[rank] for hit in ordered if (rank := ranked.index(hit)) in kept]
    shown = [fenced(piece.hit, piece.text, label) for label, piece in enumerate(placed, 1)]
    labelled = tuple(
        Evidence(label, piece.hit, count(text), piece.kept)
        for label, (piece, text) in enumerate(zip(placed, shown, strict=True), 1)
    )
    ledger = Ledger(limits.budget, rules, 0, remembered, sum(item.tokens for item in labelled), asked)
    prompt = "\n".join([system, said + "".join(shown), QUESTION_TEMPLATE.format(question=question)])
    return Context(question, labelled, ledger, tuple(cut), prompt, left_out)


def _fit(pieces: Sequence[_Piece], room: int) -> tuple[dict[int, _Piece], list[Cut]]:
    """Return the pieces, best first, that `room` tokens hold, by their place in the ranking, and what is cut."""
    kept: dict[int, _Piece] = {}
    cut: list[Cut] = []
    for rank, piece in enumerate(pieces):
        left = room - sum(one.tokens for one in kept.values())
        if piece.tokens <= left:
            kept[rank] = piece
        else:
            cut.append(Cut(piece.hit.chunk, f"over budget: {piece.tokens} tokens, {left} left of {room}"))
    return kept, cut


def reading_order(selection: Selection, *, attention: bool) -> list[Hit]:
    """Return the hits in reading order: retrieved hits by rank, whole documents and summaries in document order.

    Args:
        attention: put the best of the retrieved hits at both ends.
    """
    hits = selection.hits
    if selection.strategy == "retrieval":
        return order_for_attention(hits) if attention else hits
    documents = list(dict.fromkeys(hit.chunk.document_id for hit in hits))
    return sorted(
        hits, key=lambda hit: (hit.stage != SUMMARY, documents.index(hit.chunk.document_id), hit.start)
    )


def order_for_attention(hits: Sequence[Hit]) -> list[Hit]:
    """Put the best hit first, the second best last, and the rest inward; the weakest lands in the middle.

    Ranks 1 2 3 4 5 become 1 3 5 4 2 (the U-shaped curve of Liu et al., "Lost in the Middle", TACL 2024).
    """
    return [*hits[::2], *reversed(hits[1::2])]


def room_for_evidence(question: str, limits: Limits, system: str, count: CountTokens) -> int:
    """Return the tokens that evidence may always take, however much is remembered."""
    free = limits.budget - count(f"{system}\n") - count("\n" + QUESTION_TEMPLATE.format(question=question))
    return min(limits.evidence, int((1 - _MEMORY_SHARE) * max(0, free)))


def memory_pieces(memory: Memory) -> list[str]:
    """Return the memory in pieces, the first to be left out first: from the oldest summary to the latest exchange."""
    recalled = [
        f"Asked before: {first_words(one.question, _RECALLED_WORDS)}\n{first_words(one.answer, _RECALLED_WORDS)}"
        for one in reversed(memory.recalled)
    ]
    facts = [f"The user said: {fact.text}" for fact in reversed(memory.facts)]
    return [*memory.summary, *recalled, *facts, *memory.active]


@dataclass(frozen=True, slots=True)
class _Piece:
    """A hit as the prompt shows it."""

    hit: Hit
    text: str
    kept: tuple[tuple[int, int], ...]  # in the document; empty if the whole hit is shown
    tokens: int  # including the fence


def _whole(hit: Hit, count: CountTokens, most: int) -> _Piece:
    text, _ = spelled_hit(hit)
    return _Piece(hit, text, (), count(fenced(hit, text, most)))


def _compressed(piece: _Piece, rate: float, compress: Compress, count: CountTokens, most: int) -> _Piece:
    if not should_compress(piece.hit.text, tokens=piece.tokens, room=int(rate * piece.tokens)):
        return piece
    made, shift = compress(piece.hit.text, rate), piece.hit.start
    return replace(
        piece,
        text=made.text,
        kept=tuple((shift + start, shift + end) for start, end in made.kept),
        tokens=count(fenced(piece.hit, made.text, most)),
    )


def _remembered(memory: Sequence[str], room: int, count: CountTokens) -> tuple[str, tuple[str, ...]]:
    """Fence the pieces that fit, preferring the last ones, in their order; return the text and the pieces left out."""
    kept: list[str] = []
    left_out: list[str] = []
    used = count(MEMORY_TEMPLATE.format(said=""))
    for text in reversed(memory):
        tokens = count(f"{unfenced(text)}\n")
        if used + tokens > room:
            left_out.insert(0, text)
            continue
        used += tokens
        kept.insert(0, unfenced(text))
    said = MEMORY_TEMPLATE.format(said="\n".join(kept)) if kept else ""
    return said, tuple(left_out)
