"""Backups: consistent while others write, checked before they are put in place, with their own history."""

import io
import json
import logging
import random
import sqlite3
import subprocess
import sys
import tarfile
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from ingest.uploads.jobs import Jobs
from rag.errors import InvalidInput, StorageError
from rag.settings import Settings
from rag.store.backup import restore_backup, write_backup
from rag.store.catalog import Catalog
from rag.store.generations import snapshot_path
from rag.store.jobs import Upload
from rag.store.schema import SCHEMA_VERSION
from rag.types import Recipe
from tests.line_builder import finished, run
from tests.made_versions import (
    CORPUS,
    NEXT,
    Library,
    all_chunks,
    count,
    fill,
    follower,
    make_unreleased,
    serving,
)
from tests.served import TRAVEL, find, served, upload
from tests.typed import Ibid


def put(catalog: Catalog, name: str, text: str) -> None:
    fill(catalog, name, text, sha256=catalog.originals.keep(text.encode()))


def texts(home: Path) -> dict[str, str]:
    with closing(Catalog(home)) as catalog:
        return {
            info.name: catalog.documents.get(CORPUS, info.name).text
            for info in catalog.documents.infos(CORPUS)
        }


def test_what_was_backed_up_comes_back_with_its_originals(catalog: Catalog, tmp_path: Path) -> None:
    put(catalog, "a.txt", "herons nest")
    put(catalog, "b.txt", "puffins dig\nburrows")
    fill(catalog, "typed.txt", "ingested from the command line, without an original")
    job = Jobs(catalog).submit(CORPUS, [Upload("c.txt", b"on its way", {})], Recipe("random"))
    written = write_backup(catalog, tmp_path / "ibid.tar")
    assert (written.originals, written.schema, written.damaged) == (3, SCHEMA_VERSION, ())
    catalog.delete_corpus(CORPUS)

    restored = restore_backup(tmp_path / "ibid.tar", tmp_path / "fresh")
    assert (restored.originals, restored.bytes) == (3, (tmp_path / "ibid.tar").stat().st_size)
    assert texts(tmp_path / "fresh")["b.txt"] == "puffins dig\nburrows"
    with closing(Catalog(tmp_path / "fresh")) as fresh:
        assert fresh.originals.path(fresh.documents.info(CORPUS, "a.txt").sha256).read_text() == "herons nest"
        assert fresh.jobs.get(job).state == "queued"
        assert sorted(path.read_bytes() for path in (fresh.home / "originals").iterdir()) == sorted(
            [b"herons nest", b"puffins dig\nburrows", b"on its way"]
        )
        assert len(all_chunks(fresh)) == 4
    assert not (tmp_path / "fresh" / "restoring").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fresh", "home", "ibid.tar"]


def test_a_backup_beside_uploads_and_deletions_is_of_one_moment(catalog: Catalog, tmp_path: Path) -> None:
    """Two documents are changed in turn: in a backup the second is level with the first, or one change behind."""
    stop, jobs = threading.Event(), Jobs(catalog)

    def put(name: str, turn: int) -> None:
        finished(
            jobs, jobs.submit(CORPUS, [Upload(name, f"{turn} of {name}".encode(), {})], Recipe("random"))
        )

    def write() -> None:
        turn = 0
        while not stop.is_set():
            turn += 1
            for name in ("a.txt", "b.txt", "c.txt"):
                put(name, turn)
            catalog.documents.delete(CORPUS, ["c.txt"])

    run(jobs, catalog)
    put("a.txt", 0)
    put("b.txt", 0)
    thread = threading.Thread(target=write)
    thread.start()
    try:
        for turn in range(8):
            write_backup(catalog, tmp_path / f"{turn}.tar")
            time.sleep(0.05)
    finally:
        stop.set()
        thread.join()
        jobs.stop()
    turns = []
    for turn in range(8):
        restore_backup(tmp_path / f"{turn}.tar", tmp_path / str(turn))
        found = texts(tmp_path / str(turn))
        ahead, behind = int(found["a.txt"].split()[0]), int(found["b.txt"].split()[0])
        assert behind <= ahead <= behind + 1
        turns.append(ahead)
        with closing(Catalog(tmp_path / str(turn))) as restored:
            # Nothing that the backup names was deleted during the copy.
            for info in restored.documents.infos(CORPUS):
                assert restored.originals.path(info.sha256).read_text() == found[info.name]
            assert count(restored, "embeddings") == len(
                {chunk.text for chunk in all_chunks(restored).values()}
            )
    assert turns == sorted(turns)
    assert turns[-1] > turns[0]
    kept = {path.name for path in (catalog.home / "originals").iterdir()}
    # Swept once the backups were done
    assert kept == {info.sha256 for info in catalog.documents.infos(CORPUS)}


def test_an_original_deleted_during_a_backup_goes_when_it_is_done(catalog: Catalog) -> None:
    put(catalog, "a.txt", "herons nest")
    with catalog.originals.protected():
        catalog.documents.delete(CORPUS, ["a.txt"])
        assert len(list((catalog.home / "originals").iterdir())) == 1
    assert list((catalog.home / "originals").iterdir()) == []


def test_a_damaged_original_is_named_and_left_out(ibid: Ibid, home: Path) -> None:
    with closing(Catalog(home / "home")) as catalog:
        put(catalog, "a.txt", "herons nest")
        put(catalog, "b.txt", "puffins dig")
        sha256 = catalog.documents.info(CORPUS, "a.txt").sha256
        catalog.originals.path(sha256).write_text("herons rest")
    done = ibid("backup", "ibid.tar", "--json")
    assert (done.code, done.json()["damaged"]) == (2, [sha256])
    assert "was left out; upload that file again" in done.err
    assert restore_backup(home / "ibid.tar", home / "fresh").originals == 1


def test_a_damaged_catalogue_is_not_backed_up(tmp_path: Path) -> None:
    with closing(Catalog(tmp_path / "home")) as catalog:
        fill(catalog, "a.txt", "\n".join(f"line {n}" for n in range(300)))
        with catalog.database.write() as transaction:  # an index that disagrees with its table
            transaction.execute("PRAGMA writable_schema = ON")
            transaction.execute("DELETE FROM sqlite_schema WHERE name = 'chunks_in_order'")
    (tmp_path / "ibid.tar").write_text("the backup of yesterday")
    with (
        closing(Catalog(tmp_path / "home")) as catalog,
        pytest.raises(StorageError, match=r"is damaged .*restore a backup"),
    ):
        write_backup(catalog, tmp_path / "ibid.tar")
    assert (tmp_path / "ibid.tar").read_text() == "the backup of yesterday"


# incomplete backups


def test_every_damage_is_found_before_anything_is_put_in_place(catalog: Catalog, tmp_path: Path) -> None:
    put(catalog, "a.txt", "herons nest")
    archive, home = tmp_path / "ibid.tar", tmp_path / "fresh"
    write_backup(catalog, archive)
    whole, chance = archive.read_bytes(), random.Random(4)
    with tarfile.open(archive) as tar:
        members = {entry.name: (entry.offset_data, entry.size) for entry in tar}
    places = [at + chance.randrange(size) for at, size in members.values() for _ in range(40) if size]
    Catalog(home).close()
    for place in places:
        archive.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        if members["manifest.json"][0] <= place and only_the_rest_differs(
            whole, archive.read_bytes(), members
        ):
            continue  # such as a digit of the time, which is not restored
        with pytest.raises(InvalidInput, match=r"is not a whole backup .*nothing was restored"):
            restore_backup(archive, home, force=True)
    for length in (0, 100, 512, len(whole) // 2, members["manifest.json"][0] - 512):
        archive.write_bytes(whole[:length])
        with pytest.raises(InvalidInput, match="is not a whole backup"):
            restore_backup(archive, home, force=True)
    assert [path.name for path in home.iterdir() if path.is_dir()] == ["originals"]
    assert list((home / "originals").iterdir()) == []


def only_the_rest_differs(whole: bytes, damaged: bytes, members: dict[str, tuple[int, int]]) -> bool:
    """Return whether a damaged manifest still states the same checksums."""
    at, size = members["manifest.json"]
    try:
        stated = json.loads(damaged[at : at + size])
    except ValueError:
        return False
    said = json.loads(whole[at : at + size])
    return (
        all(stated.get(key) == said[key] for key in ("format", "catalog", "originals"))
        and "created" in stated
    )


@pytest.mark.parametrize("name", ["../evil", "/evil", "originals/evil", "link", "more"])
def test_an_archive_with_anything_else_in_it_is_refused(catalog: Catalog, tmp_path: Path, name: str) -> None:
    put(catalog, "a.txt", "herons nest")
    archive = tmp_path / "ibid.tar"
    write_backup(catalog, archive)
    with tarfile.open(archive, "a") as tar:
        entry = tarfile.TarInfo(f"originals/{'0' * 64}" if name in ("link", "more") else name)
        if name == "link":
            entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
        else:
            entry.size = 4
        tar.addfile(entry, io.BytesIO(b"evil"))
    with pytest.raises(InvalidInput, match="is not a whole backup"):
        restore_backup(archive, tmp_path / "fresh")
    assert not (tmp_path / "evil").exists()


def test_a_backup_of_a_newer_ibid_is_refused(catalog: Catalog, tmp_path: Path) -> None:
    put(catalog, "a.txt", "herons nest")
    with catalog.database.write() as transaction:
        transaction.execute("PRAGMA user_version = 99")
    write_backup(catalog, tmp_path / "ibid.tar")
    with pytest.raises(StorageError, match=r"has schema 99, newer than this Ibid's .*upgrade Ibid"):
        restore_backup(tmp_path / "ibid.tar", tmp_path / "fresh")
    assert not (tmp_path / "fresh" / "catalog.sqlite3").exists()


# the target folder


def test_a_catalogue_is_replaced_only_on_request_and_never_while_it_is_open(ibid: Ibid, home: Path) -> None:
    with closing(Catalog(home / "home")) as catalog:
        put(catalog, "a.txt", "herons nest")
        assert ibid("backup", "ibid.tar").code == 0
        put(catalog, "b.txt", "puffins dig")
        open_ = ibid("restore", "ibid.tar", "--force")
        assert (open_.code, "stop it first. Nothing was changed." in open_.err) == (1, True)
    there = ibid("restore", "ibid.tar")
    assert (there.code, "or replace that catalogue with --force" in there.err) == (1, True)
    assert set(texts(home / "home")) == {"a.txt", "b.txt"}
    assert ibid("restore", "ibid.tar", "--force").code == 0
    assert set(texts(home / "home")) == {"a.txt"}
    assert len(list((home / "home" / "originals").iterdir())) == 1  # that of b.txt is gone with it


def test_a_folder_that_is_being_restored_does_not_open(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from rag.store.durable import alone\n"
        "with alone(Path(sys.argv[1])): print('alone', flush=True); sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    ) as p:
        assert p.stdout
        assert p.stdout.readline() == b"alone\n"
        with pytest.raises(StorageError, match="is being restored; try again"):
            Catalog(tmp_path)
    Catalog(tmp_path).close()


def test_a_damaged_catalogue_is_replaced_with_its_log(tmp_path: Path) -> None:
    with closing(Catalog(tmp_path / "home")) as catalog:
        put(catalog, "a.txt", "herons nest")
        write_backup(catalog, tmp_path / "ibid.tar")
        put(catalog, "b.txt", "puffins dig")
        log = (tmp_path / "home" / "catalog.sqlite3-wal").read_bytes()
    (tmp_path / "home" / "catalog.sqlite3").write_bytes(b"not a database" * 1000)
    (tmp_path / "home" / "catalog.sqlite3-wal").write_bytes(log)
    restore_backup(tmp_path / "ibid.tar", tmp_path / "home", force=True)
    assert texts(tmp_path / "home") == {"a.txt": "herons nest"}


def test_no_index_of_the_replaced_history_is_taken_for_its_own(library: Library, tmp_path: Path) -> None:
    """After the restore the log reaches the same number with other changes, and an old snapshot turns up."""
    home = library.catalog.home
    library.put("a", "herons nest in reed beds")
    write_backup(library.catalog, tmp_path / "ibid.tar")
    library.put("b", "puffins dig burrows")
    index = follower(library.catalog)
    index.catch_up()
    index.save(always=True)
    path = snapshot_path(home, CORPUS, serving(library.catalog), "bm25")
    kept, identity = path.read_bytes(), library.catalog.database.identity()
    library.catalog.close()

    restore_backup(tmp_path / "ibid.tar", home, force=True)
    assert not path.exists()
    again = Library(Catalog(home), library.embedder, {})
    assert again.catalog.database.identity() != identity
    again.put("c", "gannets dive from great heights")
    path.parent.mkdir()
    path.write_bytes(kept)
    fresh = follower(again.catalog)
    vector = again.vectors(["puffins"])[0]
    found = fresh.search("puffins", vector, dense_k=5, lexical_k=5)
    assert {chunk.document for chunk in found.chunks.values()} == {"a", "c"}
    again.catalog.close()


def test_a_running_server_is_backed_up_and_answers_the_same_elsewhere(tmp_path: Path) -> None:
    with served(Settings(home=tmp_path / "home")) as site:
        upload(site.client, "handbook", {"travel.md": TRAVEL})
        asked = {"question": "What is the hotel limit in Berlin?"}
        before = site.client.post("/v1/corpora/handbook/ask", json=asked).json()
        write_backup(site.service.catalog, tmp_path / "ibid.tar")
        with pytest.raises(StorageError, match="such as a server; stop it first"):
            restore_backup(tmp_path / "ibid.tar", tmp_path / "home", force=True)
        assert find(site.client, "handbook", "hotel")
    restore_backup(tmp_path / "ibid.tar", tmp_path / "fresh")
    with served(Settings(home=tmp_path / "fresh")) as site:
        after = site.client.post("/v1/corpora/handbook/ask", json=asked).json()
        assert site.client.get("/v1/corpora/handbook/originals/travel.md").text == TRAVEL
    for answer in (before, after):
        del answer["timings_ms"]
    assert "150 euros" in before["answer"]
    assert after == before


# a folder of another schema


def test_an_older_schema_is_copied_before_it_is_brought_up_to_date(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(Catalog(tmp_path)) as catalog:
        fill(catalog, "a.txt", "herons nest")
    with caplog.at_level(logging.WARNING), closing(Catalog(tmp_path, NEXT)) as catalog:
        assert catalog.documents.get(CORPUS, "a.txt").text == "herons nest"
        notes = catalog.database.read().execute("SELECT name, note FROM corpora")
        assert [tuple(row) for row in notes] == [(CORPUS, "none")]
    copy = tmp_path / "catalog.schema-1.sqlite3"
    assert "from schema 1 to 2. As it was, the catalogue is kept in " + f"{copy}: delete" in caplog.text
    with closing(sqlite3.connect(copy)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (1,)
        assert database.execute("SELECT text FROM documents").fetchall() == [("herons nest",)]
    assert [path.name for path in tmp_path.glob(".*")] == []
    caplog.clear()
    Catalog(tmp_path, NEXT).close()
    assert caplog.text == ""
    with pytest.raises(StorageError, match="has schema 2, newer than this Ibid's 1; upgrade Ibid"):
        Catalog(tmp_path)
    copy.replace(tmp_path / "catalog.sqlite3")  # which is how to go back
    assert texts(tmp_path) == {"a.txt": "herons nest"}


def test_a_copy_that_cannot_be_written_leaves_the_old_schema(tmp_path: Path) -> None:
    Catalog(tmp_path).close()
    (tmp_path / "catalog.schema-1.sqlite3").mkdir()
    with pytest.raises(StorageError, match=r"could not be written .*nothing was changed"):
        Catalog(tmp_path, NEXT)
    with closing(sqlite3.connect(tmp_path / "catalog.sqlite3")) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (1,)


def test_an_upgrade_that_fails_changes_nothing(tmp_path: Path) -> None:
    with closing(Catalog(tmp_path)) as catalog:
        fill(catalog, "a.txt", "herons nest")
    with pytest.raises(StorageError, match="could not be written"):
        Catalog(tmp_path, (*NEXT, "INSERT INTO corpora VALUES ('library', 0.0, 'twice')"))
    assert texts(tmp_path) == {"a.txt": "herons nest"}


@pytest.mark.parametrize("schema", range(6))
def test_a_folder_of_an_unreleased_version_is_refused_and_kept(tmp_path: Path, schema: int) -> None:
    with closing(Catalog(tmp_path)) as catalog:
        fill(catalog, "a.txt", "herons nest")
    make_unreleased(tmp_path, schema)
    before = (tmp_path / "catalog.sqlite3").read_bytes()
    with pytest.raises(
        StorageError, match=r"never released.*Remove it and ingest.*`ibid export`.*`ibid import`"
    ):
        Catalog(tmp_path)
    assert (tmp_path / "catalog.sqlite3").read_bytes() == before


def test_a_backup_of_an_unreleased_version_is_refused(catalog: Catalog, tmp_path: Path) -> None:
    put(catalog, "a.txt", "herons nest")
    with catalog.database.write() as transaction:
        transaction.execute("PRAGMA application_id = 0")
    write_backup(catalog, tmp_path / "ibid.tar")
    with pytest.raises(
        StorageError, match="The backup was made by a version of Ibid that was never released"
    ):
        restore_backup(tmp_path / "ibid.tar", tmp_path / "fresh")
    assert not (tmp_path / "fresh" / "catalog.sqlite3").exists()


def test_what_may_be_retried_is_in_the_backup(catalog: Catalog, tmp_path: Path) -> None:
    put(catalog, "a.txt", "herons nest")
    jobs = Jobs(catalog)
    job = jobs.submit(CORPUS, [Upload("late.txt", b"late words", {})], Recipe("random"))
    jobs.queue.cancel(job)
    write_backup(catalog, tmp_path / "ibid.tar")
    restore_backup(tmp_path / "ibid.tar", tmp_path / "fresh")
    with closing(Catalog(tmp_path / "fresh")) as restored:
        again = Jobs(restored)
        run(again, restored)
        again.retry(job)
        assert finished(again, job).state == "completed"
        again.stop()
