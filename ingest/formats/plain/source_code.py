"""Source code and configuration: the file's own text in a fence, so that a comment is no heading."""

from __future__ import annotations

from pathlib import PurePosixPath

from ingest.formats.encoding.decode import decode
from ingest.formats.file_text import FileLimits, FileText, from_text
from ingest.formats.markdown import fenced

# Suffixes whose languages have other names.
_LANGUAGES = {
    **{
        "py": "python",
        "js": "javascript",
        "ts": "typescript",
        "rb": "ruby",
        "rs": "rust",
        "sh": "bash",
        "yml": "yaml",
    },
    **{
        "h": "c",
        "hpp": "cpp",
        "cc": "cpp",
        "kt": "kotlin",
        "cs": "csharp",
        "pl": "perl",
        "ps1": "powershell",
    },
    **{
        "mjs": "javascript",
        "jsx": "javascript",
        "tsx": "typescript",
        "cfg": "ini",
        "conf": "ini",
        "tf": "hcl",
    },
}


def read(data: bytes, name: str, limits: FileLimits) -> FileText:
    """Write the file as one fenced block with its language."""
    decoded = decode(data, name)
    if not decoded.text.strip():
        return from_text("", {}, decoded.omissions)
    suffix = PurePosixPath(name).suffix.lower().lstrip(".")
    language = _LANGUAGES.get(suffix, suffix)
    return from_text(fenced(decoded.text, language), {}, decoded.omissions)
