"""Run one model over a file: one JSON object a line in, one out, in the same order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from api.commands.batch import parse_line, printable_json
from rag.errors import IbidError, InvalidInput
from rag.models.runtime import cores

Entry = dict[str, Any]
Work = Callable[[Entry], Entry]

EXPECTED = {
    "reranker": '{"id": ..., "question": "...", "texts": ["...", ...]}',
    "reader": '{"id": ..., "question": "...", "context": "..."}',
    "compressor": '{"id": ..., "text": "...", "rate": a number above 0 and at most 1}, and "question" if any',
    "judge": '{"id": ..., "premise": "...", "hypothesis": "..."}',
}
AHEAD = 4  # lines in work for each core while earlier ones are waited for


def working(job: str, model: Any) -> Work:
    """Return what turns the entry of a line into the fields of its result."""

    def rerank(entry: Entry) -> Entry:
        scores = model.score(entry["question"], entry["texts"])
        return {"scores": [float(score) for score in scores]}

    def read(entry: Entry) -> Entry:
        reading = model.read(entry["question"], entry["context"])
        fields = ("answer", "start", "end", "score", "no_answer")
        return {field: getattr(reading, field) for field in fields}

    def compress(entry: Entry) -> Entry:
        done = model.compress(entry["text"], entry["rate"], question=entry.get("question") or "")
        return {"text": done.text, "kept": [list(span) for span in done.kept]}

    def judge(entry: Entry) -> Entry:
        return {"supported": float(model.support([(entry["premise"], entry["hypothesis"])])[0])}

    return {"reranker": rerank, "reader": read, "compressor": compress, "judge": judge}[job]


def run_lines(job: str, work: Work, lines: Sequence[str], write: Callable[[str], object] = print) -> int:
    """Work on each line, write the results in the order of the lines, and return how many failed.

    Blank lines are passed over. A line that fails is written as `{"id", "error"}` and the others go on.
    """
    numbered = ((number, line) for number, line in enumerate(lines, 1) if line.strip())
    failed = 0
    for result in _in_order(lambda one: _result(job, work, *one), numbered):
        failed += "error" in result
        write(printable_json(result))
    return failed


def _in_order(work: Callable[[Any], Entry], items: Iterator[Any]) -> Iterator[Entry]:
    """Work on several items at once; yield the results in order, each as soon as it and those before are done."""
    waiting: deque[Any] = deque()
    pool = ThreadPoolExecutor(cores())
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) >= AHEAD * cores():
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _result(job: str, work: Work, number: int, line: str) -> Entry:
    try:
        entry = parse_line(line, number)
    except InvalidInput as error:
        return {"id": None, "error": str(error)}
    identity = entry.get("id") if isinstance(entry, dict) else None
    if wrong := _what_is_wrong(job, entry):
        return {"id": identity, "error": f"Line {number} {wrong}; expected {EXPECTED[job]}."}
    try:
        return {"id": identity} | work(entry)
    except IbidError as error:
        return {"id": identity, "error": f"Line {number}: {error}"}


def _what_is_wrong(job: str, entry: Any) -> str:
    """Say what about an entry is not what the job reads; "" if it is right."""
    if not isinstance(entry, dict):
        return "is not an object"
    for field, right in _FIELDS[job].items():
        if field not in entry and field != _OPTIONAL.get(job):
            return f"has no {field}"
        if field in entry and (wrong := right(entry[field])):
            return f"has a {field} that {wrong}"
    return ""


def _text(value: Any) -> str:
    if not isinstance(value, str):
        return "is not a text"
    try:
        value.encode()
    except UnicodeEncodeError as error:
        return f"is half a surrogate pair at character {error.start}"
    return ""


def _texts(value: Any) -> str:
    if not isinstance(value, list):
        return "is not a list of texts"
    wrong = ((place, _text(one)) for place, one in enumerate(value))
    return next((f"at place {place} {what}" for place, what in wrong if what), "")


def _rate(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "is not a number"
    return "" if 0 < value <= 1 else f"is {value}"


def _text_or_none(value: Any) -> str:
    return "" if value is None else _text(value)


_FIELDS: Mapping[str, Mapping[str, Callable[[Any], str]]] = {
    "reranker": {"question": _text, "texts": _texts},
    "reader": {"question": _text, "context": _text},
    "compressor": {"text": _text, "rate": _rate, "question": _text_or_none},
    "judge": {"premise": _text, "hypothesis": _text},
}
_OPTIONAL = {"compressor": "question"}
