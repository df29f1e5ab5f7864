"""The command that adds and updates documents from files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from api.commands.terminal import SOME_FAILED, CorpusOption, JsonOption, note, print_json, progress, say
from api.service import opened
from ingest.source import Outcome, Source, find_sources
from rag.recipe import not_in_force
from rag.types import check_corpus_name


def ingest(
    paths: Annotated[list[Path], typer.Argument(help="Files or folders; a folder is walked.")],
    corpus: CorpusOption,
    as_json: JsonOption = False,
) -> None:
    """Add and update documents. Unchanged files do nothing; nothing is ever deleted.

    A document's name is its path relative to the folder given. Exits 0 when all is in, 2 when some
    files failed (each is named with its reason), 1 when nothing is in.
    """
    check_corpus_name(corpus)
    sources, outcomes = find_sources(paths)
    if sources:  # otherwise neither the corpus is made nor a model loaded
        outcomes += _ingest(corpus, sources)
    counts = {state: sum(o.state == state for o in outcomes) for state in sorted({o.state for o in outcomes})}
    if as_json:
        files = [
            {"document": o.name, "state": o.state, "version": o.version, "error": o.error} for o in outcomes
        ]
        print_json({"corpus": corpus, "counts": counts, "files": files})
    else:
        for outcome in outcomes:
            if outcome.error:
                note(f"{outcome.state}: {outcome.name}: {outcome.error}")
        say(f"{corpus}: " + (", ".join(f"{n} {state}" for state, n in counts.items()) or "no files found"))
    failed = counts.get("failed", 0)
    is_in = len(outcomes) - failed - counts.get("skipped", 0)
    if failed or not is_in:
        raise typer.Exit(SOME_FAILED if is_in else 1)


def _ingest(corpus: str, sources: Sequence[Source]) -> list[Outcome]:
    outcomes = []
    with opened() as service, progress("Ingesting", len(sources)) as advance:
        for outcome in service.builder().ingest(corpus, sources):
            outcomes.append(outcome)
            advance()
        service.pipeline.index(corpus).catch_up()
        service.pipeline.save_indexes()
        if told := not_in_force(corpus, service.catalog.generations.serving(corpus).recipe, service.settings):
            note(told)
    return outcomes
