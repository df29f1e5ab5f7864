"""What a sync records about documents, and what it leaves alone when others change the corpus meanwhile."""

import hashlib

import pytest

from ingest.build import Builder
from ingest.source import Source
from ingest.sync.folder import FolderScan
from ingest.sync.plan import Order, Plan
from ingest.sync.sync import Sync
from ingest.uploads.jobs import Jobs
from rag.models.embed import Embedder
from rag.settings import Settings
from rag.store.catalog import Catalog
from rag.store.jobs import Upload
from rag.types import Recipe

HERE = Order("sea", "/srv/sea", delete_missing=True, force=True)
THERE = Order("sea", "/srv/other", delete_missing=True, force=True)
TEXTS = {f"{town}.txt": f"{town} has cranes in its harbour." for town in ("Arco", "Brema", "Cadiz")}


@pytest.fixture
def follow(catalog: Catalog, embedder: Embedder) -> Sync:
    return Sync(catalog, lambda: Builder(catalog, embedder, Settings(home=catalog.home)))


def found(texts: dict[str, str], *, here: bool = True) -> FolderScan:
    hashes = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in texts.items()}
    sources = {name: Source(name, text.encode) for name, text in texts.items()}
    return FolderScan(hashes, sources=sources if here else {})


def carried_out(sync: Sync, texts: dict[str, str], order: Order = HERE, *, here: bool = True) -> Plan:
    seen = found(texts, here=here)
    return sync.carry_out(order, seen, sync.plan(order, seen))


def without(name: str) -> dict[str, str]:
    return {other: text for other, text in TEXTS.items() if other != name}


def test_what_was_uploaded_after_the_plan_is_not_deleted(
    follow: Sync, catalog: Catalog, embedder: Embedder
) -> None:
    carried_out(follow, TEXTS)
    seen = found(without("Arco.txt"))
    plan = follow.plan(HERE, seen)
    assert plan.deleted == ("Arco.txt",)
    upload = Source("Arco.txt", "Arco has a new harbour.".encode)
    list(Builder(catalog, embedder, Settings(home=catalog.home)).ingest("sea", [upload]))

    assert follow.carry_out(HERE, seen, plan).deleted == ()

    assert catalog.documents.get("sea", "Arco.txt").text == "Arco has a new harbour."


def test_what_was_deleted_or_moved_by_others_after_the_plan_fails_alone(
    follow: Sync, catalog: Catalog
) -> None:
    carried_out(follow, TEXTS)
    moved = {**without("Arco.txt"), "moved.txt": TEXTS["Arco.txt"]}
    del moved["Brema.txt"]
    seen = found(moved)
    plan = follow.plan(HERE, seen)
    assert (plan.moved, plan.deleted) == ((("Arco.txt", "moved.txt"),), ("Brema.txt",))
    catalog.documents.delete("sea", ["Arco.txt", "Brema.txt"])
    done = follow.carry_out(HERE, seen, plan)
    assert (done.moved, done.deleted) == ((), ())
    assert "There is no document 'Arco.txt'" in done.failed["moved.txt"]
    assert carried_out(follow, moved).added == ("moved.txt",)  # by the next run


def test_a_document_belongs_to_the_folder_that_it_was_last_seen_in(follow: Sync) -> None:
    carried_out(follow, TEXTS)
    assert carried_out(follow, TEXTS, THERE).unchanged == tuple(TEXTS)
    assert carried_out(follow, without("Arco.txt"), THERE).deleted == ("Arco.txt",)


def test_nothing_is_written_where_nothing_is_new(follow: Sync, catalog: Catalog) -> None:
    carried_out(follow, TEXTS)
    before = (
        catalog.database.read().execute("PRAGMA data_version").fetchone()[0],
        catalog.database.read().total_changes,
    )
    assert carried_out(follow, TEXTS).unchanged == tuple(TEXTS)
    after = (
        catalog.database.read().execute("PRAGMA data_version").fetchone()[0],
        catalog.database.read().total_changes,
    )
    assert after == before


def test_a_file_that_two_folders_hold_stays_with_the_first(follow: Sync, catalog: Catalog) -> None:
    gentle = [Order("sea", folder, delete_missing=True) for folder in ("/srv/sea", "/srv/other")]
    carried_out(follow, {"LICENSE.txt": "Do as you like.", **TEXTS}, gentle[0])
    carried_out(follow, {"LICENSE.txt": "Do as you like."}, gentle[1])
    other = {f"{n}.txt": f"Buoy {n} is green." for n in range(9)}
    carried_out(follow, other, gentle[1])

    assert "LICENSE.txt" in {info.name for info in catalog.documents.infos("sea")}
    assert catalog.synced.documents("sea")["LICENSE.txt"].folder == "/srv/sea"


def test_what_was_uploaded_is_not_taken_over_for_its_bytes(follow: Sync, catalog: Catalog) -> None:
    carried_out(follow, TEXTS)
    with catalog.database.write() as transaction:  # as if they had come in by another way
        transaction.execute("DELETE FROM synced")
    catalog.originals.keep(TEXTS["Arco.txt"].encode())  # as an upload is kept
    gentle = Order("sea", "/srv/sea", delete_missing=True)
    carried_out(follow, TEXTS, gentle)
    folders = {name: known.folder for name, known in catalog.synced.documents("sea").items()}

    assert folders == {"Arco.txt": None, "Brema.txt": "/srv/sea", "Cadiz.txt": "/srv/sea"}


def test_what_is_deleted_meanwhile_stops_no_other_deletion(follow: Sync, catalog: Catalog) -> None:
    carried_out(follow, TEXTS)
    seen = found({"Cadiz.txt": TEXTS["Cadiz.txt"]})
    plan = follow.plan(HERE, seen)
    catalog.documents.delete("sea", ["Arco.txt"])

    assert follow.carry_out(HERE, seen, plan).deleted == ("Brema.txt",)
    assert [info.name for info in catalog.documents.infos("sea")] == ["Cadiz.txt"]


def test_a_deletion_leaves_an_upload_on_its_way_alone(
    follow: Sync, catalog: Catalog, embedder: Embedder
) -> None:
    carried_out(follow, TEXTS)
    job = Jobs(catalog).submit("sea", [Upload("Arco.txt", b"Arco again.", {})], Recipe("random"))
    assert carried_out(follow, without("Arco.txt")).deleted == ("Arco.txt",)
    assert catalog.jobs.get(job).state == "queued"
    assert [file.state for file in catalog.jobs.get(job).files] == ["queued"]
