"""Any history of a corpus, with restarts, damage and a second process, leaves what a plain dictionary leaves.

Two processes share a data folder: the first is restarted, the second stays. After each step both must store, find and
    serve exactly what the model does (tests/modelled.py), and no deleted data may remain in a table or file. pytest
    runs the same few histories each time; `python -m tests.test_stateful 15` runs new ones for 15 minutes.
"""

import sys
import time
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    precondition,
    rule,
    run_state_machine_as_test,
)

from ingest import rebuild as generations
from ingest.source import Source
from rag.errors import NotFound, StorageError, WrongState
from rag.pipeline import Pipeline
from rag.stages import ModelSet
from rag.store.backup import restore_backup, write_backup
from rag.types import Recipe
from tests.checked import COMMON, RARE, SHELVES, Checked, recipes
from tests.modelled import CORPUS, WORDS, Process

who = st.integers(0, 1)  # the process that acts
names = st.sampled_from([f"{letter}.txt" for letter in "abcd"])
two_names = st.lists(names, min_size=2, max_size=2, unique=True)
sentences = st.lists(st.integers(0, len(COMMON)), max_size=5)
many_sentences = st.lists(st.integers(0, len(COMMON)), min_size=4, max_size=6)
shelves = st.sampled_from(SHELVES)
picks = st.integers(0, 7)


class Stopped(Exception):
    """The work ends here, as if killed."""


class Histories(Checked):
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
            catalog.documents.delete(CORPUS, gone)
            for name in set(gone):
                del self.model.documents[name]
        else:
            with pytest.raises(NotFound, match="nothing was deleted"):
                catalog.documents.delete(CORPUS, gone)

    @rule(who=who, pair=two_names)
    def rename(self, who: int, pair: list[str]) -> None:
        old, new = pair
        catalog, held = self.processes[who].catalog, self.model.documents
        if old in held and new not in held:
            catalog.documents.rename(CORPUS, old, new)
            moved = held.pop(old)
            self.model.put(new, moved.text, moved.given, moved.metadata)
        else:
            with pytest.raises(NotFound):
                catalog.documents.rename(CORPUS, old, new)

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
        with self.processes[who].catalog.database.write() as transaction:
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
        for name in more:  # so that the log gets as far as before
            self._ingest(self.processes[1], name, self._written([0]), "")
        self.processes[0].close()
        for path, content in undone.items():  # as a copy of the folder may restore them
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
        assert self.processes[who].catalog.generations.extent(generation).missing == 0

    @rule(who=who, recipe=recipes, count=st.integers(1, 3))
    def build_a_part(self, who: int, recipe: Recipe, count: int) -> None:
        catalog = self.processes[who].catalog
        generation = self._begun(self.processes[who], recipe)
        missing = catalog.generations.extent(generation).missing
        done: list[None] = []

        def stop() -> None:
            done.append(None)
            if len(done) == count:
                raise Stopped

        with suppress(Stopped):
            self._catch_up(self.processes[who], generation, stop)
        assert catalog.generations.extent(generation).missing == max(0, missing - count)

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
        self._catch_up(self.processes[who], generation)  # what the last group brought
        assert self.processes[who].catalog.generations.extent(generation).missing == 0

    @precondition(lambda self: len(self.model.recipes) > 1)
    @rule(who=who, pick=picks, tried=st.booleans())
    def swap(self, who: int, pick: int, tried: bool) -> None:
        process = self.processes[who]
        generation = generations.candidate(process.catalog, CORPUS, self._waiting(pick))
        maker = process.builder.maker(generation)
        if tried:
            self._catch_up(process, generation)
            trying = Pipeline(
                process.settings, process.catalog, ModelSet(process.settings, WORDS), trying=generation
            )
            assert len(trying.index(CORPUS)) == len(self.model.chunks(generation.id))
            trying.save_indexes(always=True)
        generations.swap(process.catalog, maker)
        self.model.serve(generation.id)

    @precondition(lambda self: len(self.model.recipes) > 1)
    @rule(who=who, pick=picks)
    def swap_at_once(self, who: int, pick: int) -> None:
        """Without catching up; refused if a document is missing."""
        catalog = self.processes[who].catalog
        generation = generations.candidate(catalog, CORPUS, self._waiting(pick))
        whole = self._stored()[generation.id] == self.model.chunks(generation.id).keys()
        assert catalog.generations.swap(generation) == whole
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
            process.catalog.originals.keep(text.encode())
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
            catalog.generations.prune(generation)
            self.model.forget(generation.id)
        with pytest.raises(WrongState, match="it stays"):
            catalog.generations.prune(catalog.generations.serving(CORPUS))

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


def _settings(**more: Any) -> settings:
    return settings(deadline=None, database=None, suppress_health_check=list(HealthCheck), **more)


def test_any_history_holds_what_a_dictionary_holds() -> None:
    run_state_machine_as_test(
        Histories, settings=_settings(max_examples=20, stateful_step_count=40, derandomize=True)
    )


if __name__ == "__main__":
    ends, histories = time.monotonic() + 60 * float(sys.argv[1]), 0
    while time.monotonic() < ends:
        run_state_machine_as_test(Histories, settings=_settings(max_examples=20, stateful_step_count=50))
        histories += 20
    print(f"{histories} histories of up to 50 steps hold.")
