"""Verify a draft: each part of it is cited from the context, and each quote is exactly the stored text."""

from __future__ import annotations

import re
from dataclasses import replace

from rag.errors import CitationError, NotFound
from rag.store.catalog import Catalog
from rag.text.boxes import boxes_between
from rag.text.tables import is_shown, row_at
from rag.types import Chunk, Citation, Context, Document, Draft

_LABEL = re.compile(r"\[([0-9]{1,4})\]")


class StaleEvidence(Exception):
    """A cited document changed or was deleted while the answer was being made; ask again."""


def verify(draft: Draft, context: Context, corpus: str, catalog: Catalog) -> tuple[Citation, ...]:
    """Return the draft's citations, verified; every part of it except white space and labels [n] is cited.

    Raises:
        StaleEvidence: if a cited document version is no longer the current one.
        CitationError: if a citation is wrong or part of the answer is not cited, which no correct stage can cause.
    """
    citations = check_citations(draft, context, corpus, catalog)
    if uncited := _uncited(draft):
        raise CitationError(f"Nothing is cited for this part of the answer: {uncited[:80]!r}.")
    return citations


def check_citations(draft: Draft, context: Context, corpus: str, catalog: Catalog) -> tuple[Citation, ...]:
    """Return a draft's citations, verified, each with the page on which its quote starts and its boxes there.

    A citation's label names a piece of the context's evidence, and its quote lies within the span of that piece. The
    quote is the stored text at its place and, in a verbatim draft, also the answer's words.

    Raises:
        StaleEvidence: if a cited document version is no longer the current one.
        CitationError: if any of this is violated, which no correct stage can cause.
    """
    documents = _current_documents(draft, corpus, catalog)
    for citation in draft.citations:
        if wrong := _what_is_wrong(citation, draft, context, documents[citation.document].text):
            place = f"{citation.document}, characters {citation.start} to {citation.end}"
            raise CitationError(f"A citation of {place}, {wrong}.")
    packed = {name: catalog.documents.boxes(one.id, one.version) for name, one in documents.items()}
    return tuple(
        _verified(citation, documents[citation.document], packed[citation.document])
        for citation in draft.citations
    )


def _verified(citation: Citation, document: Document, packed: bytes) -> Citation:
    boxes = tuple(boxes_between(packed, citation.start, citation.end))
    return replace(citation, verified=True, page=document.page_at(citation.start), boxes=boxes)


def current_document(source: Citation | Chunk, corpus: str, catalog: Catalog) -> Document:
    """Return the document of a citation or chunk.

    Raises:
        StaleEvidence: if it was deleted or has another version by now.
    """
    try:
        document = catalog.documents.get(corpus, source.document)
    except NotFound as error:
        raise StaleEvidence(str(error)) from error
    if document.version != source.version:
        raise StaleEvidence(f"{document.name} is now at version {document.version}.")
    return document


def _current_documents(draft: Draft, corpus: str, catalog: Catalog) -> dict[str, Document]:
    cited = {(citation.document, citation.version): citation for citation in draft.citations}
    return {name: current_document(citation, corpus, catalog) for (name, _), citation in cited.items()}


def _what_is_wrong(citation: Citation, draft: Draft, context: Context, text: str) -> str:
    """Return what is wrong with a citation, or "" if nothing is."""
    if not _is_at(citation.quote, citation.start, citation.end, text):
        return "does not quote its text"
    if not 0 <= citation.answer_start < citation.answer_end <= len(draft.text):
        return "supports no part of the answer"
    if not _is_in_evidence(citation, context):
        return f"does not lie in evidence [{citation.label}] of the context"
    if draft.verbatim and not _says(draft.text[citation.answer_start : citation.answer_end], citation, text):
        return "is not what the answer says there"
    return ""


def _says(said: str, citation: Citation, text: str) -> bool:
    """Return whether words of an answer are a quote, or show the table row that it quotes with its columns' names."""
    if said == citation.quote:
        return True
    row = row_at(text, citation.start, citation.end)
    return row is not None and is_shown(row, said)


def _is_at(quote: str, start: int, end: int, text: str) -> bool:
    return 0 <= start < end <= len(text) and text[start:end] == quote  # slices tolerate bounds outside


def _is_in_evidence(citation: Citation, context: Context) -> bool:
    return any(
        (item.label, item.hit.chunk.document, item.hit.chunk.version)
        == (citation.label, citation.document, citation.version)
        and item.hit.start <= citation.start
        and citation.end <= item.hit.end
        for item in context.evidence
    )


def _uncited(draft: Draft) -> str:
    """Return the parts of the answer that no citation supports, ignoring white space and citation labels."""
    rest = list(draft.text)
    for citation in draft.citations:
        length = citation.answer_end - citation.answer_start
        rest[citation.answer_start : citation.answer_end] = " " * length
    labels = {citation.label for citation in draft.citations}
    return _LABEL.sub(lambda found: "" if int(found[1]) in labels else found[0], "".join(rest)).strip()
