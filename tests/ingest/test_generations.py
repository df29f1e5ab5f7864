"""A corpus rebuilt beside the generation that serves it: built, swapped, rolled back, pruned."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ingest import rebuild as generations
from ingest.build import Builder
from ingest.source import Outcome, Source
from rag.errors import NotFound, OtherEmbedder, WrongState
from rag.models.embed import Embedder
from rag.pipeline import Pipeline
from rag.settings import Settings
from rag.stages import ModelSet
from rag.store.catalog import Catalog
from rag.store.generations import Generation
from rag.types import Recipe
from tests.ingest.test_build import Choking
from tests.made_versions import CORPUS, count

LAMP = (
    "The lamp of the lighthouse burns whale oil. It is lit at dusk and put out at dawn. "
    "Its lens was ground in Lund by two brothers. The keeper polishes it every morning with chalk and a soft cloth."
)
TEXTS = {
    "lamp.txt": LAMP,
    "boat.txt": "The boat is painted green. It carries the keeper to the island on Mondays.",
    "bell.txt": "The fog bell was cast in Kiel. It rings four times a minute when the mist is thick.",
}
LAMP_QUESTION = "What does the lamp burn?"


class Corpus:
    """A corpus with its own builder, and the results of a question."""

    def __init__(self, catalog: Catalog, embedder: Embedder) -> None:
        self.catalog, self.settings = catalog, Settings(home=catalog.home)
        self.builder = Builder(catalog, embedder, self.settings)
        self.pipeline = Pipeline(self.settings, catalog, ModelSet(self.settings, embedder))
        self.embedder = embedder

    def put(self, **texts: str) -> list[Outcome]:
        sources = [Source(f"{name}.txt", text.encode) for name, text in texts.items()]
        return list(self.builder.ingest(CORPUS, sources))

    def begin(self, chunker: str = "token", chunk_tokens: int = 16) -> Generation:
        made = Recipe(self.embedder.fingerprint, "trunk", chunker, chunk_tokens)
        return self.catalog.generations.begin(CORPUS, made)

    def build(
        self, generation: Generation, on_document: Callable[[], object] = lambda: None
    ) -> dict[str, str]:
        return generations.catch_up(self.catalog, self.builder.maker(generation), on_document)

    def swap(self, generation: Generation) -> None:
        generations.swap(self.catalog, self.builder.maker(generation))

    def found(self, question: str, pipeline: Pipeline | None = None) -> dict[str, int]:
        """Return the documents that a question finds, each with the length of its longest chunk."""
        rankings = (pipeline or self.pipeline).search(CORPUS, question).trace.rankings
        lengths: dict[str, int] = {}
        for hit in (*rankings["dense"], *rankings["lexical"]):
            length = hit.chunk.end - hit.chunk.start
            lengths[hit.chunk.document] = max(length, lengths.get(hit.chunk.document, 0))
        return lengths


@pytest.fixture
def corpus(catalog: Catalog, embedder: Embedder) -> Corpus:
    made = Corpus(catalog, embedder)
    made.put(**{name.removesuffix(".txt"): text for name, text in TEXTS.items()})
    return made


def test_one_is_built_beside_the_one_that_serves_and_swapped(corpus: Corpus) -> None:
    before = corpus.found(LAMP_QUESTION)
    documents = corpus.catalog.documents.infos(CORPUS)
    new = corpus.begin()
    assert corpus.build(new) == {}

    assert corpus.found(LAMP_QUESTION) == before
    assert before["lamp.txt"] == len(LAMP)
    assert [(one.version, one.chunks) for one in corpus.catalog.documents.infos(CORPUS)] == [(1, 1)] * 3
    extent = corpus.catalog.generations.extent(new)
    assert (extent.documents, extent.missing) == (3, 0)
    assert extent.chunks == 6

    corpus.swap(new)
    assert 0 < corpus.found(LAMP_QUESTION)["lamp.txt"] < len(LAMP)
    answer = corpus.pipeline.ask(CORPUS, LAMP_QUESTION)
    assert "whale oil" in answer.text
    [citation, *_] = answer.citations
    assert (citation.version, LAMP[citation.start : citation.end]) == (1, citation.quote)
    assert [one.version for one in corpus.catalog.documents.infos(CORPUS)] == [1, 1, 1]
    assert sum(one.chunks for one in corpus.catalog.documents.infos(CORPUS)) == extent.chunks
    assert [one.created for one in corpus.catalog.documents.infos(CORPUS)] == [
        one.created for one in documents
    ]
    assert [outcome.state for outcome in corpus.put(lamp=LAMP)] == ["unchanged"]


def test_what_changed_meanwhile_is_built_before_a_swap_and_before_a_rollback(corpus: Corpus) -> None:
    first, new = corpus.catalog.generations.serving(CORPUS), corpus.begin()
    corpus.build(new)
    corpus.put(lamp="The lamp burns paraffin by now.", cat="The cat of the keeper is called Gannet.")
    corpus.catalog.documents.delete(CORPUS, ["bell.txt"])
    corpus.catalog.documents.rename(CORPUS, "boat.txt", "ship.txt")
    assert corpus.catalog.generations.extent(new).missing == 3
    corpus.swap(new)
    for question, document in (
        (LAMP_QUESTION, "lamp.txt"),
        ("keeper's cat", "cat.txt"),
        ("boat", "ship.txt"),
    ):
        assert document in corpus.found(question)
    assert set(corpus.found("fog bell")) == {"lamp.txt", "cat.txt", "ship.txt"}

    corpus.put(cat="The cat is called Puffin, and sleeps in the lantern room.")
    corpus.catalog.documents.delete(CORPUS, ["lamp.txt"])
    back = generations.previous(corpus.catalog, CORPUS)
    assert (back.id, corpus.catalog.generations.extent(back).missing) == (first.id, 1)
    corpus.swap(back)
    assert corpus.found("What is the cat called?").keys() == {"cat.txt", "ship.txt"}
    assert "Puffin" in corpus.pipeline.ask(CORPUS, "What is the cat called?").text
    assert generations.previous(corpus.catalog, CORPUS).id == new.id


def test_a_generation_that_lacks_a_document_does_not_serve(corpus: Corpus) -> None:
    new = corpus.begin()
    corpus.build(new)
    corpus.put(cat="The cat is called Gannet.")
    assert not corpus.catalog.generations.swap(new)
    assert corpus.catalog.generations.serving(CORPUS).id != new.id


def test_a_document_that_cannot_be_made_is_named_and_nothing_is_swapped(
    catalog: Catalog, embedder: Embedder
) -> None:
    choking = Corpus(catalog, Choking(embedder, "chalk", MemoryError()))
    Corpus(catalog, embedder).put(lamp=LAMP, boat=TEXTS["boat.txt"])
    new = choking.begin()
    assert choking.build(new) == {"lamp.txt": "embed: lamp.txt could not be ingested (MemoryError)."}
    assert catalog.generations.extent(new).missing == 1
    with pytest.raises(WrongState, match=r"lacks 1 documents .*'lamp.txt' \(embed: .*nothing was swapped"):
        choking.swap(new)
    catalog.documents.delete(CORPUS, ["lamp.txt"])
    choking.swap(new)
    assert catalog.generations.serving(CORPUS).id == new.id


_KILLED = """
import os, sys
from pathlib import Path
from rag.store.catalog import Catalog
from rag.models.embed import load_embedder
from tests.ingest.test_generations import Corpus
corpus = Corpus(Catalog(Path(sys.argv[1])), load_embedder())
corpus.build(corpus.begin(), lambda: os.kill(os.getpid(), 9))
"""


def test_a_build_that_was_killed_goes_on(corpus: Corpus, embedder: Embedder) -> None:
    corpus.put(**{f"note{n}": f"Note {n} tells of storm number {n}. It was a long night." for n in range(30)})
    killed = subprocess.run(
        [sys.executable, "-c", _KILLED, str(corpus.catalog.home)],
        cwd=Path(__file__).parents[2],
        check=False,
    )
    assert killed.returncode == -9
    [_, begun] = corpus.catalog.generations.of(CORPUS)
    done = corpus.catalog.generations.extent(begun)
    assert 0 < done.documents < 33

    again = Corpus(corpus.catalog, Choking(embedder, "\0", Exception()))
    assert again.begin() == begun
    made: list[int] = []
    again.build(begun, lambda: made.append(1))
    assert len(made) == done.missing
    assert corpus.catalog.generations.extent(begun).missing == 0


def test_a_file_that_is_read_while_another_generation_comes_to_serve_is_made_for_that(corpus: Corpus) -> None:
    new = corpus.begin()
    corpus.build(new)

    def wanted() -> bool:
        if corpus.catalog.generations.serving(CORPUS).id != new.id:
            corpus.swap(new)
        return True

    late = Source("late.txt", f"The late boat. {LAMP}".encode, wanted=wanted)
    [outcome] = corpus.builder.ingest(CORPUS, [late])
    assert (outcome.state, corpus.catalog.generations.extent(new).missing) == ("added", 0)
    assert corpus.found("late boat")["late.txt"] < len(LAMP)


def test_a_question_ends_in_the_generation_that_it_began_in(corpus: Corpus) -> None:
    new = corpus.begin()
    corpus.build(new)
    first = corpus.catalog.generations.serving(CORPUS).id

    def swapping(stage: str, *_: object) -> None:
        if stage == "retrieve":
            corpus.swap(new)

    answer = corpus.pipeline.ask(CORPUS, LAMP_QUESTION, on_stage=swapping)
    assert {hit.chunk.generation for ranking in answer.trace.rankings.values() for hit in ranking} == {first}
    assert answer.answerable
    again = corpus.pipeline.ask(CORPUS, LAMP_QUESTION)
    assert {hit.chunk.generation for ranking in again.trace.rankings.values() for hit in ranking} == {new.id}


def test_a_clock_that_was_set_back_changes_nothing_of_a_rollback(corpus: Corpus) -> None:
    second, third = corpus.begin(), corpus.begin(chunk_tokens=20)
    corpus.swap(second)
    with corpus.catalog.database.write() as transaction:
        transaction.execute("UPDATE generations SET served = served + 3600")  # as the clock was then
    corpus.swap(third)
    assert generations.previous(corpus.catalog, CORPUS).id == second.id
    corpus.swap(second)
    assert generations.previous(corpus.catalog, CORPUS).id == third.id
    assert third.id not in [one.id for one in generations.needless(corpus.catalog, CORPUS)]


def test_pruning_leaves_what_is_needed(corpus: Corpus) -> None:
    catalog = corpus.catalog
    first, second, third = (
        catalog.generations.serving(CORPUS), corpus.begin(), corpus.begin(chunker="max_min", chunk_tokens=32)
    )  # fmt: skip
    for generation in (second, third):
        corpus.build(generation)
        corpus.swap(generation)
    newest = corpus.begin(chunk_tokens=20)
    assert [one.id for one in generations.needless(catalog, CORPUS)] == [first.id]
    assert [one.id for one in generations.needless(catalog, CORPUS, everything=True)] == [
        first.id, second.id, newest.id
    ]  # fmt: skip
    corpus.pipeline.index(CORPUS).catch_up()
    corpus.pipeline.save_indexes(always=True)
    for generation in (first, second, newest):
        catalog.generations.prune(generation)
    assert [one.id for one in catalog.generations.of(CORPUS)] == [third.id]
    assert count(catalog, "chunks") == catalog.generations.extent(third).chunks
    used = "SELECT count(DISTINCT embedding) FROM chunks"
    assert count(catalog, "embeddings") == catalog.database.read().execute(used).fetchone()[0]
    assert len(list((catalog.home / "indexes").iterdir())) == 1
    assert "whale oil" in corpus.pipeline.ask(CORPUS, LAMP_QUESTION).text
    with pytest.raises(WrongState, match="serves; it stays"):
        catalog.generations.prune(third)
    with pytest.raises(NotFound, match="pruned meanwhile"):
        corpus.build(second)
    with pytest.raises(NotFound, match="nothing to go back to"):
        generations.previous(catalog, CORPUS)


def test_snapshots_of_generations_that_are_no_more_go_with_the_next(corpus: Corpus) -> None:
    catalog = corpus.catalog
    corpus.pipeline.index(CORPUS).catch_up()
    corpus.pipeline.save_indexes(always=True)
    [path] = (catalog.home / "indexes").iterdir()
    (path.parent / path.name.replace("-1-", "-")).write_bytes(path.read_bytes())  # as before generations
    (path.parent / path.name.replace("-1-", "-9-")).write_bytes(path.read_bytes())
    corpus.put(cat="The cat is called Gannet.")
    corpus.pipeline.index(CORPUS).catch_up()
    corpus.pipeline.save_indexes(always=True)
    assert list(path.parent.iterdir()) == [path]


def test_no_snapshot_stays_of_a_corpus_that_was_deleted_while_it_was_written(corpus: Corpus) -> None:
    index = corpus.pipeline.index(CORPUS)
    index.catch_up()
    corpus.catalog.delete_corpus(CORPUS)
    index.save(always=True)
    assert list((corpus.catalog.home / "indexes").iterdir()) == []


def test_a_model_that_is_not_to_be_had_is_named(corpus: Corpus) -> None:
    stranger = corpus.catalog.generations.begin(CORPUS, Recipe("0123", "trunk"))
    with pytest.raises(OtherEmbedder, match=r"'trunk' is by now; set IBID_EMBEDDER .*ibid generations build"):
        corpus.builder.maker(stranger)
