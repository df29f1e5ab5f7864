"""Renaming a document: one transaction, every embedding kept, every follower notified."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from ingest.uploads.jobs import Jobs
from rag.errors import NotFound, WrongState
from rag.store.catalog import Catalog
from rag.store.jobs import Upload
from rag.types import Recipe
from tests.made_versions import CORPUS, Library, all_chunks, count, fill, follower

TEXT = "The lamp burns whale oil.\n\nIt is lit at dusk."


def test_everything_but_the_name_stays(library: Library) -> None:
    catalog = library.catalog
    library.put("a/lamp.md", TEXT, metadata={"year": 1850}, pages=(0, 27), context="Lighthouse")
    before, vectors = catalog.documents.info(CORPUS, "a/lamp.md"), count(catalog, "embeddings")
    held = {chunk.text: chunk for chunk in all_chunks(catalog).values()}

    catalog.documents.rename(CORPUS, "a/lamp.md", "b/light.md")

    with pytest.raises(NotFound):
        catalog.documents.info(CORPUS, "a/lamp.md")
    after = catalog.documents.info(CORPUS, "b/light.md")
    assert (after.sha256, after.metadata, after.chunks) == (before.sha256, {"year": 1850}, 2)
    document = catalog.documents.get(CORPUS, "b/light.md")
    assert (document.text, document.pages, document.version) == (TEXT, (0, 27), 1)
    for chunk in all_chunks(catalog).values():
        was = held[chunk.text]
        assert (chunk.start, chunk.end, chunk.page, chunk.context) == (
            was.start,
            was.end,
            was.page,
            was.context,
        )
        assert chunk.document == "b/light.md"
    assert count(catalog, "embeddings") == vectors


def test_the_index_finds_it_under_its_new_name_alone(library: Library) -> None:
    catalog, embedder = library.catalog, library.embedder
    library.put("lamp.md", TEXT)
    library.put("boat.md", "The boat is moored at pier seven.")
    index = follower(catalog)
    question = "What does the lamp burn?"
    vector = embedder.encode([question])[0]
    before = index.search(question, vector, dense_k=3, lexical_k=3)
    catalog.documents.rename(CORPUS, "lamp.md", "light.md")
    after = index.search(question, vector, dense_k=3, lexical_k=3)
    assert {chunk.document for chunk in after.chunks.values()} == {"light.md", "boat.md"}
    assert np.allclose([score for _, score in after.dense], [score for _, score in before.dense])


def test_versions_of_the_new_name_go_on(library: Library) -> None:
    library.put("old.md", "One.")
    library.put("new.md", "Two.")
    library.catalog.documents.delete(CORPUS, ["new.md"])
    library.catalog.documents.rename(CORPUS, "old.md", "new.md")
    document = library.catalog.documents.get(CORPUS, "new.md")
    assert (document.text, document.version) == ("One.", 2)
    assert library.catalog.documents.count(CORPUS) == 1


def test_what_is_not_there_cannot_be_renamed(library: Library) -> None:
    library.put("a.md", "One.")
    with pytest.raises(NotFound, match=r"There is no document 'b.md'"):
        library.catalog.documents.rename(CORPUS, "b.md", "c.md")
    assert [info.name for info in library.catalog.documents.infos(CORPUS)] == ["a.md"]


def test_a_change_meanwhile_is_never_lost(catalog: Catalog) -> None:
    """Renamed and rewritten concurrently, many times: the newest words are there, under one name or both."""
    with ThreadPoolExecutor(2) as threads:
        for turn in range(30):
            fill(catalog, "a.md", f"Before {turn}.")
            rename = threads.submit(catalog.documents.rename, CORPUS, "a.md", "b.md")
            rewrite = threads.submit(fill, catalog, "a.md", f"After {turn}.")
            rewrite.result()
            refused = rename.exception()
            assert refused is None or isinstance(refused, NotFound)
            texts = {
                info.name: catalog.documents.get(CORPUS, info.name).text
                for info in catalog.documents.infos(CORPUS)
            }
            assert f"After {turn}." in texts.values()


def test_uploads_of_the_old_name_that_failed_do_not_bring_it_back(library: Library) -> None:
    catalog = library.catalog
    library.put("lamp.md", TEXT)
    jobs = Jobs(catalog)
    failed = jobs.submit(CORPUS, [Upload("lamp.md", b"bad", {})], Recipe("random"))
    jobs.queue.cancel(failed)
    waiting = jobs.submit(CORPUS, [Upload("lamp.md", b"new", {})], Recipe("random"))
    catalog.documents.rename(CORPUS, "lamp.md", "light.md")

    with pytest.raises(WrongState):
        jobs.retry(failed)
    assert jobs.queue.get(waiting).state == "queued"  # acknowledged, and not part of the rename


def test_what_came_under_the_new_name_meanwhile_stays(library: Library) -> None:
    library.put("lamp.md", TEXT)
    library.put("light.md", "Another light.")
    with pytest.raises(NotFound, match=r"or 'light.md' came"):
        library.catalog.documents.rename(CORPUS, "lamp.md", "light.md")
    assert library.catalog.documents.get(CORPUS, "light.md").text == "Another light."
    assert library.catalog.documents.get(CORPUS, "lamp.md").text == TEXT
