"""Edge cases of generations: pruned or deleted during a question or a build, missing models, old folders."""

import shutil
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from ingest.pieces import PieceMaker
from ingest.rebuild import candidate, catch_up
from rag.errors import NotFound, OtherEmbedder
from rag.models import trunk
from rag.models.embed import Embedder, SentenceTransformersEmbedder, TokenVectors, embedder_of
from rag.pipeline import QUESTION_ATTEMPTS, Pipeline
from rag.recipe import not_in_force, recipe_of
from rag.settings import Settings
from rag.stages import ModelSet
from rag.store.catalog import Catalog
from rag.store.generations import Generation
from rag.types import Recipe
from tests.made_versions import CORPUS, Library, count
from tests.typed import Ibid

SEA = "The lamp of the lighthouse burns whale oil.\nAda Quill lights the lamp at dusk."
LAMP = "What does the lamp of the lighthouse burn?"


class Embedding:
    """An embedder that does something before it embeds for the first time."""

    def __init__(self, embedder: Embedder, before: Callable[[], object]) -> None:
        self._embedder, self._to_do = embedder, [before]
        self.fingerprint, self.dimension = embedder.fingerprint, embedder.dimension
        self.max_tokens = embedder.max_tokens

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        while self._to_do:
            self._to_do.pop()()
        return self._embedder.encode(texts)

    def encode_tokens(self, texts: Sequence[str]) -> list[TokenVectors]:
        return self._embedder.encode_tokens(texts)

    def token_offsets(self, text: str) -> np.ndarray:
        return self._embedder.token_offsets(text)


def begun(library: Library, chunker: str = "packed", chunk_tokens: int = 60) -> Generation:
    made = Recipe(library.embedder.fingerprint, chunker=chunker, chunk_tokens=chunk_tokens)
    return library.catalog.generations.begin(CORPUS, made)


@pytest.mark.parametrize("stage", ["embed", "retrieve"])
def test_a_question_is_answered_though_its_generation_is_pruned_meanwhile(
    library: Library, stage: str
) -> None:
    catalog = library.catalog
    library.put("sea.txt", SEA)
    old, new = catalog.generations.serving(CORPUS), begun(library)
    catch_up(catalog, PieceMaker(catalog, new, library.embedder))
    pipeline = Pipeline(
        Settings(home=Path("unused")), catalog, ModelSet(Settings(home=Path("unused")), library.embedder)
    )

    def swap_and_prune(done: str, *_: object) -> None:
        if done == stage and catalog.generations.exists(old):
            assert catalog.generations.swap(new)
            catalog.generations.prune(old)

    answer = pipeline.ask(CORPUS, LAMP, on_stage=swap_and_prune)
    assert "burns whale oil" in answer.text
    assert catalog.generations.serving(CORPUS) != old

    old, new = catalog.generations.serving(CORPUS), begun(library, chunk_tokens=80)
    catch_up(catalog, PieceMaker(catalog, new, library.embedder))
    assert pipeline.search(CORPUS, LAMP, on_stage=swap_and_prune).hits
    assert catalog.generations.serving(CORPUS).id == new.id


def test_a_question_outlives_more_prunes_than_changes_of_what_it_cites(library: Library) -> None:
    catalog = library.catalog
    library.put("sea.txt", SEA)
    pipeline = Pipeline(
        Settings(home=Path("unused")), catalog, ModelSet(Settings(home=Path("unused")), library.embedder)
    )
    sizes = list(range(60, 60 + 2 * QUESTION_ATTEMPTS))

    def renew(done: str, *_: object) -> None:
        if done == "embed" and sizes:
            old, new = catalog.generations.serving(CORPUS), begun(library, chunk_tokens=sizes.pop())
            catch_up(catalog, PieceMaker(catalog, new, library.embedder))
            assert catalog.generations.swap(new)
            catalog.generations.prune(old)

    assert "burns whale oil" in pipeline.ask(CORPUS, LAMP, on_stage=renew).text
    assert sizes == []


def test_what_is_deleted_while_it_is_built_leaves_no_checkpoint(library: Library) -> None:
    catalog = library.catalog
    told = "In {} the keeper of lamp {} told every guest of its oil and of its wick."
    text = "\n\n".join(" ".join(told.format(year, lamp) for lamp in range(4)) for year in range(1800, 1840))
    library.put("long.txt", text)
    library.put("sea.txt", SEA)
    generation = begun(library, chunker="sentence_window", chunk_tokens=20)
    deleting = Embedding(library.embedder, lambda: catalog.documents.delete(CORPUS, ["long.txt"]))
    reasons = catch_up(catalog, PieceMaker(catalog, generation, deleting))
    assert reasons == {}
    assert count(catalog, "checkpoints") == 0
    assert (
        catalog.generations.extent(generation).documents,
        catalog.generations.extent(generation).missing,
    ) == (1, 0)


def test_a_deleted_corpus_leaves_no_changes(library: Library) -> None:
    library.put("sea.txt", SEA)
    library.catalog.delete_corpus(CORPUS)
    assert count(library.catalog, "changes") == 0


def test_after_a_rollback_swap_says_how_to_go_forth_again(library: Library) -> None:
    catalog = library.catalog
    library.put("sea.txt", SEA)
    old, new = catalog.generations.serving(CORPUS), begun(library)
    catch_up(catalog, PieceMaker(catalog, new, library.embedder))
    assert catalog.generations.swap(new)
    assert catalog.generations.swap(old)
    with pytest.raises(NotFound, match=r"no new generation.*--generation"):
        candidate(catalog, CORPUS)
    assert candidate(catalog, CORPUS, new.id).id == new.id


def test_a_corpus_whose_model_is_not_named_is_not_rebuilt_as_it_is_already(
    ibid: Ibid, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sea.txt").write_text(SEA, encoding="utf-8")
    home = tmp_path / "old"
    monkeypatch.setenv("IBID_HOME", str(home))
    assert ibid("ingest", "--corpus", "sea", str(tmp_path / "sea.txt")).code == 0
    with closing(Catalog(home)) as catalog, catalog.database.write() as transaction:
        transaction.execute("UPDATE generations SET model = ''")
    done = ibid("generations", "build", "--corpus", "sea")
    assert (done.code, "is made so already" in done.err) == (1, True)
    assert ibid("generations", "build", "--corpus", "sea", "--chunk-tokens", "60").code == 0


def test_a_folder_is_named_so_that_any_process_finds_it(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model").mkdir()
    monkeypatch.chdir(tmp_path)
    settings = Settings(home=tmp_path, embedder="model")
    recipe = recipe_of(settings, "fingerprint")
    assert recipe.model == str(tmp_path / "model")
    library.catalog.create_corpus(CORPUS, recipe)
    assert not_in_force(CORPUS, library.catalog.generations.serving(CORPUS).recipe, settings) == ""
    assert recipe_of(Settings(home=tmp_path), "fingerprint").model == "trunk"


def test_a_model_that_is_gone_or_another_is_told_with_the_corpus(library: Library, tmp_path: Path) -> None:
    catalog, model = library.catalog, tmp_path / "model"
    catalog.create_corpus(CORPUS, Recipe("of the first model", str(model)))
    with pytest.raises(OtherEmbedder, match=rf"embedded corpus '{CORPUS}'.*not load.*generations list"):
        embedder_of(CORPUS, catalog.generations.serving(CORPUS).recipe, library.embedder)
    shutil.copytree(trunk.trunk_folder(), model)
    with pytest.raises(OtherEmbedder, match="is by now"):
        embedder_of(CORPUS, catalog.generations.serving(CORPUS).recipe, library.embedder)


def test_a_model_that_took_the_place_of_another_is_loaded(library: Library, tmp_path: Path) -> None:
    catalog, model = library.catalog, tmp_path / "model"
    shutil.copytree(trunk.trunk_folder(), model)
    first = SentenceTransformersEmbedder(str(model))
    catalog.create_corpus("first", Recipe(first.fingerprint, str(model)))
    assert (
        embedder_of("first", catalog.generations.serving("first").recipe, library.embedder).fingerprint
        == first.fingerprint
    )
    next(iter(first._model.parameters())).data.view(-1)[-1] += 0.5
    first._model.save(str(model))
    second = SentenceTransformersEmbedder(str(model))
    assert second.fingerprint != first.fingerprint
    catalog.create_corpus("second", Recipe(second.fingerprint, str(model)))
    found = embedder_of("second", catalog.generations.serving("second").recipe, library.embedder)
    assert found.fingerprint == second.fingerprint
    assert embedder_of("second", catalog.generations.serving("second").recipe, library.embedder) is found
