"""JSON Lines: answer a file of questions, or run one model over a file; one line out for each line in, in order."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from api.commands.terminal import printable_json
from rag.answer.sentences import Sentence, passages_of, sentences_of_text
from rag.errors import IbidError, InvalidInput
from rag.models.evidence import EvidenceModel
from rag.models.runtime import cores

JsonObject = dict[str, Any]
Answering = Callable[[str], JsonObject]
Work = Callable[[JsonObject], JsonObject]

EXPECTED_LINES = {
    "reranker": '{"id": ..., "question": "...", "texts": ["...", ...]}',
    "evidence": '{"id": ..., "question": "...", "context": "..."}, and "place" if any',
    "reader": '{"id": ..., "question": "...", "context": "..."}',
    "compressor": '{"id": ..., "text": "...", "rate": a number above 0 and at most 1}, and "question" if any',
    "judge": '{"id": ..., "premise": "...", "hypothesis": "..."}',
}
AHEAD = 4  # lines in work for each core while earlier ones are waited for


def answer_lines(path: Path, answer: Answering) -> int:
    """Print the answer to each line `{"id", "question"}` of a file; return how many failed.

    Blank lines are passed over. A line that fails is printed as `{"id", "error"}` and the others go on.

    Raises:
        InvalidInput: if the file cannot be read as UTF-8.
    """
    failed = 0
    for number, line in enumerate(read_jsonl(path), 1):
        if line.strip():
            result = _answer_line(line, number, answer)
            failed += "error" in result
            print(printable_json(result), flush=True)
    return failed


def read_jsonl(path: Path) -> list[str]:
    """Return the lines of a file in UTF-8.

    Raises:
        InvalidInput: if it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError, ValueError) as error:  # a null character in the path is a ValueError
        raise InvalidInput(f"{path} cannot be read ({error}); expected JSON Lines in UTF-8.") from error


def working(job: str, model: Any) -> Work:
    """Return what turns the entry of a line into the fields of its result."""

    def rerank(entry: JsonObject) -> JsonObject:
        scores = model.score(entry["question"], entry["texts"])
        return {"scores": [float(score) for score in scores]}

    def weigh(entry: JsonObject) -> JsonObject:
        sentences = sentences_of_text(entry["context"], entry.get("place") or "")
        scored = zip(sentences, _scores(model, entry["question"], sentences), strict=True)
        ranked = sorted(scored, key=lambda one: -one[1])
        return {
            "units": [
                {"text": unit.text, "start": unit.start, "end": unit.end, "score": score}
                for unit, score in ranked
            ]
        }

    def read(entry: JsonObject) -> JsonObject:
        reading = model.read(entry["question"], entry["context"])
        fields = ("answer", "start", "end", "score", "no_answer")
        return {field: getattr(reading, field) for field in fields}

    def compress(entry: JsonObject) -> JsonObject:
        done = model.compress(entry["text"], entry["rate"], question=entry.get("question") or "")
        return {"text": done.text, "kept": [list(span) for span in done.kept]}

    def judge(entry: JsonObject) -> JsonObject:
        return {"supported": float(model.support([(entry["premise"], entry["hypothesis"])])[0])}

    works = {"reranker": rerank, "evidence": weigh, "reader": read, "compressor": compress, "judge": judge}
    return works[job]


def _scores(model: EvidenceModel, question: str, sentences: Sequence[Sentence]) -> list[float]:
    scores = model.scores(question, passages_of(sentences))
    return [float(score) for one in scores for score in one]


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


def _answer_line(line: str, number: int, answer: Answering) -> JsonObject:
    try:
        entry = _parse_line(line, number)
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


def _parse_line(line: str, number: int) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:  # also a number too long, or too many brackets
        raise InvalidInput(f"Line {number} is not JSON ({error}).") from error


def _in_order(work: Callable[[Any], JsonObject], items: Iterator[Any]) -> Iterator[JsonObject]:
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


def _result(job: str, work: Work, number: int, line: str) -> JsonObject:
    try:
        entry = _parse_line(line, number)
    except InvalidInput as error:
        return {"id": None, "error": str(error)}
    identity = entry.get("id") if isinstance(entry, dict) else None
    if wrong := _what_is_wrong(job, entry):
        return {"id": identity, "error": f"Line {number} {wrong}; expected {EXPECTED_LINES[job]}."}
    try:
        return {"id": identity} | work(entry)
    except IbidError as error:
        return {"id": identity, "error": f"Line {number}: {error}"}


def _what_is_wrong(job: str, entry: Any) -> str:
    """Return what about an entry is not what the job reads; "" if it is right."""
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
    "evidence": {"question": _text, "context": _text, "place": _text_or_none},
    "reader": {"question": _text, "context": _text},
    "compressor": {"text": _text, "rate": _rate, "question": _text_or_none},
    "judge": {"premise": _text, "hypothesis": _text},
}
_OPTIONAL = {"compressor": "question", "evidence": "place"}
