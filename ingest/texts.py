"""Documents from the texts that the readers of other libraries return, llama-index's above all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Protocol

from ingest.formats.file_text import clean, from_pages, from_text, too_long
from ingest.load import DEFAULT_LIMITS
from ingest.names import document_name
from ingest.portable import Portable
from ingest.source import Outcome, failed
from rag.errors import InvalidInput, UnreadableFile
from rag.store.filters import is_storable
from rag.types import Scalar

_PAGE = "page_label"  # the metadata key by which readers tell the pages of a file apart
_UNSTABLE = (_PAGE, "last_accessed_date")  # metadata that differs between pages, or with every reading


class ReaderDocument(Protocol):
    """What is used of a llama-index `Document`."""

    @property
    def doc_id(self) -> str: ...

    @property
    def text(self) -> str: ...

    @property
    def metadata(self) -> dict[str, Any]: ...


def from_reader(
    documents: Iterable[ReaderDocument], root: Path | None, refused: list[Outcome]
) -> Iterator[Portable]:
    """Yield what a reader returned as documents to ingest; what cannot be ingested goes to `refused`.

    Neighbours of one name that all have a page label are the pages of one document.

    Args:
        root: the folder to which names are relative, see `_name`.
    """
    seen: set[str] = set()
    for name, group in groupby(documents, key=lambda document: _name(document, root)):
        for parts in _files(list(group)):
            stated = parts[0].metadata
            metadata = {key: value for key, value in stated.items() if key not in _UNSTABLE}
            try:
                one = text_document(
                    name, [part.text for part in parts] if _PAGE in stated else parts[0].text, metadata
                )
                if one.name in seen:
                    raise InvalidInput(
                        f"An earlier document is named {one.name!r} too; expected each name once. Pass `root`, or "
                        "give each another file_path."
                    )
                seen.add(one.name)
                yield one
            except (InvalidInput, UnreadableFile) as error:
                refused.append(failed(name, "read", error))


def text_document(name: str, text: str | Sequence[str], metadata: Mapping[str, Any]) -> Portable:
    """Return a document of a text, or of the texts of its pages. Texts are cleaned as those of files are.

    Args:
        metadata: texts, numbers and truth values are kept as they are, other values as JSON; None is dropped.

    Raises:
        InvalidName: if the name cannot be a document's.
        UnreadableFile: if there is no text, or more than is accepted.
    """
    name = document_name(name)
    made = from_text(text, {}) if isinstance(text, str) else from_pages(text, {})
    if not made.text.strip():
        raise UnreadableFile(f"{name} has no text; expected a document with text.")
    if len(made.text) > DEFAULT_LIMITS.max_characters:
        raise too_long(name, DEFAULT_LIMITS)
    kept = {clean(key): _scalar(value) for key, value in metadata.items() if value is not None}
    sha256 = hashlib.sha256(made.text.encode()).hexdigest()
    return Portable(name, 1, sha256, kept, made.pages, made.text)


def _files(neighbours: list[ReaderDocument]) -> list[list[ReaderDocument]]:
    """Part documents of one name into files: the pages of a file belong together."""
    paged = all(_PAGE in document.metadata for document in neighbours)
    return [neighbours] if paged else [[document] for document in neighbours]


def _name(document: ReaderDocument, root: Path | None) -> str:
    """Return the path below the root, a relative path as it is, else the file's name, else the document's id."""
    stated, name = document.metadata.get("file_path"), document.metadata.get("file_name")
    if not stated:
        return str(name or document.doc_id)
    path = Path(stated)
    if root is not None and path.absolute().is_relative_to(root.absolute()):
        return path.absolute().relative_to(root.absolute()).as_posix()
    if root is not None or not path.is_absolute():
        return str(stated)
    return str(name or path.name)


def _scalar(value: Any) -> Scalar:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, int | float) and is_storable(value):
        return value
    return clean(json.dumps(value, ensure_ascii=False, default=str))
