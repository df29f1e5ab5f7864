"""The commands about generations: rebuild a corpus beside the serving one, and swap when it is good."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.commands.terminal import SOME_FAILED, CorpusOption, JsonOption, note, print_json, progress, say
from api.service import Service, opened
from rag.errors import InvalidInput, WrongState
from rag.pipeline import Pipeline
from rag.recipe import recipe_after
from rag.stages import ModelSet
from rag.store.generations import Extent, Generation

if TYPE_CHECKING:
    from eval.gate import Rule
    from eval.questions import EvalQuestion
    from eval.run import Run

generations_app = typer.Typer(
    no_args_is_help=True,
    help="Rebuild a corpus with another embedding model or chunker, beside the generation that serves it.",
)


@generations_app.command("list")
def list_generations(corpus: CorpusOption, as_json: JsonOption = False) -> None:
    """List the generations of a corpus: how each is made, how far it has come, and which serves."""
    with opened() as service:
        listed = [
            (one, service.catalog.generations.extent(one)) for one in service.catalog.generations.of(corpus)
        ]
    if as_json:
        return print_json([_to_json(*one) for one in listed])
    for one in listed:
        say(_to_line(*one))
    return None


@generations_app.command()
def build(
    corpus: CorpusOption,
    embedder: Annotated[
        str | None,
        typer.Option("--embedder", help="Embedding model; default IBID_EMBEDDER, or what `auto` chose."),
    ] = None,
    chunker: Annotated[str | None, typer.Option("--chunker", help="Default IBID_CHUNKER.")] = None,
    chunk_tokens: Annotated[
        int | None, typer.Option("--chunk-tokens", help="Default IBID_CHUNK_TOKENS.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Build a generation beside the one that serves, or go on with one that was begun; nothing changes for users.

    Exits 2 if some documents could not be made for it (each is named with its reason).
    """
    from ingest.rebuild import catch_up

    with opened(embedder=embedder, chunker=chunker, chunk_tokens=chunk_tokens) as service:
        serving = service.catalog.generations.serving(corpus)
        recipe = recipe_after(service.settings, service.embedder.fingerprint, serving.recipe)
        if serving.recipe in (recipe, replace(recipe, model="")):
            raise WrongState(
                f"Generation {serving.id}, which serves {corpus!r}, is made so already ({_made(serving)}); "
                "name another --embedder, --chunker or --chunk-tokens."
            )
        generation = service.catalog.generations.begin(corpus, recipe)
        maker = service.builder().maker(generation)
        with progress("Building", service.catalog.generations.extent(generation).missing) as advance:
            reasons = catch_up(service.catalog, maker, advance)
        extent = service.catalog.generations.extent(generation)
    for name, reason in reasons.items():
        note(f"failed: {name}: {reason}")
    if as_json:
        print_json(_to_json(generation, extent) | {"failed": reasons})
    else:
        say(_to_line(generation, extent))
    if reasons:
        raise typer.Exit(SOME_FAILED)


@generations_app.command()
def swap(
    corpus: CorpusOption,
    number: Annotated[
        int | None,
        typer.Option("--generation", "-g", help="Its number; default the newest that never served."),
    ] = None,
    gate: Annotated[
        Path | None,
        typer.Option("--gate", help="Question set; swap only if nothing becomes worse over it, else exit 1."),
    ] = None,
    baseline: Annotated[
        Path | None,
        typer.Option("--baseline", help="Run to compare with, instead of the generation that serves."),
    ] = None,
    fail_on: Annotated[
        str | None, typer.Option("--fail-on", help="Rules of the gate, as of `ibid eval gate`.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Let a generation serve: at once, for running servers too. What it still lacks is built first.

    Exits 1 if the gate finds it worse, 2 if it could not be done or told.
    """
    from ingest.rebuild import candidate

    if gate is None and (baseline is not None or fail_on is not None):
        raise InvalidInput("--baseline and --fail-on are of the gate; name its questions with --gate.")
    before_it = None if gate is None else _Gate.read(gate, baseline, fail_on)
    with opened() as service:
        _swap(service, candidate(service.catalog, corpus, number), before_it, as_json=as_json)


@generations_app.command()
def rollback(corpus: CorpusOption, as_json: JsonOption = False) -> None:
    """Let the generation serve again that served before. What came since is built for it first."""
    from ingest.rebuild import previous

    with opened() as service:
        _swap(service, previous(service.catalog, corpus), None, as_json=as_json)


@generations_app.command()
def prune(
    corpus: CorpusOption,
    everything: Annotated[
        bool,
        typer.Option("--all", help="Also what a rollback would bring back, and what has not served yet."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Delete the generations that are needed no more: chunks, embeddings and index snapshots. Documents stay."""
    from ingest.rebuild import needless

    with opened() as service:
        pruned = needless(service.catalog, corpus, everything=everything)
        for generation in pruned:
            service.catalog.generations.prune(generation)
    if as_json:
        return print_json({"corpus": corpus, "pruned": [one.id for one in pruned]})
    numbers = ", ".join(str(one.id) for one in pruned)
    return say(f"{corpus}: pruned {numbers}" if pruned else f"{corpus}: nothing to prune")


@dataclass(frozen=True, slots=True)
class _Gate:
    """What stands before a swap: questions, rules, and a run to compare with in place of what serves."""

    name: str
    questions: Sequence[EvalQuestion]
    rules: Sequence[Rule]
    lenient: bool  # whether a rule that cannot be judged is skipped
    baseline: Run | None

    @classmethod
    def read(cls, questions: Path, baseline: Path | None, fail_on: str | None) -> _Gate:
        """Read all of it, before anything is built.

        Raises:
            InvalidInput: if a file or a rule is not right, or the baseline is of other questions.
        """
        from eval.extra import require_extra
        from eval.gate import DEFAULT_RULES, check_comparable, parse_rules
        from eval.questions import fingerprint, read_questions
        from eval.run import read_run, set_name

        require_extra()
        asked = read_questions(questions)
        run = read_run(baseline) if baseline else None
        if run is not None:
            check_comparable(run, {fingerprint([question]) for question in asked}, sampled=False)
        rules = parse_rules(DEFAULT_RULES if fail_on is None else fail_on)
        return cls(set_name(questions), asked, rules, fail_on is None, run)

    def passes(self, service: Service, trying: Pipeline, corpus: str) -> bool:
        """Ask what is tried, and what serves where there is no baseline; return whether it is no worse."""
        from eval.gate import judge_run
        from eval.report.render import gate_markdown

        before = self.baseline or self._run(service, service.pipeline, corpus)
        judged = judge_run(before, self._run(service, trying, corpus), self.rules, lenient=self.lenient)
        note(gate_markdown(judged))
        return judged.passed

    def _run(self, service: Service, path: Pipeline, corpus: str) -> Run:
        from eval.run import evaluate
        from eval.trial import Subject

        subject = Subject(path, service.catalog, service.settings, corpus)
        with progress("Asking", len(self.questions)) as advance:
            return evaluate(subject, self.name, self.questions, advance=advance)


def _swap(service: Service, generation: Generation, gate: _Gate | None, *, as_json: bool) -> None:
    from ingest import rebuild

    catalog, corpus = service.catalog, generation.corpus
    before = catalog.generations.serving(corpus)
    maker = service.builder().maker(generation)
    with progress("Catching up", catalog.generations.extent(generation).missing) as advance:
        rebuild.complete(catalog, maker, advance)
    trying = Pipeline(
        service.settings, catalog, ModelSet(service.settings, service.embedder), trying=generation
    )
    trying.index(corpus).catch_up()
    trying.save_indexes(always=True)  # so that no server has to build its index first
    if gate is not None and not gate.passes(service, trying, corpus):
        note(f"ibid: generation {before.id} goes on serving {corpus!r}: {generation.id} is worse.")
        raise typer.Exit(1)
    rebuild.swap(catalog, maker)
    if as_json:
        print_json({"corpus": corpus, "serves": generation.id, "before": before.id})
    else:
        say(f"{corpus}: generation {generation.id} serves ({_made(generation)}), before it {before.id}")


def _made(generation: Generation) -> str:
    recipe = generation.recipe
    model = recipe.model or f"model {recipe.embedder[:8]}"
    return f"{model}, {recipe.chunker}, {recipe.chunk_tokens} tokens"


def _state(generation: Generation, extent: Extent) -> str:
    if generation.serves:
        return "serves"
    if extent.missing:
        return "is being built" if generation.served is None else "served before, is behind"
    return "is ready" if generation.served is None else "served before"


def _to_json(generation: Generation, extent: Extent) -> dict[str, Any]:
    recipe = generation.recipe
    return {
        "generation": generation.id,
        "corpus": generation.corpus,
        "state": _state(generation, extent),
        "embedder": recipe.model,
        "fingerprint": recipe.embedder,
        "chunker": recipe.chunker,
        "chunk_tokens": recipe.chunk_tokens,
        "documents": extent.documents,
        "missing": extent.missing,
        "chunks": extent.chunks,
        "created": generation.created,
        "served": generation.served,
    }


def _to_line(generation: Generation, extent: Extent) -> str:
    began = time.strftime("%Y-%m-%d %H:%M", time.localtime(generation.served or generation.created))
    return (
        f"{generation.id}  {_state(generation, extent)}: {_made(generation)}, {extent.documents} documents, "
        f"{extent.missing} missing, {extent.chunks} chunks, since {began}"
    )
