"""The commands about jobs: uploads that a server ingests in the background."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from api.commands.terminal import JsonOption, note, print_json, say
from api.render import job_to_json
from api.service import opened
from rag.store.jobs import Job

jobs_app = typer.Typer(no_args_is_help=True, help="Uploads that a server ingests in the background.")
JobArgument = Annotated[str, typer.Argument(metavar="JOB", help="As `ibid jobs list` shows it.")]


@jobs_app.command("list")
def list_jobs(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Most jobs to list.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """List the newest jobs, newest first."""
    with opened() as service:
        listed = service.catalog.jobs.recent(limit)
    if as_json:
        return print_json([job_to_json(job) for job in listed])
    for job in listed:
        say(_line(job))
    return None


@jobs_app.command("show")
def show_job(job: JobArgument, as_json: JsonOption = False) -> None:
    """Show how far a job is, and what became of each of its files."""
    with opened() as service:
        found = service.catalog.jobs.get(job)
        _show(found, as_json, service.remark_on(found))


@jobs_app.command("cancel")
def cancel_job(job: JobArgument, as_json: JsonOption = False) -> None:
    """Cancel the files of a job that are not yet ingested; those ingested stay."""
    with opened() as service:
        _show(service.catalog.jobs.cancel(job), as_json)


@jobs_app.command("retry")
def retry_job(job: JobArgument, as_json: JsonOption = False) -> None:
    """Queue the files of a finished job again that failed or were cancelled within the last week.

    The server that runs over the data folder ingests them, or the next one that is started.
    """
    with opened() as service:
        _show(service.jobs.retry(job), as_json)


def _show(job: Job, as_json: bool, remark: str = "") -> None:
    if as_json:
        return print_json(job_to_json(job, remark))
    say(_line(job))
    for file in job.files:
        say(f"  {file.state}  {file.name}" + (f": {file.error}" if file.error else ""))
    if remark:
        note(remark)
    return None


def _line(job: Job) -> str:
    created = time.strftime("%Y-%m-%d %H:%M", time.localtime(job.created))
    rate = "" if job.files_per_s is None else f", {job.files_per_s:g} files/s, {job.left_s:.0f} s left"
    error = f" ({job.error})" if job.error else ""
    return (
        f"{job.id}  {created}  {job.corpus}: {job.state}, {job.done} of {len(job.files)} files{rate}{error}"
    )
