"""Snapshots of the indexes: complete or absent, whatever happened to the file."""

import json
import random
from pathlib import Path

import numpy as np
import pytest

from rag.index.follower import CorpusIndex
from rag.index.snapshot import SNAPSHOT_FORMAT, read_snapshot, write_snapshot
from rag.store.catalog import Catalog
from tests import made_versions
from tests.made_versions import CORPUS, Library

ARRAYS: dict[str, np.ndarray] = {
    "ids": np.arange(3, dtype=np.int64),
    "half": np.array([[1, 0.5]], np.float16),
}
STATED: dict[str, str | int] = {"corpus": 'ü"\n', "seq": 7}


def equal(found: tuple[dict[str, np.ndarray], dict[str, str | int]] | None) -> bool:
    if found is None or found[1] != STATED or found[0].keys() != ARRAYS.keys():
        return False
    return all(
        np.array_equal(found[0][name], array) and found[0][name].dtype == array.dtype
        for name, array in ARRAYS.items()
    )


def test_a_snapshot_comes_back_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "a.snapshot"
    write_snapshot(path, ARRAYS, STATED)
    assert equal(read_snapshot(path))
    assert [file.name for file in path.parent.iterdir()] == ["a.snapshot"]


def test_every_flipped_byte_is_detected(tmp_path: Path) -> None:
    path = tmp_path / "a.snapshot"
    write_snapshot(path, ARRAYS, STATED)
    data, chance = path.read_bytes(), random.Random(3)
    for place in range(len(data)):
        bits = chance.choice([1 << chance.randrange(8), chance.randrange(1, 256)])
        if data[place : place + 1] == b" ":
            bits = ord(" ") ^ ord("\t")  # which JSON would not notice
        path.write_bytes(data[:place] + bytes([data[place] ^ bits]) + data[place + 1 :])
        assert read_snapshot(path) is None, f"byte {place} ^ {bits}"


def test_truncations_and_extensions_are_detected(tmp_path: Path) -> None:
    path = tmp_path / "a.snapshot"
    write_snapshot(path, ARRAYS, STATED)
    data = path.read_bytes()
    for length in [*range(0, len(data), 11), len(data) - 1]:
        path.write_bytes(data[:length])
        assert read_snapshot(path) is None, length
    for extra in (b"\0", b"\n", data):
        path.write_bytes(data + extra)
        assert read_snapshot(path) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"null\n",
        b"[]\n",
        b"5\n",
        b"{}\n",
        b'{"format": "ibid snapshot 1"}\n',
        b'{"format": "ibid snapshot 1", "sha256": "", "stated": 5}\n',
        b"[" * 100_000,
        b"\xff\xfe\n",
        b"SQLite format 3\0" * 100,
        json.dumps({"format": SNAPSHOT_FORMAT + "1", "sha256": "x", "stated": "{}"}).encode() + b"\n",
    ],
)
def test_foreign_files_read_as_absent(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.snapshot"
    path.write_bytes(content)
    assert read_snapshot(path) is None


def test_absent_files_read_as_absent(tmp_path: Path) -> None:
    assert read_snapshot(tmp_path / "none") is None
    assert read_snapshot(tmp_path) is None


def test_pickled_objects_are_neither_written_nor_read(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="pickle"):
        write_snapshot(tmp_path / "a", {"o": np.array([object()])}, STATED)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_snapshot(tmp_path: Path) -> None:
    path = tmp_path / "a.snapshot"
    write_snapshot(path, ARRAYS, STATED)
    blocked = tmp_path / "blocked"
    blocked.mkdir()
    with pytest.raises(OSError, match="directory"):
        write_snapshot(blocked, ARRAYS, STATED)  # cannot replace a folder
    assert equal(read_snapshot(path))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.snapshot", "blocked"]


# snapshots of a real follower


def follower(library: Library, lexical: str = "bm25") -> CorpusIndex:
    return made_versions.follower(library.catalog, lexical=lexical)


def names(library: Library, index: CorpusIndex, question: str) -> list[str]:
    found = index.search(question, library.vectors([question])[0], dense_k=10, lexical_k=10)
    return [found.chunks[i].text for i, _ in found.dense]


def snapshots(library: Library) -> list[Path]:
    return list((library.catalog.home / "indexes").iterdir())


@pytest.mark.parametrize("lexical", ["bm25", "rank_bm25"])
def test_a_snapshot_with_changes_pending_catches_up(library: Library, lexical: str) -> None:
    library.put("a", "herons nest in reed beds")
    library.put("b", "puffins dig burrows")
    index = follower(library, lexical)
    assert len(index) == 2
    index.save(always=True)
    library.put("c", "gannets dive from great heights")
    library.put("a", "herons nest in tall trees")
    library.catalog.documents.delete(CORPUS, ["b"])
    again = follower(library, lexical)
    texts = ["herons nest in tall trees", "gannets dive from great heights"]
    assert names(library, again, "where do herons nest?") == texts
    fresh = again.search("herons dive", library.vectors(["herons dive"])[0], dense_k=5, lexical_k=5)
    rebuilt = index.search("herons dive", library.vectors(["herons dive"])[0], dense_k=5, lexical_k=5)
    assert fresh == rebuilt


def test_a_snapshot_is_used_and_not_rebuilt(library: Library) -> None:
    library.put("a", "herons nest in reed beds")
    index = follower(library)
    index.catch_up()
    index.save(always=True)
    with library.catalog.database.write() as transaction:  # a rebuild would now find nothing
        transaction.execute("DELETE FROM embeddings")
    assert names(library, follower(library), "herons") == ["herons nest in reed beds"]


@pytest.mark.parametrize(
    "damage", ["flip", "truncate", "foreign", "other embedder", "other catalogue", "newer", "old words"]
)
def test_a_snapshot_that_does_not_fit_is_rebuilt(library: Library, damage: str) -> None:
    library.put("a", "herons nest in reed beds")
    library.put("b", "puffins dig burrows")
    index = follower(library)
    index.catch_up()
    index.save(always=True)
    (path,) = snapshots(library)
    arrays, stated = read_snapshot(path) or ({}, {})
    if damage == "flip":
        data = path.read_bytes()
        path.write_bytes(data[:-50] + bytes([data[-50] ^ 1]) + data[-49:])
    elif damage == "truncate":
        path.write_bytes(path.read_bytes()[:-1])
    elif damage == "foreign":
        write_snapshot(path, ARRAYS, STATED)
    elif damage == "other embedder":
        write_snapshot(
            path, {**arrays, "dense_vectors": -arrays["dense_vectors"]}, {**stated, "embedder": "x"}
        )
    elif damage == "other catalogue":
        write_snapshot(
            path, {**arrays, "dense_vectors": -arrays["dense_vectors"]}, {**stated, "catalog": "0" * 32}
        )
    elif damage == "newer":
        write_snapshot(path, {**arrays, "dense_vectors": -arrays["dense_vectors"]}, {**stated, "seq": 99})
    else:
        write_snapshot(path, {**arrays, "lexical_format": np.array([1, -1])}, stated)
    again = follower(library)
    assert names(library, again, "where do herons nest?") == [
        "herons nest in reed beds",
        "puffins dig burrows",
    ]
    again.save(always=True)
    assert read_snapshot(path)
    assert (read_snapshot(path) or ({}, {}))[1] == stated


def test_a_disk_that_refuses_the_snapshot_only_warns(
    library: Library, caplog: pytest.LogCaptureFixture
) -> None:
    library.put("a", "herons nest in reed beds")
    (library.catalog.home / "indexes").write_text("a file where the folder should be")
    index = follower(library)
    index.catch_up()
    index.save(always=True)
    assert "was not written" in caplog.text
    assert names(library, index, "herons") == ["herons nest in reed beds"]


def test_nothing_is_written_while_little_changed(library: Library) -> None:
    library.put("a", "herons nest in reed beds")
    index = follower(library)
    index.catch_up()
    index.save()
    assert not (library.catalog.home / "indexes").exists()


def test_a_snapshot_of_another_catalogue_is_refused(library: Library, tmp_path: Path) -> None:
    """Both have seen one change of one corpus; only the catalogue's identity differs."""
    library.put("a", "herons nest in reed beds")
    index = follower(library)
    index.catch_up()
    index.save(always=True)
    (path,) = snapshots(library)
    other = Library(Catalog(tmp_path / "other"), library.embedder, {})
    other.put("a", "puffins dig burrows")
    (other.catalog.home / "indexes").mkdir()
    (other.catalog.home / "indexes" / path.name).write_bytes(path.read_bytes())
    assert names(other, follower(other), "herons") == ["puffins dig burrows"]
    other.catalog.close()


def test_a_catalogue_keeps_its_identity_and_shares_it_with_none(library: Library, tmp_path: Path) -> None:
    own = library.catalog.database.identity()
    again, other = Catalog(library.catalog.home), Catalog(tmp_path / "other")
    assert len(own) == 32
    assert again.database.identity() == own != other.database.identity()
    other.close()
    again.close()
