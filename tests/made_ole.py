"""An OLE compound file with one stream, as small as the format allows."""

import struct

SECTOR = 512
_FREE, _END, _FAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
# Shorter streams lie in another place.
_SHORTEST = 4096


def made_ole(stream: str, content: bytes) -> bytes:
    """Make a file whose stream holds `content`, filled with zeros up to 4096 bytes."""
    content = content.ljust(_SHORTEST, b"\0")
    sectors = -(-len(content) // SECTOR)
    header = struct.pack(
        "<8s16sHHHHH6sIIIIIIIIII",
        *(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", bytes(16), 0x3E, 3, 0xFFFE, 9, 6, bytes(6)),
        *(0, 1, 1, 0, _SHORTEST, _END, 0, _END, 0, 0),
    )
    header += struct.pack("<109I", 0, *[_FREE] * 108)[4:]
    chain = [*range(3, sectors + 2), _END]
    table = struct.pack(f"<{SECTOR // 4}I", _FAT, _END, *chain, *[_FREE] * (SECTOR // 4 - 2 - sectors))
    root = _entry("Root Entry", 5, 1, _END, 0)
    entry = _entry(stream, 2, _FREE, 2, len(content))
    return header + table + root + entry + bytes(SECTOR - 256) + content.ljust(sectors * SECTOR, b"\0")


def native(name: str, content: bytes) -> bytes:
    """Wrap a file as the Packager of Windows does."""
    path = name.encode("cp1252") + b"\0"
    inner = b"\x02\0" + path + b"C:\\" + path + b"\0\0\x03\0" + struct.pack("<I", len(path)) + path
    inner += struct.pack("<I", len(content)) + content
    return struct.pack("<I", len(inner)) + inner


def _entry(name: str, kind: int, child: int, start: int, size: int) -> bytes:
    encoded = (name + "\0").encode("utf-16-le")
    head = encoded.ljust(64, b"\0") + struct.pack("<HBBIII", len(encoded), kind, 1, _FREE, _FREE, child)
    return head + bytes(16 + 4 + 8 + 8) + struct.pack("<IQ", start, size)
