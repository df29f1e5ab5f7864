"""The commands about models: what ships, is it prepared and whole, and one model alone over a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import typer

from api.commands.doctor import HealthCheck, print_checks
from api.commands.lines import read_jsonl, run_lines, working
from api.commands.terminal import SOME_FAILED, JsonOption, print_json, say
from rag.errors import IbidError, ModelError
from rag.models import pack, prepare, trunk
from rag.models.compress import load_compressor
from rag.models.cross_encoder import load_cross_encoder
from rag.models.embed import load_embedder
from rag.models.judge import load_judge
from rag.models.multilingual import prepare as multilingual
from rag.models.pack import PACKAGED
from rag.models.reader import load_reader
from rag.models.runtime import PROBE, Runner, probe
from rag.recipe import AUTO, TRUNK
from rag.settings import Settings, load_settings

PackJob = Literal["reranker", "reader", "compressor", "judge"]
PackJobArgument = Annotated[PackJob, typer.Argument(metavar="JOB", help=f"One of {', '.join(pack.JOBS)}.")]
PackBatchOption = Annotated[Path, typer.Option("--batch", help="JSON Lines; one JSON line out for each.")]
ModelOption = Annotated[
    str | None, typer.Option("--model", help="Instead of the settings' model: `pack`, a path or a hub name.")
]

WHAT = {
    "embedder": "a text's vector, and its tokens'",
    "reranker": "how well a text answers a question",
    "reader": "where a text answers a question, if it does",
    "compressor": "which words of the evidence to keep",
    "judge": "whether the evidence supports a statement",
}
LOADERS: Mapping[str, Callable[..., Any]] = {
    "reranker": load_cross_encoder,
    "reader": load_reader,
    "compressor": load_compressor,
    "judge": load_judge,
}
PROBE_TOLERANCE = 0.5  # in logits: int8 arithmetic differs a little from processor to processor

models_app = typer.Typer(no_args_is_help=True, help="The models that ship with Ibid.")


@dataclass(frozen=True, slots=True)
class Shipped:
    """A model of the pack: what it is for, its weights, and whether set-up has prepared it."""

    job: str
    name: str
    what: str
    bytes: int
    prepared: bool
    chosen: str  # the settings' model for this job

    @property
    def used(self) -> str:
        """Say whether the settings choose this model."""
        return "in use" if self.chosen in (AUTO, TRUNK, PACKAGED) else f"the settings choose {self.chosen}"


@models_app.command("list")
def list_models(as_json: JsonOption = False) -> None:
    """List the five models: job, what it does, size, whether it is prepared, and what the settings choose."""
    shipped = shipped_models(load_settings())
    if as_json:
        return print_json([asdict(one) for one in shipped])
    for one in shipped:
        state = "prepared" if one.prepared else "not prepared" if one.bytes else "missing"
        say(f"{one.job:10}  {one.name:18}  {one.bytes / 1e6:4.1f} MB  {state:12}  {one.what}; {one.used}")
    return None


@models_app.command()
def build() -> None:
    """Prepare the packaged models, and the extra's: merge and export to ONNX, once for each installation."""
    say(f"prepared: {prepare.prepared_trunk()}")
    for job in pack.shipped():
        say(f"prepared: {prepare.prepared(job)}")
    if multilingual.is_available():
        say(f"prepared: {multilingual.prepared_network()}")


@models_app.command("verify")
def verify_models() -> None:
    """Check every weight file against pack.json, and that every model loads and gives the result it should.

    Exits 1 if something is wrong.
    """
    checks = [
        _checked("embedder", _verify_trunk),
        *(_checked(job, partial(_verify, job)) for job in pack.shipped()),
    ]
    print_checks(checks)
    if not all(check.ok for check in checks):
        raise typer.Exit(1)


@models_app.command("run")
def run_model(job: PackJobArgument, batch: PackBatchOption, model: ModelOption = None) -> None:
    """Run one model over a file. Exits 2 if some lines failed: they are written as `{"id", "error"}`.

    \b
    reranker    {"id", "question", "texts": [...]}      -> {"id", "scores": [...]}
    reader      {"id", "question", "context"}           -> {"id", "answer", "start", "end", "score", "no_answer"}
    compressor  {"id", "text", "rate", "question"?}     -> {"id", "text", "kept": [[start, end], ...]}
    judge       {"id", "premise", "hypothesis"}         -> {"id", "supported"}
    """
    settings = load_settings()
    chosen = model or settings.flat()[job]
    name = PACKAGED if chosen in ("none", "late_interaction") else chosen
    lines = read_jsonl(batch)
    work = working(job, load(job, name, threads=settings.service.encoder_threads))
    if run_lines(job, work, lines, lambda line: print(line, flush=True)):
        raise typer.Exit(SOME_FAILED)


def load(job: str, name: str, *, threads: int = 0) -> Any:
    """Load the model of a job: `pack`, a path or a hub name.

    Raises:
        ModelError: if it cannot be loaded or is of another kind.
    """
    return LOADERS[job](name, threads=threads)


def shipped_models(settings: Settings) -> list[Shipped]:
    """Describe the five models, the embedder first."""
    weights = trunk.trunk_folder() / "model.safetensors"
    ready = (trunk.models_folder() / trunk.trunk_fingerprint() / "trunk.int8.onnx").is_file()
    first = Shipped(
        "embedder",
        "all-MiniLM-L6-v2",
        WHAT["embedder"],
        weights.stat().st_size,
        ready,
        settings.corpus.embedder,
    )
    return [first, *(_shipped(job, settings.flat()[job]) for job in pack.JOBS)]


def _shipped(job: str, chosen: str) -> Shipped:
    path = pack.PACK_FOLDER / f"{job}.safetensors"
    size = path.stat().st_size if path.is_file() else 0
    return Shipped(job, f"{job} adapter", WHAT[job], size, is_prepared(job), chosen)


def is_prepared(job: str) -> bool:
    """Return whether `prepare.prepared` has nothing left to do; a pack that is damaged is not."""
    try:
        return prepare.prepared_path(job).is_file()
    except ModelError:
        return False


def _verify_trunk() -> str:
    weights = trunk.verify_trunk()
    embedder = load_embedder(TRUNK, threads=1)
    asked, told, other = embedder.encode([*PROBE, "Butter melts in a warm pan."])
    if not asked @ told > 0.5 > asked @ other:
        raise ModelError(
            f"The prepared trunk does not tell texts apart: delete {prepare.prepared_trunk()}; "
            "then run `ibid models build`."
        )
    return f"sha256 {weights[:16]}, loads, and tells the probe's texts apart"


def _verify(job: str) -> str:
    weights = pack.verify_adapter(job)
    path = prepare.prepared(job)
    found, expected = probe(Runner(path, threads=1)), pack.described(job).get("probe", [])
    if not _agree(found, expected):
        raise ModelError(
            f"The prepared {job} gives {found} for the probe, and pack.json says {expected}; "
            f"delete {path}, then run `ibid models build`."
        )
    return f"sha256 {weights[:16]}, loads, and gives {found} for the probe"


def _agree(found: list[float], expected: list[float]) -> bool:
    return len(found) == len(expected) and bool(np.allclose(found, expected, rtol=0, atol=PROBE_TOLERANCE))


def _checked(name: str, check: Callable[[], str]) -> HealthCheck:
    try:
        return HealthCheck(name, True, check())
    except IbidError as error:
        return HealthCheck(name, False, "is not what ships", str(error))
