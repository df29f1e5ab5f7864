"""Jupyter notebooks: text and code in order, with what the code printed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from ingest.formats.encoding.decode import decode
from ingest.formats.file_text import FileLimits, FileText, Omission, bounded, from_text
from ingest.formats.markdown import fenced
from ingest.formats.web.html import convert
from rag.errors import UnreadableFile

_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
# What of an output is taken, the richest that reads as text first.
_TABLE = re.compile(r"<table", re.IGNORECASE)


def read(data: bytes, name: str, limits: FileLimits) -> FileText:
    """Write markdown cells as they are, code and its printed output as fenced blocks, tables as tables.

    Raises:
        UnreadableFile: if it is no JSON, or has no list of cells.
    """
    decoded = decode(data, name)
    try:
        notebook = json.loads(decoded.text)
    except json.JSONDecodeError as error:
        raise UnreadableFile(
            f"{name} is not valid JSON: {error.msg} at line {error.lineno}, column {error.colno}; mend it there and"
            " upload it again."
        ) from error
    writer = _Writer(_language(notebook))
    parts = (
        part for number, cell in enumerate(_cells(notebook, name), 1) for part in writer.cell(cell, number)
    )
    text = "\n\n".join(part for part in bounded(parts, name, limits) if part.strip())
    metadata = notebook.get("metadata") if isinstance(notebook, dict) else None
    title = metadata.get("title") if isinstance(metadata, dict) else None
    return from_text(text, {"title": title}, (*decoded.omissions, *writer.omissions))


class _Writer:
    def __init__(self, language: str) -> None:
        self.omissions: list[Omission] = []
        self._language = language

    def cell(self, cell: Any, number: int) -> Iterator[str]:
        if not isinstance(cell, dict):
            return
        source = _text(cell.get("source", cell.get("input")))
        kind = cell.get("cell_type")
        if kind == "code":
            yield fenced(source, self._language) if source.strip() else ""
            outputs = cell.get("outputs")
            for output in outputs if isinstance(outputs, list) else []:
                yield from self._output(output, number)
            return
        if kind == "heading":
            level = cell.get("level")
            source = f"{'#' * (level if isinstance(level, int) and 0 < level < 7 else 1)} {source}"
        attachments = cell.get("attachments")
        if isinstance(attachments, dict):
            self.omissions += [Omission("image", f"cell {number}")] * len(attachments)
        yield source

    def _output(self, output: Any, number: int) -> Iterator[str]:
        if not isinstance(output, dict):
            return
        if output.get("output_type") in ("error", "pyerr"):
            yield fenced(f"{output.get('ename')}: {_COLOUR.sub('', str(output.get('evalue')))}", "")
            return
        data = output.get("data")
        shown: dict[str, Any] = data if isinstance(data, dict) else {}
        html = _text(shown.get("text/html", output.get("html")))
        plain = _text(shown.get("text/plain", output.get("text")))
        if _TABLE.search(html):
            page = convert(html, titled=False)
            self.omissions += page.omissions
            yield page.text
        elif shown.get("text/markdown") or shown.get("text/latex"):
            yield _text(shown.get("text/markdown") or shown.get("text/latex"))
        elif any(key.startswith("image/") for key in shown) or "png" in output:
            self.omissions.append(Omission("image", f"output of cell {number}"))
        elif plain.strip():
            yield fenced(_COLOUR.sub("", plain), "")
        elif html:
            yield convert(html, titled=False).text
        elif shown:
            self.omissions.append(Omission("output", f"cell {number}: {', '.join(shown)[:100]}"))


def _cells(notebook: Any, name: str) -> list[Any]:
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if cells is None and isinstance(notebook, dict) and isinstance(notebook.get("worksheets"), list):
        # The format of 2013 and before.
        sheets = [sheet for sheet in notebook["worksheets"] if isinstance(sheet, dict)]
        cells = [cell for sheet in sheets for cell in sheet.get("cells", [])]
    if not isinstance(cells, list):
        raise UnreadableFile(f"{name} has no cells, as a notebook has; rename it to end in .json.")
    return cells


def _language(notebook: Any) -> str:
    metadata = notebook.get("metadata") if isinstance(notebook, dict) else None
    for key in ("language_info", "kernelspec"):
        info = metadata.get(key) if isinstance(metadata, dict) else None
        found = (info.get("language") or info.get("name")) if isinstance(info, dict) else None
        if isinstance(found, str) and found.isalnum():
            return found
    return "python"


def _text(value: Any) -> str:
    """Join a text that is stored as a list of its lines."""
    if isinstance(value, list):
        return "".join(part for part in value if isinstance(part, str))
    return value if isinstance(value, str) else ""
