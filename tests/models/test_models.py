"""The pack: the exported networks are the trained ones, and whatever does not match its description is refused."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from rag.errors import ModelError
from rag.models import pack as pack_module
from rag.models import prepare, trunk
from rag.models.export import export_adapted
from rag.models.foreign import expect_architecture
from rag.models.heads import NETWORKS
from rag.models.pack import verify_adapter
from rag.models.prepare import prepared, prepared_path
from rag.models.runtime import Runner
from training.loop import network, save_adapter, save_whole

pytestmark = pytest.mark.filterwarnings(  # peft uses a deprecated name of transformers
    "ignore:.is_gradient_checkpointing. is deprecated:FutureWarning"
)
# One for each kind of network; the judge's is the reranker's
JOBS = ("reader", "compressor", "reranker", "evidence")
PAIRS = [
    ("Who lit the lamp?", "The lamp burns whale oil. It was lit in 1820 by Ada Quill."),
    ("When does the ferry leave?", "The ferry leaves the harbour at noon. Tickets are sold on board."),
    ("How long is the warranty?", "Butter melts at about 35 degrees, which is less than a summer's day."),
    ("x", "y"),
]


@dataclass(frozen=True)
class Made:
    """A pack as training leaves it: adapters that change the trunk's output, and the networks without them."""

    folder: Path
    prepared: Path
    adapted: dict[str, Any]  # the torch network of each job
    bare: dict[str, Any]  # with the same head over the trunk alone


def whole_network(job: str) -> Any:
    """Return the network of a job whose encoder is in the pack as a whole, over the trunk."""
    encoder: Any = network("reranker").encoder
    return NETWORKS[job](encoder.merge_and_unload())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    root = tmp_path_factory.mktemp("made")
    pack = Made(root / "pack", root / "prepared", {}, {})
    pack.folder.mkdir()
    described = {}
    for job in JOBS:
        make = whole_network if job in pack_module.WHOLE else network
        adapted, bare = make(job).eval(), make(job).eval()
        torch.manual_seed(4)
        with torch.no_grad():
            for name, weights in adapted.named_parameters():
                if "lora_B" in name:
                    weights.normal_(0, 0.1)  # peft starts from zeros, which change nothing
                elif job in pack_module.WHOLE and "query" in name:
                    weights.add_(torch.empty_like(weights).normal_(0, 0.1))
        weights_file = pack.folder / f"{job}.safetensors"
        if job in pack_module.WHOLE:
            save_whole(adapted, job, weights_file)
        else:
            save_adapter(adapted, job, weights_file)
        described[job] = {"sha256": hashlib.sha256(weights_file.read_bytes()).hexdigest()}
        pack.adapted[job], pack.bare[job] = adapted, bare
    write_pack(pack.folder, {"trunk_sha256": trunk.trunk_sha256(), "models": described})
    return pack


@pytest.fixture
def pack(made: Made, monkeypatch: pytest.MonkeyPatch) -> Iterator[Made]:
    """Replace the real pack with the made one."""
    monkeypatch.setattr(pack_module, "PACK_FOLDER", made.folder)
    monkeypatch.setattr(prepare, "models_folder", lambda: made.prepared)
    pack_module.pack.cache_clear()
    yield made
    pack_module.pack.cache_clear()


@pytest.fixture
def copied(pack: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of the made pack, to be damaged."""
    shutil.copytree(pack.folder, tmp_path / "pack")
    monkeypatch.setattr(pack_module, "PACK_FOLDER", tmp_path / "pack")
    pack_module.pack.cache_clear()
    return tmp_path / "pack"


def write_pack(folder: Path, described: Any) -> None:
    (folder / "pack.json").write_text(json.dumps(described), encoding="utf-8")


def read_pack(folder: Path) -> Any:
    return json.loads((folder / "pack.json").read_text(encoding="utf-8"))


def run_torch(model: Any, runner: Runner, pair: tuple[str, str]) -> list[np.ndarray]:
    first, second = (tokens.ids for tokens in runner.tokenise(pair))
    ids = [101, *first, 102, *second, 102]
    types = [0] * (len(first) + 2) + [1] * (len(second) + 1)
    with torch.inference_mode():
        given = [torch.tensor([ids]), torch.ones(1, len(ids), dtype=torch.long), torch.tensor([types])]
        outputs = model(*given, *(torch.tensor(one) for one in more(runner, pair).values()))
    return [one.numpy() for one in (outputs if isinstance(outputs, tuple) else (outputs,))]


def more(runner: Runner, pair: tuple[str, str]) -> dict[str, np.ndarray]:
    """Return the other inputs of a network that scores units: two, the halves of the second text."""
    if "units" not in runner.inputs:
        return {}
    first, second = (len(tokens.ids) for tokens in runner.tokenise(pair))
    units = np.zeros((2, first + second + 3), np.int64)
    middle = first + 2 + (second + 1) // 2
    units[0, first + 2 : middle] = 1
    units[1, middle - 1 : -1] = 1
    return {"placed": np.zeros_like(units[:1]), "units": units, "owners": np.zeros(2, np.int64)}


# from the adapter to the network that runs


@pytest.mark.parametrize("job", JOBS)
def test_the_exported_network_is_the_trained_one(pack: Made, job: str) -> None:
    runner = Runner(prepared(job), threads=1)
    off, changed = [], []
    for pair in PAIRS:
        exact, bare = run_torch(pack.adapted[job], runner, pair), run_torch(pack.bare[job], runner, pair)
        first, second = (tokens.ids for tokens in runner.tokenise(pair))
        got = runner.run(first, second, **more(runner, pair))
        assert [one.shape for one in got] == [one.shape for one in exact]
        off += [np.abs(mine - theirs).ravel() for mine, theirs in zip(got, exact, strict=True)]
        changed += [np.abs(one - theirs).ravel() for one, theirs in zip(bare, exact, strict=True)]
    rounding, adapting = np.concatenate(off).mean(), np.concatenate(changed).mean()
    assert rounding < adapting / 3, (rounding, adapting)  # int8 costs far less than the adapter changes


def test_a_network_is_exported_once_and_again_for_other_weights(pack: Made, copied: Path) -> None:
    path = prepared("compressor")
    written = path.stat().st_mtime_ns
    assert prepared("compressor") == path
    assert path.stat().st_mtime_ns == written
    assert path.parent.parent == pack.prepared
    assert [file.name for file in path.parent.iterdir()] == ["compressor.int8.onnx"]  # no scraps

    shutil.copyfile(copied / "reader.safetensors", copied / "compressor.safetensors")
    described = read_pack(copied)
    described["models"]["compressor"] = described["models"]["reader"]
    write_pack(copied, described)
    pack_module.pack.cache_clear()
    assert prepared_path("compressor").parent != path.parent


def test_weights_of_the_pack_are_verified_by_their_hash(pack: Made) -> None:
    for job in JOBS:
        expected = hashlib.sha256((pack.folder / f"{job}.safetensors").read_bytes()).hexdigest()
        assert verify_adapter(job) == expected


# refusals


def flip_a_byte(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a byte": (
        lambda pack: flip_a_byte(pack / "reader.safetensors"),
        r"reader\.safetensors is damaged or foreign",
    ),
    "truncated": (
        lambda pack: (pack / "reader.safetensors").write_bytes(
            (pack / "reader.safetensors").read_bytes()[:-1]
        ),
        r"reader\.safetensors is damaged or foreign.*restore it",
    ),
    "empty": (lambda pack: (pack / "reader.safetensors").write_bytes(b""), r"is damaged or foreign"),
    "missing": (
        lambda pack: (pack / "reader.safetensors").unlink(),
        r"reader\.safetensors is missing.*restore it",
    ),
    "another job's": (
        lambda pack: shutil.copyfile(pack / "compressor.safetensors", pack / "reader.safetensors"),
        r"reader\.safetensors is damaged or foreign",
    ),
    "another trunk": (
        lambda pack: write_pack(pack, read_pack(pack) | {"trunk_sha256": "0123456789abcdef" * 4}),
        r"made for the trunk 0123456789abcdef, and this one is [0-9a-f]{16}; install",
    ),
    "no trunk": (
        lambda pack: write_pack(pack, {"models": read_pack(pack)["models"]}),
        r"made for the trunk None, and this one is",
    ),
    "no pack.json": (lambda pack: (pack / "pack.json").unlink(), r"pack\.json cannot be read .*restore it"),
    "no JSON": (lambda pack: (pack / "pack.json").write_text("{"), r"pack\.json cannot be read .*restore it"),
    "no text": (lambda pack: (pack / "pack.json").write_bytes(b"\xff\xfe\x00"), r"pack\.json cannot be read"),
    "a list": (lambda pack: write_pack(pack, []), r"pack\.json describes no models; restore it"),
    "no models": (lambda pack: write_pack(pack, {}), r"pack\.json describes no models; restore it"),
    "models are a list": (lambda pack: write_pack(pack, {"models": []}), r"describes no models"),
    "no such job": (
        lambda pack: write_pack(pack, read_pack(pack) | {"models": {}}),
        r"holds no reader; restore .*pack\.json",
    ),
    "a job without a hash": (
        lambda pack: write_pack(pack, read_pack(pack) | {"models": {"reader": {"steps": 1}}}),
        r"holds no reader",
    ),
    "a job of another kind": (
        lambda pack: write_pack(pack, read_pack(pack) | {"models": {"reader": "good"}}),
        r"holds no reader",
    ),
    "a hash of another kind": (
        lambda pack: write_pack(pack, read_pack(pack) | {"models": {"reader": {"sha256": 7}}}),
        r"is damaged or foreign",
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_pack_that_is_not_as_described_is_refused(copied: Path, name: str) -> None:
    damage, message = DAMAGES[name]
    damage(copied)
    for ask in (verify_adapter, prepared_path, prepared):
        pack_module.pack.cache_clear()
        with pytest.raises(ModelError, match=message):
            ask("reader")


def test_damage_is_seen_though_the_network_was_prepared(copied: Path) -> None:
    assert prepared("reader").is_file()
    flip_a_byte(copied / "reader.safetensors")
    with pytest.raises(ModelError, match="damaged"):
        prepared("reader")


def test_a_job_that_does_not_exist_is_named(pack: Made) -> None:
    with pytest.raises(
        ModelError, match="'poet' is not a job of the pack; expected reranker, evidence, reader"
    ):
        verify_adapter("poet")


def other_shapes(file: Path, part: str) -> None:
    """Halve the tensors whose names contain `part`."""
    from safetensors.torch import load_file

    tensors = load_file(str(file))
    save_file({n: t[: (len(t) + 1) // 2].clone() if part in n else t for n, t in tensors.items()}, str(file))


def without_one(file: Path, part: str) -> None:
    from safetensors.torch import load_file

    tensors = load_file(str(file))
    del tensors[next(name for name in tensors if part in name)]
    save_file(tensors, str(file))


FOREIGN: dict[str, tuple[Callable[[Path], object], str]] = {
    "another job's": (
        lambda file: shutil.copyfile(file.with_name("reranker.safetensors"), file),
        "does not contain the weights of the job compressor; restore it",
    ),
    "no safetensors": (
        lambda file: file.write_bytes(b"not weights"),
        "is not a safetensors file .*restore it",
    ),
    "truncated": (lambda file: file.write_bytes(file.read_bytes()[:-9]), "is not a safetensors file"),
    "missing": (lambda file: file.unlink(), "is not a safetensors file"),
    "no head": (
        lambda file: without_one(file, "classifier.bias"),
        "does not contain the weights of the job compressor",
    ),
    "a layer less": (
        lambda file: without_one(file, "lora_B"),
        "does not contain the weights of the job compressor",
    ),
    "another rank": (
        lambda file: other_shapes(file, "lora_A"),
        "does not contain the weights of the job compressor",
    ),
    "another head": (
        lambda file: other_shapes(file, "classifier.weight"),
        "does not contain the weights of the job compressor",
    ),
}


WHOLE_FOREIGN: dict[str, tuple[Callable[[Path], object], str]] = {
    "an adapter's": (
        lambda file: shutil.copyfile(file.with_name("reranker.safetensors"), file),
        "does not contain the weights of the job",
    ),
    "truncated": (lambda file: file.write_bytes(file.read_bytes()[:-9]), "is not a safetensors file"),
    "no head": (
        lambda file: without_one(file, "span" if file.stem == "reader" else "importance"),
        "does not contain the weights of the job",
    ),
    "a layer less": (
        lambda file: without_one(file, "layer.3."),
        "does not contain the weights of the job",
    ),
    "another width": (
        lambda file: other_shapes(file, "layer.3.intermediate"),
        "does not contain the weights of the job",
    ),
    "embeddings too": (
        lambda file: with_embeddings(file),
        "does not contain the weights of the job",
    ),
}


def with_embeddings(file: Path) -> None:
    from safetensors.torch import load_file

    save_file(load_file(str(file)) | {"encoder.embeddings.LayerNorm.bias": torch.zeros(384)}, str(file))


@pytest.mark.parametrize(
    ("job", "name"),
    [
        *(("compressor", name) for name in FOREIGN),
        *((job, name) for job in pack_module.WHOLE for name in WHOLE_FOREIGN),
    ],
)
def test_foreign_weights_are_not_exported(copied: Path, tmp_path: Path, job: str, name: str) -> None:
    change, message = (WHOLE_FOREIGN if job in pack_module.WHOLE else FOREIGN)[name]
    change(copied / f"{job}.safetensors")
    with pytest.raises(ModelError, match=message):
        export_adapted(job, copied / f"{job}.safetensors", tmp_path / "out" / f"{job}.onnx")
    assert not list(tmp_path.glob("out/*"))


def test_architectures_are_known_by_how_their_names_end() -> None:
    expect_architecture(
        SimpleNamespace(architectures=["BertForQuestionAnswering"]), "ForQuestionAnswering", "x"
    )
    for architectures, found in (
        (["BertForMaskedLM"], "BertForMaskedLM"),
        ([], "of no stated"),
        (None, "of no stated"),
    ):
        config = SimpleNamespace(architectures=architectures)
        with pytest.raises(
            ModelError, match=rf"'x' is {found}.*expected a model .* ends in ForQuestionAnswering"
        ):
            expect_architecture(config, "ForQuestionAnswering", "x")
    with pytest.raises(ModelError, match="of no stated architecture"):
        expect_architecture(SimpleNamespace(), "ForQuestionAnswering", "x")


def test_the_networks_are_those_of_the_jobs() -> None:
    assert set(NETWORKS) == set(pack_module.JOBS)


# the pack that ships


@pytest.mark.parametrize("job", pack_module.shipped())
def test_the_pack_that_ships_matches_its_trunk_and_stays_small(job: str) -> None:
    assert verify_adapter(job) == pack_module.described(job)["sha256"]
    size = (pack_module.PACK_FOLDER / f"{job}.safetensors").stat().st_size
    assert size <= (25_000_000 if job in pack_module.WHOLE else 5_000_000)
    described = pack_module.described(job)
    assert {"data", "seed", "steps", "commit", "figures"} <= described.keys()
    assert all(described["data"].values())  # each data set's licence
