"""What the reader learns from: passages and rows with the place of the answer, near-misses, and the loss."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import islice

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from eval.datasets import records
from rag.models.export import is_trained
from rag.models.pack import PACK_FOLDER
from rag.models.reader import READER_WINDOW
from rag.models.runtime import trunk_tokenizer
from tests.training.made_cases import LAMP, lamp_case, needs_data
from training.evidence.cases import Case, LabelledPassage, silent, units_of
from training.evidence.sources import SourcedCase
from training.evidence.vary import Varied
from training.loop import Example
from training.reader import (
    DATA,
    FITTED_ON,
    MOST_FITTED,
    SHARES,
    SOMEWHERE,
    examples_of,
    fresh_network,
    pairs_of,
    reader_loss,
    reading_example,
)
from training.ship import LICENCES

NOT_HERE = (0, 0)


def drawn(case: Case) -> list[Example]:
    return list(examples_of(case, random.Random(3)))


def read(example: Example) -> str:
    text: str = trunk_tokenizer().decode(list(example.second))
    return text


def answer(example: Example) -> str:
    first, last = example.target
    ids = [101, *example.first, 102, *example.second, 102]
    text: str = trunk_tokenizer().decode(ids[first : last + 1])
    return text


def test_a_passage_is_read_with_the_place_of_its_answer() -> None:
    [example] = drawn(lamp_case("whale oil"))
    assert read(example) == LAMP.lower().replace(".", " .").replace(" .", ".")
    assert answer(example) == "whale oil"


def test_the_place_comes_first_if_the_question_needs_it() -> None:
    needed = Case("What burns in the lighthouse?", lamp_case("whale oil", place="Lighthouse").passages)
    [example] = drawn(needed)
    assert read(example).startswith("lighthouse. the lamp burns")
    assert answer(example) == "whale oil"


def test_texts_that_do_not_answer_come_along_one_by_one() -> None:
    right, other = lamp_case("whale oil"), silent("", "The ferry leaves at noon.", about=False)
    examples = drawn(Case(right.question, (*right.passages, other, other)))
    assert [example.target == NOT_HERE for example in examples] == [False, True]
    assert [example.target for example in drawn(Case("When?", (other,)))] == [NOT_HERE]


def test_rows_are_read_one_by_one() -> None:
    text = "Lamp A: oil whale\nLamp B: oil seal\nLamp C: oil olive\n"
    at = text.index("seal")
    units = units_of(text)
    table = LabelledPassage("lamps", text, units, frozenset({1}), ((at, at + 4),), rows=True)
    examples = drawn(Case("Which oil has lamp B?", (table,)))
    assert read(examples[0]) == "lamp b : oil seal"
    assert answer(examples[0]) == "seal"
    assert [example.target for example in examples[1:]] == [NOT_HERE]


def test_an_answer_without_known_words_is_somewhere() -> None:
    [example] = drawn(Case("Why?", (LabelledPassage("", LAMP, units_of(LAMP), None),)))
    assert example.target == SOMEWHERE


@pytest.mark.parametrize("at", [0, 40, 79])
def test_a_window_of_a_long_text_contains_the_answer(at: int) -> None:
    parts = [f"Gate {number} closes at dusk." for number in range(80)]
    parts[at] = "The lamp burns whale oil."
    text = " ".join(parts)
    start = text.index("whale oil")
    example = reading_example(
        "What does the lamp burn?", text, (start, start + len("whale oil")), random.Random(at)
    )
    assert example
    assert len(example) == READER_WINDOW
    assert answer(example) == "whale oil"


def test_a_text_of_which_no_window_is_sure_to_answer_is_left_out() -> None:
    text = "The gate closes at dusk. " * 80
    assert reading_example("When?", text, SOMEWHERE, random.Random(1)) is None
    assert reading_example("When?", text, (0, len(text)), random.Random(1)) is None
    assert drawn(Case("When?", (LabelledPassage("", text, units_of(text), None),))) == []


CITIES = "In London the museum opened in 1820. In Boston the theatre opened in 1850, and Paris has neither."


def cities(
    question: str, text: str = CITIES, answer: str = "1820", *, yes: bool | None = None
) -> SourcedCase:
    at = text.index(answer)
    units = units_of(text)
    one = LabelledPassage("", text, units, frozenset({0}), ((at, at + len(answer)),), rows="|" in text)
    return SourcedCase("made", "cities", Case(question, (one,), yes))


def near_misses(*sources: SourcedCase) -> list[Case]:
    varied = Varied(sources)
    made = [varied.near_miss(sources[0], random.Random(seed)) for seed in range(40)]
    return [case for case in made if case]


def test_a_near_miss_has_another_name_of_the_same_kind_and_no_answer() -> None:
    made = near_misses(cities("When did the museum in London open?"))
    assert {case.question for case in made} == {
        f"When did the museum in {city} open?" for city in ("Boston", "Paris")
    }
    assert not any(case.answerable for case in made)
    assert {one.text for case in made for one in case.passages} == {CITIES}


def test_names_of_other_passages_of_the_document_make_near_misses() -> None:
    other = cities("Who sailed?", "In Cuba the ferry sailed in 1861.", "1861")
    asked = {case.question for case in near_misses(cities("When did the museum in London open?"), other)}
    assert "When did the museum in Cuba open?" in asked


def test_of_a_table_a_near_miss_has_the_row_that_answered() -> None:
    rows = "City London: museum 1820\nCity Boston: museum 1850\nCity Paris: museum 1790\n"
    source = cities("When did the museum in London open?", rows)
    table = LabelledPassage("", rows, units_of(rows), frozenset({0}), ((21, 25),), rows=True)
    [first, *_] = made = near_misses(SourcedCase("made", "cities", Case(source.case.question, (table,))))
    assert {case.question for case in made} == {
        f"When did the museum in {city} open?" for city in ("Boston", "Paris")
    }
    assert [read(example) for example in drawn(first)] == ["city london : museum 1820"]


def test_nothing_is_exchanged_where_nothing_is_named_or_words_do_not_answer() -> None:
    assert near_misses(SourcedCase("made", "cities", lamp_case("whale oil"))) == []
    assert near_misses(cities("Did the museum in London open?", yes=True)) == []


class Fixed(nn.Module):
    """Returns logits that favour the given targets."""

    def __init__(self, targets: Sequence[tuple[int, int]], here: Sequence[float]) -> None:
        super().__init__()
        self._targets, self._here = targets, torch.tensor(here)

    def forward(self, input_ids: Tensor, **_: Tensor) -> Iterator[Tensor]:
        logits = torch.zeros(2, *input_ids.shape)
        for row, target in enumerate(self._targets):
            for side, at in enumerate(target):
                logits[side, row, at] = 20.0
        return iter((logits[0], logits[1], self._here))


def test_the_loss_is_small_only_for_the_right_words() -> None:
    right = drawn(lamp_case("whale oil"))[0]
    none = drawn(Case("When?", (silent("", LAMP, True),)))[0]
    batch = [right, none]

    def loss(targets: Sequence[tuple[int, int]], here: Sequence[float]) -> float:
        return float(reader_loss(Fixed(targets, here), batch))

    assert loss([right.target, NOT_HERE], [20.0, -20.0]) < 0.01
    assert loss([NOT_HERE, NOT_HERE], [20.0, -20.0]) > 5
    assert loss([right.target, right.target], [20.0, -20.0]) > 5
    assert loss([right.target, NOT_HERE], [-20.0, -20.0]) > 2


def test_unknown_words_teach_only_that_the_text_answers() -> None:
    [some] = drawn(Case("Why?", (LabelledPassage("", LAMP, units_of(LAMP), None),)))
    assert float(reader_loss(Fixed([NOT_HERE], [20.0]), [some])) < 0.01
    assert float(reader_loss(Fixed([NOT_HERE], [-20.0]), [some])) > 5


# where training begins, and what its numbers are fitted on


def test_training_goes_on_from_the_packaged_reader() -> None:
    fresh, packaged = fresh_network().state_dict(), load_file(str(PACK_FOLDER / "reader.safetensors"))
    assert packaged.keys() == {name for name in fresh if is_trained(name)}
    assert all(torch.equal(fresh[name], tensor.float()) for name, tensor in packaged.items())


def test_embeddings_and_the_lowest_layers_are_frozen() -> None:
    learning = {name for name, p in fresh_network().named_parameters() if p.requires_grad}
    assert {"span.weight", "answerable.bias", "encoder.encoder.layer.2.output.dense.weight"} <= learning
    frozen = ("encoder.embeddings.", "encoder.encoder.layer.0.", "encoder.encoder.layer.1.")
    assert not any(name.startswith(frozen) for name in learning)


@needs_data
@pytest.mark.parametrize("name", FITTED_ON)
def test_the_numbers_are_fitted_on_what_answers_and_what_does_not(name: str) -> None:
    pairs = list(islice(pairs_of(name), 2 * MOST_FITTED))
    assert {here for _, _, here in pairs} == {True, False}
    rows = list(records(f"reading/{name}.jsonl.gz"))
    right = {(r["question"], r["context"]) for r in rows if r["answerable"]}
    assert all(((question, context) in right) == here for question, context, here in pairs)


def test_only_named_sets_are_learnt_from() -> None:
    assert set(SHARES) <= set(DATA)
    assert set(DATA) <= set(LICENCES)
