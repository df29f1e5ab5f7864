"""Answer a file of questions, one JSON line out for each line in."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rag.errors import IbidError, InvalidInput

Answering = Callable[[str], dict[str, Any]]


def run_batch(path: Path, answer: Answering, write: Callable[[str], object] = print) -> int:
    """Answer each line `{"id", "question"}`; return how many lines failed. Blank lines are passed over.

    A line that fails is written as `{"id", "error"}` and the others go on.

    Raises:
        InvalidInput: if the file cannot be read as UTF-8.
    """
    failed = 0
    for number, line in enumerate(read_lines(path), 1):
        if line.strip():
            result = _answer_line(line, number, answer)
            failed += "error" in result
            write(printable_json(result))
    return failed


def read_lines(path: Path) -> list[str]:
    """Return the lines of a file in UTF-8.

    Raises:
        InvalidInput: if it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError, ValueError) as error:  # a null character in the path is a ValueError
        raise InvalidInput(f"{path} cannot be read ({error}); expected JSON Lines in UTF-8.") from error


def parse_line(line: str, number: int) -> Any:
    """Return the JSON value of a line.

    Raises:
        InvalidInput: if it is not JSON.
    """
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:  # also a number too long, or too many brackets
        raise InvalidInput(f"Line {number} is not JSON ({error}).") from error


def _answer_line(line: str, number: int, answer: Answering) -> dict[str, Any]:
    try:
        entry = parse_line(line, number)
    except InvalidInput as error:
        return {"id": None, "error": str(error)}
    identity = entry.get("id") if isinstance(entry, dict) else None
    if not isinstance(entry, dict) or not isinstance(entry.get("question"), str):
        return {
            "id": identity,
            "error": f'Line {number} has no question; expected {{"id": ..., "question": "..."}}.',
        }
    try:
        return {"id": identity} | answer(entry["question"])
    except IbidError as error:
        return {"id": identity, "error": str(error)}


def printable_json(value: Any, *, indent: int | None = None) -> str:
    """Return JSON that UTF-8 can hold: half a surrogate pair, as of a file name in Latin-1, is escaped."""
    return json.dumps(value, ensure_ascii=False, indent=indent).encode("utf-8", "backslashreplace").decode()
