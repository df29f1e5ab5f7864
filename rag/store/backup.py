"""Backups: the catalogue and its originals in one tar archive, and back again.

An archive holds `catalog.sqlite3`, `originals/<sha256>` and, last, `manifest.json` with the checksums: one that
was cut short has none. Index snapshots can be rebuilt, so they are left out.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import shutil
import sqlite3
import tarfile
import tempfile
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from rag.errors import InvalidInput, StorageError
from rag.store.catalog import Catalog
from rag.store.database import CATALOG
from rag.store.durable import alone, put_in_place, sync
from rag.store.schema import read_version

BACKUP_FORMAT = "ibid backup 1"
MANIFEST, ORIGINALS = "manifest.json", "originals"
PART_BYTES = 1 << 20
RESTORING = "restoring"  # in a data folder: what is unpacked and not yet in place
_MEMBER = re.compile(rf"{re.escape(CATALOG)}|{re.escape(MANIFEST)}|{ORIGINALS}/[0-9a-f]{{64}}")
_NEEDED = (
    "SELECT sha256 FROM documents UNION SELECT sha256 FROM job_files WHERE sha256 != '' AND state IN "
    "('queued', 'running', 'failed', 'cancelled') ORDER BY sha256"
)


@dataclass(frozen=True, slots=True)
class Backup:
    """What an archive holds."""

    schema: int
    created: float  # seconds since the epoch
    originals: int
    bytes: int
    damaged: tuple[str, ...] = ()  # originals that were left out because their bytes have changed


def write_backup(catalog: Catalog, archive: Path) -> Backup:
    """Write a backup of one moment while others read and write; it is read back before it gets its name.

    An archive of that name is replaced. What was only ingested from the command line has no original.

    Raises:
        StorageError: if it cannot be written, or the catalogue is damaged; an archive of that name stays.
    """
    try:
        with tempfile.TemporaryDirectory(prefix=f".{archive.name}.", dir=archive.parent) as scratch:
            written = Path(scratch) / "backup.tar"
            with catalog.originals.protected():
                catalog.database.copy_to(Path(scratch) / CATALOG)
                damaged = _write_archive(catalog, Path(scratch) / CATALOG, written)
            found = _unpack(written, None)
            put_in_place(written, archive)
    except (OSError, InvalidInput) as error:
        raise StorageError(f"The backup {archive} could not be written ({error}); free that disk.") from error
    return Backup(found.schema, found.created, found.originals, found.bytes, damaged)


def restore_backup(archive: Path, home: Path, *, force: bool = False) -> Backup:
    """Put a backup in place of a data folder's catalogue. If this ends early, the old or the new one is in place.

    The restored catalogue gets a new identity, so that no index snapshot of another history is taken for its own.

    Args:
        force: replace the catalogue that is there.

    Raises:
        InvalidInput: if the archive is not a whole backup, or a catalogue is there.
        StorageError: if the folder is in use or cannot be written, or the backup is of a newer or an unreleased Ibid.
    """
    try:
        home.mkdir(parents=True, exist_ok=True)
        with alone(home):
            if (home / CATALOG).exists() and not force:
                raise InvalidInput(
                    f"The data folder {home} holds a catalogue; set IBID_HOME to a new folder, "
                    "or replace that catalogue with --force. Nothing was changed."
                )
            found = _restore(archive, home)
        with closing(Catalog(home)) as catalog:  # which brings an older schema up to date
            catalog.originals.drop_unused()
    except (OSError, sqlite3.Error) as error:
        raise StorageError(
            f"{home} could not be written ({error}); free its disk, and run the restore again."
        ) from error
    return found


def _write_archive(catalog: Catalog, copy: Path, written: Path) -> tuple[str, ...]:
    """Pack the copied catalogue and its originals; return which originals are damaged, and left out."""
    with closing(sqlite3.connect(copy)) as database:
        needed = [row[0] for row in database.execute(_NEEDED)]
        [schema] = database.execute("PRAGMA user_version").fetchone()
    present = [sha256 for sha256 in needed if catalog.originals.path(sha256).is_file()]
    damaged = tuple(sha256 for sha256 in present if _sha256(catalog.originals.path(sha256)) != sha256)
    kept = [sha256 for sha256 in present if sha256 not in damaged]
    manifest = {
        "format": BACKUP_FORMAT,
        "schema": schema,
        "created": time.time(),
        "catalog": _sha256(copy),
        "originals": kept,
    }
    with tarfile.open(written, "w") as tar:
        tar.add(copy, CATALOG)
        for sha256 in kept:
            tar.add(catalog.originals.path(sha256), f"{ORIGINALS}/{sha256}")
        entry = tarfile.TarInfo(MANIFEST)
        encoded = json.dumps(manifest).encode()
        entry.size = len(encoded)
        tar.addfile(entry, io.BytesIO(encoded))
    return damaged


def _unpack(archive: Path, into: Path | None) -> Backup:
    """Check every checksum of an archive, unpacking it on the way if a folder is given.

    Raises:
        InvalidInput: if it is not a whole backup.
    """
    try:
        with tarfile.open(archive, "r|") as tar:
            manifest, checksums = _read_members(tar, into)
        expected = {CATALOG: manifest["catalog"]} | {
            f"{ORIGINALS}/{one}": one for one in manifest["originals"]
        }
        if manifest["format"] != BACKUP_FORMAT or checksums != expected:
            raise ValueError("its checksums are not those of its manifest")
        return Backup(
            int(manifest["schema"]), float(manifest["created"]), len(expected) - 1, archive.stat().st_size
        )
    except FileNotFoundError as error:
        raise InvalidInput(
            f"{archive} does not exist; expected a backup as `ibid backup` writes it."
        ) from error
    except (tarfile.TarError, ValueError, KeyError, TypeError, EOFError, RecursionError) as error:
        raise InvalidInput(
            f"{archive} is not a whole backup ({error}); nothing was restored. Take another one."
        ) from error


def _read_members(tar: tarfile.TarFile, into: Path | None) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the manifest, and the sha256 of each other member by name."""
    manifest: dict[str, Any] = {}
    checksums: dict[str, str] = {}
    for member in tar:
        stored = tar.extractfile(member)
        if (
            not member.isfile()
            or not stored
            or not _MEMBER.fullmatch(member.name)
            or member.name in checksums
        ):
            raise ValueError(f"it holds {member.name[:80]!r}")
        if member.name == MANIFEST:
            manifest = json.loads(stored.read())
        else:
            checksums[member.name] = _copied(stored, into and into / member.name)
    if not isinstance(manifest, dict) or not manifest:
        raise ValueError("it has no manifest, as if it was cut short")
    return manifest, checksums


def _copied(stored: IO[bytes], target: Path | None) -> str:
    """Read to the end, writing to a file if one is given; return the sha256."""
    digest = hashlib.sha256()
    with ExitStack() as opened:
        file = opened.enter_context(target.open("wb")) if target else None
        while part := stored.read(PART_BYTES):
            digest.update(part)
            if file:
                file.write(part)
    return digest.hexdigest()


def _restore(archive: Path, home: Path) -> Backup:
    """Unpack beside, then put the originals, which nothing names yet, in place, and the catalogue last."""
    unpacked = home / RESTORING
    shutil.rmtree(unpacked, ignore_errors=True)  # what a kill left behind
    (unpacked / ORIGINALS).mkdir(parents=True)
    (home / ORIGINALS).mkdir(exist_ok=True)
    try:
        found = _unpack(archive, unpacked)
        _begin_history(unpacked / CATALOG)
        for original in (unpacked / ORIGINALS).iterdir():
            sync(original)
            original.replace(home / ORIGINALS / original.name)
        sync(home / ORIGINALS)
        _fold_log_in(home / CATALOG)
        shutil.rmtree(home / "indexes", ignore_errors=True)  # they hold the words of what is replaced
        put_in_place(unpacked / CATALOG, home / CATALOG)
        return found
    finally:
        shutil.rmtree(unpacked, ignore_errors=True)


def _begin_history(catalog: Path) -> None:
    """Give the catalogue of a backup an identity of its own; refuse one of another version of Ibid."""
    with closing(sqlite3.connect(catalog, isolation_level=None)) as database:
        read_version(database, "The backup")
        database.execute("UPDATE identity SET id = lower(hex(randomblob(16)))")


def _fold_log_in(catalog: Path) -> None:
    """Bring the log of the catalogue that is replaced into its file: SQLite would apply it to the next one.

    One that SQLite cannot read has no state to be kept.
    """
    if not catalog.exists():
        return
    try:
        with closing(sqlite3.connect(catalog)) as replaced:
            [mode] = replaced.execute("PRAGMA journal_mode = DELETE").fetchone()
            if mode != "delete":
                raise StorageError(f"{catalog} is in use; stop what uses it. Nothing was changed.")
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise StorageError(f"{catalog} could not be read ({error}); nothing was changed.") from error
    for ending in ("-wal", "-shm"):
        catalog.with_name(catalog.name + ending).unlink(missing_ok=True)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
