"""The catalogue: stored data comes back, and a transaction shows a version completely or not at all."""

import hashlib
import json
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from rag.errors import InvalidInput, InvalidName, NotFound, StorageError
from rag.store.catalog import Catalog
from rag.store.chunks import embedding_key
from rag.store.documents import NewVersion
from rag.types import Document, Recipe
from tests.made_versions import (
    CORPUS,
    Library,
    all_chunks,
    count,
    fill,
    make_version,
    random_vectors,
    serving,
)

# stored data comes back


def test_a_version_comes_back_as_it_was_put(library: Library) -> None:
    text = "Première ligne 🦩\nsecond line\n\nthird line"
    version = library.put(
        "a.txt", text, metadata={"year": 2024, "draft": True}, pages=(0, 17), context="Head"
    )
    shown = library.catalog.documents.get(CORPUS, "a.txt")
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
    catalog.create_corpus("empty", Recipe("random"))
    assert [(info.name, info.chunks, info.characters) for info in catalog.documents.infos(CORPUS)] == [
        ("a.txt", 1, 5),
        ("b.txt", 2, 7),
    ]
    listed = [(entry.name, entry.documents, entry.chunks) for entry in catalog.corpora.infos()]
    assert listed == [("empty", 0, 0), (CORPUS, 2, 3)]


def test_a_listing_comes_in_pages(catalog: Catalog) -> None:
    for name in ("b", "d", "a", "c"):
        fill(catalog, name, f"text of {name}", metadata={"is": name})
    fill(catalog, "e", "elsewhere", corpus="other")

    def page(limit: int, offset: int) -> list[str]:
        return [info.name for info in catalog.documents.infos(CORPUS, limit=limit, offset=offset)]

    assert [page(2, 0), page(2, 2), page(2, 3), page(9, 1), page(2, 4)] == [
        ["a", "b"],
        ["c", "d"],
        ["d"],
        ["b", "c", "d"],
        [],
    ]
    assert (catalog.documents.count(CORPUS), catalog.documents.count("other")) == (4, 1)
    assert [catalog.documents.info(CORPUS, name) for name in "abcd"] == catalog.documents.infos(CORPUS)
    with pytest.raises(NotFound, match="There is no document 'e' in corpus 'library'"):
        catalog.documents.info(CORPUS, "e")
    with pytest.raises(NotFound, match="There is no corpus 'nowhere'"):
        catalog.documents.info("nowhere", "a")


def test_known_vectors_are_float16_of_what_was_put(library: Library) -> None:
    library.put("a.txt", "the mast is made of carbon")
    key = embedding_key(library.embedder.fingerprint, "the mast is made of carbon")
    stored = library.catalog.embeddings.known([key, b"0" * 16])
    expected = library.vectors(["the mast is made of carbon"])[0].astype(np.float16)
    assert list(stored) == [key]
    assert np.array_equal(stored[key], expected)


def test_more_keys_than_sqlite_takes_at_once(catalog: Catalog) -> None:
    fill(catalog, "a.txt", "\n".join(f"line {n}" for n in range(1201)))
    keys = [embedding_key("random", f"line {n}") for n in range(1201)]
    assert len(catalog.embeddings.known(keys)) == 1201


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
            catalog.documents.delete(CORPUS, ["a.txt"])
        if version == 4:
            assert catalog.delete_corpus(CORPUS) == 1


def test_row_numbers_are_never_reused(catalog: Catalog) -> None:
    rows = []
    for _ in range(4):
        fill(catalog, "a.txt", "words")
        rows.append(catalog.database.read().execute("SELECT row FROM documents").fetchone()[0])
        catalog.documents.delete(CORPUS, ["a.txt"])
    assert rows == sorted(set(rows))


def test_is_current_tells_every_difference(catalog: Catalog) -> None:
    fill(catalog, "a.txt", "words", sha256="s", given="b")
    assert catalog.documents.is_current(CORPUS, "a.txt", "s", "b")
    assert not catalog.documents.is_current(CORPUS, "a.txt", "x", "b")
    assert not catalog.documents.is_current(CORPUS, "a.txt", "s", "x")
    assert not catalog.documents.is_current(CORPUS, "b.txt", "s", "b")


# all or nothing


def test_a_version_that_fails_leaves_the_old_one(catalog: Catalog) -> None:
    fill(catalog, "a.txt", "old words\nmore old words")
    before, seq = all_chunks(catalog), catalog.changes.last(serving(catalog))
    new = make_version("new words\nand more", random_vectors(2, 1))
    broken: list[tuple[NewVersion, type[Exception]]] = [
        (
            replace(new, pieces=replace(new.pieces, spans=[(0, 3, ""), (0, 3, "")])),
            StorageError,
        ),  # one chunk twice
        (
            replace(new, pieces=replace(new.pieces, vectors=new.pieces.vectors[:1])),
            ValueError,
        ),  # a vector is missing
        (replace(new, pieces=replace(new.pieces, keys=new.pieces.keys[:1])), ValueError),
        (replace(new, metadata={"x": float("nan")}), InvalidInput),
    ]
    for version, error in broken:
        with pytest.raises(error):
            catalog.documents.put(CORPUS, "a.txt", version)
        assert catalog.documents.get(CORPUS, "a.txt").text == "old words\nmore old words"
        assert (all_chunks(catalog), catalog.changes.last(serving(catalog))) == (before, seq)
    assert fill(catalog, "a.txt", "new") == 2  # no number was used up


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), 2**63, "half \ud800", "nul \0", None, [1], {"a": 1}]
)
def test_metadata_that_no_filter_could_read_is_refused(catalog: Catalog, value: object) -> None:
    with pytest.raises(InvalidInput, match=r"metadata of 'a.txt' has 'key': "):
        fill(catalog, "a.txt", "words", metadata={"key": value})
    assert catalog.documents.infos(CORPUS) == []


def test_deleting_is_all_or_none(catalog: Catalog) -> None:
    fill(catalog, "a.txt", "one")
    with pytest.raises(NotFound, match=r"'missing.txt' in corpus 'library'; nothing was deleted"):
        catalog.documents.delete(CORPUS, ["a.txt", "missing.txt"])
    assert [info.name for info in catalog.documents.infos(CORPUS)] == ["a.txt"]
    catalog.documents.delete(CORPUS, ["a.txt", "a.txt"])  # naming one twice is no error
    assert catalog.documents.infos(CORPUS) == []
    with pytest.raises(NotFound):
        catalog.documents.get(CORPUS, "a.txt")


def test_a_corpus_deleted_meanwhile_takes_no_version(catalog: Catalog) -> None:
    fill(catalog, "a.txt", "one")
    catalog.delete_corpus(CORPUS)
    with pytest.raises(NotFound, match="was deleted while"):
        catalog.documents.put(CORPUS, "a.txt", make_version("one", random_vectors(1, 0)))
    assert [count(catalog, table) for table in ("documents", "chunks", "embeddings", "corpora")] == [0] * 4


def test_a_corpus_that_is_there_goes_on_as_it_was_made(catalog: Catalog) -> None:
    catalog.create_corpus("c", Recipe("model one"))
    catalog.create_corpus("c", Recipe("model two"))
    assert [one.recipe for one in catalog.generations.of("c")] == [Recipe("model one")]


def test_a_snapshot_sees_one_state(catalog: Catalog) -> None:
    fill(catalog, "a.txt", "old")
    with catalog.database.snapshot():
        assert catalog.documents.get(CORPUS, "a.txt").text == "old"
        writer = threading.Thread(target=fill, args=(catalog, "a.txt", "new"))
        writer.start()
        writer.join()
        with catalog.database.snapshot():  # one inside another is the same one
            assert catalog.documents.get(CORPUS, "a.txt").text == "old"
        assert catalog.changes.last(serving(catalog)) == 1
    assert catalog.documents.get(CORPUS, "a.txt").text == "new"


# deleted data is gone


def test_embeddings_of_deleted_text_are_gone_unless_shared(catalog: Catalog) -> None:
    fill(catalog, "a.txt", "shared\nonly a")
    fill(catalog, "b.txt", "shared\nonly b")
    fill(catalog, "c.txt", "shared", corpus="other")
    assert count(catalog, "embeddings") == 3
    catalog.documents.delete(CORPUS, ["a.txt"])
    assert set(
        catalog.embeddings.known([embedding_key("random", t) for t in ("shared", "only a", "only b")])
    ) == {
        embedding_key("random", "shared"),
        embedding_key("random", "only b"),
    }
    catalog.delete_corpus(CORPUS)
    assert count(catalog, "embeddings") == 1
    fill(catalog, "c.txt", "something else", corpus="other")
    assert list(catalog.embeddings.known([embedding_key("random", "shared")])) == []
    catalog.delete_corpus("other")
    assert (count(catalog, "embeddings"), count(catalog, "chunks")) == (0, 0)


def test_originals_live_as_long_as_a_document_needs_them(catalog: Catalog) -> None:
    one, two = catalog.originals.keep(b"one"), catalog.originals.keep(b"two")
    assert one == hashlib.sha256(b"one").hexdigest()
    assert catalog.originals.path(one).read_bytes() == b"one"

    def kept() -> list[bool]:
        return [catalog.originals.path(sha256).is_file() for sha256 in (one, two)]

    fill(catalog, "a.txt", "one", sha256=one)
    fill(catalog, "b.txt", "one", sha256=one)  # the same bytes under two names
    fill(catalog, "c.txt", "two", sha256=two)
    catalog.documents.delete(CORPUS, ["a.txt"])
    assert kept() == [True, True]
    fill(catalog, "b.txt", "two", sha256=two)  # replaced
    assert kept() == [False, True]
    catalog.documents.delete(CORPUS, ["b.txt"])
    assert kept() == [False, True]
    catalog.delete_corpus(CORPUS)
    assert kept() == [False, False]


# hostile names


HOSTILE = ["x'; DROP TABLE documents; --", 'x" OR 1=1 --', "%", "_", "?1", ":name", "\\", "a\nb", "ä" * 600]


def test_hostile_document_names_are_only_names(catalog: Catalog) -> None:
    for number, name in enumerate(HOSTILE):
        fill(catalog, name, f"text {number}")
    assert sorted(info.name for info in catalog.documents.infos(CORPUS)) == sorted(HOSTILE)
    for number, name in enumerate(HOSTILE):
        assert catalog.documents.get(CORPUS, name).text == f"text {number}"
        assert catalog.documents.is_current(
            CORPUS, name, hashlib.sha256(f"text {number}".encode()).hexdigest(), "{}"
        )
        catalog.documents.delete(CORPUS, [name])
    assert (catalog.documents.infos(CORPUS), count(catalog, "chunks")) == ([], 0)


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
        catalog.create_corpus(name, Recipe("model"))
    for act in (catalog.corpora.require, catalog.documents.infos, catalog.delete_corpus):
        with pytest.raises(NotFound, match="There is no corpus"):
            act(name)
    with pytest.raises(NotFound):
        catalog.documents.get(name, "a.txt")
    assert catalog.corpora.infos() == []


@pytest.mark.parametrize("name", ["a", "x" * 64, "Büro_2024.v-1", "_x", "日本語"])
def test_plain_corpus_names_are_taken(catalog: Catalog, name: str) -> None:
    catalog.create_corpus(name, Recipe("model"))
    assert [info.name for info in catalog.corpora.infos()] == [name]


def test_a_name_with_half_a_character_is_not_found(catalog: Catalog) -> None:
    fill(catalog, "a.txt", "x")
    with pytest.raises(NotFound):
        catalog.documents.get(CORPUS, "\ud800")
    with pytest.raises(NotFound):
        catalog.documents.delete(CORPUS, ["\ud800"])


# the change log


def test_the_log_tells_every_change_in_order(catalog: Catalog) -> None:
    fill(catalog, "a.txt", "one")
    fill(catalog, "x.txt", "one", corpus="other")
    fill(catalog, "a.txt", "two")
    catalog.documents.delete(CORPUS, ["a.txt"])
    changes = catalog.changes.after(serving(catalog), 0)
    assert [(change.document, change.added) for change in changes] == [
        (1, True),
        (1, False),
        (3, True),
        (3, False),
    ]
    assert [change.seq for change in changes] == sorted({change.seq for change in changes})
    assert catalog.changes.after(serving(catalog), changes[1].seq) == changes[2:]
    assert (catalog.changes.last(serving(catalog)), catalog.changes.last(77)) == (changes[-1].seq, 0)


def test_a_thousand_chunks_are_put_fast(catalog: Catalog) -> None:
    catalog.create_corpus(CORPUS, Recipe("random"))
    text = "\n".join(f"line {n} " + "word " * 100 for n in range(1000))
    new = make_version(text, random_vectors(1000, 0), metadata={"note": json.dumps("x" * 100)})
    catalog.documents.put(CORPUS, "a.txt", new)
    began = time.thread_time()
    catalog.documents.put(CORPUS, "a.txt", new)  # removal of the old version included
    assert time.thread_time() - began < 1.0  # ten times the usual


def test_what_is_no_longer_wanted_gone_is_not_deleted(library: Library) -> None:
    library.put("a.txt", "one")
    assert library.catalog.documents.delete_if(CORPUS, "a.txt", lambda: False) is None
    assert library.catalog.documents.get(CORPUS, "a.txt").text == "one"
