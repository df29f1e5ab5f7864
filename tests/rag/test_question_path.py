"""The question path over real documents: swapped stages, honest refusals, evidence that changes meanwhile."""

import gc
import re
import weakref
from dataclasses import replace
from pathlib import Path

import pytest

from rag.answer.extractive import Extractive
from rag.answer.generator import OnPart, ignored
from rag.answer.prompts import SYSTEM
from rag.errors import CitationError, InvalidInput, NotFound
from rag.models.embed import Embedder
from rag.models.evidence import load_evidence_model
from rag.pipeline import Pipeline
from rag.settings import Settings
from rag.stages import ModelSet
from rag.types import Context, Draft, Recipe
from tests.made_versions import CORPUS, Library

SEA = """The lamp of the lighthouse burns whale oil.
Ada Quill lights the lamp at dusk.
The harbour closes in fog."""
LAND = """The mill grinds rye on Tuesdays.
Its miller is called Bo.
The road to the mill is paved."""
LAMP = "What does the lamp of the lighthouse burn?"


@pytest.fixture
def filled(library: Library) -> Library:
    library.put("sea.txt", SEA, metadata={"place": "sea"})
    library.put("land.txt", LAND, metadata={"place": "land"})
    return library


def pipeline_of(library: Library, **settings: object) -> Pipeline:
    configured = Settings(home=Path("unused")).with_changes(**settings)
    return Pipeline(configured, library.catalog, ModelSet(configured, library.embedder))


def test_an_answer_is_cited_verified_and_accounted_for(filled: Library) -> None:
    answer = pipeline_of(filled).ask(CORPUS, LAMP)

    assert answer.answerable
    assert answer.text.startswith("whale oil [1]\nThe lamp of the lighthouse burns whale oil. [1]")
    sea = [citation for citation in answer.citations if citation.document == "sea.txt"]
    assert sea
    assert all(citation.verified and SEA[citation.start : citation.end] == citation.quote for citation in sea)
    assert answer.ledger.used <= answer.ledger.budget
    assert answer.ledger.system >= len(filled.embedder.token_offsets(SYSTEM))
    parts = sum(ms for stage, ms in answer.trace.timings_ms.items() if stage != "total")
    assert answer.trace.timings_ms["total"] >= parts


def test_every_candidate_is_accounted_for(filled: Library) -> None:
    trace = pipeline_of(filled).ask(CORPUS, "Who lights the lamp at dusk?").trace

    stages = ["dense", "lexical", "fused", "reranked", "trimmed", "evidence", "context"]
    assert list(trace.rankings) == stages
    found = {hit.chunk.id for stage in ("dense", "lexical") for hit in trace.rankings[stage]}
    kept = {hit.chunk.id for hit in trace.rankings["context"]}
    assert found == {hit.chunk.id for hit in trace.rankings["fused"]}
    assert found == {hit.chunk.id for hit in trace.rankings["reranked"]}
    assert kept | set(trace.dropped) == found


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"fusion": "reciprocal_rank"},
        {"reranker": "none"},
        {"trim": False},
        {"reranker": "none", "trim": False, "order": "rank"},
        {"lexical": "rank_bm25"},
        {"lexical_candidates": 0},
    ],
)
def test_each_stage_can_be_swapped(filled: Library, settings: dict[str, object]) -> None:
    pipeline = pipeline_of(filled, **settings)

    [top, *_] = pipeline.search(CORPUS, "whale oil lamp lighthouse", k=2).hits
    assert top.text.startswith("The lamp of the lighthouse burns whale oil.")
    assert "whale oil" in pipeline.ask(CORPUS, LAMP).text


def test_a_deadline_of_nothing_keeps_the_fused_order_and_says_so(filled: Library) -> None:
    hurried = pipeline_of(filled, rerank_deadline_ms=0).search(CORPUS, "lamp", k=5).trace

    def chunks(stage: str) -> list[int]:
        return [hit.chunk.id for hit in hurried.rankings[stage]]

    assert chunks("reranked") == chunks("fused")
    assert any("deadline" in note for note in hurried.notes)


@pytest.mark.parametrize("k", [1, 2, 5, 50])
def test_search_returns_up_to_k_distinct_hits_best_first(filled: Library, k: int) -> None:
    hits = pipeline_of(filled).search(CORPUS, "the lamp and the mill", k=k).hits

    assert 1 <= len(hits) <= k
    assert len({(hit.chunk.document, hit.start) for hit in hits}) == len(hits)
    scores = [hit.score for hit in hits]
    assert scores == sorted(scores, reverse=True)
    texts = {"sea.txt": SEA, "land.txt": LAND}
    assert all(texts[hit.chunk.document][hit.start : hit.end] == hit.text for hit in hits)


def test_a_filter_acts_before_ranking(filled: Library) -> None:
    pipeline = pipeline_of(filled)

    hits = pipeline.search(CORPUS, LAMP, k=3, filter_={"place": "land"}).hits
    assert {hit.chunk.document for hit in hits} == {"land.txt"}
    answer = pipeline.ask(CORPUS, LAMP, filter_={"place": "nowhere"})
    assert not answer.answerable
    assert answer.reason


def test_it_refuses_what_no_document_says(filled: Library) -> None:
    answer = pipeline_of(filled).ask(CORPUS, "What is the boiling point of ethanol in kelvin?")

    assert not answer.answerable
    assert (answer.text, answer.citations) == ("", ())
    assert answer.reason
    assert answer.nearest
    assert answer.confidence < 0.3


@pytest.mark.parametrize("question", ["", "  \n", "x" * 100_000, "half a pair \ud800"])
def test_bad_questions_are_refused_with_a_reason(filled: Library, question: str) -> None:
    with pytest.raises(InvalidInput, match="question"):
        pipeline_of(filled).ask(CORPUS, question)


@pytest.mark.parametrize(
    "question", ["灯台のランプは何を燃やしますか。", "Was verbrennt die Lampe?", "🦩🦩", "?!", "of and"]
)
def test_any_other_question_gets_an_answer_or_a_reason(filled: Library, question: str) -> None:
    answer = pipeline_of(filled).ask(CORPUS, question)

    assert answer.answerable or answer.reason


def test_an_unknown_corpus_names_the_known_ones(filled: Library) -> None:
    with pytest.raises(NotFound, match=CORPUS):
        pipeline_of(filled).ask("nowhere", "Anything?")


def test_sentences_found_alone_are_answered_with_their_neighbours(filled: Library) -> None:
    """Each line is its own chunk; one found by its words brings its neighbours into the pool."""
    alone = pipeline_of(filled, lexical_candidates=1).search(CORPUS, "whale oil", k=1)
    with filled.catalog.database.write() as transaction:
        transaction.execute("UPDATE generations SET chunker = 'sentence_window'")
    grown = pipeline_of(filled).search(CORPUS, "whale oil", k=1)

    [hit] = grown.hits
    assert hit.text.startswith(alone.hits[0].text)
    assert SEA[hit.start : hit.end] == hit.text
    around = filled.catalog.chunks.neighbours(alone.hits[0].chunk, 2)
    assert [chunk.text for chunk in around] == SEA.splitlines()[1:]


class Meddling(Extractive):
    """Answers while a document changes, as happens to a slow generator."""

    def __init__(self, embedder: Embedder, library: Library, *, times: int) -> None:
        super().__init__(embedder, load_evidence_model())
        self._library, self.left = library, times

    def generate(self, context: Context, on_part: OnPart = ignored) -> Draft:
        draft = super().generate(context)
        if self.left:
            self.left -= 1
            self._library.put("sea.txt", f"The lamp of the lighthouse burns kerosene, lot {self.left}.")
        return draft


def meddled(filled: Library, times: int) -> Pipeline:
    generator = Meddling(filled.embedder, filled, times=times)
    return Pipeline(
        Settings(home=Path("unused")),
        filled.catalog,
        ModelSet(Settings(home=Path("unused")), filled.embedder, generator),
    )


def test_evidence_that_changes_meanwhile_is_asked_again(filled: Library) -> None:
    answer = meddled(filled, times=1).ask(CORPUS, LAMP)

    assert "kerosene, lot 0" in answer.text
    assert "whale" not in answer.text
    assert answer.citations[0].version == 2


def test_evidence_that_never_rests_is_an_error_not_a_stale_quote(filled: Library) -> None:
    with pytest.raises(CitationError, match="changed"):
        meddled(filled, times=99).ask(CORPUS, LAMP)


@pytest.mark.parametrize("stage", ["retrieve", "rerank", "trim"])
def test_what_is_deleted_while_it_works_is_not_found(filled: Library, stage: str) -> None:
    def delete(done: str, _: float) -> None:
        if done == stage:
            filled.catalog.documents.delete(CORPUS, ["sea.txt"])

    found = pipeline_of(filled).search(CORPUS, "the lamp and the mill", on_stage=delete)
    assert {hit.chunk.document for hit in found.hits} == {"land.txt"}


@pytest.mark.parametrize("stage", ["trim", "assemble", "generate"])
def test_what_is_deleted_while_it_works_is_not_nearest(filled: Library, stage: str) -> None:
    def delete(done: str, _: float) -> None:
        if done == stage and "sea.txt" in [info.name for info in filled.catalog.documents.infos(CORPUS)]:
            filled.catalog.documents.delete(CORPUS, ["sea.txt"])

    class Silent(Extractive):
        def generate(self, context: Context, on_part: OnPart = ignored) -> Draft:
            return Draft("", (), 0.0, "It says nothing.")

    pipeline = Pipeline(
        Settings(home=Path("unused")),
        filled.catalog,
        ModelSet(
            Settings(home=Path("unused")), filled.embedder, Silent(filled.embedder, load_evidence_model())
        ),
    )
    answer = pipeline.ask(CORPUS, "the lamp and the mill", on_stage=delete)
    assert {hit.chunk.document for hit in answer.nearest} == {"land.txt"}
    assert "meanwhile" in " ".join(answer.trace.dropped.values())


def test_a_replaced_document_is_not_found_in_its_old_version(filled: Library) -> None:
    def replace_it(done: str, _: float) -> None:
        if done == "trim":
            filled.put("sea.txt", SEA)

    found = pipeline_of(filled).search(CORPUS, "the lamp and the mill", on_stage=replace_it)
    assert {hit.chunk.document for hit in found.hits} == {"land.txt"}


def test_an_uncited_answer_is_an_error(filled: Library) -> None:
    class Talkative(Extractive):
        def generate(self, context: Context, on_part: OnPart = ignored) -> Draft:
            draft = super().generate(context)
            return replace(draft, text=f"{draft.text} Everybody knows.")

    generator = Talkative(filled.embedder, load_evidence_model())
    pipeline = Pipeline(
        Settings(home=Path("unused")),
        filled.catalog,
        ModelSet(Settings(home=Path("unused")), filled.embedder, generator),
    )
    with pytest.raises(CitationError, match="Everybody knows"):
        pipeline.ask(CORPUS, LAMP)


GLOW = """The lamp of the lighthouse burns whale oil.
Its flame is fed with fat from sperm whales.
Bo grinds rye on Tuesdays.
Taxes are due in March."""


def test_a_span_grows_over_a_neighbour_that_no_leg_found(library: Library) -> None:
    recipe = Recipe(library.embedder.fingerprint, chunker="sentence_window")
    library.catalog.create_corpus(CORPUS, recipe)
    library.put("glow.txt", GLOW)
    alone = {"dense_candidates": 1, "lexical_candidates": 0}
    pipeline = pipeline_of(library, **alone)
    trace = pipeline.ask(CORPUS, "What fuel gives light there?").trace

    assert len(trace.rankings["fused"]) == 1
    assert trace.rankings["trimmed"][0].text == "\n".join(GLOW.splitlines()[:2])


def test_reciprocal_ranks_are_stretched_before_they_are_compared(filled: Library) -> None:
    pipeline = pipeline_of(filled, fusion="reciprocal_rank", reranker="none", trim=False)
    trace = pipeline.ask(CORPUS, LAMP).trace

    scores = [hit.score for hit in trace.rankings["fused"]]
    assert (max(scores), min(scores)) == (1.0, 0.0)


def test_the_trace_says_how_many_candidates_were_read(filled: Library) -> None:
    filled.put("long.txt", "\n".join("lamp " * 200 for _ in range(4)))
    trace = pipeline_of(filled).search(CORPUS, "lamp").trace

    assert len(trace.rankings["fused"]) == 10
    [note] = trace.notes
    assert re.fullmatch(r"Reranking read [2-8] of 10 candidates within its token budget\.", note)


def test_a_deleted_corpus_leaves_no_index(filled: Library) -> None:
    pipeline = pipeline_of(filled)
    filled.put("other.txt", SEA, corpus="other")
    for corpus in (CORPUS, "other"):
        pipeline.search(corpus, LAMP)
    pipeline.save_indexes(always=True)
    folder, forgotten = filled.catalog.home / "indexes", weakref.ref(pipeline.index(CORPUS))
    assert len(list(folder.iterdir())) == 2
    pipeline.index(CORPUS)._unsaved = 1
    filled.catalog.delete_corpus(CORPUS)
    assert len(list(folder.iterdir())) == 1
    pipeline.save_indexes(always=True)
    gc.collect()
    assert forgotten() is None
    assert len(list(folder.iterdir())) == 1


def test_the_generator_sees_the_context_and_nothing_else(filled: Library) -> None:
    seen: list[Context] = []

    class Watching(Extractive):
        def generate(self, context: Context, on_part: OnPart = ignored) -> Draft:
            seen.append(context)
            return super().generate(context)

    settings, generator = Settings(home=Path("unused")), Watching(filled.embedder, load_evidence_model())
    answer = Pipeline(settings, filled.catalog, ModelSet(settings, filled.embedder, generator)).ask(
        CORPUS, LAMP
    )

    [context] = seen
    read = {item.hit.chunk.document for item in context.evidence}
    assert {citation.document for citation in answer.citations} <= read
    assert answer.citations[0].label == 1
    assert all(item.hit.text in context.prompt for item in context.evidence)


def test_evidence_is_compressed_where_that_is_asked_for_and_quotes_stay_whole(filled: Library) -> None:
    text = " ".join(f"{LAND.splitlines()[0]} The keeper of lighthouse {n} carries oil up." for n in range(12))
    filled.put("long.txt", f"{SEA.splitlines()[0]} {text}")
    asked = {"trim": False, "refuse_below": 0.0}
    whole, shorter = (
        pipeline_of(filled, compression=times, **asked).ask(CORPUS, LAMP) for times in (1.0, 2.0)
    )

    [before, after] = (sum(map(len, answer.trace.shown)) for answer in (whole, shorter))
    assert whole.trace.shown == tuple(hit.text for hit in whole.trace.rankings["context"])
    assert after < 0.7 * before
    assert shorter.ledger.evidence < whole.ledger.evidence
    assert shorter.text == whole.text  # an extractive answer quotes the stored text
    assert all(citation.verified for citation in shorter.citations)
