"""A new corpus chooses its embedding model by the language of what comes first."""

from pathlib import Path

import pytest

from ingest.build import Builder
from ingest.languages import remark_on_job
from ingest.source import Source
from rag.models.embed import Embedder
from rag.models.multilingual.prepare import FINGERPRINT, is_available
from rag.pipeline import Pipeline
from rag.recipe import MULTILINGUAL, TRUNK, not_in_force, recipe_after, recipe_of
from rag.settings import Settings
from rag.stages import ModelSet
from rag.store.catalog import Catalog
from rag.store.jobs import JobFile, Upload
from rag.text.languages import language_of
from rag.types import Recipe

CORPUS = "haus"
GERMAN = "Die Kanne wiegt 1,3 Kilogramm und ist aus Stahl. Sie wird in Graz gebaut."
ENGLISH = "The kettle weighs 1.3 kilograms and it is made of steel. It is built in Graz."


def ingested(
    catalog: Catalog, embedder: Embedder, *texts: str, chosen: str = "auto"
) -> tuple[Builder, Recipe]:
    builder = Builder(catalog, embedder, Settings(home=Path(), embedder=chosen))
    sources = [Source(f"{len(text)}.txt", text.encode) for text in texts]
    outcomes = list(builder.ingest(CORPUS, sources))
    assert {outcome.state for outcome in outcomes} == {"added"}, outcomes
    return builder, catalog.generations.serving(CORPUS).recipe


def test_english_and_unclear_texts_keep_the_trunk(catalog: Catalog, embedder: Embedder) -> None:
    builder, recipe = ingested(catalog, embedder, ENGLISH, "ERR-0042 17.3 2.500")

    assert (recipe.embedder, recipe.model, builder.remarks) == (embedder.fingerprint, TRUNK, [])


def test_other_languages_are_said_and_embedded_by_their_model(catalog: Catalog, embedder: Embedder) -> None:
    builder, recipe = ingested(catalog, embedder, GERMAN, "The library shuts at six.")
    [remark] = builder.remarks

    if not is_available():
        assert recipe.model == TRUNK
        assert "pip install 'ibid[multilingual]'" in remark
        return
    assert (recipe.embedder, recipe.model) == (FINGERPRINT, MULTILINGUAL)
    assert "`ibid generations build --corpus haus --embedder trunk`" in remark
    assert len(catalog.generations.of(CORPUS)) == 1
    settings = Settings(home=catalog.home)
    pipeline = Pipeline(settings, catalog, ModelSet(settings, embedder))
    assert pipeline.search(CORPUS, "How heavy is the kettle?").hits[0].chunk.document == f"{len(GERMAN)}.txt"


def test_a_choice_of_the_settings_stands(catalog: Catalog, embedder: Embedder) -> None:
    builder, recipe = ingested(catalog, embedder, GERMAN, chosen=TRUNK)

    assert (recipe.model, builder.remarks) == (TRUNK, [])


def test_a_corpus_that_has_documents_keeps_its_model(catalog: Catalog, embedder: Embedder) -> None:
    ingested(catalog, embedder, ENGLISH)
    builder, recipe = ingested(catalog, embedder, GERMAN)
    [remark] = builder.remarks

    assert recipe.model == TRUNK
    assert "`ibid generations build --corpus haus --embedder multilingual`" in remark
    assert ("pip install" in remark) != is_available()
    assert list(builder.ingest(CORPUS, [Source("b.txt", ENGLISH.encode)]))
    assert builder.remarks == []


def test_a_corpus_that_was_emptied_chooses_again(catalog: Catalog, embedder: Embedder) -> None:
    ingested(catalog, embedder, ENGLISH)
    catalog.documents.delete(CORPUS, [f"{len(ENGLISH)}.txt"])
    _, recipe = ingested(catalog, embedder, GERMAN)

    assert recipe.model == (MULTILINGUAL if is_available() else TRUNK)


def test_a_finished_job_says_what_was_chosen(catalog: Catalog, embedder: Embedder) -> None:
    builder = Builder(catalog, embedder, Settings(home=Path()))

    def remark(name: str, text: str) -> str:
        queue, upload = catalog.jobs, Upload(name, text.encode(), {})
        job = queue.get(
            queue.submit(CORPUS, [upload], recipe_of(Settings(home=Path()), embedder.fingerprint))
        )
        for outcome in builder.ingest(CORPUS, [Source(name, text.encode)]):
            queue.record(job.id, JobFile(outcome.name, outcome.state, None))
        assert remark_on_job(catalog, queue.get(job.id)) == ""  # not finished
        queue.finish(job.id, None)
        return remark_on_job(catalog, queue.get(job.id))

    chosen = remark("a.txt", GERMAN)
    assert chosen == builder.remarks[0]
    again = remark("b.txt", GERMAN + GERMAN)
    # The choice is said once; what to do about the English model, each time.
    assert again == ("" if is_available() else chosen)
    assert remark("c.txt", ENGLISH) == ""


def test_a_list_of_country_codes_is_no_language() -> None:
    rows = "ACME-17, de, 4.5, Graz\nBORIN-2, la, 7.1, Oslo\nOSKEL-9, de, 3.3, Turin\n"
    assert language_of("id, country, weight, city\n" + rows * 20) == ""


@pytest.mark.parametrize(("chosen", "kept"), [("auto", MULTILINGUAL), (TRUNK, TRUNK)])
def test_a_new_generation_keeps_the_model_that_was_chosen(chosen: str, kept: str) -> None:
    settings = Settings(home=Path(), embedder=chosen, chunk_tokens=100)
    serving = Recipe(FINGERPRINT, MULTILINGUAL)
    expected = recipe_of(settings, "trunk's")

    assert recipe_of(settings, "trunk's").model == TRUNK
    assert recipe_after(settings, "trunk's", serving).model == kept
    assert recipe_after(settings, "trunk's", Recipe("trunk's", TRUNK)) == expected
    told = not_in_force(CORPUS, serving, settings)
    assert ("IBID_EMBEDDER is trunk, but this corpus keeps multilingual" in told) == (chosen == TRUNK)
