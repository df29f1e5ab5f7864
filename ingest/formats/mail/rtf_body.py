"""Unpack the rich text that Outlook packs with a dictionary of its own ([MS-OXRTFCP])."""

from __future__ import annotations

import struct

_DICTIONARY = (
    rb"{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript \fdecor MS Sans "
    rb"SerifSymbolArialTimes New RomanCourier{\colortbl\red0\green0\blue0"
    + b"\r\n"
    + rb"\par \pard\plain\f0\fs20\b"
    rb"\i\u\tab\tx"
)
_HEADER = struct.Struct("<IIII")
_PACKED, _PLAIN = 0x75465A4C, 0x414C454D
_RING = 4096
# What a few packed bytes may stand for.
_MOST_BYTES = 50_000_000


def unpacked(data: bytes) -> bytes:
    """Return the RTF.

    Raises:
        ValueError: if the bytes are no packed RTF, or stand for more than 50 MB.
        IndexError: if they end too early.
    """
    if len(data) < _HEADER.size:
        raise ValueError("too short")
    _, raw_bytes, kind, _ = _HEADER.unpack_from(data)
    if kind == _PLAIN:
        return data[_HEADER.size : _HEADER.size + raw_bytes]
    if kind != _PACKED or raw_bytes > _MOST_BYTES:
        raise ValueError("no packed RTF")
    ring = bytearray(_DICTIONARY.ljust(_RING, b"\0"))
    out, write, at = bytearray(), len(_DICTIONARY), _HEADER.size
    while len(out) < raw_bytes:
        flags = data[at]
        at += 1
        for bit in range(8):
            if not flags >> bit & 1:
                run = data[at : at + 1]
                at += 1
                if not run:
                    raise IndexError("truncated")
            else:
                reference = data[at] << 8 | data[at + 1]
                at += 2
                offset, length = reference >> 4, (reference & 0xF) + 2
                if offset == write % _RING:
                    return bytes(out)
                run = _copied(ring, offset, length, write)
            for byte in run:
                ring[write % _RING] = byte
                write += 1
            out += run
            if len(out) >= raw_bytes:
                break
    return bytes(out[:raw_bytes])


def _copied(ring: bytearray, offset: int, length: int, write: int) -> bytes:
    """Copy from the ring, byte by byte: a run may reach into what it writes itself."""
    copied = bytearray()
    for step in range(length):
        place = (offset + step) % _RING
        ahead = (place - write) % _RING
        copied.append(copied[ahead] if ahead < len(copied) else ring[place])
    return bytes(copied)
