"""Verify a draft: every quote is compared with the stored text, character by character."""

from __future__ import annotations

from dataclasses import replace

from rag.catalog import Catalog
from rag.errors import CitationError, NotFound
from rag.types import Citation, Draft


class StaleEvidence(Exception):
    """A cited document changed or was deleted while the answer was being made; ask again."""


def verify(draft: Draft, corpus: str, catalog: Catalog) -> tuple[Citation, ...]:
    """Return the draft's citations, verified, each with the page on which its quote starts.

    Raises:
        StaleEvidence: if a cited document version is no longer the current one.
        CitationError: if a quote is not the stored text at its place, which no correct stage can cause.
    """
    documents = {}
    for name in {citation.document for citation in draft.citations}:
        try:
            documents[name] = catalog.document(corpus, name)
        except NotFound as error:
            raise StaleEvidence(str(error)) from error
    for citation in draft.citations:
        document = documents[citation.document]
        if document.version != citation.version:
            raise StaleEvidence(f"{document.name} is now at version {document.version}.")
        if not _is_at(citation.quote, citation.start, citation.end, document.text):
            raise CitationError(
                f"A quote from {document.name}, characters {citation.start} to {citation.end}, is not its text."
            )
        if not 0 <= citation.answer_start < citation.answer_end <= len(draft.text):
            raise CitationError(f"A citation of {document.name} supports no part of the answer.")
    return tuple(
        replace(citation, verified=True, page=documents[citation.document].page_at(citation.start))
        for citation in draft.citations
    )


def _is_at(quote: str, start: int, end: int, text: str) -> bool:
    return 0 <= start < end <= len(text) and text[start:end] == quote  # a slice forgives what lies outside
