"""Routes of jobs: how far uploads are, and what became of their files."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from api.http import schemas
from api.http.depends import Serving
from api.http.problems import problem_responses
from api.render import job_to_json

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], responses=dict(problem_responses()))


@router.get("", response_model=schemas.JobList)
def list_jobs(service: Serving, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> dict[str, Any]:
    """List the newest jobs, newest first."""
    return {"jobs": [job_to_json(job) for job in service.catalog.jobs.recent(limit)]}


@router.get("/{job}", response_model=schemas.Job)
def get_job(service: Serving, job: str) -> dict[str, Any]:
    """Return a job's progress and what became of each file."""
    found = service.catalog.jobs.get(job)
    return job_to_json(found, service.remark_on(found))


@router.post("/{job}/cancel", response_model=schemas.Job)
def cancel_job(service: Serving, job: str) -> dict[str, Any]:
    """Cancel the files of a job that are not yet ingested; those ingested stay."""
    return job_to_json(service.catalog.jobs.cancel(job))


@router.post("/{job}/retry", response_model=schemas.Job)
def retry_job(service: Serving, job: str) -> dict[str, Any]:
    """Queue the files of a finished job again that failed or were cancelled within the last week.

    Those whose name was uploaded again or deleted since are left out.
    """
    return job_to_json(service.jobs.retry(job))
