"""Checkpoints: embeddings of versions that are not yet complete."""

import numpy as np

from ingest.uploads.jobs import Jobs
from rag.store.catalog import Catalog
from rag.store.jobs import Upload
from rag.types import Recipe
from tests.made_versions import CORPUS, Library, count, make_version, random_vectors


def test_checkpoints_are_known_until_their_version_is_whole(catalog: Catalog) -> None:
    vectors = random_vectors(2, 0)
    new = make_version("one\ntwo", vectors)
    catalog.embeddings.keep_checkpoint(new.pieces.keys[:1], vectors[:1], lambda: True)
    [kept] = catalog.embeddings.known(new.pieces.keys).values()
    assert np.array_equal(kept, vectors[0].astype(np.float16))
    catalog.embeddings.drop_old_checkpoints()
    assert count(catalog, "checkpoints") == 1
    catalog.create_corpus(CORPUS, Recipe("random"))
    catalog.documents.put(CORPUS, "a.txt", new)
    assert (count(catalog, "checkpoints"), count(catalog, "embeddings")) == (0, 2)


def test_a_version_needs_no_checkpoint(catalog: Catalog) -> None:
    vectors = random_vectors(1, 0)
    new = make_version("one", vectors)
    catalog.embeddings.keep_checkpoint(new.pieces.keys, vectors, lambda: True)
    with catalog.database.write() as transaction:
        transaction.execute("UPDATE checkpoints SET made = made - 86401")
    catalog.embeddings.drop_old_checkpoints()
    assert count(catalog, "checkpoints") == 0
    catalog.create_corpus(CORPUS, Recipe("random"))
    catalog.documents.put(CORPUS, "a.txt", new)
    assert len(catalog.embeddings.known(new.pieces.keys)) == 1


def test_a_deleted_upload_leaves_no_checkpoint(catalog: Catalog) -> None:
    jobs = Jobs(catalog)
    for delete in (
        lambda: catalog.documents.delete(CORPUS, ["a.txt"]),
        lambda: catalog.delete_corpus(CORPUS),
    ):
        jobs.submit(CORPUS, [Upload("a.txt", b"one", {})], Recipe("random"))
        catalog.embeddings.keep_checkpoint([b"key"], random_vectors(1, 0), lambda: True)
        delete()
        assert count(catalog, "checkpoints") == 0


def test_any_deletion_drops_the_checkpoints(library: Library) -> None:
    catalog = library.catalog
    for delete in (
        lambda: catalog.documents.delete(CORPUS, ["a.txt"]),
        lambda: catalog.documents.delete_if(CORPUS, "a.txt", lambda: True),
        lambda: catalog.delete_corpus(CORPUS),
    ):
        library.put("a.txt", "one")  # it has no upload
        catalog.embeddings.keep_checkpoint([b"key"], random_vectors(1, 0), lambda: True)
        delete()
        assert count(catalog, "checkpoints") == 0


def test_what_is_no_longer_wanted_leaves_no_checkpoint(catalog: Catalog) -> None:
    catalog.embeddings.keep_checkpoint([b"key"], random_vectors(1, 0), lambda: False)
    assert count(catalog, "checkpoints") == 0
