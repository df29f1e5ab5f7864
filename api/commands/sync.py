"""The command that makes a corpus follow a folder."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from api.commands.terminal import SOME_FAILED, CorpusOption, JsonOption, note, print_json, progress, say
from api.render import sync_to_json, sync_to_line
from api.service import opened
from api.sync import plan_folder, sync_folder
from ingest.sync.plan import Order, Report
from rag.errors import NotFound, SyncRunning
from rag.recipe import not_in_force

RUNS_ALREADY = 3  # exit code


def sync(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder; it is walked.")],
    corpus: CorpusOption,
    delete_missing: Annotated[
        bool, typer.Option("--delete-missing", help="Delete documents whose files the folder lacks by now.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Change nothing; show what would be done.")
    ] = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Delete more than 20 %, and take over what is synced from another folder."
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a corpus follow a folder. An unchanged file costs one hash, a moved one no reading.

    Exit codes: 0 done, 1 it could not be done, 2 some files failed (each is named with its reason; its old
    version still answers), 3 another sync of the corpus is running.
    """
    order = Order(corpus, os.path.normpath(folder.absolute()), delete_missing, force)
    try:
        with opened() as service:
            if dry_run:
                report = plan_folder(service, order)
            else:
                report = sync_folder(service, order, partial(progress, "Syncing"))
                for remark in service.sync.remarks:
                    note(remark)
            with suppress(NotFound):  # nothing to follow
                if told := not_in_force(
                    corpus, service.catalog.generations.serving(corpus).recipe, service.settings
                ):
                    note(told)
    except SyncRunning as error:
        note(f"ibid: {error}")
        raise typer.Exit(RUNS_ALREADY) from error
    if as_json:
        print_json(sync_to_json(report))
    else:
        _show(report, planned=dry_run)
    if report.plan.refusal:
        raise typer.Exit(1)
    if report.plan.failed:
        raise typer.Exit(SOME_FAILED)


def _show(report: Report, *, planned: bool) -> None:
    plan = report.plan
    for name, reason in plan.failed.items():
        note(f"failed: {name}: {reason}")
    if planned:
        for state in ("added", "modified", "deleted"):
            for name in getattr(plan, state):
                say(f"{state}: {name}")
        for old, new in plan.moved:
            say(f"moved: {old} -> {new}")
    if plan.refusal:
        note(f"refused: {plan.refusal}")
    say(sync_to_line(report) + (" (a dry run: nothing was changed)" if planned else ""))
