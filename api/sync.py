"""Sync a corpus with a folder and tell the webhook: for the command and for the service's own schedule."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from api.render import sync_to_json
from api.service import Service
from api.webhook import announce
from ingest.formats.file_text import FileLimits
from ingest.sync.folder import scan_folder
from ingest.sync.lock import sync_lock
from ingest.sync.plan import Order, Report
from rag.errors import IbidError, SyncRunning

FOLLOW_AFTER = 100  # changes; on fewer an index catches up in a moment, before it answers

Watch = Callable[[int], AbstractContextManager[Callable[[], None]]]  # given how many files will be read


def plan_folder(service: Service, order: Order) -> Report:
    """Report what a sync would do.

    Raises:
        InvalidInput: if the folder cannot be listed.
    """
    began = time.perf_counter()
    plan = service.sync.plan(order, scan_folder(Path(order.folder), _limits(service)))
    return Report(order.corpus, plan, time.perf_counter() - began)


def sync_folder(service: Service, order: Order, watch: Watch | None = None) -> Report:
    """Sync under the lock of the corpus, and tell the webhook what was done, or why it could not be.

    Args:
        watch: what is entered while files are read, and called after each of them.

    Raises:
        SyncRunning: if another sync of the corpus is running; that one tells the webhook.
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
    with sync_lock(service.settings.service.home, order.corpus):
        began = time.perf_counter()
        found = scan_folder(Path(order.folder), _limits(service))
        plan = service.sync.plan(order, found)
        with watch(len(plan.added) + len(plan.modified)) as advance:
            done = service.sync.carry_out(order, found, plan, advance)
        if len(done.added) + len(done.modified) + len(done.moved) + len(done.deleted) >= FOLLOW_AFTER:
            service.follow(order.corpus)
        return Report(order.corpus, done, time.perf_counter() - began)


def _limits(service: Service) -> FileLimits:
    return FileLimits(max_file_bytes=service.settings.limits.max_file_bytes)
