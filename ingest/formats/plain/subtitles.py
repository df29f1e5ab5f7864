"""Subtitles (srt, vtt): what is said, in paragraphs with the time at which each begins."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape

from ingest.formats.encoding.decode import decode
from ingest.formats.file_text import FileLimits, FileText, from_text
from rag.errors import UnreadableFile

_TIME = r"(?:(\d{1,3}):)?(\d{1,2}):(\d{2})[.,](\d{1,3})"
_CUE = re.compile(rf"^[ \t]*{_TIME}[ \t]*-->[ \t]*{_TIME}[^\n]*$", re.MULTILINE)
_VOICE = re.compile(r"<v(?:\.[^ >]*)?\s+([^>]+)>")
_TAG = re.compile(r"</?[a-zA-Z][^>]*>|<\d[\d:.]*>|\{\\[^}]*\}")
_SENTENCE_END = (".", "!", "?", "…", "。", "？", "！", '"', "”")
# A new paragraph begins after a pause, or where a sentence ends after this long.
_PAUSE_S, _PARAGRAPH_S = 3.0, 30.0


@dataclass(frozen=True, slots=True)
class Cue:
    """What is shown from one second to another."""

    start: float
    end: float
    text: str


def read(data: bytes, name: str, limits: FileLimits) -> FileText:
    """Write the cues as paragraphs: "[00:01:05] We open at nine."

    Raises:
        UnreadableFile: if there is no cue.
    """
    decoded = decode(data, name)
    cues = _cues(decoded.text.replace("\r\n", "\n").replace("\r", "\n"))
    if not cues:
        raise UnreadableFile(
            f"{name} holds no subtitle; expected times such as 00:01:05,000 --> 00:01:07,500."
        )
    return from_text("\n\n".join(_paragraphs(cues)), {}, decoded.omissions)


def _cues(source: str) -> list[Cue]:
    found = list(_CUE.finditer(source))
    cues = []
    for number, cue in enumerate(found):
        end = found[number + 1].start() if number + 1 < len(found) else len(source)
        # A cue ends at a blank line; what follows is the number or the name of the next.
        body = source[cue.end() : end].lstrip("\n").split("\n\n", 1)[0]
        text = unescape(_TAG.sub("", _VOICE.sub(r"\1: ", body)))
        plain = " ".join(text.split())
        if plain:
            cues.append(Cue(_seconds(cue.groups()[:4]), _seconds(cue.groups()[4:]), plain))
    return cues


def _paragraphs(cues: list[Cue]) -> list[str]:
    paragraphs: list[str] = []
    begun, before = 0.0, None
    for cue in cues:
        new = before is None or cue.start - before.end > _PAUSE_S
        if before is not None and before.text.endswith(_SENTENCE_END) and cue.start - begun > _PARAGRAPH_S:
            new = True
        if new:
            begun = cue.start
            paragraphs.append(f"[{_clock(begun)}] {cue.text}")
        elif before is not None and (cue.text != before.text or cue.start > before.end):
            paragraphs[-1] += f" {cue.text}"
        before = cue
    return paragraphs


def _seconds(parts: tuple[str | None, ...]) -> float:
    hours, minutes, seconds, fraction = parts
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + int(seconds or 0) + float(f"0.{fraction}")


def _clock(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}"
