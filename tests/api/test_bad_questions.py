"""Bad requests: each gets a problem document with a true status code, and the service still answers."""

import errno
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.http.problems import problem_of
from rag.answer.generator import OnPart, ignored
from rag.errors import ModelError, StorageError
from rag.settings import Settings
from rag.types import Context, Draft
from tests.made_versions import damage_inside
from tests.served import TRAVEL, Site, generating, is_problem, served, still_serves, upload

DOCUMENTS, SEARCH, ASK = (f"/v1/corpora/handbook/{kind}" for kind in ("documents", "search", "ask"))
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with served(Settings(home=tmp_path_factory.mktemp("home"), max_file_mb=1)) as site:
        upload(site.client, "handbook", {"travel.md": TRAVEL})
        yield site


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


class Failing:
    """A generator that fails on request."""

    writes = False

    def __init__(self, error: Exception) -> None:
        self._error = error

    def generate(self, context: Context, on_part: OnPart = ignored) -> Draft:
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
    site: Site, error: Exception, detail: str
) -> None:
    with generating(site, Failing(error)):
        problem = is_problem(site.client.post(ASK, json={"question": "hotel"}), 500)
        assert detail in problem["detail"]
        streamed = site.client.post(ASK, json={"question": "hotel", "stream": True}).text
        name, data = streamed.split("\n\n")[-2].split("\n")  # the last event
        assert (name, json.loads(data.removeprefix("data: "))["status"]) == ("event: error", 500)
        assert detail in data
        assert "secret" not in json.dumps(problem) + streamed
        still_serves(site)


def test_a_catalogue_damaged_inside_is_a_500_that_says_what_to_do(tmp_path: Path) -> None:
    with served(Settings(home=tmp_path)) as site:
        upload(site.client, "handbook", {"travel.md": TRAVEL})
        site.service.catalog.database.read().execute("PRAGMA wal_checkpoint(TRUNCATE)")
        damage_inside(tmp_path, "chunks_in_order", "chunks", "documents")
        for response in (
            site.client.get(DOCUMENTS),
            site.client.get(f"{DOCUMENTS}/travel.md"),
            site.client.post(SEARCH, json={"question": "hotel"}),
        ):
            assert "restore a backup" in is_problem(response, 500)["detail"]


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
