"""JSON and JSON Lines as text in which each value stands next to its key."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, TypeGuard

from ingest.formats import markdown
from ingest.formats.file_text import FileLimits, FileText, bounded, from_text
from ingest.formats.encoding.decode import decode
from rag.errors import UnreadableFile

_MAX_COLUMNS = 50  # wider records read better, and stay bounded, as lines


def read(data: bytes, name: str, limits: FileLimits) -> FileText:
    """Write a list of flat objects as a table, everything else as `path.to.key: value` lines.

    `{"name": "Ann", "address": {"city": "Bonn"}, "tags": ["a", "b"]}` becomes

        name: Ann

        address.city: Bonn

        tags: a, b

    Nested objects in a list get a heading each: the list's key and the object's first text.

    Raises:
        UnreadableFile: if it is neither JSON nor JSON Lines.
    """
    parsed = _parse(decode(data, name).text, name)
    return from_text("\n\n".join(bounded(_blocks(parsed, name, limits), name, limits)), {})


def _parse(text: str, name: str) -> Any:
    try:
        return _loads(text)
    except json.JSONDecodeError as whole:
        try:
            lines = text.split("\n")  # alone: U+2028 may stand in a string
            return [_loads(line) for line in lines if line.strip()]
        except json.JSONDecodeError:
            place = f"line {whole.lineno}, column {whole.colno}"
            raise UnreadableFile(
                f"{name} is not valid JSON: {whole.msg} at {place}; mend it there and upload it again."
            ) from whole


def _loads(text: str) -> Any:
    return json.loads(text, parse_float=str, parse_int=str)  # as written: 1.10 stays 1.10


def _blocks(parsed: Any, name: str, limits: FileLimits) -> Iterator[str]:
    if _is_tabular(parsed):
        yield _table(parsed)
    elif isinstance(parsed, list) and not _is_flat_list(parsed):
        yield from (_lines(record, "", name, limits) for record in parsed)
    elif isinstance(parsed, dict):
        yield from _members(parsed, name, limits)
    else:
        yield _lines(parsed, "", name, limits)


def _members(record: dict[str, Any], name: str, limits: FileLimits) -> Iterator[str]:
    """Group an object's plain values, then give each nested one a block of its own."""
    plain = {key: value for key, value in record.items() if not isinstance(value, dict | list)}
    if plain:
        yield _lines(plain, "", name, limits)
    for key, value in record.items():
        if key in plain:
            continue
        if _is_tabular(value):
            yield f"{markdown.heading(key, 2)}\n\n{_table(value)}"
        elif isinstance(value, list) and value and all(isinstance(entry, dict) for entry in value):
            yield from (_titled(key, entry, name, limits) for entry in value)
        else:
            yield _lines(value, key, name, limits)


def _titled(key: str, record: dict[str, Any], name: str, limits: FileLimits) -> str:
    """Head a record of a list with the list's key and its own first text, which most often names it."""
    title = next((value for value in record.values() if isinstance(value, str)), "")
    return f"{markdown.heading(f'{key}: {title}'[:120], 2)}\n\n{_lines(record, '', name, limits)}"


def _lines(value: Any, path: str, name: str, limits: FileLimits) -> str:
    return "\n".join(bounded(_leaves(value, path), name, limits))


def _leaves(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, dict):
        for key, member in value.items():
            yield from _leaves(member, f"{path}.{key}" if path else key)
    elif isinstance(value, list) and not _is_flat_list(value):
        for index, member in enumerate(value):
            yield from _leaves(member, f"{path}[{index}]")
    elif value != []:
        text = ", ".join(map(_plain, value)) if isinstance(value, list) else _plain(value)
        yield f"{path}: {text}" if path else text


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)  # null, true, false


def _is_flat_list(value: Sequence[Any]) -> bool:
    return not any(isinstance(member, dict | list) for member in value)


def _is_tabular(value: Any) -> TypeGuard[list[dict[str, Any]]]:
    """Return whether this is a list of two or more objects without nesting, few enough keys in all."""
    if not isinstance(value, list) or len(value) < 2:
        return False
    if not all(
        isinstance(record, dict) and record and _is_flat_list(list(record.values())) for record in value
    ):
        return False
    return len(_columns(value)) <= _MAX_COLUMNS


def _columns(records: list[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(key for record in records for key in record))


def _table(records: list[dict[str, Any]]) -> str:
    columns = _columns(records)
    rows = [[_cell(record.get(column)) for column in columns] for record in records]
    return markdown.table([columns, *rows])


def _cell(value: Any) -> str:
    return "" if value is None else _plain(value)
