"""Documents as lines of JSON, to move a corpus to another machine or tool, or to compare two states of it.

A line contains a document: name, version, sha256 of its original, metadata, pages, text, and what of the original the
text lacks and where its words stand on their pages. An import rebuilds what follows from these, chunks and embeddings;
originals travel in backups.
"""

from __future__ import annotations

import hashlib
import json
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ingest.names import document_name
from rag.errors import InvalidInput
from rag.store.catalog import Catalog
from rag.store.filters import is_storable
from rag.text.boxes import are_boxes_of
from rag.types import Metadata, Omission

MOST_VERSION = 2**31
EXPECTED_LINE = (
    'expected {"name": "...", "text": "..."} and, as far as known, "version" (from 1), "sha256" (64 hex digits), '
    '"metadata" (an object of texts, numbers, true or false), "pages" (rising offsets, the first one 0), '
    '"omissions" (a list of {"kind": "...", "place": "...", "count": 1}) and "boxes" (as `ibid export` writes them)'
)
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Portable:
    """A document version outside of any catalogue."""

    name: str
    version: int
    sha256: str  # of the original's bytes
    metadata: Metadata
    pages: tuple[int, ...]
    text: str
    omissions: tuple[Omission, ...] = ()
    boxes: bytes = b""


def export_documents(catalog: Catalog, corpus: str) -> Iterator[str]:
    """Yield each document of a corpus as a line of JSON without its end, by name, all of one moment.

    The same documents give the same lines: two exports can be compared line by line.
    """
    with catalog.database.snapshot():
        for info in catalog.documents.infos(corpus):
            document = catalog.documents.get(corpus, info.name)
            fields = {
                "name": document.name,
                "version": document.version,
                "sha256": info.sha256,
                "metadata": dict(sorted(document.metadata.items())),
                "pages": list(document.pages),
                "text": document.text,
                "omissions": [asdict(one) for one in info.omissions],
                "boxes": b64encode(catalog.documents.boxes(document.id, document.version)).decode(),
            }
            yield json.dumps(fields, ensure_ascii=False)


def read_documents(
    lines: Iterable[bytes], most_characters: int, failed: Callable[[int, str], object]
) -> Iterator[Portable]:
    """Yield the document of each line (UTF-8); blank lines are passed over.

    Args:
        failed: called with the number, from 1, of each line that holds none, and with the reason.
    """
    seen: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            one = _document(line, most_characters)
            if one.name in seen:
                raise InvalidInput(
                    f"It names {one.name!r}, as line {seen[one.name]} does; expected each name once."
                )
            seen[one.name] = number
        except InvalidInput as error:
            failed(number, str(error))
            continue
        yield one


def _document(line: bytes, most_characters: int) -> Portable:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError) as error:  # also other encodings, numbers too long, too many brackets
        raise InvalidInput(f"It is not JSON ({error}); {EXPECTED_LINE}.") from error
    if not isinstance(entry, dict):
        raise InvalidInput(f"It is not an object; {EXPECTED_LINE}.")
    for field, is_right in _FIELDS.items():
        if field not in entry and field in ("name", "text"):
            raise InvalidInput(f"It has no {field}; {EXPECTED_LINE}.")
        if field in entry and not is_right(entry[field]):
            raise InvalidInput(f"It has the {field} {ascii(entry[field])[:80]}; {EXPECTED_LINE}.")
    text, pages = entry["text"], tuple(entry.get("pages", ()))
    if len(text) > most_characters:
        raise InvalidInput(
            f"It has a text of {len(text):,} characters; expected at most {most_characters:,}."
        )
    if pages and pages[-1] > len(text):
        raise InvalidInput(f"It has a page at {pages[-1]}, beyond its text of {len(text)} characters.")
    sha256 = entry.get("sha256") or hashlib.sha256(text.encode()).hexdigest()
    name = document_name(entry["name"])
    omissions = tuple(Omission(**one) for one in entry.get("omissions", ()))
    boxes = b64decode(entry.get("boxes", ""))
    if not are_boxes_of(boxes, len(text)):
        raise InvalidInput(f"It has boxes that are none of the words of its text; {EXPECTED_LINE}.")
    metadata = entry.get("metadata", {})
    return Portable(name, entry.get("version", 1), sha256, metadata, pages, text, omissions, boxes)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and is_storable(value)


def _is_version(value: Any) -> bool:
    return type(value) is int and 1 <= value < MOST_VERSION


def _is_metadata(value: Any) -> bool:
    return isinstance(value, dict) and all(
        is_storable(key) and is_storable(held) for key, held in value.items()
    )


def _is_pages(value: Any) -> bool:
    whole = isinstance(value, list) and all(type(offset) is int for offset in value)
    return whole and value == sorted(value) and (not value or value[0] == 0)


def _is_omissions(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(one, dict)
        and one.keys() == {"kind", "place", "count"}
        and _is_text(one["kind"])
        and isinstance(one["place"], str)
        and is_storable(one["place"])
        and _is_version(one["count"])
        for one in value
    )


def _is_boxes(value: Any) -> bool:
    try:
        b64decode(value, validate=True)
    except (TypeError, ValueError):
        return False
    return True


_FIELDS: Mapping[str, Callable[[Any], bool]] = {
    "name": lambda value: isinstance(value, str),
    "text": _is_text,
    "version": _is_version,
    "sha256": lambda value: isinstance(value, str) and bool(_SHA256.fullmatch(value)),
    "metadata": _is_metadata,
    "pages": _is_pages,
    "omissions": _is_omissions,
    "boxes": _is_boxes,
}
