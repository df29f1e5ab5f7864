"""What the guard refuses: bodies over the limit, foreign hosts, other sites' pages."""

from collections.abc import Iterator

import pytest
from starlette.responses import Response
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from api.http.guard import Guard
from rag.settings import Settings, load_settings
from tests.served import TRAVEL, Site, is_problem, served, still_serves, upload

DOCUMENTS, SEARCH = (f"/v1/corpora/handbook/{kind}" for kind in ("documents", "search"))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with served(Settings(home=tmp_path_factory.mktemp("home"), max_file_mb=1)) as site:
        upload(site.client, "handbook", {"travel.md": TRAVEL})
        yield site


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


@pytest.mark.parametrize(
    ("allowed", "host", "status"),
    [
        (None, "evil.example", 421),
        (None, "127.0.0.1:8000", 200),
        ("Ibid.example, [::1]", "ibid.example:8000", 200),
        ("Ibid.example, [::1]", "[::1]", 200),
        ("ibid.example", "localhost", 421),
        ("*", "evil.example", 200),
    ],
)
def test_the_hosts_that_are_allowed_do_not_follow_the_address(
    allowed: str | None, host: str, status: int
) -> None:
    settings = load_settings({}, host="0.0.0.0", allowed_hosts=allowed)

    async def ok(scope: Scope, receive: Receive, send: Send) -> None:
        await Response("ok")(scope, receive, send)

    response = TestClient(Guard(ok, settings)).get("/", headers={"Host": host})
    assert response.status_code == status
    assert (status == 200) or "IBID_ALLOWED_HOSTS" in response.json()["detail"]


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


def test_a_client_that_sends_everything_first_still_reads_the_answer(site: Site) -> None:
    length = 20_000_000
    head = (
        f"POST {DOCUMENTS} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary=b\r\n"
        f"Content-Length: {length}\r\nConnection: close\r\n\r\n"
    )
    assert site.exchange(head.encode() + b"x" * length).startswith(b"HTTP/1.1 413 ")
