"""Outlook messages for tests: a writer of the OLE files that hold them ([MS-CFB], version 3)."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import pairwise

# A storage: names to streams, or to storages within it.
Storage = Mapping[str, "bytes | Storage"]
_SECTOR, _MINI, _CUTOFF = 512, 64, 4096
_ENTRY = struct.Struct("<64sHBBIII36sIQ")
_END, _FREE, _TABLE = 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFD


def make_msg(
    texts: Mapping[str, str | bytes],
    *,
    attachments: list[Storage] | None = None,
    recipients: list[Storage] | None = None,
    sent: datetime | None = None,
) -> bytes:
    return write_ole(message(texts, attachments=attachments, recipients=recipients, sent=sent))


def message(
    texts: Mapping[str, str | bytes],
    *,
    attachments: list[Storage] | None = None,
    recipients: list[Storage] | None = None,
    sent: datetime | None = None,
    inner: bool = False,
) -> Storage:
    """Make the storage of a message; keys of `texts` are property identifiers such as "0037"."""
    ticks = int((sent - datetime(1601, 1, 1, tzinfo=UTC)).total_seconds() * 10**7) if sent else 0
    header = bytes(24 if inner else 32)
    fixed = struct.pack("<IIQ", 0x0039_0040, 6, ticks) + struct.pack("<IIQ", 0x3FDE_0003, 6, 1252)
    storage: dict[str, bytes | Storage] = {"__properties_version1.0": header + fixed, **properties(texts)}
    for number, attached in enumerate(attachments or []):
        storage[f"__attach_version1.0_#{number:08X}"] = attached
    for number, person in enumerate(recipients or []):
        storage[f"__recip_version1.0_#{number:08X}"] = person
    return storage


def properties(texts: Mapping[str, str | bytes]) -> dict[str, bytes | Storage]:
    return {
        f"__substg1.0_{tag}{'001F' if isinstance(text, str) else '0102'}": text.encode("utf-16-le")
        if isinstance(text, str)
        else text
        for tag, text in texts.items()
    }


def write_ole(root: Storage) -> bytes:
    entries: list[list[object]] = []

    def add(name: str, content: bytes | Storage) -> int:
        at = len(entries)
        entries.append([name, content, _FREE, _FREE, _FREE])
        if not isinstance(content, bytes):
            children = [
                add(key, content[key]) for key in sorted(content, key=lambda key: (len(key), key.upper()))
            ]
            # A chain to the right is a tree, if no balanced one.
            for left, right in pairwise(children):
                entries[left][3] = right
            entries[at][4] = children[0] if children else _FREE
        return at

    add("Root Entry", root)
    sectors: list[bytes] = []
    chains: list[int] = []
    mini, mini_chains = bytearray(), []

    def store(content: bytes) -> int:
        first, count = len(sectors), -(-len(content) // _SECTOR)
        for at in range(count):
            sectors.append(content[at * _SECTOR : (at + 1) * _SECTOR].ljust(_SECTOR, b"\0"))
            chains.append(first + at + 1 if at + 1 < count else _END)
        return first if count else _END

    starts: dict[int, tuple[int, int]] = {}
    for number, entry in enumerate(entries):
        content = entry[1]
        if not isinstance(content, bytes):
            continue
        if len(content) >= _CUTOFF:
            starts[number] = (store(content), len(content))
        elif content:
            first, count = len(mini) // _MINI, -(-len(content) // _MINI)
            mini += content.ljust(count * _MINI, b"\0")
            mini_chains += [first + at + 1 if at + 1 < count else _END for at in range(count)]
            starts[number] = (first, len(content))
    starts[0] = (store(bytes(mini)), len(mini))
    table = b"".join(struct.pack("<I", link) for link in mini_chains)
    table += b"\xff" * (-len(table) % _SECTOR)
    mini_start = store(table)
    directory = b""
    for number, (name, content, left, right, child) in enumerate(entries):
        raw = str(name).encode("utf-16-le") + b"\0\0"
        kind = 5 if number == 0 else 2 if isinstance(content, bytes) else 1
        start, size = starts.get(number, (_END, 0))
        links = (left, right, child)
        directory += _ENTRY.pack(raw, len(raw), kind, 1, *links, b"", start, size)
    blank = _ENTRY.pack(b"", 0, 0, 0, _FREE, _FREE, _FREE, b"", 0, 0)
    directory += blank * (-len(entries) % 4)
    directory_start = store(directory)
    tables = 1
    while tables * 128 < len(sectors) + tables:
        tables += 1
    chains += [_TABLE] * tables
    chains += [_FREE] * (tables * 128 - len(chains))
    first_table = len(sectors)
    packed = struct.pack(f"<{len(chains)}I", *chains)
    sectors += [packed[at : at + _SECTOR] for at in range(0, len(packed), _SECTOR)]
    header = struct.pack(
        "<8s16sHHHHH6sIIIIIIIIII", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"", 0x3E, 3, 0xFFFE, 9, 6, b"",
        0, tables, directory_start, 0, _CUTOFF, mini_start, len(table) // _SECTOR, _END, 0, first_table,
    )  # fmt: skip
    header += b"".join(struct.pack("<I", first_table + at if at < tables else _FREE) for at in range(1, 109))
    return header + b"".join(sectors)
