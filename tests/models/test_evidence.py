"""The evidence model: windows that lose no unit, scores of a unit's own words, neighbours, places, any text."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.models.evidence import (
    EVIDENCE_WINDOW,
    PLACE_TOKENS,
    UNREAD,
    EvidenceModel,
    EvidencePassage,
    PackEvidenceModel,
    _windows,
    load_evidence_model,
    tokens_within,
)
from rag.models.runtime import QUESTION_TOKENS
from rag.text.sentences import split_sentences, strip_span
from tests.made_runners import WordRunner

FILLER = "The ferry leaves the harbour at noon. Tickets are sold on board. The crossing takes an hour. "
LAMP = "The lamp of the lighthouse burns whale oil. It was lit in 1820 by Ada Quill."
KETTLE = "The Birch kettle is made of steel. It weighs 1.3 kilograms."


@dataclass(frozen=True, slots=True)
class Read:
    """The words of a window."""

    asked: list[str]
    place: list[str]
    text: list[str]


class Words(WordRunner):
    """A stand-in for the network: a token is a word, whose score does not depend on the words around it."""

    separator = 0

    def __init__(self, score: Callable[[str], float]) -> None:
        super().__init__("[SEP]")
        self._score = score
        self.runs: list[Read] = []

    def run(
        self,
        first: Sequence[int],
        second: Sequence[int],
        *,
        placed: np.ndarray,
        units: np.ndarray,
        owners: np.ndarray,
    ) -> list[np.ndarray]:
        """Return the units' scores; each is the mean of its words'."""
        cut = second.index(self.separator)
        read = Read(*([self.words[i] for i in ids] for ids in (first, second[:cut], second[cut + 1 :])))
        self.runs.append(read)
        before = len(read.asked) + len(read.place) + 3
        # What is not text must not count
        scores = np.array([999.0] * before + [self._score(word) for word in read.text] + [999.0])
        assert units.shape == (len(owners), len(scores)) == (len(units), placed.shape[1])
        assert not owners.any()
        shown = [self.words[second[int(at) - len(read.asked) - 2]] for at in np.flatnonzero(placed[0])]
        assert shown == read.place
        return [(units @ scores) / units.sum(1)]

    @property
    def model(self) -> PackEvidenceModel:
        runner: Any = self  # has a Runner's interface
        return PackEvidenceModel(runner)


def only(word: str) -> Callable[[str], float]:
    return lambda found: 50.0 if found.strip(".") == word else -5.0


def number(word: str) -> float:
    return float(re.sub(r"\D", "", word))


def passage(*units: str, place: str = "", between: str = " ") -> EvidencePassage:
    text, spans = "", []
    for unit in units:
        spans.append((len(text), len(text) + len(unit)))
        text += unit + between
    return EvidencePassage(place, text.rstrip(), tuple(spans))


def sentences(text: str, place: str = "") -> EvidencePassage:
    spans = (strip_span(text, *span) for span in split_sentences(text))
    return EvidencePassage(place, text, tuple((start, end) for start, end in spans if start < end))


# windows


@given(
    st.lists(st.tuples(st.integers(0, 40), st.sampled_from([1, 5, 30, 67, 68, 69, 100, 156, 157, 300]))),
    st.integers(EVIDENCE_WINDOW - 4 - QUESTION_TOKENS - PLACE_TOKENS, EVIDENCE_WINDOW - 4),
    st.integers(0, 200),
)
def test_windows_begin_with_a_unit_and_hold_each_unit_once(
    drawn: list[tuple[int, int]], room: int, rest: int
) -> None:
    """Units are drawn as (tokens before it, tokens of it)."""
    units, end = [], 0
    for gap, length in drawn:
        units.append((end + gap, end + gap + length - 1))
        end = units[-1][1] + 1
    ids = list(range(end + rest))

    windows = list(_windows(3, [7, 8], ids, units, room))

    read = [(number, one, first, last) for one in windows for number, first, last in one.units]
    assert [number for number, *_ in read] == list(range(len(units)))
    for one in windows:
        # A token is the number of its place in the text
        begin = one.ids[0]
        assert (one.passage, list(one.place)) == (3, [7, 8])
        assert one.units
        assert len(one.ids) <= room
        assert list(one.ids) == ids[begin : begin + len(one.ids)]
        assert (len(windows) == 1 and begin == 0) or begin == units[one.units[0][0]][0]
    for number, one, first, last in read:
        begin, stop = units[number]
        assert one.ids[first] == begin
        # Of a unit longer than a window, the beginning
        assert one.ids[last] == (stop if stop - begin < room else begin + room - 1)


def test_windows_with_the_arithmetic() -> None:
    ids = list(range(30))
    # Room for 10: two units of 5 each, of the one of 12 the first 10, then what is left and what follows it
    units = [(0, 4), (5, 9), (10, 21), (22, 24)]
    windows = list(_windows(0, [], ids, units, 10))
    assert [(one.ids[0], len(one.ids)) for one in windows] == [(0, 10), (10, 10), (22, 8)]
    assert [one.units for one in windows] == [((0, 0, 4), (1, 5, 9)), ((2, 0, 9),), ((3, 0, 2),)]
    # What stands before the first unit is read where all fits
    [one] = _windows(0, [], ids[:10], [(6, 8)], 10)
    assert (one.ids[0], one.units) == (0, ((0, 6, 8),))
    # A unit without a token is not read
    assert list(_windows(0, [], [], [None, None], 10)) == []
    assert [one.units for one in _windows(0, [], ids, [None, (0, 1)], 10)] == [((1, 0, 1),)]


def test_tokens_within_a_span_are_those_that_touch_it() -> None:
    # "ab cd ef" with a token for each pair of letters
    offsets = [(0, 2), (3, 5), (6, 8)]
    spans = [(0, 8), (3, 5), (1, 4), (2, 3), (5, 6), (7, 8), (8, 9), (0, 0)]
    assert tokens_within(offsets, spans) == [(0, 2), (1, 1), (0, 1), None, None, (2, 2), None, None]
    assert tokens_within([], [(0, 4)]) == [None]


def test_the_network_reads_the_end_of_a_question_the_beginning_of_a_place_and_fills_its_window() -> None:
    words = Words(only("here"))
    place, asked = (" ".join(f"{letter}{n}" for n in range(100)) for letter in "pq")
    units = [" ".join(f"w{10 * unit + n}" for n in range(10)) for unit in range(40)]
    words.model.scores(asked, [passage(*units, place=place)])
    room = EVIDENCE_WINDOW - 4 - QUESTION_TOKENS - PLACE_TOKENS
    starts = range(0, 400, 10 * (room // 10))
    for begin, run in zip(starts, words.runs, strict=True):
        assert run.asked == [f"q{n}" for n in range(100 - QUESTION_TOKENS, 100)]
        assert run.place == [f"p{n}" for n in range(PLACE_TOKENS)]
        assert run.text == [f"w{n}" for n in range(begin, min(400, begin + room))]


# scores


def test_a_units_score_is_that_of_its_own_words() -> None:
    [scores] = Words(only("here")).model.scores("Where?", [passage("here", "not", "it is here")])
    assert scores.tolist() == pytest.approx([50, -5, (50 - 10) / 3])
    # In one window or another, a unit's words are its own
    units = [" ".join(f"w{unit}" for _ in range(1 + unit % 7)) for unit in range(300)]
    [scores] = Words(number).model.scores("w1 w2", [passage(*units, place="w7 w8")])
    assert scores.tolist() == pytest.approx(list(range(300)))


def test_passages_do_not_influence_each_other() -> None:
    passages = [
        passage("one here two", "three", place="a place"),
        passage(),
        passage(*["nothing but words"] * 300, "here"),
        EvidencePassage("", "  ", ((0, 2),)),
        passage("here", place="here"),
    ]
    together = Words(only("here")).model.scores("Where?", passages)
    for one, scores in zip(passages, together, strict=True):
        [alone] = Words(only("here")).model.scores("Where?", [one])
        assert scores.tolist() == alone.tolist()
    assert [len(one) for one in together] == [2, 0, 301, 1, 1]
    # A unit without words is not read
    assert together[3].tolist() == [UNREAD]
    assert Words(only("here")).model.scores("Where?", []) == []


# the pack


@pytest.fixture(scope="module")
def pack() -> EvidenceModel:
    return load_evidence_model(threads=1)


def best(pack: EvidenceModel, question: str, read: EvidencePassage) -> str:
    [scores] = pack.scores(question, [read])
    start, end = read.units[int(scores.argmax())]
    return read.text[start:end]


@pytest.mark.parametrize("question", ["What does the Birch kettle weigh?", "How heavy is the Birch kettle?"])
def test_the_sentence_that_answers_wins_over_the_one_that_names_the_subject(
    pack: EvidenceModel, question: str
) -> None:
    assert best(pack, question, sentences(KETTLE)) == "It weighs 1.3 kilograms."
    assert best(pack, "What is the Birch kettle made of?", sentences(KETTLE)).endswith("steel.")


def test_neighbours_say_what_a_sentence_is_about(pack: EvidenceModel) -> None:
    read = [
        sentences(f"The {name} was bought in May. It weighs 1.3 kilograms.")
        for name in ("Birch kettle", "oak table")
    ]
    (_, right), (_, other) = pack.scores("What does the Birch kettle weigh?", read)
    assert right > other


def test_the_place_says_what_a_text_is_about(pack: EvidenceModel) -> None:
    read = [
        EvidencePassage(place, "It weighs 1.3 kilograms.", ((0, 24),))
        for place in ("birch kettle data sheet", "oak table data sheet")
    ]
    [right], [other] = pack.scores("What does the Birch kettle weigh?", read)
    assert right > 0 > other


def test_rows_are_weighed_by_their_labels(pack: EvidenceModel) -> None:
    rows = [
        f"Country {name}: Limit per night {limit} EUR" for name, limit in (("Germany", 135), ("Japan", 190))
    ]
    read = passage(*rows, place="travel policy > Hotels", between="\n")
    for row, country in zip(rows, ("Germany", "Japan"), strict=True):
        assert best(pack, f"What is the hotel limit in {country}?", read) == row


@pytest.mark.parametrize("before", [0, 12, 40])
def test_an_answer_is_found_far_into_a_long_text(pack: EvidenceModel, before: int) -> None:
    read = sentences(FILLER * before + LAMP + " " + FILLER * (40 - before))
    asked = "What does the lamp of the lighthouse burn?"
    assert best(pack, asked, read) == "The lamp of the lighthouse burns whale oil."


def test_what_does_not_answer_scores_below_what_does(pack: EvidenceModel) -> None:
    there, absent = pack.scores("Who lit the lamp?", [sentences(LAMP), sentences(FILLER)])
    assert there.max() > 0 > absent.max()


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n\t ",
        "\u200b\u200d",
        "🦩🎉👩\u200d🚀",
        "Ada 漢字 text кириллица שלום مرحبا",
        "\x00\x01",
        "…!?",
        "half a pair \ud800 here",
        "a" * 100_000,
    ],
    ids=["empty", "blank", "invisible", "emoji", "scripts", "control", "marks", "half", "one word"],
)
@pytest.mark.parametrize("question", ["Who lit the lamp?", "", "🦩", "\ud800?"])
def test_any_text_gets_a_score(pack: EvidenceModel, question: str, text: str) -> None:
    [scores] = pack.scores(question, [EvidencePassage(text, text, ((0, len(text)),))])
    assert scores.shape == (1,)
    assert np.isfinite(scores).all()
    if not text.strip():
        assert scores.tolist() == [UNREAD]


def test_of_a_long_question_the_end_counts(pack: EvidenceModel) -> None:
    asked = "and then I would like to know, " * 6 + "who lit the lamp?"
    scores = [
        pack.scores(question, [sentences(LAMP)])[0].tolist()
        for question in ("puffin " * 200 + asked, "heron " * 50 + asked, asked.replace("who", "when"))
    ]
    assert scores[0] == scores[1] != scores[2]


def test_threads_get_what_one_gets(pack: EvidenceModel) -> None:
    passages = [sentences(text) for text in (LAMP, FILLER * 3 + LAMP, "", FILLER)]
    questions = ["Who lit the lamp?", "When does the ferry leave?", "What burns?"] * 2
    expected = [[one.tolist() for one in pack.scores(question, passages)] for question in questions]
    with ThreadPoolExecutor(4) as pool:
        got = list(pool.map(lambda question: pack.scores(question, passages), questions))
    assert [[one.tolist() for one in scores] for scores in got] == expected
