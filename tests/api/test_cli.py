"""The command line as a user types it: results, messages and exit codes."""

import os
import shutil
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from ingest.uploads.jobs import Jobs
from rag.store.catalog import Catalog
from rag.store.jobs import Upload
from rag.store.schema import APPLICATION_ID
from rag.types import Recipe
from tests.made_versions import damage_inside
from tests.typed import Ibid
from tests.waiting import HANG_S


@pytest.fixture
def notes(home: Path) -> Path:
    folder = home / "notes"
    (folder / "sub").mkdir(parents=True)
    (folder / "lamp.md").write_text(
        "# Lighthouse\n\nThe lamp of the lighthouse burns whale oil.\nIt is lit at dusk by Ada Quill.\n"
    )
    (folder / "sub" / "boat.txt").write_bytes(b"Das Boot kostet 1.200 Euro. The boat is moored at pier 7.")
    (folder / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / ".hidden.txt").write_text("secret")
    return folder


def test_a_document_is_ingested_asked_and_deleted(ibid: Ibid, notes: Path) -> None:
    ingested = ibid("ingest", notes, "--corpus", "sea", "--json")
    assert ingested.code == 0, ingested.err
    states = {file["document"]: file["state"] for file in ingested.json()["files"]}
    assert states == {"lamp.md": "added", "sub/boat.txt": "added", "picture.png": "skipped"}

    answer = ibid("ask", "--corpus", "sea", "What does the lamp of the lighthouse burn?", "--json").json()
    assert answer["answerable"]
    assert "The lamp of the lighthouse burns whale oil." in answer["answer"]
    [citation, *_] = answer["citations"]
    stored = (notes / citation["document"]).read_text()
    assert stored[citation["start"] : citation["end"]] == citation["quote"]
    assert citation["verified"] is True
    tokens = answer["tokens"]
    assert tokens["used"] == sum(
        tokens[part] for part in ("system", "tools", "memory", "evidence", "question")
    )
    assert tokens["used"] <= tokens["budget"]

    assert ibid("delete", "--corpus", "sea", "lamp.md").code == 0
    hits = ibid("search", "--corpus", "sea", "whale oil lamp", "--json").json()["hits"]
    assert {hit["document"] for hit in hits} == {"sub/boat.txt"}


def test_ingesting_again_does_nothing_and_a_change_is_a_new_version(ibid: Ibid, notes: Path) -> None:
    ibid("ingest", notes, "--corpus", "sea")
    again = ibid("ingest", notes, "--corpus", "sea", "--json").json()
    assert again["counts"] == {"skipped": 1, "unchanged": 2}

    (notes / "lamp.md").write_text("The lamp of the lighthouse burns kerosene.")
    (notes / "sub" / "boat.txt").unlink()
    changed = ibid("ingest", notes, "--corpus", "sea", "--json").json()
    assert changed["counts"] == {"skipped": 1, "updated": 1}

    listed = {info["name"]: info["version"] for info in ibid("documents", "--corpus", "sea", "--json").json()}
    assert listed == {"lamp.md": 2, "sub/boat.txt": 1}  # a document that vanished from the folder stays
    [top, *_] = ibid("search", "--corpus", "sea", "What does the lamp burn?", "--json").json()["hits"]
    assert top["text"] == "The lamp of the lighthouse burns kerosene."


def test_a_search_batch_answers_each_line(ibid: Ibid, notes: Path, home: Path) -> None:
    ibid("ingest", notes, "--corpus", "sea")
    batch = home / "questions.jsonl"
    lines = [
        '{"id": "a", "question": "Who lights the lamp?"}',
        "",
        "not json",
        '{"id": 7}',
        '{"id": "e", "question": " "}',
        '{"id": ' + "1" * 5000 + "}",
        "[" * 100_000,
        '{"id": "\\ud800", "question": " "}',
    ]
    batch.write_text("\n".join(lines))

    done = ibid("search", "--corpus", "sea", "--k", 3, "--batch", batch)

    assert done.code == 2
    good, broken, lacking, empty, number, deep, half = done.lines()
    assert [number["id"], deep["id"], half["id"]] == [None, None, "\ud800"]
    assert "Line 6 is not JSON" in number["error"]
    assert "Line 7 is not JSON" in deep["error"]
    assert good["id"] == "a"
    assert 1 <= len(good["hits"]) <= 3
    assert set(good["hits"][0]) == {"document", "start", "end", "page", "text", "score"}
    assert good["timings_ms"]["total"] > 0
    assert [broken["id"], lacking["id"], empty["id"]] == [None, 7, "e"]
    assert "Line 3 is not JSON" in broken["error"]
    assert "has no question" in lacking["error"]
    assert "question is empty" in empty["error"]


def test_an_ask_batch_has_the_agreed_fields(ibid: Ibid, notes: Path, home: Path) -> None:
    ibid("ingest", notes, "--corpus", "sea")
    batch = home / "questions.jsonl"
    batch.write_text('{"id": 1, "question": "What does the lamp of the lighthouse burn?"}\n')

    [answer] = ibid("ask", "--corpus", "sea", "--batch", batch).lines()

    assert set(answer) >= {"id", "answer", "answerable", "confidence", "citations", "tokens", "timings_ms"}
    fields = {"document", "version", "page", "start", "end", "quote", "verified"}
    assert all(fields <= set(citation) for citation in answer["citations"])


def test_offsets_of_text_files_are_offsets_in_the_file(ibid: Ibid, home: Path) -> None:
    text = "Prices.\r\n\r\nDer Preis beträgt 12 €.\r\nThe émigré's ticket costs 7 złoty.\r\n"
    (home / "prices.txt").write_bytes(text.encode())
    ibid("ingest", home / "prices.txt", "--corpus", "p")

    hits = ibid("search", "--corpus", "p", "ticket price", "--json").json()["hits"]

    assert hits
    assert all(text[hit["start"] : hit["end"]] == hit["text"] for hit in hits)


def test_filters_act(ibid: Ibid, notes: Path) -> None:
    ibid("ingest", notes, "--corpus", "sea")

    only = ibid("search", "--corpus", "sea", "lamp", "--filter", '{"format": "txt"}', "--json").json()["hits"]
    bad = ibid("search", "--corpus", "sea", "lamp", "--filter", '{"format": {"$like": "t"}}')

    assert {hit["document"] for hit in only} == {"sub/boat.txt"}
    assert bad.code == 1
    assert "$like" in bad.err


def test_explain_shows_every_candidate(ibid: Ibid, notes: Path) -> None:
    ibid("ingest", notes, "--corpus", "sea")

    explained = ibid("ask", "--corpus", "sea", "Who lights the lamp?", "--explain").json()["explain"]

    assert {candidate["document"] for candidate in explained["candidates"]} == {"lamp.md", "sub/boat.txt"}


def test_some_files_failing_exits_2_and_names_them(ibid: Ibid, notes: Path) -> None:
    (notes / "broken.pdf").write_bytes(b"%PDF-1.4 broken")
    (notes / "empty.md").write_bytes(b"")

    done = ibid("ingest", notes, "--corpus", "sea")

    assert done.code == 2
    assert "failed: broken.pdf" in done.err
    assert "failed: empty.md" in done.err
    assert "2 added, 2 failed, 1 skipped" in done.out


def test_nothing_found_makes_no_corpus_and_exits_1(ibid: Ibid, notes: Path, home: Path) -> None:
    (home / "pictures").mkdir()
    (notes / "picture.png").rename(home / "pictures" / "picture.png")
    for path in (home / "pictures", home / "missing.txt", "x" * 5000):
        assert ibid("ingest", path, "--corpus", "sea").code == 1
    assert not (home / "home").exists()
    assert ibid("ingest", home / "missing.txt", home / "pictures", "--corpus", "sea").code == 1
    assert ibid("ingest", notes, home / "missing.txt", "--corpus", "sea").code == 2
    assert ibid("ingest", notes, home / "pictures", "--corpus", "sea").code == 0


def test_a_file_name_that_is_not_utf_8_is_named_all_the_same(ibid: Ibid, home: Path) -> None:
    name = os.fsdecode(b"caf\xe9.txt")
    try:
        (home / name).write_text("words")
    except OSError:
        pytest.skip("this file system holds UTF-8 names alone")
    [file] = ibid("ingest", home / name, "--corpus", "sea", "--json").json()["files"]
    assert (file["document"], file["state"]) == (name, "failed")
    assert "caf\\udce9.txt" in ibid("ingest", home / name, "--corpus", "sea").err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("search", "--corpus", "nowhere", "hello"), "There is no corpus 'nowhere'"),
        (("documents", "--corpus", "nowhere"), "There is no corpus 'nowhere'"),
        (("delete", "--corpus", "nowhere", "x"), "There is no corpus 'nowhere'"),
        (("ingest", "missing.txt", "--corpus", "sea"), "missing.txt does not exist"),
        (("ingest", ".", "--corpus", "../evil"), "is not a corpus name"),
        (("search", "--corpus", "sea"), "Give a question"),
        (("search", "--corpus", "sea", "q", "--filter", "nope"), "--filter is not JSON"),
        (("search", "--corpus", "sea", "q", "--filter", "[" * 100_000), "--filter is not JSON"),
        (("search", "--corpus", "sea", "q", "--filter", "1" * 5000), "--filter is not JSON"),
        (("search", "q"), "Missing option"),
    ],
)
def test_what_cannot_be_done_exits_1_with_one_line(
    ibid: Ibid, arguments: tuple[str, ...], message: str
) -> None:
    done = ibid(*arguments)

    assert done.code == 1
    assert message in done.err
    assert "Traceback" not in done.err


def test_deleting_is_all_or_nothing(ibid: Ibid, notes: Path) -> None:
    ibid("ingest", notes, "--corpus", "sea")

    done = ibid("delete", "--corpus", "sea", "lamp.md", "no-such.md")

    assert done.code == 1
    assert "nothing was deleted" in done.err
    assert ibid("delete", "--corpus", "sea", "../lamp.md").code == 1
    assert len(ibid("documents", "--corpus", "sea", "--json").json()) == 2
    deleted = ibid("delete", "--corpus", "sea", "./sub\\boat.txt", "sub/boat.txt", "--json").json()
    assert deleted == {"corpus": "sea", "deleted": ["sub/boat.txt"]}


def test_doctor_finds_an_installation_well(ibid: Ibid, notes: Path) -> None:
    ibid("ingest", notes, "--corpus", "sea")

    done = ibid("doctor", "--json")

    assert done.code == 0, done.out
    assert {check["check"] for check in done.json()} >= {"embedder", "catalogue", "index of sea", "disk"}


def test_doctor_finds_a_damaged_catalogue(ibid: Ibid, home: Path) -> None:
    (home / "home").mkdir()
    (home / "home" / "catalog.sqlite3").write_bytes(b"this is not a database, at all" * 100)

    done = ibid("doctor")

    assert done.code == 1
    assert "WRONG" in done.out
    assert "restore a backup" in done.out


def test_a_bad_setting_names_key_value_and_remedy(ibid: Ibid, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IBID_DENSE_CANDIDATES", "ten")

    done = ibid("corpora")

    assert done.code == 1
    assert "IBID_DENSE_CANDIDATES is 'ten'; expected a whole number from 1 to 1000." in done.err


def newer(folder: Path) -> None:
    folder.mkdir()
    with sqlite3.connect(folder / "catalog.sqlite3") as database:
        database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        database.execute("PRAGMA user_version = 99")
    database.close()


def broken(folder: Path) -> None:
    folder.mkdir()
    (folder / "catalog.sqlite3").write_bytes(b"not a database, at all" * 100)


def test_serving_a_folder_that_cannot_be_is_one_line(ibid: Ibid, home: Path) -> None:
    for make, told in ((newer, "newer than this Ibid's"), (broken, "restore a backup")):
        make(home / "home")
        done = ibid("serve", "--port", 0)
        assert (done.code, done.err.count("\n")) == (1, 1), done.err
        assert told in done.err
        shutil.rmtree(home / "home")
    (home / "home").write_text("a file")
    assert ibid("serve", "--port", 0).err.count("set IBID_HOME elsewhere") == 1


def test_serving_at_an_address_that_cannot_be_is_one_line(ibid: Ibid) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        for options in (("--port", taken.getsockname()[1]), ("--host", "192.0.2.1"), ("--port", "many")):
            done = ibid("serve", *options)
            assert (done.code, done.err.count("\n")) == (1, 1), done.err
    assert "cannot be listened on" in ibid("serve", "--host", "192.0.2.1").err


def test_a_catalogue_damaged_inside_is_one_line(ibid: Ibid, notes: Path, home: Path) -> None:
    ibid("ingest", notes, "--corpus", "sea")
    damage_inside(home / "home", "documents")
    done = ibid("search", "--corpus", "sea", "lamp")
    assert (done.code, done.err.count("\n")) == (1, 1), done.err
    assert "restore a backup" in done.err


def test_two_ingests_at_once_both_succeed(home: Path) -> None:
    for name in ("one", "two"):
        (home / name).mkdir()
        for number in range(5):
            (home / name / f"{name}-{number}.txt").write_text(
                f"Document {number} of folder {name} is about whales."
            )
    command = [sys.executable, "-m", "api.cli", "ingest", "--corpus", "both"]
    processes = [
        subprocess.Popen([*command, str(home / name)], stdout=subprocess.PIPE) for name in ("one", "two")
    ]

    outputs = [process.communicate(timeout=HANG_S)[0] for process in processes]

    assert [process.returncode for process in processes] == [0, 0]
    assert all(b"5 added" in output for output in outputs)


def test_jobs_are_listed_shown_cancelled_and_retried(ibid: Ibid, home: Path) -> None:
    assert ibid("jobs", "list").out == ""
    catalog = Catalog(home / "home")
    job = Jobs(catalog).submit(
        "sea", [Upload("a.txt", b"one", {}), Upload("b.txt", b"two", {})], Recipe("random")
    )
    catalog.close()
    [listed] = ibid("jobs", "list", "--json").json()
    assert (listed["id"], listed["state"], listed["done"], listed["total"]) == (job, "queued", 0, 2)
    assert f"{job}  " in ibid("jobs", "list").out
    assert "sea: queued, 0 of 2 files" in ibid("jobs", "list").out
    cancelled = ibid("jobs", "cancel", job).out
    assert "sea: cancelled, 2 of 2 files" in cancelled
    assert "  cancelled  a.txt: Its job was cancelled before it was ingested." in cancelled
    again = ibid("jobs", "cancel", job)
    assert (again.code, "is finished (cancelled); only one at work can be cancelled" in again.err) == (
        1,
        True,
    )
    assert [file["state"] for file in ibid("jobs", "retry", job, "--json").json()["files"]] == ["queued"] * 2
    assert "  queued  b.txt" in ibid("jobs", "show", job).out
    assert "There is no job 'x'" in ibid("jobs", "show", "x").err
