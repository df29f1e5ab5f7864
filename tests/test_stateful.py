"""Any history of a corpus, with restarts, damage and a second process, holds what a plain dictionary holds.

Two processes share a data folder: the first one is restarted, the second one stays. After each step both must hold,
find and serve exactly what the model does (tests/modelled.py), and nothing of what is gone may be left in a table or
file. pytest runs the same few histories each time; `python -m tests.test_stateful 15` runs new ones for 15 minutes.
"""

import hashlib
import re
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from ingest import generations
from ingest.portable import Portable
from ingest.source import Source
from rag.backup import restore_backup, write_backup
from rag.catalog import Catalog
from rag.errors import NotFound, StorageError, WrongState
from rag.filters import Filter
from rag.generations import Generation, Recipe
from rag.pipeline import Pipeline
from rag.rename import rename_document
from rag.snapshot import corpus_stem
from rag.types import Hit
from tests.modelled import CORPUS, EMBEDDERS, RECIPES, WORDS, Model, Place, Process, embedded

COMMON = (
    "The ferry returns to the harbour at dusk.",
    "Nobody has seen the keeper since Monday.",
    "Ropes and lamps are kept in the shed.",
)
BYSTANDER = "bystander"  # a corpus that holds those, each a chunk that others may share, and never changes
ALONE = Recipe(WORDS.fingerprint, chunker="sentence_window", chunk_tokens=16)
SHELVES = ("", "north", "south")
SELDOM = 4  # steps between two looks of the first process
LATELY = 12  # words that died last and are asked for
RARE = re.compile(r"\b(?:[bdfgklmn][aiou]){3}x\b")

who = st.integers(0, 1)  # the process that does it
names = st.sampled_from([f"{letter}.txt" for letter in "abcd"])
two_names = st.lists(names, min_size=2, max_size=2, unique=True)
sentences = st.lists(st.integers(0, len(COMMON)), max_size=5)
many_sentences = st.lists(st.integers(0, len(COMMON)), min_size=4, max_size=6)
shelves = st.sampled_from(SHELVES)
recipes = st.sampled_from(RECIPES)
picks = st.integers(0, 7)


class Stopped(Exception):
    """The work ended here, as by a kill."""


class Histories(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.home = Path(self._folder.name) / "home"
        self.archive = Path(self._folder.name) / "backup.tar"
        self.processes = [Process(self.home), Process(self.home)]
        self.model, self.saved = Model(), Model()
        self.words: list[str] = []  # that ever stood in a document
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
        process.catalog.keep_original(text.encode())
        list(process.builder.ingest(BYSTANDER, [Source("a.txt", text.encode)]))
        self._create_corpus(process, recipe)
        self._catch_up(process, self._begun(process, other))

    # documents

    @rule(who=who, name=names, kinds=sentences, shelf=shelves)
    def ingest(self, who: int, name: str, kinds: list[int], shelf: str) -> None:
        self._ingest(self.processes[who], name, self._written(kinds), shelf)

    @precondition(lambda self: self.model.documents)
    @rule(who=who, name=st.none() | names, pick=picks, shelf=shelves)
    def ingest_what_stands_already(self, who: int, name: str | None, pick: int, shelf: str) -> None:
        held, text = self._picked(pick)
        self._ingest(self.processes[who], name or held, text, shelf)

    @rule(who=who, name=names, kinds=sentences, version=st.integers(1, 6), shelf=shelves)
    def take(self, who: int, name: str, kinds: list[int], version: int, shelf: str) -> None:
        self._take(self.processes[who], name, self._written(kinds), version, shelf)

    @precondition(lambda self: self.model.documents)
    @rule(who=who, name=st.none() | names, pick=picks, version=st.integers(1, 6), shelf=shelves)
    def take_what_stands_already(
        self, who: int, name: str | None, pick: int, version: int, shelf: str
    ) -> None:
        held, text = self._picked(pick)
        self._take(self.processes[who], name or held, text, version, shelf)

    @rule(who=who, gone=st.lists(names, min_size=1, max_size=2))
    def delete(self, who: int, gone: list[str]) -> None:
        catalog = self.processes[who].catalog
        if set(gone) <= self.model.documents.keys():
            catalog.delete_documents(CORPUS, gone)
            for name in set(gone):
                del self.model.documents[name]
        else:
            with pytest.raises(NotFound, match="nothing was deleted"):
                catalog.delete_documents(CORPUS, gone)

    @rule(who=who, pair=two_names)
    def rename(self, who: int, pair: list[str]) -> None:
        old, new = pair
        catalog, held = self.processes[who].catalog, self.model.documents
        if old in held and new not in held:
            rename_document(catalog, CORPUS, old, new)
            moved = held.pop(old)
            self.model.put(new, moved.text, moved.given, moved.metadata)
        else:
            with pytest.raises(NotFound):
                rename_document(catalog, CORPUS, old, new)

    # questions

    @rule(who=who, shelf=shelves)
    def search_a_shelf(self, who: int, shelf: str) -> None:
        self._check_search(self.processes[who], {"shelf": shelf})

    @precondition(lambda self: self.model.documents)
    @rule(who=who, pick=picks)
    def search_while_a_document_leaves(self, who: int, pick: int) -> None:
        name, text = self._picked(pick)

        def leaves(stage: str, _: float) -> None:
            if stage == "retrieve":
                self._delete(self.processes[1 - who], name)

        word = RARE.findall(text)[0]
        found = self.processes[who].pipeline.search(CORPUS, f"Where is the {word}?", on_stage=leaves)
        assert name not in {hit.chunk.document for hit in found.hits}
        self._check_hits(found.hits)

    @precondition(lambda self: self.model.documents)
    @rule(who=who, pick=picks)
    def ask(self, who: int, pick: int) -> None:
        name, text = self._picked(pick)
        word = RARE.findall(text)[-1]
        answer = self.processes[who].pipeline.ask(CORPUS, f"Where does the {word} lie?")
        for citation in answer.citations:
            held = self.model.documents[citation.document]
            assert citation.version == held.version
            assert citation.quote == held.text[citation.start : citation.end]
        lexical = answer.trace.rankings["lexical"]
        assert {hit.chunk.document for hit in lexical if word in hit.text} >= {name}
        self._check_hits(lexical)

    # restarts

    @rule(
        save=st.booleans(),
        damage=st.sampled_from(["none", "deleted", "flipped"]),
        at=st.floats(0, 1, exclude_max=True),
        bit=st.integers(0, 7),
    )
    def restart(self, save: bool, damage: str, at: float, bit: int) -> None:
        if save:
            self.processes[0].pipeline.save_indexes(always=True)
        self.processes[0].close()
        for path in self._snapshots():
            if damage == "deleted":
                path.unlink()
            elif damage == "flipped":
                content = bytearray(path.read_bytes())
                content[int(at * len(content))] ^= 1 << bit
                path.write_bytes(content)
        self.processes[0] = Process(self.home)
        self._check_search(self.processes[0])

    @rule(who=who)
    def set_the_clock_back(self, who: int) -> None:
        with self.processes[who].catalog.write() as transaction:
            transaction.execute("UPDATE generations SET served = served + 3600")

    @rule(who=who)
    def save(self, who: int) -> None:
        self.processes[who].pipeline.save_indexes(always=True)

    @rule(who=who)
    def back_up(self, who: int) -> None:
        write_backup(self.processes[who].catalog, self.archive)
        self.saved = deepcopy(self.model)

    @precondition(lambda self: self.saved.recipes)
    @rule(more=st.lists(names, min_size=2, max_size=6))
    def restore(self, more: list[str]) -> None:
        with pytest.raises(StorageError, match="has the data folder"):
            restore_backup(self.archive, self.home, force=True)
        self.processes[0].pipeline.save_indexes(always=True)
        undone = {path: path.read_bytes() for path in self._snapshots()}
        for process in self.processes:
            process.close()
        restore_backup(self.archive, self.home, force=True)
        assert not (self.home / "indexes").exists()
        self.model = deepcopy(self.saved)
        self.processes = [Process(self.home), Process(self.home)]
        for name in more:  # so that the log comes as far as it was
            self._ingest(self.processes[1], name, self._written([0]), "")
        self.processes[0].close()
        for path, content in undone.items():  # as a copy of the folder may bring them back
            if path.name.startswith(self._stems()):
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(content)
        self.processes[0] = Process(self.home)
        self._check_search(self.processes[0])

    # generations

    @rule(who=who, recipe=recipes)
    def build(self, who: int, recipe: Recipe) -> None:
        generation = self._begun(self.processes[who], recipe)
        self._catch_up(self.processes[who], generation)
        assert self.processes[who].catalog.extent(generation).missing == 0

    @rule(who=who, recipe=recipes, count=st.integers(1, 3))
    def build_a_part(self, who: int, recipe: Recipe, count: int) -> None:
        catalog = self.processes[who].catalog
        generation = self._begun(self.processes[who], recipe)
        missing = catalog.extent(generation).missing
        done: list[None] = []

        def stop() -> None:
            done.append(None)
            if len(done) == count:
                raise Stopped

        with suppress(Stopped):
            self._catch_up(self.processes[who], generation, stop)
        assert catalog.extent(generation).missing == max(0, missing - count)

    @precondition(lambda self: self.model.documents)
    @rule(who=who, recipe=recipes, pick=picks, event=st.sampled_from(["leaves", "changes", "is built"]))
    def build_while_a_document_changes(self, who: int, recipe: Recipe, pick: int, event: str) -> None:
        name, text = self._picked(pick)
        generation = self._begun(self.processes[who], recipe)
        other = self.processes[1 - who]
        events: dict[str, Callable[[], object]] = {
            "leaves": lambda: self._delete(other, name),
            "changes": lambda: self._ingest(other, name, f"{text} {COMMON[0]}", ""),
            "is built": lambda: self._catch_up(other, generation),
        }
        waiting = [events[event]]

        def change() -> None:
            if waiting:
                waiting.pop()()

        self._catch_up(self.processes[who], generation, change)
        self._catch_up(self.processes[who], generation)  # what came with the last group
        assert self.processes[who].catalog.extent(generation).missing == 0

    @precondition(lambda self: len(self.model.recipes) > 1)
    @rule(who=who, pick=picks, tried=st.booleans())
    def swap(self, who: int, pick: int, tried: bool) -> None:
        process = self.processes[who]
        generation = generations.candidate(process.catalog, CORPUS, self._waiting(pick))
        maker = process.builder.maker(generation)
        if tried:
            self._catch_up(process, generation)
            trying = Pipeline(process.settings, process.catalog, WORDS, trying=generation)
            assert len(trying.index(CORPUS)) == len(self.model.chunks(generation.id))
            trying.save_indexes(always=True)
        generations.swap(process.catalog, maker)
        self.model.serve(generation.id)

    @precondition(lambda self: len(self.model.recipes) > 1)
    @rule(who=who, pick=picks)
    def swap_at_once(self, who: int, pick: int) -> None:
        """Without catching up: refused where a document is missing."""
        catalog = self.processes[who].catalog
        generation = generations.candidate(catalog, CORPUS, self._waiting(pick))
        whole = self._stored()[generation.id] == self.model.chunks(generation.id).keys()
        assert catalog.swap(generation) == whole
        if whole:
            self.model.serve(generation.id)

    @precondition(lambda self: self.model.previous)
    @rule(who=who)
    def roll_back(self, who: int) -> None:
        process = self.processes[who]
        generation = generations.previous(process.catalog, CORPUS)
        generations.swap(process.catalog, process.builder.maker(generation))
        self.model.serve(generation.id)

    @precondition(lambda self: len(self.model.recipes) > 1)
    @rule(who=who, pair=two_names, kinds=many_sentences, pick=picks)
    def ingest_across_a_swap(self, who: int, pair: list[str], kinds: list[int], pick: int) -> None:
        process, other = self.processes[who], self.processes[1 - who]
        number = self._waiting(pick)
        texts = [self._written(kinds), self._written([])]

        def read() -> bytes:
            generation = generations.candidate(other.catalog, CORPUS, number)
            generations.swap(other.catalog, other.builder.maker(generation))
            return texts[1].encode()

        sources = [Source(pair[0], texts[0].encode), Source(pair[1], read)]
        for text in texts:
            process.catalog.keep_original(text.encode())
        outcomes = list(process.builder.ingest(CORPUS, sources))
        self.model.serve(number)
        for name, text, outcome in zip(pair, texts, outcomes, strict=True):
            state = "updated" if name in self.model.documents else "added"
            version = self.model.put(name, text, {}, {"format": "txt"})
            assert (outcome.name, outcome.state, outcome.version) == (name, state, version), outcome.error

    @rule(who=who, everything=st.booleans())
    def prune(self, who: int, everything: bool) -> None:
        catalog = self.processes[who].catalog
        for generation in generations.needless(catalog, CORPUS, everything=everything):
            catalog.prune_generation(generation)
            self.model.forget(generation.id)
        with pytest.raises(WrongState, match="it stays"):
            catalog.prune_generation(catalog.serving(CORPUS))

    @rule(who=who, recipe=recipes, seen=st.booleans())
    def delete_the_corpus_and_make_it_again(self, who: int, recipe: Recipe, seen: bool) -> None:
        assert self.processes[who].catalog.delete_corpus(CORPUS) == len(self.model.documents)
        assert self._snapshots() == []
        for process in self.processes if seen else ():
            with pytest.raises(NotFound):
                process.pipeline.search(CORPUS, COMMON[0])
        self.model.documents.clear()
        self.model.recipes.clear()
        self.model.served.clear()
        self._create_corpus(self.processes[who], recipe)

    # what always holds

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
            listed = process.catalog.documents(CORPUS)
            assert {
                one.name: (one.version, one.metadata, one.sha256, one.chunks) for one in listed
            } == expected
            texts = {one.name: process.catalog.document(CORPUS, one.name).text for one in listed}
            assert texts == {name: held.text for name, held in self.model.documents.items()}
            known = process.catalog.generations(CORPUS)
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
        stored, database = self._stored(), self.processes[1].catalog.read()
        for generation, places in stored.items():
            whole = self.model.chunks(generation)
            for name in {place[0] for place in places}:  # a document is there whole or not at all
                expected = {place for place in whole if place[0] == name}
                assert {place for place in places if place[0] == name} == expected
            lacking = {place[0] for place in whole.keys() - places}
            [asked] = [one for one in self.processes[1].catalog.generations(CORPUS) if one.id == generation]
            assert self.processes[1].catalog.extent(asked).missing == len(lacking)
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
        """It is asked now and then, and then has several changes to catch up on."""
        self.steps += 1
        if self.steps % SELDOM == 0:
            self._check_search(self.processes[0])

    @invariant()
    def another_corpus_stays_as_it_is(self) -> None:
        found = self.processes[1].pipeline.search(BYSTANDER, "keeper")
        assert sorted(hit.text for hit in found.hits) == sorted(COMMON)

    # how

    def _create_corpus(self, process: Process, recipe: Recipe) -> None:
        """Make it with documents that have a sentence in common."""
        process.catalog.create_corpus(CORPUS, recipe)
        serving = process.catalog.serving(CORPUS).id
        self.model.recipes[serving] = recipe
        self.model.serve(serving)
        for name in ("a.txt", "b.txt", "c.txt"):
            self._ingest(process, name, self._written([0, len(COMMON), 1]), "")

    def _written(self, kinds: Sequence[int]) -> str:
        """Return a text whose first sentence, and others, hold a word that no other text ever held."""
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
        process.catalog.keep_original(text.encode())
        [outcome] = process.builder.ingest(CORPUS, [Source(name, text.encode, given)])
        if held is not None and (held.text, held.given) == (text, given):
            assert outcome.state == "unchanged"
            return
        version = self.model.put(name, text, given, {"format": "txt", **given})
        state = "added" if held is None else "updated"
        assert (outcome.state, outcome.version) == (state, version), outcome.error

    def _delete(self, process: Process, name: str) -> None:
        process.catalog.delete_documents(CORPUS, [name])
        del self.model.documents[name]

    def _take(self, process: Process, name: str, text: str, least: int, shelf: str) -> None:
        metadata = {"format": "txt", "shelf": shelf}
        held = self.model.documents.get(name)
        process.catalog.keep_original(text.encode())
        portable = Portable(name, least, _sha256(text), metadata, (), text)
        [outcome] = process.builder.take(CORPUS, [portable])
        if held is not None and (held.text, held.metadata) == (text, metadata):
            assert outcome.state == "unchanged"
            return
        version = self.model.put(name, text, metadata, metadata, least)
        state = "added" if held is None else "updated"
        assert (outcome.state, outcome.version) == (state, version), outcome.error

    def _begun(self, process: Process, recipe: Recipe) -> Generation:
        generation = process.catalog.begin_generation(CORPUS, recipe)
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
        """Return where the stored chunks of each generation lie; each is the text at its place."""
        stored: dict[int, set[Place]] = {generation: set() for generation in self.model.recipes}
        query = (
            'SELECT generation, name, k.version, start, "end", k.text FROM chunks k '
            "JOIN documents d ON d.row = k.document WHERE corpus = ?"
        )
        rows = self.processes[1].catalog.read().execute(query, (CORPUS,))
        for generation, name, version, start, end, text in rows:
            assert text == self.model.documents[name].text[start:end]
            stored[generation].add((name, version, start, end))
        return stored

    def _check_search(self, process: Process, filter_: Filter | None = None) -> None:
        """Ask for every word that lives and for some that died, by words and by meaning."""
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
        """Return how the snapshots of living generations begin."""
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


def _settings(**more: Any) -> settings:
    return settings(deadline=None, database=None, suppress_health_check=list(HealthCheck), **more)


def test_any_history_holds_what_a_dictionary_holds() -> None:
    run_state_machine_as_test(
        Histories, settings=_settings(max_examples=30, stateful_step_count=40, derandomize=True)
    )


if __name__ == "__main__":
    ends, histories = time.monotonic() + 60 * float(sys.argv[1]), 0
    while time.monotonic() < ends:
        run_state_machine_as_test(Histories, settings=_settings(max_examples=20, stateful_step_count=50))
        histories += 20
    print(f"{histories} histories of up to 50 steps hold.")
