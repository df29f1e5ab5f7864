"""What readers did not take is stored and shown, and what an older Ibid read is read again."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from ingest.omissions import omissions_text
from ingest.uploads.jobs import Jobs
from rag.store.catalog import Catalog
from rag.store.jobs import JobFile, Upload
from rag.types import Omission, Recipe
from tests.made_versions import CORPUS, Library, make_version, random_vectors
from tests.typed import Ibid

PAGES = (Omission("page without text", "page 2"), Omission("page without text", "page 5"))


@pytest.mark.parametrize(
    ("omissions", "text"),
    [
        ((), ""),
        (PAGES[:1], "read in part: 1 page without text (page 2)"),
        (
            (*PAGES, Omission("image", "page 1", 3), Omission("image", "page 1")),
            "read in part: 2 pages without text (page 2, page 5), 4 images (page 1)",
        ),
        ((Omission("text box", "", 2),), "read in part: 2 text boxes"),
        (
            tuple(Omission("chart", f"slide {n}") for n in range(1, 8)),
            "read in part: 7 charts (slide 1, slide 2, slide 3, slide 4 and 3 more places)",
        ),
    ],
)
def test_omissions_are_said_in_words(omissions: tuple[Omission, ...], text: str) -> None:
    assert omissions_text(omissions) == text


def test_omissions_and_boxes_stay_with_a_version(library: Library, catalog: Catalog) -> None:
    library.put("a.txt", "The lamp burns oil.")
    made = make_version("The lamp burns gas.", random_vectors(1, 1))
    catalog.documents.put(CORPUS, "b.txt", replace(made, omissions=PAGES, boxes=b"\x01\x02"))

    catalog.documents.rename(CORPUS, "b.txt", "c.txt")

    infos = {info.name: info.omissions for info in catalog.documents.infos(CORPUS)}
    assert infos == {"a.txt": (), "c.txt": PAGES}
    document = catalog.documents.get(CORPUS, "c.txt")
    assert catalog.documents.boxes(document.id, document.version) == b"\x01\x02"
    assert catalog.documents.boxes(document.id, document.version + 1) == b""


def test_a_job_keeps_what_was_not_taken(catalog: Catalog, jobs: Jobs) -> None:
    job = jobs.submit(CORPUS, [Upload("a.txt", b"words", {})], Recipe("e"))
    jobs.queue.begin_file(job, "a.txt")
    jobs.queue.record(job, JobFile("a.txt", "added", None, PAGES))
    assert jobs.queue.get(job).files == (JobFile("a.txt", "added", None, PAGES),)


def _age(home: Path, name: str) -> None:
    """Let a document be one that an older version of the readers made."""
    with closing(sqlite3.connect(home / "home" / "catalog.sqlite3")) as database, database:
        database.execute(
            "UPDATE documents SET reader = 1, text = 'older' || substr(text, 6) WHERE name = ?", (name,)
        )


def test_ingesting_again_reads_what_an_older_ibid_read(ibid: Ibid, home: Path) -> None:
    folder = home / "notes"
    folder.mkdir()
    (folder / "a.txt").write_text("The lamp burns whale oil.")
    (folder / "b.txt").write_text("The boat is at pier 7.")
    assert ibid("ingest", folder, "--corpus", "sea").code == 0
    assert ibid("reingest", "--corpus", "sea").out == "sea: no document was read by an older Ibid\n"
    _age(home, "a.txt")

    assert not next(c for c in ibid("doctor", "--json").json() if c["check"] == "documents of sea")["ok"]
    # No original is kept of a file in a folder
    done = ibid("reingest", "--corpus", "sea")
    assert (done.code, done.out) == (1, "sea: 1 skipped\n")
    assert "ingest or sync the folder" in done.err
    counts = ibid("ingest", folder, "--corpus", "sea", "--json").json()["counts"]
    assert counts == {"unchanged": 1, "updated": 1}
    assert all(check["ok"] for check in ibid("doctor", "--json").json())


def test_originals_are_read_again(ibid: Ibid, home: Path) -> None:
    text = b"The lamp burns whale oil."
    (home / "notes").mkdir()
    (home / "notes" / "a.txt").write_bytes(text)
    assert ibid("ingest", home / "notes", "--corpus", "sea").code == 0
    catalog = Catalog(home / "home")
    catalog.originals.keep(text, catalog.documents.info("sea", "a.txt").sha256)
    catalog.close()
    _age(home, "a.txt")

    done = ibid("reingest", "--corpus", "sea", "--json").json()

    assert done["counts"] == {"updated": 1}
    [info] = ibid("documents", "--corpus", "sea", "--json").json()
    assert (info["version"], info["note"]) == (2, "")
    hits = ibid("search", "--corpus", "sea", "lamp", "--json").json()["hits"]
    assert hits[0]["text"] == text.decode()
