"""Follow an RTF file's groups and control words, and send its text to where it belongs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from ingest.formats import markdown
from ingest.formats.file_text import FileLimits, too_long
from ingest.formats.office.drawing import link_target
from ingest.formats.office.notice import Notices
from ingest.formats.office.numeral import roman
from ingest.formats.office.page_number import PAGE_MARK, without_page_numbers
from ingest.formats.office.word.symbol import readable
from ingest.formats.rtf import charset
from ingest.formats.rtf.definitions import Fonts, StyleSheet, outline_level
from ingest.formats.rtf.destinations import (
    DEFINING,
    FEET,
    HEADS,
    INFO,
    KEPT_APART,
    NOT_READ,
    READ,
    TIMES,
    TRANSPARENT,
    Group,
)
from ingest.formats.rtf.fields import RtfFields
from ingest.formats.rtf.flow import Flow, ParagraphState
from ingest.formats.rtf.tokens import RtfToken
from rag.errors import UnreadableFile

_CHARACTERS = {
    **{"emdash": "—", "endash": "–", "lquote": "‘", "rquote": "’", "ldblquote": "“", "rdblquote": "”"},
    **{
        "bullet": "•",
        "tab": "\t",
        "line": "\n",
        "emspace": " ",
        "enspace": " ",
        "qmspace": " ",
        "softline": "\n",
    },
}
_SYMBOLS = {"~": "\u00a0", "_": "-", "{": "{", "}": "}", "\\": "\\"}
_MOST_DEPTH = 2_000
_HIGH_SURROGATES, _LOW_SURROGATES = range(0xD800, 0xDC00), range(0xDC00, 0xE000)


@dataclass(slots=True)
class RtfReader:
    """Reads one file."""

    name: str
    limits: FileLimits
    body: Flow = field(default_factory=Flow)
    heads: list[str] = field(default_factory=list)
    feet: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    info: dict[str, str] = field(default_factory=dict)
    notices: Notices = field(default_factory=Notices)
    _codec: str = charset.WESTERN
    _groups: list[Group] = field(default_factory=lambda: [Group()])
    _fonts: Fonts = field(default_factory=Fonts)
    _styles: StyleSheet = field(default_factory=StyleSheet)
    _fields: RtfFields = field(default_factory=RtfFields)
    _raw: bytearray = field(default_factory=bytearray)
    _skipping: int = 0
    _high: int = 0  # the first half of a surrogate pair
    _property: list[str] = field(default_factory=lambda: ["", ""])  # a shape's property and its value
    _author: str = ""
    _marks: dict[bool, int] = field(default_factory=lambda: {False: 0, True: 0})
    _length: int = 0

    def read(self, tokens: Iterable[RtfToken]) -> None:
        """Follow a file's tokens to the end.

        Raises:
            UnreadableFile: if it nests too deeply or holds more text than the limits allow.
        """
        for token in tokens:
            if token.kind != "bytes":
                self._decode()
            match token.kind:
                case "{":
                    self._open()
                case "}":
                    self._close()
                case "word":
                    self._word(token.word, token.number)
                case "symbol":
                    self._symbol(token.word)
                case "bytes":
                    self._bytes(token.raw)
        self._decode()
        while len(self._groups) > 1:
            self._close()

    @property
    def _group(self) -> Group:
        return self._groups[-1]

    @property
    def _flow(self) -> Flow:
        return self._group.flow or self.body

    def _open(self) -> None:
        if len(self._groups) > _MOST_DEPTH:
            raise UnreadableFile(f"{self.name} is nested too deeply to be read; save it again as .docx.")
        self._groups.append(replace(self._group, owns_flow=False, opens=True, ignorable=False))

    def _close(self) -> None:
        if len(self._groups) == 1:
            return
        group = self._groups.pop()
        around = self._group.destination
        if group.owns_flow and group.flow is not None:
            self._deliver(group, group.flow)
        elif group.destination == "field" != around:
            self._end_field(around)
        elif group.destination == "stylesheet" and around == "stylesheet":
            self._styles.end_style()
        elif group.destination == "sp" != around:
            name, value = (text.strip() for text in self._property)
            if name == "wzDescription" and value:
                self._flow.add_after(f"Picture: {value}")

    def _end_field(self, around: str) -> None:
        """Write the address of a link after its text, unless the text is the address."""
        address = self._fields.end()
        if address and around and not (self._group.hidden or self._group.deleted):
            self._flow.add(link_target(self._flow.line_end(), address))

    def _deliver(self, group: Group, flow: Flow) -> None:
        """Put the text of a destination of its own where it belongs."""
        blocks = flow.blocks()
        joined = " ".join(" ".join(blocks).split())
        destination = group.destination
        if destination in HEADS | FEET:
            texts = self.heads if destination in HEADS else self.feet
            text = without_page_numbers(markdown.join_blocks(blocks)).strip()
            if text and text not in texts:
                texts.append(text)
        elif destination == "footnote":
            self._end_note(joined, ends=group.ends_note)
        elif destination == "atnauthor":
            self._author = joined
        elif destination == "annotation":
            if joined:
                self._flow.add_after(
                    f"Comment ({self._author}): {joined}" if self._author else f"Comment: {joined}"
                )
            self._author = ""
        elif destination in ("listtext", "pntext"):
            self._flow.paragraph.label = joined if sum(map(str.isalnum, joined)) else "-"
            if joined == "o":
                self._flow.paragraph.label = "-"
        else:
            for block in blocks:
                self._flow.add_after(block)

    def _end_note(self, text: str, *, ends: bool) -> None:
        self._marks[ends] += 1
        mark = f"[^{roman(self._marks[ends]) if ends else self._marks[ends]}]"
        self._flow.add(mark)
        self.notes.append(f"{mark}: {text}")

    def _symbol(self, symbol: str) -> None:
        if symbol == "*":
            self._group.ignorable = True
        elif symbol in "\r\n":
            self._word("par", None)
        elif symbol in _SYMBOLS:
            self._text(_SYMBOLS[symbol])

    def _word(self, word: str, number: int | None) -> None:
        group = self._group
        if group.opens and self._names_destination(word, number):
            group.opens = False
            return
        group.opens = False
        if group.destination in ("", "pict"):
            if word == "ud":
                group.destination = self._around()
            return
        if word in _CHARACTERS:
            self._text(_CHARACTERS[word])
        elif word == "u":
            self._unicode(number or 0)
        elif not self._formats(word, number):
            self._structures(word, number)

    def _around(self) -> str:
        return next((one.destination for one in reversed(self._groups[:-1]) if one.destination), "rtf")

    def _names_destination(self, word: str, number: int | None) -> bool:
        """Return whether the first control word of a group says where its text goes."""
        group = self._group
        if group.destination == "" and word != "ud":
            return False
        if word in KEPT_APART:
            group.destination, group.flow, group.owns_flow = word, Flow(), True
            group.ends_note = False
            return True
        if group.destination == "info" and word in INFO | TIMES:
            group.destination = word
            self.info.setdefault(word, "")
            return True
        if word == "pict":
            if group.destination != "listpicture":
                self.notices.note("image", "")
            group.destination = "pict"
            return True
        if word in NOT_READ or (group.ignorable and word not in READ and word not in ("cs", "ts", "ds")):
            self._note_unread(word)
            group.destination = ""
            return True
        if word in DEFINING:
            if word == "field":
                self._fields.begin()
            self._property = ["", ""] if word == "sp" else self._property
            group.destination = word
            return True
        return self._goes_on(word) or word in TRANSPARENT

    def _goes_on(self, word: str) -> bool:
        """Return whether a group goes on with the text around it: a field's result, or text in Unicode."""
        group = self._group
        if word == "upr":
            # The same text twice; for programs without Unicode first
            group.destination = ""
        elif word == "ud":
            group.destination = self._around()
        elif word == "fldrslt":
            outside = (one.destination for one in reversed(self._groups) if one.destination != "field")
            group.destination = next(outside, "rtf")
            if self._fields.numbers_page:
                self._flow.add(PAGE_MARK)
                group.destination = ""
        else:
            return False
        return True

    def _note_unread(self, word: str) -> None:
        if word == "objdata":
            self.notices.note("embedded file", "")

    def _formats(self, word: str, number: int | None) -> bool:
        """Take a control word that says how text is read; return whether it is one."""
        group = self._group
        match word:
            case "ansicpg":
                self._codec = charset.of_file(number or 0)
            case "mac":
                self._codec = "mac-roman"
            case "pc" | "pca":
                self._codec = "cp437" if word == "pc" else "cp850"
            case "f":
                group.font = number or 0
                if group.destination != "fonttbl":
                    group.codec = self._fonts.codec(group.font)
            case "fcharset" if group.destination == "fonttbl":
                self._fonts.set_charset(group.font, number or 0)
            case "uc":
                group.skip = max(0, min(number or 0, 8))
            case "v":
                group.hidden = number != 0
            case "deleted":
                group.deleted = number != 0
            case "plain":
                group.hidden = group.deleted = False
            case "ftnalt":
                group.ends_note = True
            case _:
                return False
        return True

    def _structures(self, word: str, number: int | None) -> None:
        """Take a control word that builds paragraphs and tables."""
        if self._group.destination == "stylesheet":
            self._styles.take(word, number or 0)
            return
        if self._group.destination in TIMES:
            self.info[self._group.destination] += f" {word}{number or 0}"
            return
        flow = self._flow
        match word:
            case "par" | "sect" | "page":
                flow.end_paragraph()
            case "pard":
                flow.paragraph = ParagraphState(label=flow.paragraph.label)
            case "s":
                flow.paragraph.heading = self._styles.heading_level(number or 0)
            case "outlinelevel":
                flow.paragraph.heading = outline_level(number or 0)
            case "ilvl":
                flow.paragraph.depth = max(0, number or 0)
            case "intbl":
                flow.paragraph.table_depth = max(1, flow.paragraph.table_depth)
            case "itap":
                flow.paragraph.table_depth = max(0, number or 0)
            case _:
                flow.build_table(word)

    def _bytes(self, raw: bytes) -> None:
        if self._skipping:
            skipped = min(self._skipping, len(raw))
            self._skipping -= skipped
            raw = raw[skipped:]
        self._group.opens = self._group.opens and not raw
        self._raw += raw

    def _decode(self) -> None:
        """Write the bytes that have gathered, in the characters of their font."""
        if not self._raw:
            return
        group = self._group
        codec = group.codec or self._codec
        text = charset.decode(bytes(self._raw), codec)
        self._raw.clear()
        if codec == charset.SYMBOL:
            text = readable(text, self._fonts.name(group.font))
        self._text(text)

    def _unicode(self, number: int) -> None:
        code = number & 0xFFFF if number < 0 else min(number, 0x10FFFF)
        self._skipping = self._group.skip
        if code in _HIGH_SURROGATES:
            self._high = code
            return
        if code in _LOW_SURROGATES:
            code = 0x10000 + ((self._high - 0xD800) << 10) + (code - 0xDC00) if self._high else 0xFFFD
        self._high = 0
        self._text(readable(chr(code), "Symbol") if 0xF000 <= code <= 0xF0FF else chr(code))

    def _text(self, text: str) -> None:
        """Send text to the current destination."""
        group = self._group
        self._length += len(text)
        if self._length > 2 * self.limits.max_characters:
            raise too_long(self.name, self.limits)
        match group.destination:
            case "" | "pict" | "field" | "info" | "object":
                return
            case "fonttbl":
                self._fonts.add_name(group.font, text)
            case "stylesheet":
                self._styles.add_text(text)
            case "fldinst":
                self._fields.instruct(text)
            case "sn" | "sv":
                self._property[group.destination == "sv"] += text
            case "sp":
                return
            case key if key in INFO:
                self.info[key] += text
            case key if key in TIMES:
                return
            case _ if group.hidden or group.deleted:
                if text.strip():
                    self.notices.note("deleted passage" if group.deleted else "hidden passage", "")
            case _:
                self._flow.add(text)
