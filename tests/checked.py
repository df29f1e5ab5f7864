"""Invariants after each step of any history: both processes store, find and serve exactly what the model does.

The rules that make the history are in tests/test_stateful.py.
"""

import hashlib
import re
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
)

from ingest import rebuild as generations
from ingest.portable import Portable
from ingest.source import Source
from rag.errors import NotFound
from rag.store.catalog import Catalog
from rag.store.corpora import corpus_stem
from rag.store.filters import Filter
from rag.store.generations import Generation
from rag.types import Hit, Recipe
from tests.modelled import CORPUS, EMBEDDERS, RECIPES, WORDS, Model, Place, Process, embedded

COMMON = (
    "The ferry returns to the harbour at dusk.",
    "Nobody has seen the keeper since Monday.",
    "Ropes and lamps are kept in the shed.",
)
# A corpus of these texts, each a chunk that others may share; it never changes
BYSTANDER = "bystander"
ALONE = Recipe(WORDS.fingerprint, chunker="sentence_window", chunk_tokens=16)
SHELVES = ("", "north", "south")
# Steps between two observations of the first process
SELDOM = 4
# The last deleted words, which are searched for
LATELY = 12
RARE = re.compile(r"\b(?:[bdfgklmn][aiou]){3}x\b")


recipes = st.sampled_from(RECIPES)


class Checked(RuleBasedStateMachine):
    """Two processes on one data folder, the model of its content, and the comparisons after each step."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.home = Path(self._folder.name) / "home"
        self.archive = Path(self._folder.name) / "backup.tar"
        self.processes = [Process(self.home), Process(self.home)]
        self.model, self.saved = Model(), Model()
        self.words: list[str] = []  # that were ever in a document
        self.steps = 0

    def teardown(self) -> None:
        for process in self.processes:
            process.close()
        self._folder.cleanup()

    @initialize(recipe=recipes, other=recipes)
    def begin(self, recipe: Recipe, other: Recipe) -> None:
        process = self.processes[0]
        process.catalog.create_corpus(BYSTANDER, ALONE)
        text = " ".join(COMMON)
        process.catalog.originals.keep(text.encode())
        list(process.builder.ingest(BYSTANDER, [Source("a.txt", text.encode)]))
        self._create_corpus(process, recipe)
        self._catch_up(process, self._begun(process, other))

    # invariants

    @invariant()
    def the_documents_are_those_of_the_model(self) -> None:
        chunks = self.model.chunks(self.model.serving)
        expected = {
            name: (
                held.version,
                dict(held.metadata),
                _sha256(held.text),
                sum(place[0] == name for place in chunks),
            )
            for name, held in self.model.documents.items()
        }
        for process in self.processes:
            listed = process.catalog.documents.infos(CORPUS)
            assert {
                one.name: (one.version, one.metadata, one.sha256, one.chunks) for one in listed
            } == expected
            texts = {one.name: process.catalog.documents.get(CORPUS, one.name).text for one in listed}
            assert texts == {name: held.text for name, held in self.model.documents.items()}
            known = process.catalog.generations.of(CORPUS)
            assert {one.id: one.recipe for one in known} == self.model.recipes
            assert [one.id for one in known if one.serves] == [self.model.serving]

    @invariant()
    def what_would_serve_next_and_what_would_be_pruned_are_told(self) -> None:
        catalog, model = self.processes[1].catalog, self.model
        assert _told(generations.previous, catalog) == model.previous
        assert _told(generations.candidate, catalog) == model.candidate()
        for everything in (False, True):
            pruned = generations.needless(catalog, CORPUS, everything=everything)
            assert [one.id for one in pruned] == model.needless(everything=everything)

    @invariant()
    def nothing_else_is_stored(self) -> None:
        stored, database = self._stored(), self.processes[1].catalog.database.read()
        for generation, places in stored.items():
            whole = self.model.chunks(generation)
            for name in {place[0] for place in places}:  # a document is complete or absent
                expected = {place for place in whole if place[0] == name}
                assert {place for place in places if place[0] == name} == expected
            lacking = {place[0] for place in whole.keys() - places}
            [asked] = [
                one for one in self.processes[1].catalog.generations.of(CORPUS) if one.id == generation
            ]
            assert self.processes[1].catalog.generations.extent(asked).missing == len(lacking)
            assert not lacking or generation != self.model.serving
        assert database.execute("SELECT count(*) FROM chunks").fetchone()[0] == sum(
            map(len, [*stored.values(), COMMON])
        )
        embeddings = {row["key"] for row in database.execute("SELECT key FROM embeddings")}
        assert embeddings == {row["embedding"] for row in database.execute("SELECT embedding FROM chunks")}
        originals = {path.name for path in (self.home / "originals").iterdir()}
        texts = [held.text for held in self.model.documents.values()]
        assert originals == set(map(_sha256, [*texts, " ".join(COMMON)]))
        assert all(path.name.startswith(self._stems()) for path in self._snapshots())

    @invariant()
    def the_second_process_finds_what_lives_and_nothing_else(self) -> None:
        self._check_search(self.processes[1])

    @invariant()
    def so_does_the_first_one(self) -> None:
        """It is asked only now and then, and then has several changes to catch up on."""
        self.steps += 1
        if self.steps % SELDOM == 0:
            self._check_search(self.processes[0])

    @invariant()
    def another_corpus_stays_as_it_is(self) -> None:
        found = self.processes[1].pipeline.search(BYSTANDER, "keeper")
        assert sorted(hit.text for hit in found.hits) == sorted(COMMON)

    # how

    def _create_corpus(self, process: Process, recipe: Recipe) -> None:
        """Make it from documents that share a sentence."""
        process.catalog.create_corpus(CORPUS, recipe)
        serving = process.catalog.generations.serving(CORPUS).id
        self.model.recipes[serving] = recipe
        self.model.serve(serving)
        for name in ("a.txt", "b.txt", "c.txt"):
            self._ingest(process, name, self._written([0, len(COMMON), 1]), "")

    def _written(self, kinds: Sequence[int]) -> str:
        """Return a text whose first sentence, and others, contain a word that no other text ever contained."""
        return " ".join(
            COMMON[kind] if kind < len(COMMON) else self._rare() for kind in [len(COMMON), *kinds]
        )

    def _rare(self) -> str:
        number, syllables = len(self.words), []
        for _ in range(3):
            number, syllable = divmod(number, 32)
            syllables.append("bdfgklmn"[syllable // 4] + "aiou"[syllable % 4])
        self.words.append("".join([*syllables, "x"]))
        return f"The {self.words[-1]} lies in the third drawer."

    def _picked(self, pick: int) -> tuple[str, str]:
        """Return a document's name and text."""
        name = sorted(self.model.documents)[pick % len(self.model.documents)]
        return name, self.model.documents[name].text

    def _waiting(self, pick: int) -> int:
        """Return a generation that does not serve."""
        waiting = [one for one in self.model.recipes if one != self.model.serving]
        return waiting[pick % len(waiting)]

    def _ingest(self, process: Process, name: str, text: str, shelf: str) -> None:
        given = {"shelf": shelf} if shelf else {}
        held = self.model.documents.get(name)
        process.catalog.originals.keep(text.encode())
        [outcome] = process.builder.ingest(CORPUS, [Source(name, text.encode, given)])
        if held is not None and (held.text, held.given) == (text, given):
            assert outcome.state == "unchanged"
            return
        version = self.model.put(name, text, given, {"format": "txt", **given})
        state = "added" if held is None else "updated"
        assert (outcome.state, outcome.version) == (state, version), outcome.error

    def _delete(self, process: Process, name: str) -> None:
        process.catalog.documents.delete(CORPUS, [name])
        del self.model.documents[name]

    def _take(self, process: Process, name: str, text: str, least: int, shelf: str) -> None:
        metadata = {"format": "txt", "shelf": shelf}
        held = self.model.documents.get(name)
        process.catalog.originals.keep(text.encode())
        portable = Portable(name, least, _sha256(text), metadata, (), text)
        [outcome] = process.builder.take(CORPUS, [portable])
        if held is not None and (held.text, held.metadata) == (text, metadata):
            assert outcome.state == "unchanged"
            return
        version = self.model.put(name, text, metadata, metadata, least)
        state = "added" if held is None else "updated"
        assert (outcome.state, outcome.version) == (state, version), outcome.error

    def _begun(self, process: Process, recipe: Recipe) -> Generation:
        generation = process.catalog.generations.begin(CORPUS, recipe)
        waiting = [
            one for one, made in self.model.recipes.items() if made == recipe and one != self.model.serving
        ]
        assert generation.id in waiting[-1:] or (not waiting and generation.id > max(self.model.recipes))
        self.model.recipes[generation.id] = recipe
        return generation

    def _catch_up(
        self, process: Process, generation: Generation, on_document: Callable[[], object] = lambda: None
    ) -> None:
        assert generations.catch_up(process.catalog, process.builder.maker(generation), on_document) == {}

    def _stored(self) -> dict[int, set[Place]]:
        """Return the places of the stored chunks of each generation; each is the text at its place."""
        stored: dict[int, set[Place]] = {generation: set() for generation in self.model.recipes}
        query = (
            'SELECT generation, name, k.version, start, "end", k.text FROM chunks k '
            "JOIN documents d ON d.row = k.document WHERE corpus = ?"
        )
        rows = self.processes[1].catalog.database.read().execute(query, (CORPUS,))
        for generation, name, version, start, end, text in rows:
            assert text == self.model.documents[name].text[start:end]
            stored[generation].add((name, version, start, end))
        return stored

    def _check_search(self, process: Process, filter_: Filter | None = None) -> None:
        """Ask for every live word and for some deleted ones, by words and by meaning."""
        index = process.pipeline.index(CORPUS)
        recipe = self.model.recipes[self.model.serving]
        everything = self.model.chunks(self.model.serving)
        assert (index.generation.id, len(index)) == (self.model.serving, len(everything))
        living = set(RARE.findall(" ".join(held.text for held in self.model.documents.values())))
        dead = [word for word in self.words if word not in living]
        question = " ".join(["nothing", *sorted(living), *dead[-LATELY:]])
        found = process.pipeline.search(CORPUS, question, k=1000, filter_=filter_)
        shelf = None if filter_ is None else filter_["shelf"]
        allowed = {
            place: text
            for place, text in everything.items()
            if shelf is None or self.model.documents[place[0]].metadata.get("shelf") == shelf
        }
        self._check_hits(found.hits)
        assert _places(found.hits) == sorted(allowed)
        lexical = [place for place, text in allowed.items() if RARE.search(text)]
        assert _places(found.trace.rankings["lexical"]) == sorted(lexical)
        dense = found.trace.rankings["dense"]
        asked = EMBEDDERS[recipe.embedder].encode([question])[0]
        cosines = {place: float(embedded(recipe, text) @ asked) for place, text in allowed.items()}
        assert {_place(hit): hit.score for hit in dense} == pytest.approx(cosines, abs=1e-5)
        assert np.all(np.diff([hit.score for hit in dense]) <= 0)

    def _check_hits(self, hits: Sequence[Hit]) -> None:
        for hit in hits:
            held = self.model.documents[hit.chunk.document]
            assert (hit.chunk.version, hit.text) == (held.version, held.text[hit.start : hit.end])
            assert hit.chunk.generation == self.model.serving

    def _stems(self) -> tuple[str, ...]:
        """Return the headers of the snapshots of live generations."""
        return tuple(f"{corpus_stem(CORPUS)}-{generation}-" for generation in self.model.recipes)

    def _snapshots(self) -> list[Path]:
        return sorted((self.home / "indexes").glob(f"*{corpus_stem(CORPUS)}*"))


def _told(choose: Callable[[Catalog, str], Generation], catalog: Catalog) -> int | None:
    try:
        return choose(catalog, CORPUS).id
    except NotFound:
        return None


def _place(hit: Hit) -> Place:
    return hit.chunk.document, hit.chunk.version, hit.start, hit.end


def _places(hits: Sequence[Hit]) -> list[Place]:
    return sorted(map(_place, hits))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
