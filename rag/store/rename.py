"""Give a document another name in one transaction: nothing is parsed or embedded again."""

from __future__ import annotations

import json

import numpy as np

from rag.errors import NotFound, Swapped
from rag.store.catalog import Catalog, NewVersion
from rag.store.generations import Pieces
from rag.types import document_id


def rename_document(catalog: Catalog, corpus: str, old: str, new: str) -> None:
    """Let a document leave under its old name and appear under a new one, at once in every index.

    Under the new name it begins as a version of its own.

    Raises:
        NotFound: if there is no such document, it was changed meanwhile, or another came under the new name.
    """
    with catalog.snapshot():
        version = catalog.document_info(corpus, old).version
        stored = _stored_version(catalog, document_id(corpus, old))

    def free_and_unchanged() -> bool:
        found = catalog.current_versions([document_id(corpus, old), document_id(corpus, new)])
        return found == {document_id(corpus, old): version}

    try:
        catalog.put_version(corpus, new, stored, wanted=free_and_unchanged, instead_of=old)
    except (NotFound, Swapped) as error:
        raise NotFound(
            f"{old!r} was changed, or {new!r} came, while it was being renamed; nothing was changed."
        ) from error


def _stored_version(catalog: Catalog, identity: str) -> NewVersion:
    """Return the current version of a document as it can be put once more."""
    row = catalog.read().execute("SELECT * FROM documents WHERE id = ?", (identity,)).fetchone()
    generation = catalog.serving(row["corpus"]).id
    chunks = catalog.read().execute(
        'SELECT k.start, k."end", k.context, e.key, e.vector FROM chunks k '
        "JOIN embeddings e ON e.key = k.embedding WHERE k.document = ? AND k.generation = ? ORDER BY k.start",
        (row["row"], generation),
    ).fetchall()  # fmt: skip
    return NewVersion(
        text=row["text"],
        pages=tuple(json.loads(row["pages"])),
        metadata=json.loads(row["metadata"]),
        sha256=row["sha256"],
        given=row["given"],
        pieces=Pieces(
            [(chunk["start"], chunk["end"], chunk["context"]) for chunk in chunks],
            np.stack([np.frombuffer(chunk["vector"], np.float16) for chunk in chunks]),
            [chunk["key"] for chunk in chunks],
        ),
        generation=generation,
    )
