"""Which names a document may have. A name is a key and a label, never a path that is opened."""

import re
import unicodedata

from rag.errors import InvalidName

MAX_NAME_CHARACTERS = 512
_DRIVE = re.compile(r"[A-Za-z]:")
_DIRECTION_MARKS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_REFUSED_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})


def taken_name(name: str, first: str = "", second: str = "") -> InvalidName:
    """Return the error of two files that would be one document; the paths say which, where they are known."""
    if not first or not second:
        return InvalidName(
            f"Two files have the name {name!r}; expected a name of its own for each. Rename one, or put it into "
            "another corpus."
        )
    return InvalidName(
        f"Two files have the name {name!r}: {first}, which was taken, and {second}, which was not. Ingest the folder "
        "above both, so that their folders are part of their names, or put one into another corpus."
    )


def document_name(name: str) -> str:
    """Make an uploaded file's name a document name: NFC, relative, parts joined by "/".

    Backslashes count as "/"; empty and "." parts are dropped. The function applied twice changes nothing:
    `document_name("reports\\\\./2024//a.pdf") == "reports/2024/a.pdf"`.

    Raises:
        InvalidName: if the name is empty, absolute, longer than 512 characters, ends in "/", has a part
            "..", or holds NUL, a control character, half a surrogate pair or a mark that turns the
            writing direction.
    """
    shown = ascii(name if len(name) <= 80 else name[:80] + "...")
    path = unicodedata.normalize("NFC", name).replace("\\", "/")
    if len(path) > MAX_NAME_CHARACTERS:
        raise InvalidName(
            f"The name {shown} has {len(path)} characters; expected at most {MAX_NAME_CHARACTERS}."
            " Shorten it."
        )
    for character in path:
        if unicodedata.category(character) in _REFUSED_CATEGORIES or character in _DIRECTION_MARKS:
            raise InvalidName(
                f"The name {shown} holds U+{ord(character):04X}, which cannot be shown in a name; remove it."
            )
    if path.startswith("/") or _DRIVE.match(path):
        raise InvalidName(f"The name {shown} is absolute; expected a relative one such as reports/2024.pdf.")
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise InvalidName(f"The name {shown} holds '..'; expected a name inside the corpus. Remove the '..'.")
    if not parts or not "".join(parts).strip() or path.endswith("/"):
        raise InvalidName(f"The name {shown} names no file; expected one such as report.pdf.")
    return "/".join(parts)
