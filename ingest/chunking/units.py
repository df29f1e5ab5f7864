"""Cut a text into units that chunkers join but never cut: sentences, tables, rows, lines of code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from ingest.chunking.blocks import Block, line_spans, markdown_blocks
from ingest.chunking.tokens import Ruler
from rag.models.embed import Embedder
from rag.text.sentences import split_sentences
from rag.text.tables import cells_of, is_full_rule, is_row, is_rule, is_section

HEADINGS_TOKENS = 32  # longest context of headings; the nearest headings go first
# A longer paragraph above a table is no caption.
CAPTION_CHARACTERS, CAPTION_PARAGRAPHS = 300, 3
_SENTENCE_END = (".", "!", "?", ":", ";")
_TOP_LEVELS = 7


@dataclass(frozen=True, slots=True)
class Unit:
    """A span that stays whole, and what a chunk that begins with it may hold."""

    start: int
    end: int
    tokens: int
    # Most tokens of a chunk that begins here, so that the embedder reads it and its context whole.
    limit: int
    context: str  # the headings above it; of a table its caption and, where it was split, its header row
    alone: bool = False  # part of something split: joining neighbours would mix their contexts
    opens: bool = False  # begins a top-level section


@dataclass(frozen=True, slots=True)
class TableHead:
    """What the rows of a table are read with: lines of the text, each "" if there is none."""

    caption: str = ""
    header: str = ""
    section: str = ""  # the row above that heads a group of rows


NO_TABLE = TableHead()


class Contexts:
    """Make contexts of headings and table heads that leave the embedder room for the text."""

    def __init__(self, embedder: Embedder, chunk_tokens: int) -> None:
        self._embedder = embedder
        self._chunk_tokens = chunk_tokens
        self._known: dict[tuple[tuple[str, ...], TableHead], tuple[str, int]] = {}

    def make(self, headings: tuple[str, ...], head: TableHead = NO_TABLE) -> tuple[str, int]:
        """Return the context and the most tokens that a chunk under it may have."""
        if (headings, head) not in self._known:
            context = self._join(headings, head)
            room = self._embedder.max_tokens - len(self._embedder.token_offsets(context)) if context else None
            limit = self._chunk_tokens if room is None else min(self._chunk_tokens, room)
            self._known[headings, head] = (context, min(limit, self._embedder.max_tokens))
        return self._known[headings, head]

    def _join(self, headings: tuple[str, ...], head: TableHead) -> str:
        quarter = self._embedder.max_tokens // 4
        title = ""
        for heading in reversed(headings):
            longer = (
                f"{heading} > {title}" if title else self._shorten(heading, min(HEADINGS_TOKENS, quarter))
            )
            if len(self._embedder.token_offsets(longer)) > min(HEADINGS_TOKENS, quarter):
                break
            title = longer
        parts = (
            title,
            self._shorten(head.caption, quarter // 2),
            self._shorten_row(head.header, 2 * quarter),
            self._shorten_row(head.section, quarter // 2),
        )
        return "\n".join(filter(None, parts))

    def _shorten(self, text: str, tokens: int) -> str:
        ruler = Ruler(text, self._embedder)
        return text[: ruler.cut(0, tokens)].strip() if text else ""

    def _shorten_row(self, row: str, tokens: int) -> str:
        """Keep the first cells: half a name would be a wrong one."""
        kept = self._shorten(row, tokens)
        if len(kept) == len(row) or not is_row(row):
            return kept
        return row[: kept.rfind("|") + 1]


def make_units(ruler: Ruler, chunk_tokens: int) -> list[Unit]:
    """Return the text's units in order; they are disjoint and cover all that is not white space.

    A heading and what follows it are one unit, so that no chunk ends with a heading. A table or a fenced
    code block that fits is one unit; otherwise its rows or lines are grouped, and each group of rows after
    the first has the header row in its context. Whatever exceeds its limit is cut.

    Args:
        chunk_tokens: most tokens of a unit.
    """
    units: list[Unit] = []
    contexts = Contexts(ruler.embedder, chunk_tokens)
    blocks = markdown_blocks(ruler.text)
    top = _top_level(blocks)
    heading: Unit | None = None
    for above, block in zip([None, *blocks], blocks, strict=False):
        if block.kind == "heading":
            fresh = _plain(ruler, contexts, block, block.start, block.end)
            fresh = replace(fresh, opens=block.level <= top)
            heading = fresh if heading is None else _join(heading, fresh, ruler, units)
            continue
        caption = _caption(ruler.text, above) if block.kind == "table" else ""
        following = list(_block_units(ruler, contexts, block, caption))
        if heading is not None and following:
            following[0] = _join(heading, following[0], ruler, units)
            heading = None
        units.extend(following)
    return [*units, heading] if heading else units


def gather(units: Sequence[Unit], minimum: int) -> list[Unit]:
    """Join neighbouring units until each has `minimum` tokens, except before a section or where it would not fit."""
    gathered: list[Unit] = []
    for unit in units:
        last = gathered[-1] if gathered else None
        small = last is not None and last.tokens < minimum and last.tokens + unit.tokens <= last.limit
        if last is None or not small or last.alone or unit.alone or unit.opens:
            gathered.append(unit)
        else:
            gathered[-1] = replace(last, end=unit.end, tokens=last.tokens + unit.tokens)
    return gathered


def _join(heading: Unit, follower: Unit, ruler: Ruler, done: list[Unit]) -> Unit:
    """Return heading and follower as one unit; where that is too long, add the heading to `done` by itself."""
    tokens = ruler.count(heading.start, follower.end)
    if tokens <= heading.limit:
        return replace(heading, end=follower.end, tokens=tokens, alone=follower.alone)
    done.extend(_fitted(ruler, heading))
    return follower


def _caption(text: str, above: Block | None) -> str:
    """Return the paragraph above a table on one line, "" if there is none or it is too long to be a caption.

    Lines above that end no sentence belong to it, such as a title above "(in millions)".
    """
    if above is None or above.kind != "prose":
        return ""
    caption = ""
    for paragraph in reversed(text[above.start : above.end].strip().split("\n\n")[-CAPTION_PARAGRAPHS:]):
        longer = " ".join(f"{paragraph} {caption}".split())
        if len(longer) > CAPTION_CHARACTERS or (caption and paragraph.rstrip().endswith(_SENTENCE_END)):
            break
        caption = longer
    return caption


def _block_units(ruler: Ruler, contexts: Contexts, block: Block, caption: str) -> Iterator[Unit]:
    start, end = ruler.strip(block.start, block.end)
    if start == end:
        return
    whole = _plain(ruler, contexts, block, start, block.end, TableHead(caption))
    if block.kind == "prose":
        cuts = [start + sentence for sentence, _ in split_sentences(ruler.text[start : block.end])] + [
            block.end
        ]
        for begin, stop, tokens in zip(cuts, cuts[1:], ruler.counts(cuts), strict=False):
            yield from _fitted(ruler, replace(whole, start=begin, end=stop, tokens=tokens))
    elif whole.tokens <= whole.limit:
        yield whole
    else:
        yield from _grouped(ruler, contexts, block, caption)


def _grouped(ruler: Ruler, contexts: Contexts, block: Block, caption: str) -> Iterator[Unit]:
    """Group the lines of a table or of code that is too long, each group up to the limit."""
    lines = line_spans(ruler.text, *ruler.strip(block.start, block.end))
    # Until a rule says that it is the header, the first row names no columns: without outer bars it is text
    header = ruler.text[slice(*lines[0])].strip("| \t\r\n") if block.kind == "table" else ""
    section = previous = ""
    ruled = has_sections = False
    group: Unit | None = None
    for number, (start, end) in enumerate(lines):
        line = ruler.text[start:end].strip()
        if is_row(line) and (is_full_rule(line) or (is_rule(line) and not ruled)):
            if not is_rule(previous):
                header, section, has_sections = previous, "", len(cells_of(previous)) > 1
            ruled = True
        elif is_row(header) and not is_row(line):
            header, section, ruled, has_sections = "", "", False, False
        previous = line
        longer = ruler.count(group.start if group else start, end)
        if group and longer <= group.limit:
            group = replace(group, end=end, tokens=longer)
            section = line if has_sections and is_section(line) else section
            continue
        if group:
            yield group
        head = TableHead(caption, header, section) if number else TableHead(caption)
        context, limit = contexts.make(block.headings, head)
        group = Unit(start, end, ruler.count(start, end), limit, context, alone=True)
        section = line if has_sections and is_section(line) else section
        if group.tokens > limit:
            yield from _pieces(ruler, contexts, block.headings, head, group)
            group = None
    if group:
        yield group


def _pieces(
    ruler: Ruler, contexts: Contexts, headings: tuple[str, ...], head: TableHead, line: Unit
) -> Iterator[Unit]:
    """Yield a line that is too long in pieces, a row between its cells.

    Pieces after the first have their row's label and the names of their columns in the context. No header, though: they
    would be taken for the names of the first columns.
    """
    text = ruler.text[line.start : line.end]
    if not is_row(text):
        yield from _fitted(ruler, line)
        return
    cells = cells_of(text, line.start)
    names = [name for _, _, name in cells_of(head.header)]
    # As many as a header in a context may have, see `Contexts`
    longest = ruler.embedder.max_tokens // 2
    named = [0, *accumulate(len(ruler.embedder.token_offsets(name)) + 1 for name in names)]
    first = 0
    while first < len(cells):
        last = first + 1
        while last < len(cells) and (
            ruler.count(cells[first][0], cells[last][1]) < line.limit // 2
            and named[min(last + 1, len(names))] - named[min(first, len(names))] < longest
        ):
            last += 1
        own = ", ".join(filter(None, [cells[0][2], *names[first:last]]))
        context, limit = contexts.make(headings, replace(head, header=own) if first else head)
        # From the bar before the first of them to the bar before the next
        start = ruler.text.rindex("|", line.start, cells[first][0]) if first else line.start
        end = ruler.text.rindex("|", line.start, cells[last][0]) if last < len(cells) else line.end
        piece = Unit(start, end, ruler.count(start, end), limit, context, alone=True)
        yield from _fitted(ruler, piece)
        first = last


def _plain(
    ruler: Ruler, contexts: Contexts, block: Block, start: int, end: int, head: TableHead = NO_TABLE
) -> Unit:
    context, limit = contexts.make(block.headings, head)
    return Unit(start, end, ruler.count(start, end), limit, context)


def _fitted(ruler: Ruler, unit: Unit) -> Iterator[Unit]:
    """Yield the unit, cut where it exceeds its limit."""
    if unit.tokens <= unit.limit:
        yield unit
        return
    for start, end in ruler.divide(unit.start, unit.end, unit.limit):
        if ruler.text[start:end].strip():
            opens = unit.opens and start == unit.start
            yield replace(unit, start=start, end=end, tokens=ruler.count(start, end), opens=opens)


def _top_level(blocks: Sequence[Block]) -> int:
    """Return the highest level that has several headings: a title that stands alone opens no section."""
    levels = [block.level for block in blocks if block.kind == "heading"]
    return min(
        (level for level in levels if levels.count(level) > 1), default=min(levels, default=_TOP_LEVELS)
    )
