"""The judge: signals by hand, windows that lose nothing, evidence of any length, third-party models."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rag.errors import ModelError
from rag.models.judge import (
    JUDGE_WINDOW,
    MOST_WINDOWS_JUDGED,
    STATEMENT,
    PackJudge,
    calibrated,
    entailment_label,
    load_judge,
    split_pairs,
)
from rag.models.runtime import pack_runner, trunk_tokenizer

FILLER = "The ferry leaves the harbour at noon. Tickets are sold on board. The crossing takes an hour. "


@pytest.fixture(scope="module")
def judge() -> PackJudge:
    judge = load_judge()
    assert isinstance(judge, PackJudge)
    return judge


@pytest.fixture(scope="module")
def uncalibrated() -> PackJudge:
    return PackJudge(pack_runner("judge"))


def test_probability_is_the_logistic_of_the_weighted_signals() -> None:
    signals = np.array([[2.0, 0.5, 1.0, 0.25, 3.0]])
    weights = {"score": 0.5, "words": 2.0, "names": 1.0, "phrases": 4.0, "windows": -1.0, "bias": 0.5}
    z = 0.5 * 2 + 2 * 0.5 + 1 * 1 + 4 * 0.25 - 1 * 3 + 0.5  # 1.5
    assert calibrated(signals, weights)[0] == pytest.approx(1 / (1 + math.exp(-z)))
    assert calibrated(signals, {"score": 1.0})[0] == pytest.approx(1 / (1 + math.exp(-2)))
    assert 0 < calibrated(np.array([[-1e9, 0, 0, 0, 0]]), {"score": 1.0})[0] < 1e-12


def test_shares_of_words_names_and_phrases_by_hand() -> None:
    (part,) = split_pairs([("Emma is by Jane Austen.", "Jane Austen wrote Emma in 1815")])
    (window,) = part.windows
    assert window.words == pytest.approx(3 / 5)  # jane, austen, emma of jane, austen, wrote, emma, 1815
    # Austen, emma of austen, emma, 1815; the first word may be any
    assert window.names == pytest.approx(2 / 3)
    assert window.phrases == pytest.approx(1 / 5)  # only "jane austen" of five neighbours
    assert part.all_windows == 1


def test_a_statement_without_names_misses_none() -> None:
    (part,) = split_pairs([("It rained.", "the sun shone")])
    assert part.windows[0].names == 1.0


def test_windows_are_few_fit_the_network_and_hold_the_scattered_evidence() -> None:
    said = ["Ada Lovelace was born in London.", "Her mother taught her mathematics.", "She wrote in 1843."]
    text = FILLER * 40 + said[0] + " " + FILLER * 40 + said[1] + " " + FILLER * 40 + said[2]
    (part,) = split_pairs([(text, "Lovelace, born in London, taught mathematics, wrote in 1843.")])
    assert len(part.windows) == MOST_WINDOWS_JUDGED < part.all_windows
    room = JUDGE_WINDOW - 3 - len(tokens(part.statement))
    assert all(len(tokens(window.text)) <= room for window in part.windows)
    assert any(all(sentence in window.text for sentence in said) for window in part.windows)


def test_short_evidence_is_read_whole() -> None:
    (part,) = split_pairs([(FILLER.strip(), "The crossing takes an hour.")])
    assert [window.text for window in part.windows] == [FILLER.strip()]


def test_a_long_statement_is_judged_in_parts(judge: PackJudge) -> None:
    evidence = "The Danube flows through Vienna. It rises in the Black Forest. " + FILLER
    right = "The Danube flows through Vienna. "
    wrong = "Mount Kilimanjaro erupted on a Tuesday in 1911. "
    statement = right * 12 + wrong + right * 12
    parts = split_pairs([(evidence, statement)])
    assert len(tokens(statement)) > STATEMENT
    assert all(len(tokens(part.statement)) <= STATEMENT for part in parts)
    assert judge.support([(evidence, statement)])[0] == pytest.approx(judge.support([(evidence, wrong)])[0])


def test_pairs_do_not_influence_each_other(judge: PackJudge) -> None:
    pairs = [
        ("Emma was published in 1815 in London.", "Emma was published in 1815."),
        (FILLER * 30, "The crossing takes an hour."),
        ("", "Nothing."),
        ("Emma was published in 1815 in London.", "Emma was published in Paris."),
    ]
    together = judge.support(pairs)
    alone = [judge.support([pair])[0] for pair in pairs]
    assert together.shape == (4,)
    assert together.tolist() == alone
    assert judge.support([]).shape == (0,)


@pytest.mark.parametrize(
    ("evidence", "statement"),
    [("", ""), ("", "Emma."), ("Emma.", ""), ("😀🎉", "🎉"), ("Emma.", "🎉"), (" \n\t", "Emma."), ("…", "!")],
)
def test_what_has_no_words_supports_nothing(judge: PackJudge, evidence: str, statement: str) -> None:
    assert judge.support([(evidence, statement)]).tolist() == [0.0]


@pytest.mark.parametrize(
    ("evidence", "statement"),
    [
        ("Ada 漢字 text кириллица שלום", "漢字 and кириллица"),
        ("half a pair \ud800 here", "a pair \udfff"),
        ("a" * 1_000_000, "aaa"),
        ("漢" * 1_000_000, "漢字"),
        (FILLER * 11_000, "The crossing takes an hour."),
        ("The crossing takes an hour.", FILLER * 11_000),
    ],
    ids=["scripts", "surrogates", "one word", "one script", "long evidence", "long statement"],
)
def test_any_text_gets_a_probability(judge: PackJudge, evidence: str, statement: str) -> None:
    (chance,) = judge.support([(evidence, statement)])
    assert 0 < chance < 1


def test_the_judge_tells_supported_from_unsupported(judge: PackJudge) -> None:
    passage = (
        "Emma is a novel by English author Jane Austen. It was published in December 1815 by John Murray. "
        "It is set in the fictional country village of Highbury."
    )
    right = ["Jane Austen wrote Emma.", "Emma was published in 1815.", "Emma is set in a village."]
    wrong = [
        "Charles Dickens wrote Emma.",
        "Emma was published in 1923.",
        "Emma was translated into Finnish.",
    ]
    chances = judge.support([(passage, statement) for statement in right + wrong])
    assert min(chances[:3]) > max(chances[3:]), dict(zip(right + wrong, chances, strict=True))


def test_evidence_is_found_wherever_it_stands(judge: PackJudge) -> None:
    fact, statement = "Emma was published in December 1815 by John Murray. ", "Emma was published in 1815."
    texts = [fact + FILLER * 50, FILLER * 25 + fact + FILLER * 25, FILLER * 50 + fact]
    with_fact = judge.support([(text, statement) for text in texts])
    (without,) = judge.support([(FILLER * 51, statement)])
    assert min(with_fact) > without + 0.2


def test_the_score_grows_with_its_own_calibration_only(judge: PackJudge, uncalibrated: PackJudge) -> None:
    pair = ("Emma was published in 1815.", "Emma was published in 1815.")
    _, signals = uncalibrated.signals([pair])
    assert signals.shape == (1, 5)
    assert signals[0, 1:].tolist() == [1.0, 1.0, 1.0, 0.0]  # all is found, in one window
    assert uncalibrated.support([pair])[0] == pytest.approx(1 / (1 + math.exp(-signals[0, 0])))


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ({0: "contradiction", 1: "neutral", 2: "entailment"}, 2),
        ({0: "ENTAILMENT", 1: "NEUTRAL", 2: "CONTRADICTION"}, 0),
        ({0: "not_entailment", 1: "entailment"}, 1),
        ({0: "LABEL_0"}, 0),
    ],
)
def test_the_label_of_entailment_is_found_by_name(names: dict[int, str], expected: int) -> None:
    assert entailment_label(names) == expected


@pytest.mark.parametrize("names", [{0: "LABEL_0", 1: "LABEL_1"}, {0: "not_entailment", 1: "neutral"}])
def test_labels_without_entailment_are_refused(names: dict[int, str]) -> None:
    with pytest.raises(ValueError, match="its labels are"):
        entailment_label(names)


@pytest.mark.parametrize(
    "names", [["contradiction", "entailment", "neutral"], ["not_entailment", "entailment"]]
)
def test_a_transformers_classifier_takes_its_place(tmp_path: Path, names: list[str]) -> None:
    import torch

    model = save_model(tmp_path, "BertForSequenceClassification", names)
    premise, hypothesis = "Emma was published in 1815.", "Emma is old."
    tokenizer = load_tokenizer(tmp_path)
    with torch.inference_mode():
        logits = model(**tokenizer(premise, hypothesis, return_tensors="pt")).logits[0]
    expected = torch.softmax(logits, -1)[1].item()  # the oracle: transformers itself, label 1
    (chance, nothing) = load_judge(str(tmp_path), threads=1).support([(premise, hypothesis), ("", "x")])
    assert chance == pytest.approx(expected, abs=1e-6)
    assert nothing == 0.0


def test_a_classifier_of_one_label_gives_its_sigmoid(tmp_path: Path) -> None:
    import torch

    model = save_model(tmp_path, "BertForSequenceClassification", ["LABEL_0"])
    with torch.inference_mode():
        logit = model(**load_tokenizer(tmp_path)("a b", "c", return_tensors="pt")).logits[0, 0].item()
    assert load_judge(str(tmp_path)).support([("a b", "c")])[0] == pytest.approx(1 / (1 + math.exp(-logit)))


def test_a_classifier_reads_evidence_of_any_length(tmp_path: Path) -> None:
    save_model(tmp_path, "BertForSequenceClassification", ["entailment", "neutral", "contradiction"])
    assert 0 < load_judge(str(tmp_path)).support([(FILLER * 100, "The crossing takes an hour.")])[0] < 1


def test_models_of_another_kind_are_refused(tmp_path: Path) -> None:
    save_model(tmp_path / "reader", "BertForQuestionAnswering", ["a", "b"])
    with pytest.raises(ModelError, match=r"architecture is BertForQuestionAnswering.*expected a folder"):
        load_judge(str(tmp_path / "reader"))
    save_model(tmp_path / "unnamed", "BertForSequenceClassification", ["LABEL_0", "LABEL_1"])
    with pytest.raises(ModelError, match="its labels are LABEL_0, LABEL_1"):
        load_judge(str(tmp_path / "unnamed"))


def test_a_damaged_or_unknown_model_is_refused(tmp_path: Path) -> None:
    save_model(tmp_path, "BertForSequenceClassification", ["entailment", "other"])
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ModelError, match="does not load"):
        load_judge(str(tmp_path))
    with pytest.raises(ModelError, match="no-such-folder"):
        load_judge(str(tmp_path / "no-such-folder"))


def tokens(text: str) -> list[int]:
    return list(trunk_tokenizer().encode(text, add_special_tokens=False).ids)


def save_model(folder: Path, kind: str, names: list[str]) -> Any:
    """Make a small random BERT of a kind, with the trunk's tokenizer, and save it."""
    import torch
    import transformers

    torch.manual_seed(1)
    config = transformers.BertConfig(
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        id2label=dict(enumerate(names)),
        label2id={name: i for i, name in enumerate(names)},
    )
    model = getattr(transformers, kind)(config).eval()
    model.save_pretrained(folder)
    fast: Any = transformers.PreTrainedTokenizerFast
    fast(
        tokenizer_object=trunk_tokenizer(), cls_token="[CLS]", sep_token="[SEP]", pad_token="[PAD]"
    ).save_pretrained(folder)
    return model


def load_tokenizer(folder: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(str(folder))
