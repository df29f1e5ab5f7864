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
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} cannot be read ({error}); expected JSON Lines in UTF-8.") from error
    failed = 0
    for number, line in enumerate(lines, 1):
        if line.strip():
            result = _answer_line(line, number, answer)
            failed += "error" in result
            write(printable_json(result))
    return failed


def _answer_line(line: str, number: int, answer: Answering) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError) as error:  # also a number too long, or too many brackets
        return {"id": None, "error": f"Line {number} is not JSON ({error})."}
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
