"""The command that makes a corpus follow a folder, and what it shares with the service's own schedule."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from api.commands.batch import printable_json
from api.commands.progress import progress
from api.render import sync_to_json, sync_to_line
from api.service import Service, opened
from api.webhook import announce
from ingest.load import Limits
from ingest.sync.folder import look_into
from ingest.sync.lock import sync_lock
from ingest.sync.plan import Order, Report
from rag.errors import IbidError, NotFound, SyncRunning
from rag.recipe import not_in_force

SOME_FAILED, RUNS_ALREADY = 2, 3  # exit codes
FOLLOW_AFTER = 100  # changes; on fewer an index catches up in a moment, before it answers
out, notes = Console(soft_wrap=True), Console(stderr=True, soft_wrap=True)

Watch = Callable[[int], AbstractContextManager[Callable[[], None]]]  # given how many files are to be read


def sync(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder; it is walked.")],
    corpus: Annotated[str, typer.Option("--corpus", "-c", help="Name of the document set.")],
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
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
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
            with suppress(NotFound):  # nothing to follow
                if told := not_in_force(corpus, service.catalog.serving(corpus).recipe, service.settings):
                    _print(notes, told)
    except SyncRunning as error:
        _print(notes, f"ibid: {error}")
        raise typer.Exit(RUNS_ALREADY) from error
    _show(report, as_json=as_json, planned=dry_run)
    if report.plan.refusal:
        raise typer.Exit(1)
    if report.plan.failed:
        raise typer.Exit(SOME_FAILED)


def plan_folder(service: Service, order: Order) -> Report:
    """Say what a sync would do.

    Raises:
        InvalidInput: if the folder cannot be listed.
    """
    began = time.perf_counter()
    plan = service.sync.plan(order, look_into(Path(order.folder), _limits(service)))
    return Report(order.corpus, plan, time.perf_counter() - began)


def sync_folder(service: Service, order: Order, watch: Watch | None = None) -> Report:
    """Sync under the lock of the corpus, and tell the webhook what was done, or why it could not be.

    Raises:
        SyncRunning: if another sync of the corpus is running; it is the one that tells.
        InvalidInput, StorageError, OtherEmbedder: see `Sync.carry_out`.
    """
    try:
        report = _sync(service, order, watch or (lambda files: nullcontext(lambda: None)))
    except SyncRunning:
        raise
    except IbidError as error:
        announce(service.settings, {"corpus": order.corpus, "error": str(error)})
        raise
    announce(service.settings, sync_to_json(report))
    return report


def _sync(service: Service, order: Order, watch: Watch) -> Report:
    with sync_lock(service.settings.home, order.corpus):
        began = time.perf_counter()
        found = look_into(Path(order.folder), _limits(service))
        plan = service.sync.plan(order, found)
        with watch(len(plan.added) + len(plan.modified)) as advance:
            done = service.sync.carry_out(order, found, plan, advance)
        if len(done.added) + len(done.modified) + len(done.moved) + len(done.deleted) >= FOLLOW_AFTER:
            service.follow(order.corpus)
        return Report(order.corpus, done, time.perf_counter() - began)


def _limits(service: Service) -> Limits:
    return Limits(max_file_bytes=service.settings.limits()[0])


def _show(report: Report, *, as_json: bool, planned: bool) -> None:
    if as_json:
        print(printable_json(sync_to_json(report), indent=2))
        return
    plan = report.plan
    for name, reason in plan.failed.items():
        _print(notes, f"failed: {name}: {reason}")
    if planned:
        for state in ("added", "modified", "deleted"):
            for name in getattr(plan, state):
                _print(out, f"{state}: {name}")
        for old, new in plan.moved:
            _print(out, f"moved: {old} -> {new}")
    if plan.refusal:
        _print(notes, f"refused: {plan.refusal}")
    _print(out, sync_to_line(report) + (" (a dry run: nothing was changed)" if planned else ""))


def _print(console: Console, text: str) -> None:
    """Print as it is; what UTF-8 cannot hold, such as a file name in Latin-1, is escaped."""
    console.print(text.encode("utf-8", "backslashreplace").decode(), highlight=False, markup=False)
