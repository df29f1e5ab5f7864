"""The cross-encoder: probabilities by hand, which part of a text is read, and third-party models."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from rag.errors import ModelError
from rag.models.cross_encoder import TEXT_TOKENS, CrossEncoder, PackCrossEncoder, load_cross_encoder
from rag.models.runtime import QUESTION_TOKENS, trunk_tokenizer

ASKED = "How long do bees live?"
TEXTS = [
    "The committee met on Tuesday to discuss the budget.",
    "A worker bee lives for about six weeks in summer.",
    "Honey is sold in glass jars.",
    "Trains to Hamburg leave every hour.",
]
ODD = ["", " \n", "🦩🎉", "Ada 漢字 кириллица שלום", "\x00", "bee " * 20_000, "b" * 1_000_000]


class SharedWords:
    """A stand-in for the network that counts the words that question and text share."""

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}
        self.runs: list[tuple[list[int], list[int]]] = []

    def tokenise(self, texts: Sequence[str]) -> list[Any]:
        return [
            SimpleNamespace(ids=[self._ids.setdefault(word, len(self._ids)) for word in text.split()])
            for text in texts
        ]

    def each(self, work: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
        return [work(item) for item in items]

    def run(self, first: Sequence[int], second: Sequence[int]) -> list[np.ndarray]:
        self.runs.append((list(first), list(second)))
        return [np.array([len(set(first) & set(second))], np.float32)]


def counting(runner: Any, *, scale: float = 1.0, bias: float = 0.0) -> PackCrossEncoder:
    """Score with a stand-in that has a Runner's interface."""
    return PackCrossEncoder(runner, scale=scale, bias=bias)


def test_a_score_is_the_logistic_of_the_scaled_logit() -> None:
    texts = ["the lamp burns oil", "the ferry", "butter", ""]
    scores = counting(SharedWords(), scale=2.0, bias=-3.0).score("what does the lamp burn", texts)
    logits = [2 * 2 - 3, 2 * 1 - 3, -3, -3]  # the, lamp; the; none; none
    assert scores.tolist() == pytest.approx([1 / (1 + math.exp(-logit)) for logit in logits])
    assert counting(SharedWords()).logits("what does the lamp burn", texts).tolist() == [2, 1, 0, 0]
    assert counting(SharedWords()).score("what", []).shape == (0,)


def test_no_logit_overflows() -> None:
    low, high = (counting(SharedWords(), scale=scale).score("a", ["a"])[0] for scale in (-1e9, 1e9))
    assert 0 <= low < 1e-12
    assert 1 - 1e-12 < high <= 1


def test_the_end_of_the_question_and_the_beginning_of_the_text_are_read() -> None:
    runner = SharedWords()
    question, text = ([f"{kind}{n}" for n in range(300)] for kind in "qt")
    counting(runner).score(" ".join(question), [" ".join(text)])
    assert runner.runs == [(list(range(300 - QUESTION_TOKENS, 300)), list(range(300, 300 + TEXT_TOKENS)))]
    assert QUESTION_TOKENS + TEXT_TOKENS + 3 <= 512


# the pack


@pytest.fixture(scope="module")
def pack() -> CrossEncoder:
    return load_cross_encoder(threads=1)


def test_the_pack_ranks(pack: CrossEncoder) -> None:
    scores = pack.score(ASKED, TEXTS)
    assert scores.shape == (4,)
    assert scores.argmax() == 1
    assert scores[1] > 2 * np.delete(scores, 1).max()


def test_company_and_order_change_nothing(pack: CrossEncoder) -> None:
    scores = pack.score(ASKED, TEXTS)
    assert pack.score(ASKED, TEXTS[::-1]).tolist() == scores[::-1].tolist()
    assert [pack.score(ASKED, [text])[0] for text in TEXTS] == scores.tolist()
    assert pack.score(ASKED, []).shape == (0,)
    with ThreadPoolExecutor(4) as pool:
        assert all(
            got.tolist() == scores.tolist() for got in pool.map(lambda _: pack.score(ASKED, TEXTS), range(8))
        )


@pytest.mark.parametrize("question", [ASKED, "", "🦩", "how " * 500])
def test_the_pack_gives_any_text_a_probability(pack: CrossEncoder, question: str) -> None:
    scores = pack.score(question, ODD)
    assert scores.shape == (len(ODD),)
    assert np.isfinite(scores).all()
    assert ((scores >= 0) & (scores <= 1)).all()


def test_half_a_character_is_no_obstacle(pack: CrossEncoder, tmp_path: Path) -> None:
    tiny_model(tmp_path)
    for model in (pack, load_cross_encoder(str(tmp_path))):
        scores = model.score("How \ud800 long?", ["half \ud800", "\udfff", "whole"])
        assert ((scores >= 0) & (scores <= 1)).all()


# third-party models


def tiny_model(folder: Path, kind: str = "BertForSequenceClassification", labels: int = 1) -> Any:
    """Make a small random BERT of a kind with the trunk's tokenizer, and save it."""
    import torch

    transformers: Any = importlib.import_module("transformers")
    torch.manual_seed(2)
    config = transformers.BertConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        num_labels=labels, initializer_range=0.3,
    )  # fmt: skip
    model = getattr(transformers, kind)(config).eval()
    model.save_pretrained(folder)
    fast: Any = transformers.PreTrainedTokenizerFast
    special = {"cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]", "unk_token": "[UNK]"}
    fast(tokenizer_object=trunk_tokenizer(), model_max_length=512, **special).save_pretrained(folder)
    return model


def test_a_cross_encoder_of_another_maker_takes_its_place(tmp_path: Path) -> None:
    import torch
    from transformers import AutoTokenizer

    model, tokenizer = tiny_model(tmp_path), AutoTokenizer.from_pretrained(str(tmp_path))
    with torch.inference_mode():
        logits = [
            model(**tokenizer(ASKED, text, return_tensors="pt", truncation=True)).logits[0, 0].item()
            for text in TEXTS
        ]
    theirs = load_cross_encoder(str(tmp_path))
    scores = theirs.score(ASKED, TEXTS)
    assert scores.tolist() == pytest.approx([1 / (1 + math.exp(-logit)) for logit in logits], abs=1e-5)
    assert scores.std() > 0.01  # it distinguishes them, so their order is tested too
    assert theirs.score(ASKED, []).shape == (0,)
    with ThreadPoolExecutor(4) as pool:
        for got in pool.map(lambda _: theirs.score(ASKED, TEXTS), range(4)):
            assert got.tolist() == pytest.approx(scores.tolist(), abs=1e-6)
    for question in ("", "🦩", "how " * 600):
        scores = theirs.score(question, [text for text in ODD if len(text) < 100_000])
        assert ((scores >= 0) & (scores <= 1)).all()


def test_a_model_of_several_labels_is_refused(tmp_path: Path) -> None:
    tiny_model(tmp_path / "three", labels=3)
    with pytest.raises(
        ModelError, match=r"reranker '.*three' has 3 labels; expected a CrossEncoder with one"
    ):
        load_cross_encoder(str(tmp_path / "three"))


def test_a_model_of_another_kind_is_refused(tmp_path: Path) -> None:
    tiny_model(tmp_path / "reads", "BertForQuestionAnswering")
    with pytest.raises(
        ModelError, match=r"reads' is BertForQuestionAnswering; expected .*ForSequenceClassification"
    ):
        load_cross_encoder(str(tmp_path / "reads"))


def test_missing_and_damaged_models_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"(?s)reranker '.*none' does not load .*HF_HUB_OFFLINE=0"):
        load_cross_encoder(str(tmp_path / "none"))
    tiny_model(tmp_path / "damaged")
    weights = tmp_path / "damaged" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(
        ModelError, match=r"(?s)reranker '.*damaged' does not load .*expected a folder or hub name"
    ):
        load_cross_encoder(str(tmp_path / "damaged"))
