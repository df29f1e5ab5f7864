"""Which older encoding a file is in, where neither a mark nor the file says so."""

from __future__ import annotations

import re

from chardetng_py import EncodingDetector

from ingest.formats.encoding.labels import codec_of
from ingest.formats.encoding.letters import likeliest_page

MULTIBYTE = frozenset(("cp932", "euc_jp", "gb18030", "big5hkscs", "cp949"))
_SAMPLE_BYTES = 200_000
# What Windows-1252 has where ISO 8859 has control characters: quotation marks, dashes, the euro.
_ONLY_SIGNS = re.compile(rb"[\x00-\x7f\x80\x82\x84\x85\x8b\x91-\x97\x99\x9b\xa0]*")
_HIGH_RUN = re.compile(rb"[\x80-\xff]{3,}")
_HIGH = re.compile(rb"[\x80-\xff]")
_CURRENCY_SIGN = re.compile(rb"(?:\d ?\xa4|\xa4 ?\d)")
_C1 = re.compile(rb"[\x80-\x9f]")
_ESCAPES = (
    (re.compile(rb"\x1b\$\)C"), "iso2022_kr"),
    (re.compile(rb"\x1b\$[@B]|\x1b\([JB]"), "iso2022_jp_ext"),
)
_LATIN = re.compile(r"cp125[0247]|iso8859-(?:[2-4]|1[03-6])")


def detect(data: bytes) -> str:
    """Return the likeliest codec of text that is no UTF-8.

    Firefox's detector decides the script; among the code pages of Latin letters, which it confuses on short texts,
    the frequencies of letters do.
    """
    sample = data[:_SAMPLE_BYTES]
    if _ONLY_SIGNS.fullmatch(sample):
        return "cp1252"
    detector = EncodingDetector()
    detector.feed(sample, last=True)
    guess = codec_of(detector.guess(tld=None, allow_utf8=False)) or "cp1252"
    if guess not in MULTIBYTE:
        guess = next((codec for codec in ("cp932", "euc_jp") if _reads_japanese(sample, codec)), guess)
    if not _may_be_latin(guess, sample):
        return guess
    page = likeliest_page(sample) or guess
    if page == "cp1252" and _CURRENCY_SIGN.search(sample) and not _C1.search(sample):
        return "iso8859-15"  # its euro stands where Windows-1252 has a sign for money in general
    return page


def escaped(data: bytes) -> str | None:
    """Return the codec of bytes, all below 0x80, that switch between alphabets by escapes, as in old Japanese mail."""
    sample = data[:_SAMPLE_BYTES]
    return next((codec for escape, codec in _ESCAPES if escape.search(sample)), None)


def unmarked_utf16(data: bytes) -> str | None:
    """Return the byte order of UTF-16 without a mark; None if the bytes are none.

    Blanks, digits and newlines have a NUL on the same side everywhere, whatever the script.
    """
    sample = data[:4000]
    if len(data) % 2 or b"\0" not in sample:
        return None
    low, high = sample[0::2].count(0), sample[1::2].count(0)
    if min(low, high) > 0:
        return None
    codec = "utf-16-le" if high else "utf-16-be"
    try:
        text = sample[: len(sample) // 4 * 4].decode(codec, "ignore")
    except UnicodeDecodeError:
        return None
    readable = sum(char.isprintable() or char in "\t\r\n" for char in text)
    return codec if readable > 0.95 * len(text) and len(_words(text)) > 0.6 * len(text) else None


def _reads_japanese(sample: bytes, codec: str) -> bool:
    """Return whether much of what is not ASCII would be hiragana, which other scripts' bytes rarely make."""
    text = sample.decode(codec, "replace")
    beyond = [char for char in text if char > "\x7f"]
    if text.count("\ufffd") * 50 > len(text):
        return False
    return sum("\u3041" <= char <= "\u3096" for char in beyond) > 0.25 * len(beyond)


def _words(text: str) -> list[str]:
    return [char for char in text if char.isalnum() or char.isspace()]


def _may_be_latin(guess: str, sample: bytes) -> bool:
    """Return whether the guess is a Latin code page, or another that few and scattered bytes speak for."""
    if _LATIN.fullmatch(guess):
        return True
    single_byte = guess.startswith(("cp8", "cp12", "iso8859", "koi8", "mac"))
    scattered = not _HIGH_RUN.search(sample) and len(_HIGH.findall(sample)) * 4 < len(sample)
    return single_byte and scattered
