"""`ibid sync` as cron runs it: additions, deletions, what must never be deleted, the lock, and the final report."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ingest.sync.lock import sync_lock
from rag.store.catalog import Catalog
from rag.types import Recipe
from tests.receiving import Receiver, receiving
from tests.typed import Done, Ibid
from tests.waiting import wait_until

LAMP = "The lamp of the lighthouse burns whale oil."
TOWNS = ("Arco", "Brema", "Cadiz", "Delft", "Emden", "Fano")


@pytest.fixture
def folder(home: Path) -> Path:
    """Seven documents, so that one of them is less than a fifth."""
    folder = home / "notes"
    (folder / "towns").mkdir(parents=True)
    (folder / "lamp.md").write_text(LAMP)
    for number, town in enumerate(TOWNS):
        (folder / "towns" / f"{town}.txt").write_text(f"{town} has {number + 2} cranes in its harbour.")
    return folder


def sync(ibid: Ibid, folder: Path, *options: str) -> Done:
    return ibid("sync", folder, "--corpus", "sea", *options)


def names(ibid: Ibid) -> dict[str, int]:
    return {info["name"]: info["version"] for info in ibid("documents", "--corpus", "sea", "--json").json()}


def top(ibid: Ibid, question: str) -> tuple[str, str]:
    hit = ibid("search", "--corpus", "sea", question, "--json").json()["hits"][0]
    return hit["document"], hit["text"]


def test_a_corpus_follows_its_folder(ibid: Ibid, folder: Path) -> None:
    assert sync(ibid, folder).out.startswith("sea: 7 added, 0 modified, 0 moved, 0 deleted, 0 unchanged, 0 f")
    (folder / "lamp.md").write_text("The lamp of the lighthouse burns kerosene.")
    (folder / "boat.md").write_text("The boat is moored at pier seven.")
    (folder / "towns" / "Arco.txt").rename(folder / "Arco on the river.txt")
    (folder / "towns" / "Fano.txt").unlink()

    done = sync(ibid, folder, "--delete-missing", "--json")

    seconds = done.json().pop("seconds")
    assert seconds > 0
    assert done.json() == {
        "corpus": "sea",
        "added": ["boat.md"],
        "modified": ["lamp.md"],
        "moved": [["towns/Arco.txt", "Arco on the river.txt"]],
        "deleted": ["towns/Fano.txt"],
        "unchanged": 4,
        "failed": {},
        "refused": None,
        "seconds": seconds,
    }
    unchanged = {f"towns/{town}.txt": 1 for town in TOWNS[1:5]}
    assert names(ibid) == {"Arco on the river.txt": 1, "boat.md": 1, "lamp.md": 2, **unchanged}
    assert top(ibid, "What does the lamp burn?")[1] == "The lamp of the lighthouse burns kerosene."
    assert top(ibid, "How many cranes has Arco?")[0] == "Arco on the river.txt"
    assert sync(ibid, folder, "--delete-missing").code == 0


def test_the_summary_is_one_line_for_a_log(ibid: Ibid, folder: Path) -> None:
    done = sync(ibid, folder)
    line = r"sea: 7 added, 0 modified, 0 moved, 0 deleted, 0 unchanged, 0 failed in \d+\.\d s\n"
    assert re.fullmatch(line, done.out)
    assert (done.code, done.err) == (0, "")


def test_a_dry_run_shows_everything_and_changes_nothing(ibid: Ibid, folder: Path) -> None:
    first = sync(ibid, folder, "--dry-run", "--json")
    assert (first.code, len(first.json()["added"])) == (0, 7)
    assert "There is no corpus 'sea'" in ibid("documents", "--corpus", "sea").err
    sync(ibid, folder)
    (folder / "lamp.md").rename(folder / "light.md")
    (folder / "towns" / "Arco.txt").write_text("Arco has none.")
    (folder / "towns" / "Fano.txt").unlink()
    before = names(ibid)

    done = sync(ibid, folder, "--dry-run", "--delete-missing")

    assert done.out.splitlines()[:3] == [
        "modified: towns/Arco.txt",
        "deleted: towns/Fano.txt",
        "moved: lamp.md -> light.md",
    ]
    assert done.out.endswith(" s (a dry run: nothing was changed)\n")
    assert names(ibid) == before


def test_nothing_is_deleted_unless_asked(ibid: Ibid, folder: Path) -> None:
    sync(ibid, folder)
    (folder / "lamp.md").unlink()
    assert sync(ibid, folder, "--json").json()["deleted"] == []
    assert "lamp.md" in names(ibid)


def test_a_moved_document_s_old_name_is_gone_without_being_asked(ibid: Ibid, folder: Path) -> None:
    sync(ibid, folder)
    (folder / "lamp.md").rename(folder / "light.md")
    assert sync(ibid, folder, "--json").json()["moved"] == [["lamp.md", "light.md"]]
    assert top(ibid, "What does the lamp burn?") == ("light.md", LAMP)
    assert "lamp.md" not in names(ibid)
    (folder / "light.md").unlink()
    assert sync(ibid, folder, "--delete-missing", "--json").json()["deleted"] == ["light.md"]


def test_what_came_in_another_way_is_never_deleted(ibid: Ibid, folder: Path, home: Path) -> None:
    (home / "uploaded.md").write_text("The pilot is on leave until May.")
    ibid("ingest", home / "uploaded.md", "--corpus", "sea")
    sync(ibid, folder)
    (folder / "lamp.md").unlink()
    (home / "lamp.md").write_text("A lamp of another house.")
    ibid("ingest", home / "lamp.md", "--corpus", "sea")  # from now on it no longer belongs to the folder

    done = sync(ibid, folder, "--delete-missing", "--force", "--json").json()

    assert done["deleted"] == []
    assert {"uploaded.md", "lamp.md"} <= names(ibid).keys()


def test_what_was_ingested_from_the_folder_before_is_taken_over(ibid: Ibid, folder: Path) -> None:
    ibid("ingest", folder, "--corpus", "sea")
    assert sync(ibid, folder, "--json").json()["unchanged"] == 7
    (folder / "lamp.md").unlink()
    assert sync(ibid, folder, "--delete-missing", "--json").json()["deleted"] == ["lamp.md"]


def test_two_folders_may_share_a_corpus(ibid: Ibid, folder: Path, home: Path) -> None:
    other = home / "other"
    other.mkdir()
    (other / "tide.md").write_text("The tide turns at noon.")
    (other / "lamp.md").write_text("Our lamp is electric.")
    sync(ibid, folder)

    done = sync(ibid, other, "--delete-missing")

    assert done.code == 2
    assert f"failed: lamp.md: It is synced from {folder}" in done.err
    assert names(ibid).keys() == {"lamp.md", "tide.md", *(f"towns/{town}.txt" for town in TOWNS)}
    assert top(ibid, "What does the lamp burn?")[1] == LAMP
    assert sync(ibid, folder, "--delete-missing", "--json").json()["deleted"] == []
    assert sync(ibid, other, "--force", "--json").json()["modified"] == ["lamp.md"]


def test_too_much_is_deleted_by_force_alone(ibid: Ibid, folder: Path) -> None:
    sync(ibid, folder)
    for town in TOWNS[:2]:
        (folder / "towns" / f"{town}.txt").unlink()
    (folder / "new.md").write_text("New.")
    before = names(ibid)

    done, dry = sync(ibid, folder, "--delete-missing"), sync(ibid, folder, "--delete-missing", "--dry-run")

    assert (done.code, dry.code) == (1, 1)
    assert "lacks 2 of the 7 documents of 'sea'" in done.err
    assert "refused: " in dry.err
    assert "deleted: towns/Arco.txt" in dry.out
    assert names(ibid) == before
    assert len(sync(ibid, folder, "--delete-missing", "--force", "--json").json()["deleted"]) == 2
    assert len(names(ibid)) == 6


def test_a_folder_that_is_not_mounted_empties_no_corpus(ibid: Ibid, folder: Path) -> None:
    sync(ibid, folder)
    mounted = folder.rename(folder.with_name("mounted"))
    assert "is not a folder; is its disk mounted?" in sync(ibid, folder, "--delete-missing", "--force").err
    folder.mkdir()
    done = sync(ibid, folder, "--delete-missing", "--force")
    assert (done.code, len(names(ibid))) == (1, 7)
    assert "holds no file that can be read; is its disk mounted?" in done.err
    folder.rmdir()
    mounted.rename(folder)
    assert sync(ibid, folder, "--json").json()["unchanged"] == 7


def test_a_file_that_fails_fails_alone_and_its_old_version_answers(ibid: Ibid, folder: Path) -> None:
    sync(ibid, folder)
    (folder / "lamp.md").write_bytes(b"")
    (folder / "broken.pdf").write_bytes(b"%PDF-1.4 broken")
    (folder / "towns" / "Arco.txt").unlink()
    (folder / "towns" / "Arco.txt").symlink_to("nowhere")
    (folder / os.fsdecode(b"caf\xe9.md")).write_text("words")
    (folder / "new.md").write_text("The pilot is on leave until May.")

    done = sync(ibid, folder, "--delete-missing")

    assert done.code == 2
    assert "1 added, 0 modified, 0 moved, 0 deleted, 5 unchanged, 4 failed" in done.out
    for told in ("lamp.md: load: lamp.md is empty", "broken.pdf: ", "towns/Arco.txt: ", "caf\\udce9.md: "):
        assert f"failed: {told}" in done.err
    assert top(ibid, "What does the lamp burn?") == ("lamp.md", LAMP)
    (folder / "lamp.md").unlink()  # it failed, but still belongs to the folder
    assert sync(ibid, folder, "--delete-missing", "--json").json()["deleted"] == ["lamp.md"]


def test_a_corpus_goes_on_as_it_was_made_whatever_the_settings_say_by_now(
    ibid: Ibid, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync(ibid, folder)
    monkeypatch.setenv("IBID_CHUNKER", "sentence_window")
    (folder / "lamp.md").write_text("The lamp burns whale oil. It is lit at dusk. It is put out at dawn.")
    done = sync(ibid, folder)
    assert "1 modified, 0 moved, 0 deleted, 6 unchanged" in done.out
    assert "ibid generations build" in done.err
    chunks = {info["name"]: info["chunks"] for info in ibid("documents", "--corpus", "sea", "--json").json()}
    assert chunks["lamp.md"] == 1


def test_an_unchanged_folder_loads_neither_models_nor_chunkers(folder: Path, ibid: Ibid) -> None:
    sync(ibid, folder)
    (folder / "lamp.md").rename(folder / "light.md")
    code = "import sys; from api.cli import main\ntry: main()\nfinally: print(sorted(sys.modules))"
    run = [sys.executable, "-c", code, "sync", str(folder), "--corpus", "sea"]
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    assert "1 moved, 0 deleted, 6 unchanged" in done.stdout
    assert "ingest.sync.sync" in done.stdout
    assert "ingest.chunking.chunkers" not in done.stdout
    assert "llama_index" not in done.stdout


# the lock

HOLD = """
import sys, time
from pathlib import Path
from ingest.sync.lock import sync_lock
from rag.types import Recipe
with sync_lock(Path(sys.argv[1]), sys.argv[2]):
    print("held", flush=True)
    time.sleep(600)
"""


@contextmanager
def holding(home: Path, corpus: str) -> Iterator[subprocess.Popen[str]]:
    run = [sys.executable, "-c", HOLD, str(home / "home"), corpus]
    with subprocess.Popen(run, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def test_one_sync_of_a_corpus_runs_at_a_time(ibid: Ibid, folder: Path, home: Path) -> None:
    sync(ibid, folder)
    with holding(home, "sea") as holder:
        done = sync(ibid, folder)
        assert done.code == 3
        expected = (
            rf"ibid: Another sync of 'sea' is running \(process {holder.pid}, since {time.strftime('%Y')}-"
        )
        assert re.match(expected, done.err)
        assert ibid("sync", folder, "--corpus", "lake").code == 0  # another corpus
        assert sync(ibid, folder, "--dry-run").code == 0
        assert ibid("search", "--corpus", "sea", "lamp").code == 0
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        assert sync(ibid, folder).code == 0  # a dead process holds nothing


def test_a_sync_that_is_killed_is_gone_on_with(ibid: Ibid, folder: Path, home: Path) -> None:
    for number in range(400):
        (folder / f"{number:03}.txt").write_text(f"Buoy {number} has the light {number * 7}.")
    sync(ibid, folder, "--dry-run")  # makes the data folder
    with subprocess.Popen([sys.executable, "-m", "api.cli", "sync", str(folder), "-c", "sea"]) as process:
        catalog = Catalog(home / "home")
        documents = catalog.database.read()
        wait_until(lambda: documents.execute("SELECT count(*) FROM documents").fetchone()[0] > 50)
        process.kill()
    held = documents.execute("SELECT count(*) FROM documents").fetchone()[0]
    catalog.close()
    assert 50 < held < 407

    done = sync(ibid, folder, "--json").json()

    assert (len(done["added"]), done["unchanged"]) == (407 - held, held)
    assert len(names(ibid)) == 407
    checks = {check["check"]: check for check in ibid("doctor", "--json").json()}
    assert checks["index of sea"]["found"] == "407 of 407 chunks"
    (folder / "000.txt").unlink()
    assert sync(ibid, folder, "--delete-missing", "--json").json()["deleted"] == ["000.txt"]


# the webhook


def test_the_webhook_is_told_what_was_done_and_what_could_not_be(
    ibid: Ibid, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiving(Receiver()) as receiver:
        monkeypatch.setenv("IBID_WEBHOOK_URL", receiver.url)
        sync(ibid, folder, "--dry-run")
        assert receiver.posts == []
        printed = sync(ibid, folder, "--json").json()
        missing = folder.with_name("missing")
        assert sync(ibid, missing).code == 1
        with sync_lock(folder.parent / "home", "sea"):
            assert sync(ibid, folder).code == 3  # the other one fails
    done, failed = (json.loads(body) for _, body in receiver.posts)
    assert done == printed
    assert failed["corpus"] == "sea"
    assert failed["error"].startswith(f"{missing} is not a folder")


def test_a_webhook_that_nobody_answers_changes_no_exit_code(
    ibid: Ibid, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IBID_WEBHOOK_URL", "http://127.0.0.1:9/")
    assert sync(ibid, folder).code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("sync", "missing", "--corpus", "sea"), "missing is not a folder"),
        (("sync", "notes/lamp.md", "--corpus", "sea"), "is not a folder"),
        (("sync", "notes", "--corpus", "../evil"), "is not a corpus name"),
        (("sync", "notes"), "Missing option"),
    ],
)
def test_what_cannot_be_done_exits_1_with_one_line(
    ibid: Ibid, folder: Path, arguments: tuple[str, ...], message: str
) -> None:
    done = ibid(*arguments)
    assert (done.code, done.err.count("\n")) == (1, 1), done.err
    assert message in done.err


def test_what_was_ingested_without_a_sync_is_unchanged(ibid: Ibid, folder: Path) -> None:
    ibid("ingest", folder, "--corpus", "sea")
    assert sync(ibid, folder, "--json").json()["unchanged"] == 7


def test_a_corpus_of_another_model_is_refused(
    ibid: Ibid, folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_another = Catalog(home / "home")
    with_another.create_corpus("sea", Recipe("another model"))
    with_another.close()
    done = sync(ibid, folder)
    assert done.code == 1
    assert "was embedded by another model" in done.err
