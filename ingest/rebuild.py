"""Build a generation of a corpus beside the one that serves, and swap them.

A build stores document by document, so it goes on where it stopped. Documents that came or changed meanwhile are
simply more that the generation lacks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial

from ingest.pieces import GROUP_CHUNKS, CutText, PieceMaker
from ingest.source import failed
from rag.errors import NotFound, WrongState
from rag.store.catalog import Catalog
from rag.store.generations import Generation
from rag.types import Document

SWAP_ATTEMPTS = 10  # how often documents may come between catching up and the swap
DOCUMENTS_AT_A_TIME = 16  # read at a time

OnDocument = Callable[[], object]


def catch_up(catalog: Catalog, maker: PieceMaker, on_document: OnDocument = lambda: None) -> dict[str, str]:
    """Give a generation the documents that it lacks; return the reason by name for those that failed.

    Args:
        on_document: called as each is done; what it raises ends the work, and what was done stays.

    Raises:
        NotFound: if the generation was pruned.
        StorageError: if the catalogue cannot be read or written now.
    """
    reasons: dict[str, str] = {}
    group: list[tuple[int, Document, CutText]] = []
    for row, document in _missing(catalog, maker.generation):
        try:
            group.append((row, document, maker.cut(document.text, partial(catalog.documents.is_here, row))))
        except Exception as error:  # a chunker may embed, see `PieceMaker.embed_each`
            reasons[document.name] = str(failed(document.name, "chunk", error).error)
            on_document()
        if sum(len(cut.pieces) for _, _, cut in group) >= GROUP_CHUNKS:
            _put(catalog, maker, group, reasons, on_document)
            group = []
    _put(catalog, maker, group, reasons, on_document)
    catalog.embeddings.drop_old_checkpoints()
    return reasons


def complete(catalog: Catalog, maker: PieceMaker, on_document: OnDocument = lambda: None) -> None:
    """Catch up, where nothing may fail.

    Raises:
        WrongState: if a document cannot be made.
        NotFound, StorageError: see `catch_up`.
    """
    if reasons := catch_up(catalog, maker, on_document):
        name, reason = next(iter(reasons.items()))
        raise WrongState(
            f"Generation {maker.generation.id} lacks {len(reasons)} documents that cannot be made, such as "
            f"{name!r} ({reason}); nothing was swapped. Delete them, or build another generation."
        )


def swap(catalog: Catalog, maker: PieceMaker, on_document: OnDocument = lambda: None) -> None:
    """Let a generation serve as soon as it lacks nothing. The one before it stays, for a rollback.

    Raises:
        WrongState: if a document cannot be made for it, or more keep coming; nothing was changed.
        NotFound, StorageError: see `catch_up`.
    """
    for _ in range(SWAP_ATTEMPTS):
        complete(catalog, maker, on_document)
        if catalog.generations.swap(maker.generation):
            return
    raise WrongState(
        f"Documents came faster than generation {maker.generation.id} caught up; nothing was swapped. Try again "
        "when fewer come."
    )


def candidate(catalog: Catalog, corpus: str, wanted: int | None = None) -> Generation:
    """Return the generation that is to serve: the one that is named, or the newest that never has.

    Raises:
        NotFound: if there is none.
        WrongState: if it serves already.
    """
    known = catalog.generations.of(corpus)
    if wanted is None:
        found = [one for one in known if one.served is None]
        if not found:
            raise NotFound(
                f"Corpus {corpus!r} has no new generation; begin one: `ibid generations build --corpus "
                f"{corpus}`, or name one that served with --generation: `ibid generations list --corpus {corpus}`."
            )
        return found[-1]
    for one in known:
        if one.id == wanted and one.serves:
            raise WrongState(f"Generation {wanted} of {corpus!r} serves already.")
        if one.id == wanted:
            return one
    numbers = ", ".join(str(one.id) for one in known)
    raise NotFound(f"Corpus {corpus!r} has no generation {wanted}; it has {numbers}.")


def previous(catalog: Catalog, corpus: str) -> Generation:
    """Return the generation that a rollback brings back: the one that served last.

    Raises:
        NotFound: if there is none.
    """
    found = [
        (one.served, one.id, one) for one in catalog.generations.of(corpus) if one.served and not one.serves
    ]
    if not found:
        raise NotFound(
            f"Corpus {corpus!r} has no generation that served before; there is nothing to go back to."
        )
    return max(found)[-1]


def needless(catalog: Catalog, corpus: str, *, everything: bool = False) -> list[Generation]:
    """Return the generations to prune: all but the one that serves, a rollback's, and newer ones that never served.

    Args:
        everything: all but the one that serves.
    """
    known = catalog.generations.of(corpus)
    serving = next(one for one in known if one.serves)
    kept = {serving.id}
    if not everything:
        kept |= {one.id for one in known if one.served is None and one.id > serving.id}
        with suppress(NotFound):  # none served before
            kept.add(previous(catalog, corpus).id)
    return [one for one in known if one.id not in kept]


def _missing(catalog: Catalog, generation: Generation) -> Iterator[tuple[int, Document]]:
    """Yield what a generation lacks, each once, until nothing newer is missing."""
    after = 0
    while found := catalog.generations.missing(generation, after=after, limit=DOCUMENTS_AT_A_TIME):
        yield from found
        after = found[-1][0]


def _put(
    catalog: Catalog,
    maker: PieceMaker,
    group: list[tuple[int, Document, CutText]],
    reasons: dict[str, str],
    on_document: OnDocument,
) -> None:
    """Embed a group and give it to the generation; what was deleted meanwhile is no failure."""
    made = maker.embed_each([cut for _, _, cut in group]) if group else []
    for (row, document, cut), pieces in zip(group, made, strict=True):
        if not isinstance(pieces, Exception):
            catalog.generations.put(maker.generation, row, pieces)
        elif cut.wanted():
            reasons[document.name] = str(failed(document.name, "embed", pieces).error)
        on_document()
