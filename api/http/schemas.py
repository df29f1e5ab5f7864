"""The shapes of requests and responses, for validation and the OpenAPI documents."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def _whole(text: str) -> str:
    """Refuse half a surrogate pair, which JSON can write and no text can hold."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"character {error.start} is half a surrogate pair") from error
    return text


Text = Annotated[str, AfterValidator(_whole)]
Question = Annotated[Text, Field(examples=["What is the hotel limit per night in London?"])]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)  # a misspelt field is an error, not a default


class SearchRequest(_Request):
    """What to search for."""

    question: Question
    k: int = Field(5, ge=1, le=1000, description="Most hits to return.")
    filter: dict[str, Any] | None = Field(
        None,
        description="On metadata: $eq $ne $gt $gte $lt $lte $in $nin $and $or.",
        examples=[{"format": "pdf"}],
    )
    explain: bool = Field(False, description="Add every candidate and why it was dropped.")


class AskRequest(_Request):
    """What to ask; with a session a follow-up is understood from what was said before, and remembered."""

    question: Question
    session: str | None = Field(None, min_length=1, max_length=64, examples=["tuesday"])
    user: str = Field("", max_length=64, description="Whose session it is.")
    filter: dict[str, Any] | None = Field(None, examples=[{"format": "pdf"}])
    stream: bool = Field(False, description="Answer as server-sent events.")
    explain: bool = Field(False, description="Add every candidate and why it was dropped.")


class ManifestFile(_Request):
    """A file of the client's folder."""

    path: Text = Field(description="Relative to the folder.", examples=["policies/travel.md"])
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class SyncRequest(_Request):
    """All files of the client's folder. Only documents that a sync saw in it before are moved or deleted."""

    files: list[ManifestFile] = Field(max_length=1_000_000)
    folder: Text = Field("manifest", min_length=1, max_length=512, description="What the folder is called.")
    delete_missing: bool = Field(False, description="Delete documents whose files the folder lacks by now.")
    dry_run: bool = Field(False, description="Change nothing; say what would be done.")
    force: bool = Field(False, description="Delete more than 20 %, and take over another folder's documents.")


class SyncResponse(BaseModel):
    """What is to be uploaded (added, modified), and what was done, or would be: `moved` holds (from, to)."""

    corpus: str
    added: list[str]
    modified: list[str]
    moved: list[tuple[str, str]]
    deleted: list[str]
    unchanged: int
    failed: dict[str, str]
    refused: str | None = Field(description="Why a dry run's plan would not be carried out.")
    seconds: float


class Hit(BaseModel):
    """Evidence; `start` and `end` are code points of the document's text, `page` counts from 1."""

    document: str
    start: int
    end: int
    page: int | None
    text: str
    score: float


class SearchResponse(BaseModel):
    """Hits, best first."""

    hits: list[Hit]
    timings_ms: dict[str, float]
    explain: dict[str, Any] | None = None


class MarkBox(BaseModel):
    """A part of a page, in points from its top left as displayed; pages count from 1."""

    page: int
    x0: float
    y0: float
    x1: float
    y1: float


class Citation(BaseModel):
    """The verbatim words that the answer's characters `answer_start` to `answer_end` rest on.

    `boxes` is where they stand in a PDF, line by line; `GET .../pages/{page}.png` shows them marked.
    """

    document: str
    version: int
    page: int | None
    start: int
    end: int
    quote: str
    verified: bool
    label: int
    answer_start: int
    answer_end: int
    boxes: list[MarkBox]


class Conflict(BaseModel):
    """Sources that differ in what is asked, the newest first; `answer_start` and `answer_end` lie in `text`."""

    kind: str = Field(description="What tells them apart: dates, regions, versions, or values (nothing).")
    text: str = Field(examples=["By region: 26 days (United Kingdom); 30 days (Germany)."])
    citations: list[Citation]


class Tokens(BaseModel):
    """Where the tokens of the prompt went: budget >= used = system + tools + memory + evidence + question."""

    budget: int
    system: int
    tools: int
    memory: int
    evidence: int
    question: int
    used: int


class Recalled(BaseModel):
    """An earlier exchange about the same; `asked` is in seconds since 1970."""

    turn: int
    session: str
    question: str
    answer: str
    asked: float
    cosine: float


class Fact(BaseModel):
    """What the user stated, when and in which session, or put right; `superseded` is when it ceased to hold."""

    id: int
    text: str
    session: str
    stated: float
    superseded: float | None
    corrected: bool


class FactList(BaseModel):
    """What a user stated, in the order in which it was first stated."""

    facts: list[Fact]


class CorrectedFact(_Request):
    """What to remember instead."""

    text: Question = Field(examples=["My deadline is 21 May."])


class AskResponse(BaseModel):
    """An answer with its citations, or a refusal (`answerable` false) with its reason and nearest hits."""

    answer: str
    answerable: bool
    question: str = Field(description="As it was understood: rewritten to stand alone, in a session.")
    strategy: str = Field(
        description="What the prompt shows: retrieval, whole_document, or summary_then_detail."
    )
    confidence: float
    reason: str
    notes: list[str] = Field(description="What was rewritten, dropped or replaced on the way to the answer.")
    recalled: list[Recalled] = Field(description="In a session: what was asked before about the same.")
    facts: list[Fact] = Field(description="In a session: what the user stated before about the same.")
    citations: list[Citation]
    conflicts: list[Conflict] = Field(description="Where the answer's sources and others differ.")
    nearest: list[Hit]
    tokens: Tokens
    timings_ms: dict[str, float]
    explain: dict[str, Any] | None = None


class Turn(BaseModel):
    """One exchange of a session; `asked` is in seconds since 1970.

    `tier` of memory: `active`, word for word; `session`, as its `gist`; or `persistent`, which is searched.
    """

    question: str
    rewritten: str
    answer: str
    asked: float
    tier: str
    gist: str


class SessionTurns(BaseModel):
    """The exchanges of a session, oldest first."""

    turns: list[Turn]


class SessionSummary(BaseModel):
    """What a listing says of a session; `last` is when it was last used, in seconds since 1970."""

    name: str
    user: str
    turns: int
    last: float


class SessionList(BaseModel):
    """The sessions about a corpus, the last used first."""

    sessions: list[SessionSummary]


class Corpus(BaseModel):
    """A corpus; `created` is in seconds since 1970."""

    name: str
    created: float
    documents: int
    chunks: int


class CorpusList(BaseModel):
    """All corpora, by name."""

    corpora: list[Corpus]


class Omission(BaseModel):
    """Something that a file holds and its text does not, such as 3 images on page 2; `place` may be empty."""

    kind: str
    place: str
    count: int


class DocumentSummary(BaseModel):
    """What a listing says of a document; `note` says in words what `omissions` lists."""

    name: str
    version: int
    characters: int
    chunks: int
    sha256: str
    created: float
    metadata: dict[str, str | int | float | bool]
    omissions: list[Omission]
    note: str = Field(examples=["read in part: 1 page without text (page 2)"])


class DocumentList(BaseModel):
    """A page of a corpus's documents, by name; `total` counts them all."""

    documents: list[DocumentSummary]
    total: int
    limit: int
    offset: int


class DocumentText(BaseModel):
    """The current version of a document; `pages` holds the offset at which each page starts."""

    name: str
    version: int
    metadata: dict[str, str | int | float | bool]
    pages: list[int]
    text: str


class JobFile(BaseModel):
    """One file of a job: queued, running, added, updated, unchanged, failed (with the error) or cancelled.

    A file is cancelled with its job, or when its name or its corpus is deleted before it was ingested. An error
    begins with the stage that failed: read, load, chunk, embed or store. `note` says in words what `omissions` lists:
    what of the file is not in.
    """

    name: str
    state: str
    error: str | None
    omissions: list[Omission]
    note: str


class Job(BaseModel):
    """A job: queued, running, completed, completed_with_errors, failed or cancelled.

    `done` of `total` files are finished. While it runs, `files_per_s` is the rate since the worker began, and `left_s`
    the seconds that it will take yet at that rate; both are null until a file is done. `note` is for a finished
    job that is asked for by itself: which embedding model was chosen by the language of its files, or would suit them
    better.
    """

    id: str
    corpus: str
    state: str
    created: float
    finished: float | None
    error: str | None
    done: int
    total: int
    files_per_s: float | None
    left_s: float | None
    note: str
    files: list[JobFile]


class JobList(BaseModel):
    """Jobs, newest first."""

    jobs: list[Job]


class Accepted(BaseModel):
    """An upload is stored durably; the job makes it searchable."""

    job: Job


class Health(BaseModel):
    """The process lives."""

    status: str


class Ready(BaseModel):
    """Whether questions and uploads are served now; `reasons` says why not."""

    ready: bool
    reasons: list[str]
    warnings: list[str]


class Problem(BaseModel):
    """RFC 9457: `type` names the class of problem, `detail` says what to do about this one."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: list[dict[str, str]] | None = None
