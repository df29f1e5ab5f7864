"""Check an installation and its data folder; say what is wrong and what to do about it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass

from api.service import Service
from rag.errors import IbidError
from rag.settings import Settings

LEAST_FREE_MB = 500


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was checked: what was found, and the remedy where it is not right."""

    name: str
    ok: bool
    found: str
    remedy: str = ""


def diagnose(settings: Settings) -> list[Check]:
    """Check data folder, embedder, generator, catalogue, each corpus's indexes and disk, in this order."""
    checks = [_checked("data folder", lambda: f"{settings.home} opens", lambda: Service(settings).close())]
    if not checks[0].ok:
        return checks
    service = Service(settings)
    try:
        checks.append(_checked("embedder", lambda: f"{settings.embedder} answers", lambda: _embed(service)))
        checks.append(
            _checked("generator", lambda: f"{settings.generator} loads", lambda: _generate(service))
        )
        checks.append(_checked("catalogue", lambda: "is consistent", lambda: _check_catalogue(service)))
        if all(check.ok for check in checks):
            checks += [
                _index_check(service, corpus.name, corpus.chunks) for corpus in service.catalog.corpora()
            ]
        checks.append(_disk_check(settings))
    finally:
        service.close()
    return checks


def _checked(name: str, found: Callable[[], str], check: Callable[[], None]) -> Check:
    try:
        check()
    except IbidError as error:
        return Check(name, False, "does not work", str(error))
    return Check(name, True, found())


def _embed(service: Service) -> None:
    service.embedder.encode(["Is it there?"])


def _generate(service: Service) -> None:
    assert service.pipeline.models.generator


def _check_catalogue(service: Service) -> None:
    result = service.catalog.read().execute("PRAGMA quick_check").fetchone()[0]
    if result != "ok":
        raise IbidError(f"SQLite reports {result!r}; restore a backup of {service.settings.home}.")


def _index_check(service: Service, corpus: str, chunks: int) -> Check:
    name = f"index of {corpus}"
    try:
        indexed = len(service.pipeline.index(corpus))
    except IbidError as error:
        return Check(name, False, "does not load", str(error))
    found = f"{indexed} of {chunks} chunks"
    remedy = f"Delete the folder {service.settings.home / 'indexes'}; it is rebuilt at the next start."
    return Check(name, indexed == chunks, found, remedy)


def _disk_check(settings: Settings) -> Check:
    free = shutil.disk_usage(settings.home).free // 1_000_000
    return Check("disk", free >= LEAST_FREE_MB, f"{free:,} MB free", f"Free at least {LEAST_FREE_MB} MB.")
