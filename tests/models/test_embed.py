"""The packaged embedder against sentence-transformers, and under hostile texts and many threads."""

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from rag.errors import ModelError
from rag.models import trunk
from rag.models.embed import (
    Embedder,
    SentenceTransformersEmbedder,
    TokenVectors,
    _model_digest,
    load_embedder,
    unit,
)
from rag.models.runtime import cores

TEXTS = [
    "The warranty covers the battery for two years.",
    "Wie viele Urlaubstage habe ich im ersten Jahr?",
    "def add(a, b):\n    return a + b",
    "An answer of several sentences. It goes on for a while, and then it ends. " * 3,
    "The heron stands at the lighthouse and waits for the ferry to the island.",
    "42 of the 50 puffins weigh 17.5 ounces, -3 % against 1999.",
]
# The last is beyond 254 tokens
ODD = [
    "北海道の冬は寒い。",
    "🦩🦩 café naïve fish No5",
    "x",
    "",
    "   \n\t",
    "word " * 400,
]


@pytest.fixture(scope="module")
def reference() -> SentenceTransformersEmbedder:
    return SentenceTransformersEmbedder(str(trunk.trunk_folder()))


def test_it_agrees_with_sentence_transformers(
    embedder: Embedder, reference: SentenceTransformersEmbedder
) -> None:
    mine, theirs = embedder.encode(TEXTS), reference.encode(TEXTS)
    assert mine.shape == theirs.shape == (len(TEXTS), 384)
    odd = (embedder.encode(ODD) * reference.encode(ODD)).sum(axis=1)
    assert odd.min() > 0.96, dict(zip(ODD, odd.tolist(), strict=True))
    assert (embedder.dimension, embedder.max_tokens) == (reference.dimension, reference.max_tokens)
    cosines = (mine * theirs).sum(axis=1)
    assert cosines.mean() > 0.98
    assert cosines.min() > 0.97, dict(zip(TEXTS, cosines.tolist(), strict=True))
    assert embedder.fingerprint != reference.fingerprint  # int8 vectors are never mixed with float32 ones


def test_compatibility_characters_are_read_as_the_plain_ones(embedder: Embedder) -> None:
    odd, plain = "The oﬃce in Ｆｉｎｆｌｅｙ has ①② rooms.", "The office in Finfley has 12 rooms."
    assert np.array_equal(*embedder.encode([odd, plain]))
    # Offsets are those of the text as it is
    assert [odd[start:end] for start, end in embedder.token_offsets(odd)][1:6] == [
        "oﬃce",
        "in",
        "Ｆｉｎ",
        "ｆｌｅ",
        "ｙ",
    ]


def test_tokens_agree_with_sentence_transformers(
    embedder: Embedder, reference: SentenceTransformersEmbedder
) -> None:
    texts = [*TEXTS, *ODD]
    for text, mine, theirs in zip(
        texts, embedder.encode_tokens(texts), reference.encode_tokens(texts), strict=True
    ):
        assert np.array_equal(mine.offsets, theirs.offsets), text
        assert np.array_equal(embedder.token_offsets(text), reference.token_offsets(text))
        assert mine.vectors.shape == (len(mine.offsets), 384)
        cosines = (unit(mine.vectors) * unit(theirs.vectors)).sum(axis=1)
        assert not len(cosines) or cosines.mean() > 0.95, text


def test_vectors_have_length_one_and_are_finite(embedder: Embedder) -> None:
    vectors = embedder.encode([*TEXTS, *ODD])
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_order_and_company_change_nothing(embedder: Embedder) -> None:
    together = embedder.encode(TEXTS)
    assert np.array_equal(together, embedder.encode(TEXTS[::-1])[::-1])
    assert np.array_equal(together, np.concatenate([embedder.encode([text]) for text in TEXTS]))


def test_many_threads_get_identical_vectors(embedder: Embedder) -> None:
    expected = embedder.encode(TEXTS)
    tokens = embedder.encode_tokens(TEXTS[:5])
    with ThreadPoolExecutor(8) as pool:
        for vectors in pool.map(lambda _: embedder.encode(TEXTS), range(16)):
            assert np.array_equal(vectors, expected)
        for found in pool.map(lambda _: embedder.encode_tokens(TEXTS[:5]), range(8)):
            assert all(np.array_equal(a.vectors, b.vectors) for a, b in zip(found, tokens, strict=True))


def test_no_texts(embedder: Embedder) -> None:
    assert embedder.encode([]).shape == (0, 384)
    assert embedder.encode_tokens([]) == []
    assert embedder.token_offsets("").shape == (0, 2)
    (nothing,) = embedder.encode_tokens([""])
    assert (nothing.offsets.shape, nothing.vectors.shape) == ((0, 2), (0, 384))
    assert np.array_equal(nothing.pool(), np.zeros(384, np.float32))


def test_a_long_text_is_cut_and_its_offsets_are_not(embedder: Embedder) -> None:
    text = "".join(f"word{n} " for n in range(10_000))[:100_000]
    (vectors,) = embedder.encode_tokens([text])
    assert len(vectors.vectors) == len(vectors.offsets) == embedder.max_tokens
    offsets = embedder.token_offsets(text)
    assert offsets[-1, 1] == len(text.rstrip())
    assert np.array_equal(offsets[: embedder.max_tokens], vectors.offsets)
    cut = text[: vectors.offsets[-1, 1]]
    assert float(embedder.encode([text])[0] @ embedder.encode([cut])[0]) > 0.999


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The Heron waits.", ["The", "Heron", "waits", "."]),
        ("ÉTÉ à Zürich", ["ÉTÉ", "à", "Zürich"]),
        ("🦩 flies", ["🦩", "flies"]),
        ("東京 is big", ["東", "京", "is", "big"]),
        ("a\u0301b", ["a\u0301b"]),  # a combining accent
        ("  two\n\nlines ", ["two", "lines"]),
    ],
)
def test_offsets_point_at_the_right_characters(embedder: Embedder, text: str, words: list[str]) -> None:
    offsets = embedder.token_offsets(text).tolist()
    assert all(0 <= start < end <= len(text) for start, end in offsets)
    assert offsets == sorted(offsets)
    joined: list[list[int]] = []  # pieces of one word touch
    for start, end in offsets:
        if joined and joined[-1][1] == start and text[start : start + 1].isalnum() and text[start] < "\u2e80":
            joined[-1][1] = end
        else:
            joined.append([start, end])
    assert [text[start:end] for start, end in joined] == words


def test_pooling_is_the_mean_of_the_tokens() -> None:
    tokens = TokenVectors(np.zeros((2, 2), np.int32), np.array([[3, 0], [0, 4]], np.float32))
    assert tokens.pool() == pytest.approx([1.5 / 2.5, 2 / 2.5])
    assert np.array_equal(unit(np.zeros(2, np.float32)), np.zeros(2))


def test_a_model_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"embedder '.*none' does not load .*expected a folder or hub name"):
        load_embedder(str(tmp_path / "none"))


def test_a_hub_name_that_is_not_here_says_what_to_set() -> None:
    with pytest.raises(ModelError, match="only with HF_HUB_OFFLINE=0"):
        load_embedder("nobody/nothing")


def test_sentence_transformers_from_many_threads(reference: SentenceTransformersEmbedder) -> None:
    """Its tokenizer truncates in one call and not in the other, and cannot do both at the same time."""
    expected = reference.encode(TEXTS)

    def both(turn: int) -> bool:
        reference.token_offsets(TEXTS[turn % len(TEXTS)])
        return np.allclose(reference.encode(TEXTS), expected, atol=1e-6)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(both, range(32)))


def test_a_model_is_named_by_its_weights_and_not_by_its_place(
    reference: SentenceTransformersEmbedder, tmp_path: Path
) -> None:
    shutil.copytree(trunk.trunk_folder(), tmp_path / "moved")
    before = torch.get_num_threads()
    try:
        moved = SentenceTransformersEmbedder(str(tmp_path / "moved"), threads=before + 1)
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)
    assert moved.fingerprint == reference.fingerprint
    weights = moved._model.state_dict()
    largest = max(weights.values(), key=lambda one: one.numel())
    largest.view(-1)[-1] += 0.5  # the very last number of a tensor
    assert _model_digest(moved._model)[:16] != reference.fingerprint


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system has no affinities")
def test_threads_are_those_of_the_cores_that_may_be_used() -> None:
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert cores() == 1
    finally:
        os.sched_setaffinity(0, allowed)
    assert cores() == len(allowed)


def test_meaning_ranks(embedder: Embedder) -> None:
    asked, near, far = embedder.encode(
        ["How long is the guarantee?", "The warranty period is two years.", "Puffins dig burrows."]
    )
    assert asked @ near > asked @ far + 0.2
