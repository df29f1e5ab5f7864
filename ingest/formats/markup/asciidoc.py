"""AsciiDoc: titles, blocks and tables as light markdown; the words stay as they are."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator

from ingest.formats import markdown
from ingest.formats.encoding.decode import decode
from ingest.formats.file_text import FileLimits, FileText, Omission, from_text
from ingest.formats.grid import Cell, lay_out, write_table
from ingest.formats.markdown import fenced

_TITLE = re.compile(r"(={1,6}|#{1,6})[ \t]+(\S.*)")
_ATTRIBUTE = re.compile(r":([\w-]+)!?:[ \t]*(.*)")
_BLOCK_ATTRIBUTES = re.compile(r"\[([^\]]*)\]\s*")
_BLOCK_TITLE = re.compile(r"\.(\w.*)")
_FENCES = re.compile(r"(-{4,}|\.{4,}|`{3,}\w*)\s*")
_COMMENT = re.compile(r"/{4,}\s*")
_FRAME = re.compile(r"(?:={4,}|\*{4,}|_{4,}|--)\s*")
_ITEM = re.compile(r"(\*{1,5}|\.{1,5}|-)[ \t]+(.*)")
_TERM = re.compile(r"(\S.*?)(?:::{1,3}|;;)(?:[ \t]+(.*))?$")
_MACRO = re.compile(r"(image|video|audio|include)::?([^\[\s]+)\[([^\]]*)\]")
_LINK = re.compile(r"(?:link:|(?=https?://))(\S+?)\[([^\]]*)\]")
_REFERENCE = re.compile(r"<<([^,>]+)(?:,\s*([^>]+))?>>|xref:([^\[]+)\[([^\]]*)\]")
_ANCHOR = re.compile(r"\[\[[^\]]*\]\]|\[#[^\]]*\]")
_STYLE = re.compile(r"(?<![\w*_`])(\*{1,2}|_{1,2}|`{1,2})(?=\S)(.+?)(?<=\S)\1(?![\w*_`])")
_CELL = re.compile(r"(?:(\d+)?(?:\.(\d+))?\+)?[<^>]?(?:\.[<^>])?[aehlmsv]?\|")
_METADATA = {"author": "author", "revdate": "created", "description": "description", "keywords": "keywords"}


def read(data: bytes, name: str, limits: FileLimits) -> FileText:
    """Write the document as markdown; comments are left out, files that it would include are named."""
    decoded = decode(data, name)
    writer = _Writer(decoded.text.replace("\r\n", "\n").split("\n"))
    text = markdown.join_blocks(writer.blocks())
    return from_text(text, writer.metadata, (*decoded.omissions, *writer.omissions))


class _Writer:
    def __init__(self, lines: list[str]) -> None:
        self.metadata: dict[str, object] = {}
        self.omissions: list[Omission] = []
        self._lines = lines
        self._at = 0
        self._attributes: dict[str, str] = {}
        self._style = ""
        self._numbers: dict[int, int] = {}

    def blocks(self) -> Iterator[str]:
        """Yield the blocks of the document."""
        while self._at < len(self._lines):
            line = self._lines[self._at]
            self._at += 1
            yield from self._block(line)

    def _block(self, line: str) -> Iterator[str]:
        fence = _FENCES.fullmatch(line)
        title = _TITLE.fullmatch(line)
        attribute = _ATTRIBUTE.fullmatch(line)
        item = _ITEM.fullmatch(line.lstrip())
        style = _BLOCK_ATTRIBUTES.fullmatch(line)
        if line.strip() and not item and not line.startswith("//"):
            self._numbers.clear()
        if not line.strip() or line.startswith("//") or _FRAME.fullmatch(line) or line.strip() == "+":
            if _COMMENT.fullmatch(line):
                list(self._until(line))
        elif fence:
            yield fenced("\n".join(self._until(line)), self._language())
        elif line.startswith("|==="):
            yield self._table(list(self._until(line)))
        elif attribute:
            self._attributes[attribute[1]] = attribute[2]
            if attribute[1] in _METADATA:
                self.metadata[_METADATA[attribute[1]]] = attribute[2]
        elif title:
            if len(title[1]) == 1:
                self.metadata.setdefault("title", self._inline(title[2]))
            yield markdown.heading(self._inline(title[2]), len(title[1]))
        elif style and not _ANCHOR.fullmatch(line.strip()):
            self._style = style[1]
        elif _BLOCK_TITLE.fullmatch(line) and not item:
            yield self._inline(line[1:])
        elif item:
            yield self._item(item)
        else:
            yield self._paragraph(line)

    def _until(self, fence: str) -> Iterator[str]:
        closing = re.match(r"-+|\.+|`+|/+|\|=+", fence)
        end = closing.group() if closing else fence
        while self._at < len(self._lines):
            line = self._lines[self._at]
            self._at += 1
            if line.strip() == end:
                return
            yield line

    def _language(self) -> str:
        style, self._style = self._style, ""
        parts = [part.strip() for part in style.split(",")]
        return parts[1] if parts[0] == "source" and len(parts) > 1 and parts[1].isalnum() else ""

    def _item(self, found: re.Match[str]) -> str:
        marks, text = found.groups()
        lines = [text, *self._following()]
        depth = len(marks)
        self._numbers = {level: number for level, number in self._numbers.items() if level <= depth}
        number = self._numbers.get(depth, 0) + 1 if marks[0] == "." else 0
        self._numbers[depth] = number
        label = f"{number}." if number else "-"
        return f"{'  ' * (depth - 1)}{label} {self._inline(' '.join(lines))}"

    def _paragraph(self, line: str) -> str:
        term = _TERM.fullmatch(line)
        lines = [self._inline(line.strip())]
        lines += [self._inline(following) for following in self._following()]
        if term:
            rest = " ".join(filter(None, [term[2] and self._inline(term[2]), *lines[1:]]))
            return f"{self._inline(term[1])}: {rest}"
        return "\n".join(lines).replace(" +\n", "\n")

    def _following(self) -> Iterator[str]:
        """Yield the further lines of a paragraph or an item."""
        while self._at < len(self._lines):
            line = self._lines[self._at]
            if not line.strip() or line.strip() == "+" or _begins_block(line):
                return
            self._at += 1
            yield line.strip()

    def _table(self, lines: list[str]) -> str:
        style, self._style = self._style, ""
        columns = re.search(r'cols="?([^"\]]*)"?', style)
        if "format=csv" in style or ",===" in style:
            return write_table(list(csv.reader(lines)))
        first = next((at for at, line in enumerate(lines) if line.strip()), 0)
        cells, per_line = self._cells(lines)
        width = _width(columns[1]) if columns else per_line
        headed = "header" in style or (
            first + 1 < len(lines) and not lines[first + 1].strip() and per_line == width
        )
        rows = _rows(cells, max(1, width))
        return write_table(lay_out(rows), header_rows=1 if headed else None)

    def _cells(self, lines: list[str]) -> tuple[list[Cell], int]:
        """Return the cells, and how many stand on the first line that has any."""
        cells: list[Cell] = []
        first = 0
        for line in lines:
            marks = list(_CELL.finditer(line))
            if not marks and cells:
                text = f"{cells[-1].text} {self._inline(line.strip())}".strip()
                cells[-1] = Cell(text, cells[-1].rows, cells[-1].columns)
            for at, mark in enumerate(marks):
                end = marks[at + 1].start() if at + 1 < len(marks) else len(line)
                text = self._inline(line[mark.end() : end].strip())
                cells.append(Cell(text, int(mark[2] or 1), int(mark[1] or 1)))
            first = first or len(cells)
        return cells, first

    def _inline(self, text: str) -> str:
        text = re.sub(r"\{([\w-]+)\}", lambda found: self._attributes.get(found[1], found[0]), text)
        text = _MACRO.sub(self._macro, _ANCHOR.sub("", text))
        text = _REFERENCE.sub(lambda found: found[2] or found[4] or found[1] or found[3], text)
        text = _LINK.sub(lambda found: f"{found[2].rstrip('^')} ({found[1]})" if found[2] else found[1], text)
        return _STYLE.sub(r"\2", text).strip()

    def _macro(self, found: re.Match[str]) -> str:
        kind, target, label = found.groups()
        if kind == "image" and label.split(",")[0].strip():
            return label.split(",")[0].strip().strip('"')
        what = {"include": "included file", "image": "image without a description"}.get(kind, kind)
        self.omissions.append(Omission(what, f"line {self._at}: {target}"))
        return ""


def _begins_block(line: str) -> bool:
    patterns = (_ATTRIBUTE, _FENCES, _TITLE, _FRAME)
    if _ITEM.fullmatch(line.lstrip()) or any(pattern.fullmatch(line) for pattern in patterns):
        return True
    return line.startswith(("|===", "//", "["))


def _rows(cells: list[Cell], width: int) -> list[list[Cell]]:
    """Part the cells of a table into rows, which have room beside the cells that reach down from above."""
    rows: list[list[Cell]] = []
    # Rows that a cell still reaches into, and its columns.
    reaching: list[tuple[int, int]] = []
    room = 0
    for cell in cells:
        if room <= 0:
            rows.append([])
            room = width - sum(columns for _, columns in reaching)
            reaching = [(left - 1, columns) for left, columns in reaching if left > 1]
        rows[-1].append(cell)
        room -= cell.columns
        if cell.rows > 1:
            reaching.append((cell.rows - 1, cell.columns))
    return rows


def _width(stated: str) -> int:
    """Return how many columns a list such as "1,2a,3*" declares."""
    width = 0
    for part in stated.split(","):
        repeated = re.match(r"\s*(\d+)\*", part)
        width += int(repeated[1]) if repeated else 1
    return min(width, 256)
