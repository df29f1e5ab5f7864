from __future__ import annotations

import re
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rag.errors import InvalidInput, ModelError
from rag.models.compress import (
    LEAST_TOKENS,
    Compressed,
    Compressor,
    choose,
    joined,
    load_compressor,
    should_compress,
)
from rag.models.runtime import pack_runner
from rag.models.token_classifier import PackClassifier, windows
from tests.made_models import tiny_bert

PROSE = (
    "The harbour museum opened in 1987 after a long campaign by local fishermen, who had collected nets, lamps "
    "and log books for decades. Entry does not cost anything on Sundays, and children never pay. The oldest boat, "
    "the Swallow, was built by Henrik Olsen in Bergen and carried mail along the coast until the war. Visitors may "
    "climb aboard, although the cabin is closed whenever the weather is bad. A small restaurant beside the slipway "
    "serves soup, bread and whatever the boats have brought in that morning. Guides tell stories about the great "
    "storm, about the lighthouse keeper who refused to leave his post, and about the children who learnt to row "
    "before they could walk. In winter the sheds are heated by a single stove, and volunteers repair sails, paint "
    "oars and sort the photographs that families still bring. Nobody is paid for this work. The town council has "
    "promised to restore the crane, which is the last of its kind on this coast, but the money has not been found."
)
TABLE = "\n| day | hours |\n|---|---|\n| Sunday | 10-17 |\n"
BAD_RATES = (0, 0.0, -0.5, 1.01, float("nan"), float("inf"), True, "0.5", None)


class Lengths:
    """A classifier that can rank: a token is a word, weighted by its length, and more if the question has it."""

    def count(self, text: str) -> int:
        return len(text.split())

    def classify(self, text: str, question: str) -> tuple[np.ndarray, np.ndarray]:
        found = list(re.finditer(r"\S+", text))
        asked = set(question.split())
        worth = [0.9 if m[0] in asked else min(len(m[0]), 20) / 40 for m in found]
        return np.array([m.start() for m in found], np.int64), np.array(worth)


@pytest.fixture(scope="module")
def pack() -> Compressor:
    return load_compressor(threads=1)


def assert_sound(text: str, made: Compressed) -> None:
    """Invariants of every result."""
    ends = [-1, *(end for _, end in made.kept)]
    assert all(last < start < end for last, (start, end) in zip(ends, made.kept, strict=False))
    assert ends[-1] <= len(text)
    assert made.text == " ".join(text[start:end] for start, end in made.kept)
    for start, end in made.kept:
        assert start == 0 or text[start - 1].isspace() or text[start].isspace()
        assert end == len(text) or text[end].isspace() or text[end - 1].isspace()


@pytest.mark.parametrize("rate", [0.05, 0.1, 0.25, 1 / 3, 0.5, 0.7, 0.9, 0.99])
@pytest.mark.parametrize("question", ["", "Who built the Swallow?"])
def test_rate_is_met_closely_and_never_exceeded(pack: Compressor, rate: float, question: str) -> None:
    made = pack.compress(PROSE, rate, question=question)
    assert_sound(PROSE, made)
    assert rate - 0.02 <= len(made.text) / len(PROSE) <= rate


def test_choice_equals_a_greedy_choice_word_by_word() -> None:
    text = "ant beetles cicada dragonfly eel fox gorillas hare iguana jackals koala lemur marmoset newt"
    words = text.split()
    own = [len(word) / 40 for word in words]
    padded = [own[0], *own, own[-1]]
    scores = [0.7 * own[i] + 0.15 * (padded[i] + padded[i + 2]) for i in range(len(words))]
    for room in range(3, len(text)):
        left, expected = room + 1, set()  # the last word needs no space after it
        ranking = sorted(range(len(words)), key=lambda i: -scores[i])
        fits = [sum(len(words[j]) + 1 for j in ranking[:n]) <= left for n in range(len(words) + 1)]
        count = max(1, max(n for n, fit in enumerate(fits) if fit))
        left -= sum(len(words[j]) + 1 for j in ranking[:count])
        expected = set(ranking[:count])
        for i in ranking[count:]:
            if len(words[i]) + 1 <= left:
                expected.add(i)
                left -= len(words[i]) + 1
        kept = choose(text, room / len(text), lambda t: Lengths().classify(t, ""))
        assert joined(text, kept).split() == [words[i] for i in sorted(expected)]


def test_facts_stay_at_2x_and_names_too() -> None:
    made = Compressor(Lengths()).compress(PROSE, 0.5)
    for word in (
        "1987",
        "not cost",
        "never pay.",
        "Swallow,",
        "Henrik Olsen",
        "Bergen",
        "Sundays,",
        "Nobody is",
    ):
        assert word in made.text


def test_names_yield_to_the_question_where_little_room_is_left_but_facts_do_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = "Then came Ada Bell Carl Dora Emil Fred Gina Hugo Ines and the 7 keys lay under a stone."

    def kept() -> str:
        return Compressor(Lengths()).compress(names, 0.4, question="keys lay under stone.").text

    assert "7 keys" in kept()
    assert "lay under" in kept()
    monkeypatch.setattr("rag.models.compress._NAMES_SHARE", 1.0)
    assert "lay under" not in kept()


def test_very_low_rate_keeps_one_fact() -> None:
    made = Compressor(Lengths()).compress(PROSE, 0.001)
    assert len(made.kept) == 1
    assert made.text in {"1987", "not", "cost", "never", "pay.", "last"} or made.text[0].isalpha()
    assert len(made.text.split()) == 1


def test_tables_pass_through_and_count_toward_nothing(pack: Compressor) -> None:
    text = f"{PROSE}{TABLE}{PROSE}"
    made = pack.compress(text, 0.3)
    assert_sound(text, made)
    assert TABLE.strip("\n") in made.text
    assert (len(made.text) - len(TABLE)) / (2 * len(PROSE)) == pytest.approx(0.3, abs=0.02)
    assert pack.compress(TABLE, 0.1).text.strip() == TABLE.strip()


def test_question_changes_what_is_kept(pack: Compressor) -> None:
    built = pack.compress(PROSE, 0.25, question="Who built the oldest boat?")
    heated = pack.compress(PROSE, 0.25, question="How are the sheds heated in winter?")
    assert "Henrik Olsen" in built.text
    assert "stove" in heated.text
    assert built.kept != heated.kept


def test_capitals_and_characters_are_the_originals(pack: Compressor) -> None:
    text = PROSE.replace("Henrik Olsen", "Łukasz Żółć").replace("soup", "SOUPE À L’OIGNON")
    made = pack.compress(text, 0.6)
    assert_sound(text, made)
    assert "Łukasz Żółć" in made.text


def test_the_whole_is_kept_at_one(pack: Compressor) -> None:
    assert pack.compress(f" {PROSE}\n", 1).text == f" {PROSE}\n"
    assert pack.compress("word", 1.0) == Compressed("word", ((0, 4),))


@pytest.mark.parametrize(
    "text",
    [
        "one",
        "😀😀🎉",
        "😀 🎉 👩‍👩‍👧 " * 40,
        "東京タワーは高さ333メートルの電波塔である。" * 20,
        "Москва, القاهرة, 東京, นครหลวง and Zürich are cities. " * 10,
        "\x00\x01 \x7f",
        "\ud800 half a character \udfff",
        "a\u0301\u0302 \u200b \ufeff",
        "....... !!! ???",
        "[[[[{{{{((((",
        "x" * 5000,
        '{"a": ' * 500,
        "| " * 3000,
        "\n" * 5000 + "word",
    ],
)
@pytest.mark.parametrize("rate", [0.01, 0.5])
def test_odd_text_gives_a_sane_result(pack: Compressor, text: str, rate: float) -> None:
    made = pack.compress(text, rate, question="which?")
    assert made.kept
    assert made.text == " ".join(text[start:end] for start, end in made.kept)
    assert len(made.text) <= max(rate * len(text), 200) or "{" in text or "|" in text


def test_empty_text_and_white_space(pack: Compressor) -> None:
    assert pack.compress("", 0.5) == Compressed("", ())
    assert pack.compress(" \n\t", 0.5) == Compressed(" \n\t", ((0, 3),))


def test_chinese_is_kept_at_its_rate(pack: Compressor) -> None:
    text = "这座博物馆位于港口旁边,由当地渔民多年收集的渔网和航海日志组成,每逢周末免费开放。" * 8
    made = pack.compress(text, 0.5)
    assert 0.48 <= len(made.text) / len(text) <= 0.5


@pytest.mark.parametrize("rate", BAD_RATES)
def test_bad_rate_is_named_with_its_remedy(rate: Any) -> None:
    with pytest.raises(InvalidInput, match=r"^rate is .*; expected a number above 0 and at most 1"):
        Compressor(Lengths()).compress("some words", rate)


def test_text_and_question_must_be_strings() -> None:
    bad: Any = 7
    with pytest.raises(InvalidInput, match=r"^text is 7; expected a string"):
        Compressor(Lengths()).compress(bad, 0.5)
    with pytest.raises(InvalidInput, match=r"^question is 7; expected a string"):
        Compressor(Lengths()).compress("some words", 0.5, question=bad)


def test_a_million_characters() -> None:
    text = f"{PROSE} " * (1_000_000 // len(PROSE))
    began = time.thread_time()
    made = Compressor(Lengths()).compress(text, 0.5)
    assert time.thread_time() - began < 20  # ten times the usual; without the network, which is linear
    assert 0.48 <= len(made.text) / len(text) <= 0.5


def test_windows_cover_each_token_once_within_the_limit() -> None:
    text = " ".join(f"w{i}." if i % 7 == 0 else f"w{i}" for i in range(1000))
    begins = np.array([m.start() for m in re.finditer(r"\w+|\.", text)])
    cut = list(windows(begins, text, 100))
    assert [start for start, _ in cut] == [0, *(end for _, end in cut[:-1])]
    assert cut[-1][1] == len(begins)
    assert max(end - start for start, end in cut) <= 100
    assert all(text[begins[end - 1]] == "." for _, end in cut[:-1])
    assert list(windows(begins[:0], "", 100)) == []


def test_probabilities_of_the_pack_are_those_of_single_runs() -> None:
    runner = pack_runner("compressor", threads=1)
    begins, probabilities = PackClassifier(runner).classify(PROSE, "Who built the Swallow?")
    tokens, asked = runner.tokenise([PROSE, "Who built the Swallow?"])
    assert begins.tolist() == [start for start, _ in tokens.offsets]
    assert len(tokens.ids) < 240  # one window
    logits = runner.run(asked.ids, tokens.ids)[0][0].astype(float)
    expected = np.exp(logits[:, 1]) / np.exp(logits).sum(axis=1)
    np.testing.assert_allclose(probabilities, expected[len(asked.ids) + 2 : -1], rtol=1e-5)


def test_threads_get_the_results_of_one(pack: Compressor) -> None:
    questions = ["", "Who built it?", "What does the restaurant serve?", "Who refused to leave?"]
    expected = [pack.compress(PROSE, 0.4, question=q) for q in questions]
    got: list[Compressed | None] = [None] * len(questions)

    def work(number: int) -> None:
        got[number] = pack.compress(PROSE, 0.4, question=questions[number])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(questions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == expected


def test_when_the_question_path_compresses() -> None:
    assert should_compress(PROSE, tokens=200, room=100)
    assert not should_compress(PROSE, tokens=200, room=200)  # it fits
    assert not should_compress(PROSE, tokens=LEAST_TOKENS - 1, room=10)  # too short to gain
    assert not should_compress(TABLE * 9, tokens=500, room=10)  # not prose
    assert should_compress(f"{PROSE}{TABLE}", tokens=250, room=10)


def tiny_model(folder: Path, kind: str = "BertForTokenClassification", labels: int = 2) -> Path:
    return tiny_bert(folder, kind, PROSE, seed=3, num_labels=labels)


def test_any_token_classifier_serves(tmp_path: Path) -> None:
    compressor = load_compressor(str(tiny_model(tmp_path / "any-name")), threads=1)
    text = f"{PROSE}\n\n" * 4  # more tokens than its 512 positions
    made = compressor.compress(text, 0.5, question="Who?")
    assert_sound(text, made)
    assert 0.48 <= len(made.text) / len(text) <= 0.5


def test_words_rank_as_in_the_original_prompt_compressor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The original keeps the words of the largest mean probability; by our scores, all its words are above the rest."""
    import tiktoken
    from llmlingua import PromptCompressor

    class Words:
        def encode(self, text: str) -> list[str]:
            return text.split()

    monkeypatch.setattr(tiktoken, "encoding_for_model", lambda _: Words())  # it would download
    folder = tiny_model(tmp_path / "bert-base-multilingual-cased")
    original = PromptCompressor(
        str(folder), device_map="cpu", use_llmlingua2=True, model_config={"trust_remote_code": False}
    )
    text = " ".join(re.findall(r"[a-z]+", PROSE[:300].lower()))
    made = original.compress_prompt_llmlingua2([text], rate=0.5, return_word_label=True)
    labelled = [one.rsplit(" ", 1) for one in made["fn_labeled_original_prompt"].split("\t\t|\t\t")]
    assert [word for word, _ in labelled] == text.split()
    from rag.models.token_classifier import TransformersClassifier

    begins, probabilities = TransformersClassifier(str(folder), threads=1).classify(text, "")
    starts = [m.start() for m in re.finditer(r"\S+", text)]
    word = np.searchsorted(starts, begins, side="right") - 1
    means = [probabilities[word == number].mean() for number in range(len(starts))]
    kept = [mean for mean, (_, label) in zip(means, labelled, strict=True) if label == "1"]
    dropped = [mean for mean, (_, label) in zip(means, labelled, strict=True) if label == "0"]
    assert kept
    assert dropped
    assert min(kept) >= max(dropped) - 1e-5


def test_wrong_models_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ModelError, match=r"BertForSequenceClassification with 2 labels; expected .*two labels"
    ):
        load_compressor(str(tiny_model(tmp_path / "pairs", "BertForSequenceClassification")))
    with pytest.raises(ModelError, match=r"BertForTokenClassification with 5 labels"):
        load_compressor(str(tiny_model(tmp_path / "five", labels=5)))
    with pytest.raises(ModelError, match=r"(?s)'no-such-model' does not load .*HF_HUB_OFFLINE=0"):
        load_compressor("no-such-model")
    damaged = tiny_model(tmp_path / "damaged")
    (damaged / "model.safetensors").write_bytes(b"not a model")
    with pytest.raises(ModelError, match="does not load"):
        load_compressor(str(damaged))
