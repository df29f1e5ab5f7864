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
from rag.types import Context, Cut, Evidence, Hit, Ledger, Memory

# A text and the share of it to keep
Compress = Callable[[str, float], Compressed]

MOST_MEMORY = ACTIVE_TOKENS + SESSION_TOKENS + PERSISTENT_TOKENS  # H
# Words of a recalled question or answer: two exchanges and the facts fit their quota.
_RECALLED_WORDS = 60
# Share of the budget that memory may take from evidence.
_MEMORY_SHARE = 1 / 4
# Below this rate too many answers are lost; what then does not fit is cut.
LEAST_RATE = 1 / 3
# Of the share that would fit: compression works on characters, and tokens are counted.
_SPARE = 0.95


@dataclass(frozen=True, slots=True)
class Limits:
    """Most tokens of a prompt, and how short its evidence is to be."""

    budget: int  # B, all of it
    evidence: int  # R, fences included
    compression: float = 1.0  # how many times shorter long prose is made, even where it fits

    def rate(self, needed: int, room: int) -> float:
        """Return the share of the evidence to keep, from LEAST_RATE to 1.

        Args:
            needed: tokens that it takes as it is.
            room: tokens that there is room for.
        """
        fitting = _SPARE * room / needed if needed > room else 1.0
        return max(LEAST_RATE, min(fitting, 1 / self.compression))


class Assembler:
    """Chooses what the prompt shows of the evidence, and assembles the prompt.

    Args:
        generator: whose tokens are counted; called when the first question is there.
        compress: makes a text shorter for a question; None where evidence is only cut.
        attention: whether what was retrieved is ordered with the best at both ends.
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
        """Choose what of the documents the prompt shows; what beyond doubt speaks to a model comes last.

        Args:
            evidence: what was retrieved, best first.
            fused: all that was found, of which an overview may be wanted.
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
        """Fit a selection into the budget, and what is remembered where a language model writes."""
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
    """Fit the evidence into its share of the budget; what does not fit is cut, the weakest first.

    Evidence beyond its share is compressed before anything is cut, each piece alike, where it is long prose; with
    `limits.compression` above 1 also what fits.

    Args:
        ranked: the hits best first: those at the end are cut first.
        ordered: the same hits in reading order.
        count: counts tokens as the generator's own tokenizer does.
        compress: makes a text shorter; without it evidence is only cut.
        memory: what is remembered, at most H tokens of it; the first is left out first.

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
    pieces = [_Piece(hit, hit.text, (), count(fenced(hit, hit.text, len(ranked)))) for hit in ranked]
    needed = sum(piece.tokens for piece in pieces)
    if compress and (rate := limits.rate(needed, room)) < 1:
        pieces = [_compressed(piece, rate, compress, count, len(ranked)) for piece in pieces]
    kept: dict[int, _Piece] = {}  # by the hit's place in the ranking
    cut: list[Cut] = []
    used = 0
    for rank, piece in enumerate(pieces):
        if used + piece.tokens <= room:
            kept[rank] = piece
            used += piece.tokens
        else:
            cut.append(
                Cut(piece.hit.chunk, f"over budget: {piece.tokens} tokens, {room - used} left of {room}")
            )
    placed = [kept[rank] for hit in ordered if (rank := ranked.index(hit)) in kept]
    shown = [fenced(piece.hit, piece.text, label) for label, piece in enumerate(placed, 1)]
    labelled = tuple(
        Evidence(label, piece.hit, count(text), piece.kept)
        for label, (piece, text) in enumerate(zip(placed, shown, strict=True), 1)
    )
    ledger = Ledger(limits.budget, rules, 0, remembered, sum(item.tokens for item in labelled), asked)
    prompt = "\n".join([system, said + "".join(shown), QUESTION_TEMPLATE.format(question=question)])
    return Context(question, labelled, ledger, tuple(cut), prompt, left_out)


def reading_order(selection: Selection, *, attention: bool) -> list[Hit]:
    """Return the hits in reading order: what was retrieved by rank, whole documents and summaries as they run.

    Args:
        attention: for what was retrieved: the best at both ends.
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
    """Return the tokens that evidence may take for certain, whatever is remembered."""
    free = limits.budget - count(f"{system}\n") - count("\n" + QUESTION_TEMPLATE.format(question=question))
    return min(limits.evidence, int((1 - _MEMORY_SHARE) * max(0, free)))


def memory_pieces(memory: Memory) -> list[str]:
    """Return what is remembered in pieces, the first to be left out first: the oldest gist, last what was just said."""
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
    kept: tuple[tuple[int, int], ...]  # in the document; empty where the whole hit is shown
    tokens: int  # fence included


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
    """Fence the pieces that have room, the last ones first, in their order; return it and what was left out."""
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
