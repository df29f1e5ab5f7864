"""The commands about generations: make a corpus anew beside the one that serves, and swap when it is good."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from api.batch import printable_json
from api.progress import progress
from api.service import Service, opened
from rag.errors import InvalidInput, WrongState
from rag.generations import Extent, Generation
from rag.pipeline import Pipeline

if TYPE_CHECKING:
    from eval.run import Run

SOME_FAILED = 2
out, notes = Console(soft_wrap=True), Console(stderr=True, soft_wrap=True)
generations_app = typer.Typer(
    no_args_is_help=True,
    help="Make a corpus anew with another embedding model or chunker, beside the generation that serves it.",
)

Corpus = Annotated[str, typer.Option("--corpus", "-c", help="Name of the document set.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


@generations_app.command("list")
def list_generations(corpus: Corpus, as_json: AsJson = False) -> None:
    """List the generations of a corpus: how each is made, how far it has come, and which serves."""
    with opened() as service:
        listed = [(one, service.catalog.extent(one)) for one in service.catalog.generations(corpus)]
    if as_json:
        return print(printable_json([_to_json(*one) for one in listed], indent=2))
    for one in listed:
        _print(out, _to_line(*one))
    return None


@generations_app.command()
def build(
    corpus: Corpus,
    embedder: Annotated[
        str | None, typer.Option("--embedder", help="Embedding model; default IBID_EMBEDDER.")
    ] = None,
    chunker: Annotated[str | None, typer.Option("--chunker", help="Default IBID_CHUNKER.")] = None,
    chunk_tokens: Annotated[
        int | None, typer.Option("--chunk-tokens", help="Default IBID_CHUNK_TOKENS.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Build a generation beside the one that serves, or go on with one that was begun; nothing changes for users.

    Exits 2 if some documents could not be made for it (each is named with its reason).
    """
    from ingest.generations import catch_up

    with opened(embedder=embedder, chunker=chunker, chunk_tokens=chunk_tokens) as service:
        serving = service.catalog.serving(corpus)
        if serving.recipe in (service.recipe, replace(service.recipe, model="")):
            raise WrongState(
                f"Generation {serving.id}, which serves {corpus!r}, is made so already ({_made(serving)}); "
                "name another --embedder, --chunker or --chunk-tokens."
            )
        generation = service.catalog.begin_generation(corpus, service.recipe)
        maker = service.builder().maker(generation)
        with progress("Building", service.catalog.extent(generation).missing) as advance:
            reasons = catch_up(service.catalog, maker, advance)
        extent = service.catalog.extent(generation)
    for name, reason in reasons.items():
        _print(notes, f"failed: {name}: {reason}")
    if as_json:
        print(printable_json(_to_json(generation, extent) | {"failed": reasons}, indent=2))
    else:
        _print(out, _to_line(generation, extent))
    if reasons:
        raise typer.Exit(SOME_FAILED)


@generations_app.command()
def swap(
    corpus: Corpus,
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
    as_json: AsJson = False,
) -> None:
    """Let a generation serve: at once, for running servers too. What it still lacks is built first."""
    from ingest.generations import candidate

    if gate is None and (baseline is not None or fail_on is not None):
        raise InvalidInput("--baseline and --fail-on are of the gate; name its questions with --gate.")
    with opened() as service:
        _swap(service, candidate(service.catalog, corpus, number), gate, baseline, fail_on, as_json=as_json)


@generations_app.command()
def rollback(corpus: Corpus, as_json: AsJson = False) -> None:
    """Let the generation serve again that served before. What came since is built for it first."""
    from ingest.generations import previous

    with opened() as service:
        _swap(service, previous(service.catalog, corpus), None, None, None, as_json=as_json)


@generations_app.command()
def prune(
    corpus: Corpus,
    everything: Annotated[
        bool, typer.Option("--all", help="Also what a rollback would bring back, and what is being built.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Delete the generations that are needed no more: chunks, embeddings and index snapshots. Documents stay."""
    from ingest.generations import needless

    with opened() as service:
        pruned = needless(service.catalog, corpus, everything=everything)
        for generation in pruned:
            service.catalog.prune_generation(generation)
    if as_json:
        return print(printable_json({"corpus": corpus, "pruned": [one.id for one in pruned]}, indent=2))
    numbers = ", ".join(str(one.id) for one in pruned)
    return _print(out, f"{corpus}: pruned {numbers}" if pruned else f"{corpus}: nothing to prune")


def _swap(
    service: Service,
    generation: Generation,
    gate: Path | None,
    baseline: Path | None,
    fail_on: str | None,
    *,
    as_json: bool,
) -> None:
    from ingest import generations

    catalog, corpus = service.catalog, generation.corpus
    before = catalog.serving(corpus)
    maker = service.builder().maker(generation)
    with progress("Catching up", catalog.extent(generation).missing) as advance:
        generations.catch_up(catalog, maker, advance)
    trying = Pipeline(service.settings, catalog, service.embedder, trying=generation)
    trying.index(corpus).catch_up()
    trying.save_indexes(always=True)  # so that no question waits for it after the swap
    if gate is not None and not _passes(service, trying, corpus, gate, baseline, fail_on):
        _print(notes, f"ibid: generation {before.id} goes on serving {corpus!r}: {generation.id} is worse.")
        raise typer.Exit(1)
    generations.swap(catalog, maker)
    if as_json:
        print(printable_json({"corpus": corpus, "serves": generation.id, "before": before.id}, indent=2))
    else:
        _print(
            out, f"{corpus}: generation {generation.id} serves ({_made(generation)}), before it {before.id}"
        )


def _passes(
    service: Service, trying: Pipeline, corpus: str, gate: Path, baseline: Path | None, fail_on: str | None
) -> bool:
    """Ask the questions of both, or of the candidate alone where there is a baseline; tell whether it is no worse."""
    from eval.gate import DEFAULT_RULES, judge_run, parse_rules
    from eval.render import gate_markdown
    from eval.run import read_run

    rules = parse_rules(DEFAULT_RULES if fail_on is None else fail_on)
    before = read_run(baseline) if baseline else _run(service, service.pipeline, corpus, gate)
    judged = judge_run(before, _run(service, trying, corpus, gate), rules, lenient=fail_on is None)
    notes.print(gate_markdown(judged), markup=False, highlight=False)
    return judged.passed


def _run(service: Service, path: Pipeline, corpus: str, questions: Path) -> Run:
    from eval.questions import read_questions
    from eval.run import evaluate, set_name
    from eval.trial import Subject

    asked = read_questions(questions)
    subject = Subject(path, service.catalog, service.settings, corpus)
    with progress("Asking", len(asked)) as advance:
        return evaluate(subject, set_name(questions), asked, advance=advance)


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


def _print(console: Console, text: str) -> None:
    console.print(text.encode("utf-8", "backslashreplace").decode(), markup=False, highlight=False)
