"""The catalogue among other processes, killed, on a full disk and damaged: nothing acknowledged is lost."""

import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rag.errors import StorageError
from rag.store.catalog import Catalog
from rag.store.database import Cursor
from rag.store.schema import SCHEMA_VERSION
from tests.made_versions import CORPUS, all_chunks, count, damage_inside, fill, serving

ROOT = Path(__file__).parents[2]


def test_what_a_kill_left_behind_is_swept(catalog: Catalog) -> None:
    used, left = catalog.originals.keep(b"used"), catalog.originals.keep(b"left")
    fill(catalog, "a.txt", "one", sha256=used)
    catalog.originals.drop_unused()
    assert [catalog.originals.path(sha256).is_file() for sha256 in (used, left)] == [True, False]


def test_what_a_kill_left_of_an_original_is_swept(catalog: Catalog) -> None:
    folder, sha256 = catalog.home / "originals", "0" * 64
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    earlier = folder / f".{sha256}.{os.getpid()}.1"  # of a process that had our process id, as in a container
    kept = {folder / f".{sha256}.{os.getpid()}.2", folder / f".{sha256}.{os.getppid()}.1", folder / ".other"}
    for path in (folder / f".{sha256}.{ended.pid}.1", earlier, *kept):
        path.write_bytes(b"part")
    os.utime(earlier, (0, 0))
    catalog.originals.drop_unfinished()
    assert set(folder.iterdir()) == kept


# several processes, several threads


def test_a_second_process_sees_each_change_at_once(catalog: Catalog) -> None:
    fill(catalog, "a.txt", "one")
    code = (
        "import sys; from pathlib import Path; from rag.store.catalog import Catalog\n"
        "catalog = Catalog(Path(sys.argv[1]))\n"
        "for line in sys.stdin:\n"
        "    print([(d.name, d.version) for d in catalog.documents.infos('library')], flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(catalog.home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as other:
        assert other.stdin
        assert other.stdout

        def asked() -> str:
            assert other.stdin
            assert other.stdout
            other.stdin.write("\n")
            other.stdin.flush()
            return other.stdout.readline().strip()

        assert asked() == "[('a.txt', 1)]"
        fill(catalog, "a.txt", "two")
        assert asked() == "[('a.txt', 2)]"
        catalog.documents.delete(CORPUS, ["a.txt"])
        assert asked() == "[]"
        other.stdin.close()


_KILLED = """
import random, sys
from pathlib import Path
import numpy as np
from rag.store.catalog import Catalog
from rag.types import Recipe
from tests.made_versions import make_version, random_vectors
catalog, seed = Catalog(Path(sys.argv[1])), random.Random(int(sys.argv[2]))
catalog.create_corpus("library", Recipe("random"))
while True:
    name, lines, word = f"{seed.randrange(6)}.txt", seed.randrange(1, 200), seed.randrange(10**9)
    text = "\\n".join(f"{word} {line}" for line in range(lines))
    print("try", name, word, lines, flush=True)
    version = catalog.documents.put("library", name, make_version(text, random_vectors(lines, word)))
    print("done", name, version, flush=True)
    if seed.random() < 0.2:
        print("try", name, 0, 0, flush=True)
        catalog.documents.delete("library", [name])
        print("done", name, 0, flush=True)
"""


def test_kill_9_loses_nothing_acknowledged(tmp_path: Path) -> None:
    home, chance = tmp_path / "home", random.Random(7)
    expected: dict[str, str] = {}  # name -> text as acknowledged
    for round_ in range(10):
        process = subprocess.Popen(
            [sys.executable, "-c", _KILLED, str(home), str(round_)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        assert process.stdout
        first = "".join(process.stdout.readline() for _ in range(chance.randrange(6, 20)))  # it is at work
        time.sleep(chance.random() * 0.02)
        process.send_signal(signal.SIGKILL)
        lines = (first + process.stdout.read()).split("\n")[:-1]
        process.stdout.close()
        process.wait()
        attempt: tuple[str, str] | None = None
        for line in lines:
            kind, name, *numbers = line.split()
            if kind == "try":
                attempt = (name, "\n".join(f"{numbers[0]} {n}" for n in range(int(numbers[1]))))
            else:
                assert attempt
                expected[name], attempt = attempt[1], None
        catalog = Catalog(home)
        found = {
            info.name: catalog.documents.get(CORPUS, info.name) for info in catalog.documents.infos(CORPUS)
        }
        if attempt and (found[attempt[0]].text if attempt[0] in found else "") == attempt[1]:
            expected[attempt[0]] = attempt[1]  # it became visible, but the acknowledgement came too late
        assert {name: document.text for name, document in found.items()} == {
            name: text for name, text in expected.items() if text
        }
        chunks = all_chunks(catalog).values()  # which checks each chunk's id
        for name, document in found.items():
            own = sorted((chunk.start, chunk.text) for chunk in chunks if chunk.document == name)
            assert [text for _, text in own] == document.text.split("\n")
        assert catalog.database.read().execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        assert count(catalog, "embeddings") == len({chunk.text for chunk in chunks}) == len(chunks)
        catalog.close()
    assert count_changes(home) > 20


def count_changes(home: Path) -> int:
    catalog = Catalog(home)
    number = catalog.changes.last(serving(catalog))
    catalog.close()
    return number


def test_many_threads_open_and_write_one_folder(tmp_path: Path) -> None:
    errors: list[Exception] = []

    def work(number: int) -> None:
        try:
            catalog = Catalog(tmp_path / "home")  # the first ones create the schema at the same time
            for turn in range(5):
                fill(catalog, f"{number}.txt", f"text {turn}")
            catalog.close()
        except Exception as error:  # shown below
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    catalog = Catalog(tmp_path / "home")
    assert [(info.name, info.version) for info in catalog.documents.infos(CORPUS)] == [
        (f"{number}.txt", 5) for number in range(8)
    ]
    assert len(catalog.changes.after(serving(catalog), 0)) == 8 * 5 + 8 * 4  # each replacement also removes
    catalog.close()


def test_connections_of_ended_threads_are_closed(catalog: Catalog) -> None:
    open_files = Path("/proc/self/fd")
    for _ in range(3):
        thread = threading.Thread(target=catalog.corpora.infos)
        thread.start()
        thread.join()
    before = len(list(open_files.iterdir()))
    for _ in range(12):
        thread = threading.Thread(target=catalog.corpora.infos)
        thread.start()
        thread.join()
    assert len(list(open_files.iterdir())) <= before


# disks and folders


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@contextmanager
def small_files(folder: Path) -> Iterator[None]:
    """Limit files to 1 MB; Python turns the signal into an error."""
    folder.mkdir()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_refuses_and_shows_nothing_half(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk"):
        catalog = Catalog(tmp_path / "disk" / "home")
        fill(catalog, "a.txt", "old words")
        before = (all_chunks(catalog), catalog.changes.last(serving(catalog)))
        ballast = tmp_path / "disk" / "ballast"
        ballast.write_bytes(bytes(1_000_000))
        large = "\n".join(f"new line {n}" for n in range(3000))
        with pytest.raises(
            StorageError, match=r"could not be written .*nothing was changed. Check the disk of"
        ):
            fill(catalog, "a.txt", large)
        with pytest.raises(StorageError, match=r"could not be written .*No space left.*nothing was accepted"):
            catalog.originals.keep(bytes(3_000_000))
        assert list((catalog.home / "originals").iterdir()) == []
        assert (all_chunks(catalog), catalog.changes.last(serving(catalog))) == before
        assert catalog.documents.get(CORPUS, "a.txt").text == "old words"
        catalog.documents.delete(CORPUS, ["a.txt"])  # freeing space works
        ballast.unlink()
        assert fill(catalog, "a.txt", "new words\nagain") == 2
        assert catalog.originals.keep(b"small")
        catalog.close()


def test_a_file_that_cannot_grow_refuses_and_shows_nothing_half(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "home")
    fill(catalog, "a.txt", "old words")
    with small_files(tmp_path / "disk"):
        with pytest.raises(StorageError, match="nothing was changed"):
            fill(catalog, "a.txt", "\n".join(f"new line {n}" for n in range(3000)))
        with pytest.raises(StorageError, match="nothing was accepted"):
            catalog.originals.keep(bytes(3_000_000))
        assert catalog.documents.get(CORPUS, "a.txt").text == "old words"
        assert len(all_chunks(catalog)) == 1
    assert fill(catalog, "a.txt", "\n".join(f"new line {n}" for n in range(3000))) == 2
    catalog.close()


def test_a_folder_of_a_newer_ibid_is_refused(tmp_path: Path) -> None:
    Catalog(tmp_path).close()
    with sqlite3.connect(tmp_path / "catalog.sqlite3") as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(
        StorageError, match=rf"has schema 99, newer than this Ibid's {SCHEMA_VERSION}; upgrade Ibid"
    ):
        Catalog(tmp_path)


@pytest.mark.parametrize("damage", ["noise", "text", "truncated", "header"])
def test_a_damaged_catalogue_is_refused(tmp_path: Path, damage: str) -> None:
    catalog = Catalog(tmp_path)
    fill(catalog, "a.txt", "\n".join(f"line {n}" for n in range(200)))
    catalog.close()
    path = tmp_path / "catalog.sqlite3"
    data = bytearray(path.read_bytes())
    if damage == "noise":
        data[:] = random.Random(1).randbytes(len(data))
    elif damage == "text":
        data[:] = b"not a database\n" * 1000
    elif damage == "truncated":
        del data[len(data) // 2 :]
    else:
        data[16:60] = bytes(44)
    path.write_bytes(data)
    with pytest.raises(StorageError, match=r"catalog.sqlite3 is not a readable catalogue .*restore a backup"):
        Catalog(tmp_path)


def test_a_page_damaged_inside_is_reported_whatever_reads_or_writes_it(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    fill(catalog, "a.txt", "\n".join(f"line {n}" for n in range(500)))
    catalog.close()
    damage_inside(tmp_path, "chunks")
    catalog = Catalog(tmp_path)
    acts: list[Callable[[], object]] = [
        lambda: all_chunks(catalog),
        lambda: list(catalog.chunks.indexed(1, [1])),
        lambda: catalog.documents.delete(CORPUS, ["a.txt"]),
    ]
    for act in acts:
        with pytest.raises(
            StorageError, match=r"not a readable catalogue \(database disk .*restore a backup"
        ):
            act()
    catalog.close()


def test_a_page_damaged_further_on_is_reported_by_whatever_comes_to_it(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    fill(catalog, "a.txt", "\n".join(f"line {n}" for n in range(500)))
    catalog.close()
    damage_inside(tmp_path, "chunks", last=True)
    catalog = Catalog(tmp_path)
    fetches: list[Callable[[Cursor], object]] = [list, Cursor.fetchall]
    for fetch in fetches:
        with catalog.database.snapshot() as snapshot:
            rows = snapshot.execute("SELECT * FROM chunks")
            assert rows.fetchone()
            with pytest.raises(StorageError, match="restore a backup"):
                fetch(rows)
        assert not catalog.database.read().in_transaction
    catalog.close()


def test_errors_of_reading_and_writing_are_told_apart(catalog: Catalog) -> None:
    with pytest.raises(StorageError, match=r"could not be read \(no such table: x\)"):
        catalog.database.read().execute("SELECT * FROM x")
    with (
        pytest.raises(StorageError, match=r"could not be written .*nothing was changed"),
        catalog.database.write() as w,
    ):
        w.execute("INSERT INTO x VALUES (1)")
    with pytest.raises(sqlite3.ProgrammingError):  # a bug, not the disk
        catalog.database.read().execute("SELECT ?", ())


def test_a_chunk_under_another_id_is_never_served(catalog: Catalog) -> None:
    fill(catalog, "a.txt", "one\ntwo")
    with catalog.database.write() as transaction:
        transaction.execute("UPDATE chunks SET start = start + 1")
    with pytest.raises(StorageError, match="does not carry its own id; restore a backup"):
        all_chunks(catalog)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match="set IBID_HOME elsewhere"):
        Catalog(tmp_path / "file" / "home")
