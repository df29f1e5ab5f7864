"""Open the zip inside Office, OpenDocument and e-book files without trusting it.

`ZipFile.read` unpacks whatever a member holds, even where the directory declares a few bytes. Members are therefore
read up to their declared size, the sum of which is checked first. A library that must open the zip itself gets a clean
copy of the XML parts, in which pictures and other binaries are empty.
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
_REFERENCE = re.compile(rb"<!DOCTYPE[^\[\]<>]{0,500}>")
_LONGEST_TYPE = 200
# What zipfile raises on a damaged member, a truncated one, an encrypted or oddly compressed one, a wrong offset.
_DAMAGES = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, OSError)
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


def stated_type(data: bytes) -> str:
    """Return the media type that a zip states in its member "mimetype", as OpenDocument and e-books do; "" if none."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive, archive.open("mimetype") as member:
            return member.read(_LONGEST_TYPE).decode("ascii", "replace").strip()
    except (KeyError, ValueError, *_DAMAGES):
        return ""


class Archive:
    """The members of a zip, each read when it is asked for, up to its declared size.

    Raises:
        UnreadableFile: if the zip is damaged, encrypted, has too many members, or would unpack to more than `limits`
            allow; later, if a member is damaged or declares XML entities.
    """

    def __init__(self, data: bytes, name: str, limits: FileLimits) -> None:
        self.name = name
        self.limits = limits
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        except _DAMAGES as error:
            raise _damaged(name, error) from error
        _check_sizes(self._zip, len(data), name, limits)
        # A repeated name: the last counts
        self._members = {member.filename: member for member in self._zip.infolist()}

    def __contains__(self, member: str) -> bool:
        return member in self._members

    @property
    def names(self) -> list[str]:
        """List the members in the order of the directory."""
        return list(self._members)

    def read(self, member: str) -> bytes:
        """Return a member's bytes; b"" if there is none of that name."""
        if member not in self._members:
            return b""
        try:
            return _content(self._zip, self._members[member])
        except _DAMAGES as error:
            raise _damaged(self.name, error) from error

    def xml(self, member: str) -> bytes:
        """Return a member's bytes, which declare no document type; b"" if there is none of that name.

        A mere reference to a type's definition, as OpenOffice writes it, is dropped: nothing is declared in the file.
        """
        content = _REFERENCE.sub(b"", self.read(member), count=1)
        _check_entities(content, self.name, member)
        return content


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
    except _DAMAGES as error:
        raise _damaged(name, error) from error
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
        content = _content(archive, member)
        _check_entities(content, name, member.filename)
        yield member.filename, content


def _content(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    with archive.open(member) as source:
        return source.read(member.file_size + 1)


def _check_entities(content: bytes, name: str, member: str) -> None:
    if _DOCTYPE.search(content):
        raise UnreadableFile(
            f"{name} declares XML entities in {member}, which no Office program writes;"
            " open it in one and save it again."
        )


def _damaged(name: str, error: Exception) -> UnreadableFile:
    return UnreadableFile(
        f"{name} is damaged or truncated ({error}); expected a whole Office file. Upload it again."
    )
