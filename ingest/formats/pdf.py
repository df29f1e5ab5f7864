"""PDF through PDFium, in a process of its own: the text of each page, its lines unwrapped.

A process because a PDF of 1 MB can unpack to gigabytes inside PDFium, which then ends the process it runs
in, as it does on some damaged files; and because PDFium is not thread-safe.
"""

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ingest.formats.loaded import Limits, Loaded, from_pages
from rag.errors import UnreadableFile

_ROOT = Path(__file__).resolve().parents[2]
_PROGRAM = "import sys; sys.path.insert(0, sys.argv[1]); from ingest.formats.pdf_process import main; main()"
MOST_S = 2100  # above the process's own limits, for systems that keep none
_END_MARK = b"%%EOF"
_END_BYTES = 65_536  # some writers and mail gateways append to a file; this much is let pass
_HYPHEN_BREAK = re.compile(r"(\w)(?:\x02|-\n|\xad\n?)(?=(\w))")  # PDFium's own mark for a broken word is \x02
_SENTENCE_END = (".", "!", "?", ":", ";", "…", "。", "！", "？")
_DATE = re.compile(r"D:(\d{4})(\d\d)(\d\d)(?:(\d\d)(\d\d)(\d\d))?")
_METADATA = {"Title": "title", "Author": "author", "Subject": "subject", "Keywords": "keywords"}


def read(data: bytes, name: str, limits: Limits) -> Loaded:
    """Extract every page; a PDF without any text is recognised by OCR where that is installed.

    Raises:
        UnreadableFile: if the file is encrypted, damaged or truncated, has too many pages, needs more
            memory or time than `pdf_process` allows, or has no text and OCR is not installed.
    """
    if data.rfind(_END_MARK, max(0, len(data) - _END_BYTES)) < 0:
        raise UnreadableFile(f"{name} is truncated: the end mark of a PDF is missing. Upload it again.")
    extracted = _extract(data, name, limits)
    if "error" in extracted:
        raise UnreadableFile(extracted["error"])
    return from_pages([unwrap(page) for page in extracted["pages"]], _metadata(extracted["metadata"]))


def unwrap(page: str) -> str:
    """Join words broken at a line's end, and lines that plainly go on.

    A line goes on if it ends no sentence and the next starts in lower case:
    "a remark-\\nable\\nanimal. It\\nsleeps" becomes "a remarkable animal. It sleeps".
    """
    text = _HYPHEN_BREAK.sub(_join_word, page.replace("\r\n", "\n").replace("\r", "\n"))
    parts: list[str] = []
    previous = ""
    for line in (line.strip() for line in text.split("\n")):
        goes_on = previous and line[:1].islower() and not previous.endswith(_SENTENCE_END)
        parts.append(" " if goes_on else "\n")
        parts.append(line)
        previous = line
    return "".join(parts[1:])


def _join_word(match: re.Match[str]) -> str:
    """Drop the hyphen between lower-case letters; elsewhere, as in "Smith-Jones", it is the author's."""
    return match[1] if match[1].islower() and match[2].islower() else f"{match[1]}-"


def _extract(data: bytes, name: str, limits: Limits) -> Any:
    """Run the process; its last line of output is JSON with "pages" and "metadata", or "error"."""
    command = [sys.executable, "-P", "-c", _PROGRAM, str(_ROOT), name, json.dumps(asdict(limits))]
    return json.loads(_output(command, data, name).splitlines()[-1])


def _output(command: Sequence[str], data: bytes, name: str, *, most_s: float = MOST_S) -> bytes:
    try:
        finished = subprocess.run(command, input=data, capture_output=True, check=False, timeout=most_s)
        status = str(finished.returncode)
    except subprocess.TimeoutExpired:
        status = "none"
    if status != "0":
        raise UnreadableFile(
            f"{name} could not be read within the memory and time that a PDF may take (exit status"
            f" {status}): it is damaged or inflated. Print it to a new PDF and upload that."
        )
    return finished.stdout


def _metadata(stated: dict[str, str]) -> dict[str, object]:
    metadata: dict[str, object] = {key: stated.get(field, "") for field, key in _METADATA.items()}
    date = _DATE.match(stated.get("CreationDate", ""))
    if date:
        year, month, day, *clock = date.groups()
        metadata["created"] = f"{year}-{month}-{day}" + (f"T{':'.join(clock)}" if clock[0] else "")
    return metadata
