"""The command that checks an installation and its data folder, and says what to do about what is wrong."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import typer

from api.commands.terminal import JsonOption, print_json, say
from api.service import Service
from ingest.omissions import omissions_text
from rag.errors import IbidError
from rag.models.embed import TrunkEmbedder
from rag.models.pack import PACKAGED
from rag.models.prepare import prepared_path
from rag.models.trunk import verify_trunk
from rag.settings import Settings, load_settings

ADVISED_FREE_MB = 500


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """One thing that was checked: what was found, and the remedy where it is not right."""

    name: str
    ok: bool
    found: str
    remedy: str = ""


def doctor(as_json: JsonOption = False) -> None:
    """Check models, catalogue, indexes and disk; say what to do. Exits 1 if something is wrong."""
    checks = diagnose(load_settings())
    if as_json:
        print_json([{"check": c.name, "ok": c.ok, "found": c.found, "remedy": c.remedy} for c in checks])
    else:
        print_checks(checks)
    if not all(check.ok for check in checks):
        raise typer.Exit(1)


def print_checks(checks: Sequence[HealthCheck]) -> None:
    """Print a line for each check, and the remedy below where something is wrong."""
    for check in checks:
        remedy = "" if check.ok else f"\n        {check.remedy}"
        say(f"{'ok    ' if check.ok else 'WRONG '} {check.name}: {check.found}{remedy}")


def diagnose(settings: Settings) -> list[HealthCheck]:
    """Check data folder, embedder, generator, catalogue, each corpus's indexes and documents, and disk."""
    checks = [
        _checked("data folder", lambda: f"{settings.service.home} opens", lambda: Service(settings).close())
    ]
    if not checks[0].ok:
        return checks
    service = Service(settings)
    try:
        checks.append(
            _checked("embedder", lambda: f"{settings.corpus.embedder} answers", lambda: _embed(service))
        )
        checks.append(
            _checked("generator", lambda: f"{settings.writer.generator} loads", lambda: _generate(service))
        )
        checks.append(_checked("catalogue", lambda: "is consistent", lambda: _check_catalogue(service)))
        if all(check.ok for check in checks):
            checks += [
                _index_check(service, corpus.name, corpus.chunks)
                for corpus in service.catalog.corpora.infos()
            ]
            checks += [_reading_check(service, corpus.name) for corpus in service.catalog.corpora.infos()]
        checks.append(_disk_check(settings))
    finally:
        service.close()
    return checks


def _checked(name: str, found: Callable[[], str], check: Callable[[], None]) -> HealthCheck:
    try:
        check()
    except IbidError as error:
        return HealthCheck(name, False, "does not work", str(error))
    return HealthCheck(name, True, found())


def _embed(service: Service) -> None:
    if isinstance(service.embedder, TrunkEmbedder):
        verify_trunk()
    service.embedder.encode(["Is it there?"])


def _generate(service: Service) -> None:
    assert service.pipeline.models.generator
    if service.settings.answer.compressor == PACKAGED:
        prepared_path("compressor")  # loads with the first long evidence; its weights are checked now


def _check_catalogue(service: Service) -> None:
    damage = service.catalog.database.damage(quick=True)
    if damage:
        raise IbidError(f"SQLite reports {damage!r}; restore a backup of {service.settings.service.home}.")


def _index_check(service: Service, corpus: str, chunks: int) -> HealthCheck:
    name = f"index of {corpus}"
    try:
        indexed = len(service.pipeline.index(corpus))
    except IbidError as error:
        return HealthCheck(name, False, "does not load", str(error))
    found = f"{indexed} of {chunks} chunks"
    remedy = (
        f"Delete the folder {service.settings.service.home / 'indexes'}; it is rebuilt at the next start."
    )
    return HealthCheck(name, indexed == chunks, found, remedy)


def _reading_check(service: Service, corpus: str) -> HealthCheck:
    """Count the documents that were read in part, or by an older version."""
    infos = service.catalog.documents.infos(corpus)
    omissions = [replace(one, place="") for info in infos for one in info.omissions]
    parts = sum(bool(info.omissions) for info in infos)
    found = f"{len(infos):,} documents"
    if parts:
        found += f", {parts:,} of them {omissions_text(omissions)} (`ibid documents --corpus {corpus}`)"
    outdated = len(service.catalog.documents.outdated(corpus))
    if outdated:
        found += f"; {outdated:,} were read by an older Ibid"
    return HealthCheck(
        f"documents of {corpus}",
        not outdated,
        found,
        f"Run `ibid reingest --corpus {corpus}` for uploads; ingest or sync the folders of the others again.",
    )


def _disk_check(settings: Settings) -> HealthCheck:
    free = shutil.disk_usage(settings.service.home).free // 1_000_000
    return HealthCheck(
        "disk", free >= ADVISED_FREE_MB, f"{free:,} MB free", f"Free at least {ADVISED_FREE_MB} MB."
    )
