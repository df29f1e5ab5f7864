"""The question path: its reports while it works, and its record of how an answer came about."""

from dataclasses import fields, replace
from pathlib import Path

import pytest

from rag.errors import InvalidFilter, InvalidInput
from rag.models.embed import Embedder
from rag.pipeline import Pipeline
from rag.recorder import Recorder
from rag.settings import Settings
from rag.stages import ModelSet, Stages, make_stages
from rag.types import Chunk, Context, Cut, Evidence, Hit, Ledger
from tests.made_versions import CORPUS, Library

MAST = "The mast is made of carbon.\nThe rudder is made of oak.\nThe sail is made of linen."
BEFORE = ["embed", "retrieve", "fuse", "rerank", "trim"]
STAGES = [*BEFORE, "assemble", "generate", "verify", "compare"]


@pytest.fixture
def pipeline(library: Library, embedder: Embedder) -> Pipeline:
    library.put("boat.txt", MAST)
    return Pipeline(Settings(home=Path()), library.catalog, ModelSet(Settings(home=Path()), embedder))


def test_each_stage_is_reported_with_its_time(pipeline: Pipeline) -> None:
    told: list[tuple[str, float]] = []
    answer = pipeline.ask(CORPUS, "What is the mast made of?", on_stage=lambda *stage: told.append(stage))
    assert [stage for stage, _ in told] == STAGES
    assert dict(told) == {k: ms for k, ms in answer.trace.timings_ms.items() if k != "total"}
    told.clear()
    pipeline.search(CORPUS, "What is the mast made of?", on_stage=lambda *stage: told.append(stage))
    assert [stage for stage, _ in told] == BEFORE


def test_what_a_report_raises_ends_the_work(pipeline: Pipeline) -> None:
    told = []

    def leave(stage: str, _: float) -> None:
        told.append(stage)
        if stage == "retrieve":
            raise ConnectionAbortedError

    with pytest.raises(ConnectionAbortedError):
        pipeline.ask(CORPUS, "What is the mast made of?", on_stage=leave)
    assert told == ["embed", "retrieve"]


def test_the_tokens_of_the_context_add_up_to_the_ledger(pipeline: Pipeline) -> None:
    answer = pipeline.ask(CORPUS, "What is the mast made of?")
    assert len(answer.trace.tokens) == len(answer.trace.rankings["context"]) > 0
    assert sum(answer.trace.tokens) == answer.ledger.evidence


@pytest.mark.parametrize("question", ["\ud800", "What is \udc00 made of?"])
def test_half_a_character_is_refused(pipeline: Pipeline, question: str) -> None:
    for act in (pipeline.ask, pipeline.search):
        with pytest.raises(InvalidInput, match=r"Character \d of the question is half a surrogate pair"):
            act(CORPUS, question)


def test_a_bad_filter_is_refused_before_the_first_stage(pipeline: Pipeline) -> None:
    with pytest.raises(InvalidFilter):
        pipeline.ask(CORPUS, "mast", filter_={"$near": 1}, on_stage=lambda *_: pytest.fail("a stage"))


def test_a_chunk_is_dropped_only_if_no_part_of_it_is_kept() -> None:
    one, two, three = (Chunk("d", "a.txt", 1, start, start + 9, "some text", None) for start in (0, 10, 20))

    def part(chunk: Chunk, start: int) -> Hit:
        return Hit(chunk, start, start + 4, "some", 1.0, "trimmed")

    trimmed = [part(one, 0), part(one, 5), part(two, 10), part(two, 15), part(three, 20)]
    recorder = Recorder("q")
    recorder.drop(trimmed, trimmed[:3], "weak")  # one part of `two` is kept, nothing of `three`
    kept = (Evidence(1, trimmed[0], 7),)
    cut = (Cut(one, "over budget"), Cut(two, "over budget"))  # of `one` only the second part
    recorder.note_assemble(Context("q", kept, Ledger(9, 0, 0, 0, 7, 2), cut, ""))
    trace = recorder.trace("q")
    assert trace.dropped == {three.id: "weak", two.id: "over budget"}
    assert (trace.rankings["context"], trace.tokens) == ((trimmed[0],), (7,))


def test_every_note_is_of_a_stage() -> None:
    notes = {name.removeprefix("note_") for name in vars(Recorder) if name.startswith("note_")}
    assert notes < {field.name for field in fields(Stages)}


def test_stages_that_are_given_take_the_place_of_the_settings_own(
    pipeline: Pipeline, library: Library
) -> None:
    settings, models = Settings(home=Path()), pipeline.models
    given = replace(make_stages(settings, library.catalog, models), fuse=lambda candidates: [])
    assert pipeline.search(CORPUS, "mast").hits
    assert Pipeline(settings, library.catalog, models, given).search(CORPUS, "mast").hits == ()
