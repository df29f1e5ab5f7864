"""The reader: windows that lose nothing, spans against brute force, texts of every kind, third-party models."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import ModelError
from rag.models.reader import (
    LONGEST_ANSWER,
    MOST_WINDOWS_READ,
    NOTHING,
    OVERLAP,
    PER_TOKEN,
    READER_WINDOW,
    SPANS,
    PackReader,
    Reader,
    Reading,
    _begins,
    _Found,
    _reading,
    load_reader,
)
from rag.models.runtime import QUESTION_TOKENS
from tests.made_models import tiny_bert
from tests.made_runners import WordRunner

FILLER = "The ferry leaves the harbour at noon. Tickets are sold on board. The crossing takes an hour. "
LAMP = "The lamp of the lighthouse burns whale oil. It was lit in 1820 by Ada Quill."


class Words(WordRunner):
    """A stand-in for the network: a token is a word, and the logits of a span are those of its first and last word."""

    def __init__(self, logits: Callable[[str], tuple[float, float]], answerable: float = 0.0) -> None:
        super().__init__()
        self._logits, self._answerable = logits, answerable
        self.runs: list[tuple[list[str], list[str]]] = []

    def run(self, first: Sequence[int], second: Sequence[int]) -> list[np.ndarray]:
        asked, read = ([self.words[i] for i in ids] for ids in (first, second))
        self.runs.append((asked, read))
        logits = [(0.0, 0.0)] * (len(asked) + 2) + [self._logits(word) for word in read] + [(0.0, 0.0)]
        start, end = np.array(logits, np.float32).T
        return [start[None], end[None], np.array([self._answerable], np.float32)]

    @property
    def reader(self) -> PackReader:
        return self.calibrated(None)

    def calibrated(self, calibration: Mapping[str, float] | None) -> PackReader:
        runner: Any = self  # has a Runner's interface
        return PackReader(runner, calibration)


def only(word: str) -> Callable[[str], tuple[float, float]]:
    return lambda found: (5.0, 5.0) if found == word else (-5.0, -5.0)


def noise(word: str) -> tuple[float, float]:
    start, end = np.random.default_rng(int(word[1:])).normal(0, 2, 2)
    return float(start), float(end)


def assert_sound(context: str, reading: Reading) -> None:
    """Invariants of every reading."""
    assert 0 <= reading.score <= 1
    assert 0 <= reading.no_answer <= 1
    assert reading.answer == context[reading.start : reading.end]
    scores = [span.score for span in reading.spans]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    assert len(scores) <= SPANS
    ordered = sorted(reading.spans, key=lambda span: span.start)
    assert all(0 <= span.start < span.end <= len(context) for span in ordered)
    assert all(left.end <= right.start for left, right in itertools.pairwise(ordered))
    if reading.spans:
        best = reading.spans[0]
        assert (best.start, best.end, best.score) == (reading.start, reading.end, reading.score)
    else:
        assert reading == NOTHING


# windows


@given(
    tokens=st.integers(0, 30_000), room=st.integers(READER_WINDOW - 3 - QUESTION_TOKENS, READER_WINDOW - 3)
)
def test_windows_cover_every_token_and_overlap(tokens: int, room: int) -> None:
    windows = [(begin, min(begin + room, tokens)) for begin in _begins(tokens, room)]
    if not tokens:
        assert windows == []
        return
    assert windows[0][0] == 0
    assert windows[-1][1] == tokens
    assert all(end == before + room for before, end in windows[:-1])
    assert all(end - begin == OVERLAP for (_, end), (begin, _) in itertools.pairwise(windows))
    assert all(end < tokens for _, end in windows[:-1])  # each reads something new


def test_windows_with_the_arithmetic() -> None:
    # a question of 21 tokens leaves 200: steps of 200 - 64 = 136
    assert _begins(200, 200) == [0]
    assert _begins(201, 200) == [0, 136]
    assert _begins(336, 200) == [0, 136]
    assert _begins(337, 200) == [0, 136, 272]
    assert len(_begins(10**6, 200)) == MOST_WINDOWS_READ


def test_the_network_reads_the_end_of_a_long_question_and_fills_its_window() -> None:
    words = Words(only("here"))
    words.reader.read(" ".join(f"q{n}" for n in range(100)), " ".join(f"w{n}" for n in range(400)))
    assert {tuple(asked) for asked, _ in words.runs} == {
        tuple(f"q{n}" for n in range(100 - QUESTION_TOKENS, 100)),
    }
    room = READER_WINDOW - 3 - QUESTION_TOKENS
    assert [read[0] for _, read in words.runs] == [f"w{n}" for n in _begins(400, room)]
    assert [len(read) for _, read in words.runs[:-1]] == [room] * (len(words.runs) - 1)


@pytest.mark.parametrize("place", [0, 1, 150, 172, 173, 220, 221, 1000, 2998, 2999])
def test_a_word_is_found_wherever_it_stands(place: int) -> None:
    text = " ".join("here" if n == place else "word" for n in range(3000))
    reading = Words(only("here")).reader.read("Where is it?", text)
    assert_sound(text, reading)
    assert (reading.answer, reading.start) == ("here", 5 * place)
    assert reading.no_answer < 0.01


def test_a_million_characters_are_read_up_to_the_bound() -> None:
    text = "here " + "word " * 200_000
    words = Words(only("here"))
    reading = words.reader.read("Where is it?", text)
    assert len(text) > 1_000_000
    assert len(words.runs) == MOST_WINDOWS_READ
    assert (reading.answer, len(reading.spans)) == ("here", SPANS)


# spans and probabilities


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("answerable", [-3.0, 2.0])
def test_spans_equal_a_search_over_all(seed: int, answerable: float) -> None:
    words = [f"w{100 * seed + n}" for n in range(60)]
    text = " ".join(words)
    offsets = [match.span() for match in re.finditer(r"\S+", text)]
    sums = {
        (i, j): noise(words[i])[0] + noise(words[j])[1]
        for i in range(60)
        for j in range(i, min(60, i + LONGEST_ANSWER))
    }
    here = sum(np.exp(value) for value in sums.values())
    here = 1 / (1 + np.exp(-(0.5 * np.log(here) + 0.5 * answerable)))  # [CLS] has logits 0
    sums = {(i, j): value - PER_TOKEN * (j - i) for (i, j), value in sums.items()}
    total = sum(np.exp(value) for value in sums.values())
    expected: list[tuple[int, int, float]] = []
    for i, j in sorted(sums, key=lambda span: -sums[span])[: 4 * SPANS]:
        start, end = offsets[i][0], offsets[j][1]
        if len(expected) < SPANS and all(end <= s or e <= start for s, e, _ in expected):
            expected.append((start, end, np.exp(sums[i, j]) / total * here))

    reading = Words(noise, answerable).reader.read("Which?", text)

    assert_sound(text, reading)
    assert [(span.start, span.end) for span in reading.spans] == [(s, e) for s, e, _ in expected]
    assert [span.score for span in reading.spans] == pytest.approx([p for _, _, p in expected], rel=1e-4)
    assert reading.no_answer == pytest.approx(1 - here, abs=1e-5)


def test_calibration_weighs_both_signals() -> None:
    words, text = Words(noise, 2.0), "w1 w2 w3 w4"
    ((margin, answerable),) = words.reader.signals("Which?", [text])
    assert answerable == 2.0
    assert margin == pytest.approx(
        np.log(
            sum(
                np.exp(noise(a)[0] + noise(b)[1])
                for i, a in enumerate(text.split())
                for b in text.split()[i:]
            )
        )
    )
    fitted = words.calibrated({"margin": 0.3, "answerable": 0.1, "bias": -1.0})
    expected = 1 / (1 + np.exp(0.3 * margin + 0.1 * 2.0 - 1.0))
    assert fitted.read("Which?", text).no_answer == pytest.approx(expected)
    assert words.reader.signals("Which?", []).shape == (0, 2)
    assert words.reader.signals("Which?", [""]).tolist() == [[0.0, 0.0]]


def test_white_space_belongs_to_no_span() -> None:
    offsets = [(0, 3), (3, 8)]  # as from tokenizers whose tokens include the space before a word
    found = _reading("The lamp", offsets, [_Found([(1, 1, 0.9)], 1.0, (0.0, 0.0))])
    assert (found.answer, found.start, found.end) == ("lamp", 4, 8)


def test_no_answer_is_longer_than_longest() -> None:
    far = {"w10": (9.0, 0.0), "w60": (0.0, 9.0)}
    reading = Words(lambda word: far.get(word, (0.0, 0.0))).reader.read(
        "Which?", " ".join(f"w{n}" for n in range(100))
    )
    assert len(reading.answer.split()) <= LONGEST_ANSWER < 51
    assert "w10" in reading.answer.split() or "w60" in reading.answer.split()


def test_texts_do_not_influence_each_other() -> None:
    texts = ["one here two", "", "nothing but words " * 300, "here"]
    together = Words(only("here")).reader.read_all("Where?", texts)
    assert together == [Words(only("here")).reader.read("Where?", text) for text in texts]
    assert together[1] == NOTHING
    assert Words(only("here")).reader.read_all("Where?", []) == []


# the pack


@pytest.fixture(scope="module")
def pack() -> Reader:
    return load_reader(threads=1)


QUESTIONS = {
    "What does the lamp of the lighthouse burn?": "whale oil",
    "When was the lamp lit?": "1820",
    "Who lit the lamp?": "Ada Quill",
}


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize(
    "before", ["", "🦩🎉 Grüße an alle, e\u0301te\u0301 naïve. ", "漢字と仮名。\r\n\r\n\t"]
)
def test_the_pack_answers_in_code_points(pack: Reader, question: str, before: str) -> None:
    reading = pack.read(question, before + LAMP)
    assert_sound(before + LAMP, reading)
    assert reading.answer.removeprefix("in ") == QUESTIONS[question]
    assert reading.start == (before + LAMP).index(reading.answer)


@pytest.mark.parametrize("place", [0, 12, 40])
def test_the_pack_finds_an_answer_far_into_a_long_text(pack: Reader, place: int) -> None:
    text = FILLER * place + LAMP + " " + FILLER * (40 - place)
    reading = pack.read("Who lit the lamp?", text)
    assert_sound(text, reading)
    assert (reading.answer, reading.start) == ("Ada Quill", text.index("Ada Quill"))


def test_the_pack_tells_what_does_not_answer(pack: Reader) -> None:
    there, absent = pack.read_all("Who lit the lamp?", [LAMP, FILLER.strip()])
    assert there.no_answer < 0.5 < absent.no_answer
    assert there.score > absent.score


@pytest.mark.parametrize(
    "context",
    [
        "",
        " \n\t ",
        "\u200b\u200d",
        "🦩🎉👩\u200d🚀",
        "Ada 漢字 text кириллица שלום مرحبا",
        "\x00\x01",
        "…!?",
        "half a pair \ud800 here",
        "\udfff",
    ],
    ids=["empty", "blank", "invisible", "emoji", "scripts", "control", "marks", "half", "halves"],
)
@pytest.mark.parametrize("question", ["Who lit the lamp?", "", "🦩", "\ud800?"])
def test_any_text_gets_a_sane_reading(pack: Reader, question: str, context: str) -> None:
    reading = pack.read(question, context)
    assert_sound(context, reading)
    if not re.search(r"\w|🦩|…|\ud800|\udfff", context):
        assert reading == NOTHING


def test_a_word_of_a_million_characters_is_one_token(pack: Reader) -> None:
    text = "a" * 1_000_000
    reading = pack.read("Who lit the lamp?", text)
    assert_sound(text, reading)
    assert reading.answer == text


def test_of_a_long_question_the_end_counts(pack: Reader) -> None:
    asked = "and then I would like to know, " * 6 + "who lit the lamp?"
    assert pack.read("puffin " * 200 + asked, LAMP) == pack.read("heron " * 50 + asked, LAMP)
    assert pack.read("puffin " * 200 + asked, LAMP) != pack.read(asked.replace("who", "when"), LAMP)


def test_threads_get_what_one_gets(pack: Reader) -> None:
    texts = [LAMP, FILLER * 12 + LAMP, "", FILLER]
    expected = {question: pack.read_all(question, texts) for question in QUESTIONS}
    assert expected["Who lit the lamp?"] == [pack.read("Who lit the lamp?", text) for text in texts]
    with ThreadPoolExecutor(4) as pool:
        asked = [*QUESTIONS, *QUESTIONS]
        for question, got in zip(asked, pool.map(lambda q: pack.read_all(q, texts), asked), strict=True):
            assert got == expected[question]


# third-party models


def tiny_model(folder: Path, kind: str = "BertForQuestionAnswering", positions: int = 64) -> Path:
    text = f"{FILLER} {LAMP} {' '.join(QUESTIONS)}"
    return tiny_bert(folder, kind, text, seed=5, max_position_embeddings=positions, initializer_range=0.3)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("tiny"))


def searched(folder: Path, question: str, context: str) -> tuple[int, int, float, float]:
    """Return the best span, its probability and that of [CLS], searching over transformers' own logits."""
    import torch
    from transformers import AutoModelForQuestionAnswering, AutoTokenizer

    model = AutoModelForQuestionAnswering.from_pretrained(str(folder)).eval()
    windows: Any = AutoTokenizer.from_pretrained(str(folder))(
        question, context, truncation="only_second", max_length=64, stride=8,
        return_overflowing_tokens=True, return_offsets_mapping=True,
    )  # fmt: skip
    best, absent = (0, 0, 0.0), 1.0
    for number, ids in enumerate(windows["input_ids"]):
        with torch.inference_mode():
            output = model(
                input_ids=torch.tensor([ids]),
                token_type_ids=torch.tensor([windows["token_type_ids"][number]]),
            )
        start, end = output.start_logits[0].double().numpy(), output.end_logits[0].double().numpy()
        offsets = windows["offset_mapping"][number]
        inside = [i for i, part in enumerate(windows.sequence_ids(number)) if part == 1]
        spans = {
            (i, j): np.exp(start[i] + end[j]) for i in inside for j in inside if i <= j < i + LONGEST_ANSWER
        }
        null = np.exp(start[0] + end[0])
        here = sum(spans.values()) / (null + sum(spans.values()))
        spans = {(i, j): chance * np.exp(-PER_TOKEN * (j - i)) for (i, j), chance in spans.items()}
        first, last = max(spans, key=lambda span: spans[span])
        score = here * spans[first, last] / sum(spans.values())
        best = max(best, (offsets[first][0], offsets[last][1], score), key=lambda found: found[2])
        absent = min(absent, 1 - here)
    return *best, absent


@pytest.mark.parametrize("context", [LAMP, FILLER * 4 + LAMP], ids=["one window", "several"])
@pytest.mark.parametrize("question", QUESTIONS)
def test_a_transformers_reader_takes_its_place(tiny: Path, question: str, context: str) -> None:
    start, end, score, absent = searched(tiny, question, context)
    reading = load_reader(str(tiny)).read(question, context)
    assert_sound(context, reading)
    assert (reading.start, reading.end) == (start, end)
    assert (reading.score, reading.no_answer) == pytest.approx((score, absent), abs=1e-4)


@pytest.mark.parametrize(
    "context",
    ["", " \n", "\u200b", "🦩🎉", "Ada 漢字 кириллица", "a" * 300, "half a pair \ud800 here"],
    ids=["empty", "blank", "invisible", "emoji", "scripts", "one word", "half"],
)
def test_a_transformers_reader_takes_any_text(tiny: Path, context: str) -> None:
    reader = load_reader(str(tiny))
    for question in ("Who lit the lamp?", "", "who " * 200):
        assert_sound(context, reader.read(question, context))


def test_a_transformers_reader_from_many_threads(tiny: Path) -> None:
    reader = load_reader(str(tiny))
    expected = [reader.read(question, LAMP) for question in QUESTIONS]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda question: reader.read(question, LAMP), QUESTIONS)) == expected
    assert reader.read_all("Who lit the lamp?", [LAMP, ""]) == [expected[2], NOTHING]


def test_models_of_another_kind_are_refused(tmp_path: Path) -> None:
    folder = str(tiny_model(tmp_path / "classifier", "BertForSequenceClassification"))
    with pytest.raises(
        ModelError, match=r"classifier' is BertForSequenceClassification; expected .*ForQuestionAns"
    ):
        load_reader(folder)


def test_missing_and_damaged_models_are_refused(tmp_path: Path) -> None:
    advice = r"(?s)reader '.*{}' does not load .*expected a folder or hub name of a question-answering model"
    with pytest.raises(ModelError, match=advice.format("none") + r".*HF_HUB_OFFLINE=0"):
        load_reader(str(tmp_path / "none"))
    weights = tiny_model(tmp_path / "damaged") / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(ModelError, match=advice.format("damaged")):
        load_reader(str(tmp_path / "damaged"))
    weights.unlink()
    with pytest.raises(ModelError, match=advice.format("damaged")):
        load_reader(str(tmp_path / "damaged"))
