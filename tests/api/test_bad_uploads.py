"""Uploads that cannot be accepted: each is refused whole with a true status code."""

import socket
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from rag.settings import Settings
from tests.served import TRAVEL, Site, is_problem, served, still_serves, upload

DOCUMENTS = "/v1/corpora/handbook/documents"
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with served(Settings(home=tmp_path_factory.mktemp("home"), max_file_mb=1)) as site:
        upload(site.client, "handbook", {"travel.md": TRAVEL})
        yield site


def multipart(*parts: tuple[bytes, bytes]) -> tuple[bytes, dict[str, str]]:
    """Encode (disposition, data) byte for byte, unlike a well-behaved client."""
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
