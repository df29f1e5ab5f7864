"""Routes of corpora, documents and uploads."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Query, Request, Response, UploadFile
from fastapi import Path as PathParameter
from fastapi.responses import FileResponse, JSONResponse

from api.http import schemas
from api.http.depends import Serving, body_of_type
from api.http.problems import problem_responses
from api.render import document_to_json, job_to_json
from api.service import Service
from ingest.names import document_name
from rag.errors import InvalidInput, NotFound
from rag.store.documents import DocumentInfo
from rag.store.filters import is_storable
from rag.store.jobs import Upload
from rag.text.boxes import boxes_between
from rag.types import Metadata, document_id

router = APIRouter(prefix="/v1", responses=dict(problem_responses()))
Limit = Annotated[int, Query(ge=1, le=1000)]
PageNumber = Annotated[int, PathParameter(ge=1, le=1_000_000)]
TextOffset = Annotated[
    int, Query(ge=0, le=2**31, description="An offset of the document's text, in code points.")
]
Version = Annotated[int | None, Query(ge=1, le=2**31, description="The version that the offsets belong to.")]
Scale = Annotated[float, Query(ge=0.1, le=4, description="Pixels per point.")]
Offset = Annotated[int, Query(ge=0, le=2**31)]
_SANDBOX = {"Content-Security-Policy": "sandbox; default-src 'none'"}  # an uploaded page never runs as ours


@router.get("/corpora", response_model=schemas.CorpusList, tags=["corpora"])
def list_corpora(service: Serving) -> dict[str, Any]:
    """List the corpora."""
    return {"corpora": [asdict(info) for info in service.catalog.corpora.infos()]}


@router.delete("/corpora/{corpus}", status_code=204, tags=["corpora"])
def delete_corpus(service: Serving, corpus: str) -> None:
    """Delete a corpus with all its documents, at once; uploads on their way to it are cancelled."""
    service.catalog.delete_corpus(corpus)


@router.post(
    "/corpora/{corpus}/documents",
    status_code=202,
    response_model=schemas.Accepted,
    tags=["documents"],
    dependencies=[Depends(body_of_type("multipart/form-data"))],
)
def upload(
    service: Serving,
    request: Request,
    response: Response,
    corpus: str,
    files: list[UploadFile],
    metadata: Annotated[str | None, Form(description="A JSON object, for all files.")] = None,
) -> dict[str, Any]:
    """Accept files; a job makes them searchable. A file's name in the corpus is its part's file name.

    When this returns, the files are on disk and survive a crash. If one name or the metadata is not
    acceptable, nothing is accepted.
    """
    stated = _metadata(metadata)
    uploads = [Upload(file.filename or "", file.file.read(), stated) for file in files]
    service.check_embedder(corpus)
    job = service.catalog.jobs.get(service.jobs.submit(corpus, uploads, service.recipe))
    response.headers["Location"] = request.url_for("get_job", job=job.id).path
    return {"job": job_to_json(job)}


@router.get("/corpora/{corpus}/documents", response_model=schemas.DocumentList, tags=["documents"])
def list_documents(service: Serving, corpus: str, limit: Limit = 100, offset: Offset = 0) -> dict[str, Any]:
    """List documents by name, `limit` from `offset` on."""
    shown = [
        document_to_json(info) for info in service.catalog.documents.infos(corpus, limit=limit, offset=offset)
    ]
    total = service.catalog.documents.count(corpus)
    return {"documents": shown, "total": total, "limit": limit, "offset": offset}


@router.get(
    "/corpora/{corpus}/documents/{name:path}/pages/{page:int}.png",
    response_class=Response,
    responses={200: {"content": {"image/png": {}}, "description": "The page."}},
    tags=["documents"],
)
def get_page(
    service: Serving,
    corpus: str,
    name: str,
    page: PageNumber,
    start: TextOffset = 0,
    end: TextOffset = 0,
    scale: Scale = 1.5,
    version: Version = None,
) -> Response:
    """Render a page of a PDF; the words from `start` to `end` of the document's text are marked on it.

    With `version`, only of that version: another one's text has other offsets.
    """
    wanted, documents = document_name(name), service.catalog.documents
    try:
        info = documents.info(corpus, wanted)
    except NotFound:
        whole = f"{wanted}/pages/{page}.png"
        if not documents.current_versions([document_id(corpus, whole)]):
            raise
        return JSONResponse(get_document(service, corpus, whole))  # a document of this name
    if version not in (None, info.version):
        raise NotFound(f"{wanted!r} has version {info.version} by now; version {version} is no longer kept.")
    if info.metadata.get("format") != "pdf":
        raise NotFound(f"{wanted!r} is no PDF; only pages of PDFs can be shown.")
    boxes = boxes_between(documents.boxes(info.id, info.version), start, end)
    path = _original(service, info)
    shown = service.parser.render(path.read_bytes(), page, boxes, scale)
    return Response(shown, media_type="image/png", headers={"Cache-Control": "private, no-cache"})


@router.get(
    "/corpora/{corpus}/documents/{name:path}", response_model=schemas.DocumentText, tags=["documents"]
)
def get_document(service: Serving, corpus: str, name: str) -> dict[str, Any]:
    """Return a document's normalised text, which citations point into, and its metadata."""
    document = service.catalog.documents.get(corpus, document_name(name))
    fields = ("name", "version", "metadata", "pages", "text")
    return {field: getattr(document, field) for field in fields}


@router.delete("/corpora/{corpus}/documents/{name:path}", status_code=204, tags=["documents"])
def delete_document(service: Serving, corpus: str, name: str) -> None:
    """Delete a document; when this returns, no search and no answer shows it.

    Uploads of this name that are still queued are cancelled.
    """
    service.catalog.documents.delete(corpus, [document_name(name)])


@router.get("/corpora/{corpus}/originals/{name:path}", response_class=FileResponse, tags=["documents"])
def get_original(service: Serving, corpus: str, name: str) -> FileResponse:
    """Download the file that was uploaded, byte for byte."""
    wanted = document_name(name)
    path = _original(service, service.catalog.documents.info(corpus, wanted))
    return FileResponse(
        path, filename=wanted.rsplit("/", 1)[-1], media_type="application/octet-stream", headers=_SANDBOX
    )


def _original(service: Service, info: DocumentInfo) -> Path:
    path = service.catalog.originals.path(info.sha256)
    if not path.is_file():
        raise NotFound(f"The original of {info.name!r} is not kept; only uploads over HTTP are.")
    return path


def _metadata(text: str | None) -> Metadata:
    if text is None or not text.strip():
        return {}
    expected = 'expected a JSON object such as {"region": "EU", "year": 2026}. Nothing was accepted.'
    try:
        metadata = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"metadata is not JSON ({error}); {expected}") from error
    if not isinstance(metadata, dict):
        raise InvalidInput(f"metadata is {text[:80]!r}; {expected}")
    for key, value in metadata.items():
        if not (is_storable(key) and is_storable(value)):
            raise InvalidInput(
                f"metadata has {ascii(key)[:80]}: {ascii(value)[:80]}, which is not a text without NUL, true, "
                f"false or a finite number of at most 64 bits; {expected}"
            )
    return metadata
