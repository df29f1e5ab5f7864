"""The command that adds and updates documents from files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from api.commands.terminal import SOME_FAILED, CorpusOption, JsonOption, note, print_json, progress, say
from api.service import opened
from ingest.omissions import omissions_text
from ingest.source import Outcome, Source, find_sources, outdated_sources
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
    _report(corpus, outcomes, as_json=as_json)


def reingest(corpus: CorpusOption, as_json: JsonOption = False) -> None:
    """Read again, from their originals, documents that an older Ibid read. The next run continues a stopped one.

    The originals of uploads are kept; documents that came from a folder are read again by `ibid ingest` or `ibid
    sync` of that folder, and are named here. Exit codes are those of `ibid ingest`.
    """
    with opened() as service:
        sources, outcomes = outdated_sources(service.catalog, corpus)
    if sources:
        outcomes += _ingest(corpus, sources)
    if outcomes:
        _report(corpus, outcomes, as_json=as_json)
    elif as_json:
        print_json({"corpus": corpus, "counts": {}, "files": []})
    else:
        say(f"{corpus}: no document was read by an older Ibid")


def _report(corpus: str, outcomes: Sequence[Outcome], *, as_json: bool) -> None:
    """Print what became of the files, and exit with 2 if some failed, or with 1 if nothing is in."""
    counts = {state: sum(o.state == state for o in outcomes) for state in sorted({o.state for o in outcomes})}
    if as_json:
        files = [
            {
                "document": o.name,
                "state": o.state,
                "version": o.version,
                "error": o.error,
                "omissions": [asdict(one) for one in o.omissions],
            }
            for o in outcomes
        ]
        print_json({"corpus": corpus, "counts": counts, "files": files})
    else:
        for outcome in outcomes:
            if told := outcome.error or omissions_text(outcome.omissions):
                note(f"{outcome.state}: {outcome.name}: {told}")
        say(f"{corpus}: " + (", ".join(f"{n} {state}" for state, n in counts.items()) or "no files found"))
    failed = counts.get("failed", 0)
    is_in = len(outcomes) - failed - counts.get("skipped", 0)
    if failed or not is_in:
        raise typer.Exit(SOME_FAILED if is_in else 1)


def _ingest(corpus: str, sources: Sequence[Source]) -> list[Outcome]:
    outcomes = []
    with opened() as service, progress("Ingesting", len(sources)) as advance:
        builder = service.builder()
        for outcome in builder.ingest(corpus, sources):
            outcomes.append(outcome)
            advance()
        for remark in builder.remarks:
            note(remark)
        service.pipeline.index(corpus).catch_up()
        service.pipeline.save_indexes()
        if told := not_in_force(corpus, service.catalog.generations.serving(corpus).recipe, service.settings):
            note(told)
    return outcomes
