"""The catalogue: one transaction shows a version whole or not at all, and nothing acknowledged is lost."""

import hashlib
import json
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
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rag.catalog import Catalog, NewVersion, embedding_key
from rag.database import Cursor
from rag.errors import InvalidInput, InvalidName, NotFound, OtherEmbedder, StorageError
from rag.types import Chunk, Document
from tests.made_versions import CORPUS, Library, damage_inside, make_version, random_vectors

ROOT = Path(__file__).parent.parent


def fill(catalog: Catalog, name: str, text: str, *, corpus: str = CORPUS, **fields: object) -> int:
    """Put a version with random vectors: for tests in which nothing is searched."""
    catalog.create_corpus(corpus, "random")
    lines = sum(bool(line.strip()) for line in text.split("\n"))
    new = make_version(text, random_vectors(lines, seed=len(text)))
    return catalog.put_version(corpus, name, replace(new, **fields))  # type: ignore[arg-type]


def all_chunks(catalog: Catalog) -> dict[int, Chunk]:
    return catalog.chunks([row["id"] for row in catalog.read().execute("SELECT id FROM chunks")])


def count(catalog: Catalog, table: str) -> int:
    return int(catalog.read().execute(f"SELECT count(*) FROM {table}").fetchone()[0])


# what is stored comes back


def test_a_version_comes_back_as_it_was_put(library: Library) -> None:
    text = "Première ligne 🦩\nsecond line\n\nthird line"
    version = library.put(
        "a.txt", text, metadata={"year": 2024, "draft": True}, pages=(0, 17), context="Head"
    )
    shown = library.catalog.document(CORPUS, "a.txt")
    assert (version, shown.version, shown.text, shown.pages) == (1, 1, text, (0, 17))
    assert shown.metadata == {"year": 2024, "draft": True}
    chunks = sorted(all_chunks(library.catalog).values(), key=lambda chunk: chunk.start)
    assert [chunk.text for chunk in chunks] == ["Première ligne 🦩", "second line", "third line"]
    assert [chunk.page for chunk in chunks] == [1, 2, 2]
    for chunk in chunks:
        assert shown.text[chunk.start : chunk.end] == chunk.text
        assert (chunk.document, chunk.document_id, chunk.context) == ("a.txt", shown.id, "Head")


def test_pages_are_counted_from_one() -> None:
    document = Document("id", "a.pdf", 1, "x" * 30, (0, 10, 10, 20))  # the second page is empty
    assert [document.page_at(offset) for offset in (0, 9, 10, 19, 20, 29)] == [1, 1, 3, 3, 4, 4]


def test_listings_count_documents_and_chunks(catalog: Catalog) -> None:
    fill(catalog, "b.txt", "one\ntwo")
    fill(catalog, "a.txt", "three")
    catalog.create_corpus("empty", "random")
    assert [(info.name, info.chunks, info.characters) for info in catalog.documents(CORPUS)] == [
        ("a.txt", 1, 5),
        ("b.txt", 2, 7),
    ]
    listed = [(entry.name, entry.documents, entry.chunks) for entry in catalog.corpora()]
    assert listed == [("empty", 0, 0), (CORPUS, 2, 3)]


def test_a_listing_comes_in_pages(catalog: Catalog) -> None:
    for name in ("b", "d", "a", "c"):
        fill(catalog, name, f"text of {name}", metadata={"is": name})
    fill(catalog, "e", "elsewhere", corpus="other")

    def page(limit: int, offset: int) -> list[str]:
        return [info.name for info in catalog.documents(CORPUS, limit=limit, offset=offset)]

    assert [page(2, 0), page(2, 2), page(2, 3), page(9, 1), page(2, 4)] == [
        ["a", "b"],
        ["c", "d"],
        ["d"],
        ["b", "c", "d"],
        [],
    ]
    assert (catalog.count_documents(CORPUS), catalog.count_documents("other")) == (4, 1)
    assert [catalog.document_info(CORPUS, name) for name in "abcd"] == catalog.documents(CORPUS)
    with pytest.raises(NotFound, match="There is no document 'e' in corpus 'library'"):
        catalog.document_info(CORPUS, "e")
    with pytest.raises(NotFound, match="There is no corpus 'nowhere'"):
        catalog.document_info("nowhere", "a")


def test_known_vectors_are_float16_of_what_was_put(library: Library) -> None:
    library.put("a.txt", "the mast is made of carbon")
    key = embedding_key(library.embedder.fingerprint, "the mast is made of carbon")
    stored = library.catalog.known_vectors([key, b"0" * 16])
    expected = library.vectors(["the mast is made of carbon"])[0].astype(np.float16)
    assert list(stored) == [key]
    assert np.array_equal(stored[key], expected)


def test_more_keys_than_sqlite_takes_at_once(catalog: Catalog) -> None:
    fill(catalog, "a.txt", "\n".join(f"line {n}" for n in range(1201)))
    keys = [embedding_key("random", f"line {n}") for n in range(1201)]
    assert len(catalog.known_vectors(keys)) == 1201


# versions


def test_the_same_content_again_is_a_new_version_without_doubles(catalog: Catalog) -> None:
    assert [fill(catalog, "a.txt", "one\ntwo") for _ in range(3)] == [1, 2, 3]
    assert (count(catalog, "documents"), count(catalog, "chunks"), count(catalog, "embeddings")) == (1, 2, 2)
    assert {chunk.version for chunk in all_chunks(catalog).values()} == {3}


def test_versions_and_chunk_ids_are_never_reused(catalog: Catalog) -> None:
    seen: set[int] = set()
    for version in range(1, 7):
        assert fill(catalog, "a.txt", "the same words") == version
        ids = set(all_chunks(catalog))
        assert not ids & seen
        seen |= ids
        if version == 2:
            catalog.delete_documents(CORPUS, ["a.txt"])
        if version == 4:
            assert catalog.delete_corpus(CORPUS) == 1


def test_row_numbers_are_never_reused(catalog: Catalog) -> None:
    rows = []
    for _ in range(4):
        fill(catalog, "a.txt", "words")
        rows.append(catalog.read().execute("SELECT row FROM documents").fetchone()[0])
        catalog.delete_documents(CORPUS, ["a.txt"])
    assert rows == sorted(set(rows))


def test_is_current_tells_every_difference(catalog: Catalog) -> None:
    fill(catalog, "a.txt", "words", sha256="s", build="b")
    assert catalog.is_current(CORPUS, "a.txt", "s", "b")
    assert not catalog.is_current(CORPUS, "a.txt", "x", "b")
    assert not catalog.is_current(CORPUS, "a.txt", "s", "x")
    assert not catalog.is_current(CORPUS, "b.txt", "s", "b")


# all or nothing


def test_a_version_that_fails_leaves_the_old_one(catalog: Catalog) -> None:
    fill(catalog, "a.txt", "old words\nmore old words")
    before, seq = all_chunks(catalog), catalog.last_change(CORPUS)
    new = make_version("new words\nand more", random_vectors(2, 1))
    broken: list[tuple[NewVersion, type[Exception]]] = [
        (replace(new, pieces=[(0, 3, ""), (0, 3, "")]), StorageError),  # one chunk twice
        (replace(new, vectors=new.vectors[:1]), ValueError),  # a vector is missing
        (replace(new, keys=new.keys[:1]), ValueError),
        (replace(new, metadata={"x": float("nan")}), InvalidInput),
    ]
    for version, error in broken:
        with pytest.raises(error):
            catalog.put_version(CORPUS, "a.txt", version)
        assert catalog.document(CORPUS, "a.txt").text == "old words\nmore old words"
        assert (all_chunks(catalog), catalog.last_change(CORPUS)) == (before, seq)
    assert fill(catalog, "a.txt", "new") == 2  # no number was used up


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), 2**63, "half \ud800", "nul \0", None, [1], {"a": 1}]
)
def test_metadata_that_no_filter_could_read_is_refused(catalog: Catalog, value: object) -> None:
    with pytest.raises(InvalidInput, match=r"metadata of 'a.txt' has 'key': "):
        fill(catalog, "a.txt", "words", metadata={"key": value})
    assert catalog.documents(CORPUS) == []


def test_deleting_is_all_or_none(catalog: Catalog) -> None:
    fill(catalog, "a.txt", "one")
    with pytest.raises(NotFound, match=r"'missing.txt' in corpus 'library'; nothing was deleted"):
        catalog.delete_documents(CORPUS, ["a.txt", "missing.txt"])
    assert [info.name for info in catalog.documents(CORPUS)] == ["a.txt"]
    catalog.delete_documents(CORPUS, ["a.txt", "a.txt"])  # naming one twice is no error
    assert catalog.documents(CORPUS) == []
    with pytest.raises(NotFound):
        catalog.document(CORPUS, "a.txt")


def test_a_corpus_deleted_meanwhile_takes_no_version(catalog: Catalog) -> None:
    fill(catalog, "a.txt", "one")
    catalog.delete_corpus(CORPUS)
    with pytest.raises(NotFound, match="was deleted while"):
        catalog.put_version(CORPUS, "a.txt", make_version("one", random_vectors(1, 0)))
    assert [count(catalog, table) for table in ("documents", "chunks", "embeddings", "corpora")] == [0] * 4


def test_another_model_is_refused(catalog: Catalog) -> None:
    catalog.create_corpus("c", "model one")
    with pytest.raises(OtherEmbedder, match="IBID_EMBEDDER"):
        catalog.create_corpus("c", "model two")
    assert catalog.require_corpus("c") == "model one"


def test_a_snapshot_sees_one_state(catalog: Catalog) -> None:
    fill(catalog, "a.txt", "old")
    with catalog.snapshot():
        assert catalog.document(CORPUS, "a.txt").text == "old"
        writer = threading.Thread(target=fill, args=(catalog, "a.txt", "new"))
        writer.start()
        writer.join()
        with catalog.snapshot():  # one inside another is the same one
            assert catalog.document(CORPUS, "a.txt").text == "old"
        assert catalog.last_change(CORPUS) == 1
    assert catalog.document(CORPUS, "a.txt").text == "new"


# what is deleted is gone


def test_embeddings_of_deleted_text_are_gone_unless_shared(catalog: Catalog) -> None:
    fill(catalog, "a.txt", "shared\nonly a")
    fill(catalog, "b.txt", "shared\nonly b")
    fill(catalog, "c.txt", "shared", corpus="other")
    assert count(catalog, "embeddings") == 3
    catalog.delete_documents(CORPUS, ["a.txt"])
    assert set(
        catalog.known_vectors([embedding_key("random", t) for t in ("shared", "only a", "only b")])
    ) == {
        embedding_key("random", "shared"),
        embedding_key("random", "only b"),
    }
    catalog.delete_corpus(CORPUS)
    assert count(catalog, "embeddings") == 1
    fill(catalog, "c.txt", "something else", corpus="other")
    assert list(catalog.known_vectors([embedding_key("random", "shared")])) == []
    catalog.delete_corpus("other")
    assert (count(catalog, "embeddings"), count(catalog, "chunks")) == (0, 0)


def test_originals_live_as_long_as_a_document_needs_them(catalog: Catalog) -> None:
    one, two = catalog.keep_original(b"one"), catalog.keep_original(b"two")
    assert one == hashlib.sha256(b"one").hexdigest()
    assert catalog.original(one).read_bytes() == b"one"

    def kept() -> list[bool]:
        return [catalog.original(sha256).is_file() for sha256 in (one, two)]

    fill(catalog, "a.txt", "one", sha256=one)
    fill(catalog, "b.txt", "one", sha256=one)  # the same bytes under two names
    fill(catalog, "c.txt", "two", sha256=two)
    catalog.delete_documents(CORPUS, ["a.txt"])
    assert kept() == [True, True]
    fill(catalog, "b.txt", "two", sha256=two)  # replaced
    assert kept() == [False, True]
    catalog.delete_documents(CORPUS, ["b.txt"])
    assert kept() == [False, True]
    catalog.delete_corpus(CORPUS)
    assert kept() == [False, False]


def test_what_a_kill_left_behind_is_swept(catalog: Catalog) -> None:
    used, left = catalog.keep_original(b"used"), catalog.keep_original(b"left")
    fill(catalog, "a.txt", "one", sha256=used)
    catalog.drop_unused_originals()
    assert [catalog.original(sha256).is_file() for sha256 in (used, left)] == [True, False]


def test_what_a_kill_left_of_an_original_is_swept(catalog: Catalog) -> None:
    folder, sha256 = catalog.home / "originals", "0" * 64
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    earlier = folder / f".{sha256}.{os.getpid()}.1"  # of a process that had our number, as in a container
    kept = {folder / f".{sha256}.{os.getpid()}.2", folder / f".{sha256}.{os.getppid()}.1", folder / ".other"}
    for path in (folder / f".{sha256}.{ended.pid}.1", earlier, *kept):
        path.write_bytes(b"part")
    os.utime(earlier, (0, 0))
    catalog.drop_unfinished_originals()
    assert set(folder.iterdir()) == kept


# several processes, several threads


def test_a_second_process_sees_each_change_at_once(catalog: Catalog) -> None:
    fill(catalog, "a.txt", "one")
    code = (
        "import sys; from pathlib import Path; from rag.catalog import Catalog\n"
        "catalog = Catalog(Path(sys.argv[1]))\n"
        "for line in sys.stdin:\n"
        "    print([(d.name, d.version) for d in catalog.documents('library')], flush=True)\n"
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
        catalog.delete_documents(CORPUS, ["a.txt"])
        assert asked() == "[]"
        other.stdin.close()


_KILLED = """
import random, sys
from pathlib import Path
import numpy as np
from rag.catalog import Catalog
from tests.made_versions import make_version, random_vectors
catalog, seed = Catalog(Path(sys.argv[1])), random.Random(int(sys.argv[2]))
catalog.create_corpus("library", "random")
while True:
    name, lines, word = f"{seed.randrange(6)}.txt", seed.randrange(1, 200), seed.randrange(10**9)
    text = "\\n".join(f"{word} {line}" for line in range(lines))
    print("try", name, word, lines, flush=True)
    version = catalog.put_version("library", name, make_version(text, random_vectors(lines, word)))
    print("done", name, version, flush=True)
    if seed.random() < 0.2:
        print("try", name, 0, 0, flush=True)
        catalog.delete_documents("library", [name])
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
        first = process.stdout.readline()  # it is at work
        time.sleep(chance.random() * 0.15)
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
        found = {info.name: catalog.document(CORPUS, info.name) for info in catalog.documents(CORPUS)}
        if attempt and (found[attempt[0]].text if attempt[0] in found else "") == attempt[1]:
            expected[attempt[0]] = attempt[1]  # it was made visible, the acknowledgement came too late
        assert {name: document.text for name, document in found.items()} == {
            name: text for name, text in expected.items() if text
        }
        chunks = all_chunks(catalog).values()  # which checks each chunk's id
        for name, document in found.items():
            own = sorted((chunk.start, chunk.text) for chunk in chunks if chunk.document == name)
            assert [text for _, text in own] == document.text.split("\n")
        assert catalog.read().execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        assert count(catalog, "embeddings") == len({chunk.text for chunk in chunks}) == len(chunks)
        catalog.close()
    assert count_changes(home) > 20


def count_changes(home: Path) -> int:
    catalog = Catalog(home)
    number = catalog.last_change(CORPUS)
    catalog.close()
    return number


def test_many_threads_open_and_write_one_folder(tmp_path: Path) -> None:
    errors: list[Exception] = []

    def work(number: int) -> None:
        try:
            catalog = Catalog(tmp_path / "home")  # the first ones make the schema at the same time
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
    assert [(info.name, info.version) for info in catalog.documents(CORPUS)] == [
        (f"{number}.txt", 5) for number in range(8)
    ]
    assert len(catalog.changes_after(CORPUS, 0)) == 8 * 5 + 8 * 4  # each replacement also removes
    catalog.close()


def test_connections_of_ended_threads_are_closed(catalog: Catalog) -> None:
    open_files = Path("/proc/self/fd")
    for _ in range(3):
        thread = threading.Thread(target=catalog.corpora)
        thread.start()
        thread.join()
    before = len(list(open_files.iterdir()))
    for _ in range(12):
        thread = threading.Thread(target=catalog.corpora)
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
    """Let no file grow beyond 1 MB; Python turns the signal into an error."""
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
        before = (all_chunks(catalog), catalog.last_change(CORPUS))
        ballast = tmp_path / "disk" / "ballast"
        ballast.write_bytes(bytes(1_000_000))
        large = "\n".join(f"new line {n}" for n in range(3000))
        with pytest.raises(
            StorageError, match=r"could not be written .*nothing was changed. Check the disk of"
        ):
            fill(catalog, "a.txt", large)
        with pytest.raises(StorageError, match=r"could not be written .*No space left.*nothing was accepted"):
            catalog.keep_original(bytes(3_000_000))
        assert list((catalog.home / "originals").iterdir()) == []
        assert (all_chunks(catalog), catalog.last_change(CORPUS)) == before
        assert catalog.document(CORPUS, "a.txt").text == "old words"
        catalog.delete_documents(CORPUS, ["a.txt"])  # what frees space works
        ballast.unlink()
        assert fill(catalog, "a.txt", "new words\nagain") == 2
        assert catalog.keep_original(b"small")
        catalog.close()


def test_a_file_that_cannot_grow_refuses_and_shows_nothing_half(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "home")
    fill(catalog, "a.txt", "old words")
    with small_files(tmp_path / "disk"):
        with pytest.raises(StorageError, match="nothing was changed"):
            fill(catalog, "a.txt", "\n".join(f"new line {n}" for n in range(3000)))
        with pytest.raises(StorageError, match="nothing was accepted"):
            catalog.keep_original(bytes(3_000_000))
        assert catalog.document(CORPUS, "a.txt").text == "old words"
        assert len(all_chunks(catalog)) == 1
    assert fill(catalog, "a.txt", "\n".join(f"new line {n}" for n in range(3000))) == 2
    catalog.close()


def test_a_folder_of_a_newer_ibid_is_refused(tmp_path: Path) -> None:
    Catalog(tmp_path).close()
    with sqlite3.connect(tmp_path / "catalog.sqlite3") as database:
        database.execute("PRAGMA user_version = 2")
    database.close()
    with pytest.raises(StorageError, match=r"has schema 2, newer than this Ibid's 1; upgrade Ibid"):
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
        lambda: list(catalog.indexed_chunks([1])),
        lambda: catalog.delete_documents(CORPUS, ["a.txt"]),
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
        with catalog.snapshot() as snapshot:
            rows = snapshot.execute("SELECT * FROM chunks")
            assert rows.fetchone()
            with pytest.raises(StorageError, match="restore a backup"):
                fetch(rows)
        assert not catalog.read().in_transaction
    catalog.close()


def test_errors_of_reading_and_writing_are_told_apart(catalog: Catalog) -> None:
    with pytest.raises(StorageError, match=r"could not be read \(no such table: x\)"):
        catalog.read().execute("SELECT * FROM x")
    with (
        pytest.raises(StorageError, match=r"could not be written .*nothing was changed"),
        catalog.write() as w,
    ):
        w.execute("INSERT INTO x VALUES (1)")
    with pytest.raises(sqlite3.ProgrammingError):  # a bug, not the disk
        catalog.read().execute("SELECT ?", ())


def test_a_chunk_under_another_id_is_never_served(catalog: Catalog) -> None:
    fill(catalog, "a.txt", "one\ntwo")
    with catalog.write() as transaction:
        transaction.execute("UPDATE chunks SET start = start + 1")
    with pytest.raises(StorageError, match="does not carry its own id; restore a backup"):
        all_chunks(catalog)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match="set IBID_HOME elsewhere"):
        Catalog(tmp_path / "file" / "home")


# hostile names

HOSTILE = ["x'; DROP TABLE documents; --", 'x" OR 1=1 --', "%", "_", "?1", ":name", "\\", "a\nb", "ä" * 600]


def test_hostile_document_names_are_only_names(catalog: Catalog) -> None:
    for number, name in enumerate(HOSTILE):
        fill(catalog, name, f"text {number}")
    assert sorted(info.name for info in catalog.documents(CORPUS)) == sorted(HOSTILE)
    for number, name in enumerate(HOSTILE):
        assert catalog.document(CORPUS, name).text == f"text {number}"
        assert catalog.is_current(
            CORPUS, name, hashlib.sha256(f"text {number}".encode()).hexdigest(), "build"
        )
        catalog.delete_documents(CORPUS, [name])
    assert (catalog.documents(CORPUS), count(catalog, "chunks")) == ([], 0)


@pytest.mark.parametrize(
    "name",
    [
        *[name for name in HOSTILE if name != "_"],
        "",
        ".hidden",
        "-x",
        "a/b",
        "..",
        "a b",
        "x" * 65,
        "trailing\n",
        "\ud800",
        "a\0b",
    ],
)
def test_hostile_corpus_names_are_refused(catalog: Catalog, name: str) -> None:
    with pytest.raises(InvalidName, match="expected 1 to 64 letters"):
        catalog.create_corpus(name, "model")
    for act in (catalog.require_corpus, catalog.documents, catalog.delete_corpus):
        with pytest.raises(NotFound, match="There is no corpus"):
            act(name)
    with pytest.raises(NotFound):
        catalog.document(name, "a.txt")
    assert catalog.corpora() == []


@pytest.mark.parametrize("name", ["a", "x" * 64, "Büro_2024.v-1", "_x", "日本語"])
def test_plain_corpus_names_are_taken(catalog: Catalog, name: str) -> None:
    catalog.create_corpus(name, "model")
    assert catalog.require_corpus(name) == "model"


def test_a_name_with_half_a_character_is_not_found(catalog: Catalog) -> None:
    fill(catalog, "a.txt", "x")
    with pytest.raises(NotFound):
        catalog.document(CORPUS, "\ud800")
    with pytest.raises(NotFound):
        catalog.delete_documents(CORPUS, ["\ud800"])


# the change log


def test_the_log_tells_every_change_in_order(catalog: Catalog) -> None:
    fill(catalog, "a.txt", "one")
    fill(catalog, "x.txt", "one", corpus="other")
    fill(catalog, "a.txt", "two")
    catalog.delete_documents(CORPUS, ["a.txt"])
    changes = catalog.changes_after(CORPUS, 0)
    assert [(change.document, change.added) for change in changes] == [
        (1, True),
        (1, False),
        (3, True),
        (3, False),
    ]
    assert [change.seq for change in changes] == sorted({change.seq for change in changes})
    assert catalog.changes_after(CORPUS, changes[1].seq) == changes[2:]
    assert (catalog.last_change(CORPUS), catalog.last_change("nowhere")) == (changes[-1].seq, 0)


def test_a_thousand_chunks_are_put_within_a_second(catalog: Catalog) -> None:
    catalog.create_corpus(CORPUS, "random")
    text = "\n".join(f"line {n} " + "word " * 100 for n in range(1000))
    new = make_version(text, random_vectors(1000, 0), metadata={"note": json.dumps("x" * 100)})
    catalog.put_version(CORPUS, "a.txt", new)
    began = time.perf_counter()
    catalog.put_version(CORPUS, "a.txt", new)  # removal of the old version included
    assert time.perf_counter() - began < 1.0
