"""The names of encodings as browsers understand them (WHATWG, Encoding Standard), and their supersets in Python."""

from __future__ import annotations

import codecs

import webencodings

# What files under the left-hand label really hold: the same code page with its vendor's additions.
_SUPERSETS = {
    "iso8859-1": "cp1252",
    "latin_1": "cp1252",
    "ascii": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis_620": "cp874",
    "shift_jis": "cp932",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "euc_kr": "cp949",
    "big5": "big5hkscs",
}
_SHOWN = {
    "cp932": "Shift_JIS",
    "cp949": "EUC-KR",
    "big5hkscs": "Big5",
    "mac_roman": "Macintosh",
    "cp866": "IBM866",
}


def codec_of(label: str | None) -> str | None:
    """Return the Python codec for a label that a file states; None for one that names no encoding of text.

    `codec_of("iso-8859-1") == "cp1252"`, as in every browser.
    """
    label = (label or "").strip().strip("\"'")
    found = webencodings.lookup(label)
    try:
        codec = codecs.lookup(found.codec_info.name if found else label)
    except (LookupError, ValueError):
        return None
    if not getattr(codec, "_is_text_encoding", True):
        return None
    return _SUPERSETS.get(codec.name, codec.name)


def shown(codec: str) -> str:
    """Return a codec's name as people know it: "cp1252" is "Windows-1252"."""
    if codec in _SHOWN:
        return _SHOWN[codec]
    if codec.startswith("cp125"):
        return f"Windows-{codec[2:]}"
    return codec.replace("_", "-").replace("iso8859", "ISO-8859").upper()
