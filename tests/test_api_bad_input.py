"""Bad requests: each gets a problem document with a true status code, and the service still answers."""

import asyncio
import errno
import json
import socket
import sqlite3
import threading
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import httpx
import pytest

from api.problems import problem_of
from api.stream import ClientGone, Emit, stream_events
from rag.errors import ModelError, StorageError
from rag.pipeline import Pipeline
from rag.settings import Settings
from rag.types import Context, Draft
from tests.served import TRAVEL, Site, find, served, upload

DOCUMENTS, SEARCH, ASK = (f"/v1/corpora/handbook/{kind}" for kind in ("documents", "search", "ask"))
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with served(Settings(home=tmp_path_factory.mktemp("home"), max_file_mb=1)) as site:
        upload(site.client, "handbook", {"travel.md": TRAVEL})
        yield site


def is_problem(response: httpx.Response, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    assert (problem["status"], set(problem) >= {"type", "title", "detail", "instance"}) == (status, True)
    return problem


def still_serves(site: Site) -> None:
    assert find(site.client, "handbook", "hotel")[0]["document"] == "travel.md"
    assert site.client.get(DOCUMENTS).json()["total"] == 1


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"question": ""}, 422, "empty"),
        ({"question": " \n\t"}, 422, "empty"),
        ({"question": "x" * 100_000}, 422, "100,000 characters"),
        ({"question": "\x00"}, 200, ""),
        ({"question": "¿Cuál es el límite de hotel en Londres?"}, 200, ""),
        ({"question": "伦敦的酒店限额是多少？"}, 200, ""),
        ({}, 422, "question: Field required"),
        ({"question": 7}, 422, "question: Input should be a valid string"),
        ({"question": None}, 422, "question"),
        ({"question": "hotel", "colour": "red"}, 422, "colour: Extra inputs"),
        ({"question": "hotel", "filter": "pdf"}, 422, "filter: Input should be a valid dictionary"),
        ({"question": "hotel", "filter": {"$near": 1}}, 422, "$near is not an operator"),
        ({"question": "hotel", "filter": {"year": {"$gt": None}}}, 422, "$gt"),
        ({"question": "hotel", "filter": {"year": 10**30}}, 422, "year"),
        ([], 422, "valid dictionary"),
    ],
)
@pytest.mark.parametrize("path", [SEARCH, ASK])
def test_questions(site: Site, path: str, body: Any, status: int, words: str) -> None:
    response = site.client.post(path, json=body)
    if status == httpx.codes.OK:
        assert response.status_code == status, response.text
    else:
        problem = is_problem(response, status)
        assert words in problem["detail"]
        assert len(response.content) < 2000
    if path == ASK and status != httpx.codes.OK and isinstance(body, dict):
        is_problem(site.client.post(path, json=body | {"stream": True}), status)


@pytest.mark.parametrize("k", [0, -1, 1001, 2.5, "5", True, 10**30])
def test_how_many_hits(site: Site, k: Any) -> None:
    assert "k: " in is_problem(site.client.post(SEARCH, json={"question": "hotel", "k": k}), 422)["detail"]


@pytest.mark.parametrize(
    ("content", "headers", "status", "words"),
    [
        (b'{"question": "hot', JSON, 400, "not JSON"),
        (b"", JSON, 422, "required"),
        (b'{"question": "\xff"}', JSON, 400, "does not parse"),
        (b"[" * 100_000, JSON, 400, ""),
        (b'{"question": "\\ud800"}', JSON, 422, "question"),
        (b'{"question": "a", "filter": {"a": "\\ud800"}}', JSON, 422, ""),
        (b'{"question": "a", "filter": {"\\ud800": 1}}', JSON, 422, ""),
        (b'{"question": "a", "filter": {"a": NaN}}', JSON, 422, ""),
        (b'{"question": "hotel"}', {"Content-Type": "text/plain"}, 415, "application/json"),
        (b'{"question": "hotel"}', {}, 415, "unstated"),
        (b"question=hotel", {"Content-Type": "application/x-www-form-urlencoded"}, 415, "application/json"),
        (b"x" * 2_000_000, JSON, 413, "exceeds"),
    ],
    ids=range(12),
)
def test_bodies(site: Site, content: bytes, headers: dict[str, str], status: int, words: str) -> None:
    for path in (SEARCH, ASK):
        assert words in is_problem(site.client.post(path, content=content, headers=headers), status)["detail"]
    still_serves(site)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/v1/corpora/handbook", 405),
        ("PUT", "/v1/jobs", 405),
        ("POST", "/health", 405),
        ("GET", "/v1/jobs/ffff", 404),
        ("GET", "/v1/jobs?limit=0", 422),
        ("GET", "/v1/jobs?limit=many", 422),
        ("GET", f"{DOCUMENTS}?offset=-1", 422),
        ("GET", f"{DOCUMENTS}?offset={10**30}", 422),
        ("GET", "/v1/corpora/unknown/documents", 404),
        ("GET", "/v1/corpora/%00/documents", 404),
        ("GET", "/v1/corpora/unknown/documents/travel.md", 404),
        ("DELETE", "/v1/corpora/unknown", 404),
        ("DELETE", "/v1/corpora/unknown/documents/travel.md", 404),
        ("DELETE", f"{DOCUMENTS}/unknown.md", 404),
        ("GET", f"{DOCUMENTS}/größe.md", 404),
        ("GET", f"{DOCUMENTS}/%ff.md", 404),
        ("GET", f"{DOCUMENTS}/..%2F..%2Fetc%2Fpasswd", 422),
        ("GET", f"{DOCUMENTS}/%2Fetc%2Fpasswd", 422),
        ("GET", f"{DOCUMENTS}/a%00.md", 422),
        ("DELETE", f"{DOCUMENTS}/", 422),
        ("GET", "/v1/corpora/handbook/originals/..%2F..%2Fcatalog.sqlite3", 422),
        ("GET", "/v1/corpora/handbook/originals/unknown.md", 404),
    ],
)
def test_paths(site: Site, method: str, path: str, status: int) -> None:
    is_problem(site.client.request(method, path), status)
    still_serves(site)


@pytest.mark.parametrize("path", ["/v1/corpora/unknown/search", "/v1/corpora/unknown/ask"])
def test_an_unknown_corpus_names_the_known_ones(site: Site, path: str) -> None:
    for body in ({"question": "hotel"}, {"question": "hotel", "stream": True})[: 1 + path.endswith("ask")]:
        problem = is_problem(site.client.post(path, json=body), 404)
        assert (problem["type"], problem["title"]) == ("urn:ibid:problem:not-found", "Not found")
        assert "handbook" in problem["detail"]
        assert problem["instance"] == path


def multipart(*parts: tuple[bytes, bytes]) -> tuple[bytes, dict[str, str]]:
    """Encode (disposition, data) byte for byte, as no polite client would."""
    body = b"".join(b"--b\r\nContent-Disposition: form-data; %b\r\n\r\n%b\r\n" % part for part in parts)
    return body + b"--b--\r\n", {"Content-Type": "multipart/form-data; boundary=b"}


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        ([b"../escape.txt"], "'..'"),
        ([b"a/../../escape.txt"], "'..'"),
        ([b"..\\escape.txt"], "'..'"),
        ([b"/etc/passwd"], "absolute"),
        ([b"nul\x00.txt"], "U+0000"),
        ([b"right\xe2\x80\xaeto-left.txt"], "U+202E"),
        ([b"x" * 600 + b".txt"], "604 characters"),
        ([b""], ""),
        ([b"folder/"], "names no file"),
        ([b"good.txt", b"../bad.txt"], "'..'"),
        ([b"same.txt", b"same.txt"], "Two files"),
        ([b"same.txt", b"./same.txt"], "Two files"),
        (["gr\u00f6\u00dfe.txt".encode(), "gro\u0308\u00dfe.txt".encode()], "Two files"),
    ],
    ids=range(13),
)
def test_names(site: Site, names: list[bytes], shown: str) -> None:
    body, headers = multipart(*((b'name="files"; filename="%b"' % name, b"Some text.") for name in names))
    assert shown in is_problem(site.client.post(DOCUMENTS, content=body, headers=headers), 422)["detail"]
    still_serves(site)  # and nothing of the upload was accepted


def test_names_in_any_script_are_kept(site: Site) -> None:
    names = ["größe.txt", "文档/说明.txt", "файл 1.txt", 'a "quoted" name%.txt', "🙂.txt"]
    upload(site.client, "scripts", {name: f"This is {name}." for name in names})
    for name in (
        listed["name"] for listed in site.client.get("/v1/corpora/scripts/documents").json()["documents"]
    ):
        assert site.client.get(f"/v1/corpora/scripts/documents/{quote(name)}").json()["name"] == name


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (*multipart(), 422),
        (*multipart((b'name="file"; filename="a.txt"', b"text")), 422),
        (*multipart((b'name="files"', b"text without a file name")), 422),
        (b"nonsense", {"Content-Type": "multipart/form-data; boundary=b"}, 400),
        (b"text", {"Content-Type": "multipart/form-data"}, 400),
        (b'{"files": []}', JSON, 415),
        (b"text", {"Content-Type": "application/octet-stream"}, 415),
    ],
    ids=range(7),
)
def test_uploads_that_are_none(site: Site, body: bytes, headers: dict[str, str], status: int) -> None:
    is_problem(site.client.post(DOCUMENTS, content=body, headers=headers), status)
    still_serves(site)


@pytest.mark.parametrize(
    "metadata",
    [
        "{",
        "[]",
        '"text"',
        '{"a": {"b": 1}}',
        '{"a": null}',
        '{"a": NaN}',
        '{"a": 1e999}',
        f'{{"a": {10**30}}}',
        "\x00",
    ],
)
def test_metadata(site: Site, metadata: str) -> None:
    response = site.client.post(DOCUMENTS, files={"files": ("a.txt", b"text")}, data={"metadata": metadata})
    assert is_problem(response, 422)["detail"].startswith("metadata")
    still_serves(site)


@pytest.mark.parametrize("name", ["a b", "-x", "x" * 65, "%00", "..", "a%2Fb"])
def test_corpus_names(site: Site, name: str) -> None:
    response = site.client.post(f"/v1/corpora/{name}/documents", files={"files": ("a.txt", b"text")})
    is_problem(response, 404 if name in ("..", "a%2Fb") else 422)


def test_an_over_large_upload_is_refused_by_its_length(site: Site) -> None:
    response = site.client.post(DOCUMENTS, files={"files": ("big.txt", b"x" * 3_000_000)})
    assert "2,000,000 bytes" in is_problem(response, 413)["detail"]
    still_serves(site)


def test_an_over_large_upload_of_unstated_length_is_refused_while_it_comes(site: Site) -> None:
    head = b'--b\r\nContent-Disposition: form-data; name="files"; filename="big.txt"\r\n\r\n'
    parts = iter([head, *[b"x" * 100_000] * 40])
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    is_problem(site.client.post(DOCUMENTS, content=parts, headers=headers), 413)
    still_serves(site)


def test_a_waiting_client_is_refused_before_it_sends(site: Site) -> None:
    head = (
        f"POST {DOCUMENTS} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary=b\r\n"
        "Content-Length: 99999999\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
    )
    assert site.exchange(head.encode()).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST.:8000", 200),
        ("127.0.0.1:1", 200),
        ("[::1]:8000", 200),
        ("evil.example", 421),
        ("evil.example:8000", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost@evil.example", 421),
        ("", 421),
        ("[::1", 421),
    ],
)
def test_a_foreign_host_is_refused(site: Site, host: str, status: int) -> None:
    assert site.client.get("/v1/corpora", headers={"Host": host}).status_code == status


def test_a_request_without_a_host_is_refused(site: Site) -> None:
    assert site.exchange(b"GET /v1/corpora HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "http://[", ""])
def test_another_sites_page_may_not_change_or_ask(site: Site, origin: str) -> None:
    headers = {"Origin": origin}
    is_problem(site.client.post(DOCUMENTS, files={"files": ("a.txt", b"text")}, headers=headers), 403)
    is_problem(site.client.post(SEARCH, json={"question": "hotel"}, headers=headers), 403)
    is_problem(site.client.delete(f"{DOCUMENTS}/travel.md", headers=headers), 403)
    still_serves(site)
    response = site.client.get(DOCUMENTS, headers=headers)
    assert not [name for name in response.headers if name.startswith("access-control")]


def test_our_own_page_may_ask(site: Site) -> None:
    own = {"Origin": str(site.client.base_url).rstrip("/")}
    assert site.client.post(SEARCH, json={"question": "hotel"}, headers=own).status_code == 200


class Failing:
    """A generator that fails as told."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def generate(self, context: Context) -> Draft:
        raise self._error

    def count_tokens(self, text: str) -> int:
        return len(text.split())


@pytest.mark.parametrize(
    ("error", "detail"),
    [
        (RuntimeError("secret path /root/x"), "under incident"),
        (ModelError("The model is damaged."), "is damaged"),
    ],
)
def test_a_failure_inside_is_a_500_that_shows_nothing_of_it(
    tmp_path: Path, error: Exception, detail: str
) -> None:
    settings = Settings(home=tmp_path)
    with served(settings) as site:
        upload(site.client, "handbook", {"travel.md": TRAVEL})
        service = site.service
        service.__dict__["pipeline"] = Pipeline(settings, service.catalog, service.embedder, Failing(error))
        for stream in (False, True):
            problem = is_problem(site.client.post(ASK, json={"question": "hotel", "stream": stream}), 500)
            assert detail in problem["detail"]
            assert "secret" not in json.dumps(problem)
        still_serves(site)


def storage_error(cause: Exception) -> StorageError:
    error = StorageError("The catalogue could not be written; nothing was changed.")
    error.__cause__ = cause
    return error


def sqlite_error(*statements: str) -> sqlite3.Error:
    connection = sqlite3.connect(":memory:")
    try:
        for statement in statements:
            connection.execute(statement)
    except sqlite3.Error as error:
        return error
    finally:
        connection.close()
    raise AssertionError("no error")


def test_a_full_disk_is_507_and_other_storage_errors_500() -> None:
    full = sqlite_error(
        "PRAGMA max_page_count = 2", "CREATE TABLE t (x)", "INSERT INTO t VALUES (zeroblob(100000))"
    )
    for error in (storage_error(full), full, storage_error(OSError(errno.ENOSPC, "No space left on device"))):
        assert problem_of(error, "/x")["status"] == 507
    assert problem_of(storage_error(sqlite_error("SELECT * FROM nothing")), "/x")["status"] == 500


def test_a_busy_catalogue_is_503(tmp_path: Path) -> None:
    writer, other = (sqlite3.connect(tmp_path / "db", timeout=0, isolation_level=None) for _ in range(2))
    writer.execute("BEGIN IMMEDIATE")
    with pytest.raises(sqlite3.OperationalError) as raised:
        other.execute("BEGIN IMMEDIATE")
    assert problem_of(storage_error(raised.value), "/x")["status"] == 503
    writer.close()
    other.close()


def test_an_error_after_the_first_event_is_an_event() -> None:
    def work(emit: Emit) -> None:
        emit(("stage", {"stage": "embed", "ms": 1.0}))
        raise ModelError("The model is gone.")

    async def streamed() -> list[str]:
        response = await stream_events(work, "/v1/x")
        return [str(part) async for part in response.body_iterator]

    first, last = asyncio.run(streamed())
    assert first == 'event: stage\ndata: {"stage": "embed", "ms": 1.0}\n\n'
    assert last.startswith("event: error\ndata: {")
    problem = json.loads(last.split("data: ")[1])
    assert (problem["status"], problem["detail"], problem["instance"]) == (500, "The model is gone.", "/v1/x")


def test_the_work_of_a_stream_ends_when_its_client_is_gone() -> None:
    left, ended = threading.Event(), threading.Event()

    def work(emit: Emit) -> None:
        emit(("answer", {"text": "a"}))
        left.wait(10)
        try:
            emit(("answer", {"text": "b"}))
        except ClientGone:
            ended.set()
            raise

    async def leave() -> None:
        response = await stream_events(work, "/v1/x")
        iterator = cast(AsyncGenerator[str, None], response.body_iterator)
        assert "answer" in await anext(iterator)
        await iterator.aclose()  # what the server does on a disconnect
        left.set()
        await asyncio.to_thread(ended.wait, 10)

    asyncio.run(leave())
    assert ended.is_set()


def test_a_client_that_leaves_in_the_middle_of_an_upload(site: Site) -> None:
    jobs = len(site.client.get("/v1/jobs").json()["jobs"])
    head = (
        f"POST {DOCUMENTS} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary=b\r\n"
    )
    body, _ = multipart((b'name="files"; filename="half.txt"', b"x" * 5000))
    with socket.create_connection(site.address) as connection:
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:2000])
    still_serves(site)
    assert len(site.client.get("/v1/jobs").json()["jobs"]) == jobs
