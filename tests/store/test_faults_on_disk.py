"""Every call of the disk fails once, and every byte of an index file flips once: old or new, never mixed."""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rag.store.catalog import Catalog
from rag.types import Recipe
from tests.faulty_disk import NEW, OLD
from tests.made_versions import CORPUS, follower, make_version, random_vectors

ROOT = Path(__file__).parents[2]
MEMORY = Path("/dev/shm")  # a disk that flushes at once
BEFORE, CHANGED, DELETED = (
    {"a.txt": OLD, "b.txt": "more words"},
    {"a.txt": NEW, "b.txt": "more words"},
    {"a.txt": NEW},
)
CLEAR = re.compile(
    r"StorageError: .*(could not be (written|read|copied)|does not open|cannot be written) .*\(.+\)[;,.] .*"
    r"(nothing was (accepted|changed)|free (that|its) disk|make that folder writable|Check the disk)",
    re.IGNORECASE,
)


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as made:
        yield Path(made)


def failing(act: str, folder: Path, *faults: str) -> list[dict[str, Any]]:
    """Let an act fail at each of its calls in turn; return the message and the state each time."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.faulty_disk", act, str(folder), *faults],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    for line in lines:
        kill_or_none_failed = line["said"] == "" if line["fault"] == "kill" else CLEAR.match(line["said"])
        assert kill_or_none_failed or " " not in line["said"], line
    assert [line["call"] is None for line in lines].count(True) == len(faults)  # each reached the end
    return lines


def test_an_ingest_fails_at_every_call_and_shows_one_state(folder: Path) -> None:
    lines = failing("ingest", folder, "ENOSPC", "EIO", "kill")
    assert len(lines) > 200
    assert {line["call"] for line in lines} >= {"write", "pwrite64", "fsync", "fdatasync", "rename"}
    for fault in ("ENOSPC", "EIO", "kill"):
        states = [[BEFORE, CHANGED, DELETED].index(line["found"]) for line in lines if line["fault"] == fault]
        assert set(states) == {0, 1, 2}
        assert fault != "kill" or states == sorted(states)  # the later it is killed, the further it got
    assert all(line["found"] == DELETED for line in lines if line["said"] == "deleted")


def test_a_backup_fails_at_every_call_and_is_there_whole_or_not_at_all(folder: Path) -> None:
    lines = failing("back-up", folder, "ENOSPC")
    assert {"write", "pwrite64", "fsync", "rename"} <= {line["call"] for line in lines}
    for line in lines:
        assert line["found"] in (None, BEFORE), line
        assert line["found"] == BEFORE or line["said"] != "written"


def test_a_restore_fails_at_every_call_and_leaves_the_old_or_the_new(folder: Path) -> None:
    """The replaced catalogue has changes that are only in its log, as after a kill."""
    lines = failing("restore", folder, "EIO", "kill")
    restored = {"c.txt": NEW}
    for fault in ("EIO", "kill"):
        states = [[BEFORE, restored].index(line["found"]) for line in lines if line["fault"] == fault]
        assert set(states) == {0, 1}
        assert fault != "kill" or states == sorted(states)
    assert all(line["found"] == restored for line in lines if line["said"] == "restored")


def test_an_upgrade_fails_at_every_call_and_never_goes_without_a_copy(folder: Path) -> None:
    lines = failing("upgrade", folder, "ENOSPC", "kill")
    found = {tuple(line["found"]) for line in lines}
    assert {schema for schema, _ in found} == {1, 2}
    assert lines[-1]["found"] == [2, 1]
    assert all(copy == 1 or (schema, copy) == (1, None) for schema, copy in found)


def test_a_flipped_byte_anywhere_in_an_index_file_is_never_served(tmp_path: Path) -> None:
    catalog, dimension = Catalog(tmp_path), 4
    catalog.create_corpus(CORPUS, Recipe("random"))
    catalog.documents.put(CORPUS, "a.txt", make_version("herons\nnest", random_vectors(2, 1, dimension)))
    index = follower(catalog, dimension=dimension)
    index.catch_up()
    index.save(always=True)
    [path] = (tmp_path / "indexes").iterdir()
    whole, chance = path.read_bytes(), np.random.default_rng(5)
    # Distinguishes what comes from the file from what is rebuilt
    with catalog.database.write() as transaction:
        transaction.execute("DELETE FROM embeddings")
    assert len(follower(catalog, dimension=dimension)) == 2
    for place in range(len(whole)):
        flipped = bytearray(whole)
        flipped[place] ^= int(chance.integers(1, 256))
        path.write_bytes(flipped)
        assert len(follower(catalog, dimension=dimension)) == 0, place
    catalog.close()
