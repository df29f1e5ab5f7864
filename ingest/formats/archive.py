"""Open the zip inside docx, pptx and xlsx without trusting it.

The libraries that read these formats call `ZipFile.read`, which unpacks whatever a member holds, even
where the directory declares a few bytes. They therefore never see the uploaded archive, but a clean copy
of its XML parts, each read up to its declared size; pictures and other binaries are empty in the copy.
"""

import io
import re
import zipfile
import zlib
from collections.abc import Iterator

from ingest.formats.file_text import FileLimits
from rag.errors import UnreadableFile

MAX_MEMBERS = 20_000
_MEMBER_MARK = b"PK\x01\x02"  # opens each entry of the directory
_XML_SUFFIXES = (".xml", ".rels", ".vml")
# OOXML forbids document type definitions; without one no entity can be declared, hence none expanded.
_DOCTYPE = re.compile(b"|".join("<!DOCTYPE".encode(code) for code in ("utf-8", "utf-16-le", "utf-16-be")))


def member_names(data: bytes) -> list[str]:
    """List the members of a zip; [] if its directory is missing or damaged."""
    if data.count(_MEMBER_MARK) > MAX_MEMBERS:  # counted first: the list itself costs memory
        return []
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError):
        return []


def clean_archive(data: bytes, name: str, limits: FileLimits) -> io.BytesIO:
    """Copy the XML parts of an Office file into a fresh, uncompressed zip.

    Raises:
        UnreadableFile: if the zip is damaged, encrypted, has too many members, would unpack to more than
            `limits` allow (as declared, or as found), or if a part declares XML entities.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _check_sizes(archive, len(data), name, limits)
            copy = io.BytesIO()
            with zipfile.ZipFile(copy, "w", zipfile.ZIP_STORED) as target:
                for member, content in _parts(archive, name):
                    target.writestr(member, content)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise UnreadableFile(
            f"{name} is damaged or truncated ({error}); expected a whole Office file. Upload it again."
        ) from error
    copy.seek(0)
    return copy


def _check_sizes(archive: zipfile.ZipFile, packed_bytes: int, name: str, limits: FileLimits) -> None:
    members = archive.infolist()
    unpacked_bytes = sum(member.file_size for member in members)
    ratio = unpacked_bytes / max(1, packed_bytes)
    dense = unpacked_bytes > limits.ratio_floor_bytes and ratio > limits.max_expansion_ratio
    if unpacked_bytes > limits.max_unpacked_bytes or dense or len(members) > MAX_MEMBERS:
        raise UnreadableFile(
            f"{name} would unpack to {unpacked_bytes:,} bytes in {len(members):,} parts, {ratio:,.0f} times"
            f" its size; expected at most {limits.max_unpacked_bytes:,} bytes, {MAX_MEMBERS:,} parts and"
            f" {limits.max_expansion_ratio} times. Split the document, or remove what inflates it."
        )
    if any(member.flag_bits & 1 for member in members):
        raise UnreadableFile(f"{name} is encrypted; remove the password and upload it again.")


def _parts(archive: zipfile.ZipFile, name: str) -> Iterator[tuple[str, bytes]]:
    members = {member.filename: member for member in archive.infolist()}  # a repeated name: the last counts
    for member in members.values():
        if not member.filename.lower().endswith(_XML_SUFFIXES):
            yield member.filename, b""
            continue
        with archive.open(member) as source:
            content = source.read(member.file_size + 1)
        if _DOCTYPE.search(content):
            raise UnreadableFile(
                f"{name} declares XML entities in {member.filename}, which no Office program writes;"
                " open it in one and save it again."
            )
        yield member.filename, content
