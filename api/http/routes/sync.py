"""The route that makes a corpus follow a client's folder, of which the client sends names and hashes."""

from __future__ import annotations

import time
from typing import Any

from fastapi import APIRouter, Depends

from api.http import schemas
from api.http.depends import Serving, body_of_type
from api.http.problems import problem_responses
from api.render import sync_to_json
from ingest.names import document_name, taken_name
from ingest.sync.folder import FolderScan
from ingest.sync.lock import sync_lock
from ingest.sync.plan import Order, Report
from rag.errors import InvalidName

router = APIRouter(prefix="/v1", responses=dict(problem_responses()))


@router.post(
    "/corpora/{corpus}/sync",
    response_model=schemas.SyncResponse,
    tags=["documents"],
    dependencies=[Depends(body_of_type("application/json"))],
)
def sync_manifest(service: Serving, corpus: str, asked: schemas.SyncRequest) -> dict[str, Any]:
    """Compare a client's folder with the corpus; move and delete documents as the folder shows.

    First with `dry_run`; then upload what is `added` and `modified`, and wait for the job: until it is done the
    old versions answer. Then the same again without `dry_run`: what was moved gets its new name, and with
    `delete_missing` what is gone leaves.
    """
    order = Order(corpus, asked.folder, asked.delete_missing, asked.force)
    found = _found(asked)
    began = time.perf_counter()
    if asked.dry_run:
        plan = service.sync.plan(order, found)
    else:
        with sync_lock(service.settings.service.home, corpus):
            plan = service.sync.carry_out(order, found, service.sync.plan(order, found))
    return sync_to_json(Report(corpus, plan, time.perf_counter() - began))


def _found(asked: schemas.SyncRequest) -> FolderScan:
    """Return the manifest as a folder is found; a name that no document can bear fails alone."""
    hashes: dict[str, str] = {}
    failed: dict[str, str] = {}
    for file in asked.files:
        try:
            name = document_name(file.path)
        except InvalidName as error:
            failed[file.path] = str(error)
            continue
        if name in hashes or name in failed:
            hashes.pop(name, None)
            failed[name] = str(taken_name(name))
        else:
            hashes[name] = file.sha256
    return FolderScan(hashes, failed)
