"""Which characters the bytes of an RTF file mean: the code page of the file, and that of each font."""

import codecs

# \fcharset -> code page
_CHARSETS = {
    **{0: "cp1252", 1: "", 2: "symbol", 77: "mac-roman", 78: "cp932", 79: "cp949", 80: "gbk", 81: "big5"},
    **{128: "cp932", 129: "cp949", 130: "johab", 134: "gbk", 136: "big5", 161: "cp1253", 162: "cp1254"},
    **{
        163: "cp1258",
        177: "cp1255",
        178: "cp1256",
        186: "cp1257",
        204: "cp1251",
        222: "cp874",
        238: "cp1250",
    },
    **{254: "cp437", 255: "cp850"},
}
_CODE_PAGES = {10000: "mac-roman", 65001: "utf-8", 708: "cp1256", 709: "cp1256"}
_PRIVATE = 0xF000
WESTERN = "cp1252"
SYMBOL = "symbol"


def of_font(charset: int) -> str:
    """Return the codec of a font's character set; "" if it is the file's."""
    return _CHARSETS.get(charset, "")


def of_file(code_page: int) -> str:
    """Return the codec of a file's code page; the western one where Python knows none."""
    name = _CODE_PAGES.get(code_page, f"cp{code_page}")
    try:
        return codecs.lookup(name).name
    except LookupError:
        return WESTERN


def decode(raw: bytes, codec: str) -> str:
    """Return the characters of bytes; a symbol font's are put where such fonts have them, at U+F000."""
    if codec == SYMBOL:
        return "".join(chr(_PRIVATE + byte) for byte in raw)
    return raw.decode(codec, "replace")
