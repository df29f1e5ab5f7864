"""JSON and JSON Lines as text in which each value stands next to its key."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, TypeGuard

from ingest.formats import markdown
from ingest.formats.encoding.decode import decode
from ingest.formats.file_text import FileLimits, FileText, bounded, from_text
from ingest.formats.grid import write_table
from rag.errors import UnreadableFile

# Wider records read better, and stay bounded, as lines.
_MAX_COLUMNS = 50
_SAMPLE_LINES = 20


def read(data: bytes, name: str, limits: FileLimits) -> FileText:
    """Write lists of flat objects and of rows as tables, everything else as `path.to.key: value` lines.

    `{"name": "Ann", "address": {"city": "Bonn"}, "tags": ["a", "b"]}` becomes

        name: Ann

        address.city: Bonn

        tags: a, b

    Nested objects in a list get a heading each: the list's key and the object's first text.

    Raises:
        UnreadableFile: if it is neither JSON nor JSON Lines; it names the line and column of the first fault.
    """
    decoded = decode(data, name)
    parsed = _parse(decoded.text, name)
    return from_text(write_records(parsed, name, limits), {}, decoded.omissions)


def write_records(value: Any, name: str, limits: FileLimits) -> str:
    """Write what JSON can hold, as `read` says; numbers are texts."""
    return "\n\n".join(bounded(_blocks(value, name, limits), name, limits))


def _parse(text: str, name: str) -> Any:
    try:
        return _loads(text)
    except json.JSONDecodeError as error:
        # "\n" alone: U+2028 may stand in a string.
        lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
        if not _is_lines(lines, name):
            raise _fault(name, "JSON", error.msg, error.lineno, error.colno) from error
    records = []
    for number, line in lines:
        try:
            records.append(_loads(line))
        except json.JSONDecodeError as error:
            raise _fault(name, "JSON Lines", error.msg, number, error.colno) from error
    return records


def _is_lines(lines: Sequence[tuple[int, str]], name: str) -> bool:
    """Return whether a file is one record a line: its suffix says so, or most of its first lines are records."""
    if name.lower().endswith((".jsonl", ".ndjson")):
        return True
    sample = [line for _, line in lines[:_SAMPLE_LINES]]
    return len(sample) > 1 and sum(_is_record(line) for line in sample) * 2 > len(sample)


def _is_record(line: str) -> bool:
    try:
        return isinstance(_loads(line), dict | list)
    except json.JSONDecodeError:
        return False


def _fault(name: str, kind: str, reason: str, line: int, column: int) -> UnreadableFile:
    reason = reason.removesuffix(" at").removesuffix(" starting")
    return UnreadableFile(
        f"{name} is not valid {kind}: {reason} at line {line}, column {column}; mend it there and upload it again."
    )


def _loads(text: str) -> Any:
    return json.loads(text, parse_float=str, parse_int=str)  # as written: 1.10 stays 1.10


def _blocks(parsed: Any, name: str, limits: FileLimits) -> Iterator[str]:
    if _is_tabular(parsed):
        yield _table(parsed)
    elif _is_grid(parsed):
        yield write_table([[_cell(value) for value in row] for row in parsed])
    elif isinstance(parsed, list) and not _is_flat_list(parsed):
        yield from (_titled("", record, name, limits) for record in parsed)
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
        elif _is_grid(value):
            rows = [[_cell(cell) for cell in row] for row in value]
            yield f"{markdown.heading(key, 2)}\n\n{write_table(rows)}"
        elif isinstance(value, list) and value and all(isinstance(entry, dict) for entry in value):
            yield from (_titled(key, entry, name, limits) for entry in value)
        else:
            yield _lines(value, key, name, limits)


def _titled(key: str, record: Any, name: str, limits: FileLimits) -> str:
    """Head a record of a list with the list's key and its own first text, which most often names it."""
    values = record.values() if isinstance(record, dict) else ()
    title = next((value for value in values if isinstance(value, str)), "")
    head = f"{key}: {title}" if key else title
    lines = _lines(record, "", name, limits)
    return f"{markdown.heading(head[:120], 2)}\n\n{lines}" if head.strip() else lines


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
    if not all(isinstance(record, dict) and record and _is_flat(record) for record in value):
        return False
    return len(_columns(value)) <= _MAX_COLUMNS


def _is_flat(record: dict[str, Any]) -> bool:
    """Return whether all values are plain, or short lists of plain values."""
    return all(
        not isinstance(value, dict)
        and (not isinstance(value, list) or (_is_flat_list(value) and len(value) <= 10))
        for value in record.values()
    )


def _columns(records: list[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(key for record in records for key in record))


def _table(records: list[dict[str, Any]]) -> str:
    columns = _columns(records)
    rows = [[_cell(record.get(column)) for column in columns] for record in records]
    return write_table([columns, *rows], header_rows=1)


def _is_grid(value: Any) -> TypeGuard[list[list[Any]]]:
    """Return whether this is a list of two or more rows of plain values, alike in width."""
    if not isinstance(value, list) or len(value) < 2 or not all(isinstance(row, list) for row in value):
        return False
    widths = {len(row) for row in value}
    return (
        len(widths) == 1 and widths != {1} and max(widths) <= _MAX_COLUMNS and all(map(_is_flat_list, value))
    )


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_plain, value))
    return "" if value is None else _plain(value)
